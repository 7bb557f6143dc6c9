//! TRISC0: segments of rows from L1 to halves of Dst, then strips of all rows and of the weights, as they are.

use super::{SEM_FILLED, SEM_TAKEN, half, items, row_of, weights, zeros};
use crate::ops::sfpu_rows::trisc0::Unpacker;
use crate::rt::chip::insn::{SEMPOST, STALLWAIT};
use crate::rt::launch::TileLaunch;
use crate::rt::sync::{ACTS_READY, BLOCKS_FREE, BLOCKS_READY};
use crate::rt::tensix::{block, sem, sem_cond, sync, until};
use crate::rt::to_dst::configure;
use crate::{semwait, ttinsn};
use tt_kernel_abi::matmul::ROW_GROUP;
use tt_kernel_abi::norm_order::{Item, NormOrderParams, WEIGHTS_ROW, WIDTH_ROWS};

/// Runs TRISC0's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &NormOrderParams) {
    configure();
    let mut unpacker = Unpacker::default();
    for item in items(launch, params) {
        launch.progress(item.number);
        let rows = if item.is_strip() { ROW_GROUP } else { item.row + 1 };
        BLOCKS_READY.wait(item.unit * ROW_GROUP + rows);
        semwait!(block::UNPACK | block::SYNC, SEM_TAKEN, sem_cond::WHILE_MAX);
        ttinsn!(SEMPOST { sem_sel: sem(SEM_TAKEN) }.word());
        match item.is_strip() {
            true => bring_strip(&mut unpacker, launch, params, &item),
            false => {
                let from = row_of(launch, params, [item.unit, item.row]);
                unpacker.bring(from.skip(4 * item.first), half(item.number), item.len);
            }
        }
        ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::UNPACK0 }.word());
        ttinsn!(SEMPOST { sem_sel: sem(SEM_FILLED) }.word());
        sync();
        if item.is_strip() && item.ends {
            BLOCKS_FREE.publish(item.unit + 1);
        }
    }
}

fn bring_strip(unpacker: &mut Unpacker, launch: &TileLaunch, params: &NormOrderParams, item: &Item) {
    let to = half(item.number);
    for row in 0..ROW_GROUP {
        let from = match row < item.rows {
            true => row_of(launch, params, [item.unit, row]).skip(4 * item.first),
            false => zeros(launch),
        };
        unpacker.bring(from, to + row * WIDTH_ROWS, item.len);
    }
    ACTS_READY.wait(1);
    unpacker.bring(weights(launch, params).skip(4 * item.first), to + WEIGHTS_ROW, item.len);
}
