//! BRISC: weights from DRAM over NoC 0 into the ring of blocks.
//!
//! Tiles are copied as they are, from the shards that [`tt_kernel_abi::shard`] describes, with two blocks on their way at any
//! time: a DRAM bank is busy only while it has a request to go on with. So are rows, or columns, of halves that the unpacker takes as they
//! lie ([`Halves`]). Rows of another row-major src0 are read into one staging buffer while the rows in the other are converted to FP32 tiles
//! ([`crate::rt::tilize`]). Weights of a product with one row of activations take another ring ([`crate::ops::ahead`]).

use super::blocks::Blocks;
use super::plan::Plan;
use crate::rt::l1::L1;
use crate::rt::launch::TileLaunch;
use crate::rt::noc::Noc;
use crate::rt::sync::{WEIGHTS_FREE, WEIGHTS_READY};
use crate::rt::tilize::{Block, Matrix};
use tt_kernel_abi::matmul::{
    Halves, MatmulParams, RING, RING_SLOT_BYTES, RING_SLOTS, WEIGHT_STAGE, WEIGHT_STAGE_BYTES,
};

/// Runs BRISC's part.
pub fn run(launch: &TileLaunch, params: &MatmulParams) {
    let Some(plan) = Plan::new(launch, params) else { return };
    match plan.weights().is_tiles() {
        true => stream_tiles(launch, params, plan),
        false if plan.halves() != Halves::None => stream_halves(launch, plan),
        false => convert_rows(launch, plan),
    }
}

/// Block `number`'s slot in the ring.
pub fn slot<'a>(launch: &'a TileLaunch, number: u32) -> L1<'a> {
    launch.l1(RING + number % RING_SLOTS * RING_SLOT_BYTES, RING_SLOT_BYTES)
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
struct Stream<'a> {
    launch: &'a TileLaunch<'a>,
    noc: Noc,
    asked: u32,
    ready: u32,
}

impl Stream<'_> {
    fn id(number: u32) -> u32 {
        1 + number % BLOCKS_IN_FLIGHT
    }

    /// Asks for the next block, which `read` brings to its slot, and waits for the one before it. (That one is not needed for the new one's slot to become
    /// free: the ring has more slots than blocks are on their way.)
    #[inline(always)]
    fn ask(&mut self, read: impl FnOnce(&mut Noc, L1)) {
        const { assert!(RING_SLOTS > BLOCKS_IN_FLIGHT) };
        wait_for_slot(self.asked);
        self.noc.set_read_id(Self::id(self.asked));
        read(&mut self.noc, slot(self.launch, self.asked));
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

fn stream_tiles(launch: &TileLaunch, params: &MatmulParams, plan: Plan) {
    let mut stream = Stream { launch, noc: Noc::new(0), asked: 0, ready: 0 };
    let mut blocks = Blocks::new(plan, launch.op, params, stream.noc.banks());
    while let Some(block) = blocks.next() {
        if let Some(unit) = blocks.unit() {
            launch.progress(unit);
        }
        stream.ask(|noc, slot| blocks.read(noc, &block, slot));
    }
    stream.finish();
}

fn stream_halves(launch: &TileLaunch, mut plan: Plan) {
    let src0 = Matrix::of_halves(&launch.op.src0, plan.weights());
    let mut stream = Stream { launch, noc: Noc::new(0), asked: 0, ready: 0 };
    while let Some(unit) = plan.next() {
        launch.progress(unit.number);
        let matrix = plan.matrix(&launch.op.src0, &unit);
        for chunk in plan.chunks() {
            for tiles in chunk.pieces(plan.block_tiles()) {
                let block = src0.block(matrix, unit.n_tile, tiles);
                stream.ask(|noc, slot| {
                    src0.fetch(noc, &block, slot);
                    src0.complete(&block, slot);
                });
            }
        }
    }
    stream.finish();
}

/// A block of rows on its way from DRAM to the ring.
#[derive(Clone, Copy)]
struct Staged {
    number: u32,
    block: Block,
}

impl Staged {
    fn stage<'a>(&self, launch: &'a TileLaunch) -> L1<'a> {
        launch.l1(WEIGHT_STAGE + (self.number & 1) * WEIGHT_STAGE_BYTES, WEIGHT_STAGE_BYTES)
    }

    /// Converts the block into its slot.
    fn put(&self, launch: &TileLaunch, src0: &Matrix) {
        wait_for_slot(self.number);
        src0.convert(&self.block, self.stage(launch), slot(launch, self.number));
        WEIGHTS_READY.publish(self.number + 1);
    }
}

fn convert_rows(launch: &TileLaunch, mut plan: Plan) {
    let src0 = Matrix::new(&launch.op.src0, plan.weights());
    let mut noc = Noc::new(0);
    let mut pending: Option<Staged> = None;
    let mut number = 0;
    while let Some(unit) = plan.next() {
        launch.progress(unit.number);
        let matrix = plan.matrix(&launch.op.src0, &unit);
        for chunk in plan.chunks() {
            for tiles in chunk.pieces(plan.block_tiles()) {
                let staged = Staged { number, block: src0.block(matrix, unit.n_tile, tiles) };
                // The block before is in its buffer; this one's reads run while that one is converted.
                noc.wait_reads();
                src0.fetch(&mut noc, &staged.block, staged.stage(launch));
                if let Some(before) = pending.replace(staged) {
                    before.put(launch, &src0);
                }
                number += 1;
            }
        }
    }
    if let Some(last) = pending {
        noc.wait_reads();
        last.put(launch, &src0);
    }
}
