//! Race reports as faults: what was accessed, the two accesses, what would have created order, the seed.

use std::fmt;

use tt_isa::insn::{Disassembly, info};
use tt_isa::map::RiscV;
use tt_isa::noc::NocXy;

use super::clock::{Component, Origin, Response};
use super::shadow::{Access, Poison};
use crate::fault::Fault;
use crate::model::access::ConfigWord;
use crate::model::noc::{Action, Request};

/// An instruction with those of its operands that are not zero.
struct Instruction(u32);

impl fmt::Display for Instruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(row) = info(self.0) else { return Disassembly(self.0).fmt(f) };
        f.write_str(row.name)?;
        let set = row.fields.iter().filter(|field| field.get(self.0) != 0);
        set.into_iter().try_for_each(|field| write!(f, " {}={:#x}", field.name, field.get(self.0)))
    }
}

/// What two accesses met at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// A byte address.
    L1(u32),
    /// A configuration word.
    Config(ConfigWord),
    /// Thread and GPR.
    Gpr(usize, usize),
    /// A 16-bit row.
    Dst(usize),
    /// SrcA (0) or SrcB (1), and the bank.
    Src(usize, usize),
}

impl Place {
    /// What kind of place it is.
    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::L1(_) => "L1",
            Self::Config(_) => "configuration",
            Self::Gpr(..) => "GPRs",
            Self::Dst(_) => "Dst",
            Self::Src(..) => "SrcA and SrcB",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Place::L1(addr) => write!(f, "L1 {addr:#010x}"),
            Place::Config(ConfigWord::Config(bank, index)) => {
                write!(f, "Config[{bank}][{index}]")?;
                name(f, tt_isa::chip::wormhole::config::FIELDS, index)
            }
            Place::Config(ConfigWord::Thread(thread, index)) => {
                write!(f, "ThreadConfig[{thread}][{index}]")?;
                name(f, tt_isa::chip::wormhole::thread::FIELDS, index)
            }
            Place::Gpr(thread, gpr) => write!(f, "GPR {gpr} of Tensix thread {thread}"),
            Place::Dst(row) => write!(f, "Dst row {row} (of the 16-bit rows)"),
            Place::Src(which, bank) => write!(f, "{} bank {bank}", ["SrcA", "SrcB"][which]),
        }
    }
}

/// The first field of a configuration word.
fn name(f: &mut fmt::Formatter<'_>, fields: &[tt_isa::cfg::CfgField], index: u16) -> fmt::Result {
    match fields.iter().find(|field| field.index == u32::from(index)) {
        Some(field) => write!(f, " ({})", field.name),
        None => Ok(()),
    }
}

/// A NoC request as it is named in reports.
#[derive(Clone, Debug)]
pub struct RequestInfo {
    /// The request.
    pub request: Request,
    /// Core that made it; `None` for the coprocessor.
    pub core: Option<RiscV>,
    /// Its pc.
    pub pc: u32,
    /// What its response was counted as, once the last one was.
    pub done: Option<Done>,
    /// Packets whose data has not left, or whose responses have not come, by [`Response`].
    left: [u32; 4],
    /// A read that brings something from DRAM.
    pub from_dram: bool,
    /// Words of a read's data that were used, a bit each; empty if none.
    pub used: Vec<u64>,
    /// Bytes of a read's data without a definite value: offset, how many, and why.
    pub poisoned: Vec<(u32, u32, Poison)>,
}

/// A request whose responses have all been counted.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    /// What cores of its tile wait for.
    pub component: Component,
    /// See `component`.
    pub n: u32,
    /// The how manieth of its tile.
    pub of_tile: u32,
}

impl RequestInfo {
    /// A request that was just made.
    pub fn new(request: Request, core: Option<RiscV>, pc: u32) -> Self {
        let left = [request.packet_count(); 4];
        Self { request, core, pc, done: None, left, from_dram: false, used: Vec::new(), poisoned: Vec::new() }
    }

    /// A packet has got this far; whether it was the last one of the request.
    pub fn packet_done(&mut self, response: Response) -> bool {
        self.left[response as usize] -= 1;
        self.left[response as usize] == 0
    }

