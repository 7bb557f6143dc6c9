//! What host and device must agree on for `MUL_MAT`: parameters, work split, buffers in L1.
//!
//! Work is cut into units: a 32-row tile of src1, or several, times one 32-column tile of the result, all of K. Units are
//! numbered batch by batch, row tile by row tile, n-tile by n-tile, so that neighbours share their
//! activations; each core takes a contiguous range ([`share`]). With one row tile, as when a model generates text, that is a
//! range of n-tiles, which lies in the DRAM bank that the core is near ([`crate::placement`]).
//!
//! `MUL_MAT_ID` multiplies rows with matrices that indices name. The rows of one matrix make row tiles together ([`Groups`]), so
//! that a matrix is read once for up to 32 rows. How many units that makes, only the cores know. With one token, as when a model generates text, the product of each index is instead one with a
//! single row ([`MatmulParams::experts`]): then weights come ahead of their step, once the indices are known ([`crate::ahead`]).

use tt_isa::format::TILE_DIM;
use tt_kernel_quant::exact::GROUP_TILES;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::numbered::numbered;
use crate::ring::Link;
use crate::target::CONGRUENCE;
use crate::view::ElementType;

/// Rows of src1 in a unit, columns of the result in a unit, and steps of K.
pub const TILE: u32 = TILE_DIM as u32;
/// Rows that one `MVMUL` handles.
pub const ROW_GROUP: u32 = 8;
/// Bytes of half a row of a tile: 16 FP32.
pub const HALF_ROW_BYTES: u32 = TILE / 2 * 4;
/// Bytes of a face of a group: 8 x 16 FP32.
pub const GROUP_FACE_BYTES: u32 = ROW_GROUP * HALF_ROW_BYTES;
/// Bytes of one k-tile of activations for one group of rows: 2 faces.
pub const GROUP_TILE_BYTES: u32 = 2 * GROUP_FACE_BYTES;

/// Slots of the weight ring.
pub const RING_SLOTS: u32 = 4;
/// Bytes of a slot.
pub const RING_SLOT_BYTES: u32 = 16 * 1024;
/// k-tiles of a single row of activations that comes to L1 as it is ([`MatmulParams::row`]), at most: what is in front of the ring that outlives steps
/// ([`crate::ahead`]). Unpacker 1's counter has 13 bits for halves of tiles.
pub const MAX_ROW_TILES: u32 = {
    let blocks = (crate::ring::RING - ACT) / crate::sfpu::BLOCK_BYTES;
    let (fits, counts) = (blocks * crate::sfpu::BLOCK / TILE, (1 << 12) - crate::sfpu::BLOCK / TILE);
    if fits < counts { fits } else { counts }
};
/// Bytes of activations in L1: a chunk of K is as long as fits.
pub const ACT_BYTES: u32 = (crate::l1::HEAP_END - ACT) & !0xFFF;
/// Slots for packed results.
pub const OUT_SLOTS: u32 = 2;
/// Bytes of a slot: 4 groups of rows, 2 faces of 8 x 16 FP32 each.
pub const OUT_SLOT_BYTES: u32 = 4096;
/// k-tiles of an activation row that are fetched at once.
pub const ACT_STAGE_TILES: u32 = 256;
/// Bytes of a buffer for them, with room for the offset that the NoC's alignment rule wants.
pub const ACT_STAGE_BYTES: u32 = ACT_STAGE_TILES * TILE * 4 + 2 * CONGRUENCE;
/// Bytes of a staged row of row-major weights: 4 k-tiles of FP32 and the alignment offset.
pub const WEIGHT_STAGE_ROW: u32 = 4 * TILE * 4 + 2 * CONGRUENCE;
/// Bytes of a staged piece of a row of transposed weights: the 32 columns of a unit, FP32, and the alignment offset.
pub const WEIGHT_STAGE_PIECE: u32 = TILE * 4 + CONGRUENCE;
/// Bytes from one row to the next of a block of half-precision rows that the unpacker takes as they lie: 4 k-tiles and the alignment offset.
pub const HALVES_ROW: u32 = 4 * TILE * 2 + CONGRUENCE;
/// The same where the block has columns of the matrix: the 32 columns of a unit.
pub const HALVES_PIECE: u32 = TILE * 2 + CONGRUENCE;
/// Bytes of 16 half-precision elements: a row of a face.
pub const HALVES_FACE_ROW: u32 = 2 * TILE / 2;
/// Factor 2^112 as an exponent: an F16 pattern in the place of a TF32 one is 2^112 times as small. Activations become as much larger.
pub const F16_BIAS: u32 = 127 - 15;

