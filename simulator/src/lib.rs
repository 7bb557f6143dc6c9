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

mod engine;
mod fabric;
pub mod fault;
mod model;
mod observe;

pub use engine::Mode;
pub use fabric::{Chip, ChipConfig, Counters, Progress, System};
pub use fault::{Blame, Fault, Location};
pub use model::arc;
pub use model::pcie::HostMemory;
pub use model::vector_unit::VectorUnit;
pub use observe::trace::{self, TraceConfig, TraceError};
