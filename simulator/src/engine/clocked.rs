//! Clock by clock: in each clock every core executes one instruction, and every thread passes one through its gate, if it can.
//!
//! - An instruction that passes the gate stays in its unit ([`super::pipes`]) for a while ([`Delays`]).
//! - The scalar unit blocks its thread until it is done. The other units take effect at the gate.
//! - When nothing can happen, time skips to the next event.

use tt_isa::insn::{Opcode, Unit};
use tt_isa::map::RiscV;

use super::Policy;
use super::cores::{self, Lane};
use super::pipeline::{self, Progress};
use super::pipes::Pipes;
use crate::fault::Fault;
use crate::model::rv32::Stop;
use crate::model::tensix::pipe::Pipe;
use crate::model::tensix::{THREADS, Tensix};
use crate::model::tile::{HARTS, Tile};
use crate::observe::{Issued, Observer};

/// How long things take, in clocks.
pub trait Delays {
    /// A core has executed an instruction: how long it pauses.
    fn core(&mut self, core: usize) -> u64;

    /// An instruction of a thread has passed the gate: how long until the next one may.
    fn gate(&mut self, thread: usize) -> u64;

    /// How long a pipe keeps an instruction, if it does not have to wait for those before it; at least 1.
    fn pipe(&mut self, pipe: Pipe, issued: &Issued) -> u64;

    /// How long the scalar unit is busy with an instruction; at least 1.
    fn scalar(&mut self, issued: &Issued) -> u64;
}

/// A core between two instructions.
#[derive(Default)]
struct Core {
    /// Does not run before this clock.
    pause: u64,
    lane: Lane,
}

/// A thread between two instructions.
#[derive(Clone, Copy, Default)]
struct Thread {
    /// The tile's changes when the instruction at the gate could not pass.
    blocked: Option<u64>,
    /// No instruction passes the gate before this clock.
    pause: u64,
}

/// The policy, and what it keeps of a tile.
pub struct Clocked<D> {
    delays: D,
    now: u64,
    /// The tile's clock when `now` was 0.
    origin: u64,
    cores: [Core; HARTS],
    threads: [Thread; THREADS],
    pipes: Pipes,
    /// The scalar unit does one instruction at a time: until when.
    scalar_busy: u64,
}

impl<D: Delays> Policy for Clocked<D> {
    const ON_DEMAND: bool = false;
    const KEEPS: bool = true;

    fn admits(&mut self, tensix: &Tensix, thread: usize, opcode: Opcode, _: u32, pipe: Option<Pipe>) -> bool {
        if is_scalar(opcode) && self.scalar_busy > self.now {
            self.threads[thread].pause = self.scalar_busy;
            return false;
        }
        pipe.is_none_or(|pipe| self.pipes.has_room(tensix, pipe))
    }

    /// Keeps an instruction in its pipe; banks change hands when it is done.
    fn keep(&mut self, tensix: &mut Tensix, issued: &Issued) -> bool {
        let Some(pipe) = issued.pipe else {
            if is_scalar(issued.opcode) {
                // The thread waits until the scalar unit is done; so do the others, if they need it.
                self.scalar_busy = self.now + self.delays.scalar(issued);
                self.threads[issued.thread].pause = self.scalar_busy;
            }
            return false;
        };
        let done = self.now + self.delays.pipe(pipe, issued);
        self.pipes.keep(tensix, pipe, issued, done);
        true
    }
}

fn is_scalar(opcode: Opcode) -> bool {
    opcode.unit() == Unit::Scalar
}

impl<D: Delays> Clocked<D> {
    /// Nothing under way.
    pub fn new(delays: D) -> Self {
        Self {
            delays,
            now: 0,
            origin: 0,
            cores: Default::default(),
            threads: Default::default(),
            pipes: Default::default(),
            scalar_busy: 0,
        }
    }

    /// Whether something will happen in a tile without its cores.
    pub fn pending(&self, tile: &Tile) -> bool {
        (0..THREADS).any(|thread| self.may_move(tile, thread)) || !self.pipes.is_empty()
    }