/// Bytes of a buffer of staged weights: 32 rows, or pieces of as many rows as there are elements of K in a block.
pub const WEIGHT_STAGE_BYTES: u32 = 4 * TILE * WEIGHT_STAGE_PIECE;
/// Bytes of a staged row of results.
pub const OUT_STAGE_ROW: u32 = TILE * 4 + CONGRUENCE;

/// Bytes of a staged row of addends, with their alignment offset.
pub const ADD_STAGE_ROW: u32 = TILE * 4 + 2 * CONGRUENCE;

/// Weight ring.
pub const RING: u32 = crate::l1::HEAP;
/// Two buffers of staged row-major weights.
pub const WEIGHT_STAGE: u32 = RING + RING_SLOTS * RING_SLOT_BYTES;
/// Packed results.
pub const OUT: u32 = WEIGHT_STAGE + 2 * WEIGHT_STAGE_BYTES;
/// Staged rows of results.
pub const OUT_STAGE: u32 = OUT + OUT_SLOTS * OUT_SLOT_BYTES;
/// Two buffers of staged activations.
pub const ACT_STAGE: u32 = OUT_STAGE + TILE * OUT_STAGE_ROW;
/// Staged rows of what is added to a result: the core that brings them has no activations on their way then.
pub const ADD_STAGE: u32 = ACT_STAGE;
/// Activations.
pub const ACT: u32 = ACT_STAGE + 2 * ACT_STAGE_BYTES;

const _: () = {
    assert!(2 * MAX_ROW_TILES < 1 << 13);
    assert!(TILE * ADD_STAGE_ROW <= 2 * ACT_STAGE_BYTES);
    assert!(TILE * WEIGHT_STAGE_ROW <= WEIGHT_STAGE_BYTES);
    assert!(TILE * HALVES_ROW <= RING_SLOT_BYTES && 4 * TILE * HALVES_PIECE <= RING_SLOT_BYTES);
    assert!((HALVES_ROW | HALVES_PIECE).is_multiple_of(HALVES_FACE_ROW));
    assert!(block_tiles(ElementType::F32) == 4);
    // The NoC wants source and destination congruent, unpackers and packers modulo 16.
    assert!(
        (RING
            | WEIGHT_STAGE
            | WEIGHT_STAGE_ROW
            | WEIGHT_STAGE_PIECE
            | OUT
            | OUT_STAGE
            | OUT_STAGE_ROW
            | ACT_STAGE
            | ADD_STAGE
            | ADD_STAGE_ROW
            | ACT)
            .is_multiple_of(CONGRUENCE)
    );
};

/// Most tiles of rows that a unit has: their results are in half of Dst.
pub const TILES_AT_ONCE: u32 = tt_isa::format::DST_ROWS_32 as u32 / 2 / RESULT_ROWS;
/// Rows of Dst, 32 bits wide, of a tile's results: 8 rows and 32 columns are 16.
pub const RESULT_ROWS: u32 = TILE / ROW_GROUP * 16;
/// Groups of rows in a tile.
pub const GROUPS: u32 = TILE / ROW_GROUP;
/// `MVMUL`s of a fidelity phase of two tiles, each of which takes the matrix unit a clock (`MVMUL.md`): of each group of rows, both halves of K and of the columns.
pub const PHASE_PRODUCTS: u32 = GROUPS * 2 * 2;

