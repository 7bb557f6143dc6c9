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
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

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

/// Where every tile has the first of its groups, if a part of `n_tiles` columns of `k_tiles` tiles of K is held of each of so many matrices (`sides`): those of the first matrix. The host says it to all steps.
pub const fn first(n_tiles: u32, k_tiles: u32, sides: u32, part: ColumnPart, owners: Owners) -> u32 {
    let columns = part.count(n_tiles.div_ceil(owners.parts));
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

/// Which columns of each owner's share a step is for. Parts take turns, `run` columns each: DRAM banks have a matrix' columns one after the other, and columns side by side
/// would only have the bandwidth of the banks that they are in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ColumnPart {
    /// This part, and how many there are.
    pub number: u32,
    /// See above.
    pub parts: u32,
    /// Columns that follow one another.
    pub run: u32,
}

impl ColumnPart {
    /// All columns.
    pub const WHOLE: Self = Self { number: 0, parts: 1, run: 1 };

    /// `self` as kernels may compute with it, whatever a descriptor says.
    pub(crate) const fn checked(self) -> Self {
        let Self { number, parts, run } = self;
        let in_range =
            parts > 0 && number < parts && run > 0 && parts <= MOST_COLUMN_PARTS && run <= MOST_COLUMN_PARTS;
        if in_range { self } else { Self::WHOLE }
    }

    /// How many columns this part has of `columns`.
    pub const fn count(self, columns: u32) -> u32 {
        let Self { number, parts, run } = self.checked();
        let turn = run * parts;
        let rest = (columns % turn).saturating_sub(number * run);
        columns / turn * run + if rest < run { rest } else { run }
    }

    /// Which column of all its `index`th one is.
    pub const fn column(self, index: u32) -> u32 {
        let Self { number, parts, run } = self.checked();
        (index / run * parts + number) * run + index % run
    }
}

/// Parts of columns, and columns of a run, at most.
pub const MOST_COLUMN_PARTS: u32 = 1 << 12;

/// What is held together of a part of `n_tiles` columns of tiles of K.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Held {
    /// The first column of the owners' share, and which of these are held.
    first_column: u32,
    part: ColumnPart,
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
    /// Tiles of a part of `n_tiles` columns of `k_tiles` tiles of K, from `at` on.
    #[inline(never)]
    pub const fn new(n_tiles: u32, k_tiles: u32, part: ColumnPart, owners: Owners, at: u32) -> Self {
        let (first_column, columns) = share(n_tiles, owners.part, owners.parts);
        let per_column = per_column(k_tiles);
        let groups = part.count(columns) * per_column;
        let (own, count) = share(groups, owners.member, owners.members);
        let mut firsts = [u32::MAX; MOST_COLUMNS];
        let mut member = 0;
        while member < MOST_COLUMNS && (member as u32) < owners.members {
            firsts[member] = share(groups, member as u32, owners.members).0;
            member += 1;
        }
        Self { first_column, part, per_column, firsts, own, count, at }
    }

    /// How many groups this tile holds.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Column and number of this tile's group `number`.
    pub const fn group(&self, number: u32) -> (u32, u32) {
        let index = self.own + number;
        (self.first_column + self.part.column(index / self.per_column), index % self.per_column)
    }

    /// Who holds tile `k` of K of the `number`th column that these owners hold, and where. The tiles behind it follow there, up to the end of its group.
    pub const fn find(&self, number: u32, k: u32) -> (u32, u32) {
        let index = number * self.per_column + k / GROUP_TILES as u32;
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

    fn all(
        [n_tiles, k_tiles, row_tiles]: [u32; 3],
        part: ColumnPart,
    ) -> impl Iterator<Item = (Owners, Held)> {
        (0..72).map(move |index| {
            let owners = Owners::new(row_tiles, [index % 8, index / 8], GRID, index);
            let at = first(n_tiles, k_tiles, 1, part, owners);
            (owners, Held::new(n_tiles, k_tiles, part, owners, at))
        })
    }

    #[test]
    fn parts_have_every_column_once() {
        for (parts, run, columns) in [(1, 1, 5), (2, 1, 29), (3, 4, 29), (2, 4, 24), (5, 2, 3), (3, 2, 0)] {
            let part = |number| ColumnPart { number, parts, run };
            let of = |part: ColumnPart| (0..part.count(columns)).map(move |index| part.column(index));
            let mut all: Vec<_> = (0..parts).flat_map(|number| of(part(number))).collect();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..columns), "{parts} {run} {columns}");
            assert!((1..parts).all(|number| part(number).count(columns) <= part(0).count(columns)));
        }
    }

    #[test]
    fn parts_of_nonsense_are_bounded() {
        for [number, parts, run] in [[0, 0, 1], [0, 1, 0], [3, 2, 1], [0, u32::MAX, u32::MAX]] {
            let part = ColumnPart { number, parts, run };
            assert_eq!((part.count(100), part.column(7)), (100, 7));
        }
    }

    #[test]
    fn every_group_is_held_once_where_it_is_looked_for() {
        for (n_tiles, k_tiles) in [(256, 64), (64, 256), (3, 7), (1, 1), (17, 34), (100, 9)] {
            for row_tiles in [1, 4, 5, 16] {
                let mut places = BTreeMap::new();
                let parts = [0, 1].map(|number| ColumnPart { number, parts: 2, run: 3 });
                let of = |part| all([n_tiles, k_tiles, row_tiles], part).map(move |held| (part, held));
                for (part, (owners, held)) in parts.into_iter().flat_map(of) {
                    for number in 0..held.count() {
                        let at = held.at + offset(number, 0);
                        assert!(at >= mark(held.at) + 4 && at + GROUP_BYTES <= HEAP_END);
                        let is_new =
                            places.insert(held.group(number), (part.number, owners.part, owners.member, at));
                        assert_eq!(is_new, None);
                    }
                }
                let per_column = k_tiles.div_ceil(GROUP_TILES as u32);
                assert_eq!(places.len() as u32, n_tiles * per_column);
                for (part, (owners, held)) in parts.into_iter().flat_map(of) {
                    let (first, columns) = share(n_tiles, owners.part, owners.parts);
                    for (index, k) in (0..part.count(columns)).flat_map(|n| (0..k_tiles).map(move |k| (n, k)))
                    {
                        let (number, owner, member, at) = places[&(first + part.column(index), k / 8)];
                        let found = (part.number, owners.part, held.find(index, k));
                        assert_eq!((number, owner, (member, at + k % 8 * TILE_BYTES)), found);
                    }
                }
            }
        }
    }

    #[test]
    fn matrices_lie_one_behind_the_other() {
        for row_tiles in [4, 16] {
            let owners = Owners::new(row_tiles, [0, 0], GRID, 0);
            let at = |sides| first(72, 20, sides, ColumnPart::WHOLE, owners);
            let (one, two) = (at(1), at(2));
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
        for (_, held) in all([256, 61, 3], ColumnPart::WHOLE) {
            for (n, k) in [(0, 5), (1, 5), (2, 60)] {
                assert_eq!(held.find(n, k), (0, held.at + offset(n * per_column(61), k)));
            }
        }
    }
}
