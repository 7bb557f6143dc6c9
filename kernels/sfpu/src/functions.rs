//! Building blocks: functions as the operators' programs use them.
//!
//! A block says in which registers it finds its argument and leaves its result, and which it uses besides. Polynomials
//! are minimax fits of the relative error; their coefficients are rounded to FP32. What the blocks make of every number, measured:
//! `docs/sfpu-functions.md`.
//!
//! The MAD sub-unit takes denormals for zero and rounds products to 28 bits before it adds (`SFPMAD.md`): a product of an
//! integer and a constant of few bits is exact, and reductions rely on that.

use super::program::{Program, Reg};
use tt_isa::format::fp32::EXPONENT as INFINITY;
use tt_isa::sfpu::lreg::{ONE, ZERO};

/// 1.5 * 2^23: added to a number below 2^22, it leaves the nearest integer in the sum's lowest bits.
const ROUNDER: f32 = 12_582_912.0;
/// A quiet NaN.
const NAN: u32 = INFINITY | 0x40_0000;

const LOG2_E: f32 = core::f32::consts::LOG2_E;
/// ln 2 in two parts, the first of ten bits.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// (e^r - 1 - r) / r^2 for |r| <= ln(2) / 2, highest power first; off by 3e-9 of e^r.
const EXP: [f32; 5] = [0.001_381_443_2, 0.008_368_797, 0.041_668_396, 0.166_665_2, 0.499_999_94];
/// The same, off by 1.4e-8 of e^r - 1.
const EXPM1: [f32; 5] = [0.001_388_250_2, 0.008_366_596, 0.041_667_2, 0.166_665_43, 0.499_999_97];
/// (ln(1 + f) - f + f^2 / 2) / f^3 for 1 + f between sqrt(1/2) and sqrt(2), highest power first; off by 8e-10.
const LOG: [f32; 9] = [
    0.067_465_92,
    -0.116_756_39,
    0.118_881_78,
    -0.124_055_92,
    0.142_195_51,
    -0.166_679_96,
    0.200_021_19,
    -0.250_000_1,
    0.333_333_13,
];
/// (tanh(x) - x) / x^3 as a polynomial of x^2, |x| < 0.65; off by 7e-9.
const TANH: [f32; 5] = [-0.005_515_156, 0.020_469_412, -0.053_688_02, 0.133_308_3, -0.333_332_6];
/// erf(x) / x - 1 as a polynomial of x^2, |x| < 0.93; off by 5e-10.
const ERF: [f32; 7] =
    [8.316_775e-5, -8.130_012_4e-4, 0.005_199_907, -0.026_858_94, 0.112_836_875, -0.376_126_32, 0.128_379_17];
/// -ln(erfc(x)) / x - 1 for x from 0.92 to 4; off by 3e-9 of erf.
const ERFC: [f32; 6] =
    [-2.139_850_3e-4, 0.003_214_956_3, -0.022_889_966, 0.105_261_85, 0.635_718_3, 0.128_514_36];
/// (sin(r) - r) / r^3 as a polynomial of r^2, |r| <= pi / 2; off by 6e-9.
const SIN: [f32; 4] = [2.605_720_7e-6, -1.980_957_7e-4, 0.008_333_066, -0.166_666_6];

/// Largest magnitude for which [`sin`] and [`cos`] reduce their argument.
pub const TRIG_LIMIT: f32 = 10_000.0;
/// pi in four parts, the first three of twelve bits: times an integer or half of one below 2^15 they are exact.
const PI: [f32; 4] = [3.141_601_6, -8.907_169e-6, -1.741_227_6e-9, 1.244_674_4e-13];

/// `d = x` where x is NaN. Uses `t` and `k`.
pub const fn keep_nan(p: &mut Program, d: Reg, x: Reg, t: Reg, k: Reg) {
    where_nan(p, x, t, k);
    p.mov(d, x);
    p.everywhere();
}

/// From here on only where x is NaN. Uses `t` and `k`.
pub const fn where_nan(p: &mut Program, x: Reg, t: Reg, k: Reg) {
    p.abs(t, x);
    let infinity = p.bits(INFINITY, k);
    p.isub(t, infinity);
    p.where_negative(t);
}

/// `d = max(d, 0)`. -0 and -NaN become 0.
pub const fn relu(p: &mut Program, d: Reg) {
    p.where_negative(d);
    p.mov(d, ZERO);
    p.everywhere();
}

/// `d` between `low` and `high`, which have at most seven bits of mantissa. Uses `t`.
const fn between(p: &mut Program, d: Reg, low: f32, high: f32, t: Reg) {
    p.set(t, low);
    p.min_max(t, d);
    p.set(t, high);
    p.min_max(d, t);
}

