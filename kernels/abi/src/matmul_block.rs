//! What host and device must agree on for `MUL_MAT` of many rows: how the result is cut, and where things are in L1.
//!
//! A tile computes blocks of the result, all of K, in Dst: [`rows_at_once`] tiles of rows times as many columns of tiles as Dst holds. Weights and activations
//! come as a stream of blocks of K. Nobody reads what a neighbour has to read, too:
//!
//! ```text
//! many rows ([`is_spread`])                        few rows
//!   a column of the grid has rows of its own,         all tiles have all rows,
//!   a row of the grid columns of its own              each has columns of its own
//!   NoC 0: weights, from one tile to a row            weights: each tile reads its own
//!   NoC 1: activations, from one tile to a column     NoC 1: activations, from one tile to all
//! ```
//!
//! With one tile of rows DRAM limits a product, and what lies between two products hardly needs it. Weights come through the ring that outlives steps then ([`crate::ahead`]): a slot has a block of K of one
//! column.
//!
//! Weights come from DRAM, or from L1, where the step before has left tiles ([`crate::held`]): from the tiles of the row of the grid, or where each tile has columns of its own, from its own,
//! without another copy.
//!
//! Activations of a group of rows stay in L1 from one block of the result to the next, if all of K has room there ([`Plan::stays`]): they are sent once.
//!
//! Two products with the same activations may become a gated unit in Dst ([`BlockParams::gate`]): a block has as many tiles of both then, and its result goes to the order of activations, for the
//! product that comes next. If their weights are held, parts of the result by columns are steps of their own ([`BlockParams::part`]). Blocks take turns in the two halves of Dst, if they have room there: the matrix unit multiplies for one while the vector unit and the packers have the other.
//!
//! Results may be added to what more\[1\] of the descriptor has, one row for all or as many as there are: its rows come to the slot of a block's results before these do.
//!
//! Activations are BF16, in SrcB's order ([`crate::order`]): tiles of 32 rows and 32 elements of K; groups of [`rows_at_once`] tiles of rows one after
//! the other, and in a group for each tile of K those of its rows. So a block of K is one piece of memory.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::exact::GROUP_TILES;
use crate::held::{self, ColumnPart, Owners};
use crate::l1::{HEAP, HEAP_END};
use crate::matmul::{RESULT_ROWS, TILE, row_block_tiles};
use crate::numbered::numbered;
use crate::ring::{Link, RING};
use crate::target::CONGRUENCE;
use crate::view::ElementType;
use tt_isa::format::DST_ROWS_32;

pub use crate::held::is_spread;

/// Parameters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct BlockParams {
    /// Tiles of n (rows of src0).
    pub n_tiles: u32,
    /// Tiles of k.
    pub k_tiles: u32,
    /// Tiles of rows of src1.
    pub row_tiles: u32,
    /// Tiles of weights in a block, at most ([`block_weights`]).
    pub block_weights: u32,
    /// Where the steps before have left weights in L1 ([`held::first`]); 0: they are src0.
    pub held: u32,
    /// Whether these are tiles of F16, not of BF16.
    pub is_f16: u32,
    /// What becomes of this product and the one with the weights of more\[2\], or with the second matrix that is held, a [`Gate`]; the result is in the order of activations then.
    pub gate: u32,
    /// Of held weights: which columns of the result are this step's.
    pub part: ColumnPart,
    /// Clocks that a matrix unit rests for each fidelity phase of a product of tiles, which takes it [`PHASE_PRODUCTS`](crate::matmul::PHASE_PRODUCTS).
    pub pause: u32,
    /// 1: the step before has the same activations, and has left them in L1 ([`Plan::leaves`]). Set by the runtime at launch; builders leave 0.
    pub kept: u32,
    /// Its place in a stream, if its weights come [through the ring](Self::through_ring) that outlives steps.
    pub link: Link,
}

