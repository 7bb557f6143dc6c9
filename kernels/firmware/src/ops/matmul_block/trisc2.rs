//! TRISC2: results from Dst to L1: row by row of a block, or tile by tile in the order of activations.

use super::{plan, results};
use crate::ops::matmul::SEM_DST;
use crate::rt::chip::insn::SEMGET;
use crate::rt::l1::L1;
use crate::rt::launch::TileLaunch;
use crate::rt::pack;
use crate::rt::sync::{OUT_FREE, OUT_READY};
use crate::rt::tensix::{block, sem, sem_cond, sync};
use crate::{semwait, ttinsn};
use tt_kernel_abi::matmul::RESULT_ROWS;
use tt_kernel_abi::matmul_block::{ACT_TILE_BYTES, Block, BlockParams, OUT_SLOTS, OUT_TILE_BYTES, Plan};

/// Runs TRISC2's part.
pub fn run(launch: &TileLaunch, params: &BlockParams) {
    let Some(plan) = plan(launch, params).filter(Plan::has_results) else { return };
    let is_gated = params.sides() == 2;
    match is_gated {
        true => pack::configure_tiles(),
        false => pack::configure_rows(),
    }
    let mut done = 0;
    for number in 0..plan.blocks() {
        let of = plan.block(number);
        if of.rows == 0 || of.columns == 0 {
            continue;
        }
        launch.progress(number);
        if done >= OUT_SLOTS {
            OUT_FREE.wait(done - OUT_SLOTS + 1);
        }
        // The packers are idle since the sync below.
        semwait!(block::PACK, SEM_DST, sem_cond::WHILE_ZERO);
        match is_gated {
            true => tiles(&of, results(launch, done)),
            false => rows(&of, results(launch, done)),
        }
        ttinsn!(SEMGET { sem_sel: sem(SEM_DST) }.word());
        sync();
        done += 1;
        OUT_READY.publish(done);
    }
    if is_gated {
        pack::end_groups();
    }
}

/// Packs the rows of a block.
#[inline(never)]
fn rows(of: &Block, to: L1) {
    for row in 0..of.rows {
        let first = row * of.columns;
        pack::aim_rows(first * RESULT_ROWS, of.columns, to.skip(first * OUT_TILE_BYTES));
        pack::pack_rows(of.columns);
        sync();
    }
}

/// Packs the tiles of a block of gated units ([`super::gated`]).
#[inline(never)]
fn tiles(of: &Block, to: L1) {
    for row in 0..of.rows {
        for column in 0..of.columns {
            let tile = to.skip((row * of.columns + column) * ACT_TILE_BYTES);
            pack::aim_tile((2 * row * of.columns + column) * RESULT_ROWS, tile);
            pack::pack_tile();
            sync();
        }
    }
}
