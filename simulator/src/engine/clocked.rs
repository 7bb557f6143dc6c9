//! Clock by clock: in each, every core executes an instruction and every thread lets one pass its gate, if they may.
//!
//! - An instruction that passes the gate stays in its unit: unpackers 0 and 1, matrix unit, vector unit, packers; each takes
//!   its instructions in order, a few at a time, and keeps them for a while ([`Delays`]). Until then `STALLWAIT` finds the
//!   unit busy, TTSync waits, and a bank of SrcA or SrcB has not changed hands.
//! - The scalar unit holds its thread up until it is done. The other units take effect at the gate.
//! - Where nothing happens, time goes on to the next event.

use std::collections::VecDeque;

use tt_isa::insn::{Opcode, Unit};
use tt_isa::map::RiscV;

use super::Policy;
use super::bus::CoreBus;
use super::pipeline::{self, Progress};
use crate::fault::Fault;
use crate::model::rv32::{Kind, Retired, Spin, Stop, decode};
use crate::model::tensix::pipe::{PIPES, Pipe, packers};
use crate::model::tensix::{Busy, THREADS, Tensix};
use crate::model::tile::{HARTS, Tile};
use crate::observe::{Executing, Handover, Issued, Observer};

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

/// Instructions that a pipe holds before the thread has to wait. The pages give the matrix unit's five stages and
/// that unpackers and packers take an instruction when they can start it; the rest is small on purpose.
const fn depth(pipe: Pipe) -> usize {
    match pipe {
        Pipe::Matrix => 5,
        Pipe::Vector => 4,
        Pipe::Unpacker0 | Pipe::Unpacker1 | Pipe::Packers => 2,
    }
}

/// A core between two instructions.
#[derive(Default)]
struct Core {
    /// Does not run before this clock.
    pause: u64,
    /// Notices that it only polls.
    spin: Spin,
    /// Its own effects that the tile's change count leaves out.
    effects: u64,
}

/// A thread between two instructions.
#[derive(Clone, Copy, Default)]
struct Thread {
    /// The tile's changes when the instruction at the gate could not pass.
    blocked: Option<u64>,
    /// No instruction passes the gate before this clock.
    pause: u64,
}

/// An instruction in a pipe.
struct Kept {
    thread: usize,
    /// When it leaves the pipe.
    done: u64,
    /// Packers that it uses, as bits.
    packers: u32,
    /// Banks that change hands then.
    handovers: Vec<Handover>,
}

/// The policy, and what it keeps of a tile.
pub struct Clocked<D> {
    delays: D,
    now: u64,
    /// The tile's clock when `now` was 0.
    origin: u64,
    cores: [Core; HARTS],
    threads: [Thread; THREADS],
    /// Oldest first.
    pipes: [VecDeque<Kept>; PIPES],
    /// The scalar unit does one instruction at a time: until when.
    scalar_busy: u64,
    /// Banks of SrcA and SrcB that an instruction in a pipe is about to hand over.
    late: [[bool; 2]; 2],
}

impl<D: Delays> Policy for Clocked<D> {
    const ON_DEMAND: bool = false;
    const KEEPS: bool = true;

