//! TRISC1: products with weights, and their sums, 64 columns at a time.

use super::{units, weights};
use crate::ops::sfpu::trisc1::{RWC_DST, configure, load, load_on, set_register, step};
use crate::ops::sfpu::{SEM_COMPUTED, SEM_FILLED};
use crate::rt::chip::insn::{SEMGET, SEMPOST, SETRWC, STALLWAIT};
use crate::rt::chip::thread;
use crate::rt::l1::Word;
use crate::rt::launch::TileLaunch;
use crate::rt::sync::BLOCKS_READY;
use crate::rt::tensix::{block, push, sem, sem_cond, setc16, sync, until};
use crate::rt::vector::store_at;
use crate::{semwait, ttinsn, ttprogram};
use tt_isa::format::FACE_DIM;
use tt_kernel_abi::expert_sum::{ExpertSumParams, STEP};
use tt_kernel_sfpu::Program;
use tt_kernel_sfpu::experts::{self, COLUMNS, SUMS, WEIGHT};

const FIRST: Program = experts::first();
const NEXT: Program = experts::next();
const ADDEND: Program = experts::addend();

/// What is added to a row of Dst for its odd columns.
const ODD: u32 = 2;

/// Rows of Dst of some columns.
const fn dst_rows(columns: u32) -> u32 {
    columns / FACE_DIM as u32
}

/// Runs TRISC1's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &ExpertSumParams) {
    let Some(units) = units(launch, params) else { return };
    configure();
    // A step goes to the next expert.
    let rows = dst_rows(params.columns);
    push(setc16(thread::ADDR_MOD_DST_SEC1_DestIncr, thread::ADDR_MOD_DST_SEC1_DestIncr.value(rows)));
    let has_addend = launch.op.more[0].ne[0] > 0;
    for unit in units {
        launch.progress(unit.number);
        BLOCKS_READY.wait(unit.number + 1);
        let weights = weights(launch, params, &unit);
        semwait!(block::SFPU | block::MATH | block::CFG, SEM_FILLED, sem_cond::WHILE_ZERO);
        for first in (0..rows).step_by(dst_rows(STEP) as usize) {
            push(setc16(thread::DEST_TARGET_REG_CFG_MATH_Offset, first));
            sums(weights.words(), has_addend);
            ttinsn!(STALLWAIT { stall_res: block::SYNC | block::CFG, wait_res: until::SFPU }.word());
        }
        ttinsn!(SEMGET { sem_sel: sem(SEM_FILLED) }.word());
        ttinsn!(SEMPOST { sem_sel: sem(SEM_COMPUTED) }.word());
    }
    // The next operator may configure the thread anew.
    sync();
}

/// Columns of the expert where Dst's counter is, which goes on to the next one.
#[inline(always)]
fn load_columns() {
    ttinsn!(load(COLUMNS[1], ODD));
    ttinsn!(load_on(COLUMNS[0]));
}

fn rewind() {
    ttinsn!(SETRWC { bit_mask: RWC_DST, ..SETRWC::ZERO }.word());
}

/// The sum of all experts' columns, in the first one's place.
#[inline(never)]
fn sums(weights: &[Word], has_addend: bool) {
    rewind();
    for (number, weight) in weights.iter().enumerate() {
        set_register(WEIGHT, weight.load());
        load_columns();
        match number {
            0 => ttprogram!(FIRST),
            _ => ttprogram!(NEXT),
        }
    }
    if has_addend {
        load_columns();
        ttprogram!(ADDEND);
    }
    rewind();
    ttinsn!(store_at(SUMS[0], step::STAY, 0));
    ttinsn!(store_at(SUMS[1], step::STAY, ODD));
}
