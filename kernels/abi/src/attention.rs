//! Attention of single tokens (`FLASH_ATTN_EXT`): how the work is cut, where things are in L1, and what tiles hand to one another in DRAM.
//!
//! A **unit** is some positions of a cache (a part) and some of its heads (a group), of one sequence. A tile brings the keys and values of a
//! unit once, as they lie in the cache, for all rows of queries that share them. Scores stay in L1. What it makes, sums of values and how much
//! they weigh, goes to DRAM in [`Partial`]; a second operator ([`MergeParams`]) puts the parts together.
//!
//! Positions come in tiles of 32. In Dst a tile of scores takes 16 rows, as a product's result does: eight rows of queries, once for positions 0 to
//! 15 and once for 16 to 31. The vector unit takes four rows of queries at a time, so their number is rounded up to four or eight.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::l1::{HEAP, HEAP_END};
use crate::matmul::{GROUP_FACE_BYTES, GROUP_TILE_BYTES, HALVES_FACE_ROW, ROW_GROUP, TILE};
use crate::ring::RING;
use crate::sfpu::{BLOCK, BLOCK_BYTES};
use crate::target::CONGRUENCE;
use tt_isa::format::{DST_ROWS_32, FACE_DIM};

/// Rows of Dst of a tile of scores, and of a tile of sums of values.
pub const TILE_ROWS: u32 = 2 * ROW_GROUP;
/// Tiles of positions of a part, at most: half of Dst holds their scores and one tile of what the part weighs.
pub const MAX_PART_TILES: u32 = DST_ROWS_32 as u32 / 2 / TILE_ROWS - 1;
/// Rows of queries that share keys, at most.
pub const MAX_ROWS: u32 = ROW_GROUP;
/// Rows of Dst that [`MergeParams`] has for sums, and for weights.
pub const MERGE_ROWS: u32 = DST_ROWS_32 as u32 / 2;
/// Bytes behind a row of keys in L1: 32 elements, of which the first is the mask's.
pub const MASK_BYTES: u32 = 2 * TILE;
/// A score below it is one of a position that is masked by minus infinity. (The matrix unit takes F16's infinity for 2^16.)
pub const MASKED: f32 = -30_000.0;

/// Parameters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct AttentionParams {
    /// Parts times groups times sequences.
    pub units: u32,
    /// Parts of the positions.
    pub parts: u32,
    /// Groups of heads.
    pub groups: u32,
    /// Heads of the cache in a group.
    pub heads: u32,
    /// Rows of queries that share a head of the cache.
    pub rows: u32,
    /// Tiles of all positions.
    pub tiles: u32,
    /// Tiles of a part; the last one may have fewer.
    pub part_tiles: u32,
    /// Tiles of a head's elements, of keys and of values.
    pub key_tiles: u32,
    /// See above.
    pub value_tiles: u32,
    /// Factor of scores, FP32.
    pub scale: u32,
    /// Units that L1 holds at once: two where a tile has several.
    pub sets: u32,
    /// 1: one tile brings the queries of all heads for all.
    pub together: u32,
    /// Bytes of L1 that units have: [`ROOM`], or [`ALL_ROOM`] where that does not do.
    pub room: u32,
}

/// A unit's place in the work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unit {
    /// Counted over all that the tile works on.
    pub number: u32,
    /// Part, group, sequence.
    pub part: u32,
    /// See above.
    pub group: u32,
    /// See above.
    pub batch: u32,
    /// Its tiles of positions, and the number of the first one.
    pub tiles: u32,
    /// See above.
    pub first_tile: u32,
}

/// Bytes of L1 in front of the ring of weights.
pub const ROOM: u32 = RING - UNITS;
/// The ring's bytes, too: nothing is read ahead meanwhile.
pub const ALL_ROOM: u32 = HEAP_END - UNITS;
/// The row that is multiplied with a mask: one, and zeros.
pub const ONE: u32 = HEAP;
/// Bytes of it.
pub const ONE_BYTES: u32 = 4 * TILE;
const UNITS: u32 = HEAP + ONE_BYTES;

const fn up(bytes: u32, to: u32) -> u32 {
    bytes.div_ceil(to) * to
}

impl AttentionParams {
    /// Unit `index` of all, the tile's `number`th.
    pub const fn unit(&self, number: u32, index: u32) -> Unit {
        let (rest, part) = (index / self.parts, index % self.parts);
        let first_tile = part * self.part_tiles;
        let left = self.tiles - first_tile;
        let tiles = if left < self.part_tiles { left } else { self.part_tiles };
        Unit { number, part, group: rest % self.groups, batch: rest / self.groups, tiles, first_tile }
    }

