//! What host and device must agree on for making F16 or BF16 tiles of weights without a second rounding ([`crate::exact`]), for products of many rows
//! ([`crate::matmul_block`]): parameters, work split, places in L1 and Dst.
//!
//! Tiles stay in L1, where the product that is the next step looks for them ([`crate::held`]): so who makes a tile is who holds it.
//!
//! A piece of work is a group. Its integers go to Dst in pieces of [`PIECE_TILES`] tiles, which take turns in the half of Dst where products would be; words, outer
//! factors and factors are where they are for products. There are two places for pieces: one is computed while the other is packed.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::exact::{GROUP_TILES, PRODUCTS, WORDS};
use crate::held::{self, ColumnPart, Held, Owners};
use crate::l1::{HEAP, HEAP_END};
use crate::matmul::RESULT_ROWS;
use crate::matmul_block::held_bytes;
use crate::ring::SLOT_BYTES;
use crate::target::CONGRUENCE;

/// Parameters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ExactTilesParams {
    /// Tiles of columns of src0, and which of them become tiles.
    pub n_tiles: u32,
    /// See above.
    pub part: ColumnPart,
    /// Tiles of K.
    pub k_tiles: u32,
    /// Tiles of rows of the product.
    pub row_tiles: u32,
    /// Where each worker leaves its first group ([`held::first`]).
    pub at: u32,
    /// Whether they are F16, not BF16.
    pub is_f16: u32,
}

/// What is added to the bits of a weight's magnitude for F16 tiles, in whose place the packers then cut them off behind ten bits: it becomes [`held::WEIGHTS_UP`] larger, and is rounded to the nine
/// bits that the matrix unit takes, ties away from zero. (A zero becomes so small a number that the packers make it zero again.)
pub const TO_F16: u32 = (held::WEIGHTS_UP << 23) + (1 << 13);

/// Tiles of a piece.
pub const PIECE_TILES: u32 = 2;
/// Rows of Dst (32 bits wide) of a tile.
pub const TILE_SPAN: u32 = RESULT_ROWS;
/// Places of pieces in Dst.
pub const PIECES: u32 = 2;
/// Groups that L1 holds at once as they come.
pub const SLOTS: u32 = 6;

const _: () = {
    assert!(PRODUCTS == 0 && PIECES * PIECE_TILES * TILE_SPAN <= WORDS);
    // What is held is behind them.
    assert!(SLOTS * SLOT_BYTES <= HEAP_END - HEAP - held_bytes(1));
    assert!(held_bytes(u32::MAX) <= held_bytes(1));
    assert!((HEAP | SLOT_BYTES).is_multiple_of(CONGRUENCE));
};

/// Where group `number` comes in.
pub const fn slot(number: u32) -> u32 {
    HEAP + number % SLOTS * SLOT_BYTES
}

/// First row of Dst of tile `tile` of piece `number`.
pub const fn rows(number: u32, tile: u32) -> u32 {
    (number % PIECES * PIECE_TILES + tile) * TILE_SPAN
}

impl ExactTilesParams {
    /// What the tile at `place` in a grid, worker number `index`, makes and holds.
    pub const fn held(&self, place: [u32; 2], grid: [u32; 2], index: u32) -> Held {
        let owners = Owners::new(self.row_tiles, place, grid, index);
        Held::new(self.n_tiles, self.k_tiles, self.part, owners, self.at)
    }
}

/// The groups of a tile, one after the other: how many tiles each has.
#[derive(Clone, Copy, Debug)]
pub struct Groups {
    k_tiles: u32,
    /// The next one's number in its column.
    number: u32,
    left: u32,
}

impl Groups {
    /// `count` groups, from number `number` of a column on.
    pub const fn new(k_tiles: u32, number: u32, count: u32) -> Self {
        Self { k_tiles, number, left: count }
    }
}

impl Iterator for Groups {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.left = self.left.checked_sub(1)?;
        let count = held::tiles(self.k_tiles, self.number);
        self.number += 1;
        if self.number * GROUP_TILES as u32 >= self.k_tiles {
            self.number = 0;
        }
        Some(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_cover_all_tiles() {
        for (n_tiles, k_tiles, row_tiles) in [(3, 64, 16), (2, 7, 2), (1, 1, 5), (95, 9, 33)] {
            let part = ColumnPart::WHOLE;
            let params = ExactTilesParams { n_tiles, part, k_tiles, row_tiles, at: HEAP, is_f16: 0 };
            let mut tiles = Vec::new();
            for index in 0..72 {
                let held = params.held([index % 8, index / 8], [8, 9], index);
                let groups = Groups::new(k_tiles, held.group(0).1, held.count());
                for (number, count) in (0..).zip(groups) {
                    let (n_tile, group) = held.group(number);
                    tiles.extend((0..count).map(|tile| (n_tile, group * 8 + tile)));
                }
            }
            tiles.sort_unstable();
            let expected = (0..n_tiles).flat_map(|n| (0..k_tiles).map(move |k| (n, k)));
            assert!(tiles.into_iter().eq(expected), "{n_tiles} x {k_tiles}");
        }
    }
}