/// Integer part of x / ln(2), in the lowest bits of `n`, and what is left, in `r`. Uses `t`.
const fn reduce_exp(p: &mut Program, n: Reg, r: Reg, x: Reg, t: Reg) {
    let log2_e = p.constant(LOG2_E, r);
    let rounder = p.constant(ROUNDER, t);
    p.mad(n, x, log2_e, rounder);
    p.mov(t, n);
    p.add_short(t, -ROUNDER);
    let high = p.constant(-LN_2_HIGH, r);
    p.mad(r, t, high, x);
    // `x` may be what `t` was loaded over, but is not needed any more.
    let low = p.constant(-LN_2_LOW, x);
    p.mad(r, t, low, r);
}

/// `d = e^x` for x between -87.3 and 88.7; uses `n`, `r`, `t` and spoils x.
pub const fn exp_normal(p: &mut Program, d: Reg, x: Reg, n: Reg, r: Reg, t: Reg) {
    reduce_exp(p, n, r, x, t);
    p.polynomial(d, r, &EXP, t);
    p.horner(d, r, &[1.0, 1.0], t);
    p.shift(n, 23);
    p.iadd(d, n);
}

/// `d = e^x` for x between -86 and 89, infinite where that is too large; uses `n`, `r`, `t` and spoils x.
const fn exp_saturating(p: &mut Program, d: Reg, x: Reg, n: Reg, r: Reg, t: Reg) {
    reduce_exp(p, n, r, x, t);
    p.polynomial(d, r, &EXP, t);
    p.horner(d, r, &[1.0, 1.0], t);
    // Half of the result is in range in any case.
    p.iadd_short(n, -1);
    p.shift(n, 23);
    p.iadd(d, n);
    p.mul_short(d, 2.0);
}

/// `LReg[0] = e^LReg[7]`; uses 2 to 6.
pub const fn exp(p: &mut Program) {
    p.mov(6, 7);
    exp_normal(p, 0, 6, 3, 4, 5);
    // From here on infinite.
    p.set(2, -88.722_84);
    p.add(2, 7, 2);
    p.where_not_negative(2);
    p.load(0, INFINITY);
    p.everywhere();
    // Below it denormal.
    p.set(2, 87.336_55);
    p.add(2, 7, 2);
    p.where_negative(2);
    p.mov(0, ZERO);
    p.everywhere();
    keep_nan(p, 0, 7, 2, 3);
}

/// `LReg[0] = e^LReg[6] - 1`, spoils 6; uses 2 to 5.
pub const fn expm1(p: &mut Program) {
    between(p, 6, -86.0, 89.0, 2);
    reduce_exp(p, 3, 4, 6, 5);
    p.polynomial(0, 4, &EXPM1, 5);
    p.mul(0, 0, 4);
    p.mad(0, 0, 4, 4);
    // (e^r - 1) 2^n + 2^n - 1, all halved.
    p.iadd_short(3, -1);
    p.shift(3, 23);
    p.iadd(3, ONE);
    p.mov(2, 3);
    p.add_short(2, -0.5);
    p.mad(0, 0, 3, 2);
    p.mul_short(0, 2.0);
}

/// `1 / b = y * s`, s a power of two with a sign (or zero, or infinite); uses `m` and `t`. b = NaN is taken for infinite.
pub const fn reciprocal(p: &mut Program, y: Reg, s: Reg, b: Reg, m: Reg, t: Reg) {
    // |b| = m 2^(e - 128), 2 <= m < 4; e is b's exponent field.
    p.abs(m, b);
    p.set_exponent(m, m, 128);
    // -1/m: the parabola whose relative error is a Chebyshev polynomial, 1/99 at most, then Newton's iteration.
    p.polynomial(y, m, &[-4.0 / 99.0, 36.0 / 99.0, -105.0 / 99.0], t);
    let mut i = 0;
    while i < 2 {
        p.mad(t, m, y, ONE);
        p.mad(y, y, t, y);
        i += 1;
    }
    // All bits inverted: the other sign, and 255 - e.
    p.not(s, b);
    p.clear_mantissa(s, s);
}

/// `LReg[0] = 1 / LReg[7]`; uses 2 to 5.
pub const fn recip(p: &mut Program) {
    reciprocal(p, 2, 3, 7, 4, 5);
    p.mul(0, 2, 3);
    keep_nan(p, 0, 7, 2, 3);
}

/// `LReg[0] = LReg[0] / LReg[1]`; uses 2 to 5.
pub const fn div(p: &mut Program) {
    reciprocal(p, 2, 3, 1, 4, 5);
    p.mul(0, 0, 3);
    p.mul(0, 0, 2);
    keep_nan(p, 0, 1, 2, 3);
}

