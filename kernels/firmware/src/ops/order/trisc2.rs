//! TRISC2: tiles from halves of Dst to L1.

use super::{SEM_COMPUTED, SEM_TAKEN, half, pieces, tiles};
use crate::rt::chip::insn::{SEMGET, STALLWAIT};
use crate::rt::launch::TileLaunch;
use crate::rt::pack;
use crate::rt::sync::{OUT_FREE, OUT_READY};
use crate::rt::tensix::{block, sem, sem_cond, sync, until};
use crate::{semwait, ttinsn};
use tt_kernel_abi::matmul_block::ACT_TILE_BYTES;
use tt_kernel_abi::order::{OrderParams, ROW_SPAN, SLOTS};

/// Runs TRISC2's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &OrderParams) {
    pack::configure_groups(ROW_SPAN);
    for (number, piece) in pieces(launch, params) {
        launch.progress(number);
        if number >= SLOTS {
            OUT_FREE.wait(number - SLOTS + 1);
        }
        let to = tiles(launch, number);
        for tile in 0..piece.count {
            // The packers are idle since the sync below.
            pack::aim_groups(half(number), ROW_SPAN, to.skip(tile * ACT_TILE_BYTES));
            if tile == 0 {
                semwait!(block::PACK, SEM_COMPUTED, sem_cond::WHILE_ZERO);
            }
            pack::pack_groups();
            sync();
        }
        pack::begin_groups();
        ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::PACK }.word());
        ttinsn!(SEMGET { sem_sel: sem(SEM_COMPUTED) }.word());
        ttinsn!(SEMGET { sem_sel: sem(SEM_TAKEN) }.word());
        sync();
        OUT_READY.publish(number + 1);
    }
    pack::end_groups();
}
