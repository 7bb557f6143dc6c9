//! BRISC: blocks of weights, from DRAM or from the tile that reads for the row of the grid.

use super::plan;
use crate::rt::handout::{Handout, Members, Ring};
use crate::rt::launch::TileLaunch;
use crate::rt::noc::Noc;
use crate::rt::sync::{WEIGHTS_FREE, WEIGHTS_READY};
use tt_kernel_abi::launch::ErrorCode;
use tt_kernel_abi::matmul_block::{
    BlockParams, WEIGHTS, WEIGHTS_CREDITS, WEIGHTS_FLAG, WEIGHTS_SCRATCH, WEIGHTS_SLOT, WEIGHTS_SLOTS,
    is_spread,
};
use tt_kernel_abi::{Shard, Shards};

/// Blocks of weights.
pub const RING: Ring = Ring {
    first: WEIGHTS,
    bytes: WEIGHTS_SLOT,
    slots: WEIGHTS_SLOTS,
    credits: WEIGHTS_CREDITS,
    flag: WEIGHTS_FLAG,
    scratch: WEIGHTS_SCRATCH,
    ready: WEIGHTS_READY,
    free: WEIGHTS_FREE,
};

/// Runs BRISC's part.
pub fn run(launch: &TileLaunch, params: &BlockParams) {
    let Some(plan) = plan(launch, params) else {
        return launch.fail(ErrorCode::BadDescriptor, launch.op.cores, 0);
    };
    let mut noc = Noc::new(0);
    let members = if is_spread(params.row_tiles) { Members::row() } else { Members::alone() };
    let total = plan.blocks_with_columns() * plan.depths();
    let mut stream = Handout::new(&noc, RING, members, total);
    let src0 = &launch.op.src0;
    // (Of a gated unit the second product's are of the same type and shape.)
    let sides = [src0, if params.sides() == 2 { &launch.op.more[2] } else { src0 }];
    let shards = sides.map(|weights| Shards::of_matrix(weights, 0, noc.banks()));
    let mut shard = [Shard::default(), Shard::default()];
    let tile_bytes = src0.nb[0] as u32;
    while !stream.is_done() {
        stream.step(&mut noc, &mut |noc, number, slot| {
            launch.progress(number);
            let block = plan.block(plan.with_columns(number / plan.depths()));
            let (first, count) = plan.slice(number % plan.depths());
            let len = count * tile_bytes;
            for number in 0..plan.weights(&block) {
                let (side, column) = ((number / block.columns) as usize, number % block.columns);
                let at =
                    u64::from(block.column + column) * src0.nb[1] + u64::from(first) * u64::from(tile_bytes);
                noc.read_shards(&shards[side], &mut shard[side], at, slot.part(number * len, len));
            }
            plan.weights(&block) * len
        });
    }
    stream.finish(&mut noc);
}
