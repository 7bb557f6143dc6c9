//! The chip whose kernels this build is for: one cargo feature a chip.
//!
//! Everything in this crate that depends on a chip's sizes or rules takes them from here, so that the same sources make the
//! kernels of another chip. One build has one chip: an image is made by a build of its own (`kernels/build.rs`), and the
//! host's build has the chip whose kernels it drives. A host that drives two chips at once would need this crate twice.

use tt_isa::chip::Chip;

/// The chip.
#[cfg(feature = "wormhole")]
pub const CHIP: &Chip = &tt_isa::chip::WORMHOLE;

/// Its instructions, with their operands.
#[cfg(feature = "wormhole")]
pub use tt_isa::insn;

#[cfg(not(feature = "wormhole"))]
compile_error!("name the chip by a feature of its name; there are kernels for: wormhole");

/// The NoC wants both ends of a read from DRAM congruent modulo this many bytes: a copy in L1 begins as many bytes behind a
/// multiple of it as its source does. It is a power of two.
pub const CONGRUENCE: u32 = CHIP.noc.read_congruence;

/// Bytes from the multiple of [`CONGRUENCE`] in front of an address to the address, in DRAM and in L1.
#[inline(always)]
pub const fn offset(addr: u64) -> u32 {
    addr as u32 & (CONGRUENCE - 1)
}

/// The same for writes, and reads from L1, whose rule is weaker.
#[inline(always)]
pub const fn write_offset(addr: u64) -> u32 {
    addr as u32 & (CHIP.noc.congruence - 1)
}

const _: () = assert!(CONGRUENCE.is_power_of_two() && CONGRUENCE >= CHIP.noc.congruence);
