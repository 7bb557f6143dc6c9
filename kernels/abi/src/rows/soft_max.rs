//! Softmax of `scale * x + slope * mask`; src1 = mask, `more[0]` = sinks, one for each head (dimension 2).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Parameters.
#[derive(Clone, Copy, PartialEq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SoftMaxParams {
    /// Rows.
    pub rows: u32,
    /// Factor of the source.
    pub scale: f32,
    /// Whether each head has a slope of its own (ALiBi); else all have 1.
    pub has_slopes: u32,
    /// Heads that [`bases`](Self::bases)' first one is for.
    pub lower_heads: u32,
    /// ALiBi bases of the lower and of the other heads.
    pub bases: [f32; 2],
    /// Whether a row that is masked as a whole becomes zeros.
    pub masked_rows_are_zero: u32,
}