    fn admits(&mut self, tensix: &Tensix, thread: usize, opcode: Opcode, pipe: Option<Pipe>) -> bool {
        if is_scalar(opcode) && self.scalar_busy > self.now {
            self.threads[thread].pause = self.scalar_busy;
            return false;
        }
        pipe.is_none_or(|pipe| self.has_room(tensix, pipe))
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
        for &Handover { which, bank, given } in issued.handovers {
            tensix.set_valid(which, bank, !given);
            self.late[which][bank] = true;
        }
        let packers = if pipe == Pipe::Packers { packers(issued.opcode, issued.word) } else { 0 };
        let done = self.now + self.delays.pipe(pipe, issued);
        let queue = &mut self.pipes[pipe as usize];
        let done = queue.back().map_or(done, |last| done.max(last.done));
        queue.push_back(Kept { thread: issued.thread, done, packers, handovers: issued.handovers.to_vec() });
        self.show_busy(tensix);
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
            late: [[false; 2]; 2],
        }
    }

    /// Whether something will happen in a tile without its cores.
    pub fn pending(&self, tile: &Tile) -> bool {
        (0..THREADS).any(|thread| self.may_move(tile, thread))
            || self.pipes.iter().any(|pipe| !pipe.is_empty())
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
            let mut moved = self.leave_pipes(tile, observer);
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
        let pipes = self.pipes.iter().filter_map(|pipe| pipe.front().map(|kept| kept.done));
        cores.chain(threads).chain(pipes).filter(|&at| at >= self.now).min().unwrap_or(u64::MAX)
    }

    fn clock(&self) -> u64 {
        self.origin.wrapping_add(self.now)
    }

    /// Cores that have left reset begin anew.
    fn forget_spins(&mut self, released: u8) {
        let released = |i: &usize| released >> i & 1 == 1;
        (0..HARTS).filter(released).for_each(|i| self.cores[i].spin = Spin::default());
    }

    /// Takes instructions that are done out of their pipes; whether there were any.
    fn leave_pipes<O: Observer>(&mut self, tile: &mut Tile, observer: &mut O) -> bool {
        let (mut any, now) = (false, self.now);
        for pipe in Pipe::ALL {
            while let Some(kept) = self.pipes[pipe as usize].pop_front_if(|kept| kept.done <= now) {
                for Handover { which, bank, given } in kept.handovers {
                    self.late[which][bank] = false;
                    tile.tensix_mut().set_valid(which, bank, given);
                }
                observer.left_pipe(pipe);
                any = true;
            }
        }
        if any {
            self.show_busy(tile.tensix_mut());
            tile.changed();
        }
        any
    }

    /// Tells the wait gates which units are busy for whom.
    fn show_busy(&self, tensix: &mut Tensix) {
        let mut busy = [Busy::default(); THREADS];
        for pipe in Pipe::ALL {
            for kept in &self.pipes[pipe as usize] {
                busy[kept.thread].instructions += 1;
                busy[kept.thread].unmet |= pipe.condition(kept.packers);
            }
        }
        tensix.set_busy(busy);
    }

    /// Whether an instruction can enter a pipe.
    fn has_room(&self, tensix: &Tensix, pipe: Pipe) -> bool {
        let (a, b) = (tensix.banks(0), tensix.banks(1));
        let late = match pipe {
            Pipe::Unpacker0 => self.late[0][a.unpack_bank],
            Pipe::Unpacker1 => self.late[1][b.unpack_bank],
            Pipe::Matrix => {
                self.late[0][a.matrix_bank] && a.matrix_ready()
                    || self.late[1][b.matrix_bank] && b.matrix_ready()
            }
            Pipe::Vector | Pipe::Packers => false,
        };
        !late && self.pipes[pipe as usize].len() < depth(pipe)
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
        let pc = tile.hart(core).pc;
        let result = self.core_instruction(tile, observer, core, pc);
        let stop = result.map_err(|fault| fault.on_core(core, pc))?;
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

    fn core_instruction<O: Observer>(
        &mut self,
        tile: &mut Tile,
        observer: &mut O,
        core: RiscV,
        pc: u32,
    ) -> Result<Stop, Fault> {
        tile.refresh_code();
        let word = tile.fetch(core, pc)?;
        let now = Executing { core, pc, op: decode(word) };
        observer.core_executes(&now)?;
        let (mut hart, mut code) = tile.take_hart(core);
        let before = (hart.x, hart.executed);
        let mut bus = CoreBus::executing(tile, self, observer, now);
        let result = hart.run(&mut code, &mut bus, 1);
        let (stored, volatile, released) = (bus.stored, bus.volatile, bus.released);
        if let Some(addr) = stored {
            code.stored(addr);
        }
        self.forget_spins(released);
        let lane = &mut self.cores[core as usize];
        let stores = matches!(now.op.kind, Kind::Sw | Kind::Sh | Kind::Sb | Kind::TtInsn);
        lane.effects += u64::from(stores) + u64::from(volatile);
        let changes = tile.changes() + lane.effects;
        let spins = hart.pc <= pc && lane.spin.backward(hart.pc, &hart.x, changes);
        if hart.executed > before.1 && observer.wants_instructions(core) {
            observer.core_retired(self.clock(), core, &Retired::new(pc, word, &before.0, &hart.x));
        }
        tile.put_hart(core, hart, code);
        match result? {
            Stop::Budget if spins => Ok(Stop::Spinning),
            stop => Ok(stop),
        }
    }
}