/// k-tiles of weights in a ring slot.
pub const fn block_tiles(weights: ElementType) -> u32 {
    if weights.exact().is_some() {
        return GROUP_TILES as u32;
    }
    match weights.is_tiles() {
        true => RING_SLOT_BYTES / weights.block_bytes(),
        // Row-major weights are converted to FP32 tiles.
        false => RING_SLOT_BYTES / ElementType::TilesF32.block_bytes(),
    }
}

/// k-tiles of weights in a slot of the ring that outlives steps ([`crate::ring`]): a packet of tiles, or a whole group of exact weights.
pub const fn row_block_tiles(weights: ElementType) -> u32 {
    match weights.exact() {
        Some(_) => GROUP_TILES as u32,
        None => crate::target::CHIP.noc.max_packet / weights.block_bytes(),
    }
}

/// Longest chunk of K, in k-tiles, when a unit has `groups` groups of rows and `other` bytes of the activations' room are taken.
pub const fn max_chunk_tiles(groups: u32, other: u32) -> u32 {
    (ACT_BYTES - other) / (groups * GROUP_TILE_BYTES)
}

/// The part of `total` items that member `index` of `members` takes: first item and number. It begins at
/// `total * index / members`, rounded down, so that members without an item are spread over the others.
pub const fn share(total: u32, index: u32, members: u32) -> (u32, u32) {
    let (each, rest) = (total / members, total % members);
    let (extra, next) = (index * rest / members, (index + 1) * rest / members);
    (index * each + extra, each + next - extra)
}

/// The same for one of several `parts` of a launch that members share: part `part` begins `part / parts` of an item earlier, so that parts with few items
/// give them to different members.
pub const fn share_of_part(total: u32, index: u32, members: u32, [part, parts]: [u32; 2]) -> (u32, u32) {
    let shift = members * part / parts;
    let first = (index * total + shift) / members;
    (first, ((index + 1) * total + shift) / members - first)
}

/// The n-tile that the units of a row tile begin with: row tile `number` of `of` (counted over all batches) goes round
/// the n-tiles from here. Workers that multiply different rows at the same time so read from different banks.
pub const fn first_n_tile(n_tiles: u32, number: u32, of: u32) -> u32 {
    number * (n_tiles / of) + number * (n_tiles % of) / of
}

/// Most indices of a `MUL_MAT_ID` descriptor.
pub const MAX_IDS: u32 = 1 << 14;
/// Most indices of a token whose products have a single row each ([`MatmulParams::experts`]).
pub const MAX_EXPERTS: u32 = (crate::l1::EXPERTS_BYTES - CONGRUENCE) / 4;
/// Most matrices that they can name.
pub const MAX_MATRICES: u32 = 1 << 12;

/// The rows of a `MUL_MAT_ID` sorted by matrix, and the row tiles that they make: a table of words in L1, at the end of the activations' room.
#[derive(Clone, Copy)]
pub struct Groups {
    ids: u32,
    matrices: u32,
}

impl Groups {
    /// Words of a row tile.
    const TILE_WORDS: u32 = 3;

    /// For so many indices that name so many matrices.
    pub const fn new(ids: u32, matrices: u32) -> Self {
        Self { ids, matrices }
    }

    /// Row tiles at most: one that is not full for each matrix.
    const fn max_tiles(self) -> u32 {
        let each = self.matrices + self.ids / TILE;
        if each < self.ids { each } else { self.ids }
    }

    /// Bytes of all tables.
    pub const fn bytes(self) -> u32 {
        4 * (1 + self.matrices + 2 * self.ids + Self::TILE_WORDS * self.max_tiles())
    }

    /// Address of the table.
    pub const fn address(self) -> u32 {
        ACT + ACT_BYTES - self.bytes()
    }

    /// Word of the table: the number of row tiles.
    pub const COUNT: u32 = 0;

    /// Word of the table: the number of rows of a matrix; later the place of the next one in the sorted list.
    pub const fn matrix(self, number: u32) -> u32 {
        Self::COUNT + 1 + number
    }

