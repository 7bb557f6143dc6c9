//! `SOFT_MAX` on the vector unit: programs ([`tt_kernel_abi::sfpu::rows`] says how rows come to Dst).
//!
//! Registers that live from segment to segment:
//!
//! | register | first pass | from then on |
//! |---|---|---|
//! | 1 | | sums of powers, then one over their sum |
//! | 5 | maxima | |
//! | 7 | | minus the maximum |
//!
//! 32 elements at a time go through a register, so maxima and sums are 32 at first; [`max`] and [`sum`](super::rows::sum) make one of
//! them, in all elements of the register: the four rows by a transposition, the eight columns by rotations.

use super::functions::{exp_normal, keep_nan, reciprocal};
use super::program::{Program, Reg};
use super::rows::{SUM, rotate, without_constants};
use tt_isa::sfpu::lreg::{ONE, ZERO};

/// Registers of [`logits`] that hold the scale and the mask's slope.
pub const SCALE: Reg = 3;
/// See [`SCALE`].
pub const SLOPE: Reg = 4;
/// Register of the maxima.
pub const MAX: Reg = 5;
/// Register that [`power`] takes its argument from.
pub const LOGIT: Reg = 6;

/// `LReg[0] = scale * LReg[0] + slope * LReg[2]`, without the second product if there is no mask; maxima in 5.
pub const fn logits(masked: bool) -> Program {
    let mut p = without_constants();
    p.mul(0, 0, SCALE);
    if masked {
        p.mad(0, 2, SLOPE, 0);
    }
    p.mov(6, 0);
    p.min_max(6, MAX);
    p.finish()
}

/// `LReg[7]` = minus the largest of all elements of 5. Spoils the others.
pub const fn max() -> Program {
    let mut p = without_constants();
    let mut i = 0;
    while i < 4 {
        p.mov(i, MAX);
        i += 1;
    }
    p.transpose_rows();
    p.min_max(0, 1);
    p.min_max(2, 3);
    p.min_max(1, 3);
    let mut distance = 1;
    while distance < 8 {
        rotate(&mut p, 0, 3, distance);
        p.min_max(0, 3);
        distance *= 2;
    }
    p.neg(7, 3);
    p.finish()
}

/// `LReg[1] = 1 / LReg[1]`, 0 of 0: a row in which everything is masked. Uses 0 and 2 to 5.
pub const fn invert() -> Program {
    let mut p = without_constants();
    reciprocal(&mut p, 2, 3, SUM, 4, 5);
    p.mul(0, 2, 3);
    keep_nan(&mut p, 0, SUM, 2, 3);
    p.where_zero(SUM);
    p.mov(0, ZERO);
    p.everywhere();
    p.mov(SUM, 0);
    p.finish()
}

/// `LReg[0] = e^(LReg[6] + LReg[7])` of a sum that is not positive: 0 below -87, where FP32 has denormals; uses 2 to 6.
pub const fn power() -> Program {
    const SMALLEST: f32 = 87.0;
    let mut p = Program::new(0);
    p.mad(LOGIT, LOGIT, ONE, 7);
    p.mov(2, LOGIT);
    exp_normal(&mut p, 0, LOGIT, 3, 4, 5);
    p.abs(3, 2);
    p.load(4, SMALLEST.to_bits());
    p.isub(3, 4);
    p.where_negative(3);
    // NaN, which the vector unit makes without a sign, or far below zero.
    p.mov(0, 2);
    p.where_negative(2);
    p.mov(0, ZERO);
    p.everywhere();
    p.finish()
}

/// `LReg[1] += LReg[0]`
pub const fn accumulate() -> Program {
    let mut p = without_constants();
    p.add(SUM, SUM, 0);
    p.finish()
}

/// `LReg[0] *= LReg[1]`
pub const fn scale() -> Program {
    let mut p = without_constants();
    p.mul(0, 0, SUM);
    p.finish()
}
