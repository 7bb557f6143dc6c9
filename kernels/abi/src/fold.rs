//! Windows put back onto a signal or image, sums where they overlap: the second half of a transposed convolution.
//!
//! Element `i` of the source goes to `i * stride + k - pad` for each element `k` of the window, in each dimension. The
//! result's rows are cut into [`Pieces`].

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::elementwise::Pieces;
use crate::numbered::numbered;

numbered! {
    /// What is put back.
    FoldFunction {
        /// Windows: src0 = (columns, rows, elements of a window, channels), dst = (columns, rows, channels, images).
        Windows,
        /// Products: src0 = kernel (elements, output channels, channels), src1 = (columns, channels),
        /// dst = (columns, output channels).
        Products,
    }
}

/// Parameters. Arrays are in the order columns, rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FoldParams {
    /// The work; its function is a [`FoldFunction`].
    pub pieces: Pieces,
    /// Elements of a window.
    pub kernel: [u32; 2],
    /// Elements of the result from one window to the next.
    pub stride: [u32; 2],
    /// Elements that are cut off in front.
    pub pad: [u32; 2],
    /// Bytes of src0 from one image to the next.
    pub image_stride: u64,
}

/// Numbers from 0 up to `n`, and those of them that are at least `low` over `step` and less than `high` over it.
pub const fn between(low: i32, high: i32, step: u32, n: u32) -> (u32, u32) {
    let first = if low > 0 { (low as u32).div_ceil(step) } else { 0 };
    let end = if high > 0 { (high as u32).div_ceil(step) } else { 0 };
    let end = if end < n { end } else { n };
    (if first < end { first } else { end }, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_agree_with_single_numbers() {
        for low in -5..9 {
            for high in low..12 {
                for step in 1..4 {
                    let (first, end) = between(low, high, step, 3);
                    for i in 0..3 {
                        let at = (i * step) as i32;
                        assert_eq!(
                            (first..end).contains(&i),
                            low <= at && at < high,
                            "{low} {high} {step} {i}"
                        );
                    }
                }
            }
        }
    }
}
