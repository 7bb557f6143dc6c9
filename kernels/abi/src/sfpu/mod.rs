//! How elementwise operators use the vector unit (SFPU): blocks of elements, and where they are in L1 and in Dst.
//!
//! ```text
//! DRAM -> ring of blocks in L1 -> Dst (32 bits) -> program of the function, 32 elements at a time -> Dst -> L1 -> DRAM
//! ```
//!
//! Functions of whole rows: [`rows`]. The programs are in `tt-kernel-sfpu`.

pub mod rows;

use crate::l1::HEAP;
use crate::target::{CONGRUENCE, offset};

/// Flag of a descriptor of an elementwise operator: it runs on the vector unit, not on the data-movement cores.
pub const ON_SFPU: u32 = 1 << 0;

/// Elements of a block: what one unpack brings, and what four packers pack.
pub const BLOCK: u32 = 1024;
/// Bytes of a block.
pub const BLOCK_BYTES: u32 = 4 * BLOCK;
/// Addresses and strides of operands are multiples of this: unpackers, packers and NoC move 16-byte units.
pub const ALIGN: u64 = 16;

/// Rows of Dst (32 bits wide) that a block takes.
pub const BLOCK_ROWS: u32 = BLOCK / 16;
/// Blocks of each operand that Dst holds at once.
pub const DST_SLOTS: u32 = 4;
/// Rows of Dst of a slot: first operand and result, then second operand.
pub const DST_SLOT_ROWS: u32 = 2 * BLOCK_ROWS;

/// Blocks of each operand, and of results, that L1 holds at once.
pub const SLOTS: u32 = 8;
/// Bytes of an operand's slot: a block, and what its address is off modulo [`CONGRUENCE`].
const OPERAND_BYTES: u32 = BLOCK_BYTES + CONGRUENCE;
/// First byte of the results' ring.
const RESULTS: u32 = HEAP + 2 * SLOTS * OPERAND_BYTES;

/// Where block `number` of an operand (0 or 1) begins, whose address in DRAM is `addr`: the NoC wants both to agree
/// modulo [`CONGRUENCE`].
pub const fn operand_slot(operand: u32, number: u32, addr: u64) -> u32 {
    HEAP + (2 * (number % SLOTS) + operand) * OPERAND_BYTES + offset(addr)
}

/// Where block `number` of the result begins.
pub const fn result_slot(number: u32) -> u32 {
    RESULTS + number % SLOTS * BLOCK_BYTES
}

/// First byte of the room for parameters that come from DRAM.
const PARAMETERS: u32 = RESULTS + SLOTS * BLOCK_BYTES;

/// Where parameters come in whose address in DRAM is `addr`.
pub const fn parameters_slot(addr: u64) -> u32 {
    PARAMETERS + offset(addr)
}

const _: () = {
    assert!((HEAP | OPERAND_BYTES | PARAMETERS).is_multiple_of(CONGRUENCE) && RESULTS.is_multiple_of(16));
    assert!(PARAMETERS + CONGRUENCE + 4 * crate::elementwise::MAX_OPT_PARAMS <= crate::ring::RING);
    // 32-bit rows of Dst.
    assert!(DST_SLOTS * DST_SLOT_ROWS <= tt_isa::format::DST_ROWS_32 as u32);
};
