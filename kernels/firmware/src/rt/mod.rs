//! The layer between operators and hardware, with all unsafe code of the firmware: addresses are made here, and operators get
//! registers as functions and memory as slices and checked ranges ([`l1`]).

pub mod activations;
pub mod boot;
pub mod chip;
pub mod elements;
pub mod ethernet;
pub mod heap;
pub mod l1;
pub mod lane;
pub mod launch;
pub(crate) mod leader;
pub mod math;
pub mod mmio;
pub mod noc;
pub mod pack;
pub mod rows;
pub mod spread;
pub mod start;
pub mod sync;
pub mod tensix;
pub mod tilize;
pub mod unpack;
