//! Indices of a row's elements in the order of the elements.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::numbered::numbered;

numbered! {
    /// How much of a row is sorted.
    SortFunction {
        /// All of it: indices in ascending order of their elements, I32.
        Row,
        /// Runs of a row: the keys of the first elements of a run, then their indices, I32. A row counted here is a run.
        Runs,
        /// Runs sorted by [`Runs`](Self::Runs) become one.
        Merge,
    }
}

/// Longest row, or run of a row, that can be sorted at once.
pub const MAX_SORT: u32 = 32 * 1024;
/// Longest row that is sorted in a launch that keeps the ring of weights ([`crate::ahead`]).
pub const MAX_KEPT_SORT: u32 = 8 * 1024;
/// Most runs that can be merged.
pub const MAX_RUNS: u32 = 64;

/// Parameters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SortParams {
    /// A [`SortFunction`] as a number.
    pub function: u32,
    /// Rows, or runs.
    pub rows: u32,
    /// Whether the order is descending.
    pub descending: u32,
    /// How many of a row are wanted, or of a run.
    pub wanted: u32,
    /// Elements of a run.
    pub run: u32,
    /// Elements of a whole row, where src0 has runs.
    pub row: u32,
}
