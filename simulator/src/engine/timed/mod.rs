//! The timed policy: everything takes the time that it takes on silicon, as far as that is known ([`tt_isa::timing`]).
//!
//! ```text
//! what comes first? -> a core's turn     scoreboard: when does each instruction enter
//!                   -> a thread's step   units: when does the unit take it, how long does it keep it
//!                   -> a pipe's front leaves
//! ```
//! A tile is run from event to event. A core's turn goes on for some clocks ([`RUN`]) beyond the time of whoever is next,
//! so that not every instruction is a turn, but only a few ([`TURN`]) after it has done something that somebody waits for ([`wakes`]).
//! So cores and coprocessor may see each other's effects that much early or late. Packets have times of their own ([`super::network`]); requests carry the clock at which they were made.
//!
//! What happens is the same as in the fast mode: instructions take effect when they go to their unit.

use std::collections::VecDeque;

use tt_isa::insn::Opcode;
use tt_isa::map::RiscV;
use tt_isa::timing::Timing;

use super::Policy;
use super::cores::Lane;
use super::pipes::Pipes;
use crate::fault::Fault;
use crate::model::rv32::Op;
use crate::model::tensix::pipe::Pipe;
use crate::model::tensix::{THREADS, Tensix};
use crate::model::tile::{Activity, HARTS, Tile};
use crate::observe::usage::TileUsage;
use crate::observe::{Issued, Observer};

pub mod ethernet;
mod icache;
mod initiators;
mod ports;
mod scoreboard;
mod threads;
mod turns;
mod units;
mod wakes;

use initiators::Initiators;
use scoreboard::{Place, Scoreboard, Way};
use threads::Thread;
use units::Units;
use wakes::Wakes;

/// Clocks that a core's turn may go beyond the time of whoever is next.
const RUN: u64 = 32;
/// The same while the coprocessor has nothing to do: then the cores mostly have nothing to do with each other.
const FAR: u64 = 112;
/// Clocks that it may go on, or a thread's instructions may, after something that somebody waits for.
const TURN: u64 = 4;
/// Clocks that a tile goes on after its first request, where no other tile does anything.
const ALONE: u64 = 16;

/// Who is next.
#[derive(Clone, Copy)]
enum Who {
    Pipes,
    Core(RiscV),
    Thread(usize),
}

/// The policy, and what it keeps of a tile. Times are the chip's clocks.
pub struct Timed {
    now: u64,
    /// A core's turn ends here.
    limit: u64,
    cores: [Scoreboard; HARTS],
    lanes: [Lane; HARTS],
    wakes: Wakes,
    /// Cores that are asleep in this turn, a bit each.
    asleep: u8,
    /// Turns of each core, which count as effects of its own.
    turns: [u64; HARTS],
    threads: [Thread; THREADS],
    /// When the words in each thread's FIFO were pushed.
    pushed: [VecDeque<u64>; THREADS],
    /// The coprocessor may have something to do.
    coprocessor: bool,
    pipes: Pipes,
    units: Units,
    /// When the requests in the outbox were made, and when NIUs have taken them.
    made: Vec<u64>,
    initiators: Initiators,
    /// When the core whose turn it is has last accessed a register.
    accessed: u64,
    /// Its last instruction in this turn has to be executed again.
    blocked: bool,
    /// The unit of the instruction at the gate has not taken it.
    refused: bool,
    /// This turn ends soon after the first request.
    alone: bool,
    /// The tile's changes at the end of the last turn, and when something happens next.
    next: (u64, u64),
}

impl Policy for Timed {
    const ON_DEMAND: bool = false;
    const KEEPS: bool = true;
    const PACED: bool = true;

    fn admits(
        &mut self,
        tensix: &Tensix,
        thread: usize,
        opcode: Opcode,
        word: u32,
        pipe: Option<Pipe>,
    ) -> bool {
        let free = self.units.free(tensix, thread, opcode, word);
        if free > self.now {
            self.threads[thread].pause = free;
            self.refused = true;
            return false;
        }
        self.refused = pipe.is_some_and(|pipe| !self.pipes.has_room(tensix, pipe));
        !self.refused
    }

    fn keep(&mut self, tensix: &mut Tensix, issued: &Issued) -> bool {
        let Some(pipe) = issued.pipe else {
            self.threads[issued.thread].pause = self.units.executed(issued.opcode, self.now);
            return false;
        };
        let last = self.pipes.last(pipe);
        let (done, next) = self.units.keep(tensix, issued, pipe, self.now, last);
        self.threads[issued.thread].pause = next;
        self.pipes.keep(tensix, pipe, issued, done);
        self.reschedule_unpackers(pipe);
        true
    }

    #[inline(always)]
    fn may_execute(&mut self, tile: &mut Tile, core: RiscV, pc: u32, op: &Op, operands: [u32; 2]) -> bool {
        let (board, limit) = (&mut self.cores[core as usize], self.limit);
        if board.is_undecided() {
            return self.may_enter(tile, core, pc, op, operands);
        }
        match Way::of(op.kind) {
            Way::Compute => board.compute(pc, op, false, limit),
            Way::Branch => board.branch(pc, op, operands, limit),
            Way::Multiply => board.compute(pc, op, true, limit),
            way @ (Way::Load | Way::Store) => {
                let addr = operands[0].wrapping_add(op.imm as u32);
                match Place::of_memory(addr) {
                    Some(place) if way == Way::Load => self.may_load(core, pc, op, (place, addr)),
                    Some(place) => self.may_store(core, pc, op, (place, addr)),
                    None => self.may_enter(tile, core, pc, op, operands),
                }
            }
            Way::Other => self.may_enter(tile, core, pc, op, operands),
        }
    }

