//! BRISC: blocks of weights, from DRAM, from the L1 of the tiles that hold them, or from the tile that reads for the row of the grid. (Those that come through the ring that outlives steps,
//! [`crate::ops::ahead`] reads.)

use super::columns::{Blocks, Columns, HeldColumns};
use super::plan;
use crate::rt::handout::{self, Handout, Members, Ring};
use crate::rt::launch::TileLaunch;
use crate::rt::noc::Noc;
use crate::rt::sync::{WEIGHTS_FREE, WEIGHTS_READY};
use tt_kernel_abi::held::{Held, Owners, mark, of_side};
use tt_kernel_abi::launch::ErrorCode;
use tt_kernel_abi::matmul_block::{
    BlockParams, WEIGHTS, WEIGHTS_CREDITS, WEIGHTS_FLAGS, WEIGHTS_SCRATCH, WEIGHTS_SLOT, WEIGHTS_SLOTS,
    is_spread,
};

/// Blocks of weights that are on their way from DRAM at the same time.
const IN_FLIGHT: u32 = 3;

/// Blocks of weights.
pub const RING: Ring = Ring {
    first: WEIGHTS,
    bytes: WEIGHTS_SLOT,
    slots: WEIGHTS_SLOTS,
    in_flight: IN_FLIGHT,
    credits: WEIGHTS_CREDITS,
    flags: WEIGHTS_FLAGS,
    scratch: WEIGHTS_SCRATCH,
    ready: WEIGHTS_READY,
    free: WEIGHTS_FREE,
};

/// Runs BRISC's part.
pub fn run(launch: &TileLaunch, params: &BlockParams) {
    let Some(plan) = plan(launch, params) else { return };
    let [place, grid] = handout::place();
    let owners = Owners::new(params.row_tiles, place, grid, launch.index);
    let held = Held::new(params.n_tiles, params.k_tiles, params.part, owners, params.held);
    if params.held != 0 {
        check(launch, params);
    }
    if plan.in_place() {
        return;
    }
    let mut noc = Noc::new(0);
    let members = if is_spread(params.row_tiles) { Members::row() } else { Members::alone() };
    let total = plan.blocks_with_columns() * plan.depths();
    let mut stream = Handout::new(&noc, RING, members, total);
    let (mut columns, mut held) =
        (Columns::new(launch.op, params, noc.banks()), HeldColumns::new(held, params));
    let mut blocks = Blocks::new(plan);
    while !stream.is_done() {
        stream.step(&mut noc, &mut |noc, number, slot| {
            launch.progress(number);
            let Some((block, (first, count))) = blocks.next() else { return 0 };
            if params.held != 0 {
                return held.read(noc, &block, [first, count], slot);
            }
            columns.read(noc, &block, [first, count], slot)
        });
    }
    stream.finish(&mut noc);
}

/// Says so if the steps before have not left these weights in L1. (The others go on with what is there: they wait for each other.)
fn check(launch: &TileLaunch, params: &BlockParams) {
    let sides = params.sides();
    for side in 0..sides {
        let left = launch.l1(mark(of_side(params.held, side, sides)), 4).words()[0].load();
        if left != launch.op.seq.wrapping_sub(sides - side) {
            launch.fail(ErrorCode::NotHeld, launch.op.seq, left);
        }
    }
}
