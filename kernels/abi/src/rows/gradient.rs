//! Gradients of functions of rows, and the loss, on the vector unit.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::numbered::numbered;

numbered! {
    /// What is computed of a row of src0 and one of src1.
    GradientFunction {
        /// `scale * y * (dy - sum(y * dy))` with dy in src0 and y in src1: the gradient of a softmax.
        SoftMaxBack,
        /// `(dz - x * mean(x * dz) / m) / sqrt(m)` with `m = mean(x^2) + scale`, dz in src0 and x in src1, `factor` = 1 / elements of a
        /// row: the gradient of RMS_NORM.
        RmsNormBack,
        /// `label * ln(softmax(x))` with labels in src1; `scale` = 1.
        CrossEntropy,
        /// `(softmax(x) - label) * d * factor` with labels in src1 and d in `more[0]`; `scale` = 1, `factor` = 1 / rows.
        CrossEntropyBack,
    }
}

/// Parameters.
#[derive(Clone, Copy, PartialEq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct GradientParams {
    /// A [`GradientFunction`] as a number.
    pub function: u32,
    /// Rows.
    pub rows: u32,
    /// See the function.
    pub scale: f32,
    /// See the function.
    pub factor: f32,
}
