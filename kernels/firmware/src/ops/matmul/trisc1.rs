//! TRISC1: the matrix unit.
//!
//! How a tile is multiplied: [`crate::rt::matrix`].

use super::exact;
use super::plan::Plan;
use super::row;
use super::trisc0::multiplied_format;
use super::{DST_HALF, SEM_DST};
use crate::ops::sfpu::trisc1::{load, set_constants};
use crate::rt::chip::insn::{SEMINIT, SEMPOST, SETRWC, SFPCONFIG, SFPENCC, SFPSTORE, STALLWAIT, ZEROACC};
use crate::rt::chip::thread;
use crate::rt::launch::TileLaunch;
use crate::rt::matrix::{RWC_ALL, configure, multiply_tile, multiply_with_rows, step};
use crate::rt::sync::OUT_READY;
use crate::rt::tensix::{block, push, sem, sem_cond, setc16, until};
use crate::{semwait, ttinsn, ttprogram};
use tt_isa::sfpu::mod0_fmt;
use tt_kernel_abi::elementwise::Glu;
use tt_kernel_abi::exact::RESULTS;
use tt_kernel_abi::matmul::{MatmulParams, RESULT_ROWS};
use tt_kernel_sfpu::Program;

/// Once, at boot: state that reset leaves open.
pub fn boot() {
    ttinsn!(setc16(thread::CFG_STATE_ID_StateID, 0));
    ttinsn!(ZEROACC { clear_mode: 3, ..ZEROACC::ZERO }.word());
    // All SFPU lanes on, predication enabled; constant register 11 = -1.
    ttinsn!(SFPENCC { imm12_math: 3, lreg_dest: 0, instr_mod1: 10 }.word());
    ttinsn!(SFPCONFIG { imm16_math: 0, config_dest: 11, instr_mod1: 1 }.word());
    ttinsn!(SEMINIT { max_value: 2, init_value: 0, sem_sel: sem(SEM_DST) }.word());
    exact::trisc1::boot();
    crate::rt::tensix::sync();
}

/// Runs TRISC1's part.
pub fn run(launch: &TileLaunch, params: &MatmulParams) {
    let mut plan = Plan::new(launch, params);
    let Some(plan) = &mut plan else { return };
    let (is_row, kind) = (params.row != 0, plan.weights().exact());
    if is_row {
        if kind.is_some() {
            exact::single::clear();
        }
        row::round(launch, params);
    }
    if let Some(kind) = kind {
        return exact::trisc1::run(launch, plan, kind, is_row);
    }
    configure(multiplied_format(plan.weights(), plan.halves()));
    let is_gated = gated_on_vector_unit(launch);
    if is_gated {
        prepare_gated();
    }
    while let Some(unit) = &plan.next() {
        launch.progress(unit.number);
        let half = unit.number & 1;
        if is_gated && unit.side == 1 {
            // The other half is this unit's, too, and has not been handed on: the one before it has been packed.
            OUT_READY.wait(unit.number - 1);
        }
        semwait!(block::MATH | block::CFG, SEM_DST, sem_cond::WHILE_MAX);
        push(ZEROACC { clear_mode: 2, dst: half, ..ZEROACC::ZERO }.word());
        push(setc16(thread::DEST_TARGET_REG_CFG_MATH_Offset, half * DST_HALF));
        ttinsn!(SETRWC { bit_mask: RWC_ALL, ..SETRWC::ZERO }.word());
        match unit.tiles {
            1 => (0..plan.k_tiles()).for_each(|_| multiply_tile(unit.groups())),
            tiles => (0..plan.k_tiles()).for_each(|_| multiply_with_rows(tiles)),
        }
        ttinsn!(STALLWAIT { stall_res: block::SYNC | block::CFG, wait_res: until::MATH }.word());
        match (is_gated, unit.side) {
            (true, 0) => continue,
            (true, _) => gated_unit(unit.rows > ROWS_OF_REGISTER),
            (false, _) => {}
        }
        ttinsn!(SEMPOST { sem_sel: sem(SEM_DST) }.word());
    }
    // The next operator may configure the matrix unit anew.
    crate::rt::tensix::sync();
}

/// Puts the gated unit's constants where it expects them.
pub fn prepare_gated() {
    set_constants(&SWIGLU.constants().with(&[0; 4]));
}

/// Whether a gated unit is the vector unit's work: the two results are in the two halves of Dst.
pub fn gated_on_vector_unit(launch: &TileLaunch) -> bool {
    launch.on_vector_unit() && launch.op.more[2].ne[0] > 0
}

const SWIGLU: Program = match tt_kernel_sfpu::glu(Glu::Swiglu) {
    Some(program) => program,
    None => panic!("no program"),
};

/// Rows of Dst that a register of the vector unit takes.
pub const ROWS_OF_REGISTER: u32 = 4;

/// The gated unit of one register: row `$row` of both results, which are `$other` rows apart, and columns.
macro_rules! gated {
    ($other:expr, $($row:literal)*) => {
        $(
            ttinsn!(load(0, $row));
            ttinsn!(load(1, $other + $row));
            swiglu();
            ttinsn!(
                SFPSTORE {
                    lreg_ind: 0,
                    instr_mod0: mod0_fmt::INT32,
                    sfpu_addr_mode: step::N_FACE,
                    dest_reg_addr: $other + $row,
                }
                .word()
            );
        )*
    };
}

#[inline(never)]
fn swiglu() {
    ttprogram!(SWIGLU);
}

/// The gated unit of up to four rows, or of eight, in the second half of Dst; hands the first half on. The matrix unit is done.
#[inline(never)]
fn gated_unit(eight: bool) {
    ttinsn!(setc16(thread::DEST_TARGET_REG_CFG_MATH_Offset, 0));
    ttinsn!(SETRWC { bit_mask: RWC_ALL, ..SETRWC::ZERO }.word());
    ttinsn!(STALLWAIT { stall_res: block::SFPU, wait_res: until::MATH }.word());
    gated!(DST_HALF, 0 2 8 10);
    if eight {
        gated!(DST_HALF, 4 6 12 14);
    }
    ttinsn!(STALLWAIT { stall_res: block::SYNC | block::CFG, wait_res: until::SFPU }.word());
    ttinsn!(SEMPOST { sem_sel: sem(SEM_DST) }.word());
}

/// The same where the results are the vector unit's ([`exact`]). It is done with them.
#[inline(never)]
pub fn gated_exact(eight: bool) {
    ttinsn!(setc16(thread::DEST_TARGET_REG_CFG_MATH_Offset, RESULTS));
    ttinsn!(SETRWC { bit_mask: RWC_ALL, ..SETRWC::ZERO }.word());
    gated!(RESULT_ROWS, 0 2 8 10);
    if eight {
        gated!(RESULT_ROWS, 4 6 12 14);
    }
    ttinsn!(STALLWAIT { stall_res: block::SYNC | block::CFG, wait_res: until::SFPU }.word());
    ttinsn!(SEMPOST { sem_sel: sem(SEM_DST) }.word());
}