numbered! {
    /// Gated units of two products.
    Gate {
        /// There is one product.
        None,
        /// [`Glu::Swiglu`](crate::elementwise::Glu::Swiglu).
        Swiglu,
        /// [`Glu::Geglu`](crate::elementwise::Glu::Geglu).
        Geglu,
    }
}

impl BlockParams {
    /// Products that a tile has blocks of weights of.
    pub const fn sides(&self) -> u32 {
        if self.gate == Gate::None as u32 { 1 } else { 2 }
    }

    /// Whether weights come through the ring that outlives steps ([`crate::ahead`]).
    pub const fn through_ring(&self) -> bool {
        self.held == 0 && is_through_ring(self.row_tiles)
    }
}

/// Bytes of a tile of activations, BF16.
pub const ACT_TILE_BYTES: u32 = 2 * TILE * TILE;
/// Tiles of results that Dst holds.
pub const DST_TILES: u32 = DST_ROWS_32 as u32 / RESULT_ROWS;
/// Tiles of K in a block, at most.
pub const BLOCK_K: u32 = 8;
/// The same of a gated unit, of which a block has fewer columns: cores' work for a block is as much for a short one.
const LONG_BLOCK_K: u32 = 2 * BLOCK_K;
/// Tiles of weights in a block, at most, and bytes of their slot.
pub const BLOCK_WEIGHTS: u32 = 32;
/// See above: of BFP8_b there is room for all of them, of BF16 for half as many.
pub const WEIGHTS_SLOT: u32 = BLOCK_WEIGHTS * ElementType::TilesBfp8.block_bytes();

/// Whether weights of a product of so many tiles of rows come through the ring that outlives steps, if they are not held.
const fn is_through_ring(row_tiles: u32) -> bool {
    row_tiles == 1
}

/// Tiles of weights of a type that are read together for a product of so many tiles of rows, at most: in a block of K, or of one column in a slot of the ring.
pub const fn block_weights(ty: ElementType, row_tiles: u32) -> u32 {
    let fit = WEIGHTS_SLOT / ty.block_bytes();
    match is_through_ring(row_tiles) {
        true => row_block_tiles(ty),
        false if fit < BLOCK_WEIGHTS => fit,
        false => BLOCK_WEIGHTS,
    }
}

/// Slots of weights.
pub const WEIGHTS_SLOTS: u32 = 6;
/// Slots of activations, at most.
pub const MOST_ACTS_SLOTS: u32 = 64;
/// Blocks of results.
pub const OUT_SLOTS: u32 = 2;
/// Bytes of a tile of results, FP32.
pub const OUT_TILE_BYTES: u32 = 4 * TILE * TILE;
/// Bytes of a row of it.
pub const OUT_ROW_BYTES: u32 = 4 * TILE;
/// Bytes of a block of results.
pub const OUT_SLOT: u32 = DST_TILES * OUT_TILE_BYTES;

/// Words of 16 bytes on the tile that reads: how often all that it reads for have used a slot, of weights.
pub const WEIGHTS_CREDITS: u32 = HEAP;
/// The same of activations.
pub const ACTS_CREDITS: u32 = WEIGHTS_CREDITS + 16 * WEIGHTS_SLOTS;
/// What the others' count of blocks becomes, for the NoC to send, 16 bytes a slot: of weights, of activations.
pub const WEIGHTS_FLAGS: u32 = ACTS_CREDITS + 16 * MOST_ACTS_SLOTS;
/// See above.
pub const ACTS_FLAGS: u32 = WEIGHTS_FLAGS + 16 * WEIGHTS_SLOTS;
/// Where atomics put old values that nobody wants, of weights' and of activations'.
pub const WEIGHTS_SCRATCH: u32 = ACTS_FLAGS + 16 * MOST_ACTS_SLOTS;
/// See above.
pub const ACTS_SCRATCH: u32 = WEIGHTS_SCRATCH + 16;
/// Blocks of results.
pub const OUT: u32 = (ACTS_SCRATCH + 16).next_multiple_of(CONGRUENCE);
/// Blocks of weights, unless they come through the ring that outlives steps, or all are multiplied with where they are ([`Plan::in_place`]).
pub const WEIGHTS: u32 = OUT + OUT_SLOTS * OUT_SLOT;
/// What is held leaves so much to activations: three of the largest slots, and what is left of a fourth one.
const LEAST_ACTS_BYTES: u32 = 116 << 10;