    /// Bytes of L1 that the read brought were used.
    pub fn note_use(&mut self, addr: u32) {
        let word = (addr / 4).wrapping_sub(self.request.own_addr as u32 / 4) as usize;
        self.used.resize(self.used.len().max(word / 64 + 1), 0);
        self.used[word / 64] |= 1 << (word % 64);
    }

    /// Whether any of the words were used that hold bytes `offset..offset + len` of the data.
    pub fn uses(&self, offset: u32, len: u32) -> bool {
        let base = self.request.own_addr as u32 % 4;
        let words = (base + offset) / 4..(base + offset + len).div_ceil(4);
        words
            .into_iter()
            .any(|word| self.used.get(word as usize / 64).is_some_and(|bits| bits >> (word % 64) & 1 == 1))
    }
}

impl fmt::Display for RequestInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Request { noc, len, .. } = self.request;
        let what = match self.request.action {
            Action::Read => "read",
            Action::Write | Action::WriteMasked { .. } => "write",
            Action::WriteInline { .. } => "inline write",
            Action::Atomic(_) => "atomic",
        };
        write!(f, "the NoC {noc} {what} of {len} bytes that ")?;
        match self.core {
            Some(core) => write!(f, "{} at pc {:#010x} started", core.name(), self.pc),
            None => write!(f, "the coprocessor started"),
        }
    }
}

/// The source of an access.
pub struct Who<'a> {
    /// The access.
    pub access: &'a Access,
    /// The tile's requests, by number.
    pub requests: &'a [RequestInfo],
}

impl fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.access.what;
        match self.access.component.origin() {
            Origin::Stores(core) | Origin::Config(core) | Origin::Loads(core) => {
                write!(f, "{} at pc {what:#010x}", RiscV::ALL[core].name())
            }
            Origin::Thread(thread) | Origin::WrCfg(thread) | Origin::Mop(thread) => {
                write!(f, "{} of Tensix thread {thread}", Instruction(what))
            }
            Origin::Pipe(pipe, thread) => {
                write!(f, "{} of Tensix thread {thread} in {}", Instruction(what), pipe.name())
            }
            Origin::Noc(_) | Origin::UnderWay => match self.requests.get(what as usize) {
                Some(info) => info.fmt(f),
                None => write!(f, "a NoC request"),
            },
            Origin::Arrival => {
                write!(f, "a NoC request from tile {}", NocXy::new(what as u8, (what >> 8) as u8))
            }
        }
    }
}

/// What has to happen before others may rely on an access, and the page that says so.
fn remedy(first: &Access, place: Place) -> (&'static str, &'static str) {
    const ORDERING: &str = "TensixTile/BabyRISCV/MemoryOrdering.md";
    const STALLWAIT: &str = "TensixTile/TensixCoprocessor/STALLWAIT.md";
    match (first.component.origin(), place) {
        (Origin::Pipe(..), _) => (
            "the unit may still be at work: STALLWAIT for it before the semaphore or flag that others wait for, \
             or TTSync",
            STALLWAIT,
        ),
        (Origin::Config(_), _) => (
            "the store may arrive late, or while earlier instructions are still to execute: read it back and use \
             the value, STALLWAIT until C13, or TTSync before the store",
            "TensixTile/TensixCoprocessor/BackendConfiguration.md",
        ),
        (Origin::Stores(_), _) => (
            "the store may still be on its way: hand over by a flag in L1 that the other polls, or load the word \
             back and use it before handing over by other means",
            ORDERING,
        ),
        (Origin::Loads(_), _) => {
            ("the reader has to say that it is done, and the writer to wait for that", ORDERING)
        }
        (Origin::WrCfg(_), _) => (
            "WRCFG takes effect one instruction late: put a NOP in between",
            "TensixTile/TensixCoprocessor/WRCFG.md",
        ),
        (Origin::Thread(_) | Origin::Mop(_), Place::Gpr(..)) => {
            ("the instruction may not have executed yet: TTSync first", "TensixTile/BabyRISCV/TTSync.md")
        }
        (Origin::Thread(_) | Origin::Mop(_), _) => (
            "nothing says that the instruction has executed: wait for a semaphore that its thread posts, or TTSync",
            "TensixTile/BabyRISCV/TTSync.md",
        ),
        (Origin::Noc(_) | Origin::UnderWay, _) => (
            "the request may still be under way: wait until the NIU has counted the response",
            "NoC/Counters.md",
        ),
        (Origin::Arrival, _) => {
            ("wait for a flag that the sender writes after its data has arrived", "NoC/Ordering.md")
        }
    }
}

