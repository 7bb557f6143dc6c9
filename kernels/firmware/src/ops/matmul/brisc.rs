//! BRISC: weights from DRAM over NoC 0 into the ring of blocks.
//!
//! Tiles are copied as they are, from the shards that [`tt_kernel_abi::shard`] describes, with two blocks on their way at any
//! time: a DRAM bank is busy only while it has a request to go on with. Rows of a row-major src0 are read into one staging buffer while the rows in
//! the other are converted to FP32 tiles ([`super::convert`]); since the tile is written K-major, the transposition that the
//! matrix unit needs costs nothing.

use super::convert::convert_row;
use super::plan::{Plan, Tiles, Unit};
use crate::rt::launch::Launch;
use crate::rt::noc::Noc;
use crate::rt::sync::{WEIGHTS_FREE, WEIGHTS_READY};
use tt_kernel_abi::matmul::{
    RING, RING_SLOT_BYTES, RING_SLOTS, TILE, WEIGHT_STAGE, WEIGHT_STAGE_BYTES, WEIGHT_STAGE_ROW,
};
use tt_kernel_abi::{DramAddr, ElementType, OpDescriptor, Shard, Shards};

/// Runs BRISC's part.
pub fn run(launch: &Launch) {
    let Some(plan) = Plan::new(launch) else { return };
    match plan.weights().is_tiles() {
        true => stream_tiles(launch, plan),
        false => convert_rows(launch, plan),
    }
}

/// Address of block `number`'s slot in the ring.
pub fn slot(number: u32) -> u32 {
    RING + number % RING_SLOTS * RING_SLOT_BYTES
}

/// Waits until block `number`'s slot is free.
fn wait_for_slot(number: u32) {
    if number >= RING_SLOTS {
        WEIGHTS_FREE.wait(number - RING_SLOTS + 1);
    }
}

/// Blocks on their way at the same time, each with a transaction id of its own, from 1 on.
const BLOCKS_IN_FLIGHT: u32 = 2;

/// Blocks of tiles on their way from DRAM to the ring.
struct Stream {
    noc: Noc,
    asked: u32,
    ready: u32,
}

impl Stream {
    fn id(number: u32) -> u32 {
        1 + number % BLOCKS_IN_FLIGHT
    }

    /// Asks for the next block, and waits for the one before it. (That one is not needed for the new one's slot to become
    /// free: the ring has more slots than blocks are on their way.)
    fn ask(&mut self, shards: &Shards, shard: &mut Shard, at: u64, len: u32) {
        const { assert!(RING_SLOTS > BLOCKS_IN_FLIGHT) };
        wait_for_slot(self.asked);
        self.noc.set_read_id(Self::id(self.asked));
        self.noc.read_shards(shards, shard, at, slot(self.asked), len);
        self.asked += 1;
        if self.asked - self.ready == BLOCKS_IN_FLIGHT {
            self.arrive();
        }
    }

    /// Waits for the oldest block.
    fn arrive(&mut self) {
        self.noc.wait_read_id(Self::id(self.ready));
        self.ready += 1;
        WEIGHTS_READY.publish(self.ready);
    }

    fn finish(mut self) {
        while self.ready < self.asked {
            self.arrive();
        }
        self.noc.set_read_id(0);
    }
}

fn stream_tiles(launch: &Launch, mut plan: Plan) {
    let mut stream = Stream { noc: Noc::new(0), asked: 0, ready: 0 };
    while let Some(unit) = plan.next() {
        launch.progress(unit.number);
        let src0 = plan.source(launch.op, &unit);
        let shards = Shards::of_matrix(src0, plan.matrix(launch.op, &unit), stream.noc.banks());
        let mut shard = Shard::default();
        let row = u64::from(unit.n_tile) * src0.nb[1];
        for chunk in plan.chunks() {
            for tiles in chunk.pieces(plan.block_tiles()) {
                let tile_bytes = src0.nb[0] as u32;
                let at = row + u64::from(tiles.first * tile_bytes);
                stream.ask(&shards, &mut shard, at, tiles.count * tile_bytes);
            }
        }
    }
    stream.finish();
}

/// A block of rows on its way from DRAM to the ring.
#[derive(Clone, Copy)]
struct Staged {
    number: u32,
    tiles: Tiles,
    addr: u64,
    rows: u32,
}

fn convert_rows(launch: &Launch, mut plan: Plan) {
    let op = launch.op;
    let mut noc = Noc::new(0);
    let mut pending: Option<Staged> = None;
    let mut number = 0;
    while let Some(unit) = plan.next() {
        launch.progress(unit.number);
        let matrix = op.src0.addr + plan.matrix(op, &unit);
        for chunk in plan.chunks() {
            for tiles in chunk.pieces(plan.block_tiles()) {
                let staged = stage(op, &plan, &unit, matrix, number, tiles);
                // The block before is in its buffer; this one's reads run while that one is converted.
                noc.wait_reads();
                fetch(&mut noc, op, plan.weights(), &staged);
                if let Some(before) = pending.replace(staged) {
                    emit(op, plan.weights(), &before);
                }
                number += 1;
            }
        }
    }
    if let Some(last) = pending {
        noc.wait_reads();
        emit(op, plan.weights(), &last);
    }
}

fn stage(op: &OpDescriptor, plan: &Plan, unit: &Unit, matrix: u64, number: u32, tiles: Tiles) -> Staged {
    let src0 = &op.src0;
    let n = unit.n_tile * TILE;
    let addr = matrix + u64::from(n) * src0.nb[1] + u64::from(row_bytes(plan.weights(), tiles.first * TILE));
    Staged { number, tiles, addr, rows: TILE.min(src0.ne[1] - n) }
}

/// Bytes of `elements` elements of a row.
fn row_bytes(ty: ElementType, elements: u32) -> u32 {
    elements / ty.block_len() * ty.block_bytes()
}

/// Elements of the block that exist: the last tile of K may be partial.
fn elements(op: &OpDescriptor, tiles: Tiles) -> u32 {
    (tiles.count * TILE).min(op.src0.ne[0] - tiles.first * TILE)
}

/// Where a row is staged: the NoC wants the offset modulo 32 to be that of the source.
fn staging(number: u32, row: u32, addr: u64) -> u32 {
    WEIGHT_STAGE + (number & 1) * WEIGHT_STAGE_BYTES + row * WEIGHT_STAGE_ROW + (addr as u32 & 31)
}

fn fetch(noc: &mut Noc, op: &OpDescriptor, ty: ElementType, block: &Staged) {
    let bytes = row_bytes(ty, elements(op, block.tiles));
    let mut addr = block.addr;
    for row in 0..block.rows {
        noc.read_dram(DramAddr(addr), staging(block.number, row, addr), bytes);
        addr += op.src0.nb[1];
    }
}

fn emit(op: &OpDescriptor, ty: ElementType, block: &Staged) {
    wait_for_slot(block.number);
    let count = elements(op, block.tiles);
    let mut addr = block.addr;
    for row in 0..block.rows {
        let from = staging(block.number, row, addr);
        // Column `row` of the block's first tile.
        let to = slot(block.number) + row / 16 * 1024 + row % 16 * 4;
        convert_row(ty, from, to, count, block.tiles.count * TILE);
        addr += op.src0.nb[1];
    }
    WEIGHTS_READY.publish(block.number + 1);
}
