//! The layer between operators and hardware.

pub mod launch;
pub mod mmio;
pub mod noc;
pub mod start;
pub mod sync;
pub mod tensix;
