//! What host and device must agree on for bringing rows of activations to the order of [`crate::matmul_block`] by the Tensix units: parameters, work split, places in
//! L1. A piece of work is a tile of rows, some tiles of K; it fills a half of Dst.
//!
//! The matrix unit takes seven significant bits of SrcB in a fidelity phase. With block float weights one phase has to do for what an activation has: they are rounded to so many bits
//! ([`SEVEN_BITS`]), since BF16's eighth bit would cost half as much time again and is less than what these weights have lost.
//!
//! F16 tiles of weights are smaller numbers to the matrix unit than they are ([`crate::held`]), and activations are as much larger then ([`LARGER`]). A power of two is exact. What has no room
//! becomes infinite, which is 2^128 to the matrix unit: an activation of 2^27 or more counts as 2^28.
//!
//! What a gated unit gives is brought there at once, without rows in between, by the kernel of [`crate::sfpu`]: its blocks are [`Strip`]s then.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::l1::HEAP;
use crate::matmul::TILE;
use crate::matmul_block::{ACT_TILE_BYTES, rows_at_once};
use crate::ring::RING;
use crate::sfpu::{BLOCK, BLOCK_BYTES};
use crate::target::{CONGRUENCE, offset};
use crate::view::ElementType;
use tt_isa::format::{DST_ROWS_32, FACE_DIM};

/// Parameters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct OrderParams {
    /// Tiles of k.
    pub k_tiles: u32,
    /// Tiles of rows.
    pub row_tiles: u32,
}

/// Flag of the descriptor of an operator that brings activations to their order: they have seven significant bits, not eight.
pub const SEVEN_BITS: u32 = 1 << 1;

/// Flag of the descriptor of such an operator: they are 2^[`ACTIVATIONS_UP`](crate::held::ACTIVATIONS_UP) as large.
pub const LARGER: u32 = 1 << 2;

/// The bit of FP32 below the last one of seven significant bits and of what the packers round by, which add half of BF16's last bit: with so much more they round to the nearest of seven
/// bits, ties away from zero. (The last bit of BF16 then is of no significance.)
pub const HALF_OF_SEVEN: u32 = 1 << 15;

/// What the descriptor of an operator that brings activations to their order says of them, where what they are multiplied with has this type. (Of exact weights: what becomes of these.)
pub const fn flags_for(weights: ElementType) -> u32 {
    match weights {
        ElementType::TilesBfp8 | ElementType::TilesBfp4 => SEVEN_BITS,
        ElementType::TilesF16 => LARGER,
        _ => 0,
    }
}

/// Tiles of K of a piece, at most.
pub const PIECE_TILES: u32 = 4;
/// Bytes of a row of a piece in L1, FP32.
pub const ROW_BYTES: u32 = 4 * TILE * PIECE_TILES;
/// Rows of Dst (32 bits wide) that a row of a piece takes.
pub const ROW_SPAN: u32 = TILE * PIECE_TILES / FACE_DIM as u32;
/// Rows of a half of Dst, which a piece fills.
pub const HALF_ROWS: u32 = DST_ROWS_32 as u32 / 2;
/// Pieces that L1 holds at once, as they come, and as they go.
pub const SLOTS: u32 = 4;

const PIECE_BYTES: u32 = TILE * ROW_BYTES;
const SLOT: u32 = PIECE_BYTES + CONGRUENCE;
const OUT: u32 = HEAP + SLOTS * SLOT;
/// Bytes of a piece in its order.
pub const OUT_SLOT: u32 = PIECE_TILES * ACT_TILE_BYTES;

const _: () = {
    assert!(TILE * ROW_SPAN == HALF_ROWS);
    // (It leaves the ring of weights alone: `crate::ahead::keeps_ring`.)
    assert!(OUT + SLOTS * OUT_SLOT <= RING && SLOT.is_multiple_of(CONGRUENCE));
    // All rows of a strip are as far from a line of the NoC as its first one, and what becomes of it fits a result's slot.
    assert!(STRIP_ROW_BYTES.is_multiple_of(CONGRUENCE) && STRIP_TILES * STRIP_TILE_BYTES <= BLOCK_BYTES);
};

/// Where the rows of piece `number` come in, whose first byte in DRAM is `addr`, and their bytes.
pub const fn rows(number: u32, addr: u64) -> (u32, u32) {
    (HEAP + number % SLOTS * SLOT + offset(addr), PIECE_BYTES)
}

/// Where the tiles of piece `number` are.
pub const fn tiles(number: u32) -> u32 {
    OUT + number % SLOTS * OUT_SLOT
}

/// A piece of work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Piece {
    /// Tile of rows.
    pub row_tile: u32,
    /// First tile of K, and how many.
    pub first: u32,
    /// See above.
    pub count: u32,
}

