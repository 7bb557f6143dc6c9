//! The layer between operators and hardware, with all unsafe code of the firmware: addresses are made here and in `tt_kernel`, and operators get
//! registers as functions and memory as slices and checked ranges ([`l1`]).

pub mod activations;
pub mod boot;
pub mod ethernet;
pub mod experts;
pub mod handout;
pub mod heap;
pub mod lane;
pub mod launch;
pub(crate) mod leader;
pub mod ring;
pub mod rows;
pub mod spread;
pub mod sync;
pub mod tilize;

// What the firmware shares with kernels of users.
pub use tt_kernel::{
    chip, clock, elements, l1, math, matrix, mmio, noc, pack, tensix, to_dst, to_src, unpack, vector,
};
