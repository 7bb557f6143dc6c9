//! TRISC1: the matrix unit.
//!
//! Dst rows of a unit, within its half of Dst: group g of 8 rows has its columns 0..15 at 16 g, columns 16..31 at
//! 16 g + 8. For every k-tile and fidelity phase, `MVMUL`s go through k-face, group, n-face; so two
//! accumulations into the same rows are as far apart as possible. The four address modifiers do the walking:
//! SrcA alternates between the two n-faces, SrcB steps from group to group, then both go on to the second
//! k-face, and at the end of a phase back to the start with the next phase.

use super::plan::Plan;
use super::row;
use super::trisc0::multiplied_format;
use super::{DST_HALF, SEM_DST};
use crate::rt::chip::insn::{MVMUL, SEMINIT, SEMPOST, SETRWC, SFPCONFIG, SFPENCC, STALLWAIT, ZEROACC};
use crate::rt::chip::{cfg, thread};
use crate::rt::launch::TileLaunch;
use crate::rt::tensix::{Config, block, push, sem, sem_cond, setc16, until};
use crate::{semwait, ttinsn};
use tt_isa::format::DataFormat;
use tt_kernel_abi::ElementType;
use tt_kernel_abi::matmul::{Halves, MatmulParams};

/// `SETRWC` mask: counters of SrcA, SrcB, Dst, and the fidelity phase.
const RWC_ALL: u32 = 0b1111;
/// Both operands' valid flags.
const BOTH: u32 = 0b11;

/// Address modifiers (sections 0..3).
mod step {
    /// To the other n-face.
    pub const N_FACE: u32 = 0;
    /// Back to the first n-face, next group of rows.
    pub const GROUP: u32 = 1;
    /// Second k-face, first group of rows.
    pub const K_FACE: u32 = 2;
    /// Start of the tile, next fidelity phase.
    pub const PHASE: u32 = 3;
}

/// Once, at boot: state that reset leaves open.
pub fn boot() {
    ttinsn!(setc16(thread::CFG_STATE_ID_StateID, 0));
    ttinsn!(ZEROACC { clear_mode: 3, ..ZEROACC::ZERO }.word());
    // All SFPU lanes on, predication enabled; constant register 11 = -1.
    ttinsn!(SFPENCC { imm12_math: 3, lreg_dest: 0, instr_mod1: 10 }.word());
    ttinsn!(SFPCONFIG { imm16_math: 0, config_dest: 11, instr_mod1: 1 }.word());
    ttinsn!(SEMINIT { max_value: 2, init_value: 0, sem_sel: sem(SEM_DST) }.word());
    crate::rt::tensix::sync();
}

/// Runs TRISC1's part.
pub fn run(launch: &TileLaunch, params: &MatmulParams) {
    let Some(mut plan) = Plan::new(launch, params) else { return };
    if params.row != 0 {
        row::round(launch, params);
    }
    configure(plan.weights(), plan.halves());
    while let Some(unit) = plan.next() {
        launch.progress(unit.number);
        let half = unit.number & 1;
        semwait!(block::MATH | block::CFG, SEM_DST, sem_cond::WHILE_MAX);
        push(ZEROACC { clear_mode: 2, dst: half, ..ZEROACC::ZERO }.word());
        push(setc16(thread::DEST_TARGET_REG_CFG_MATH_Offset, half * DST_HALF));
        ttinsn!(SETRWC { bit_mask: RWC_ALL, ..SETRWC::ZERO }.word());
        for chunk in plan.chunks() {
            for _ in 0..chunk.count {
                multiply_tile(unit.groups());
            }
        }
        ttinsn!(STALLWAIT { stall_res: block::SYNC | block::CFG, wait_res: until::MATH }.word());
        ttinsn!(SEMPOST { sem_sel: sem(SEM_DST) }.word());
    }
    // The next operator may configure the matrix unit anew.
    crate::rt::tensix::sync();
}

/// Low half of an address modifier: SrcA and SrcB.
const fn ab(a: u32, b: u32) -> u32 {
    thread::ADDR_MOD_AB_SEC0_SrcAIncr.value(a) | thread::ADDR_MOD_AB_SEC0_SrcBIncr.value(b)
}

const A_CLEAR: u32 = thread::ADDR_MOD_AB_SEC0_SrcAClear.value(1);
const B_CLEAR: u32 = thread::ADDR_MOD_AB_SEC0_SrcBClear.value(1);
const B_CR: u32 = thread::ADDR_MOD_AB_SEC0_SrcBCR.value(1);

