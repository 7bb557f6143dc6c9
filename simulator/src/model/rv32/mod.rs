//! The baby RISC-V cores: RV32IM, one instruction at a time, no traps (`TensixTile/BabyRISCV/README.md`).
//!
//! [`decode`] turns a code word into a compact [`Op`], [`CodeCache`] keeps the decoded words of a tile, [`alu`] defines
//! what instructions compute, and [`Hart`] executes them, page by page ([`mod@page`]). Loads and stores go to the tile
//! through [`Bus`].
//!
//! A code word whose low two bits are not `11` is a Tensix instruction in line (`.ttinsn`).

pub mod alu;
mod bus;
mod code;
mod decode;
mod hart;
mod page;
mod spin;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use bus::{Access, Bus, check_register_store, lane, no_code};
pub use code::{CodeCache, PAGE_BYTES};
pub use decode::{Kind, NO_REGISTER, Op, decode};
pub use hart::{Hart, Retired, Stop};
pub use spin::Spin;
