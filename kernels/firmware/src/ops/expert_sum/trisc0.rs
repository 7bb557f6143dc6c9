//! TRISC0: rows to Dst, as they are.

use super::{place, rows, units};
use crate::ops::sfpu::SEM_FILLED;
use crate::ops::sfpu::trisc0::{configure, set_len, unpack};
use crate::rt::chip::insn::{SEMPOST, STALLWAIT};
use crate::rt::launch::TileLaunch;
use crate::rt::sync::{BLOCKS_READY, OUT_READY};
use crate::rt::tensix::{block, sem, sync, until};
use crate::ttinsn;
use tt_kernel_abi::expert_sum::ExpertSumParams;
use tt_kernel_abi::sfpu::{BLOCK, BLOCK_BYTES, BLOCK_ROWS};

/// Runs TRISC0's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &ExpertSumParams) {
    let Some(units) = units(launch, params) else { return };
    configure();
    let elements = rows(launch, params) * params.columns;
    let mut set = 0;
    for unit in units {
        launch.progress(unit.number);
        BLOCKS_READY.wait(unit.number + 1);
        // Dst is free.
        OUT_READY.wait(unit.number);
        let from = place(launch, params, unit.number);
        for block in 0..elements.div_ceil(BLOCK) {
            let len = BLOCK.min(elements - block * BLOCK);
            if len != set {
                // The number must not change under an unpack.
                sync();
                set_len(len);
                set = len;
            }
            unpack(from.skip(block * BLOCK_BYTES), block * BLOCK_ROWS);
        }
        ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::UNPACK0 }.word());
        ttinsn!(SEMPOST { sem_sel: sem(SEM_FILLED) }.word());
        sync();
    }
}
