//! A product with weights that are not rounded a second time ([`tt_kernel_quant::exact`]): where its intermediate results are in Dst and L1.
//!
//! What is multiplied is in the lower half of Dst, which is zeroed before; what the vector unit keeps is in the upper half:
//!
//! ```text
//!   0  PRODUCTS  products with the integers, or with the first 16 elements of each k-tile
//!  64  SECOND    those with the other 16, or sums of activations (products with ones)
//! 128  THIRD     sums of the other 16
//! 256  WORDS     words and outer factors of two groups, as they lie in L1: the unpacker brings them
//! 288  OUTER     outer factors, in each of four rows
//! 304  FACTORS   words as numbers, in each of four rows: 16 rows a tile, as its products
//! 368  RESULTS   sums of a unit's tile of rows, for two units
//! ```
//!
//! With several rows of activations, four k-tiles of a group are multiplied at a time, for one group of 8 rows. Tile t of them has 16 rows from 16 t on, as every product:
//! columns 0 to 15 in the first eight, columns 16 to 31 in the others.
//!
//! With a single row of activations, each of four k-tiles has a row of its own in the same 16 rows (rows 0 to 3, and 8 to 11), and the next four k-tiles are in the 16
//! rows behind them. Nothing is in [`FACTORS`], and results are four rows to the end of a unit, the sums of four k-tiles.

use tt_isa::format::FACE_DIM;
pub use tt_kernel_quant::exact::{GROUP_TILES, INTEGER_BYTES, Kind, REGISTER_TILES};

use crate::matmul::{GROUPS, RESULT_ROWS, RING_SLOT_BYTES, WEIGHT_STAGE, WEIGHT_STAGE_BYTES};
use crate::ring::SLOT_BYTES;

/// k-tiles of half a group: whose products are apart at a time, or in the same rows of Dst.
pub const TILES: u32 = REGISTER_TILES as u32;
/// Rows of Dst of a k-tile's product with a group of rows, or of those of four k-tiles with a single row.
pub const TILE_ROWS: u32 = RESULT_ROWS / GROUPS;
/// First row of products.
pub const PRODUCTS: u32 = 0;
/// First row of second products.
pub const SECOND: u32 = PRODUCTS + TILES * TILE_ROWS;
/// First row of third ones.
pub const THIRD: u32 = SECOND + TILES * TILE_ROWS;
/// First row of what the unpacker brings.
pub const WORDS: u32 = tt_isa::format::DST_ROWS_32 as u32 / 2;
/// Groups whose words are there at a time.
pub const WORD_SLOTS: u32 = 2;
/// Rows of a group's words and outer factors.
pub const WORD_ROWS: u32 = 16;
/// First row of outer factors.
pub const OUTER: u32 = WORDS + WORD_SLOTS * WORD_ROWS;
/// First row of words as numbers.
pub const FACTORS: u32 = OUTER + TILE_ROWS;
/// First row of results.
pub const RESULTS: u32 = FACTORS + TILES * TILE_ROWS;
/// First row behind all.
pub const END: u32 = RESULTS + 2 * RESULT_ROWS;

/// A tile of ones: columns of sums are products with it.
pub const ONES: u32 = WEIGHT_STAGE;
/// Four bytes of it.
pub const ONES_WORD: u32 = 0x0101_0101;

/// The exponent of all integers: magnitude 64 is the mantissa's first bit (`SrcASrcB.md`), and 1 is 1.0.
pub const EXPONENT: u32 = 127 + 6;

/// Cells of 32 bits behind a group's integers that are brought to Dst: those that there are, and more up to whole registers of the vector unit, four rows.
pub const fn cells(kind: Kind) -> u32 {
    (kind.group_bytes(0) / 4).next_multiple_of(4 * FACE_DIM) as u32
}

const _: () = {
    assert!(THIRD + TILES * TILE_ROWS <= WORDS);
    assert!(2 * TILES == GROUP_TILES as u32 && tt_kernel_quant::exact::CELLS == FACE_DIM);
    assert!(END <= tt_isa::format::DST_ROWS_32 as u32);
    assert!(INTEGER_BYTES as u32 <= WEIGHT_STAGE_BYTES);
    let mut i = 0;
    while i < Kind::ALL.len() {
        let bytes = Kind::ALL[i].group_bytes(GROUP_TILES) as u32;
        // (What a slot of the other ring takes is more than this one's.)
        assert!(bytes <= SLOT_BYTES && SLOT_BYTES <= RING_SLOT_BYTES);
        let integers = (GROUP_TILES * INTEGER_BYTES) as u32;
        assert!(integers + 4 * cells(Kind::ALL[i]) <= SLOT_BYTES);
        assert!(cells(Kind::ALL[i]) <= 16 * WORD_ROWS);
        i += 1;
    }
};
