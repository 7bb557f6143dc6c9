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

use tt_isa::insn::{Opcode, Unit};
use tt_isa::map::{self, RiscV};
use tt_isa::timing::Timing;

use super::Policy;
use super::cores::{self, Lane};
use super::pipeline::{self, Progress};
use super::pipes::Pipes;
use crate::fault::Fault;
use crate::model::rv32::{Kind, Op, Stop};
use crate::model::tensix::pipe::Pipe;
use crate::model::tensix::{THREADS, Tensix};
use crate::model::tile::{Activity, HARTS, Tile, mmio};
use crate::observe::usage::{CoreUsage, ThreadUsage, ThreadWait, TileUsage};
use crate::observe::{Issued, Observer};

mod icache;
mod initiators;
mod ports;
mod scoreboard;
mod units;
mod wakes;

use initiators::Initiators;
use scoreboard::{Place, Scoreboard, Way};
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

/// A thread between two instructions.
#[derive(Clone, Copy, Default)]
struct Thread {
    /// What concerned it when the instruction at the gate could not pass ([`Wakes::seen_by_thread`]), and whether it
    /// may wait for a word of L1.
    blocked: Option<(bool, u64)>,
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
    /// Whether there is time for a load from L1 or local RAM.
    #[inline(always)]
    fn may_load(&mut self, core: RiscV, pc: u32, op: &Op, from: (Place, u32)) -> bool {
        let enters = {
            let port = self.units.ports.of_core(core);
            self.cores[core as usize].load(pc, op, from, self.limit, port).is_some()
        };
        if enters && from.0 == Place::L1 {
            self.wakes.loaded_word(core, from.1);
        }
        enters
    }

    /// The same of a store there: the turn ends soon if somebody waits for it.
    #[inline(always)]
    fn may_store(&mut self, core: RiscV, pc: u32, op: &Op, to: (Place, u32)) -> bool {
        let port = self.units.ports.of_core(core);
        let Some(at) = self.cores[core as usize].store(pc, op, to, self.limit, port) else { return false };
        if to.0 == Place::L1 && self.wakes.stored(core, to.1, at) & self.asleep != 0 {
            self.limit = self.limit.min(at + TURN);
        }
        true
    }

    /// Whether there is time for an instruction, of any kind.
    fn may_enter(&mut self, tile: &mut Tile, core: RiscV, pc: u32, op: &Op, operands: [u32; 2]) -> bool {
        if op.kind == Kind::Unknown {
            return true;
        }
        if tile.has_mover_work() {
            self.start_mover(tile, self.accessed);
        }
        if tile.outbox().len() != self.made.len() {
            self.take_requests(tile);
            self.stamp(tile, self.accessed);
            if self.alone {
                self.limit = self.limit.min(self.accessed + ALONE);
            }
        }
        let (board, port) = (&mut self.cores[core as usize], self.units.ports.of_core(core));
        let Some((at, place, addr)) = board.enter(pc, op, operands, self.limit, port) else {
            return false;
        };
        match op.kind {
            Kind::Sb | Kind::Sh | Kind::Sw | Kind::TtInsn if place != Place::Local => {
                if self.concerns_others(core, op.kind, (place, addr), at) {
                    self.limit = self.limit.min(at + TURN);
                }
                self.reach(tile, at, place);
            }
            Kind::Lb | Kind::Lh | Kind::Lw | Kind::Lbu | Kind::Lhu => {
                self.wakes.loaded(core, place, addr);
                self.reach(tile, at, place);
            }
            _ => {}
        }
        true
    }

