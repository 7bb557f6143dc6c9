//! TRISC0: blocks of the operands from the ring to Dst, as they are.

use super::{Blocks, SEM_FILLED, SEM_TAKEN, dst_slot, operand, ordered};
use crate::ops::elementwise::partner;
use crate::rt::chip::insn::{SEMPOST, STALLWAIT};
use crate::rt::l1::L1;
use crate::rt::launch::TileLaunch;
use crate::rt::rows::address;
use crate::rt::sync::{BLOCKS_FREE, BLOCKS_READY};
use crate::rt::tensix::{block, sem, sem_cond, sync, until};
pub use crate::rt::to_dst::{configure, set_len, set_pitch, unpack};
use crate::{semwait, ttinsn};
use tt_kernel_abi::elementwise::ElementwiseParams;
use tt_kernel_abi::sfpu::{BLOCK, BLOCK_ROWS};

/// The elements of block `number`, and where its operands are in L1.
fn places<'a>(launch: &'a TileLaunch, blocks: &Blocks, number: u32) -> (u32, [Option<L1<'a>>; 2]) {
    let (op, piece) = (launch.op, blocks.piece(number));
    let first = operand(launch, 0, number, address(&op.src0, &piece));
    let second = blocks.is_binary().then(|| {
        let (piece, _) = partner(&op.src1, op.dst.ne[0], &piece);
        operand(launch, 1, number, address(&op.src1, &piece))
    });
    (piece.len, [Some(first), second])
}

/// Runs TRISC0's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &ElementwiseParams) {
    let blocks = Blocks::new(launch, params);
    configure();
    let mut len = 0;
    for number in 0..blocks.count {
        launch.progress(number);
        let (now, operands) = match blocks.is_ordered() {
            true => (BLOCK, [0, 1].map(|index| Some(ordered::place(launch, &blocks, index, number)))),
            false => places(launch, &blocks, number),
        };
        if now != len {
            len = now;
            // No unpack is under way: the block before was followed by a sync.
            set_len(len);
        }
        BLOCKS_READY.wait(number + 1);
        semwait!(block::UNPACK | block::SYNC, SEM_TAKEN, sem_cond::WHILE_MAX);
        ttinsn!(SEMPOST { sem_sel: sem(SEM_TAKEN) }.word());
        for (from, row) in operands.into_iter().zip([0, BLOCK_ROWS]) {
            if let Some(from) = from {
                unpack(from, dst_slot(number) + row);
            }
        }
        ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::UNPACK0 }.word());
        ttinsn!(SEMPOST { sem_sel: sem(SEM_FILLED) }.word());
        sync();
        BLOCKS_FREE.publish(number + 1);
    }
}