    #[inline]
    fn changes(&self, tile: &Tile, core: RiscV) -> u64 {
        // The core counts each turn as an effect of its own.
        self.wakes.seen_by(core, tile.changes()).wrapping_sub(self.turns[core as usize])
    }
}

impl Timed {
    /// Nothing under way.
    pub fn new(timing: &'static Timing) -> Self {
        Self {
            now: 0,
            limit: 0,
            cores: RiscV::ALL.map(|core| Scoreboard::new(&timing.core, timing.icache_bytes[core as usize])),
            lanes: Default::default(),
            wakes: Wakes::new(),
            asleep: 0,
            turns: [0; HARTS],
            threads: Default::default(),
            pushed: Default::default(),
            coprocessor: false,
            pipes: Pipes::default(),
            units: Units::new(timing),
            made: Vec::new(),
            initiators: Initiators::new(&timing.noc),
            accessed: 0,
            blocked: false,
            refused: false,
            alone: false,
            next: (u64::MAX, 0),
        }
    }

    /// When something may next happen in a tile, if nothing comes from outside; [`u64::MAX`] if nothing will.
    #[inline]
    pub fn next_event(&self, tile: &Tile) -> u64 {
        if self.next.0 == tile.changes() { self.next.1 } else { self.choose(tile).0 }
    }

    /// The next turn ends soon after the tile's first request: no other tile does anything until then.
    pub fn run_alone(&mut self) {
        self.alone = true;
    }

    /// The clock up to which the tile has run.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// Takes the times at which the requests in the outbox were made; those without one were made by `clock`.
    pub fn take_made(&mut self, tile: &Tile, clock: u64) -> Vec<u64> {
        self.stamp(tile, clock);
        std::mem::take(&mut self.made)
    }

    /// Runs a tile for `budget` clocks.
    ///
    /// # Errors
    /// The first fault.
    pub fn run<O: Observer>(&mut self, tile: &mut Tile, observer: &mut O, budget: u32) -> Result<(), Fault> {
        let begin = tile.clock();
        self.now = self.now.max(begin);
        self.stamp(tile, begin);
        let released = tile.take_released();
        self.release(released);
        observer.quantum(begin, budget, released);
        for core in RiscV::ALL {
            observer.core_state(begin, core, tile.activity(core).into());
        }
        let mut end = begin + u64::from(budget);
        let next = loop {
            let (at, who, second) = self.choose(tile);
            if at >= end {
                break at;
            }
            self.now = self.now.max(at);
            observer.time(self.now);
            match who {
                Who::Pipes => {
                    self.leave_pipes(tile, observer);
                    self.look_at_coprocessor(tile);
                }
                Who::Thread(thread) => {
                    self.thread_steps(tile, observer, thread, second.min(at + TURN).min(end))?;
                    self.look_at_coprocessor(tile);
                }
                Who::Core(core) => {
                    let run = if self.coprocessor { RUN } else { FAR };
                    let limit = second.saturating_add(run).max(at + 1).min(end);
                    self.core_turn(tile, observer, core, limit)?;
                }
            }
            if self.alone
                && let Some(first) = self.made.first()
            {
                end = end.min(self.now.max(first + ALONE));
            }
        };
        self.now = end;
        self.alone = false;
        self.next = (tile.changes(), next);
        tile.set_clock(begin);
        Ok(())
    }

    /// Who is next, when, and when the next but one is.
    fn choose(&self, tile: &Tile) -> (u64, Who, u64) {
        let changes = tile.changes();
        let pipes = if self.coprocessor { self.pipes.next() } else { u64::MAX };
        let mut first = (pipes, Who::Pipes);
        let mut second = u64::MAX;
        let mut offer = |at: u64, who: Who| {
            if at < first.0 {
                second = first.0;
                first = (at, who);
            } else {
                second = second.min(at);
            }
        };
        for core in RiscV::ALL {
            let next = self.cores[core as usize].next();
            match tile.activity(core) {
                Activity::Awake => offer(next, Who::Core(core)),
                Activity::Asleep(seen) if seen != changes && self.wakes.wakes(core, changes) => {
                    offer(next.max(self.now).max(self.wakes.stored_at(core)), Who::Core(core));
                }
                Activity::Asleep(_) | Activity::Reset => {}
            }
        }
        for thread in if self.coprocessor { 0..THREADS } else { 0..0 } {
            if !tile.tensix().nothing_to_offer(thread) {
                let Thread { blocked, pause, .. } = self.threads[thread];
                match blocked {
                    None => offer(pause.max(self.word_at(tile, thread)), Who::Thread(thread)),
                    Some((words, seen)) if self.wakes.seen_by_thread(words, changes) != seen => {
                        offer(pause.max(self.now), Who::Thread(thread));
                    }
                    Some(_) => {}
                }
            }
        }
        (first.0, first.1, second)
    }

    /// Notes when requests were made that have no time yet.
    fn stamp(&mut self, tile: &Tile, at: u64) {
        self.made.resize(tile.outbox().len(), at);
    }

    /// What a tile has been busy with until `now`.
    pub fn usage(&self, tile: &Tile, now: u64) -> TileUsage {
        let core = |core: RiscV| {
            let asleep = tile.is_running(core) && !tile.is_awake(core);
            self.cores[core as usize].usage_at(asleep, now)
        };
        TileUsage {
            at: tile.position(),
            cores: RiscV::ALL.map(core),
            threads: self.threads.map(|thread| thread.usage_at(now)),
            units: self.units.busy(now),
        }
    }
}