    /// Nothing under way.
    pub fn new(timing: &'static Timing) -> Self {
        Self {
            now: 0,
            limit: 0,
            cores: RiscV::ALL.map(|core| Scoreboard::new(&timing.core, core)),
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

    /// A word goes into a thread's FIFO at `at`, if there is room.
    #[inline]
    fn push(&mut self, thread: usize, at: u64) {
        self.coprocessor = true;
        self.pushed[thread].push_back(at);
    }

    /// When the next instruction of a thread is there.
    #[inline]
    fn word_at(&self, tile: &Tile, thread: usize) -> u64 {
        if tile.tensix().needs_word(thread) { self.pushed[thread].front().copied().unwrap_or(0) } else { 0 }
    }

    /// A core stores at `at`, or pushes an instruction: whether somebody waits for it.
    #[inline]
    fn concerns_others(&mut self, core: RiscV, kind: Kind, (place, addr): (Place, u32), at: u64) -> bool {
        match (place, core.tensix_thread()) {
            (Place::L1, _) => self.wakes.stored(core, addr, at) & self.asleep != 0,
            (Place::Noc, _) => {
                self.wakes.stored_to_niu();
                false
            }
            // The word has its time with it.
            (_, Some(thread)) if kind == Kind::TtInsn => {
                self.push(thread as usize, at);
                false
            }
            (Place::Sync, _) => {
                let buffer = mmio::banked(core, addr, map::INSTRN_BUF_BASE, map::INSTRN_BUF_STRIDE);
                buffer.into_iter().for_each(|(thread, _)| self.push(thread, at));
                true
            }
            _ => true,
        }
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

    /// A core has started an initiator, which is busy until the NIU takes the request.
    fn take_requests(&mut self, tile: &mut Tile) {
        for n in self.made.len()..tile.outbox().len() {
            let request = tile.outbox()[n];
            let taken = self.initiators.take(&request, self.accessed);
            if taken > self.accessed {
                tile.niu_mut(request.noc).keep_busy(taken);
            }
        }
    }

    /// A core reaches for what is not its own at `at`: it sees the time, and others see it.
    fn reach(&mut self, tile: &mut Tile, at: u64, place: Place) {
        match place {
            Place::L1 | Place::Local | Place::Sync => {}
            Place::Coprocessor | Place::Noc | Place::Register => {
                self.accessed = at;
                tile.set_clock(at);
            }
        }
    }

    /// What the mover has been ordered to do at `at` takes time.
    fn start_mover(&mut self, tile: &mut Tile, at: u64) {
        let done = self.units.start_mover(at, tile.take_mover_work());
        tile.mover_is_busy_until(done);
        self.pipes.keep_mover(tile.tensix_mut(), done);
        self.coprocessor = true;
    }

    /// Cores that have left reset begin anew.
    fn release(&mut self, released: u8) {
        for core in RiscV::ALL.into_iter().filter(|&core| released >> core as u8 & 1 != 0) {
            self.cores[core as usize].reset(self.now, core);
            self.lanes[core as usize] = Lane::default();
        }
    }

    /// Notes whether the coprocessor has anything to do.
    fn look_at_coprocessor(&mut self, tile: &Tile) {
        let threads = (0..THREADS).all(|thread| tile.tensix().nothing_to_offer(thread));
        self.coprocessor = !(threads && self.pipes.is_empty());
    }

    fn leave_pipes<O: Observer>(&mut self, tile: &mut Tile, observer: &mut O) {
        let left = self.pipes.leave(tile, observer, self.now);
        if left != 0 {
            self.wakes.stepped();
        }
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

    /// Lets a thread's instructions pass the gate until one may not, or not before `end`.
    fn thread_steps<O: Observer>(
        &mut self,
        tile: &mut Tile,
        observer: &mut O,
        thread: usize,
        end: u64,
    ) -> Result<(), Fault> {
        loop {
            self.thread_step(tile, observer, thread)?;
            let Thread { blocked, pause, .. } = self.threads[thread];
            let pause = pause.max(self.word_at(tile, thread));
            let end = end.min(self.pipes.next());
            if blocked.is_some() || pause >= end || tile.tensix().nothing_to_offer(thread) {
                return Ok(());
            }
            self.now = self.now.max(pause);
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
        observer.time(self.now);
        self.refused = false;
        let moved = pipeline::step(tile, self, observer, thread)? != Progress::None;
        let left = tile.tensix().queued(thread);
        while self.pushed[thread].len() > left {
            self.pushed[thread].pop_front();
        }
        self.stamp(tile, self.now);
        if tile.has_mover_work() {
            self.start_mover(tile, self.now);
        }
        let waits = self.threads[thread].pause > self.now;
        let words =
            tile.tensix().at_gate(thread).and_then(Opcode::of).map(Opcode::unit) == Some(Unit::Scalar);
        let seen = self.wakes.seen_by_thread(words, tile.changes());
        self.threads[thread].blocked = (!moved && !waits).then_some((words, seen));
        let reason = if self.refused { ThreadWait::Unit } else { ThreadWait::Condition };
        let still = !moved && !tile.tensix().nothing_to_offer(thread);
        self.threads[thread].at_gate(self.now, still.then_some(reason));
        if moved {
            tile.changed();
            if !tile.l1().has_changed() {
                self.wakes.stepped();
            }
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
        let before = slept.then(|| *self.cores[i].usage());
        tile.wake(core);
        self.wakes.turn(core, self.now, slept);
        self.asleep = RiscV::ALL.map(|other| u8::from(!tile.is_awake(other)) << other as u8).iter().sum();
        self.limit = limit;
        let done = self.execute(tile, observer, core);
        self.blocked = matches!(done, Err(_) | Ok(Stop::Blocked));
        if self.blocked {
            self.cores[i].cancel();
        } else {
            self.cores[i].commit();
        }
        if !tile.is_awake(core) {
            self.fell_asleep(tile, core, before.as_ref());
            let scoreboard = &self.cores[i];
            observer.core_waits(scoreboard.next().max(self.now), core, scoreboard.asleep_for());
        }
        self.stamp(tile, self.accessed);
        if tile.has_mover_work() {
            self.start_mover(tile, self.accessed);
        }
        let released = tile.released();
        if released != 0 {
            tile.take_released();
            self.release(released);
        }
        // What did not find room comes again.
        for thread in if self.coprocessor { 0..THREADS } else { 0..0 } {
            self.pushed[thread].truncate(tile.tensix().queued(thread));
        }
        done.map(|_| ())
    }

    /// A core has fallen asleep in its turn; `before`: what it had done when something woke it.
    fn fell_asleep(&mut self, tile: &Tile, core: RiscV, before: Option<&CoreUsage>) {
        self.wakes.sleep(core, self.blocked, tile.changes());
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

    /// Lets a core execute; why it has stopped.
    fn execute<O: Observer>(
        &mut self,
        tile: &mut Tile,
        observer: &mut O,
        core: RiscV,
    ) -> Result<Stop, Fault> {
        let (begin, now) = (tile.hart(core).executed, self.now);
        if !O::ACCESSES {
            // No instruction takes less than a clock.
            let most = (self.limit - self.cores[core as usize].next().min(self.limit)).max(1);
            let most = u32::try_from(most).unwrap_or(u32::MAX);
            self.turns[core as usize] += 1;
            let turn = cores::turn(tile, self, observer, core, most, |executed| now + (executed - begin))?;
            return Ok(turn.stop);
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
        Ok(stop)
    }
}
