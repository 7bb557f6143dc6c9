//! Tiles of weights that one step leaves in L1 for the next ([`crate::exact_tiles`], [`crate::matmul_block`]): who holds what, and where.
//!
//! A product that becomes a gated unit with another one has the weights of both: a step each makes their tiles, those of the first matrix in front of those of the second.
//!
//! Tiles that have columns of a product in common ([`Owners`]) hold the weights of these columns together, a group of [`GROUP_TILES`] tiles of K after the other: a row of the
//! grid where columns of the grid have rows of their own, otherwise each tile its own columns. They are at the end of the heap. In front of them is the number of
//! the launch that has left them there ([`mark`]).
//!
//! Nothing between the steps may use L1: the host starts one right behind the other, and the last one looks for these numbers.
//!
//! Tiles are F16, if all weights of a matrix are in its range, otherwise BF16. The matrix unit multiplies nine bits behind the first one of an F16 number in SrcA, seven of BF16. It is told that
//! SrcA has TF32: an F16 pattern in the place of a TF32 one is a number 2^[`F16_BIAS`] times as small (`SrcASrcB.md`), so activations need not be F16, too. Weights become
//! 2^[`WEIGHTS_UP`] as large in their tiles, and activations 2^[`ACTIVATIONS_UP`] ([`crate::order`]): products are what they were.

use crate::boot::MOST_COLUMNS;
use crate::exact::GROUP_TILES;
use crate::l1::HEAP_END;
use crate::matmul::{F16_BIAS, share};
use crate::target::CONGRUENCE;
use crate::view::ElementType;

/// Most tiles of rows with which every tile multiplies all of them.
pub const FEW: u32 = 4;
/// Bytes of a held tile.
pub const TILE_BYTES: u32 = ElementType::TilesBf16.block_bytes();
/// Bytes of a group's tiles.
pub const GROUP_BYTES: u32 = GROUP_TILES as u32 * TILE_BYTES;
/// Exponent by which weights are larger in F16 tiles: numbers from 2^-26 on have all bits there.
pub const WEIGHTS_UP: u32 = 12;
/// Exponent by which activations are larger that are multiplied with F16 tiles. Those of 2^27 and more have no room.
pub const ACTIVATIONS_UP: u32 = F16_BIAS - WEIGHTS_UP;
/// Weights are in F16's range, which goes to 2^17 in Tensix units (`FloatBitPatterns.md`), if no magnitude is larger than this. (Rounding reaches no further than 32.)
pub const LARGEST_F16: f32 = 31.0;
/// If none is larger than this, small weights lose too much.
pub const LEAST_F16: f32 = 1.0 / 1024.0;

/// The type of the tiles of exact weights none of whose magnitudes is larger than this number. (It may be no number.)
pub const fn tiles_of(largest: f32) -> ElementType {
    if largest > LEAST_F16 && largest <= LARGEST_F16 { ElementType::TilesF16 } else { ElementType::TilesBf16 }
}

/// Bytes in front of the first group.
pub const MARK_BYTES: u32 = CONGRUENCE;

const _: () = assert!(HEAP_END.is_multiple_of(CONGRUENCE) && GROUP_BYTES.is_multiple_of(CONGRUENCE));
const _: () = assert!(TILE_BYTES == ElementType::TilesF16.block_bytes());
// The largest F16 has exponent 31 - 15, and all of its mantissa.
const _: () = assert!(LARGEST_F16 * ((1 << WEIGHTS_UP) as f32) * (1.0 + 1.0 / 1024.0) < (1 << 17) as f32);

/// Whether the columns of the grid have rows of their own.
pub const fn is_spread(row_tiles: u32) -> bool {
    row_tiles > FEW
}

/// The tiles that have columns of a product in common: which part of all columns, and which of these tiles this one is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Owners {
    /// Part of the columns, and how many parts there are.
    pub part: u32,
    /// See above.
    pub parts: u32,
    /// This tile, and how many there are.
    pub member: u32,
    /// See above.
    pub members: u32,
}

impl Owners {
    /// Those of the tile at `place` in a grid, worker number `index`.
    pub const fn new(row_tiles: u32, place: [u32; 2], grid: [u32; 2], index: u32) -> Self {
        match is_spread(row_tiles) {
            true => Self { part: place[1], parts: grid[1], member: place[0], members: grid[0] },
            false => Self { part: index, parts: grid[0] * grid[1], member: 0, members: 1 },
        }
    }
}

/// Where every tile has the first of its groups, if `n_tiles` columns of `k_tiles` tiles of K are held of each of so many matrices (`sides`): those of the first matrix. The host says it to all steps.
pub const fn first(n_tiles: u32, k_tiles: u32, sides: u32, owners: Owners) -> u32 {
    let columns = n_tiles.div_ceil(owners.parts);
    let most = columns.saturating_mul(per_column(k_tiles)).div_ceil(owners.members);
    let bytes = most.saturating_mul(GROUP_BYTES).saturating_add(MARK_BYTES);
    HEAP_END.saturating_sub(bytes.saturating_mul(sides)) + MARK_BYTES
}

/// Where every tile has the first group of matrix `side` of `sides`, if it has that of the first one there.
pub const fn of_side(first: u32, side: u32, sides: u32) -> u32 {
    first + HEAP_END.saturating_sub(mark(first)) / sides * side
}

/// Where the number of the launch is that has left tiles from `first` on.
pub const fn mark(first: u32) -> u32 {
    first.saturating_sub(MARK_BYTES)
}

/// Groups of a column.
pub const fn per_column(k_tiles: u32) -> u32 {
    k_tiles.div_ceil(GROUP_TILES as u32)
}

