//! TRISC0: tiles of rows into SrcB, and for each of them the weights of all columns into SrcA.

use super::{brisc, ncrisc, plan, weights};
use crate::ops::matmul::trisc0::weight_formats;
use crate::rt::chip::insn::UNPACR;
use crate::rt::launch::TileLaunch;
use crate::rt::ring;
use crate::rt::sync::{ACTS_FREE, ACTS_READY, WEIGHTS_FREE, WEIGHTS_FROM, WEIGHTS_READY};
use crate::rt::tensix::sync;
use crate::rt::to_src::{Form, aim_rows, configure, set_rows_bf16, set_tile, unpack_rows};
use crate::rt::unpack::base_address;
use crate::ttinsn;
use tt_kernel_abi::ahead::{SLOT_BYTES, SLOTS};
use tt_kernel_abi::matmul::Halves;
use tt_kernel_abi::matmul_block::BlockParams;

/// Bytes of the ring that outlives steps, in units of 16.
const RING_UNITS: u32 = (SLOTS * SLOT_BYTES) >> 4;

/// Runs TRISC0's part.
pub fn run(launch: &TileLaunch, params: &BlockParams) {
    let (Some(plan), Some(weights)) = (plan(launch, params), weights(launch, params)) else { return };
    let (rows, through_ring) = (ncrisc::ring(&plan), params.through_ring());
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
                    let (at, column) = plan.place(&block, first);
                    (launch.l1(at, count * tile), column)
                }
                false => (brisc::RING.slot(of_columns), count * tile),
            };
            let mut from = [rows.slot(first_rows + depth), weights].map(base_address);
            let slots = match through_ring {
                true => plan.weights(&block),
                false => u32::from(block.columns > 0 && !plan.in_place()),
            };
            sync();
            ACTS_FREE.publish(of_rows);
            WEIGHTS_FREE.publish(of_columns);
            if block.rows > 0 {
                ACTS_READY.wait(first_rows + depth + 1);
                of_rows += u32::from(is_last);
            }
            if slots > 0 {
                WEIGHTS_READY.wait(of_columns + slots);
                if through_ring {
                    from[1] = base_address(ring::slot(WEIGHTS_FROM.get() + of_columns));
                }
                of_columns += slots;
            }
            if block.rows > 0 && block.columns > 0 {
                aim_rows(from[0]);
                let (tile, column) = (tile >> 4, if through_ring { SLOT_BYTES } else { column } >> 4);
                let columns = Columns { number: plan.weights(&block), first: from[1], tile, column };
                match through_ring {
                    true => unpack::<true>(block.rows, count, &columns),
                    false => unpack::<false>(block.rows, count, &columns),
                }
            }
        }
    }
    sync();
    ACTS_FREE.publish(of_rows);
    WEIGHTS_FREE.publish(of_columns);
}

/// The weights of a block of K, as base addresses in units of 16 bytes.
struct Columns {
    /// How many columns.
    number: u32,
    /// The first one's first tile; from a tile to the next one of its column, and to that of the next column.
    first: u32,
    tile: u32,
    column: u32,
}

/// Unpacks `count` tiles of K, for so many tiles of rows. `IN_RING`: columns are in slots of the ring that outlives steps, which goes on from its first slot at its end.
#[inline(never)]
fn unpack<const IN_RING: bool>(rows: u32, count: u32, columns: &Columns) {
    let end = if IN_RING { base_address(ring::slot(0)) + RING_UNITS } else { 0 };
    for k in 0..count {
        for _ in 0..rows {
            unpack_rows();
            let mut at = columns.first + k * columns.tile;
            for _ in 0..columns.number {
                set_tile(at);
                ttinsn!(UNPACR { ovrd_thread_id: 1, set_dat_valid: 1, last: 1, ..UNPACR::ZERO }.word());
                at += columns.column;
                if IN_RING && at >= end {
                    at -= RING_UNITS;
                }
            }
        }
    }
}
