//! TRISC2: results from Dst to L1.
//!
//! Packer p takes the 16 Dst rows of group p: 8 x 32 results, FP32, 1 KiB. NCRISC knows this order.

use super::exact;
use super::plan::{Plan, Unit};
use super::row;
use super::{DST_HALF, SEM_DST};
use crate::rt::chip::insn::{PACR, SEMGET, STALLWAIT};
use crate::rt::l1::L1;
use crate::rt::launch::TileLaunch;
use crate::rt::pack;
use crate::rt::sync::{OUT_FREE, OUT_READY};
use crate::rt::tensix::{block, push, sem, sem_cond, sync, until};
use crate::{semwait, ttinsn};
use tt_kernel_abi::matmul::{MatmulParams, OUT, OUT_SLOT_BYTES, OUT_SLOTS, RESULT_ROWS};

/// L1 slot of a result.
pub fn slot<'a>(launch: &'a TileLaunch, number: u32) -> L1<'a> {
    launch.l1(OUT + number % OUT_SLOTS * OUT_SLOT_BYTES, OUT_SLOT_BYTES)
}

/// Runs TRISC2's part.
pub fn run(launch: &TileLaunch, params: &MatmulParams) {
    let mut plan = Plan::new(launch, params);
    let Some(plan) = &mut plan else { return };
    pack::configure();
    if params.row != 0 {
        row::pack(launch, params);
    }
    while let Some(unit) = &plan.next() {
        launch.progress(unit.number);
        for tile in 0..unit.tiles {
            let result = unit.result + tile;
            if result >= OUT_SLOTS {
                OUT_FREE.wait(result - OUT_SLOTS + 1);
            }
            // The packers are idle since the sync below.
            pack::aim(result_row(plan, unit) + tile * RESULT_ROWS, slot(launch, result));
            if tile == 0 {
                semwait!(block::PACK, SEM_DST, sem_cond::WHILE_ZERO);
            }
            let packers = match unit.groups() {
                1 => 0b0001,
                2 => 0b0011,
                _ => 0b1111,
            };
            push(PACR { pack_sel: packers, last: 1, ..PACR::ZERO }.word());
            if tile + 1 == unit.tiles {
                ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::PACK }.word());
                ttinsn!(SEMGET { sem_sel: sem(SEM_DST) }.word());
            }
            sync();
            OUT_READY.publish(result + 1);
        }
    }
}

/// Row of Dst where a unit's results begin.
fn result_row(plan: &Plan, unit: &Unit) -> u32 {
    match plan.weights().exact() {
        Some(_) => exact::trisc1::result_row(unit),
        None => (unit.number & 1) * DST_HALF,
    }
}