/// A block of the vector unit: half a tile of rows, and two tiles of K.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Strip {
    /// Tile of rows, and which half of it.
    pub row_tile: u32,
    /// See above.
    pub half: u32,
    /// First tile of K.
    pub first: u32,
}

/// Rows of a strip.
pub const STRIP_ROWS: u32 = TILE / 2;
/// Tiles of K of a strip.
pub const STRIP_TILES: u32 = BLOCK / STRIP_ROWS / TILE;
/// Bytes of a strip's row, FP32.
pub const STRIP_ROW_BYTES: u32 = 4 * TILE * STRIP_TILES;
/// Rows of Dst that a strip's row takes, and a tile's part of it.
pub const STRIP_SPAN: u32 = TILE * STRIP_TILES / FACE_DIM as u32;
/// See above.
pub const TILE_SPAN: u32 = TILE / FACE_DIM as u32;
/// Bytes of what a strip has of a tile, in its order.
pub const STRIP_TILE_BYTES: u32 = ACT_TILE_BYTES / 2;

impl Strip {
    /// First row.
    pub const fn row(&self) -> u32 {
        self.row_tile * TILE + self.half * STRIP_ROWS
    }
}

impl OrderParams {
    /// Those of a matrix of so many elements of K and rows.
    pub const fn of([k, rows]: [u32; 2]) -> Self {
        Self { k_tiles: k.div_ceil(TILE), row_tiles: rows.div_ceil(TILE) }
    }

    /// How many strips there are, of whole ones in a row.
    pub const fn strips(&self) -> u32 {
        2 * self.row_tiles * (self.k_tiles / STRIP_TILES)
    }

    /// Strip `number`.
    pub const fn strip(&self, number: u32) -> Strip {
        let per_row = self.k_tiles / STRIP_TILES;
        let row = number / per_row;
        Strip { row_tile: row / 2, half: row % 2, first: number % per_row * STRIP_TILES }
    }

    /// Offset in bytes of a tile: the tiles of the rows of a group follow one another.
    pub const fn offset(&self, row_tile: u32, k: u32) -> u32 {
        let at_once = rows_at_once(self.row_tiles);
        let group = row_tile / at_once * at_once;
        let left = self.row_tiles - group;
        let rows = if left < at_once { left } else { at_once };
        (group * self.k_tiles + k * rows + row_tile - group) * ACT_TILE_BYTES
    }

    const fn per_row(&self) -> u32 {
        self.k_tiles.div_ceil(PIECE_TILES)
    }

    /// How many pieces there are.
    pub const fn pieces(&self) -> u32 {
        self.row_tiles * self.per_row()
    }

    /// Piece `number`.
    pub const fn piece(&self, number: u32) -> Piece {
        let first = number % self.per_row() * PIECE_TILES;
        let left = self.k_tiles - first;
        Piece {
            row_tile: number / self.per_row(),
            first,
            count: if left < PIECE_TILES { left } else { PIECE_TILES },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_cover_all_tiles_once() {
        let params = OrderParams::of([192, 70]);
        let mut seen: Vec<_> = (0..params.strips())
            .map(|number| params.strip(number))
            .flat_map(|strip| (0..STRIP_TILES).map(move |k| (strip.row(), strip.first + k)))
            .collect();
        seen.sort_unstable();
        let expected: Vec<_> = (0..6).flat_map(|row| (0..6).map(move |k| (row * STRIP_ROWS, k))).collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn tiles_have_places_of_their_own() {
        for rows in [1, 5 * 32, 17 * 32] {
            let params = OrderParams::of([96, rows]);
            let tiles = params.k_tiles * params.row_tiles;
            let mut places: Vec<u32> =
                (0..tiles).map(|tile| params.offset(tile / params.k_tiles, tile % params.k_tiles)).collect();
            places.sort_unstable();
            assert!(places.into_iter().eq((0..tiles).map(|tile| tile * ACT_TILE_BYTES)));
        }
    }

    #[test]
    fn pieces_cover_all_tiles_once() {
        for (k_tiles, row_tiles) in [(64, 16), (7, 3), (1, 1), (4, 2)] {
            let params = OrderParams { k_tiles, row_tiles };
            let mut all = Vec::new();
            for number in 0..params.pieces() {
                let piece = params.piece(number);
                assert!((1..=PIECE_TILES).contains(&piece.count));
                all.extend((piece.first..piece.first + piece.count).map(|k| (piece.row_tile, k)));
            }
            let expected: Vec<_> =
                (0..row_tiles).flat_map(|row| (0..k_tiles).map(move |k| (row, k))).collect();
            assert_eq!(all, expected);
        }
    }
}