/// Tiles in group `number` of a column.
pub const fn tiles(k_tiles: u32, number: u32) -> u32 {
    let left = k_tiles - number * GROUP_TILES as u32;
    if left < GROUP_TILES as u32 { left } else { GROUP_TILES as u32 }
}

/// From the first group to a tile: that tile `k` of K of a column is in, if the column's first group is the one with this number.
pub const fn offset(first_group: u32, k: u32) -> u32 {
    (first_group + k / GROUP_TILES as u32) * GROUP_BYTES + k % GROUP_TILES as u32 * TILE_BYTES
}

/// What is held together of `n_tiles` columns of tiles of K.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Held {
    /// The first column.
    first_column: u32,
    /// Groups of a column.
    per_column: u32,
    /// The first group of each tile that holds some of it, and numbers that no group has. (Cores take tens of clocks for a division: a group is looked for among these.)
    firsts: [u32; MOST_COLUMNS],
    /// The first group of this tile, and how many it holds.
    own: u32,
    count: u32,
    /// Where each tile has its first one.
    at: u32,
}

impl Held {
    /// Tiles of `n_tiles` columns of `k_tiles` tiles of K, from `at` on.
    #[inline(never)]
    pub const fn new(n_tiles: u32, k_tiles: u32, owners: Owners, at: u32) -> Self {
        let (first_column, columns) = share(n_tiles, owners.part, owners.parts);
        let per_column = per_column(k_tiles);
        let groups = columns * per_column;
        let (own, count) = share(groups, owners.member, owners.members);
        let mut firsts = [u32::MAX; MOST_COLUMNS];
        let mut member = 0;
        while member < MOST_COLUMNS && (member as u32) < owners.members {
            firsts[member] = share(groups, member as u32, owners.members).0;
            member += 1;
        }
        Self { first_column, per_column, firsts, own, count, at }
    }

    /// How many groups this tile holds.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Column and number of this tile's group `number`.
    pub const fn group(&self, number: u32) -> (u32, u32) {
        let index = self.own + number;
        (self.first_column + index / self.per_column, index % self.per_column)
    }

    /// Who holds tile `k` of K of a column, and where. The tiles behind it follow there, up to the end of its group.
    pub const fn find(&self, column: u32, k: u32) -> (u32, u32) {
        let index = (column - self.first_column) * self.per_column + k / GROUP_TILES as u32;
        // The last one that begins with this group or one before it.
        let (mut member, mut next) = (0, 1);
        while next < MOST_COLUMNS && self.firsts[next] <= index {
            member = next;
            next += 1;
        }
        let number = index - self.firsts[member];
        (member as u32, self.at + offset(number, k % GROUP_TILES as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const GRID: [u32; 2] = [8, 9];

    fn all(n_tiles: u32, k_tiles: u32, row_tiles: u32) -> impl Iterator<Item = (Owners, Held)> {
        (0..72).map(move |index| {
            let owners = Owners::new(row_tiles, [index % 8, index / 8], GRID, index);
            (owners, Held::new(n_tiles, k_tiles, owners, first(n_tiles, k_tiles, 1, owners)))
        })
    }

    #[test]
    fn every_group_is_held_once_where_it_is_looked_for() {
        for (n_tiles, k_tiles) in [(256, 64), (64, 256), (3, 7), (1, 1), (17, 34), (100, 9)] {
            for row_tiles in [1, 4, 5, 16] {
                let mut places = BTreeMap::new();
                for (owners, held) in all(n_tiles, k_tiles, row_tiles) {
                    for number in 0..held.count() {
                        let at = held.at + offset(number, 0);
                        assert!(at >= mark(held.at) + 4 && at + GROUP_BYTES <= HEAP_END);
                        let is_new = places.insert(held.group(number), (owners.part, owners.member, at));
                        assert_eq!(is_new, None);
                    }
                }
                let per_column = k_tiles.div_ceil(GROUP_TILES as u32);
                assert_eq!(places.len() as u32, n_tiles * per_column);
                for (owners, held) in all(n_tiles, k_tiles, row_tiles) {
                    let (first, columns) = share(n_tiles, owners.part, owners.parts);
                    for (column, k) in
                        (first..first + columns).flat_map(|n| (0..k_tiles).map(move |k| (n, k)))
                    {
                        let (part, member, at) = places[&(column, k / 8)];
                        assert_eq!(
                            (part, (member, at + k % 8 * TILE_BYTES)),
                            (owners.part, held.find(column, k))
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn matrices_lie_one_behind_the_other() {
        for row_tiles in [4, 16] {
            let owners = Owners::new(row_tiles, [0, 0], GRID, 0);
            let (one, two) = (first(72, 20, 1, owners), first(72, 20, 2, owners));
            assert_eq!([of_side(one, 0, 1), of_side(two, 0, 2), of_side(two, 1, 2)], [one, two, one]);
            assert_eq!(mark(one) - two, HEAP_END - one);
        }
    }

    #[test]
    fn weights_out_of_range_do_not_become_f16() {
        let is_f16 = |largest| tiles_of(largest) == ElementType::TilesF16;
        assert!([0.002, 0.02, 1.0, 31.0].into_iter().all(is_f16));
        assert!(![0.0, 0.0005, 32.0, f32::MAX, f32::INFINITY, f32::NAN].into_iter().any(is_f16));
    }

    #[test]
    fn columns_of_one_owner_lie_one_behind_the_other() {
        for (_, held) in all(256, 61, 3) {
            let (column, _) = held.group(0);
            for (n, k) in [(0, 5), (1, 5), (2, 60)] {
                assert_eq!(held.find(column + n, k), (0, held.at + offset(n * per_column(61), k)));
            }
        }
    }
}
