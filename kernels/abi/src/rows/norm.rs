//! Norms of rows of src0; with a src1, whose rows repeat, times its rows. On lanes or, with the flag [`crate::sfpu::ON_SFPU`], on the vector unit.

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
    /// What the vector unit multiplies with instead of a division: 1 / elements of a row, or for [`NormFunction::L2Norm`] the largest
    /// factor, 1 / eps.
    pub factor: f32,
}
