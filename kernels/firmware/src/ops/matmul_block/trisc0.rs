//! TRISC0: tiles of rows into SrcB, and for each of them the weights of all columns into SrcA.

use super::{brisc, ncrisc, plan, weights};
use crate::ops::matmul::trisc0::weight_formats;
use crate::rt::chip::insn::UNPACR;
use crate::rt::launch::TileLaunch;
use crate::rt::sync::{ACTS_FREE, ACTS_READY, WEIGHTS_FREE, WEIGHTS_READY};
use crate::rt::tensix::sync;
use crate::rt::to_src::{Form, aim_rows, configure, set_rows_bf16, set_tile, unpack_rows};
use crate::rt::unpack::base_address;
use crate::ttinsn;
use tt_kernel_abi::matmul::Halves;
use tt_kernel_abi::matmul_block::BlockParams;

/// Runs TRISC0's part.
pub fn run(launch: &TileLaunch, params: &BlockParams) {
    let (Some(plan), Some(weights)) = (plan(launch, params), weights(launch, params)) else { return };
    let rows = ncrisc::ring(&plan);
    configure(weight_formats(weights, Halves::None), &Form::TILES, base_address(rows.slot(0)));
    set_rows_bf16();
    let tile = weights.block_bytes();
    let (mut of_rows, mut of_columns) = (0, 0);
    for number in 0..plan.blocks() {
        launch.progress(number);
        let block = plan.block(number);
        let (first_rows, is_last) = plan.acts_of(number);
        for depth in 0..plan.depths() {
            // While the unpackers run.
            let (first, count) = plan.slice(depth);
            let (weights, column) = match plan.in_place() && block.columns > 0 {
                true => {
                    let (at, column) = plan.place(block.column, first);
                    (launch.l1(at, count * tile), column)
                }
                false => (brisc::RING.slot(of_columns), count * tile),
            };
            let from = [rows.slot(first_rows + depth), weights].map(base_address);
            sync();
            ACTS_FREE.publish(of_rows);
            WEIGHTS_FREE.publish(of_columns);
            if block.rows > 0 {
                ACTS_READY.wait(first_rows + depth + 1);
                of_rows += u32::from(is_last);
            }
            if block.columns > 0 && !plan.in_place() {
                WEIGHTS_READY.wait(of_columns + 1);
                of_columns += 1;
            }
            if block.rows > 0 && block.columns > 0 {
                aim_rows(from[0]);
                unpack(
                    [block.rows, plan.weights(&block)],
                    count,
                    from[1],
                    [tile, column].map(|bytes| bytes >> 4),
                );
            }
        }
    }
    sync();
    ACTS_FREE.publish(of_rows);
    WEIGHTS_FREE.publish(of_columns);
}

/// Unpacks `count` tiles of K, for so many tiles of rows and weights. Weights begin at base address `first`; from one to the next of a column, and to the one of the next column, there
/// are so many units of 16 bytes.
fn unpack([rows, weights]: [u32; 2], count: u32, first: u32, [tile, column]: [u32; 2]) {
    for k in 0..count {
        for _ in 0..rows {
            unpack_rows();
            let mut at = first + k * tile;
            for _ in 0..weights {
                set_tile(at);
                ttinsn!(UNPACR { ovrd_thread_id: 1, set_dat_valid: 1, last: 1, ..UNPACR::ZERO }.word());
                at += column;
            }
        }
    }
}