fn configure(weights: ElementType, halves: Halves) {
    let config = Config;
    let srca = multiplied_format(weights, halves);
    config.set(
        cfg::ALU_FORMAT_SPEC_REG0_SrcA,
        cfg::ALU_FORMAT_SPEC_REG0_SrcA.value(srca as u32)
            | cfg::ALU_FORMAT_SPEC_REG1_SrcB.value(DataFormat::Tf32 as u32)
            | cfg::ALU_FORMAT_SPEC_REG2_Dstacc.value(DataFormat::Fp32 as u32)
            | cfg::ALU_ACC_CTRL_Fp32_enabled.value(1)
            | cfg::ALU_ACC_CTRL_SFPU_Fp32_enabled.value(1),
    );
    config.set(cfg::STACC_RELU_ApplyRelu, 0);
    config.settle(cfg::STACC_RELU_ApplyRelu);

    ttinsn!(setc16(thread::CFG_STATE_ID_StateID, 0));
    ttinsn!(setc16(thread::ADDR_MOD_SET_Base, 0));
    ttinsn!(setc16(thread::CLR_DVALID_SrcA_Disable, 0));
    ttinsn!(setc16(thread::FIDELITY_BASE_Phase, 0));
    // SrcA counts modulo 64: 48 more is 16 less.
    ttinsn!(setc16(thread::ADDR_MOD_AB_SEC0_SrcAIncr, ab(16, 0)));
    ttinsn!(setc16(thread::ADDR_MOD_AB_SEC1_SrcAIncr, ab(48, 16)));
    // SrcB: 8 beyond the carriage return, which is 0 during the first k-face.
    ttinsn!(setc16(thread::ADDR_MOD_AB_SEC2_SrcAIncr, ab(16, 8) | B_CR));
    ttinsn!(setc16(thread::ADDR_MOD_AB_SEC3_SrcAIncr, A_CLEAR | B_CLEAR));
    ttinsn!(setc16(thread::ADDR_MOD_DST_SEC0_DestIncr, 0));
    ttinsn!(setc16(thread::ADDR_MOD_DST_SEC1_DestIncr, 0));
    ttinsn!(setc16(thread::ADDR_MOD_DST_SEC2_DestIncr, 0));
    ttinsn!(setc16(thread::ADDR_MOD_DST_SEC3_DestIncr, thread::ADDR_MOD_DST_SEC3_FidelityIncr.value(1)));
    ttinsn!(setc16(thread::ADDR_MOD_BIAS_SEC0_BiasIncr, 0));
    ttinsn!(setc16(thread::ADDR_MOD_BIAS_SEC1_BiasIncr, 0));
    ttinsn!(setc16(thread::ADDR_MOD_BIAS_SEC2_BiasIncr, 0));
    ttinsn!(setc16(thread::ADDR_MOD_BIAS_SEC3_BiasIncr, 0));
}

const fn mvmul(dst: u32, addr_mode: u32) -> u32 {
    MVMUL { dst, addr_mode, ..MVMUL::ZERO }.word()
}

/// The two n-faces of group `$g`; `$last` is the step after them.
macro_rules! group {
    ($g:literal, $last:expr) => {
        ttinsn!(mvmul(16 * $g, step::N_FACE));
        ttinsn!(mvmul(16 * $g + 8, $last));
    };
}

/// One fidelity phase of a tile, for 1 to 4 groups of rows.
macro_rules! phase {
    (1) => {
        group!(0, step::K_FACE);
        group!(0, step::PHASE);
    };
    (2) => {
        group!(0, step::GROUP);
        group!(1, step::K_FACE);
        group!(0, step::GROUP);
        group!(1, step::PHASE);
    };
    (3) => {
        group!(0, step::GROUP);
        group!(1, step::GROUP);
        group!(2, step::K_FACE);
        group!(0, step::GROUP);
        group!(1, step::GROUP);
        group!(2, step::PHASE);
    };
    (4) => {
        group!(0, step::GROUP);
        group!(1, step::GROUP);
        group!(2, step::GROUP);
        group!(3, step::K_FACE);
        group!(0, step::GROUP);
        group!(1, step::GROUP);
        group!(2, step::GROUP);
        group!(3, step::PHASE);
    };
}

/// Fidelity phases 0, 1 and 2, then the banks go back to the unpackers.
macro_rules! tile {
    ($groups:tt) => {{
        phase!($groups);
        phase!($groups);
        phase!($groups);
        ttinsn!(SETRWC { clear_ab_vld: BOTH, bit_mask: RWC_ALL, ..SETRWC::ZERO }.word());
    }};
}

#[inline(never)]
fn multiply_tile(groups: u32) {
    match groups {
        1 => tile!(1),
        2 => tile!(2),
        3 => tile!(3),
        _ => tile!(4),
    }
}