    /// Rows of queries as the vector unit takes them.
    pub const fn padded_rows(&self) -> u32 {
        up(self.rows, 4)
    }

    /// Bytes of a position's keys, and of its values, of the heads of a group.
    pub const fn key_bytes(&self) -> u32 {
        self.heads * self.key_tiles * 2 * TILE
    }

    /// See [`key_bytes`](Self::key_bytes).
    pub const fn value_bytes(&self) -> u32 {
        self.heads * self.value_tiles * 2 * TILE
    }

    /// Bytes from a position's keys to the next one's in L1.
    pub const fn key_pitch(&self) -> u32 {
        self.key_bytes() + MASK_BYTES
    }

    /// Elements of a unit's queries.
    pub const fn queries(&self) -> u32 {
        self.heads * self.rows * self.key_tiles * TILE
    }

    /// Elements of all queries of a token.
    pub const fn all_queries(&self) -> u32 {
        self.groups * self.queries()
    }

    /// Blocks of a unit's queries on their way through Dst.
    pub const fn query_blocks(&self) -> u32 {
        self.queries().div_ceil(BLOCK)
    }

    const fn set(&self, number: u32) -> u32 {
        UNITS + number % self.sets * (self.room / self.sets / CONGRUENCE * CONGRUENCE)
    }

    /// Where a unit's keys are.
    pub const fn keys(&self, number: u32) -> u32 {
        self.set(number)
    }

    /// Where its values are.
    pub const fn values(&self, number: u32) -> u32 {
        self.keys(number) + self.part_tiles * TILE * self.key_pitch()
    }

    /// Where its part of the mask comes in.
    pub const fn mask(&self, number: u32) -> u32 {
        self.values(number) + self.part_tiles * TILE * self.value_bytes()
    }

    /// Bytes of the mask's place.
    pub const fn mask_bytes(&self) -> u32 {
        self.part_tiles * 2 * TILE + CONGRUENCE
    }

    /// A word for each tile of positions: whether something is masked there.
    pub const fn flags(&self, number: u32) -> u32 {
        self.mask(number) + self.mask_bytes()
    }

    /// Where the queries of all heads come in, if they come together, or those of a unit.
    pub const fn all_queries_at(&self, number: u32) -> u32 {
        self.flags(number) + up(4 * self.part_tiles, CONGRUENCE)
    }

    /// Bytes of all queries that come.
    pub const fn query_bytes(&self) -> u32 {
        4 * if self.together != 0 { self.all_queries() } else { self.queries() }
    }

    /// Where a unit's queries are. They are packed in whole blocks.
    pub const fn queries_at(&self, unit: &Unit) -> u32 {
        let before = if self.together != 0 { 4 * unit.group * self.queries() } else { 0 };
        self.all_queries_at(unit.number) + before
    }

    /// Where the powers of a head's scores are, and behind them what they weigh.
    pub const fn powers(&self, number: u32, head: u32) -> u32 {
        let first = self.all_queries_at(number) + up(self.query_bytes(), CONGRUENCE) + BLOCK_BYTES;
        first + head * (self.part_tiles + 1) * GROUP_TILE_BYTES
    }

    /// Where a head's sums of values are.
    pub const fn sums(&self, number: u32, head: u32) -> u32 {
        self.powers(number, self.heads) + head * self.value_tiles * GROUP_TILE_BYTES
    }

    /// Whether all that fits.
    pub const fn fits(&self) -> bool {
        // Packers are aimed at four tiles.
        let end = self.sums(0, self.heads) + BLOCK_BYTES;
        end - self.set(0) <= self.room / self.sets && self.key_pitch() / HALVES_FACE_ROW < 256
    }

    /// What the unit makes, in DRAM.
    pub const fn partial(&self) -> Partial {
        Partial {
            parts: self.parts,
            faces: 2 * self.value_tiles,
            bytes: self.padded_rows() * FACE_BYTES_OF_ROW,
        }
    }
}

/// Bytes of a row of a face.
const FACE_BYTES_OF_ROW: u32 = GROUP_FACE_BYTES / ROW_GROUP;

/// Sums of values and weights of parts in DRAM: for each head of the cache in each sequence, for each face (16 elements) of its values the rows of all parts one behind
/// the other; then the same of weights. A row's weight is minus its largest score in even columns, and the sum of powers in odd ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Partial {
    /// Parts.
    pub parts: u32,
    /// Faces of values.
    pub faces: u32,
    /// Bytes of a part's rows of a face.
    pub bytes: u32,
}

