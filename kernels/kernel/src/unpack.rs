//! What configurations of the unpackers have in common.

use super::l1::L1;
use tt_isa::format::DataFormat;

/// Address counter set of unpacker 0 (`ADCs.md`).
pub const UNPACKER0: u32 = 1 << 0;
/// Address counter set of unpacker 1.
pub const UNPACKER1: u32 = 1 << 1;
/// Datums in front of the first one that unpacker 0 can write, in SrcA and in Dst (`UNPACR_Regular.md`).
pub const FIRST_DATUM: u32 = 64;
/// Unpacker speed: 64 bytes a cycle.
pub const THROTTLE_X4: u32 = 2;
/// "Disable zero compression" in every context: nothing in L1 is compressed.
pub const UNCOMPRESSED: u32 = 0xF | (0xF << 16);

/// What the vendor's documents call the base address of a buffer: 16-byte units, one less.
#[inline(always)]
pub fn base_address(l1: L1) -> u32 {
    (l1.address() >> 4) - 1
}

/// First word of an unpacker's tile descriptor: format, uncompressed, extent in x.
pub const fn tile_descriptor(format: DataFormat, x: u32) -> u32 {
    (x << 16) | (1 << 4) | format as u32
}

/// Second word: extents in y and z.
pub const fn tile_descriptor_yz(y: u32, z: u32) -> u32 {
    y | (z << 16)
}
