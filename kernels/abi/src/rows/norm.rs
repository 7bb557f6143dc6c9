//! Norms of rows of src0; with a src1, whose rows repeat, times its rows.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::numbered::numbered;

numbered! {
    /// Which norm.
    NormFunction {
        /// `x / sqrt(mean(x^2) + eps)`
        RmsNorm,
        /// `(x - mean) / sqrt(variance + eps)`
        Norm,
        /// `x / max(sqrt(sum(x^2)), eps)`
        L2Norm,
    }
}

/// Parameters.
#[derive(Clone, Copy, PartialEq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct NormParams {
    /// A [`NormFunction`] as a number.
    pub function: u32,
    /// Rows.
    pub rows: u32,
    /// What keeps the divisor from zero.
    pub eps: f32,
}
