//! Attention on the vector unit: programs ([`tt_kernel_abi::attention`] says how scores come to Dst).
//!
//! A register has four rows of queries and eight positions of each, so maxima and sums are eight for each row at first; rotations make one of them.
//! Powers are those of [`super::soft_max::power`], with minus the maxima in `LReg[7]`.

use super::functions::{keep_nan, reciprocal};
use super::program::{Program, Reg};
use super::rows::{SUM, largest_of_row, rotate, without_constants};
use super::soft_max::MAX;
use tt_isa::sfpu::lreg::ZERO;
use tt_kernel_abi::attention::MASKED;
use tt_kernel_abi::matmul::F16_BIAS;

/// Register of [`query`] with the factor of queries.
pub const FACTOR: Reg = 3;
/// Register with minus the largest score of each row.
pub const MINUS_MAX: Reg = 7;
/// Registers of [`add_weighted`]: sums of the even and of the odd columns.
pub const EVEN: Reg = 2;
/// See [`EVEN`].
pub const ODD: Reg = 3;

/// What is added to round to TF32.
const ROUND: u32 = 0x1000;
/// 2^[`F16_BIAS`]
const BIAS: f32 = f32::from_bits((F16_BIAS + 127) << 23);

/// `LReg[0] = LReg[0] * LReg[3]`, rounded for SrcB. Uses 1.
pub const fn query() -> Program {
    let mut p = without_constants();
    p.mul(0, 0, FACTOR);
    p.load(1, ROUND);
    p.iadd(0, 1);
    p.finish()
}

/// Maxima in 5 with `LReg[0]`, which is spoilt.
pub const fn larger() -> Program {
    let mut p = without_constants();
    p.min_max(0, MAX);
    p.finish()
}

/// `LReg[7]` = minus the largest of each row of 5. Spoils 0 and 5.
pub const fn row_max() -> Program {
    let mut p = without_constants();
    largest_of_row(&mut p, MAX, 0);
    p.neg(MINUS_MAX, MAX);
    p.finish()
}

/// Adds the powers in `LReg[0]` to 1 and makes them what SrcB takes beside F16 patterns. Uses 2.
pub const fn weigh() -> Program {
    let mut p = without_constants();
    p.add(SUM, SUM, 0);
    p.mul_short(0, BIAS);
    p.load(2, ROUND);
    p.iadd(0, 2);
    p.finish()
}

/// `LReg[1]` = the sum of each row of it. Spoils 0.
pub const fn row_sum() -> Program {
    let mut p = without_constants();
    let mut distance = 1;
    while distance < 8 {
        rotate(&mut p, 0, SUM, distance);
        p.add(SUM, SUM, 0);
        distance *= 2;
    }
    p.finish()
}

/// The smaller one of `LReg[7]` and `LReg[0]`, which is spoilt, in 7: minus maxima.
pub const fn smaller() -> Program {
    let mut p = without_constants();
    p.min_max(MINUS_MAX, 0);
    p.finish()
}

/// `LReg[6] = -LReg[6]`
pub const fn negate_logit() -> Program {
    let mut p = without_constants();
    p.neg(6, 6);
    p.finish()
}

/// `LReg[1] += LReg[0] * LReg[2]`
pub const fn add_weight() -> Program {
    let mut p = without_constants();
    p.mad(SUM, 0, 2, SUM);
    p.finish()
}

/// `LReg[1] = 1 / LReg[1]`, 0 of rows in which everything is masked, by 7. Uses 0 and 2 to 5.
pub const fn invert() -> Program {
    let mut p = without_constants();
    reciprocal(&mut p, 2, 3, SUM, 4, 5);
    p.mul(0, 2, 3);
    keep_nan(&mut p, 0, SUM, 2, 3);
    p.set(2, MASKED);
    p.add(3, MINUS_MAX, 2);
    p.where_not_negative(3);
    p.mov(0, ZERO);
    p.everywhere();
    p.mov(SUM, 0);
    p.finish()
}

/// `LReg[2] += LReg[0] * LReg[4]` and `LReg[3] += LReg[0] * LReg[5]`
pub const fn add_weighted() -> Program {
    let mut p = without_constants();
    p.mad(EVEN, 0, 4, EVEN);
    p.mad(ODD, 0, 5, ODD);
    p.finish()
}

/// `LReg[2] *= LReg[1]` and `LReg[3] *= LReg[1]`
pub const fn scale() -> Program {
    let mut p = without_constants();
    p.mul(EVEN, EVEN, SUM);
    p.mul(ODD, ODD, SUM);
    p.finish()
}