    /// Word of the table: an index, in the order of tokens.
    pub const fn id(self, number: u32) -> u32 {
        self.matrix(self.matrices) + number
    }

    /// Word of the table: a row in the sorted list ([`pack_row`](Self::pack_row)).
    pub const fn row(self, number: u32) -> u32 {
        self.id(self.ids) + number
    }

    /// Words of the table: a row tile. The matrix, the first of its rows in the sorted list, their number.
    pub const fn tile(self, number: u32) -> [u32; 3] {
        let first = self.row(self.ids) + Self::TILE_WORDS * number;
        [first, first + 1, first + 2]
    }

    /// A row: which of its token's indices, and the token.
    pub const fn pack_row(index: u32, token: u32) -> u32 {
        token << 16 | index
    }

    /// The two again.
    pub const fn unpack_row(row: u32) -> [u32; 2] {
        [row & 0xFFFF, row >> 16]
    }
}

const _: () = assert!(MAX_IDS <= 1 << 16 && Groups::new(MAX_IDS, MAX_MATRICES).bytes() <= ACT_BYTES / 4);

numbered! {
    /// Which half-precision matrices the unpacker takes as they lie. Others are tiles, or BRISC makes FP32 tiles of them.
    Halves {
        /// None.
        None,
        /// Those whose rows lie side by side: the unpacker exchanges rows and columns.
        Rows,
        /// Transposed views, whose columns do.
        Columns,
    }
}

/// Products with the same row in one launch, beside the first one.
pub const MORE_PARTS: usize = 2;

/// Another product with the same row: its weights have the type, the row length and the batch of src0.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Part {
    /// Linear address of its weights: low and high half.
    pub weights: [u32; 2],
    /// Linear address of its result, one dense row of whole tiles, at a multiple of what a NoC write wants: low and high half.
    pub dst: [u32; 2],
    /// Its tiles of n; 0: there is no such product.
    pub n_tiles: u32,
}

impl Part {
    /// Both halves of an address.
    pub const fn address([low, high]: [u32; 2]) -> u64 {
        low as u64 | (high as u64) << 32
    }

    /// An address' halves.
    pub const fn halves(address: u64) -> [u32; 2] {
        [address as u32, (address >> 32) as u32]
    }
}

/// Parameters of a matmul descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MatmulParams {
    /// Units in all.
    pub units: u32,
    /// Tiles of n (rows of src0).
    pub n_tiles: u32,
    /// Rows of src1 in units of [`tiles_at_once`](Self::tiles_at_once) tiles, rounded up.
    pub row_tiles: u32,
    /// Tiles of k.
    pub k_tiles: u32,
    /// k-tiles in a chunk of activations.
    pub chunk_tiles: u32,
    /// src1's `ne[2]` over src0's.
    pub r2: u32,
    /// src1's `ne[3]` over src0's.
    pub r3: u32,
    /// Function of a gated unit ([`crate::elementwise::Glu`]), if there are two products.
    pub glu: u32,
    /// Its parameters, FP32 patterns.
    pub glu_params: [u32; 2],
    /// Indices of `MUL_MAT_ID`; 0 for other products.
    pub ids: u32,
    /// Number of the step of its stream that writes them last, counted from 1; 0: they are there when the stream begins. Set by the runtime at launch, if the indices are
    /// [`experts`](Self::experts).
    pub ids_from: u32,
    /// How src0 comes to SrcA: a [`Halves`] as a number.
    pub halves: u32,
    /// 1: src1 is one row, at a multiple of [`CONGRUENCE`]. One tile reads it for all, it stays in L1 as it is, and the
    /// Tensix units round it. 0: NCRISC brings rows to SrcB's order.
    pub row: u32,
    /// 1: src1 is in SrcB's order, tiles of 32 rows and 32 elements of K ([`Mode::Activations`](crate::copy::Mode::Activations)). In a tile the groups of 8 rows
    /// follow one another, in a group its two faces. `src1.ne` are the extents of the rows, `src1.nb` the distances of tiles.
    pub ordered: u32,
    /// Tiles of rows that a unit has, 1 to [`TILES_AT_ONCE`]: each tile of weights is multiplied with all of them. More than 1 only if src1 is in SrcB's order,
    /// and all of K is one chunk.
    pub tiles_at_once: u32,
    /// Its place in a stream, if its weights come through the ring that outlives steps ([`crate::ahead`]).
    pub link: Link,
    /// Other products with the same single row, each with units of its own behind those of src0; [`units`](Self::units) are those of all.
    pub parts: [Part; MORE_PARTS],
}

