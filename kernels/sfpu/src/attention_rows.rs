//! Attention of many tokens on the vector unit: programs ([`tt_kernel_abi::attention_rows`] says how scores come to Dst).
//!
//! A register has four rows and eight positions, or elements, of each. What belongs to a row stands in all eight.
//!
//! Powers are powers of two: of the score times log2(e), minus the row's largest score so far, which is rounded to an integer. So what is rescaled when a larger score
//! comes is multiplied with a power of two, exactly. Exponents are counted in 1/512, so that a number between 1 and 1.5 has one in nine bits of its mantissa, and the
//! fraction in those behind: 1 is the smallest power that there is, zero.
//!
//! | register | what |
//! |---|---|
//! | 5 | largest scores of a block |
//! | 6 | sums of powers |
//! | 7 | what is added to a score: minus the largest one, and `BIAS` |
//!
//! Constants that hold for the whole operator: [`CONSTANTS`].

use super::functions::reciprocal;
use super::program::{Program, Reg};
use super::rows::{SUM, largest_of_row, without_constants};
use super::soft_max::MAX;
use tt_isa::sfpu::lreg::{ONE, PROGRAMMABLE_0, ZERO};
use tt_kernel_abi::attention::MASKED;
use tt_kernel_abi::matmul::F16_BIAS;

/// Register with sums of powers.
pub const SUMS: Reg = 6;
/// Register with the largest score of all blocks before, or what rescales them.
pub const BEFORE: Reg = 1;
/// Register with the largest score so far, in [`finish`].
pub const LARGEST: Reg = 7;
/// Registers of two lots of scores whose powers are made side by side.
pub const FIRST: Reg = 0;
/// See above.
pub const SECOND: Reg = 3;
/// Registers of four lots of sums that are multiplied.
pub const LOTS: [Reg; 4] = [2, 3, 4, 5];
/// A largest score that is below all others.
pub const LOWEST: f32 = -1e30;

/// log2(e) / 512
const LOG2_E: f32 = core::f32::consts::LOG2_E / 512.0;
/// `((x + c[0]) x + c[1]) x + c[2]` is 2^(x - 1) for x from 1 to 2, relative error 7.5e-5, but for a factor that all powers have, and so their sum.
const POWER: [f32; 3] = [-0.102_613_98, 6.123_37, 5.794_782_6];

/// What the programs expect in the constant registers.
pub const CONSTANTS: [u32; 4] =
    [POWER[0].to_bits(), POWER[1].to_bits(), POWER[2].to_bits(), LOG2_E.to_bits()];
/// Where they are.
const C: [Reg; 3] = [PROGRAMMABLE_0, PROGRAMMABLE_0 + 1, PROGRAMMABLE_0 + 2];
const LOG2: Reg = PROGRAMMABLE_0 + 3;

/// Added to a number of 1/512 below 2^13, it leaves the nearest integer of them.
const ROUNDER: f32 = 24_576.0;
/// The exponent field of 1, in 1/512, and the 1 that stands for nothing.
const NO_BIAS: f32 = 1.0 + 127.0 / 512.0;
/// The same of powers as they are stored: their factor is 2^97.
const BIAS: f32 = 1.0 + (127.0 + POWER_BIAS as f32) / 512.0;
const POWER_BIAS: u32 = 97;
/// What is added to a power to round it to the ten bits of a mantissa that SrcB takes.
const ROUND: u32 = 0x1000;
/// The bits that SrcB takes.
const TAKEN: u32 = 0xFFFF_E000;

/// Maxima of two lots of scores in [`FIRST`] and [`SECOND`], which are spoilt, and of 5, in 5.
pub const fn larger() -> Program {
    let mut p = without_constants();
    p.min_max(FIRST, MAX);
    p.min_max(SECOND, MAX);
    p.finish()
}