/// The fault for two accesses that nothing orders.
pub fn race(place: Place, first: &Access, second: &Access, requests: &[RequestInfo], seed: u64) -> Fault {
    let verb = |access: &Access| if access.write { "writes" } else { "reads" };
    let who = |access| Who { access, requests };
    let (hint, page) = remedy(first, place);
    let what = format!(
        "data race on {place}: {} {} it, {} {} it, and nothing orders the two; {hint} (seed {seed})",
        who(first),
        verb(first),
        who(second),
        verb(second),
    );
    Fault::program(what).page(page)
}

/// The fault for a read of what nothing wrote.
pub fn uninitialised(place: Place, access: &Access, requests: &[RequestInfo], seed: u64) -> Fault {
    let reader = Who { access, requests };
    let page = match place {
        Place::L1(_) => "TensixTile/L1.md",
        Place::Dst(_) => "TensixTile/TensixCoprocessor/Dst.md",
        Place::Src(..) => "TensixTile/TensixCoprocessor/SrcASrcB.md",
        Place::Config(_) | Place::Gpr(..) => "TensixTile/TensixCoprocessor/BackendConfiguration.md",
    };
    let what = format!("{reader} reads {place}, which nothing has written since power-on (seed {seed})");
    Fault::program(what).page(page)
}

/// The fault for a use of what a NoC read brought from DRAM without a definite value.
pub fn poisoned(addr: u32, access: &Access, why: &Poison, requests: &[RequestInfo], seed: u64) -> Fault {
    let reader = Who { access, requests };
    match why {
        Poison::Written(by) => Fault::program(format!(
            "data race in DRAM: {reader} uses L1 {addr:#010x}, which a NoC read brought from DRAM where {by} writes, and \
             nothing orders the two; whoever comes second has to hear of the first one, which has to wait until its \
             NIU has counted the response before it tells (seed {seed})"
        ))
        .page("NoC/Ordering.md"),
        Poison::Unwritten(dram, tile) => Fault::program(format!(
            "{reader} uses L1 {addr:#010x}, which a NoC read brought from {dram:#x} of the DRAM tile {tile}, where \
             nothing has written since power-on (seed {seed})"
        ))
        .page("DRAMTile/README.md"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tensix::pipe::Pipe;

    #[test]
    fn both_accesses_are_named() {
        let word = tt_isa::insn::PACR { pack_sel: 1, last: 1, ..tt_isa::insn::PACR::ZERO }.word();
        let first =
            Access { component: Component::pipe(Pipe::Packers, 2), n: 1, write: true, mask: 0xF, what: word };
        let second = Access { component: Component::loads(4), n: 1, write: false, mask: 0xF, what: 0x1234 };
        let text = race(Place::L1(0x2_0000), &first, &second, &[], 7).to_string();
        for part in
            ["L1 0x00020000", "PACR", "thread 2 in the packers writes", "NCRISC at pc 0x00001234 reads"]
        {
            assert!(text.contains(part), "{text}");
        }
        assert!(text.contains("(seed 7)") && text.contains("STALLWAIT.md"), "{text}");
    }

    #[test]
    fn configuration_words_have_names() {
        let index = tt_isa::chip::wormhole::config::THCON_SEC0_REG3_Base_address.index as u16;
        let text = Place::Config(ConfigWord::Config(0, index)).to_string();
        assert!(text.contains("THCON_SEC0_REG3_Base_address"), "{text}");
    }
}
