//! Norms on the vector unit: programs ([`tt_kernel_abi::sfpu::rows`] says how rows come to Dst).
//!
//! A row is in `LReg[0]`, its weights in `LReg[2]`. Registers that live from segment to segment:
//!
//! | register | while sums are made | then |
//! |---|---|---|
//! | 1 | sums of a segment | the factor of all elements |
//! | 5 | sums of the segments before | |
//! | 7 | minus the mean, of `NORM` | the same |
//!
//! A sum is made of the sums of segments, each of them 32 sums of 64 elements at most: the error grows with the number of segments, not
//! of elements.

use super::functions::rsqrt;
use super::program::{Program, Reg};
use super::rows::{SUM, without_constants};
use tt_isa::sfpu::lreg::{LANE_ID, ZERO};

/// Register of the sums of the segments before.
pub const TOTAL: Reg = 5;
/// Register with minus the mean.
pub const MINUS_MEAN: Reg = 7;
/// Register of [`mean`] and [`factor`] with one over the elements of a row.
pub const ONE_OVER_N: Reg = 3;
/// Register of [`factor`] with what is added to the mean square.
pub const EPS: Reg = 4;
/// Register of [`bounded`] with the largest factor.
pub const LARGEST: Reg = 2;
/// Register of [`deviations_below`] with the row's elements that are in it and behind it.
pub const REST: Reg = 2;

/// `LReg[1] += LReg[0]`
pub const fn elements() -> Program {
    let mut p = without_constants();
    p.add(SUM, SUM, 0);
    p.finish()
}

/// `LReg[1] += LReg[0]^2`
pub const fn squares() -> Program {
    let mut p = without_constants();
    p.mad(SUM, 0, 0, SUM);
    p.finish()
}

/// `LReg[1] += (LReg[0] - mean)^2`
pub const fn deviations() -> Program {
    let mut p = without_constants();
    p.add(0, 0, MINUS_MEAN);
    p.mad(SUM, 0, 0, SUM);
    p.finish()
}

/// The same of the elements whose place is before `LReg[2]`, an integer: of even columns twice the lane's number is an element's place.
pub const fn deviations_below() -> Program {
    let mut p = without_constants();
    p.add(0, 0, MINUS_MEAN);
    p.isub(REST, LANE_ID);
    p.where_not_negative(REST);
    p.mov(0, ZERO);
    p.everywhere();
    p.mad(SUM, 0, 0, SUM);
    p.finish()
}

/// A segment's sums to those of the segments before; the next one begins at zero.
pub const fn fold() -> Program {
    let mut p = without_constants();
    p.add(TOTAL, TOTAL, SUM);
    p.mov(SUM, ZERO);
    p.finish()
}

/// `LReg[1]` = the sums of all segments, for [`super::rows::sum`].
pub const fn all_segments() -> Program {
    let mut p = without_constants();
    p.mov(SUM, TOTAL);
    p.finish()
}

/// `LReg[7]` = minus the mean, of the sum in `LReg[1]`; sums begin at zero again.
pub const fn mean() -> Program {
    let mut p = without_constants();
    p.mul(0, SUM, ONE_OVER_N);
    p.neg(MINUS_MEAN, 0);
    p.mov(SUM, ZERO);
    p.mov(TOTAL, ZERO);
    p.finish()
}

/// `LReg[1] = 1 / sqrt(LReg[1] / n + eps)`; spoils all but 7.
pub const fn factor() -> Program {
    let mut p = without_constants();
    p.mad(0, SUM, ONE_OVER_N, EPS);
    inverse_root(&mut p);
    p.finish()
}

/// `LReg[1] = 1 / sqrt(LReg[1])`; spoils all but 7.
pub const fn one_over_length() -> Program {
    let mut p = without_constants();
    p.mov(0, SUM);
    inverse_root(&mut p);
    p.finish()
}

/// `LReg[1] = 1 / sqrt(LReg[0])`; spoils all but 7.
const fn inverse_root(p: &mut Program) {
    p.mov(1, 7);
    p.mov(7, 0);
    rsqrt(p);
    p.mov(7, 1);
    p.mov(SUM, 0);
}

/// `LReg[1] = min(LReg[1], LReg[2])`
pub const fn bounded() -> Program {
    let mut p = without_constants();
    p.min_max(SUM, LARGEST);
    p.finish()
}

/// `LReg[0] = LReg[0] * LReg[1]`, of deviations from the mean if `centred`, and then times `LReg[2]` if `weighted`.
pub const fn result(centred: bool, weighted: bool) -> Program {
    let mut p = without_constants();
    if centred {
        p.add(0, 0, MINUS_MEAN);
    }
    p.mul(0, 0, SUM);
    if weighted {
        p.mul(0, 0, 2);
    }
    p.finish()
}

/// Register of [`two_rows`] with what is added to the result's bits.
pub const ADDED: Reg = 3;

/// `LReg[0]` and `LReg[1]`, of two rows: times the rows' factors in `LReg[factors]` and the next one, then times `LReg[2]`, as [`result`] does it; the integer
/// `LReg[3]` is added to their bits.
pub const fn two_rows(factors: Reg) -> Program {
    let mut p = without_constants();
    p.mul(0, 0, factors);
    p.mul(1, 1, factors + 1);
    p.mul(0, 0, 2);
    p.mul(1, 1, 2);
    p.iadd(0, ADDED);
    p.iadd(1, ADDED);
    p.finish()
}