/// The row's largest score in 5, from the largest ones of the block there and those before in 1. In 1 what sums so far are multiplied with,
/// in 7 what is added to scores. Spoils 0, 2 and 3.
pub const fn largest() -> Program {
    let mut p = without_constants();
    largest_of_row(&mut p, MAX, 0);
    p.mul(MAX, MAX, LOG2);
    p.add_short(MAX, ROUNDER);
    p.add_short(MAX, -ROUNDER);
    p.mov(0, BEFORE);
    p.min_max(0, MAX);
    p.neg(2, MAX);
    p.add(BEFORE, BEFORE, 2);
    p.set(3, NO_BIAS);
    p.add(BEFORE, BEFORE, 3);
    p.min_max(ONE, BEFORE);
    p.shift(BEFORE, 9);
    p.mov(7, 2);
    p.add_short(7, BIAS);
    p.finish()
}

/// Multiplies [`SUMS`] with 1.
pub const fn rescale_sums() -> Program {
    let mut p = without_constants();
    p.mul(SUMS, SUMS, BEFORE);
    p.finish()
}

/// Multiplies four lots with 1.
pub const fn rescale() -> Program {
    let mut p = without_constants();
    let mut i = 0;
    while i < LOTS.len() {
        p.mul(LOTS[i], LOTS[i], BEFORE);
        i += 1;
    }
    p.finish()
}

/// Powers of two lots of scores, in their places, rounded for SrcB, and added to [`SUMS`] as they are then: so the means that come of them are means, with
/// weights that add up to one. Uses 1, 2, 4 and 5.
pub const fn powers() -> Program {
    let mut p = without_constants();
    p.mad(FIRST, FIRST, LOG2, 7);
    p.mad(SECOND, SECOND, LOG2, 7);
    p.min_max(ONE, FIRST);
    p.min_max(ONE, SECOND);
    p.shift(FIRST, 9);
    p.shift(SECOND, 9);
    p.set_exponent(FIRST + 1, FIRST, 127);
    p.set_exponent(SECOND + 1, SECOND, 127);
    p.clear_mantissa(FIRST, FIRST);
    p.clear_mantissa(SECOND, SECOND);
    p.add(FIRST + 2, FIRST + 1, C[0]);
    p.add(SECOND + 2, SECOND + 1, C[0]);
    p.mad(FIRST + 2, FIRST + 2, FIRST + 1, C[1]);
    p.mad(SECOND + 2, SECOND + 2, SECOND + 1, C[1]);
    p.mad(FIRST + 2, FIRST + 2, FIRST + 1, C[2]);
    p.mad(SECOND + 2, SECOND + 2, SECOND + 1, C[2]);
    p.mul(FIRST, FIRST, FIRST + 2);
    p.mul(SECOND, SECOND, SECOND + 2);
    p.load(FIRST + 1, ROUND);
    p.iadd(FIRST, FIRST + 1);
    p.iadd(SECOND, FIRST + 1);
    p.load(FIRST + 1, TAKEN);
    p.and(FIRST, FIRST + 1);
    p.and(SECOND, FIRST + 1);
    p.add(SUMS, SUMS, FIRST);
    p.add(SUMS, SUMS, SECOND);
    p.finish()
}

/// In 1 what sums of values are multiplied with at the end, from the sum of powers there and the largest score in 7: 0 of rows in which everything is masked.
/// Uses 0 and 2 to 5.
pub const fn finish() -> Program {
    let mut p = without_constants();
    reciprocal(&mut p, 2, 3, SUM, 4, 5);
    p.mul(0, 2, 3);
    // Values have lost 2^F16_BIAS; the factors of powers are in both sums.
    p.set(2, f32::from_bits((127 + F16_BIAS) << 23));
    p.mul(0, 0, 2);
    p.set(2, -MASKED * LOG2_E);
    p.add(3, LARGEST, 2);
    p.where_negative(3);
    p.mov(0, ZERO);
    p.everywhere();
    p.mov(SUM, 0);
    p.finish()
}
