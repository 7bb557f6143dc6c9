//! A Wormhole as software: RISC-V cores, Tensix coprocessors, NoC, DRAM and the host's windows.
//!
//! ```text
//! host -> BAR 0 windows (host) -> NoC (noc, grid) -> tiles (tile) -> cores (rv32), coprocessor (tensix)
//!                                                  -> DRAM (dram), ARC (arc), host memory (pcie)
//! ```
//!
//! [`Chip`] is all that a host program needs: the same accesses to BAR 0 that reach a card reach it, and time
//! passes in [`Chip::advance`]. What the hardware does not define, or this simulator does not have, is a
//! [`fault::Fault`] that says whose fault it is, and where; nothing is guessed.

pub mod arc;
mod asynchronous;
mod chip;
mod dram;
mod ethernet;
pub mod fault;
mod grid;
mod host;
mod l1;
mod noc;
mod pcie;
mod rv32;
mod system;
mod tensix;
mod tile;
pub mod trace;
mod vector_unit;

pub use asynchronous::Mode;
pub use chip::{Chip, ChipConfig, Counters, Progress};
pub use fault::{Blame, Fault, Location};
pub use pcie::HostMemory;
pub use system::System;
pub use trace::{TraceConfig, TraceError};
pub use vector_unit::VectorUnit;
