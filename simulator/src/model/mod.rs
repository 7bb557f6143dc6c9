//! Models: the state of each hardware block, and what an instruction or a packet does to it.
//!
//! ```text
//! tile:  rv32 (cores) -> registers -> tensix (coprocessor) <-> l1 <-> noc (NIUs)
//! eth, dram, arc, pcie: the other tiles       grid: which tile a coordinate means
//! ```
//!
//! A model does not know the chip around it, time, or observers. Memories can keep a log of accesses
//! ([`access`]), which the engine reads.

pub mod access;
pub mod arc;
pub mod defect;
pub mod dram;
pub mod eth;
pub mod grid;
pub mod l1;
pub mod noc;
pub mod pcie;
pub mod rv32;
pub mod tensix;
pub mod tile;
pub mod vector_unit;