/// Blocks of activations: as many as have room in front of what is held, or of the ring that outlives steps. `has_slots`: there are blocks of weights before them.
const fn acts(has_slots: bool) -> u32 {
    if has_slots { WEIGHTS + WEIGHTS_SLOTS * WEIGHTS_SLOT } else { WEIGHTS }
}

/// Bytes that may be held for products of so many tiles of rows.
pub const fn held_bytes(row_tiles: u32) -> u32 {
    HEAP_END - acts(is_spread(row_tiles)) - LEAST_ACTS_BYTES
}

const _: () = {
    // The largest slots where weights are held: half a block of K of as many tiles of rows as all tiles have, or a whole one of two of them ([`depth`], [`rows_at_once`]).
    assert!(3 * held::FEW * (BLOCK_K / 2) * ACT_TILE_BYTES <= LEAST_ACTS_BYTES);
    assert!(3 * rows_at_once(held::FEW * held::FEW) * BLOCK_K * ACT_TILE_BYTES <= LEAST_ACTS_BYTES);
    assert!(2 * held::FEW * LONG_BLOCK_K * ACT_TILE_BYTES <= HEAP_END - acts(true));
    assert!(4 * row_block_tiles(ElementType::TilesBfp4) * ACT_TILE_BYTES <= RING - acts(false));
    // A block of K lies in one group.
    assert!(BLOCK_K as usize == GROUP_TILES);
    assert!((HEAP | WEIGHTS | WEIGHTS_SLOT | OUT | ACT_TILE_BYTES).is_multiple_of(CONGRUENCE));
};

/// Tiles of rows in a group: the first [`row_tiles`](BlockParams::row_tiles) of a group may be the last ones, and fewer.
pub const fn rows_at_once(row_tiles: u32) -> u32 {
    match row_tiles {
        0..=held::FEW => row_tiles,
        5..=8 => 1,
        _ => 2,
    }
}

/// Blocks that Dst holds at once.
const fn places(row_tiles: u32, sides: u32) -> u32 {
    if sides == 2 && DST_TILES / (rows_at_once(row_tiles) * sides) >= 2 { 2 } else { 1 }
}

/// Columns of tiles in a block of the result of so many products, at most.
pub const fn columns_at_once(row_tiles: u32, sides: u32) -> u32 {
    DST_TILES / (rows_at_once(row_tiles) * sides) / places(row_tiles, sides)
}

/// Tiles of K in a block of K, if of a column so many tiles of weights fit a slot.
const fn depth(fits: u32, sides: u32, is_held: bool, spread: bool) -> u32 {
    let most = if sides == 2 { LONG_BLOCK_K } else { BLOCK_K };
    match (is_held, spread) {
        // Weights need no slot; activations may have little room.
        (true, false) => BLOCK_K / 2,
        (false, _) if fits >= most => most,
        (false, _) => fits,
        // A block lies in one group.
        _ if fits >= BLOCK_K => BLOCK_K,
        _ if fits >= BLOCK_K / 2 => BLOCK_K / 2,
        _ if fits >= BLOCK_K / 4 => BLOCK_K / 4,
        _ => 1,
    }
}

/// What a block of the result has: tiles of rows and columns, numbers of the first ones. None of either where a tile has nothing to do while others have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block {
    /// First tile of rows, and how many.
    pub row: u32,
    /// See above.
    pub rows: u32,
    /// First column of tiles, its number among those that this tile multiplies, and how many.
    pub column: u32,
    /// See above.
    pub number: u32,
    /// See above.
    pub columns: u32,
}

