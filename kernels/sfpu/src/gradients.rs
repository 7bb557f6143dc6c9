//! Gradients of functions of rows, and the loss, on the vector unit: programs ([`tt_kernel_abi::sfpu::rows`] says how rows come to Dst).
//!
//! A row is in `LReg[0]`, its partner in `LReg[2]`. Registers that live from segment to segment:
//!
//! | function | 1 | 5 | 7 |
//! |---|---|---|---|
//! | `SoftMaxBack` | sums of products, then minus their sum | | |
//! | `RmsNormBack` | sums of products, then the partner's factor | sums of squares | then the factor of all |
//! | `CrossEntropy` | as in [`super::soft_max`], then minus the logarithm of the sum | maxima | minus the maximum |
//! | `CrossEntropyBack` | as in [`super::soft_max`] | maxima | minus the maximum |

use super::functions::{div, log, rsqrt};
use super::program::{Program, Reg};
use super::rows::{SUM, rotate, without_constants};
use super::soft_max::{SCALE, SLOPE};

/// Register of the sums of squares.
pub const SQUARES: Reg = 5;
/// Register of [`difference`] that holds a factor, another one than [`SCALE`].
pub const FACTOR: Reg = SLOPE;

/// `LReg[1] += LReg[0] * LReg[2]`
pub const fn products() -> Program {
    let mut p = without_constants();
    p.mad(SUM, 0, 2, SUM);
    p.finish()
}

/// The same, and `LReg[5] += LReg[2]^2`.
pub const fn products_and_squares() -> Program {
    let mut p = without_constants();
    p.mad(SUM, 0, 2, SUM);
    p.mad(SQUARES, 2, 2, SQUARES);
    p.finish()
}

/// `LReg[1] = -LReg[1]`
pub const fn negate() -> Program {
    let mut p = without_constants();
    p.neg(SUM, SUM);
    p.finish()
}

/// `LReg[0] = (LReg[0] + LReg[1]) * LReg[2] * scale`
pub const fn soft_max_back() -> Program {
    let mut p = without_constants();
    p.add(0, 0, SUM);
    p.mul(0, 0, 2);
    p.mul(0, 0, SCALE);
    p.finish()
}

/// `LReg[1]` and `LReg[5]` = the sums of all of their elements. Spoils the others.
pub const fn two_sums() -> Program {
    let mut p = without_constants();
    p.mov(0, SUM);
    p.mov(2, SUM);
    p.mov(3, SUM);
    p.mov(4, SQUARES);
    p.mov(6, SQUARES);
    p.mov(7, SQUARES);
    p.transpose_rows();
    p.add(0, 0, 1);
    p.add(2, 2, 3);
    p.add(4, 4, 5);
    p.add(6, 6, 7);
    p.add(SUM, 0, 2);
    p.add(SQUARES, 4, 6);
    let mut distance = 1;
    while distance < 8 {
        rotate(&mut p, 0, SUM, distance);
        rotate(&mut p, 4, SQUARES, distance);
        p.add(SUM, SUM, 0);
        p.add(SQUARES, SQUARES, 4);
        distance *= 2;
    }
    p.finish()
}

/// Register of [`norm_factors`] with one over the elements of a row.
pub const ONE_OVER_N: Reg = 3;
/// Register of [`norm_factors`] with what is added to the mean square.
pub const EPS: Reg = 4;

/// From the sums in 1 and 5: `LReg[7] = 1 / sqrt(m)`, `LReg[1] = -mean of products / m`, with `m = mean of squares + eps`. Spoils the others.
pub const fn norm_factors() -> Program {
    let mut p = without_constants();
    p.mad(7, SQUARES, ONE_OVER_N, EPS);
    p.mul(SUM, SUM, ONE_OVER_N);
    rsqrt(&mut p);
    p.mov(6, 0);
    p.neg(0, SUM);
    p.mov(1, 7);
    div(&mut p);
    p.mov(1, 0);
    p.mov(7, 6);
    p.finish()
}

/// `LReg[0] = (LReg[0] + LReg[2] * LReg[1]) * LReg[7]`
pub const fn rms_norm_back() -> Program {
    let mut p = without_constants();
    p.mad(0, 2, SUM, 0);
    p.mul(0, 0, 7);
    p.finish()
}

/// `LReg[1] = -ln(LReg[1])`; uses all but 7.
pub const fn minus_log() -> Program {
    let mut p = without_constants();
    p.mov(0, 7);
    p.mov(7, SUM);
    p.mov(SUM, 0);
    log(&mut p);
    p.mov(7, SUM);
    p.neg(SUM, 0);
    p.finish()
}

/// `LReg[0] = (LReg[0] + LReg[7] + LReg[1]) * LReg[2]`: exponent, minus the maximum, minus the logarithm of the sum; label.
pub const fn log_likelihood() -> Program {
    let mut p = without_constants();
    p.add(0, 0, 7);
    p.add(0, 0, SUM);
    p.mul(0, 0, 2);
    p.finish()
}

/// `LReg[0] = (LReg[0] * LReg[1] - LReg[2]) * scale * factor`: power, one over the sum; label.
pub const fn difference() -> Program {
    let mut p = without_constants();
    p.neg(2, 2);
    p.mad(0, 0, SUM, 2);
    p.mul(0, 0, SCALE);
    p.mul(0, 0, FACTOR);
    p.finish()
}
