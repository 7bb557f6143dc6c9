//! The chip that these images are for: its data, its instructions, its registers.
//!
//! Every other module takes from here what differs from chip to chip. All of it are constants.

pub use tt_kernel_abi::target::{CHIP, insn};

/// Configuration fields.
#[cfg(feature = "wormhole")]
pub use tt_isa::cfg::{config as cfg, thread};

use tt_isa::noc::{NiuMap, NiuRegisters};

/// NIUs and the limits of requests.
pub const NIU: NiuMap = CHIP.noc;
/// Registers of an NIU.
pub const REG: NiuRegisters = CHIP.noc.registers;

/// Conditions of `STALLWAIT`.
pub mod until {
    use super::CHIP;

    /// The thread's memory requests in the scalar unit are done.
    pub const THCON: u32 = CHIP.until.thcon;
    /// Unpacker 0 has nothing of the thread's.
    pub const UNPACK0: u32 = CHIP.until.unpack0;
    /// Neither unpacker has.
    pub const UNPACK: u32 = CHIP.until.unpack;
    /// No packer has.
    pub const PACK: u32 = CHIP.until.pack;
    /// The matrix unit has nothing of the thread's.
    pub const MATH: u32 = CHIP.until.math;
    /// The bank of SrcA that unpacker 0 fills next is its own.
    pub const SRCA_CLEAR: u32 = CHIP.until.srca_clear;
    /// The bank of SrcB that unpacker 1 fills next is its own.
    pub const SRCB_CLEAR: u32 = CHIP.until.srcb_clear;
    /// The matrix unit's bank of SrcA is its own.
    pub const SRCA_VALID: u32 = CHIP.until.srca_valid;
    /// The matrix unit's bank of SrcB is its own.
    pub const SRCB_VALID: u32 = CHIP.until.srcb_valid;
    /// The T core's accesses to GPRs, configuration and TDMA-RISC have arrived.
    pub const RISCV: u32 = CHIP.until.riscv;
    /// The vector unit has nothing of the thread's.
    pub const SFPU: u32 = CHIP.until.sfpu;
}

// Reading from a core's data cache what the NoC or another core has written would need other code in `mmio`.
const _: () = assert!(CHIP.tile.data_cache.is_none());
// `pack` drives four packers.
const _: () = assert!(CHIP.tile.packers == 4);
