//! Matrices as rows of 16 elements: softmax of each row of `src1 * x + more[0]` plus `eps`, where src1 is one element; then columns and
//! rows in turn are divided by their sums plus `eps`, columns first and last.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Parameters.
#[derive(Clone, Copy, PartialEq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct BalanceParams {
    /// Matrices.
    pub rows: u32,
    /// How often columns are divided.
    pub times: u32,
    /// What sums are made larger by.
    pub eps: f32,
}
