//! TRISC1: the matrix unit. Where not all of them may work at once ([`BlockParams::pause`]), each rests behind each product of tiles.

use super::{plan, weights};
use crate::ops::matmul::SEM_DST;
use crate::ops::matmul::trisc0::multiplied_format;
use crate::rt::chip::insn::{SEMPOST, SETRWC, STALLWAIT, ZEROACC};
use crate::rt::launch::TileLaunch;
use crate::rt::matrix::{Phases, RWC_ALL, configure_for, multiply_at, pause, record_pause, record_phase};
use crate::rt::sync::OUT_READY;
use crate::rt::tensix::{block, sem, sync, until};
use crate::ttinsn;
use tt_isa::format::DataFormat;
use tt_kernel_abi::ElementType;
use tt_kernel_abi::matmul::{Halves, RESULT_ROWS};
use tt_kernel_abi::matmul_block::{BlockParams, Plan};

/// Runs TRISC1's part.
pub fn run(launch: &TileLaunch, params: &BlockParams) {
    let (Some(plan), Some(weights)) = (plan(launch, params), weights(launch, params)) else { return };
    if !plan.has_results() {
        return;
    }
    // What the packers round to.
    let dst = if params.sides() == 1 { DataFormat::Fp32 } else { DataFormat::Bf16 };
    configure_for(multiplied_format(weights, Halves::None), dst);
    let phases = phases(weights);
    record_phase();
    let rest = match phases {
        Phases::High => params.pause,
        Phases::HighB => 2 * params.pause,
        Phases::Three => 3 * params.pause,
    };
    if rest > 0 {
        record_pause();
    }
    let mut done = 0_u32;
    for number in 0..plan.blocks() {
        let of = plan.block(number);
        if of.rows == 0 || of.columns == 0 {
            continue;
        }
        launch.progress(number);
        // What was there has been packed.
        OUT_READY.wait((done + 1).saturating_sub(plan.places()));
        clear(&plan, done);
        ttinsn!(SETRWC { bit_mask: RWC_ALL, ..SETRWC::ZERO }.word());
        let weights = plan.weights(&of);
        for _ in 0..params.k_tiles {
            let mut row = plan.dst_row(done);
            for _ in 0..of.rows {
                for column in 1..=weights {
                    multiply_at(row, phases, column == weights);
                    if rest > 0 {
                        pause(rest);
                    }
                    row += RESULT_ROWS;
                }
            }
        }
        ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::MATH }.word());
        ttinsn!(SEMPOST { sem_sel: sem(SEM_DST) }.word());
        done += 1;
    }
    // The next operator may configure the matrix unit anew.
    sync();
}

/// Clears the place of block `number` in Dst: all of it, or a half.
fn clear(plan: &Plan, number: u32) {
    match (plan.places(), number % 2) {
        (2, 0) => ttinsn!(ZEROACC { clear_mode: 2, dst: 0, ..ZEROACC::ZERO }.word()),
        (2, _) => ttinsn!(ZEROACC { clear_mode: 2, dst: 1, ..ZEROACC::ZERO }.word()),
        _ => {
            ttinsn!(ZEROACC { clear_mode: 2, dst: 0, ..ZEROACC::ZERO }.word());
            ttinsn!(ZEROACC { clear_mode: 2, dst: 1, ..ZEROACC::ZERO }.word());
        }
    }
}

/// Fidelity phases: BFP4_b has no bits for the low part of SrcA, and what is multiplied with block float weights none for that of SrcB ([`tt_kernel_abi::order::SEVEN_BITS`]).
fn phases(weights: ElementType) -> Phases {
    match weights {
        ElementType::TilesBfp4 => Phases::High,
        ElementType::TilesBfp8 => Phases::HighB,
        _ => Phases::Three,
    }
}
