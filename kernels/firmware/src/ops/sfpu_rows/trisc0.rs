//! TRISC0: segments and their partners from L1 to the halves of Dst, as they are.

use super::{SEM_FILLED, SEM_TAKEN, Work, half, operand, partner_piece, partner_slot, piece, segments};
use crate::ops::sfpu::trisc0::{configure, set_len, unpack};
use crate::rt::chip::insn::{SEMPOST, STALLWAIT};
use crate::rt::l1::L1;
use crate::rt::launch::TileLaunch;
use crate::rt::rows::address;
use crate::rt::sync::{BLOCKS_FREE, BLOCKS_READY};
use crate::rt::tensix::{block, sem, sem_cond, sync, until};
use crate::{semwait, ttinsn};
use tt_kernel_abi::sfpu::rows::{PARTNER_ROW, RowFunction, padded};
use tt_kernel_abi::sfpu::{BLOCK, BLOCK_BYTES, BLOCK_ROWS};

/// Runs TRISC0's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, work: Work) {
    let op = launch.op;
    configure();
    let mut unpacker = Unpacker::default();
    for segment in segments(launch, &work) {
        launch.progress(segment.number);
        BLOCKS_READY.wait(segment.number + 1);
        semwait!(block::UNPACK | block::SYNC, SEM_TAKEN, sem_cond::WHILE_MAX);
        ttinsn!(SEMPOST { sem_sel: sem(SEM_TAKEN) }.word());
        let row = half(segment.number);
        let at = address(&op.src0, &piece(&op.src0, &segment));
        let in_halves = work.function == RowFunction::RotateHalves;
        let mut bring = |from: L1, row, len| match in_halves {
            true => unpacker.bring_halves(from, row, len / 2),
            false => unpacker.bring(from, row, padded(len)),
        };
        bring(operand(launch, 0, segment.number, at), row, segment.len);
        if let Some(partner) = partner_piece(launch, &work, &segment) {
            let at = address(&op.src1, &partner);
            let from = operand(launch, 1, partner_slot(launch, &segment), at);
            bring(from, row + PARTNER_ROW, partner.len);
        }
        ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::UNPACK0 }.word());
        ttinsn!(SEMPOST { sem_sel: sem(SEM_FILLED) }.word());
        sync();
        BLOCKS_FREE.publish(segment.number + 1);
    }
}

/// Unpacker 0 with the number of datums that it is set to; 0: to none yet.
#[derive(Default)]
pub struct Unpacker {
    len: u32,
}

impl Unpacker {
    /// Brings the halves of a row, `len` elements each, to two blocks.
    fn bring_halves(&mut self, from: L1, row: u32, len: u32) {
        self.bring(from, row, len);
        self.bring(from.skip(4 * len), row + BLOCK_ROWS, len);
    }

    /// Brings `len` elements of `from` to the rows of Dst from `row` on, in blocks.
    #[inline(never)]
    pub fn bring(&mut self, from: L1, row: u32, len: u32) {
        for number in 0..len.div_ceil(BLOCK) {
            let now = BLOCK.min(len - number * BLOCK);
            if now != self.len {
                // The number must not change under an unpack.
                sync();
                set_len(now);
                self.len = now;
            }
            unpack(from.skip(number * BLOCK_BYTES), row + number * BLOCK_ROWS);
        }
    }
}