/// `y` = about 1 / sqrt(x) for normal x > 0; uses `h`, `e`, `t`, `k`.
const fn rsqrt_normal(p: &mut Program, y: Reg, x: Reg, h: Reg, e: Reg, t: Reg, k: Reg) {
    // Half of the exponent, negated, by integers: off by 3.5 percent at most.
    p.mov(y, x);
    p.shift(y, -1);
    let start = p.bits(0x5F37_5A86, k);
    p.isub(y, start);
    let mut i = 0;
    while i < 2 {
        // e = 1 - x y^2; y (1 + e / 2 + 3 e^2 / 8)
        p.neg(h, x);
        p.mul(h, h, y);
        p.mad(e, h, y, ONE);
        p.set(t, 0.375);
        p.set(h, 0.5);
        p.mad(t, t, e, h);
        p.mul(e, e, y);
        p.mad(y, t, e, y);
        i += 1;
    }
}

/// Where `LReg[7]` is not a positive number: `LReg[0]` = NaN below zero, `at_zero` (bits), `at_infinity`, NaN of NaN. Uses 2 and 3.
const fn outside_positive(p: &mut Program, at_zero: u32, at_infinity: u32) {
    // Denormals and -0 become 0.
    p.add(2, 7, ZERO);
    p.where_negative(2);
    p.load(0, NAN);
    p.everywhere();
    p.where_zero(2);
    p.load(0, at_zero);
    p.everywhere();
    let infinity = p.bits(INFINITY, 3);
    p.mov(2, 7);
    p.isub(2, infinity);
    p.where_zero(2);
    p.load(0, at_infinity);
    p.everywhere();
    keep_nan(p, 0, 7, 2, 3);
}

/// `LReg[0] = 1 / sqrt(LReg[7])`; uses 2 to 6.
pub const fn rsqrt(p: &mut Program) {
    rsqrt_normal(p, 0, 7, 2, 3, 4, 5);
    outside_positive(p, INFINITY, 0);
}

/// `LReg[0] = sqrt(LReg[7])`; uses 2 to 6.
pub const fn sqrt(p: &mut Program) {
    rsqrt_normal(p, 6, 7, 2, 3, 4, 5);
    // s = x y, and s + (x - s^2) y / 2.
    p.mul(0, 7, 6);
    p.neg(2, 0);
    p.mad(2, 2, 0, 7);
    p.mul_short(6, 0.5);
    p.mad(0, 2, 6, 0);
    outside_positive(p, 0, INFINITY);
}

/// `LReg[0] = ln(x)` for normal x > 0 in `x`; uses 2 to 5 and spoils x.
const fn log_normal(p: &mut Program, x: Reg) {
    // x = 2^e (1 + f): the exponent is that of x / sqrt(1/2).
    const SQRT_HALF: u32 = 0x3F35_04F3;
    p.load(2, 0x3F80_0000 - SQRT_HALF);
    p.iadd(x, 2);
    p.exponent_field(3, x);
    p.to_float(3, 3);
    p.add_short(3, -127.0);
    p.mantissa_field(4, x);
    p.load(2, SQRT_HALF);
    p.iadd(4, 2);
    p.add_short(4, -1.0);
    p.polynomial(0, 4, &LOG, 2);
    p.mul(5, 4, 4);
    p.mul(0, 0, 4);
    p.mul(0, 0, 5);
    let low = p.constant(LN_2_LOW, 2);
    p.mad(0, 3, low, 0);
    p.set(2, -0.5);
    p.mad(0, 5, 2, 0);
    p.add(0, 0, 4);
    let high = p.constant(LN_2_HIGH, 2);
    p.mad(0, 3, high, 0);
}

/// `LReg[0] = ln(LReg[7])`; uses 2 to 6.
pub const fn log(p: &mut Program) {
    p.mov(6, 7);
    log_normal(p, 6);
    outside_positive(p, INFINITY | 1 << 31, INFINITY);
}

/// `LReg[0] = LReg[0] / (1 + e^LReg[2])`; uses 2 to 6.
pub const fn logistic(p: &mut Program) {
    between(p, 2, -86.0, 89.0, 3);
    exp_saturating(p, 3, 2, 4, 5, 6);
    p.add(3, 3, ONE);
    reciprocal(p, 4, 5, 3, 6, 2);
    // The power of two last: it is 2 where the quotient is the largest.
    p.mul(0, 0, 4);
    p.mul(0, 0, 5);
}

/// `LReg[0] = ln(1 + e^LReg[7])`, `LReg[7]` above 20; uses 2 to 6.
pub const fn softplus(p: &mut Program) {
    p.mov(6, 7);
    between(p, 6, -86.0, 88.0, 2);
    exp_normal(p, 0, 6, 3, 4, 5);
    p.add(6, 0, ONE);
    log_normal(p, 6);
    p.mov(2, 7);
    p.add_short(2, -20.0);
    p.where_not_negative(2);
    p.mov(0, 7);
    p.everywhere();
    keep_nan(p, 0, 7, 2, 3);
}

