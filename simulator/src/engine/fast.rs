//! The fast policy: every operation completes at once, and each core runs many instructions in a row.
//!
//! Cores take turns of 1024 instructions. The coprocessor runs when a turn ends or a core waits for it. NoC requests wait
//! in the outbox until the quantum ends, except for reads of DRAM. These are most of the NoC's traffic, no other tile can
//! observe them, and DRAM does not change while tiles run. So when all cores of a tile wait, the tile does its own reads
//! at once, on its own host thread, while its L1 is still in the host's cache. Their one visible effect elsewhere, the
//! counters of the DRAM tiles' NIUs, is added up when all tiles have run ([`Reads`]). A read that was made after a request
//! of another kind waits with it.

use tt_isa::insn::Opcode;
use tt_isa::map::RiscV;

use super::{Policy, cores, pipeline};
use crate::fault::Fault;
use crate::model::dram::Dram;
use crate::model::grid::{Grid, Node};
use crate::model::noc::alignment::check_alignment;
use crate::model::noc::{Action, Remote, Request};
use crate::model::tensix::Tensix;
use crate::model::tensix::pipe::Pipe;
use crate::model::tile::{HARTS, Tile};
use crate::observe::{Issued, Observer};

/// Instructions of a core before its siblings' turn.
const SLICE: u32 = 1024;

/// The policy, and what it remembers.
#[derive(Default)]
pub struct Fast {
    pub(super) reads: Reads,
}

impl Policy for Fast {
    const ON_DEMAND: bool = true;
    const KEEPS: bool = false;

    #[inline(always)]
    fn admits(&mut self, _: &Tensix, _: usize, _: Opcode, _: u32, _: Option<Pipe>) -> bool {
        true
    }

    #[inline(always)]
    fn keep(&mut self, _: &mut Tensix, _: &Issued) -> bool {
        false
    }
}

impl Fast {
    /// Runs a tile for at most `budget` instructions a core.
    ///
    /// # Errors
    /// The first fault.
    pub fn run<O: Observer>(
        &mut self,
        tile: &mut Tile,
        observer: &mut O,
        budget: u32,
        memory: Memory,
    ) -> Result<(), Fault> {
        let begin = tile.clock();
        observer.quantum(begin, budget, tile.take_released());
        for core in RiscV::ALL {
            observer.core_state(begin, core, tile.activity(core).into());
        }
        let executed = RiscV::ALL.map(|core| tile.hart(core).executed);
        let mut left = [budget; HARTS];
        loop {
            let mut ran = false;
            for core in RiscV::ALL {
                let left = &mut left[core as usize];
                if *left == 0 || !tile.wake(core) {
                    continue;
                }
                let clock = |so_many| begin + (so_many - executed[core as usize]);
                let done = cores::turn(tile, self, observer, core, (*left).min(SLICE), clock)?.executed;
                *left -= done.min(*left);
                ran = true;
                pipeline::run_all(tile, self, observer)?;
            }
            if !ran && !self.do_reads(tile, memory) {
                return Ok(());
            }
        }
    }

    /// Does the reads of DRAM at the front of the outbox; whether there were any.
    fn do_reads(&mut self, tile: &mut Tile, memory: Memory) -> bool {
        if tile.outbox().is_empty() {
            return false;
        }
        let mut outbox = std::mem::take(tile.outbox_mut());
        let done = outbox.iter().take_while(|request| self.do_read(tile, memory, request)).count();
        outbox.drain(..done);
        *tile.outbox_mut() = outbox;
        done > 0
    }

    /// Does a request if it is a read of DRAM without faults.
    pub fn do_read(&mut self, tile: &mut Tile, memory: Memory, request: &Request) -> bool {
        let Some((dram, edge)) = memory.source(request) else { return false };
        let Some(bytes) = tile.noc_l1(request.own_addr, request.len as usize) else { return false };
        if !dram.read(request.addr, bytes) {
            return false;
        }
        tile.niu_mut(request.noc).count_read_responses(request.packet_count(), request.flits(), request.tag);
        self.reads.add(edge, request, memory.traced);
        true
    }
}

/// What tiles read while they run.
#[derive(Clone, Copy)]
pub struct Memory<'a> {
    /// Which tile a coordinate means.
    pub grid: &'a Grid,
    /// By group.
    pub dram: &'a [Dram],
    /// Requests are traced.
    pub traced: bool,
    /// Packets may be lost on their way.
    pub lossy: bool,
}

impl<'a> Memory<'a> {
    /// The memory that a plain read of DRAM reads, and the number of the tile that it goes to.
    fn source(&self, request: &Request) -> Option<(&'a Dram, usize)> {
        let (Action::Read, Remote::Tile(at)) = (request.action, request.remote) else { return None };
        if self.lossy {
            return None;
        }
        let node = self.grid.at(request.noc, at)?;
        let Node::Dram { group, edge } = node else { return None };
        let dram = &self.dram[group];
        // Errors are reported when the request is delivered.
        let fine = dram.holds(request.addr, request.len as usize) && check_alignment(request, node).is_ok();
        fine.then_some((dram, edge))
    }
}

/// Reads that a tile has had done, until the chip knows of them.
#[derive(Default)]
pub struct Reads {
    /// By DRAM tile and NoC.
    pub sums: Vec<Sum>,
    /// The requests themselves, if they are traced.
    pub requests: Vec<Request>,
}

/// Reads from one DRAM tile over one NoC.
pub struct Sum {
    /// The tile, by position.
    pub edge: usize,
    /// The NoC.
    pub noc: usize,
    /// Packets, their flits and their bytes.
    pub packets: u32,
    /// See `packets`.
    pub flits: u32,
    /// See `packets`.
    pub bytes: u64,
}

impl Reads {
    fn add(&mut self, edge: usize, request: &Request, traced: bool) {
        let noc = usize::from(request.noc);
        let place = self.sums.iter().position(|sum| (sum.edge, sum.noc) == (edge, noc));
        let place = place.unwrap_or_else(|| {
            self.sums.push(Sum { edge, noc, packets: 0, flits: 0, bytes: 0 });
            self.sums.len() - 1
        });
        let sum = &mut self.sums[place];
        sum.packets = sum.packets.wrapping_add(request.packet_count());
        sum.flits = sum.flits.wrapping_add(request.flits());
        sum.bytes += u64::from(request.len);
        if traced {
            self.requests.push(*request);
        }
    }
}
