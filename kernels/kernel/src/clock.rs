//! The wall clock of the tile: clocks of the chip since it was started (`RISCV_DEBUG_REG_WALL_CLOCK_L`, `_H`).
#![allow(unsafe_code)]

use crate::mmio::Register;
use tt_isa::map::{DEBUG_REGS_BASE, WALL_CLOCK_H, WALL_CLOCK_L};

/// Its value. A look at the low half keeps the high one that belongs to it.
pub fn now() -> u64 {
    let half = |register: u32| {
        // SAFETY: one half of the tile's wall clock.
        u64::from(unsafe { Register::at(DEBUG_REGS_BASE + register) }.load_and_wait())
    };
    half(WALL_CLOCK_L) | half(WALL_CLOCK_H) << 32
}
