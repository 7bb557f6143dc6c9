//! The timed policy: everything takes the time that it takes on silicon, as far as that is known ([`tt_isa::timing`]).
//!
//! ```text
//! what comes first? -> a core's turn     scoreboard: when does each instruction enter
//!                   -> a thread's step   units: when does the unit take it, how long does it keep it
//!                   -> a pipe's front leaves
//! ```
//! A tile is run from event to event. A core's turn goes on for a few clocks ([`TURN`]) beyond the time of whoever is next,
//! so that not every instruction is a turn; so cores and coprocessor may see each other's effects that much early or
//! late. Packets have times of their own ([`super::network`]); requests carry the clock at which they were made.
//!
//! What happens is the same as in the fast mode: instructions take effect when they go to their unit.

use tt_isa::insn::Opcode;
use tt_isa::map::RiscV;
use tt_isa::timing::Timing;

use super::Policy;
use super::cores::{self, Lane};
use super::pipeline::{self, Progress};
use super::pipes::Pipes;
use crate::fault::Fault;
use crate::model::rv32::{Kind, Op, Stop};
use crate::model::tensix::pipe::Pipe;
use crate::model::tensix::{THREADS, Tensix};
use crate::model::tile::{HARTS, Tile};
use crate::observe::usage::{CoreUsage, ThreadUsage, ThreadWait, TileUsage};
use crate::observe::{Issued, Observer};

mod icache;
mod scoreboard;
mod units;

use scoreboard::{Place, Scoreboard};
use units::Units;

/// Clocks that a core's turn may go beyond the time of whoever is next.
const TURN: u64 = 4;

/// A thread between two instructions.
#[derive(Clone, Copy, Default)]
struct Thread {
    /// The tile's changes when the instruction at the gate could not pass.
    blocked: Option<u64>,
    /// No instruction passes the gate before this clock.
    pause: u64,
    /// What the instruction at the gate waits for, and since when.
    waits: Option<(ThreadWait, u64)>,
    usage: ThreadUsage,
}

impl Thread {
    /// An instruction has come to the gate at `now`; if it has not passed, why.
    fn at_gate(&mut self, now: u64, waits: Option<ThreadWait>) {
        if let Some((wait, since)) = self.waits.take() {
            self.usage.waits[wait as usize] += now.saturating_sub(since);
        }
        self.waits = waits.map(|wait| (wait, now));
    }

    /// What it has waited for until `now`.
    fn usage_at(&self, now: u64) -> ThreadUsage {
        let mut thread = *self;
        thread.at_gate(now, None);
        thread.usage
    }
}

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
    threads: [Thread; THREADS],
    pipes: Pipes,
    units: Units,
    /// When the requests in the outbox were made.
    made: Vec<u64>,
    /// When the core whose turn it is has last accessed a register.
    accessed: u64,
    /// When it has first pushed an instruction in this turn.
    pushed: Option<u64>,
    /// Its last instruction in this turn has to be executed again.
    blocked: bool,
    /// The unit of the instruction at the gate has not taken it.
    refused: bool,
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

    #[inline]
    fn may_execute(&mut self, tile: &mut Tile, core: RiscV, pc: u32, op: &Op, operands: [u32; 2]) -> bool {
        if op.kind == Kind::Unknown {
            return true;
        }
        if tile.outbox().len() != self.made.len() {
            self.stamp(tile, self.accessed);
        }
        let Some((at, place)) = self.cores[core as usize].enter(pc, op, operands, self.limit) else {
            return false;
        };
        match op.kind {
            Kind::Sb | Kind::Sh | Kind::Sw | Kind::TtInsn if place != Place::Local => {
                // Somebody may be waiting for it.
                self.limit = self.limit.min(at + TURN);
                self.reach(tile, at, place);
            }
            Kind::Lb | Kind::Lh | Kind::Lw | Kind::Lbu | Kind::Lhu => self.reach(tile, at, place),
            _ => {}
        }
        true
    }
}

