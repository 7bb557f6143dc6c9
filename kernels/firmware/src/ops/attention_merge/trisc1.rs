//! TRISC1: the largest maximum of all parts, how much each part weighs by it, and the weighted mean of the sums.

use super::units;
use crate::ops::sfpu::trisc1::{RWC_DST, configure, set_constants, set_register, step};
use crate::ops::sfpu::{SEM_COMPUTED, SEM_FILLED};
use crate::rt::chip::insn::{SEMGET, SEMPOST, SETRWC, SFPLOAD, SFPSTORE, STALLWAIT};
use crate::rt::chip::thread;
use crate::rt::launch::TileLaunch;
use crate::rt::tensix::{block, push, sem, sem_cond, setc16, sync, until};
use crate::{semwait, ttinsn, ttprogram};
use tt_isa::sfpu::mod0_fmt;
use tt_kernel_abi::attention::{MERGE_ROWS, MergeParams};
use tt_kernel_sfpu::Program;
use tt_kernel_sfpu::attention::{self, EVEN, MINUS_MAX, ODD};
use tt_kernel_sfpu::rows::SUM;
use tt_kernel_sfpu::soft_max::{self, LOGIT};

const SMALLER: Program = attention::smaller();
const NEGATE_LOGIT: Program = attention::negate_logit();
const POWER: Program = soft_max::power();
const ADD_WEIGHT: Program = attention::add_weight();
const INVERT: Program = attention::invert();
const ADD_WEIGHTED: Program = attention::add_weighted();
const SCALE: Program = attention::scale();

/// What is added to a row of Dst for its odd columns.
const ODD_COLUMNS: u32 = 2;

/// Runs TRISC1's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &MergeParams) {
    configure();
    // A step goes to the next part.
    let rows = params.rows.next_multiple_of(4);
    push(setc16(thread::ADDR_MOD_DST_SEC1_DestIncr, thread::ADDR_MOD_DST_SEC1_DestIncr.value(rows)));
    set_constants(&POWER.constants().with(&[0; 4]));
    for (number, _) in units(launch, params) {
        launch.progress(number);
        semwait!(block::SFPU | block::MATH | block::CFG, SEM_FILLED, sem_cond::WHILE_ZERO);
        for first in (0..rows).step_by(4) {
            push(setc16(thread::DEST_TARGET_REG_CFG_MATH_Offset, first));
            weigh(params.parts);
            mean(params.parts);
            ttinsn!(STALLWAIT { stall_res: block::SYNC | block::CFG, wait_res: until::SFPU }.word());
        }
        ttinsn!(SEMGET { sem_sel: sem(SEM_FILLED) }.word());
        ttinsn!(SEMPOST { sem_sel: sem(SEM_COMPUTED) }.word());
    }
    // The next operator may configure the thread anew.
    sync();
}

const fn from_dst(lreg_ind: u32, dest_reg_addr: u32, sfpu_addr_mode: u32) -> u32 {
    SFPLOAD { lreg_ind, instr_mod0: mod0_fmt::INT32, sfpu_addr_mode, dest_reg_addr }.word()
}

const fn to_dst(lreg_ind: u32, dest_reg_addr: u32, sfpu_addr_mode: u32) -> u32 {
    SFPSTORE { lreg_ind, instr_mod0: mod0_fmt::INT32, sfpu_addr_mode, dest_reg_addr }.word()
}

/// Back to the first part.
fn rewind() {
    ttinsn!(SETRWC { bit_mask: RWC_DST, ..SETRWC::ZERO }.word());
}

/// What the parts of four rows weigh, in place of their maxima; one over the sum of all in `LReg[1]`.
#[inline(never)]
fn weigh(parts: u32) {
    rewind();
    set_register(MINUS_MAX, f32::MAX.to_bits());
    for _ in 0..parts {
        ttinsn!(from_dst(0, MERGE_ROWS, step::ON));
        ttprogram!(SMALLER);
    }
    rewind();
    set_register(SUM, 0);
    for _ in 0..parts {
        ttinsn!(from_dst(LOGIT, MERGE_ROWS, step::STAY));
        ttprogram!(NEGATE_LOGIT);
        ttprogram!(POWER);
        ttinsn!(from_dst(2, MERGE_ROWS + ODD_COLUMNS, step::STAY));
        ttprogram!(ADD_WEIGHT);
        ttinsn!(to_dst(0, MERGE_ROWS, step::ON));
    }
    ttprogram!(INVERT);
}

/// The weighted mean of the sums of four rows, in the first part's place.
#[inline(never)]
fn mean(parts: u32) {
    rewind();
    set_register(EVEN, 0);
    set_register(ODD, 0);
    for _ in 0..parts {
        ttinsn!(from_dst(0, MERGE_ROWS, step::STAY));
        ttinsn!(from_dst(4, 0, step::STAY));
        ttinsn!(from_dst(5, ODD_COLUMNS, step::ON));
        ttprogram!(ADD_WEIGHTED);
    }
    ttprogram!(SCALE);
    rewind();
    ttinsn!(to_dst(EVEN, 0, step::STAY));
    ttinsn!(to_dst(ODD, ODD_COLUMNS, step::STAY));
}
