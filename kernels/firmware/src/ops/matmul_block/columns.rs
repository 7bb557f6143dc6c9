//! Columns of weights, for BRISC: in DRAM, or in the L1 of the tiles of the row of the grid.
//!
//! A block of K begins where the one before ends, in each column. Where that is, is found once for a block of the result, and again where a shard of the matrix, or a group that one tile holds, ends in between: finding it takes
//! a core hundreds of clocks, in which the matrix units of a row of the grid are done with half a block.

use crate::rt::handout::row_tile;
use crate::rt::l1::L1;
use crate::rt::launch::TileLaunch;
use crate::rt::noc::{Noc, Run};
use tt_kernel_abi::exact::GROUP_TILES;
use tt_kernel_abi::held::{Held, TILE_BYTES};
use tt_kernel_abi::matmul_block::{Block, BlockParams, DST_TILES};
use tt_kernel_abi::{Shard, Shards, TensorView};

/// The columns of a block of the result, in DRAM.
pub struct Columns<'a> {
    /// How many products there are, and their weights, of one type and shape.
    sides: u32,
    weights: [&'a TensorView; 2],
    shards: [Shards; 2],
    /// What was read from last.
    shard: [Shard; 2],
    /// Where the next tile of each column is, those of one product before those of the other.
    runs: [Run; DST_TILES as usize],
}

impl<'a> Columns<'a> {
    /// Those of the launch's weights.
    pub fn new(launch: &'a TileLaunch, params: &BlockParams, noc: &Noc) -> Self {
        let (first, second) = (&launch.op.src0, &launch.op.more[2]);
        let sides = params.sides();
        let weights = [first, if sides == 2 { second } else { first }];
        let shards = weights.map(|weights| Shards::of_matrix(weights, 0, noc.banks()));
        Self { sides, weights, shards, shard: Default::default(), runs: Default::default() }
    }

    /// Asks for `count` tiles of K, from tile `first` on, of all columns of a block: those before them have been asked for. Gives the bytes.
    pub fn read(&mut self, noc: &mut Noc, block: &Block, [first, count]: [u32; 2], slot: L1) -> u32 {
        let tile = self.weights[0].nb[0] as u32;
        let (len, columns) = (count * tile, self.sides * block.columns);
        for (number, run) in (0..columns).zip(&mut self.runs) {
            let to = slot.part(number * len, len);
            if first > 0 && noc.read_run(run, to) {
                continue;
            }
            let (side, column) =
                if number < block.columns { (0, number) } else { (1, number - block.columns) };
            let (shards, shard) = (&self.shards[side], &mut self.shard[side]);
            let at = u64::from(block.column + column) * self.weights[side].nb[1] + u64::from(first * tile);
            noc.read_shards(shards, shard, at, to);
            *run = noc.run(shards, shard, at + u64::from(len));
        }
        columns * len
    }
}

/// The columns of a block of the result, held by the tiles of the row of the grid.
pub struct HeldColumns {
    held: Held,
    /// Who holds the next tile of each column, and where.
    next: [(u32, u32); DST_TILES as usize],
}

impl HeldColumns {
    /// Those of what is held.
    pub fn new(held: Held) -> Self {
        Self { held, next: Default::default() }
    }

    /// Asks for `count` tiles of K, from tile `first` on, of all columns of a block: those before them have been asked for. They are of one group. Gives the bytes.
    pub fn read(&mut self, noc: &mut Noc, block: &Block, [first, count]: [u32; 2], slot: L1) -> u32 {
        let len = count * TILE_BYTES;
        for (number, next) in (0..block.columns).zip(&mut self.next) {
            if first.is_multiple_of(GROUP_TILES as u32) {
                let (member, at) = self.held.find(block.column + number, first);
                *next = (row_tile(member), at);
            }
            let (node, at) = *next;
            noc.read_l1(node, at, slot.part(number * len, len));
            next.1 += len;
        }
        block.columns * len
    }
}
