//! TRISC2: results from Dst to the ring. Halves without results only go back: in their order, or a later one would be filled again while
//! one before it is packed.

use super::{SEM_COMPUTED, SEM_TAKEN, Work, half, halved_by_trisc2, result, segments};
use crate::rt::chip::insn::{PACR, SEMGET, STALLWAIT};
use crate::rt::elements::halve;
use crate::rt::launch::TileLaunch;
use crate::rt::pack;
use crate::rt::sync::{OUT_FREE, OUT_READY};
use crate::rt::tensix::{block, sem, sem_cond, sync, until};
use crate::{semwait, ttinsn};
use tt_kernel_abi::sfpu::rows::{RESULT_SLOTS, RowFunction};
use tt_kernel_abi::sfpu::{BLOCK, BLOCK_BYTES, BLOCK_ROWS};

/// Runs TRISC2's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, work: Work) {
    pack::configure();
    for segment in segments(launch, &work) {
        launch.progress(segment.number);
        if !segment.pass.has_result() {
            semwait!(block::SYNC, SEM_COMPUTED, sem_cond::WHILE_ZERO);
            give_back();
            continue;
        }
        if segment.result >= RESULT_SLOTS {
            OUT_FREE.wait(segment.result - RESULT_SLOTS + 1);
        }
        let blocks = match work.function {
            RowFunction::RotateHalves => 2,
            _ => segment.len.div_ceil(BLOCK),
        };
        for number in 0..blocks {
            // The packers are idle since the sync before.
            let slot = result(launch, segment.result).skip(number * BLOCK_BYTES);
            pack::aim(half(segment.number) + number * BLOCK_ROWS, slot);
            semwait!(block::PACK, SEM_COMPUTED, sem_cond::WHILE_ZERO);
            ttinsn!(PACR { pack_sel: 0b1111, last: 1, ..PACR::ZERO }.word());
            sync();
        }
        ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::PACK }.word());
        give_back();
        // The packers have written the row: `give_back` has waited for them.
        let row = result(launch, segment.result);
        halve(row, row, halved_by_trisc2(launch, &work, segment.len));
        OUT_READY.publish(segment.result + 1);
    }
}

/// The oldest half is free again.
fn give_back() {
    ttinsn!(SEMGET { sem_sel: sem(SEM_COMPUTED) }.word());
    ttinsn!(SEMGET { sem_sel: sem(SEM_TAKEN) }.word());
    sync();
}
