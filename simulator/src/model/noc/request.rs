//! A request, as it travels over the NoC (`NoC/MemoryMap.md`).

use tt_isa::chip::CHIPS;
use tt_isa::map::RiscV;
use tt_isa::noc::{Ctrl, NiuMap, NocXy, TRANSACTION_IDS, tag};

use super::atomic::Atomic;
use super::{COORDINATES, MEMORY_MAP, OVERLAY};
use crate::fault::Fault;

/// Registers of an initiator, by offset: those in front of the one that starts a request, on any chip.
pub type Registers = [u32; INITIATOR_WORDS];
const INITIATOR_WORDS: usize = {
    let (mut most, mut i) = (0, 0);
    while i < CHIPS.len() {
        let words = CHIPS[i].noc.registers.cmd_ctrl as usize / 4;
        if words > most {
            most = words;
        }
        i += 1;
    }
    most
};
/// Bytes of the block that an inline write reaches.
pub const INLINE_BLOCK: usize = 16;
/// Bytes of the block that a write with byte enables reaches.
pub const MASKED_BLOCK: usize = 32;
/// Requests that the NIU splits start where L1 starts a line.
const SPLIT_ALIGN: u64 = 16;
const RESERVED_CLASS: u32 = 3;
const BROADCAST_CLASS: u32 = 2;

/// What a request does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Remote to own address.
    Read,
    /// Own to remote address.
    Write,
    /// Those of 32 bytes whose bits are set, own to remote address.
    WriteMasked {
        /// A bit a byte.
        mask: u32,
    },
    /// Bytes of a word, again and again, to those of 16 bytes whose bits are set.
    WriteInline {
        /// The word.
        data: u32,
        /// A bit a byte.
        mask: u32,
    },
    /// An operation at the remote address; the word that was there comes back to the own address.
    Atomic(Atomic),
}

/// Where a request goes, as its NoC numbers tiles.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Remote {
    /// One tile.
    Tile(NocXy),
    /// The Tensix tiles of a rectangle, first and last in the direction of the NoC's data flow.
    Rect(NocXy, NocXy),
}

/// What the NIUs of a chip make of requests: sizes as powers of two, and the rule of alignment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Longest packet.
    packet_log2: u8,
    /// Bytes of a flit.
    flit_log2: u8,
    /// Modulo how many bytes the ends of a read from DRAM or the host agree.
    pub read_congruence: u8,
    /// The same of reads from L1 and of writes.
    pub congruence: u8,
}

impl Limits {
    /// Those of a chip, all of whose sizes are powers of two (`tt-isa/tests/chips.rs`).
    pub const fn of(noc: &NiuMap) -> Self {
        Self {
            packet_log2: noc.max_packet.trailing_zeros() as u8,
            flit_log2: noc.link_width.trailing_zeros() as u8,
            read_congruence: noc.read_congruence as u8,
            congruence: noc.congruence as u8,
        }
    }

    /// Bytes of the longest packet.
    pub const fn max_packet(self) -> u32 {
        1 << self.packet_log2
    }
}

/// A request on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request {
    /// Limits of the NIU that makes it.
    pub limits: Limits,
    /// NoC 0 or 1.
    pub noc: u8,
    /// What it does.
    pub action: Action,
    /// Where it goes.
    pub remote: Remote,
    /// Address there.
    pub addr: u64,
    /// Address in the initiator's tile: where data comes from or goes to.
    pub own_addr: u64,
    /// Bytes that it moves; more than [`Limits::max_packet`] travel as several packets.
    pub len: u32,
    /// A response is wanted and counted.
    pub respond: bool,
    /// A rectangle includes the sender.
    pub include_self: bool,
    /// Transaction id.
    pub tag: u32,
    /// It does not overtake earlier ones of this kind to the same place: a static or linked virtual channel.
    pub in_order: bool,
    /// A broadcast reserves its way before it leaves.
    pub reserves: bool,
    /// A posted write's first 16 bytes go here as well.
    pub header_store: Option<u64>,
    /// The core that made it, for faults; `None` if the host or the coprocessor did.
    pub core: Option<RiscV>,
}