impl Partial {
    /// Offset of the rows of `part` in face `face`, [`faces`](Self::faces) for the weights, of head `head` of all.
    pub const fn offset(&self, head: u32, face: u32, part: u32) -> u64 {
        let faces = (head * (self.faces + 1) + face) as u64;
        (faces * self.parts as u64 + part as u64) * self.bytes as u64
    }

    /// Bytes of `heads` heads.
    pub const fn all_bytes(&self, heads: u32) -> u64 {
        self.offset(heads, 0, 0)
    }
}

/// Parameters of the operator that puts parts together: a unit is a face of a head of the cache. src0 = partial sums, dst = elements, heads of
/// queries, 1, sequences.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MergeParams {
    /// Faces of all heads of the cache in all sequences.
    pub units: u32,
    /// Parts.
    pub parts: u32,
    /// Faces of a head.
    pub faces: u32,
    /// Rows of queries of a head.
    pub rows: u32,
    /// Heads of the cache.
    pub heads: u32,
}

impl MergeParams {
    /// How parts lie in DRAM.
    pub const fn partial(&self) -> Partial {
        Partial { parts: self.parts, faces: self.faces, bytes: up(self.rows, 4) * FACE_BYTES_OF_ROW }
    }
}

/// Bytes of the sums of a face, or of the weights, of all parts, in whole blocks.
const MERGE_BYTES: u32 = MERGE_ROWS * FACE_BYTES_OF_ROW;
/// Where the sums of a face of all parts are in L1.
pub const MERGE_SUMS: u32 = HEAP;
/// Where weights are.
pub const MERGE_WEIGHTS: u32 = MERGE_SUMS + MERGE_BYTES + CONGRUENCE;
/// Where the result is: four rows of a face, or eight; packers are aimed at a block.
pub const MERGE_RESULT: u32 = MERGE_WEIGHTS + MERGE_BYTES + CONGRUENCE;

const _: () = {
    assert!(MERGE_RESULT + BLOCK_BYTES <= RING && MERGE_BYTES.is_multiple_of(BLOCK_BYTES));
    assert!((ONE | UNITS | MERGE_WEIGHTS | MERGE_RESULT).is_multiple_of(CONGRUENCE));
    assert!(FACE_BYTES_OF_ROW == 4 * FACE_DIM as u32);
};

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: AttentionParams = AttentionParams {
        units: 24,
        parts: 3,
        groups: 4,
        heads: 2,
        rows: 3,
        tiles: 8,
        part_tiles: 3,
        key_tiles: 2,
        value_tiles: 2,
        scale: 0,
        sets: 1,
        together: 1,
        room: ROOM,
    };

    #[test]
    fn units_cover_everything_once() {
        let units: Vec<Unit> = (0..SMALL.units).map(|index| SMALL.unit(0, index)).collect();
        let positions: u32 = units.iter().map(|unit| unit.tiles).sum();
        assert_eq!(positions, SMALL.tiles * SMALL.groups * 2);
        assert_eq!((units[2].tiles, units[2].first_tile), (2, 6));
        assert_eq!((units[23].batch, units[23].group, units[23].part), (1, 3, 2));
    }

    #[test]
    fn what_is_in_l1_does_not_overlap() {
        assert!(SMALL.fits());
        let unit = SMALL.unit(0, 3);
        let places = [
            SMALL.keys(0),
            SMALL.values(0),
            SMALL.mask(0),
            SMALL.flags(0),
            SMALL.all_queries_at(0),
            SMALL.powers(0, 0),
            SMALL.sums(0, 0),
        ];
        assert!(places.is_sorted() && places.iter().all(|at| at % 16 == 0));
        assert!(
            SMALL.queries_at(&unit) + SMALL.query_blocks() * BLOCK_BYTES <= SMALL.powers(0, 0) + BLOCK_BYTES
        );
        let large = AttentionParams { part_tiles: 15, heads: 32, ..SMALL };
        assert!(!large.fits());
    }

    #[test]
    fn parts_lie_one_behind_the_other() {
        let partial = SMALL.partial();
        assert_eq!(partial.bytes, 256);
        assert_eq!(partial.offset(0, 0, 1), 256);
        assert_eq!(partial.offset(0, 1, 0), 3 * 256);
        assert_eq!(partial.offset(1, 0, 0), 5 * 3 * 256);
    }
}
