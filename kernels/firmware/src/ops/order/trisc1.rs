//! TRISC1: activations that shall have seven significant bits get what the packers' rounding lacks for that ([`HALF_OF_SEVEN`]), and those for F16 weights become larger ([`LARGER`]), in place in
//! Dst.

use super::{SEM_COMPUTED, SEM_FILLED, half, pieces};
use crate::rt::chip::insn::{SEMGET, SEMPOST, SETRWC, SFPIADD, SFPLOADI, SFPMULI, SFPNOP, STALLWAIT};
use crate::rt::chip::thread;
use crate::rt::launch::TileLaunch;
use crate::rt::tensix::{block, push, sem, sem_cond, setc16, sync, until};
use crate::rt::vector::{RWC_DST, configure, load, step, store};
use crate::{semwait, ttinsn};
use tt_isa::sfpu::{sfpiadd, sfploadi};
use tt_kernel_abi::OpDescriptor;
use tt_kernel_abi::held::ACTIVATIONS_UP;
use tt_kernel_abi::order::{HALF_OF_SEVEN, HALF_ROWS, LARGER, OrderParams, SEVEN_BITS};

/// The register that has [`HALF_OF_SEVEN`].
const HALF: u32 = 7;

/// Runs TRISC1's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &OrderParams) {
    configure();
    for (number, _) in pieces(launch, params) {
        launch.progress(number);
        semwait!(block::SFPU | block::MATH | block::CFG | block::SYNC, SEM_FILLED, sem_cond::WHILE_ZERO);
        push(setc16(thread::DEST_TARGET_REG_CFG_MATH_Offset, half(number)));
        adjust(launch.op, HALF_ROWS);
        ttinsn!(STALLWAIT { stall_res: block::SYNC | block::CFG, wait_res: until::SFPU }.word());
        ttinsn!(SEMGET { sem_sel: sem(SEM_FILLED) }.word());
        ttinsn!(SEMPOST { sem_sel: sem(SEM_COMPUTED) }.word());
    }
    // The next operator may configure the thread anew.
    sync();
}

/// Whether activations shall have seven significant bits.
pub fn is_rounded(op: &OpDescriptor) -> bool {
    op.flags & SEVEN_BITS != 0
}

/// Whether they become larger.
pub fn is_larger(op: &OpDescriptor) -> bool {
    op.flags & LARGER != 0
}

/// Does with `rows` rows of Dst, a multiple of four, from where the thread counts them, what the descriptor says of activations.
#[inline(never)]
pub fn adjust(op: &OpDescriptor, rows: u32) {
    if is_rounded(op) {
        round(rows);
    } else if is_larger(op) {
        enlarge(rows);
    }
}

/// Adds [`HALF_OF_SEVEN`] to magnitudes. A magnitude's carry goes to its exponent, which is right.
fn round(rows: u32) {
    ttinsn!(SETRWC { bit_mask: RWC_DST, ..SETRWC::ZERO }.word());
    ttinsn!(SFPLOADI { lreg_ind: HALF, instr_mod0: sfploadi::USHORT, imm16: HALF_OF_SEVEN }.word());
    // A register has the even or the odd columns of four rows.
    for _ in 0..rows / 2 {
        ttinsn!(load(0, 0));
        ttinsn!(SFPIADD { imm12_math: 0, lreg_c: HALF, lreg_dest: 0, instr_mod1: sfpiadd::CC_NONE }.word());
        ttinsn!(store(step::ON));
    }
}

/// Multiplies with 2^[`ACTIVATIONS_UP`]. (An exponent that is added would make numbers of zeros.)
fn enlarge(rows: u32) {
    ttinsn!(SETRWC { bit_mask: RWC_DST, ..SETRWC::ZERO }.word());
    for _ in 0..rows / 2 {
        ttinsn!(load(0, 0));
        ttinsn!(times_larger(0));
        // The product is there one instruction late (`SFPMULI.md`).
        ttinsn!(SFPNOP {}.word());
        ttinsn!(store(step::ON));
    }
}

/// Multiplies a register with 2^[`ACTIVATIONS_UP`], a BF16 number.
pub const fn times_larger(lreg_dest: u32) -> u32 {
    SFPMULI { imm16_math: (127 + ACTIVATIONS_UP) << 7, lreg_dest, instr_mod1: 0 }.word()
}
