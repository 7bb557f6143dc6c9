//! Weights that are not rounded a second time, on the vector unit: words as numbers, and the sums that they are factors of ([`tt_kernel_abi::exact`]).
//!
//! A register has four rows of eight columns. With several rows of activations it has four of them, and so words are taken apart while its rows are four
//! k-tiles' words, and [`spread`] then gives each of them to all rows of a register of its own. With a single row of activations a register has the products of four k-tiles
//! that their words belong to as they are, and [`fold`] adds the four rows up at the end.

use super::program::{Program, Reg};
use super::rows::without_constants;
use tt_kernel_abi::exact::Kind;

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

/// Register of words, which stay.
pub const WORD: Reg = 7;
/// Register of the first bit of a byte ([`signed_bytes`]): that of the second inner sums, which kinds with signs have not.
const BYTE_SIGN: Reg = SECOND_INNER;

/// 2^112: an F16 pattern in the place of an FP32 one is as much smaller.
const F16_UNIT: f32 = f32::from_bits((112 + 127) << 23);
/// 2^-37: a denormal F16 whose bits are thirteen places further up is so many of it.
const F16_DENORMAL: f32 = f32::from_bits((127 - 37) << 23);

/// `LReg[d]` = `bits` bits of [`WORD`] from bit `first` on, as an integer.
const fn field(p: &mut Program, d: Reg, first: u32, bits: u32) {
    p.mov(d, WORD);
    if first + bits < 32 {
        p.shift(d, (32 - bits - first) as i32);
    }
    p.shift(d, bits as i32 - 32);
}

/// [`FACTOR`] and [`SECOND_FACTOR`] = the F16s in the lower and the upper half of [`WORD`], as numbers, denormals too. Infinities become 65536 and NaN larger
/// numbers. Uses 1, 2, 4 and 6.
///
/// With the lower fifteen bits moved to their place in FP32, the pattern is that of a number 2^112 times too small, and as an integer it is 2^37 times as large as a denormal
/// F16: the number is the larger one of both. A pattern that is denormal in FP32, too, is zero to a multiplication. An F16 whose exponent is 1 is the same either way, and
/// for larger ones the integer grows more slowly.
pub const fn halves() -> Program {
    let mut p = without_constants();
    let (small, large) = ([1, 2], [4, 6]);
    p.mov(large[0], WORD);
    p.mov(large[1], WORD);
    p.shift(large[0], 17);
    p.shift(large[1], 1);
    p.shift(large[0], -4);
    // The lower half must not stay behind it.
    p.shift(large[1], -17);
    p.shift(large[1], 13);
    p.to_float(small[0], large[0]);
    p.to_float(small[1], large[1]);
    p.mul_short(small[0], F16_DENORMAL);
    p.mul_short(small[1], F16_DENORMAL);
    p.mul_short(large[0], F16_UNIT);
    p.mul_short(large[1], F16_UNIT);
    p.mov(FACTOR, WORD);
    p.shift(FACTOR, 16);
    p.mov(SECOND_FACTOR, WORD);
    p.min_max(small[0], large[0]);
    p.min_max(small[1], large[1]);
    p.take_magnitude(FACTOR, large[0]);
    p.take_magnitude(SECOND_FACTOR, large[1]);
    p.finish()
}

/// [`FACTOR`] and [`SECOND_FACTOR`] = the lowest two bytes of [`WORD`], without signs.
pub const fn bytes() -> Program {
    fields(8)
}

/// The same of the lowest two times four bits.
pub const fn nibbles() -> Program {
    fields(4)
}

const fn fields(bits: u32) -> Program {
    let mut p = without_constants();
    field(&mut p, FACTOR, 0, bits);
    field(&mut p, SECOND_FACTOR, bits, bits);
    p.to_float(FACTOR, FACTOR);
    p.to_float(SECOND_FACTOR, SECOND_FACTOR);
    p.finish()
}