impl Timed {
    /// Nothing under way.
    pub fn new(timing: &'static Timing) -> Self {
        Self {
            now: 0,
            limit: 0,
            cores: RiscV::ALL.map(|core| Scoreboard::new(&timing.core, core)),
            lanes: Default::default(),
            threads: Default::default(),
            pipes: Pipes::default(),
            units: Units::new(&timing.unit),
            made: Vec::new(),
            accessed: 0,
            pushed: None,
            blocked: false,
            refused: false,
        }
    }

    /// When something may next happen in a tile, if nothing comes from outside; [`u64::MAX`] if nothing will.
    pub fn next_event(&self, tile: &Tile) -> u64 {
        self.choose(tile).0
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
        let end = begin + u64::from(budget);
        loop {
            let (at, who, second) = self.choose(tile);
            if at >= end {
                break;
            }
            self.now = self.now.max(at);
            match who {
                Who::Pipes => self.leave_pipes(tile, observer),
                Who::Thread(thread) => self.thread_step(tile, observer, thread)?,
                Who::Core(core) => {
                    let limit = second.saturating_add(TURN).max(at + 1).min(end);
                    self.core_turn(tile, observer, core, limit)?;
                }
            }
        }
        self.now = end;
        tile.set_clock(begin);
        Ok(())
    }

