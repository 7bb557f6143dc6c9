//! Gated units of two products in Dst ([`Gate`]): the vector unit's part, and where their results go. TRISC2's thread drives it: TRISC1's is busy with the other half of Dst, and a thread issues
//! one instruction a clock.
//!
//! ```text
//! Dst: for each tile of rows   tiles of the first product | tiles of the second one
//!                              results -> packers, BF16
//! ```
//! A register has even or odd columns of four rows, of both products alike. Its result is where the first product was. In Dst a tile's rows are in SrcB's order, groups of eight rows with the
//! first 16 elements and then with the others, so packers take them as they lie.
//!
//! The function is that of the elementwise kernel, and activations are rounded as there ([`super::super::order`]), so a gated unit has the same bits by itself.

use crate::ops::order::trisc1::adjust;
use crate::rt::chip::insn::{SETRWC, STALLWAIT};
use crate::rt::chip::thread;
use crate::rt::launch::TileLaunch;
use crate::rt::tensix::{block, push, setc16, sync, until};
use crate::rt::vector::{RWC_DST, configure, load, set_constants, step, store};
use crate::{ttinsn, ttprogram};
use tt_kernel_abi::elementwise::Glu;
use tt_kernel_abi::matmul::RESULT_ROWS;
use tt_kernel_abi::matmul_block::Gate;
use tt_kernel_sfpu::Program;

const SWIGLU: Program = program(Glu::Swiglu);
const GEGLU: Program = program(Glu::Geglu);

const fn program(function: Glu) -> Program {
    match tt_kernel_sfpu::glu(function) {
        Some(program) => program,
        None => panic!("no program"),
    }
}

/// Sets the thread and the vector unit up: a program's constants are where it expects them.
pub fn prepare(gate: Gate) {
    configure();
    match gate {
        Gate::None => {}
        Gate::Swiglu => set_constants(&SWIGLU.constants().with(&[0; 4])),
        Gate::Geglu => set_constants(&GEGLU.constants().with(&[0; 4])),
    }
}

/// Makes the gated units of so many tiles of rows and columns, from row `dst` of Dst on, when what is waited for before is so. The packers wait for them.
#[inline(never)]
pub fn units(launch: &TileLaunch, gate: Gate, [rows, columns]: [u32; 2], dst: u32) {
    for row in 0..rows {
        for column in 0..columns {
            let first = dst + (2 * row * columns + column) * RESULT_ROWS;
            push(setc16(thread::DEST_TARGET_REG_CFG_MATH_Offset, first));
            ttinsn!(SETRWC { bit_mask: RWC_DST, ..SETRWC::ZERO }.word());
            let other = load(1, columns * RESULT_ROWS);
            match gate {
                Gate::Geglu => geglu(other),
                _ => swiglu(other),
            }
            adjust(launch.op, RESULT_ROWS);
        }
    }
    ttinsn!(STALLWAIT { stall_res: block::PACK | block::CFG, wait_res: until::SFPU }.word());
    sync();
}

/// A tile; `other` loads what belongs to a register.
macro_rules! tile {
    ($name:ident: $program:ident) => {
        #[inline(never)]
        fn $name(other: u32) {
            for _ in 0..RESULT_ROWS / 2 {
                ttinsn!(load(0, 0));
                push(other);
                ttprogram!($program);
                ttinsn!(store(step::ON));
            }
        }
    };
}

tile!(swiglu: SWIGLU);
tile!(geglu: GEGLU);
