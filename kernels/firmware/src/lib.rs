//! Code of the five baby RISC-V cores of a Tensix tile.
//!
//! One image a core (`src/bin`), all from this library. [`rt`] is the layer over the hardware (MMIO, NoC,
//! Tensix instruction stream, launch loop); [`ops`] holds the operators, each split over the five cores:
//!
//! | core | in an operator |
//! |---|---|
//! | BRISC | reads weights over NoC 0, joins the others, reports completion |
//! | TRISC0 | drives the unpackers: L1 -> SrcA, SrcB |
//! | TRISC1 | drives the matrix unit: SrcA, SrcB -> Dst |
//! | TRISC2 | drives the packers: Dst -> L1 |
//! | NCRISC | gathers activations and writes results over NoC 1 |
#![no_std]

pub mod ops;
pub mod rt;

pub use tt_kernel::{image, semwait, ttinsn, ttprogram};
