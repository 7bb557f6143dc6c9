//! TRISC0: rows from L1 to halves of Dst, as they are.

use super::{SEM_FILLED, SEM_TAKEN, half, pieces, rows};
use crate::rt::chip::insn::{SEMPOST, STALLWAIT};
use crate::rt::launch::TileLaunch;
use crate::rt::sync::{BLOCKS_FREE, BLOCKS_READY};
use crate::rt::tensix::{block, sem, sem_cond, sync, until};
use crate::rt::to_dst::{configure, set_len, unpack};
use crate::{semwait, ttinsn};
use tt_kernel_abi::order::{HALF_ROWS, OrderParams};
use tt_kernel_abi::sfpu::{BLOCK, BLOCK_BYTES, BLOCK_ROWS};

/// Runs TRISC0's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &OrderParams) {
    configure();
    set_len(BLOCK);
    for (number, piece) in pieces(launch, params) {
        launch.progress(number);
        BLOCKS_READY.wait(number + 1);
        semwait!(block::UNPACK | block::SYNC, SEM_TAKEN, sem_cond::WHILE_MAX);
        ttinsn!(SEMPOST { sem_sel: sem(SEM_TAKEN) }.word());
        let from = rows(launch, number, &piece);
        for n in 0..HALF_ROWS / BLOCK_ROWS {
            unpack(from.skip(n * BLOCK_BYTES), half(number) + n * BLOCK_ROWS);
        }
        ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::UNPACK0 }.word());
        ttinsn!(SEMPOST { sem_sel: sem(SEM_FILLED) }.word());
        sync();
        BLOCKS_FREE.publish(number + 1);
    }
}
