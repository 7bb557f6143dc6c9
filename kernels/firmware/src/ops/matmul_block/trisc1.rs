//! TRISC1: the matrix unit.

use super::{plan, weights};
use crate::ops::matmul::SEM_DST;
use crate::ops::matmul::trisc0::multiplied_format;
use crate::rt::chip::insn::{SEMPOST, SETRWC, STALLWAIT, ZEROACC};
use crate::rt::launch::TileLaunch;
use crate::rt::matrix::{Phases, RWC_ALL, configure, multiply_at, record_phase};
use crate::rt::sync::OUT_READY;
use crate::rt::tensix::{block, sem, sync, until};
use crate::ttinsn;
use tt_kernel_abi::ElementType;
use tt_kernel_abi::matmul::{Halves, RESULT_ROWS};
use tt_kernel_abi::matmul_block::BlockParams;

/// Runs TRISC1's part.
pub fn run(launch: &TileLaunch, params: &BlockParams) {
    let (Some(plan), Some(weights)) = (plan(launch, params), weights(launch, params)) else { return };
    configure(multiplied_format(weights, Halves::None));
    let phases = phases(weights);
    record_phase(phases);
    let mut done = 0;
    for number in 0..plan.blocks() {
        let of = plan.block(number);
        if of.rows == 0 || of.columns == 0 {
            continue;
        }
        launch.progress(number);
        // All of Dst has been packed.
        OUT_READY.wait(done);
        ttinsn!(ZEROACC { clear_mode: 2, dst: 0, ..ZEROACC::ZERO }.word());
        ttinsn!(ZEROACC { clear_mode: 2, dst: 1, ..ZEROACC::ZERO }.word());
        ttinsn!(SETRWC { bit_mask: RWC_ALL, ..SETRWC::ZERO }.word());
        for _ in 0..params.k_tiles {
            let mut row = 0;
            for _ in 0..of.rows {
                for column in 1..=of.columns {
                    multiply_at(row, phases, column == of.columns);
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

/// Fidelity phases of a product with BF16: BFP4_b has no bits for the low part of SrcA.
fn phases(weights: ElementType) -> Phases {
    match weights {
        ElementType::TilesBfp4 => Phases::HighA,
        _ => Phases::Three,
    }
}
