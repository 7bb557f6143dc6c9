//! A chip as software: RISC-V cores, Tensix coprocessors, NoC, DRAM and the host's windows.
//!
//! ```text
//! fabric   Chip, System: which tile an access reaches, delivery of packets, windows of the host
//! engine   runs tiles: one pipeline, and a policy that decides when things happen
//! observe  race detector, trace, timeline, counters: they change nothing
//! model    state and effects of one thing: rv32 tensix l1 noc dram eth arc pcie tile grid
//! ```
//! Each may use those below it, and all of them may use [`fault`]; `cargo xtask layers` checks that.
//!
//! Which chip it is, and so sizes, registers and limits, is the board's data ([`tt_isa::chip`]). Parts that differ in more
//! than that are Wormhole's; a chip of another design ([`tt_isa::chip::Designs`]) has faults in their place.
//!
//! A host program needs only [`Chip`]: it takes the same accesses to BAR 0 as a card, and time passes in
//! [`Chip::advance`]. Anything undefined in hardware, or unimplemented here, is a [`fault::Fault`] that says who is
//! to blame, and where; nothing is guessed.

mod engine;
mod fabric;
pub mod fault;
mod model;
mod observe;

pub use engine::Mode;
pub use fabric::{Chip, ChipConfig, Counters, Progress, System};
pub use fault::{Blame, Fault, Location};
pub use model::arc;
pub use model::defect::{Defect, LinkEffect, Unit as DeadUnit, UnknownDefect};
pub use model::pcie::HostMemory;
pub use model::vector_unit::VectorUnit;
pub use observe::trace::{self, HostTimeline, KernelSpan, Mark, TraceConfig, TraceError, Track};
pub use observe::usage;