impl Request {
    /// What the registers of an initiator say, whose coordinates are already translated; the tile of `own` has it.
    ///
    /// # Errors
    /// The request is malformed, or uses what the simulator does not have.
    pub fn decode(map: &NiuMap, noc: u8, own: NocXy, set: &Registers) -> Result<Self, Fault> {
        let registers = &map.registers;
        let at = |register: u32| set[register as usize / 4];
        let c = Ctrl::from_bits_retain(at(registers.ctrl));
        let (len_be, at_data) = (at(registers.at_len_be), at(registers.at_data));
        let action = action(c, len_be, at_data)?;
        let remote_is_ret = matches!(action, Action::Write | Action::WriteMasked { .. });
        // High bits of an address stand below the node, or in a register of their own.
        let high = |register: u32, node: u32| match register == node {
            true => at(register) & ((1 << map.node_shift) - 1),
            false => at(register),
        };
        let end =
            |lo: u32, mid: u32, node: u32| (u64::from(high(mid, node)) << 32 | u64::from(at(lo)), at(node));
        let target = end(registers.targ_lo, registers.targ_mid, registers.targ_node);
        let ret = end(registers.ret_lo, registers.ret_mid, registers.ret_node);
        let [remote, own_end] = if remote_is_ret { [ret, target] } else { [target, ret] };
        let packet_tag = at(registers.packet_tag);
        let request = Self {
            limits: Limits::of(map),
            noc,
            action,
            remote: destination(map, noc, c, remote.1)?,
            addr: remote.0,
            own_addr: own_end.0,
            len: length(action, len_be),
            respond: action == Action::Read || c.contains(Ctrl::RESP_MARKED),
            include_self: c.contains(Ctrl::BRCST_SRC_INCLUDE),
            tag: packet_tag >> tag::TRANSACTION_ID_SHIFT & (TRANSACTION_IDS - 1),
            in_order: c.intersects(Ctrl::VC_STATIC | Ctrl::VC_LINKED),
            reserves: c.contains(Ctrl::BRCST_PACKET | Ctrl::PATH_RESERVE),
            header_store: (packet_tag & tag::HEADER_STORE != 0
                && c & (Ctrl::WR | Ctrl::RESP_MARKED) == Ctrl::WR)
                .then(|| u64::from(at_data) << 4),
            core: None,
        };
        if c.contains(Ctrl::WR) && packet_tag & tag::DELIVER_TO_OVERLAY != 0 {
            let what = format!("a NoC write delivered to overlay stream {}", packet_tag & 63);
            return Err(Fault::not_implemented(what).page(OVERLAY));
        }
        if matches!(action, Action::WriteMasked { .. }) && map.link_width as usize != MASKED_BLOCK {
            let what = format!("a NoC write with byte enables where a flit has {} bytes", map.link_width);
            return Err(Fault::not_implemented(what).page(MEMORY_MAP));
        }
        request.check(c, own, map.tile(own_end.1))?;
        Ok(request)
    }

    fn check(&self, c: Ctrl, own: NocXy, own_end: NocXy) -> Result<(), Fault> {
        let program = |what: String| Err(Fault::program(what).page(MEMORY_MAP));
        if c.intersects(Ctrl::RESERVED) {
            return program(format!("CTRL = {:#x} has reserved bits", c.bits()));
        }
        let uses_own = match self.action {
            Action::Read | Action::Write | Action::WriteMasked { .. } => true,
            Action::Atomic(_) => self.respond,
            Action::WriteInline { .. } => false,
        };
        if uses_own && own_end != own {
            let what = format!("the tile {own} makes a request whose own end is the tile {own_end}");
            return program(what);
        }
        let multicast = matches!(self.remote, Remote::Rect(..));
        if multicast && self.action == Action::Read {
            return program("a read from a rectangle of tiles".into());
        }
        let class = c.static_vc_class();
        if c.contains(Ctrl::VC_STATIC) && (class == BROADCAST_CLASS) != multicast || class == RESERVED_CLASS {
            return program(format!("static virtual channel of class {class} for {:?}", self.remote));
        }
        if self.len == 0 {
            return program("NoC request of 0 bytes".into());
        }
        let split = self.len > self.limits.max_packet();
        if split && !(self.addr | self.own_addr).is_multiple_of(SPLIT_ALIGN) {
            let what = format!(
                "NoC request of {} bytes, which the NIU splits, at {:#x} and {:#x}: not aligned to 16",
                self.len, self.addr, self.own_addr
            );
            return Err(Fault::program(what).page("NoC/Counters.md"));
        }
        Ok(())
    }

