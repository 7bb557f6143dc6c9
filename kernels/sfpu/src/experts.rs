//! Weighted sums of experts on the vector unit ([`tt_kernel_abi::expert_sum`]): a rounding behind each product and behind each sum, as by themselves.

use super::program::{Program, Reg};
use super::rows::without_constants;

/// Sums of the even and of the odd columns.
pub const SUMS: [Reg; 2] = [0, 1];
/// An expert's columns, which are spoilt.
pub const COLUMNS: [Reg; 2] = [2, 3];
/// Its weight.
pub const WEIGHT: Reg = 4;

/// [`SUMS`] = [`COLUMNS`] * [`WEIGHT`]
pub const fn first() -> Program {
    let mut p = without_constants();
    p.mul(SUMS[0], COLUMNS[0], WEIGHT);
    p.mul(SUMS[1], COLUMNS[1], WEIGHT);
    p.finish()
}

/// [`SUMS`] += [`COLUMNS`] * [`WEIGHT`]
pub const fn next() -> Program {
    let mut p = without_constants();
    p.mul(COLUMNS[0], COLUMNS[0], WEIGHT);
    p.mul(COLUMNS[1], COLUMNS[1], WEIGHT);
    p.add(SUMS[0], SUMS[0], COLUMNS[0]);
    p.add(SUMS[1], SUMS[1], COLUMNS[1]);
    p.finish()
}

/// [`SUMS`] += [`COLUMNS`]
pub const fn addend() -> Program {
    let mut p = without_constants();
    p.add(SUMS[0], SUMS[0], COLUMNS[0]);
    p.add(SUMS[1], SUMS[1], COLUMNS[1]);
    p.finish()
}