/// A tile's place in the work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan {
    k_tiles: u32,
    row_tiles: u32,
    /// Tiles of rows in a group.
    rows: u32,
    /// The first group of rows, and from one to the next.
    first_group: u32,
    group_step: u32,
    /// Columns of tiles: first one, how many, how many at once, and from the first of these to the first of the next ones. (Blocks are asked for often, and cores take tens of clocks for a division.)
    first_column: u32,
    columns: u32,
    at_once: u32,
    stride: u32,
    /// Products.
    sides: u32,
    /// Blocks that Dst holds at once.
    places: u32,
    /// Tiles of K in a block of K, and how many such blocks there are. (Cores take tens of clocks for a division.)
    depth: u32,
    depths: u32,
    /// Where weights are in L1; 0: they are not.
    held: u32,
    /// Whether they come through the ring that outlives steps.
    ring: bool,
    /// Blocks of the result for each group of rows, and of groups.
    steps: u32,
    passes: u32,
}

impl Plan {
    /// That of the tile at `place` in a grid, worker number `index`.
    pub const fn new(params: &BlockParams, place: [u32; 2], grid: [u32; 2], index: u32) -> Self {
        let &BlockParams { n_tiles, k_tiles, row_tiles, block_weights, held, .. } = params;
        let part = params.part.checked();
        let (spread, owners) = (is_spread(row_tiles), Owners::new(row_tiles, place, grid, index));
        let sides = params.sides();
        let rows = rows_at_once(row_tiles);
        let groups = row_tiles.div_ceil(rows);
        let (first_group, group_step) = if spread { (place[0], grid[0]) } else { (0, 1) };
        let (first_column, columns) = crate::matmul::share(n_tiles, owners.part, owners.parts);
        // A part of very few columns may have none: a block without columns then.
        let (columns, most) = (part.count(columns), part.count(n_tiles.div_ceil(owners.parts)));
        let most = if most > 0 { most } else { 1 };
        let (fit, places) = (columns_at_once(row_tiles, sides), places(row_tiles, sides));
        let (steps, at_once) = match part.parts {
            0..=1 => {
                let steps = most.div_ceil(fit);
                (steps, most.div_ceil(steps))
            }
            // Columns of a block are side by side.
            _ => {
                let at_once = if part.run < fit { part.run } else { fit };
                (most.div_ceil(at_once), at_once)
            }
        };
        let stride = if part.parts > 1 { part.parts * part.run } else { at_once };
        let ring = params.through_ring();
        let depth = match ring {
            true => block_weights,
            false => depth(block_weights / (at_once * sides), sides, held > 0, spread),
        };
        Self {
            k_tiles,
            row_tiles,
            rows,
            first_group,
            group_step,
            first_column: first_column + part.column(0),
            columns,
            at_once,
            stride,
            sides,
            places,
            depth,
            depths: k_tiles.div_ceil(depth),
            held,
            ring,
            steps,
            passes: groups.div_ceil(group_step),
        }
    }

    /// Blocks of the result.
    pub const fn blocks(&self) -> u32 {
        self.steps * self.passes
    }

    /// Those of them that have rows: the first ones.
    pub const fn blocks_with_rows(&self) -> u32 {
        let groups = self.row_tiles.div_ceil(self.rows);
        self.steps * groups.saturating_sub(self.first_group).div_ceil(self.group_step)
    }

    /// Those that have columns.
    pub const fn blocks_with_columns(&self) -> u32 {
        self.own_steps() * self.passes
    }

    const fn own_steps(&self) -> u32 {
        self.columns.div_ceil(self.at_once)
    }

    /// Number of the block that is the `number`th one with columns.
    pub const fn with_columns(&self, number: u32) -> u32 {
        number / self.own_steps() * self.steps + number % self.own_steps()
    }

