//! TRISC0: segments of rows from L1 to halves of Dst, then strips of all rows and of the weights, as they are.

use super::{SEM_FILLED, SEM_TAKEN, groups, half, row_of, weights, zeros};
use crate::ops::sfpu_rows::trisc0::Unpacker;
use crate::rt::chip::insn::{SEMPOST, STALLWAIT};
use crate::rt::launch::TileLaunch;
use crate::rt::sync::{ACTS_READY, BLOCKS_FREE, BLOCKS_READY};
use crate::rt::tensix::{block, sem, sem_cond, sync, until};
use crate::rt::to_dst::configure;
use crate::{semwait, ttinsn};
use tt_kernel_abi::matmul::ROW_GROUP;
use tt_kernel_abi::norm_order::{NormOrderParams, WEIGHTS_ROW, WIDTH_ROWS};

/// Runs TRISC0's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &NormOrderParams) {
    configure();
    let (first, count) = groups(launch, params);
    let mut unpacker = Unpacker::default();
    let mut number = 0;
    for unit in 0..count {
        let group = first + unit;
        let rows = params.rows_of(group);
        for row in 0..rows {
            BLOCKS_READY.wait(unit * ROW_GROUP + row + 1);
            let from = row_of(launch, params, [unit, row]);
            for segment in 0..params.segments() {
                let (k, len) = params.segment(segment);
                take(launch, number);
                unpacker.bring(from.skip(4 * k), half(number), len);
                hand_on();
                number += 1;
            }
        }
        BLOCKS_READY.wait((unit + 1) * ROW_GROUP);
        for strip in 0..params.strips() {
            let piece = params.strip(group, strip);
            take(launch, number);
            bring_strip(&mut unpacker, launch, params, [unit, rows, half(number)], piece);
            hand_on();
            number += 1;
        }
        BLOCKS_FREE.publish(unit + 1);
    }
}

/// Waits for a half of Dst.
fn take(launch: &TileLaunch, number: u32) {
    launch.progress(number);
    semwait!(block::UNPACK | block::SYNC, SEM_TAKEN, sem_cond::WHILE_MAX);
    ttinsn!(SEMPOST { sem_sel: sem(SEM_TAKEN) }.word());
}

/// Hands a half on, when it is unpacked.
#[inline(never)]
fn hand_on() {
    ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::UNPACK0 }.word());
    ttinsn!(SEMPOST { sem_sel: sem(SEM_FILLED) }.word());
    sync();
}

/// Brings a strip of a unit, of which so many rows exist, to Dst from row `to` on.
fn bring_strip(
    unpacker: &mut Unpacker,
    launch: &TileLaunch,
    params: &NormOrderParams,
    [unit, rows, to]: [u32; 3],
    (k, len): (u32, u32),
) {
    for row in 0..ROW_GROUP {
        let from = match row < rows {
            true => row_of(launch, params, [unit, row]).skip(4 * k),
            false => zeros(launch),
        };
        unpacker.bring(from, to + row * WIDTH_ROWS, len);
    }
    ACTS_READY.wait(1);
    unpacker.bring(weights(launch, params).skip(4 * k), to + WEIGHTS_ROW, len);
}
