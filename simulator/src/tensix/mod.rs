//! The Tensix coprocessor of one tile: three threads that share unpackers, matrix unit, vector unit and packers.
//!
//! ```text
//! T0,T1,T2 -> frontend (FIFO, MOP, REPLAY, wait gate) -> dispatch
//!    L1 -> unpackers -> SrcA, SrcB -> matrix unit -> Dst <-> vector unit (SFPU)
//!                                                    Dst -> packers -> L1
//! ```

use crate::fault::Fault;

/// Threads of the coprocessor.
pub const THREADS: usize = 3;

/// What became of an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Executed; the thread goes on to the next one.
    Done,
    /// Has to wait (for a SrcA/SrcB bank, a mutex, ..); nothing changed, it is offered again later.
    Stall,
}

/// Result of executing one instruction.
pub type Exec = Result<Step, Fault>;