    /// Block `number` of the result.
    pub const fn block(&self, number: u32) -> Block {
        let (pass, step) = (number / self.steps, number % self.steps);
        let row = (self.first_group + pass * self.group_step) * self.rows;
        let left = self.row_tiles.saturating_sub(row);
        let done = step * self.at_once;
        let of_columns = self.columns.saturating_sub(done);
        Block {
            row,
            rows: if left < self.rows { left } else { self.rows },
            column: self.first_column + step * self.stride,
            number: done,
            columns: if of_columns < self.at_once { of_columns } else { self.at_once },
        }
    }

    /// Blocks that Dst holds at once.
    pub const fn places(&self) -> u32 {
        self.places
    }

    /// First row of Dst of the `number`th block that has rows and columns.
    pub const fn dst_row(&self, number: u32) -> u32 {
        number % self.places * (DST_ROWS_32 as u32 / 2)
    }

    /// Whether any block has rows and columns: the first one has, then. Where none has, Tensix units have nothing to do, and are not configured.
    pub const fn has_results(&self) -> bool {
        let Block { rows, columns, .. } = self.block(0);
        rows > 0 && columns > 0
    }

    /// Tiles of weights of a block for each tile of K: those of one product after those of the other.
    pub const fn weights(&self, block: &Block) -> u32 {
        self.sides * block.columns
    }

    /// Tiles of K in a block of K.
    pub const fn depth(&self) -> u32 {
        self.depth
    }

    /// Whether all weights that this tile multiplies with are held in its own L1: then they stay where they are.
    pub const fn in_place(&self) -> bool {
        self.held > 0 && !is_spread(self.row_tiles)
    }

    /// Blocks of K.
    pub const fn depths(&self) -> u32 {
        self.depths
    }

    /// Tiles of K of block `number` of K: first one, and how many.
    pub const fn slice(&self, number: u32) -> (u32, u32) {
        let (first, depth) = (number * self.depth(), self.depth());
        let left = self.k_tiles - first;
        (first, if left < depth { left } else { depth })
    }

    /// Where tile `k` of K of a block's first column is, if it [is held here](Self::in_place), and how far it is from there to the next column's.
    pub const fn place(&self, block: &Block, k: u32) -> (u32, u32) {
        let per_column = held::per_column(self.k_tiles);
        let at = self.held + held::offset(block.number * per_column, k);
        (at, per_column * held::GROUP_BYTES)
    }

    /// Blocks of activations.
    pub const fn acts(&self) -> u32 {
        acts(!self.in_place() && !self.ring)
    }

    /// Bytes of a slot of activations.
    pub const fn acts_slot(&self) -> u32 {
        self.rows * self.depth() * ACT_TILE_BYTES
    }

    /// Slots of activations.
    pub const fn acts_slots(&self) -> u32 {
        let end = match self.held {
            0 if self.ring => RING,
            0 => HEAP_END,
            first => held::mark(first),
        };
        let fit = end.saturating_sub(self.acts()) / self.acts_slot();
        if fit < MOST_ACTS_SLOTS { fit } else { MOST_ACTS_SLOTS }
    }

    /// Whether the activations of a group of rows stay in L1 for all blocks of the result that have these rows. If not, they are sent for each of them.
    pub const fn stays(&self) -> bool {
        self.depths() <= self.acts_slots()
    }

    /// Whether all activations that this tile has are in L1 at the end, where a step with the same ones and this plan looks for them.
    pub const fn leaves(&self, next: &Self) -> bool {
        let alike =
            self.k_tiles == next.k_tiles && self.row_tiles == next.row_tiles && self.depth == next.depth;
        let is_whole = self.passes == 1 && self.stays() && next.stays();
        alike && is_whole && self.acts() == next.acts() && self.held == 0 && next.held == 0
    }

    /// Blocks of the result whose activations are sent together.
    const fn of_acts(&self) -> u32 {
        if self.stays() { self.steps } else { 1 }
    }

    /// Blocks of activations that are sent.
    pub const fn acts_blocks(&self) -> u32 {
        self.blocks_with_rows() / self.of_acts() * self.depths()
    }

