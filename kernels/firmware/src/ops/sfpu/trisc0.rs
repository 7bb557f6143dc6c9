//! TRISC0: blocks of the operands from the ring to Dst, as they are.

use super::{Blocks, SEM_FILLED, SEM_TAKEN, dst_slot, operand};
use crate::ops::elementwise::partner;
use crate::rt::chip::insn::{SEMPOST, STALLWAIT};
use crate::rt::launch::TileLaunch;
use crate::rt::rows::address;
use crate::rt::sync::{BLOCKS_FREE, BLOCKS_READY};
use crate::rt::tensix::{block, sem, sem_cond, sync, until};
pub use crate::rt::to_dst::{configure, set_len, unpack};
use crate::{semwait, ttinsn};
use tt_kernel_abi::elementwise::ElementwiseParams;
use tt_kernel_abi::sfpu::BLOCK_ROWS;

/// Runs TRISC0's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &ElementwiseParams) {
    let blocks = Blocks::new(launch, params);
    configure();
    let mut len = 0;
    for number in 0..blocks.count {
        launch.progress(number);
        let piece = blocks.piece(number);
        if piece.len != len {
            len = piece.len;
            // No unpack is under way: the block before was followed by a sync.
            set_len(len);
        }
        BLOCKS_READY.wait(number + 1);
        semwait!(block::UNPACK | block::SYNC, SEM_TAKEN, sem_cond::WHILE_MAX);
        ttinsn!(SEMPOST { sem_sel: sem(SEM_TAKEN) }.word());
        let at = address(&launch.op.src0, &piece);
        unpack(operand(launch, 0, number, at), dst_slot(number));
        if blocks.is_binary() {
            let (piece, _) = partner(&launch.op.src1, launch.op.dst.ne[0], &piece);
            let at = address(&launch.op.src1, &piece);
            unpack(operand(launch, 1, number, at), dst_slot(number) + BLOCK_ROWS);
        }
        ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::UNPACK0 }.word());
        ttinsn!(SEMPOST { sem_sel: sem(SEM_FILLED) }.word());
        sync();
        BLOCKS_FREE.publish(number + 1);
    }
}