impl MatmulParams {
    /// Products of the launch.
    pub fn products(&self) -> u32 {
        match self.experts() {
            0 => 1 + self.parts.iter().filter(|part| part.n_tiles > 0).count() as u32,
            experts => experts,
        }
    }

    /// Indices of a `MUL_MAT_ID` with one token, each of which has a product with a single row, and units of its own behind those of the indices before it; 0: the
    /// rows are sorted by matrix ([`Groups`]), or there are no indices. src1 has the same row for all products, or their rows lie one behind the other. There are [`MAX_EXPERTS`] at most, whatever
    /// a descriptor says: cores count their units product by product.
    pub const fn experts(&self) -> u32 {
        match self.row {
            0 => 0,
            _ if self.ids > MAX_EXPERTS => MAX_EXPERTS,
            _ => self.ids,
        }
    }

    /// Whether rows are sorted by matrix.
    pub const fn sorts(&self) -> bool {
        self.ids > 0 && self.row == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_cover_everything_once() {
        for (total, members) in [(1, 1), (5, 3), (64, 64), (1000, 72), (3, 8), (u32::MAX, 80)] {
            let mut next = 0;
            for index in 0..members {
                let (first, count) = share(total, index, members);
                assert_eq!(first, next);
                assert!(count == total / members || count == total.div_ceil(members));
                next += count;
            }
            assert_eq!(next, total);
        }
    }

    #[test]
    fn parts_cover_everything_once_and_few_items_have_members_of_their_own() {
        for (total, members, parts) in [(16, 72, 3), (64, 72, 3), (5, 72, 2), (1000, 64, 3), (3, 8, 3)] {
            for part in 0..parts {
                let mut next = 0;
                for index in 0..members {
                    let (first, count) = share_of_part(total, index, members, [part, parts]);
                    assert_eq!(first, next);
                    next += count;
                }
                assert_eq!(next, total);
            }
        }
        let has = |part, index| share_of_part(16, index, 72, [part, 3]).1;
        assert!((0..72).all(|index| has(1, index) + has(2, index) <= 1));
    }

    #[test]
    fn tables_of_rows_by_matrix_end_with_the_activations_room() {
        for (ids, matrices) in [(1, 1), (10, 1024), (258, 4), (MAX_IDS, MAX_MATRICES)] {
            let groups = Groups::new(ids, matrices);
            // The most row tiles: one row for all matrices but one, which has the others.
            let alone = (matrices - 1).min(ids - 1);
            let tiles = alone + (ids - alone).div_ceil(TILE);
            assert!(4 * groups.tile(tiles)[0] <= groups.bytes());
            assert_eq!(4 * groups.tile(groups.max_tiles())[0], groups.bytes());
            assert_eq!(groups.address() + groups.bytes(), ACT + ACT_BYTES);
        }
        assert_eq!(Groups::unpack_row(Groups::pack_row(3, 500)), [3, 500]);
    }

    #[test]
    fn row_tiles_begin_all_over_the_columns() {
        assert_eq!(first_n_tile(64, 0, 1), 0);
        let firsts: Vec<u32> = (0..5).map(|number| first_n_tile(12, number, 5)).collect();
        assert_eq!(firsts, [0, 2, 4, 7, 9]);
        assert!((0..100).all(|number| first_n_tile(7, number, 100) < 7));
    }
}
