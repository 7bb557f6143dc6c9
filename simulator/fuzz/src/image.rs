//! Converts a case to the bytes of a tile, and a tile's memory to the case's result.
//!
//! A small program on the core walks over a list in L1. Each entry of the list begins with the address of
//! the code that handles it:
//!
//! | entry | words |
//! |---|---|
//! | push | handler, address, bytes, words ..: all words are stored to the address |
//! | pairs | handler, bytes, (address, value) ..: each value is stored to its address |
//! | copy | handler, from, to, bytes |
//! | wait | handler, address, value: polls |
//! | end | handler: sets the done word and loops for ever |
//!
//! Cases of RISC-V code bring their own program.

use tt_isa::chip::WORMHOLE;
use tt_isa::map::{
    INSTRN_BUF_BASE, NIU_BASE, NIU_STRIDE, PC_BUF_BASE, PC_BUF_TENSIX_SYNC, RiscV, SOFT_RESET_ALL,
};
use tt_isa::noc::{Ctrl, NiuRegisters, NocXy};
use tt_isa::rv32::{b, encode, i, jal, li, s};

use crate::case::{Action, Case, Remote, Request};

/// Registers of the chip's NIUs.
const REG: NiuRegisters = WORMHOLE.noc.registers;

/// Where the list is.
pub const LIST: u32 = 0x1_8000;
/// Most bytes of the list.
pub const LIST_BYTES: u32 = 0x1_0000;
/// Word that is set when the core has come to its end.
pub const DONE: u32 = LIST + LIST_BYTES;
/// Where TTSync's zeros go.
const NOWHERE: u32 = DONE + 4;

/// Registers of the program.
const S0: u32 = 8;
const T0: u32 = 5;
const A1: u32 = 11;
const A2: u32 = 12;
const A3: u32 = 13;
const A4: u32 = 14;

/// Offsets of the handlers in [`program`], in bytes.
mod handler {
    pub const PUSH: u32 = 4 * 4;
    pub const PAIRS: u32 = PUSH + 9 * 4;
    pub const COPY: u32 = PAIRS + 9 * 4;
    pub const WAIT: u32 = COPY + 11 * 4;
    pub const END: u32 = WAIT + 6 * 4;
}

/// The resident program; the same on every core.
pub fn program() -> Vec<u32> {
    let lw = |rd, at| i("Lw", rd, S0, at);
    let [list_high, list_low] = li(S0, LIST);
    let back = |words: u32| jal(0, -(4 * (words as i32)) + 8);
    let mut p = vec![list_high, list_low, lw(T0, 0), i("Jalr", 0, T0, 0)];
    // push: lw a1 (address), a2 (bytes), then the words.
    p.extend([lw(A1, 4), lw(A2, 8), i("Addi", S0, S0, 12), encode("Add", A2, A2, S0, 0)]);
    p.extend([lw(A3, 0), s("Sw", A3, A1, 0), i("Addi", S0, S0, 4), b("Bne", S0, A2, -12)]);
    p.push(back(p.len() as u32));
    // pairs
    p.extend([lw(A2, 4), i("Addi", S0, S0, 8), encode("Add", A2, A2, S0, 0)]);
    p.extend([lw(A1, 0), lw(A3, 4), s("Sw", A3, A1, 0), i("Addi", S0, S0, 8), b("Bne", S0, A2, -16)]);
    p.push(back(p.len() as u32));
    // copy
    p.extend([lw(A1, 4), lw(A4, 8), lw(A2, 12), i("Addi", S0, S0, 16), encode("Add", A2, A2, A4, 0)]);
    p.extend([i("Lw", A3, A1, 0), s("Sw", A3, A4, 0), i("Addi", A1, A1, 4), i("Addi", A4, A4, 4)]);
    p.push(b("Bne", A4, A2, -16));
    p.push(back(p.len() as u32));
    // wait
    p.extend([lw(A1, 4), lw(A2, 8), i("Addi", S0, S0, 12), i("Lw", A3, A1, 0), b("Bne", A3, A2, -4)]);
    p.push(back(p.len() as u32));
    p.extend(finish());
    p
}

/// Sets the done word and stays.
pub fn finish() -> Vec<u32> {
    let [high, low] = li(A2, DONE);
    vec![high, low, i("Addi", A3, 0, 1), s("Sw", A3, A2, 0), jal(0, 0)]
}

/// Where a case runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// NoC 0 coordinate that both simulators know the tile by.
    pub tile: NocXy,
    /// The same of the second tile.
    pub partner: NocXy,
    /// DRAM tile and the first byte of the case's piece.
    pub dram: (NocXy, u64),
    /// Columns and rows of the NoC.
    pub grid: NocXy,
}

impl Place {
    /// Tile and address of an address at a remote end.
    pub fn resolve(&self, remote: Remote, addr: u32) -> (NocXy, u64) {
        match remote {
            Remote::Own => (self.tile, addr.into()),
            Remote::Partner => (self.partner, addr.into()),
            Remote::Dram => (self.dram.0, self.dram.1 + u64::from(addr)),
        }
    }
}

/// Why a case cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The list is too long.
    #[error("the list has {0:#x} bytes, and there is room for {LIST_BYTES:#x}")]
    List(usize),
}

/// A case as bytes.
#[derive(Clone, Debug)]
pub struct Image {
    /// What L1 of the tile holds before, by address.
    pub memory: Vec<(u32, Vec<u8>)>,
    /// Soft reset register that lets the core run.
    pub reset: u32,
}

