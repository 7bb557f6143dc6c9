//! Weights that are not rounded a second time, on the vector unit: words as numbers, and the sums that they are factors of ([`tt_kernel_abi::exact`]).
//!
//! A register has four rows of eight columns. Words are taken apart while its rows are four rows of words; [`spread`] then gives each of them to all rows of a
//! register of its own, since all rows of activations are multiplied with them.

use super::program::{Program, Reg};
use super::rows::without_constants;
use tt_kernel_abi::exact::Kind;

/// Register with the sign of an F16 in its first bit ([`half`]).
pub const SIGN: Reg = 1;
/// Register of the result's sum.
pub const SUM: Reg = 0;
/// Registers of what outer factors are multiplied with.
pub const INNER: Reg = 1;
/// See [`INNER`].
pub const SECOND_INNER: Reg = 2;
/// Registers of two factors.
pub const FACTOR: Reg = 3;
/// See [`FACTOR`].
pub const SECOND_FACTOR: Reg = 5;
/// Registers of what they are factors of.
pub const PRODUCT: Reg = 4;
/// See [`PRODUCT`].
pub const SECOND_PRODUCT: Reg = 6;

/// 2^112: an F16 pattern in the place of an FP32 one is as much smaller.
const F16_UNIT: f32 = f32::from_bits((112 + 127) << 23);
/// 2^-24: an F16 whose exponent is zero is so many of it.
const F16_LEAST: f32 = f32::from_bits((127 - 24) << 23);

/// `LReg[0]` = `LReg[0]`, an unsigned integer of at most 24 bits, as a number.
pub const fn unsigned() -> Program {
    let mut p = without_constants();
    p.to_float(0, 0);
    p.finish()
}

/// `LReg[0]` = the low eight bits of `LReg[0]`, all that it has, a two's complement integer, as a number. Uses 1.
pub const fn signed() -> Program {
    let mut p = without_constants();
    p.load(1, 0x80);
    p.xor(0, 1);
    p.to_float(0, 0);
    p.add_short(0, -128.0);
    p.finish()
}

/// `LReg[0]` = the F16 whose lower fifteen bits are `LReg[0]` and whose sign is `LReg[1]`'s, as a number, denormals too. Infinities become 65536 and NaN larger
/// numbers. Uses 2 and 3.
pub const fn half() -> Program {
    let mut p = without_constants();
    p.mov(2, 0);
    p.shift(2, 13);
    p.mul_short(2, F16_UNIT);
    p.mov(3, 0);
    p.iadd_short(3, -(1 << 10));
    p.where_negative(3);
    p.to_float(2, 0);
    p.mul_short(2, F16_LEAST);
    p.everywhere();
    p.copy_sign_of(0, 2, SIGN);
    p.finish()
}

/// Row i of `LReg[0]` in all rows of `LReg[i]`, for i from 0 to 3.
pub const fn spread() -> Program {
    let mut p = without_constants();
    p.mov(1, 0);
    p.mov(2, 0);
    p.mov(3, 0);
    p.transpose_rows();
    p.finish()
}

/// A k-tile's part of a sum.
pub const fn tile(kind: Kind) -> Program {
    let mut p = without_constants();
    match kind {
        Kind::Scale => p.mad(SUM, FACTOR, PRODUCT, SUM),
        Kind::ScaleMin | Kind::TwoScales => {
            p.mad(SUM, FACTOR, PRODUCT, SUM);
            p.mad(SUM, SECOND_FACTOR, SECOND_PRODUCT, SUM);
        }
        Kind::SuperMin => {
            p.mad(INNER, FACTOR, PRODUCT, INNER);
            p.mad(SECOND_INNER, SECOND_FACTOR, SECOND_PRODUCT, SECOND_INNER);
        }
        Kind::SuperTwo => {
            p.mad(INNER, FACTOR, PRODUCT, INNER);
            p.mad(INNER, SECOND_FACTOR, SECOND_PRODUCT, INNER);
        }
        Kind::SuperFour => {
            p.mad(SECOND_INNER, FACTOR, PRODUCT, SECOND_INNER);
            p.mad(SECOND_INNER, SECOND_FACTOR, SECOND_PRODUCT, SECOND_INNER);
        }
    }
    p.finish()
}

/// The outer factors' part, behind all k-tiles' ([`Kind::outer`]): the first one is of [`INNER`], the second of [`SECOND_INNER`].
pub const fn outer(kind: Kind) -> Program {
    let mut p = without_constants();
    if kind.outer() > 0 {
        p.mad(SUM, FACTOR, INNER, SUM);
    }
    if kind.outer() > 1 {
        p.mad(SUM, SECOND_FACTOR, SECOND_INNER, SUM);
    }
    p.finish()
}
