//! Matrices of which the elements on one side of the diagonal are replaced, and matrices that have nothing but a diagonal.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::numbered::numbered;

numbered! {
    /// Which elements of a matrix are kept.
    TriangleFunction {
        /// Those up to `side` columns behind the diagonal.
        Causal,
        /// Those of ggml's type of triangle `side`.
        Tri,
        /// None: the row of src0 stands on the diagonal.
        Diag,
    }
}

/// Parameters.
#[derive(Clone, Copy, PartialEq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TriangleParams {
    /// A [`TriangleFunction`] as a number.
    pub function: u32,
    /// Rows.
    pub rows: u32,
    /// What the function says.
    pub side: u32,
    /// What stands in the place of the others.
    pub fill: f32,
}