/// `LReg[0] = tanh(LReg[7])`; uses 1 to 6.
pub const fn tanh(p: &mut Program) {
    // 1 - 2 / (e^2|x| + 1)
    p.abs(6, 7);
    p.set(2, 10.0);
    p.min_max(6, 2);
    p.mul_short(6, 2.0);
    exp_normal(p, 1, 6, 3, 4, 5);
    p.add(1, 1, ONE);
    reciprocal(p, 3, 4, 1, 5, 6);
    p.mul(3, 3, 4);
    p.set(2, -2.0);
    p.mad(0, 3, 2, ONE);
    // Near zero a polynomial.
    p.abs(6, 7);
    p.set(2, -0.625);
    p.add(2, 6, 2);
    p.where_negative(2);
    p.mul(3, 6, 6);
    p.polynomial(4, 3, &TANH, 5);
    p.mul(4, 4, 3);
    p.mad(0, 4, 6, 6);
    p.everywhere();
    p.mov(2, 7);
    p.copy_sign_of(0, 0, 2);
    keep_nan(p, 0, 7, 2, 3);
}

/// `LReg[0] = erf(LReg[7])`; uses 2 to 6.
pub const fn erf(p: &mut Program) {
    // 1 - e^-(x + x q(x))
    p.abs(6, 7);
    p.set(2, 4.0);
    p.min_max(6, 2);
    p.polynomial(2, 6, &ERFC, 3);
    p.mad(6, 2, 6, 6);
    p.neg(6, 6);
    exp_normal(p, 0, 6, 3, 4, 5);
    p.neg(0, 0);
    p.add(0, 0, ONE);
    // Near zero a polynomial.
    p.abs(6, 7);
    p.set(2, -0.921_875);
    p.add(2, 6, 2);
    p.where_negative(2);
    p.mul(3, 6, 6);
    // Not x + x p: half a unit better, but products with the smallest arguments would be flushed.
    p.polynomial(4, 3, &ERF, 5);
    p.add(4, 4, ONE);
    p.mul(0, 4, 6);
    p.everywhere();
    p.mov(2, 7);
    p.copy_sign_of(0, 0, 2);
    keep_nan(p, 0, 7, 2, 3);
}

/// `LReg[0] = trunc(|LReg[7]|)`; uses 2 and 3.
pub const fn trunc_abs(p: &mut Program) {
    const TWO_23: f32 = 8_388_608.0;
    p.abs(2, 7);
    // The nearest integer; one less where that is above.
    p.mov(0, 2);
    p.add_short(0, TWO_23);
    p.add_short(0, -TWO_23);
    p.sub(3, 2, 0, 3);
    p.where_negative(3);
    p.add_short(0, -1.0);
    p.everywhere();
    // From 2^23 on all are integers.
    p.mov(3, 2);
    p.add_short(3, -TWO_23);
    p.where_not_negative(3);
    p.mov(0, 2);
    p.everywhere();
}

/// `LReg[0] = (-1)^n sin(r)` with `LReg[7] = n pi + r`; n + `half` in 3 as a number, n in the lowest bits of 2. Uses 4 to 6.
const fn sin_reduced(p: &mut Program) {
    p.mov(0, 7);
    let mut i = 0;
    while i < PI.len() {
        p.set(4, -PI[i]);
        p.mad(0, 3, 4, 0);
        i += 1;
    }
    p.mul(3, 0, 0);
    p.polynomial(5, 3, &SIN, 4);
    p.mul(5, 5, 3);
    p.mad(0, 5, 0, 0);
    p.shift(2, 31);
    p.xor(0, 2);
}

/// `LReg[0] = sin(LReg[7])` up to [`TRIG_LIMIT`]; uses 2 to 5.
pub const fn sin(p: &mut Program) {
    let rounder = p.constant(ROUNDER, 3);
    p.set(2, core::f32::consts::FRAC_1_PI);
    p.mad(2, 7, 2, rounder);
    p.mov(3, 2);
    p.add_short(3, -ROUNDER);
    sin_reduced(p);
}

/// `LReg[0] = cos(LReg[7])` up to [`TRIG_LIMIT`]; uses 2 to 5.
pub const fn cos(p: &mut Program) {
    // sin(x + pi / 2): the number of half turns is that of x + pi / 2, and half of one less is taken off.
    p.set(2, core::f32::consts::FRAC_1_PI);
    p.set(3, 0.5);
    p.mad(2, 7, 2, 3);
    let rounder = p.constant(ROUNDER, 3);
    p.add(2, 2, rounder);
    p.mov(3, 2);
    p.add_short(3, -ROUNDER);
    p.add_short(3, -0.5);
    sin_reduced(p);
}