    /// Number of packets that it travels in.
    pub fn packet_count(&self) -> u32 {
        ceil_shift(self.len, self.limits.packet_log2)
    }

    /// The `n`-th packet.
    pub fn packet(&self, n: u32) -> Self {
        let most = self.limits.max_packet();
        let offset = u64::from(n) * u64::from(most);
        Self {
            addr: self.addr + offset,
            own_addr: self.own_addr + offset,
            len: (self.len - n * most).min(most),
            ..*self
        }
    }

    /// Data flits of one packet.
    pub fn flits(&self) -> u32 {
        ceil_shift(self.len, self.limits.flit_log2)
    }

    /// Whether it writes.
    pub fn is_write(&self) -> bool {
        matches!(self.action, Action::Write | Action::WriteMasked { .. } | Action::WriteInline { .. })
    }
}

/// `len` in units of `1 << log2`, rounded up.
fn ceil_shift(len: u32, log2: u8) -> u32 {
    (len >> log2) + u32::from(len & ((1 << log2) - 1) != 0)
}

fn action(c: Ctrl, len_be: u32, data: u32) -> Result<Action, Fault> {
    Ok(match c & (Ctrl::AT | Ctrl::WR) {
        kind if kind.is_empty() => Action::Read,
        Ctrl::AT => Action::Atomic(Atomic::decode(len_be, data)?),
        Ctrl::WR if c.contains(Ctrl::WR_INLINE) => {
            Action::WriteInline { data, mask: (len_be | len_be >> 16) & 0xFFFF }
        }
        Ctrl::WR if c.contains(Ctrl::WR_BE) => Action::WriteMasked { mask: len_be },
        Ctrl::WR => Action::Write,
        _ => {
            return Err(
                Fault::program(format!("CTRL = {:#x}: reserved request type", c.bits())).page(MEMORY_MAP)
            );
        }
    })
}

fn length(action: Action, len_be: u32) -> u32 {
    match action {
        Action::Read | Action::Write => len_be,
        Action::WriteMasked { .. } => MASKED_BLOCK as u32,
        Action::WriteInline { .. } | Action::Atomic(_) => 4,
    }
}

fn destination(map: &NiuMap, noc: u8, c: Ctrl, node: u32) -> Result<Remote, Fault> {
    if !c.contains(Ctrl::BRCST_PACKET) {
        return Ok(Remote::Tile(map.tile(node)));
    }
    let (first, last) = map.tile_rect(node);
    check_corners(noc, first, last)?;
    Ok(Remote::Rect(first, last))
}

/// A rectangle whose first tile is after its last would wrap around the edges of the NoC, over nearly the whole
/// chip: that is taken for the mistake of not swapping corners on NoC 1.
pub fn check_corners(noc: u8, first: NocXy, last: NocXy) -> Result<(), Fault> {
    if first.x <= last.x && first.y <= last.y {
        return Ok(());
    }
    let what = format!(
        "multicast from {first} to {last} (as NoC {noc} counts) reaches round the edge of the chip: corners are \
         given in the direction of data flow, so NoC 1 wants them swapped"
    );
    Err(Fault::program(what).page(COORDINATES))
}
