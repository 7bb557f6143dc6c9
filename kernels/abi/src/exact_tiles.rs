//! What host and device must agree on for making BF16 tiles of weights without a second rounding ([`crate::exact`]), for products of many rows
//! ([`crate::matmul_block`]): parameters, work split, places in L1 and Dst.
//!
//! A piece of work is a group. Its integers go to Dst in pieces of [`PIECE_TILES`] tiles, which take turns in the half of Dst where products would be; words, outer
//! factors and factors are where they are for products. There are two places for pieces: one is computed while the other is packed.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::exact::{GROUP_TILES, PRODUCTS, WORDS};
use crate::l1::{HEAP, HEAP_END};
use crate::matmul::RESULT_ROWS;
use crate::ring::SLOT_BYTES;
use crate::target::CONGRUENCE;
use crate::view::ElementType;

/// Parameters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ExactTilesParams {
    /// The first tile of columns of src0.
    pub first: u32,
    /// Tiles of columns: all of dst.
    pub n_tiles: u32,
    /// Tiles of K.
    pub k_tiles: u32,
}

/// Tiles of a piece.
pub const PIECE_TILES: u32 = 2;
/// Rows of Dst (32 bits wide) of a tile.
pub const TILE_SPAN: u32 = RESULT_ROWS;
/// Places of pieces in Dst.
pub const PIECES: u32 = 2;
/// Groups that L1 holds at once, as they come, and as tiles.
pub const SLOTS: u32 = 6;
/// Bytes of a tile.
pub const TILE_BYTES: u32 = ElementType::TilesBf16.block_bytes();
/// Bytes of a group's tiles.
pub const OUT_SLOT: u32 = GROUP_TILES as u32 * TILE_BYTES;

const OUT: u32 = HEAP + SLOTS * SLOT_BYTES;

const _: () = {
    assert!(PRODUCTS == 0 && PIECES * PIECE_TILES * TILE_SPAN <= WORDS);
    assert!(OUT + SLOTS * OUT_SLOT <= HEAP_END);
    assert!((HEAP | SLOT_BYTES | OUT_SLOT).is_multiple_of(CONGRUENCE));
};

/// Where group `number` comes in.
pub const fn slot(number: u32) -> u32 {
    HEAP + number % SLOTS * SLOT_BYTES
}

/// Where the tiles of group `number` are.
pub const fn tiles(number: u32) -> u32 {
    OUT + number % SLOTS * OUT_SLOT
}

/// First row of Dst of tile `tile` of piece `number`.
pub const fn rows(number: u32, tile: u32) -> u32 {
    (number % PIECES * PIECE_TILES + tile) * TILE_SPAN
}

/// A piece of work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Group {
    /// Tile of columns of dst.
    pub n_tile: u32,
    /// Group of the column, and its tiles of K.
    pub number: u32,
    /// See above.
    pub count: u32,
}

impl ExactTilesParams {
    const fn per_column(&self) -> u32 {
        self.k_tiles.div_ceil(GROUP_TILES as u32)
    }

    /// How many groups there are.
    pub const fn groups(&self) -> u32 {
        self.n_tiles * self.per_column()
    }

    /// Group `index` of them: in the order in which they lie in src0, as their tiles do in dst.
    pub const fn group(&self, index: u32) -> Group {
        let number = index % self.per_column();
        let left = self.k_tiles - number * GROUP_TILES as u32;
        let count = if left < GROUP_TILES as u32 { left } else { GROUP_TILES as u32 };
        Group { n_tile: index / self.per_column(), number, count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_cover_all_tiles_in_their_order() {
        for (n_tiles, k_tiles) in [(3, 64), (2, 7), (1, 1), (5, 9)] {
            let params = ExactTilesParams { first: 0, n_tiles, k_tiles };
            let tiles = (0..params.groups()).flat_map(|index| {
                let Group { n_tile, number, count } = params.group(index);
                (0..count).map(move |tile| (n_tile, number * 8 + tile))
            });
            let expected = (0..n_tiles).flat_map(|n| (0..k_tiles).map(move |k| (n, k)));
            assert!(tiles.eq(expected), "{n_tiles} x {k_tiles}");
        }
    }
}