/// [`FACTOR`] and [`SECOND_FACTOR`] = the lowest two bytes of [`WORD`], two's complement. Uses 2.
pub const fn signed_bytes() -> Program {
    let mut p = without_constants();
    p.load(BYTE_SIGN, 0x80);
    field(&mut p, FACTOR, 0, 8);
    field(&mut p, SECOND_FACTOR, 8, 8);
    p.xor(FACTOR, BYTE_SIGN);
    p.xor(SECOND_FACTOR, BYTE_SIGN);
    p.to_float(FACTOR, FACTOR);
    p.to_float(SECOND_FACTOR, SECOND_FACTOR);
    p.add_short(FACTOR, -128.0);
    p.add_short(SECOND_FACTOR, -128.0);
    p.finish()
}

/// [`INNER`] += [`PRODUCT`]
pub const fn add_product() -> Program {
    let mut p = without_constants();
    p.add(INNER, INNER, PRODUCT);
    p.finish()
}

/// The first row of `LReg[i]` = the sum of its four rows, for i from 0 to 3. The other rows become something. Uses 4 to 7.
pub const fn fold() -> Program {
    let mut p = without_constants();
    p.transpose_rows();
    p.add(0, 0, 1);
    p.add(2, 2, 3);
    p.add(0, 0, 2);
    p.transpose_rows();
    p.finish()
}

/// Row i of [`FACTOR`] in all rows of `LReg[i]`, for i from 0 to 3, and row i of [`SECOND_FACTOR`] in all of `LReg[4 + i]`.
pub const fn spread() -> Program {
    let mut p = without_constants();
    let mut i = 0;
    while i < 8 {
        let from = if i < 4 { FACTOR } else { SECOND_FACTOR };
        if i != from {
            p.mov(i, from);
        }
        i += 1;
    }
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

/// The first outer factor's part, behind all k-tiles': it is [`INNER`]'s.
pub const fn outer_factor() -> Program {
    let mut p = without_constants();
    p.mad(SUM, FACTOR, INNER, SUM);
    p.finish()
}

/// The second one's, [`SECOND_INNER`]'s.
pub const fn second_outer_factor() -> Program {
    let mut p = without_constants();
    p.mad(SUM, SECOND_FACTOR, SECOND_INNER, SUM);
    p.finish()
}

/// Weights of integers: registers of four elements of K and eight columns.
pub mod weights {
    use super::{Kind, Program, Reg, without_constants};
    use tt_isa::sfpu::lreg;

    /// Registers of the factors of a k-tile.
    pub const FIRST: Reg = 0;
    /// See [`FIRST`].
    pub const SECOND: Reg = 1;
    /// Registers of outer factors.
    pub const OUTER_FIRST: Reg = 2;
    /// See [`OUTER_FIRST`].
    pub const OUTER_SECOND: Reg = 3;
    /// The first of four registers of integers, which become weights.
    pub const INTEGERS: Reg = 4;

    /// Factors times outer ones: what integers are multiplied with, and what is added.
    pub const fn times_outer(kind: Kind) -> Program {
        let outers = match kind {
            Kind::SuperMin => [OUTER_FIRST, OUTER_SECOND],
            Kind::SuperTwo => [OUTER_FIRST, OUTER_FIRST],
            // Both are factors of the minimum.
            Kind::SuperFour => [OUTER_SECOND, OUTER_SECOND],
            Kind::Scale | Kind::ScaleMin | Kind::TwoScales => [lreg::ONE, lreg::ONE],
        };
        let mut p = without_constants();
        p.mul(FIRST, FIRST, outers[0]);
        p.mul(SECOND, SECOND, outers[1]);
        p.finish()
    }

    /// Registers with what registers of the first and of the second 16 elements of a k-tile are multiplied with, and with what is added.
    pub const fn faces(kind: Kind) -> [[Reg; 2]; 2] {
        match kind {
            Kind::Scale => [[FIRST, lreg::ZERO]; 2],
            Kind::ScaleMin | Kind::SuperMin => [[FIRST, SECOND]; 2],
            Kind::TwoScales | Kind::SuperTwo => [[FIRST, lreg::ZERO], [SECOND, lreg::ZERO]],
            Kind::SuperFour => [[OUTER_FIRST, FIRST], [OUTER_FIRST, SECOND]],
        }
    }
}
