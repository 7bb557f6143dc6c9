//! `scale * sum_s w[s] * x[s]` of src0's rows s (elements, rows, ne2, ne3) with each row of weights src1 (as many weights, rows of the
//! result, ne2, ne3), or with weights of one if there is no src1; plus `more[0]`, which repeats in dimension 3.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Most rows that can be summed with weights.
pub const MAX_SUMMED: u32 = 1024;
/// Most elements that are in L1 at once.
pub const SUMMED_ELEMENTS: u32 = 64 * 1024;

/// Parameters. A row counted here is [`len`](Self::len) elements of all rows of an index of dimensions 2 and 3.
#[derive(Clone, Copy, PartialEq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct WeightedSumParams {
    /// Rows.
    pub rows: u32,
    /// Elements of a row counted here; the last one may have fewer.
    pub len: u32,
    /// How many of them a row has.
    pub per_row: u32,
    /// Whether negative x count as zero.
    pub only_positive: u32,
    /// Factor of every weight.
    pub scale: f32,
}