    /// The first block of the result that has block `number` of the activations, and which block of K that is.
    pub const fn of_acts_block(&self, number: u32) -> (u32, u32) {
        (number / self.depths() * self.of_acts(), number % self.depths())
    }

    /// The number of the first block of activations of block `number` of the result, and whether no later block of the result has them.
    pub const fn acts_of(&self, number: u32) -> (u32, bool) {
        let of = self.of_acts();
        (number / of * self.depths(), number % of + 1 == of)
    }

    /// Offset among the activations of tile `k` of K of a block of the result.
    pub const fn activations(&self, block: &Block, k: u32) -> u64 {
        (block.row as u64 * self.k_tiles as u64 + (k * block.rows) as u64) * ACT_TILE_BYTES as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::{SLOT_BYTES, SLOTS};
    use std::collections::BTreeSet;

    /// Parameters of BFP8_b weights in DRAM.
    fn params(n_tiles: u32, k_tiles: u32, row_tiles: u32) -> BlockParams {
        BlockParams {
            n_tiles,
            k_tiles,
            row_tiles,
            block_weights: block_weights(ElementType::TilesBfp8, row_tiles),
            held: 0,
            is_f16: 0,
            gate: Gate::None as u32,
            part: ColumnPart::WHOLE,
            pause: 0,
            kept: 0,
            link: Link::NONE,
        }
    }

    #[test]
    fn blocks_cover_the_result_once() {
        let grid = [8, 9];
        let shapes = [(64, 16), (256, 16), (7, 5), (16, 1), (100, 3), (448, 33), (1, 9)];
        let bf16 = ElementType::TilesBf16;
        let (one, two) = (Gate::None as u32, Gate::Swiglu as u32);
        let weights = [(ElementType::TilesBfp8, false), (ElementType::TilesBfp4, false), (bf16, false)];
        let kinds = weights.into_iter().flat_map(|(ty, held)| [(ty, held, one), (ty, held, two)]);
        let kinds: Vec<_> = kinds.chain([(bf16, true, one), (bf16, true, two)]).collect();
        for ((n_tiles, row_tiles), &(ty, is_held, gate)) in
            shapes.into_iter().flat_map(|shape| kinds.iter().map(move |kind| (shape, kind)))
        {
            let owners = Owners::new(row_tiles, [0, 0], grid, 0);
            let sides = if gate == one { 1 } else { 2 };
            // Of held weights in parts, too.
            let run = columns_at_once(row_tiles, sides);
            let parts = if is_held && n_tiles > 72 { 3 } else { 1 };
            let mut seen = BTreeSet::new();
            for part in (0..parts).map(|number| ColumnPart { number, parts, run }) {
                let held = if is_held { held::first(n_tiles, 20, sides, part, owners) } else { 0 };
                let block_weights = block_weights(ty, row_tiles);
                let params =
                    BlockParams { block_weights, held, gate, part, ..params(n_tiles, 20, row_tiles) };
                assert!(!is_held || HEAP_END - held::mark(held) <= held_bytes(row_tiles));
                for index in 0..72 {
                    let plan = Plan::new(&params, [index % 8, index / 8], grid, index);
                    for block in (0..plan.blocks()).map(|number| plan.block(number)) {
                        assert!(plan.places() * block.rows * plan.weights(&block) <= DST_TILES);
                        let column = plan.depth() * ty.block_bytes();
                        let weights = plan.weights(&block) * column;
                        match params.through_ring() {
                            true => assert!(column <= SLOT_BYTES && plan.weights(&block) <= SLOTS),
                            false => assert!(weights <= WEIGHTS_SLOT || plan.in_place()),
                        }
                        assert!(held == 0 || BLOCK_K.is_multiple_of(plan.depth()));
                        assert!(block.rows * plan.depth() * ACT_TILE_BYTES <= plan.acts_slot());
                        for row in block.row..block.row + block.rows {
                            for column in block.column..block.column + block.columns {
                                assert!(seen.insert((row, column)), "{n_tiles} {row_tiles} {block:?}");
                            }
                        }
                    }
                    let all: Vec<_> = (0..plan.blocks()).map(|number| plan.block(number)).collect();
                    let with_rows = all.iter().filter(|block| block.rows > 0).count() as u32;
                    assert_eq!(with_rows, plan.blocks_with_rows());
                    assert!(all[..with_rows as usize].iter().all(|block| block.rows > 0));
                    assert_eq!(
                        plan.has_results(),
                        all.iter().any(|block| block.rows > 0 && block.columns > 0)
                    );
                    let with_columns =
                        (0..plan.blocks_with_columns()).map(|number| plan.with_columns(number));
                    let numbers =
                        (0..).zip(&all).filter(|(_, block)| block.columns > 0).map(|(number, _)| number);
                    assert!(with_columns.eq(numbers));
                    let slices: u32 = (0..plan.depths()).map(|number| plan.slice(number).1).sum();
                    assert_eq!(slices, 20);
                    let end = match params.through_ring() {
                        true => RING,
                        false if is_held => held::mark(held),
                        false => HEAP_END,
                    };
                    assert!(plan.acts_slots() >= 4);
                    assert!(plan.acts() + plan.acts_slots() * plan.acts_slot() <= end);
                    // Every block of the result finds its activations where they were sent for it, and the last one of those that have them lets them go.
                    let mut freed = 0;
                    for number in 0..with_rows {
                        let (first, is_last) = plan.acts_of(number);
                        for depth in 0..plan.depths() {
                            assert!(freed <= first + depth && first + depth < freed + plan.acts_slots());
                            let (of, slice) = plan.of_acts_block(first + depth);
                            assert_eq!((plan.block(of).row, slice), (plan.block(number).row, depth));
                            freed += u32::from(is_last);
                        }
                    }
                    assert_eq!(freed, plan.acts_blocks());
                }
            }
            assert_eq!(seen.len() as u32, n_tiles * row_tiles);
        }
    }

    #[test]
    fn activations_stay_where_they_have_room() {
        let stays = |k_tiles| Plan::new(&params(256, k_tiles, 16), [0, 0], [8, 9], 0).stays();
        assert!(stays(64) && stays(128) && !stays(448));
    }

    #[test]
    fn activations_of_a_step_are_left_for_the_next_one_that_has_them_alike() {
        let plan = |n_tiles, k_tiles, row_tiles, held| {
            let params = BlockParams { held, ..params(n_tiles, k_tiles, row_tiles) };
            Plan::new(&params, [0, 0], [8, 9], 0)
        };
        let leaves = |rows, k_tiles| plan(64, k_tiles, rows, 0).leaves(&plan(16, k_tiles, rows, 0));
        assert!([1, 4, 16].into_iter().all(|rows| leaves(rows, 64)));
        // More rows than are in L1 at once; more of K than has room.
        assert!(!leaves(17, 64) && !leaves(16, 448) && !leaves(1, 448));
        // Another K; longer blocks of K, where there are fewer columns.
        assert!(!plan(64, 64, 1, 0).leaves(&plan(64, 65, 1, 0)));
        assert!(!plan(72, 64, 5, 0).leaves(&plan(9, 64, 5, 0)));
        assert!(!plan(64, 64, 5, HEAP_END / 2).leaves(&plan(64, 64, 5, 0)));
    }

    #[test]
    fn tiles_that_share_walk_the_same_blocks() {
        let params = params(256, 64, 13);
        let plan = |x, y| Plan::new(&params, [x, y], [8, 9], y * 8 + x);
        for number in 0..plan(0, 0).blocks() {
            for y in 0..9 {
                let columns = |x| (plan(x, y).block(number).column, plan(x, y).block(number).columns);
                assert!((1..8).all(|x| columns(x) == columns(0)));
            }
            for x in 0..8 {
                let rows = |y| (plan(x, y).block(number).row, plan(x, y).block(number).rows);
                assert!((1..9).all(|y| rows(y) == rows(0)));
            }
        }
    }
}
