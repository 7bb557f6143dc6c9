//! State and effects of one thing each: what a register holds, what an instruction or a packet does to it.
//!
//! ```text
//! tile:  rv32 (cores) -> registers -> tensix (coprocessor) <-> l1 <-> noc (NIUs)
//! eth, dram, arc, pcie: the other tiles       grid: which tile a coordinate means
//! ```
//!
//! Nothing here knows of the chip around it, of time, or of who watches. Memories can keep a log of what is accessed
//! ([`access`]), for whoever runs them.

pub mod access;
pub mod arc;
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