    /// Whether a thread has an instruction that was not tried since something changed.
    fn may_move(&self, tile: &Tile, thread: usize) -> bool {
        !tile.tensix().nothing_to_offer(thread) && self.threads[thread].blocked != Some(tile.changes())
    }

    /// Runs a tile for `budget` clocks.
    ///
    /// # Errors
    /// The first fault.
    pub fn run<O: Observer>(&mut self, tile: &mut Tile, observer: &mut O, budget: u32) -> Result<(), Fault> {
        self.origin = tile.clock().wrapping_sub(self.now);
        let released = tile.take_released();
        self.forget_spins(released);
        observer.quantum(tile.clock(), budget, released);
        for core in RiscV::ALL {
            observer.core_state(tile.clock(), core, tile.activity(core).into());
        }
        let end = self.now + u64::from(budget);
        while self.now < end {
            let mut moved = self.pipes.leave(tile, observer, self.now) != 0;
            for core in RiscV::ALL {
                moved |= self.core_step(tile, observer, core)?;
            }
            for thread in 0..THREADS {
                moved |= self.thread_step(tile, observer, thread)?;
            }
            self.now += 1;
            if !moved {
                self.now = self.next_event(tile).clamp(self.now, end);
            }
        }
        Ok(())
    }

    /// When something may happen by itself.
    fn next_event(&self, tile: &Tile) -> u64 {
        let cores = RiscV::ALL.into_iter().filter(|&core| tile.can_run(core));
        let cores = cores.map(|core| self.cores[core as usize].pause);
        let threads = (0..THREADS).filter(|&thread| self.may_move(tile, thread));
        let threads = threads.map(|thread| self.threads[thread].pause);
        cores.chain(threads).chain([self.pipes.next()]).filter(|&at| at >= self.now).min().unwrap_or(u64::MAX)
    }

    fn clock(&self) -> u64 {
        self.origin.wrapping_add(self.now)
    }

    /// Cores that have left reset begin anew.
    fn forget_spins(&mut self, released: u8) {
        let released = |i: &usize| released >> i & 1 == 1;
        (0..HARTS).filter(released).for_each(|i| self.cores[i].lane.forget());
    }

    /// Lets a thread's next instruction pass the gate, if it may; whether anything happened.
    fn thread_step<O: Observer>(
        &mut self,
        tile: &mut Tile,
        observer: &mut O,
        thread: usize,
    ) -> Result<bool, Fault> {
        if self.threads[thread].pause > self.now || !self.may_move(tile, thread) {
            return Ok(false);
        }
        let moved = pipeline::step(tile, self, observer, thread)? != Progress::None;
        let waits = self.threads[thread].pause > self.now;
        self.threads[thread].blocked = (!moved && !waits).then_some(tile.changes());
        if moved {
            tile.changed();
            let pause = self.delays.gate(thread);
            if pause > 0 {
                self.threads[thread].pause = self.now + pause;
            }
        }
        Ok(moved)
    }

    /// Lets a core execute an instruction, if it is not asleep or paused; whether it did anything.
    fn core_step<O: Observer>(
        &mut self,
        tile: &mut Tile,
        observer: &mut O,
        core: RiscV,
    ) -> Result<bool, Fault> {
        let i = core as usize;
        if self.cores[i].pause > self.now || !tile.wake(core) {
            return Ok(false);
        }
        let mut lane = std::mem::take(&mut self.cores[i].lane);
        let clock = self.clock();
        let result = cores::single(tile, self, observer, core, &mut lane, clock);
        self.cores[i].lane = lane;
        let (stop, released) = result?;
        self.forget_spins(released);
        if matches!(stop, Stop::Blocked | Stop::Spinning) {
            tile.sleep(core);
        }
        observer.core_state(self.clock(), core, tile.activity(core).into());
        let pause = self.delays.core(i);
        if pause > 0 {
            self.cores[i].pause = self.now + pause;
        }
        Ok(stop != Stop::Blocked)
    }
}
