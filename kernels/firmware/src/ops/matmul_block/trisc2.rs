//! TRISC2: results from Dst to L1, row by row of a block.

use super::{plan, results};
use crate::ops::matmul::SEM_DST;
use crate::rt::chip::insn::SEMGET;
use crate::rt::launch::TileLaunch;
use crate::rt::pack;
use crate::rt::sync::{OUT_FREE, OUT_READY};
use crate::rt::tensix::{block, sem, sem_cond, sync};
use crate::{semwait, ttinsn};
use tt_kernel_abi::matmul::RESULT_ROWS;
use tt_kernel_abi::matmul_block::{BlockParams, OUT_SLOTS, OUT_TILE_BYTES};

/// Runs TRISC2's part.
pub fn run(launch: &TileLaunch, params: &BlockParams) {
    let Some(plan) = plan(launch, params) else { return };
    pack::configure_rows();
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
        for row in 0..of.rows {
            // The packers are idle since the sync below.
            let first = row * of.columns;
            let to = results(launch, done).skip(first * OUT_TILE_BYTES);
            pack::aim_rows(first * RESULT_ROWS, of.columns, to);
            if row == 0 {
                semwait!(block::PACK, SEM_DST, sem_cond::WHILE_ZERO);
            }
            pack::pack_rows(of.columns);
            sync();
        }
        ttinsn!(SEMGET { sem_sel: sem(SEM_DST) }.word());
        sync();
        done += 1;
        OUT_READY.publish(done);
    }
}
