//! BRISC: blocks of weights, from DRAM, from the L1 of the tiles that hold them, or from the tile that reads for the row of the grid.

use super::columns::{Columns, HeldColumns};
use super::plan;
use crate::rt::handout::{self, Handout, Members, Ring};
use crate::rt::launch::TileLaunch;
use crate::rt::noc::Noc;
use crate::rt::sync::{WEIGHTS_FREE, WEIGHTS_READY};
use tt_kernel_abi::held::{Held, Owners, mark};
use tt_kernel_abi::launch::ErrorCode;
use tt_kernel_abi::matmul_block::{
    Block, BlockParams, Plan, WEIGHTS, WEIGHTS_CREDITS, WEIGHTS_FLAGS, WEIGHTS_SCRATCH, WEIGHTS_SLOT,
    WEIGHTS_SLOTS, is_spread,
};

/// Blocks of weights.
pub const RING: Ring = Ring {
    first: WEIGHTS,
    bytes: WEIGHTS_SLOT,
    slots: WEIGHTS_SLOTS,
    credits: WEIGHTS_CREDITS,
    flags: WEIGHTS_FLAGS,
    scratch: WEIGHTS_SCRATCH,
    ready: WEIGHTS_READY,
    free: WEIGHTS_FREE,
};

/// Runs BRISC's part.
pub fn run(launch: &TileLaunch, params: &BlockParams) {
    let Some(plan) = plan(launch, params) else {
        return launch.fail(ErrorCode::BadDescriptor, launch.op.cores, 0);
    };
    let [place, grid] = handout::place();
    let owners = Owners::new(params.row_tiles, place, grid, launch.index);
    let held = Held::new(params.n_tiles, params.k_tiles, owners, params.held);
    if params.held != 0 {
        check(launch, params.held);
    }
    if plan.in_place() {
        return;
    }
    let mut noc = Noc::new(0);
    let members = if is_spread(params.row_tiles) { Members::row() } else { Members::alone() };
    let total = plan.blocks_with_columns() * plan.depths();
    let mut stream = Handout::new(&noc, RING, members, total);
    let (mut columns, mut held) = (Columns::new(launch, params, &noc), HeldColumns::new(held));
    let mut blocks = Blocks::new(&plan);
    while !stream.is_done() {
        stream.step(&mut noc, &mut |noc, number, slot| {
            launch.progress(number);
            let (block, (first, count)) = blocks.next();
            if params.held != 0 {
                return held.read(noc, &block, [first, count], slot);
            }
            columns.read(noc, &block, [first, count], slot)
        });
    }
    stream.finish(&mut noc);
}

/// The blocks of K of all blocks of the result that have columns, one after the other. (Cores take tens of clocks for a division: there is none for a block of K.)
struct Blocks<'a> {
    plan: &'a Plan,
    /// The block of the result, and the number of the next one.
    block: Block,
    next: u32,
    /// Its next block of K.
    depth: u32,
}

impl<'a> Blocks<'a> {
    fn new(plan: &'a Plan) -> Self {
        Self { plan, block: Block { row: 0, rows: 0, column: 0, columns: 0 }, next: 0, depth: plan.depths() }
    }

    /// The next block of K: the block of the result, first tile of K and how many. To be asked for as often as there are blocks.
    fn next(&mut self) -> (Block, (u32, u32)) {
        if self.depth == self.plan.depths() {
            self.block = self.plan.block(self.plan.with_columns(self.next));
            (self.next, self.depth) = (self.next + 1, 0);
        }
        self.depth += 1;
        (self.block, self.plan.slice(self.depth - 1))
    }
}

/// Says so if the step before has not left these weights in L1. (The others go on with what is there: they wait for each other.)
fn check(launch: &TileLaunch, first: u32) {
    let left = launch.l1(mark(first), 4).words()[0].load();
    if left != launch.op.seq.wrapping_sub(1) {
        launch.fail(ErrorCode::NotHeld, launch.op.seq, left);
    }
}
