//! Sums of what a token's experts have made, each times its weight: how the work is cut, and where things are in L1.
//!
//! ```text
//! dst[t][n] = src0[t][0][n] * src1[t][0] + src0[t][1][n] * src1[t][1] + .. + more[0][t][n]
//! ```
//! src0 has the rows of experts (columns, experts, tokens), src1 their weights (1, experts, tokens), and `more[0]`, if it is there, is a row for each token. A **unit** is a token and some of its
//! columns. All of its rows come to Dst one behind the other, the addend's last.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::l1::HEAP;
use crate::ring::RING;
use crate::sfpu::BLOCK_BYTES;
use crate::target::CONGRUENCE;
use tt_isa::format::{DST_ROWS_32, FACE_DATUMS, FACE_DIM};

/// Most experts of a token.
pub const MAX_SUMMED: u32 = 32;
/// Columns of a unit are a multiple of this: four rows of Dst, of which a register of the vector unit takes the even or the odd columns.
pub const STEP: u32 = 4 * FACE_DIM as u32;
/// Most elements of a unit, of all rows: those of Dst.
pub const MAX_ELEMENTS: u32 = (DST_ROWS_32 * FACE_DIM) as u32;
/// Most columns of a unit: those of two packers.
pub const MAX_COLUMNS: u32 = 2 * FACE_DATUMS as u32;

/// Parameters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ExpertSumParams {
    /// Tokens times [`per_row`](Self::per_row).
    pub units: u32,
    /// Units of a token.
    pub per_row: u32,
    /// Columns of a unit.
    pub columns: u32,
    /// Experts of a token.
    pub experts: u32,
}

/// Units that L1 holds at once.
pub const SETS: u32 = 2;
/// Bytes of a unit's rows, and of its weights with their alignment offset.
const ROWS_BYTES: u32 = 4 * MAX_ELEMENTS;
/// See above.
const WEIGHTS_BYTES: u32 = 4 * MAX_SUMMED + CONGRUENCE;
/// First byte of weights, and of results.
const WEIGHTS: u32 = HEAP + SETS * ROWS_BYTES;
/// See above.
const RESULTS: u32 = WEIGHTS + SETS * WEIGHTS_BYTES;

/// Where the rows of a tile's unit `number` are.
pub const fn rows(number: u32) -> u32 {
    HEAP + number % SETS * ROWS_BYTES
}

/// Where its weights are, before the alignment offset.
pub const fn weights(number: u32) -> u32 {
    WEIGHTS + number % SETS * WEIGHTS_BYTES
}

/// Where its result is: packers are aimed at a block.
pub const fn result(number: u32) -> u32 {
    RESULTS + number % SETS * BLOCK_BYTES
}

const _: () = {
    assert!(RESULTS + SETS * BLOCK_BYTES <= RING);
    assert!((HEAP | ROWS_BYTES | WEIGHTS | WEIGHTS_BYTES | RESULTS).is_multiple_of(CONGRUENCE));
    assert!((MAX_SUMMED + 1) * STEP <= MAX_ELEMENTS && 4 * STEP >= CONGRUENCE);
};
