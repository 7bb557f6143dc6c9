//! Requests over the NoC, as a program on BRISC makes them: one after the other from a list in L1, each with a limit to how long it is waited for.

use tt_isa::chip::Chip;
use tt_isa::map::{NIU_BASE, NIU_STRIDE, RiscV};
use tt_isa::noc::{Ctrl, NocXy, reg as niu};
use tt_isa::rv32::{i, r, s};

use crate::program::{Program, reg};

/// Looks at a counter before a response is given up.
const LOOKS: u32 = 20_000;

/// Words of a request in the list, and what it is said of it.
pub const WORDS: usize = 12;
/// The words with the low halves of the addresses that data comes from and goes to.
pub const FROM: usize = 2;
/// See [`FROM`].
pub const TO: usize = 4;
/// The word that says what became of it.
pub const STATUS: usize = 11;

/// What became of a request.
pub mod status {
    /// The response has come.
    pub const ANSWERED: u32 = 1;
    /// It has not.
    pub const NO_ANSWER: u32 = 2;
    /// The NIU did not take the request.
    pub const NOT_TAKEN: u32 = 3;
}

/// A place that a request reads from or writes to.
#[derive(Clone, Copy, Debug)]
pub struct At {
    /// NoC 0 position of the tile.
    pub tile: NocXy,
    /// Address there.
    pub addr: u64,
}

/// A request of a tile.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// The NoC that it goes over.
    pub noc: u8,
    /// Whether it writes.
    pub write: bool,
    /// Where the data is.
    pub from: At,
    /// Where it goes.
    pub to: At,
    /// Bytes, at most a packet.
    pub len: u32,
}

impl Request {
    /// The words of the list. Addresses of more than 32 bits go into the register with the tile, where a chip has it so.
    pub fn words(&self, chip: &Chip) -> [u32; WORDS] {
        let on = |at: NocXy| if self.noc == 0 { at } else { at.mirrored(chip.grid) };
        let node = |at: At| match at.addr >> 32 {
            0 => chip.noc.node(on(at.tile)),
            _ => chip.noc.node_at(on(at.tile), at.addr).unwrap_or_else(|| chip.noc.node(on(at.tile))),
        };
        let ctrl = Ctrl::RESP_MARKED | Ctrl::VC_STATIC | if self.write { Ctrl::WR } else { Ctrl::empty() };
        let counter = if self.write { niu::MST_WR_ACK_RECEIVED } else { niu::MST_RD_RESP_RECEIVED };
        let base = NIU_BASE + u32::from(self.noc) * NIU_STRIDE;
        [
            base,
            base + counter,
            self.from.addr as u32,
            node(self.from),
            self.to.addr as u32,
            node(self.to),
            ctrl.bits(),
            self.len,
            0,
            0,
            0,
            0,
        ]
    }
}

const NIU: u32 = reg::OWN;
const COUNTER: u32 = reg::OWN + 1;
/// Where the words of the request are.
pub const ENTRY: u32 = reg::OWN + 2;
const LAST: u32 = reg::OWN + 3;
const BEFORE: u32 = reg::OWN + 4;
const LEFT: u32 = reg::OWN + 5;
/// What has become of it: [`status`].
pub const STATE: u32 = reg::OWN + 6;
/// The first register that requests do not use.
pub const OWN: u32 = reg::OWN + 7;

/// A program that makes the requests of a list of `count` at `list`.
pub fn program(chip: &Chip, list: u32, count: usize) -> Vec<u32> {
    let mut program = Program::of(RiscV::Brisc);
    program.set(ENTRY, list);
    program.set(LAST, list + (4 * WORDS * count) as u32);
    let next = program.here();
    request(&mut program, chip);
    program.add([s("Sw", STATE, ENTRY, 4 * STATUS as i32), i("Addi", ENTRY, ENTRY, 4 * WORDS as i32)]);
    program.back("Bne", ENTRY, LAST, next);
    program.end()
}

/// Makes a routine of [`request`]; where it is.
pub fn routine(program: &mut Program, chip: &Chip) -> usize {
    let over = program.skip();
    let start = program.here();
    request(program, chip);
    program.give_back();
    program.land([over]);
    start
}

/// Makes the request that register `ENTRY` points to; register `STATE` says what became of it.
fn request(program: &mut Program, chip: &Chip) {
    let registers = chip.noc.registers;
    program.add([i("Lw", NIU, ENTRY, 0), i("Lw", COUNTER, ENTRY, 4)]);
    program.add([i("Addi", STATE, 0, status::NOT_TAKEN as i32)]);
    // Until the NIU has taken what came before.
    program.set(LEFT, LOOKS);
    let look = program.here();
    program.add([i("Lw", reg::T1, NIU, registers.cmd_ctrl as i32)]);
    let taken = program.forward("Beq", reg::T1, 0);
    program.add([i("Addi", LEFT, LEFT, -1)]);
    program.back("Bne", LEFT, 0, look);
    let given_up = program.skip();
    program.land([taken]);
    let words = [
        (registers.targ_lo, 2),
        (registers.targ_node, 3),
        (registers.ret_lo, 4),
        (registers.ret_node, 5),
        (registers.ctrl, 6),
        (registers.at_len_be, 7),
    ];
    if registers.targ_mid != registers.targ_node {
        program.add([s("Sw", 0, NIU, registers.targ_mid as i32), s("Sw", 0, NIU, registers.ret_mid as i32)]);
    }
    for (register, word) in words {
        program.add([i("Lw", reg::T1, ENTRY, 4 * word), s("Sw", reg::T1, NIU, register as i32)]);
    }
    program.add([s("Sw", 0, NIU, registers.packet_tag as i32), i("Lw", BEFORE, COUNTER, 0)]);
    // The counter has been read before the request goes out.
    program.add([r("And", BEFORE, BEFORE, BEFORE), i("Addi", reg::T1, 0, 1)]);
    program.add([s("Sw", reg::T1, NIU, registers.cmd_ctrl as i32)]);
    program.add([i("Addi", STATE, 0, status::ANSWERED as i32)]);
    program.set(LEFT, LOOKS);
    let look = program.here();
    program.add([i("Lw", reg::T1, COUNTER, 0)]);
    let answered = program.forward("Bne", reg::T1, BEFORE);
    program.add([i("Addi", LEFT, LEFT, -1)]);
    program.back("Bne", LEFT, 0, look);
    program.add([i("Addi", STATE, 0, status::NO_ANSWER as i32)]);
    program.land([given_up, answered]);
}