impl Image {
    /// The image of a case in a place.
    ///
    /// # Errors
    /// The case is too long.
    pub fn new(case: &Case, place: &Place) -> Result<Self, ImageError> {
        let mut memory: Vec<_> = case.fills.iter().map(|fill| (fill.addr, fill.bytes())).collect();
        let code: Vec<u32> = case.actions().filter_map(as_code).collect();
        if code.is_empty() {
            memory.push((case.core.default_reset_pc(), bytes(&program())));
            let list = list(case, place);
            if list.len() > LIST_BYTES as usize {
                return Err(ImageError::List(list.len()));
            }
            memory.push((LIST, list));
        } else {
            memory.push((case.core.default_reset_pc(), bytes(&code)));
        }
        Ok(Self { memory, reset: SOFT_RESET_ALL & !case.core.soft_reset_bit() })
    }
}

fn as_code(action: &Action) -> Option<u32> {
    match action {
        Action::Code(word) => Some(*word),
        _ => None,
    }
}

/// Words as bytes of memory.
pub fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Collects neighbours of one kind into one entry.
struct List {
    words: Vec<u32>,
    base: u32,
    /// Kind of the last entry, and where its number of bytes is.
    open: Option<(u32, usize)>,
}

impl List {
    fn grow(&mut self, handler: u32, head: &[u32], words: &[u32]) {
        if self.open.is_none_or(|(kind, _)| kind != handler) {
            self.words.push(self.base + handler);
            self.words.extend(head);
            self.open = Some((handler, self.words.len()));
            self.words.push(0);
        }
        if let Some((_, at)) = self.open {
            self.words[at] += 4 * words.len() as u32;
        }
        self.words.extend(words);
    }

    fn entry(&mut self, handler: u32, words: &[u32]) {
        self.open = None;
        self.words.push(self.base + handler);
        self.words.extend(words);
    }
}

fn list(case: &Case, place: &Place) -> Vec<u8> {
    let mut list = List { words: Vec::new(), base: case.core.default_reset_pc(), open: None };
    for action in case.actions() {
        match *action {
            Action::Push(word) => list.grow(handler::PUSH, &[INSTRN_BUF_BASE], &[word]),
            Action::Write(addr, value) => list.grow(handler::PAIRS, &[], &[addr, value]),
            Action::Copy { from, to, words } => list.entry(handler::COPY, &[from, to, 4 * words]),
            Action::Wait(addr, value) => list.entry(handler::WAIT, &[addr, value]),
            Action::Sync => list.entry(handler::COPY, &[PC_BUF_BASE + PC_BUF_TENSIX_SYNC, NOWHERE, 4]),
            Action::Request(request) => {
                let at = |register| {
                    NIU_BASE
                        + NIU_STRIDE * request.noc
                        + WORMHOLE.noc.cmd_buf_stride * request.buffer
                        + register
                };
                for (register, value) in registers(&request, place) {
                    list.grow(handler::PAIRS, &[], &[at(register), value]);
                }
                list.entry(handler::WAIT, &[at(REG.cmd_ctrl), 0]);
            }
            Action::Code(_) => {}
        }
    }
    list.entry(handler::END, &[]);
    bytes(&list.words)
}

/// What a request's registers get, in order.
fn registers(request: &Request, place: &Place) -> [(u32, u32); 9] {
    let mid = |tile: NocXy, addr: u64| {
        let tile = if request.noc == 0 { tile } else { tile.mirrored(place.grid) };
        WORMHOLE.noc.node(tile) | (addr >> 32) as u32
    };
    let (tile, addr) = place.resolve(request.remote, request.there);
    let there = if !request.ctrl.contains(Ctrl::BRCST_PACKET) {
        (addr as u32, mid(tile, addr))
    } else {
        // The pair; each NoC counts from its own corner.
        let pair = match request.noc {
            0 => WORMHOLE.noc.node_rect(place.tile, place.partner),
            _ => WORMHOLE.noc.node_rect(place.partner.mirrored(place.grid), place.tile.mirrored(place.grid)),
        };
        (addr as u32, pair)
    };
    let here = (request.here, mid(place.tile, 0));
    let writes = request.ctrl & (Ctrl::WR | Ctrl::WR_INLINE | Ctrl::AT) == Ctrl::WR;
    let (target, ret) = if writes { (here, there) } else { (there, here) };
    [
        (REG.targ_lo, target.0),
        (REG.targ_node, target.1),
        (REG.ret_lo, ret.0),
        (REG.ret_node, ret.1),
        (REG.packet_tag, request.id << 10),
        (REG.ctrl, request.ctrl.bits()),
        (REG.at_len_be, request.len),
        (REG.at_data, request.data),
        (REG.cmd_ctrl, 1),
    ]
}

/// Cores that a case may run on.
pub const T_CORES: [RiscV; 3] = [RiscV::Trisc0, RiscV::Trisc1, RiscV::Trisc2];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handlers_are_where_the_list_says() {
        let program = program();
        let at = |handler: u32| program[handler as usize / 4];
        assert_eq!(at(handler::PUSH), i("Lw", A1, S0, 4));
        assert_eq!(at(handler::PAIRS), i("Lw", A2, S0, 4));
        assert_eq!(at(handler::COPY + 4), i("Lw", A4, S0, 8));
        assert_eq!(at(handler::WAIT + 12), i("Lw", A3, A1, 0));
        assert_eq!(at(handler::END), finish()[0]);
        for end in [handler::PAIRS, handler::COPY, handler::WAIT, handler::END] {
            assert_eq!(at(end - 4), jal(0, 12 - end as i32), "goes back to the second word of the loop");
        }
    }
}
