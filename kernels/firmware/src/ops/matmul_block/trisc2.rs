//! TRISC2: results from Dst to L1: row by row of a block, or tile by tile in the order of activations. Of gated units its thread drives the vector unit, too. Of a sum the packers add them to what is
//! in the slot.

use super::{gated, plan, results};
use crate::ops::matmul::SEM_DST;
use crate::rt::chip::insn::SEMGET;
use crate::rt::l1::L1;
use crate::rt::launch::TileLaunch;
use crate::rt::pack;
use crate::rt::sync::{ADDENDS_READY, OUT_FREE, OUT_READY};
use crate::rt::tensix::{block, sem, sem_cond, sync};
use crate::{semwait, ttinsn};
use tt_kernel_abi::launch::ErrorCode;
use tt_kernel_abi::matmul::RESULT_ROWS;
use tt_kernel_abi::matmul_block::{
    ACT_TILE_BYTES, Block, BlockParams, Gate, OUT_SLOTS, OUT_TILE_BYTES, Plan,
};

/// Runs TRISC2's part.
pub fn run(launch: &TileLaunch, params: &BlockParams) {
    let Some(plan) = plan(launch, params).filter(Plan::has_results) else { return };
    let Some(gate) = Gate::from_code(params.gate) else {
        return launch.fail(ErrorCode::BadDescriptor, 0, params.gate);
    };
    let is_gated = gate != Gate::None;
    match is_gated {
        true => {
            pack::configure_tiles();
            gated::prepare(gate);
        }
        false => pack::configure_rows(),
    }
    let has_addend = super::addend(launch).is_some();
    if has_addend {
        pack::add();
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
        if has_addend {
            ADDENDS_READY.wait(done + 1);
        }
        // The packers are idle since the sync below.
        semwait!(block::PACK | block::SFPU, SEM_DST, sem_cond::WHILE_ZERO);
        match is_gated {
            true => {
                let dst = plan.dst_row(done);
                gated::units(launch, gate, [of.rows, of.columns], dst);
                tiles(&of, dst, results(launch, done));
            }
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

/// Packs the tiles of a block of gated units ([`super::gated`]), from row `dst` of Dst on.
#[inline(never)]
fn tiles(of: &Block, dst: u32, to: L1) {
    for row in 0..of.rows {
        for column in 0..of.columns {
            let tile = to.skip((row * of.columns + column) * ACT_TILE_BYTES);
            pack::aim_tile(dst + (2 * row * of.columns + column) * RESULT_ROWS, tile);
            pack::pack_tile();
            sync();
        }
    }
}
