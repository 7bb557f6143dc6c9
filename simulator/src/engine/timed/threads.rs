//! The coprocessor's threads, pipes and mover in the timed policy: when the next instruction passes the gate, and what that
//! makes others wait for.

use tt_isa::insn::{Opcode, Unit};

use super::Timed;
use crate::engine::pipeline::{self, Progress};
use crate::fault::Fault;
use crate::model::tensix::THREADS;
use crate::model::tensix::pipe::Pipe;
use crate::model::tile::Tile;
use crate::observe::Observer;
use crate::observe::usage::{ThreadUsage, ThreadWait};

/// A thread between two instructions.
#[derive(Clone, Copy, Default)]
pub struct Thread {
    /// What concerned it when the instruction at the gate could not pass ([`Wakes::seen_by_thread`]), and whether it
    /// may wait for a word of L1.
    pub(super) blocked: Option<(bool, u64)>,
    /// No instruction passes the gate before this clock.
    pub(super) pause: u64,
    /// What the instruction at the gate waits for, and since when.
    pub(super) waits: Option<(ThreadWait, u64)>,
    pub(super) usage: ThreadUsage,
}

impl Thread {
    /// An instruction has come to the gate at `now`; if it has not passed, why.
    pub(super) fn at_gate(&mut self, now: u64, waits: Option<ThreadWait>) {
        if let Some((wait, since)) = self.waits.take() {
            self.usage.waits[wait as usize] += now.saturating_sub(since);
        }
        self.waits = waits.map(|wait| (wait, now));
    }

    /// What it has waited for until `now`.
    pub(super) fn usage_at(&self, now: u64) -> ThreadUsage {
        let mut thread = *self;
        thread.at_gate(now, None);
        thread.usage
    }
}

impl Timed {
    /// What the mover has been ordered to do at `at` takes time.
    pub(super) fn start_mover(&mut self, tile: &mut Tile, at: u64) {
        let done = self.units.start_mover(at, tile.take_mover_work());
        tile.mover_is_busy_until(done);
        self.pipes.keep_mover(tile.tensix_mut(), done);
        self.coprocessor = true;
    }

    /// Notes whether the coprocessor has anything to do.
    pub(super) fn look_at_coprocessor(&mut self, tile: &Tile) {
        let threads = (0..THREADS).all(|thread| tile.tensix().nothing_to_offer(thread));
        self.coprocessor = !(threads && self.pipes.is_empty());
    }

    pub(super) fn leave_pipes<O: Observer>(&mut self, tile: &mut Tile, observer: &mut O) {
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
    pub(super) fn reschedule_unpackers(&mut self, changed: Pipe) {
        match changed {
            Pipe::Unpacker0 => self.pipes.reschedule(Pipe::Unpacker1, self.units.done(1)),
            Pipe::Unpacker1 => self.pipes.reschedule(Pipe::Unpacker0, self.units.done(0)),
            _ => {}
        }
    }

    /// Lets a thread's instructions pass the gate until one may not, or not before `end`.
    pub(super) fn thread_steps<O: Observer>(
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
    pub(super) fn thread_step<O: Observer>(
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

    /// A word goes into a thread's FIFO at `at`, if there is room.
    #[inline]
    pub(super) fn push(&mut self, thread: usize, at: u64) {
        self.coprocessor = true;
        self.pushed[thread].push_back(at);
    }

    /// When the next instruction of a thread is there.
    #[inline]
    pub(super) fn word_at(&self, tile: &Tile, thread: usize) -> u64 {
        if tile.tensix().needs_word(thread) { self.pushed[thread].front().copied().unwrap_or(0) } else { 0 }
    }
}
