//! Observers: they see what happens in a chip, and never change it.
//!
//! ```text
//! engine, while a tile runs -> Observer: counters, trace recorder, race detector
//! fabric, while packets are delivered -> Tracer, Races: the chip's ends of the same
//! ```
//!
//! The engine is generic over its [`Observer`]. A method that an observer does not need is empty and compiles to
//! nothing, so the fast mode without a trace pays nothing for observers. An observer can end the run with a [`Fault`],
//! as the race detector does.

mod both;
pub mod counters;
pub mod races;
pub mod trace;
pub mod usage;

pub use both::Both;

use tt_isa::insn::Opcode;
use tt_isa::map::RiscV;

use crate::fault::Fault;
use crate::model::access::{Accesses, ConfigAccess};
use crate::model::noc::Request;
use crate::model::rv32::{Op, Retired};
use crate::model::tensix::Tensix;
use crate::model::tensix::frontend::Wait;
use crate::model::tensix::pipe::Pipe;
use crate::model::tile::{Activity, Tile};
use usage::CoreWait;

/// A core and the instruction that it executes.
#[derive(Clone, Copy, Debug)]
pub struct Executing {
    /// The core.
    pub core: RiscV,
    /// Where the instruction is.
    pub pc: u32,
    /// The instruction.
    pub op: Op,
}

/// What a core is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CoreState {
    /// Held in reset.
    Reset,
    /// Executing.
    Awake,
    /// Waiting for something to change.
    Asleep,
}

impl From<Activity> for CoreState {
    fn from(activity: Activity) -> Self {
        match activity {
            Activity::Reset => Self::Reset,
            Activity::Awake => Self::Awake,
            Activity::Asleep(_) => Self::Asleep,
        }
    }
}

/// A bank of SrcA or SrcB that changes hands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handover {
    /// SrcA (0) or SrcB (1).
    pub which: usize,
    /// The bank.
    pub bank: usize,
    /// To the matrix unit; otherwise back to the unpacker.
    pub given: bool,
}

/// An instruction of the coprocessor that has just taken effect.
pub struct Issued<'a> {
    /// Its thread.
    pub thread: usize,
    /// The instruction.
    pub opcode: Opcode,
    /// Its word.
    pub word: u32,
    /// The pipe that keeps it for a while; `None` if it is done.
    pub pipe: Option<Pipe>,
    /// Which banks of SrcA and SrcB belonged to the matrix unit before it.
    pub valid: [[bool; 2]; 2],
    /// Banks that change hands when it is done.
    pub handovers: &'a [Handover],
    /// What it has accessed; empty unless [`Observer::ACCESSES`].
    pub accesses: &'a Accesses,
}

/// An observer of a tile. Methods are called in the order of events; clocks are those
/// of the engine.
#[allow(unused_variables)]
pub trait Observer {
    /// Whether it wants to see every access: then cores' accesses to L1 come one by one, and the memories keep logs.
    const ACCESSES: bool = false;

    /// A quantum of so many clocks begins. `released`: cores that have left reset since the last one, a bit each.
    fn quantum(&mut self, clock: u64, budget: u32, released: u8) {}

    /// What a core does from now on.
    fn core_state(&mut self, clock: u64, core: RiscV, state: CoreState) {}

    /// What a core that has gone to sleep waits for, where that is known.
    fn core_waits(&mut self, clock: u64, core: RiscV, wait: CoreWait) {}

    /// What follows happens at this clock, where time is kept.
    fn time(&mut self, clock: u64) {}

    /// Whether it wants [`Self::core_retired`] of a core.
    fn wants_instructions(&self, core: RiscV) -> bool {
        false
    }

    /// A core has executed an instruction.
    fn core_retired(&mut self, clock: u64, core: RiscV, retired: &Retired) {}

    /// The coprocessor has executed an instruction, as far as the thread is concerned.
    fn tensix_retired(&mut self, thread: usize, opcode: Opcode, word: u32) {}

    /// A core is about to execute an instruction.
    ///
    /// # Errors
    /// What the observer finds; so below.
    fn core_executes(&mut self, now: &Executing) -> Result<(), Fault> {
        Ok(())
    }

    /// A core is about to load from L1.
    fn load_l1(&mut self, now: &Executing, tile: &Tile, addr: u32, size: u32) -> Result<(), Fault> {
        Ok(())
    }

    /// A core is about to store to L1.
    fn store_l1(&mut self, now: &Executing, addr: u32, size: u32) -> Result<(), Fault> {
        Ok(())
    }

    /// A core is about to load from a register.
    fn before_load(&mut self, now: &Executing, addr: u32) -> Result<(), Fault> {
        Ok(())
    }

    /// A core has loaded from a register.
    fn loaded(&mut self, now: &Executing, addr: u32, config: &[ConfigAccess]) -> Result<(), Fault> {
        Ok(())
    }

    /// A core is about to store to a register.
    fn before_store(&mut self, now: &Executing, addr: u32) -> Result<(), Fault> {
        Ok(())
    }

    /// A core has stored to a register, and has made `requests` and released cores by it.
    fn stored(&mut self, now: &Executing, store: &Stored) -> Result<(), Fault> {
        Ok(())
    }

    /// A core has pushed an instruction in line to its thread.
    fn pushed(&mut self, core: RiscV, thread: usize, word: u32) {}

    /// Words have left a thread's FIFO.
    fn left_fifo(&mut self, thread: usize, count: usize) {}

    /// The wait that a thread had latched is over.
    fn wait_over(&mut self, tensix: &Tensix, thread: usize, wait: Wait) {}

    /// A wait comes to the gate while another one is latched that does not hold it.
    fn wait_replaced(&mut self, opcode: Opcode, latched: Wait) -> Result<(), Fault> {
        Ok(())
    }

    /// An instruction that the gate has let through finds that its unit cannot execute it yet.
    fn stalled(&mut self, tensix: &Tensix, thread: usize, opcode: Opcode, word: u32) -> Result<(), Fault> {
        Ok(())
    }

    /// An instruction has taken effect.
    fn issued(&mut self, issued: &Issued) -> Result<(), Fault> {
        Ok(())
    }

    /// The oldest instruction in a pipe is done.
    fn left_pipe(&mut self, pipe: Pipe) {}

    /// The last instruction of a thread has made NoC requests.
    fn requested(&mut self, thread: usize, requests: &[Request]) -> Result<(), Fault> {
        Ok(())
    }
}

/// Has the engine make every access of a core by itself, and sees nothing: for a tile with a stuck bit.
pub struct Closely;

impl Observer for Closely {
    const ACCESSES: bool = true;
}

/// A store to a register, as [`Observer::stored`] sees it.
pub struct Stored<'a> {
    /// Where to.
    pub addr: u32,
    /// What.
    pub value: u32,
    /// Configuration words that it has accessed.
    pub config: &'a [ConfigAccess],
    /// NoC requests that it has made.
    pub requests: &'a [Request],
    /// Cores that have left reset by it, a bit each.
    pub released: u8,
}
