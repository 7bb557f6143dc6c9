//! Columns of weights, for BRISC, and the blocks of K in which they are read: in DRAM, or in the L1 of the tiles of the row of the grid.
//!
//! A block of K begins where the one before ends, in each column. Where that is, is found once for a block of the result, and again where a shard of the matrix, or a group that one tile holds, ends in between: finding it takes
//! a core hundreds of clocks, in which the matrix units of a row of the grid are done with half a block.

use crate::rt::handout::row_tile;
use crate::rt::l1::{L1, outside};
use crate::rt::noc::{Noc, Run};
use tt_kernel_abi::exact::GROUP_TILES;
use tt_kernel_abi::held::{Held, TILE_BYTES, of_side};
use tt_kernel_abi::matmul_block::{Block, BlockParams, DST_TILES, Plan};
use tt_kernel_abi::{OpDescriptor, Shard, Shards};

/// The blocks of K of all blocks of the result that have columns, one after the other. (Cores take tens of clocks for a division: there is none for a block of K.)
pub struct Blocks {
    plan: Plan,
    /// The block of the result, and the number of the next one.
    block: Block,
    next: u32,
    /// Its next block of K.
    depth: u32,
}

impl Blocks {
    /// Those of a plan.
    pub fn new(plan: Plan) -> Self {
        let block = Block { row: 0, rows: 0, column: 0, number: 0, columns: 0 };
        Self { plan, block, next: 0, depth: plan.depths() }
    }

    /// How many blocks of the result have begun.
    pub fn begun(&self) -> u32 {
        self.next
    }
}

impl Iterator for Blocks {
    type Item = (Block, (u32, u32));

    /// The next block of K: the block of the result, first tile of K and how many.
    fn next(&mut self) -> Option<Self::Item> {
        if self.depth == self.plan.depths() {
            if self.next == self.plan.blocks_with_columns() {
                return None;
            }
            self.block = self.plan.block(self.plan.with_columns(self.next));
            (self.next, self.depth) = (self.next + 1, 0);
        }
        self.depth += 1;
        Some((self.block, self.plan.slice(self.depth - 1)))
    }
}

/// The columns of a block of the result, in DRAM.
pub struct Columns {
    /// How many products there are. Their weights are of one type and shape: bytes of a tile, and of a column.
    sides: u32,
    tile: u32,
    column: u64,
    shards: [Shards; 2],
    /// What was read from last.
    shard: [Shard; 2],
    /// Where the next tile of each column is, those of one product before those of the other.
    runs: [Run; DST_TILES as usize],
}

impl Columns {
    /// Those of a step's weights.
    pub fn new(op: &OpDescriptor, params: &BlockParams, banks: u32) -> Self {
        let (first, second) = (&op.src0, &op.more[2]);
        let sides = params.sides();
        let weights = [first, if sides == 2 { second } else { first }];
        let shards = weights.map(|weights| Shards::of_matrix(weights, 0, banks));
        let (tile, column) = (first.nb[0] as u32, first.nb[1]);
        Self { sides, tile, column, shards, shard: Default::default(), runs: Default::default() }
    }

    /// Columns of a block, of all products.
    pub fn count(&self, block: &Block) -> u32 {
        self.sides * block.columns
    }

    /// Asks for `count` tiles of K, from tile `first` on, of all columns of a block: those before them have been asked for. Gives the bytes.
    pub fn read(&mut self, noc: &mut Noc, block: &Block, [first, count]: [u32; 2], slot: L1) -> u32 {
        let (len, columns) = (count * self.tile, self.count(block));
        for number in 0..columns {
            self.read_column(noc, block, number, [first, count], slot.skip(number * len));
        }
        columns * len
    }

    /// The same of the `number`th column of a block.
    #[inline(always)]
    pub fn read_column(
        &mut self,
        noc: &mut Noc,
        block: &Block,
        number: u32,
        [first, count]: [u32; 2],
        slot: L1,
    ) {
        let Some(run) = self.runs.get_mut(number as usize) else { outside() };
        let len = count * self.tile;
        let to = slot.part(0, len);
        if first > 0 && noc.read_run(run, to) {
            return;
        }
        let (side, column) = if number < block.columns { (0, number) } else { (1, number - block.columns) };
        let (shards, shard) = (&self.shards[side], &mut self.shard[side]);
        let at = u64::from(block.column + column) * self.column + u64::from(first * self.tile);
        noc.read_shards(shards, shard, at, to);
        *run = noc.run(shards, shard, at + u64::from(len));
    }
}

/// The columns of a block of the result, held by the tiles of the row of the grid.
pub struct HeldColumns {
    held: Held,
    /// How many products there are, and from where the first one's weights are to where the second one's are.
    sides: u32,
    apart: u32,
    /// Who holds the next tile of each column, and where.
    next: [(u32, u32); DST_TILES as usize],
}

impl HeldColumns {
    /// Those of what is held.
    pub fn new(held: Held, params: &BlockParams) -> Self {
        let sides = params.sides();
        let apart = of_side(params.held, 1, sides) - params.held;
        Self { held, sides, apart, next: Default::default() }
    }

    /// Asks for `count` tiles of K, from tile `first` on, of all columns of a block: those before them have been asked for. They are of one group. Gives the bytes.
    pub fn read(&mut self, noc: &mut Noc, block: &Block, [first, count]: [u32; 2], slot: L1) -> u32 {
        let (len, columns) = (count * TILE_BYTES, self.sides * block.columns);
        for (number, next) in (0..columns).zip(&mut self.next) {
            if first.is_multiple_of(GROUP_TILES as u32) {
                let (column, from) = match number.checked_sub(block.columns) {
                    None => (number, 0),
                    Some(column) => (column, self.apart),
                };
                let (member, at) = self.held.find(block.number + column, first);
                *next = (row_tile(member), at + from);
            }
            let (node, at) = *next;
            noc.read_l1(node, at, slot.part(number * len, len));
            next.1 += len;
        }
        columns * len
    }
}