    /// Who is next, when, and when the next but one is.
    fn choose(&self, tile: &Tile) -> (u64, Who, u64) {
        let mut first = (self.pipes.next(), Who::Pipes);
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
            if tile.can_run(core) {
                let next = self.cores[core as usize].next();
                let asleep = !tile.is_awake(core);
                offer(if asleep { next.max(self.now) } else { next }, Who::Core(core));
            }
        }
        for thread in 0..THREADS {
            if !tile.tensix().nothing_to_offer(thread) {
                let Thread { blocked, pause, .. } = self.threads[thread];
                match blocked {
                    None => offer(pause, Who::Thread(thread)),
                    Some(changes) if changes != tile.changes() => {
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

    /// A core reaches for what is not its own at `at`: it sees the time, and others see it.
    fn reach(&mut self, tile: &mut Tile, at: u64, place: Place) {
        match place {
            Place::L1 | Place::Local => {}
            Place::Sync => {
                self.pushed.get_or_insert(at);
            }
            Place::Coprocessor | Place::Noc | Place::Register => {
                self.accessed = at;
                tile.set_clock(at);
            }
        }
    }

    /// Cores that have left reset begin anew.
    fn release(&mut self, released: u8) {
        for core in RiscV::ALL.into_iter().filter(|&core| released >> core as u8 & 1 != 0) {
            self.cores[core as usize].reset(self.now, core);
            self.lanes[core as usize] = Lane::default();
        }
    }

    fn leave_pipes<O: Observer>(&mut self, tile: &mut Tile, observer: &mut O) {
        let left = self.pipes.leave(tile, observer, self.now);
        for (unpacker, pipe) in [Pipe::Unpacker0, Pipe::Unpacker1].into_iter().enumerate() {
            if left >> pipe as u32 & 1 != 0 {
                self.units.fetch_next(unpacker, self.now);
                self.pipes.reschedule(pipe, self.units.done(unpacker));
                self.reschedule_unpackers(pipe);
            }
        }
    }

    /// What an unpacker has begun or finished changes how fast the other one is.
    fn reschedule_unpackers(&mut self, changed: Pipe) {
        match changed {
            Pipe::Unpacker0 => self.pipes.reschedule(Pipe::Unpacker1, self.units.done(1)),
            Pipe::Unpacker1 => self.pipes.reschedule(Pipe::Unpacker0, self.units.done(0)),
            _ => {}
        }
    }

    /// Lets a thread's next instruction pass the gate, if it may.
    fn thread_step<O: Observer>(
        &mut self,
        tile: &mut Tile,
        observer: &mut O,
        thread: usize,
    ) -> Result<(), Fault> {
        // The NoC requests and reads of the clock that it makes are made now.
        tile.set_clock(self.now);
        self.refused = false;
        let moved = pipeline::step(tile, self, observer, thread)? != Progress::None;
        self.stamp(tile, self.now);
        let waits = self.threads[thread].pause > self.now;
        self.threads[thread].blocked = (!moved && !waits).then_some(tile.changes());
        let reason = if self.refused { ThreadWait::Unit } else { ThreadWait::Condition };
        let still = !moved && !tile.tensix().nothing_to_offer(thread);
        self.threads[thread].at_gate(self.now, still.then_some(reason));
        if moved {
            tile.changed();
            let pause = &mut self.threads[thread].pause;
            *pause = (*pause).max(self.now + 1);
        }
        Ok(())
    }

    /// Lets a core execute until `limit`, or until it sleeps.
    fn core_turn<O: Observer>(
        &mut self,
        tile: &mut Tile,
        observer: &mut O,
        core: RiscV,
        limit: u64,
    ) -> Result<(), Fault> {
        let i = core as usize;
        let slept = !tile.is_awake(core);
        if slept {
            self.cores[i].wake(self.now);
        }
        let before = *self.cores[i].usage();
        tile.wake(core);
        self.limit = limit;
        self.pushed = None;
        let idle = [0, 1, 2].map(|thread| tile.tensix().nothing_to_offer(thread));
        let accepted = self.cores[i].accepted();
        let executed = tile.hart(core).executed;
        let done = self.execute(tile, observer, core);
        let executed = tile.hart(core).executed - executed;
        self.blocked = executed < self.cores[i].accepted() - accepted;
        if self.blocked {
            self.cores[i].cancel();
        } else {
            self.cores[i].commit();
        }
        if !tile.is_awake(core) {
            self.fell_asleep(core, slept.then_some(&before));
        }
        self.stamp(tile, self.accessed);
        let released = tile.released();
        if released != 0 {
            tile.take_released();
            self.release(released);
        }
        done?;
        for (thread, idle) in idle.into_iter().enumerate() {
            if idle && !tile.tensix().nothing_to_offer(thread) {
                let pause = &mut self.threads[thread].pause;
                *pause = (*pause).max(self.pushed.unwrap_or(self.now));
            }
        }
        Ok(())
    }

    /// A core has fallen asleep in its turn; `before`: what it had done when something woke it.
    fn fell_asleep(&mut self, core: RiscV, before: Option<&CoreUsage>) {
        let scoreboard = &mut self.cores[core as usize];
        scoreboard.sleep(!self.blocked);
        if let Some(before) = before {
            scoreboard.has_only_polled(before);
        }
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

    fn execute<O: Observer>(&mut self, tile: &mut Tile, observer: &mut O, core: RiscV) -> Result<(), Fault> {
        let (begin, now) = (tile.hart(core).executed, self.now);
        if !O::ACCESSES {
            // No instruction takes less than a clock.
            let most = (self.limit - self.cores[core as usize].next().min(self.limit)).max(1);
            let most = u32::try_from(most).unwrap_or(u32::MAX);
            self.lanes[core as usize].turns();
            let done = cores::turn(tile, self, observer, core, most, |executed| now + (executed - begin))?;
            let lane = &mut self.lanes[core as usize];
            if done > 0 && tile.is_awake(core) && lane.turned(tile, core) {
                tile.sleep(core);
            }
            return Ok(());
        }
        let mut lane = std::mem::take(&mut self.lanes[core as usize]);
        // It has been chosen, and is shown to the observer once.
        self.limit = u64::MAX;
        let result = cores::single(tile, self, observer, core, &mut lane, now);
        self.lanes[core as usize] = lane;
        let (stop, released) = result?;
        self.release(released);
        if matches!(stop, Stop::Blocked | Stop::Spinning) {
            tile.sleep(core);
        }
        Ok(())
    }
}
