//! TRISC0: sums and weights to Dst, as they are.

use super::{blocks, places, units};
use crate::ops::sfpu::SEM_FILLED;
use crate::ops::sfpu::trisc0::{configure, set_len, unpack};
use crate::rt::chip::insn::{SEMPOST, STALLWAIT};
use crate::rt::launch::TileLaunch;
use crate::rt::sync::{BLOCKS_FREE, BLOCKS_READY, OUT_READY};
use crate::rt::tensix::{block, sem, sync, until};
use crate::ttinsn;
use tt_kernel_abi::attention::{MERGE_ROWS, MergeParams};
use tt_kernel_abi::sfpu::{BLOCK_BYTES, BLOCK_ROWS};

/// Runs TRISC0's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &MergeParams) {
    configure();
    let mut set = 0;
    for (number, _) in units(launch, params) {
        launch.progress(number);
        BLOCKS_READY.wait(number + 1);
        // Dst is free.
        OUT_READY.wait(number);
        for (place, row) in places(launch, params).into_iter().zip([0, MERGE_ROWS]) {
            for (block, len) in blocks(params) {
                if len != set {
                    // The number must not change under an unpack.
                    sync();
                    set_len(len);
                    set = len;
                }
                unpack(place.part(block * BLOCK_BYTES, BLOCK_BYTES), row + block * BLOCK_ROWS);
            }
        }
        ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::UNPACK0 }.word());
        ttinsn!(SEMPOST { sem_sel: sem(SEM_FILLED) }.word());
        sync();
        BLOCKS_FREE.publish(number + 1);
    }
}
