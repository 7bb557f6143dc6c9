//! Rows of src0 to a number each, to one for all of them, or to their running sums.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::numbered::numbered;

numbered! {
    /// What becomes of a row.
    ReduceFunction {
        /// `scale * sum(x)`, one element.
        Sum,
        /// One element for the whole tensor: the sum of all rows.
        SumAll,
        /// Sums up to each element.
        CumSum,
        /// Index of the largest element, I32; the last one of equals.
        ArgMax,
        /// Elements of src0 that are equal to src1's, I32, counted for the whole tensor; one I64.
        CountEqual,
    }
}

/// Parameters.
#[derive(Clone, Copy, PartialEq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ReduceParams {
    /// A [`ReduceFunction`] as a number.
    pub function: u32,
    /// Rows.
    pub rows: u32,
    /// Factor of [`ReduceFunction::Sum`].
    pub scale: f32,
}
