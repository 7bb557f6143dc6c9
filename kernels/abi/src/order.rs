//! What host and device must agree on for bringing rows of activations to the order of [`crate::matmul_block`] by the Tensix units: parameters, work split, places in
//! L1. A piece of work is a tile of rows, some tiles of K; it fills a half of Dst.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::l1::{HEAP, HEAP_END};
use crate::matmul::TILE;
use crate::matmul_block::ACT_TILE_BYTES;
use crate::target::{CONGRUENCE, offset};
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
    assert!(OUT + SLOTS * OUT_SLOT <= HEAP_END && SLOT.is_multiple_of(CONGRUENCE));
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

impl OrderParams {
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
