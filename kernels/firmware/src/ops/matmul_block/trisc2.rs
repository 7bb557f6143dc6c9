//! TRISC2: results from Dst to L1. Packer p takes the 16 rows of Dst of group p of 8 rows; NCRISC knows this order.

use super::{plan, results};
use crate::ops::matmul::SEM_DST;
use crate::rt::chip::insn::{PACR, SEMGET};
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
    pack::configure();
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
        for tile in 0..of.rows * of.columns {
            // The packers are idle since the sync below.
            pack::aim(tile * RESULT_ROWS, results(launch, done).skip(tile * OUT_TILE_BYTES));
            if tile == 0 {
                semwait!(block::PACK, SEM_DST, sem_cond::WHILE_ZERO);
            }
            ttinsn!(PACR { pack_sel: 0b1111, last: 1, ..PACR::ZERO }.word());
            sync();
        }
        ttinsn!(SEMGET { sem_sel: sem(SEM_DST) }.word());
        sync();
        done += 1;
        OUT_READY.publish(done);
    }
}
