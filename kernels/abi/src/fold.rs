//! Windows put back onto a signal or image, sums where they overlap: the second half of a transposed convolution.
//!
//! Element `i` of the source goes to `i * stride + k - pad` for each element `k` of the window, in each dimension. The
//! result's rows are cut into [`Pieces`].

use crate::descriptor::PARAM_WORDS;
use crate::elementwise::Pieces;

/// What is put back.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u32)]
pub enum FoldFunction {
    /// Windows: src0 = (columns, rows, elements of a window, channels), dst = (columns, rows, channels, images).
    Windows = 0,
    /// Products: src0 = kernel (elements, output channels, channels), src1 = (columns, channels),
    /// dst = (columns, output channels).
    Products = 1,
}

impl FoldFunction {
    /// The function with this number.
    pub const fn from_code(code: u32) -> Option<Self> {
        Some(match code {
            0 => Self::Windows,
            1 => Self::Products,
            _ => return None,
        })
    }
}

/// Parameters. Arrays are in the order columns, rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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

impl FoldParams {
    /// As descriptor parameters.
    pub fn to_words(&self) -> [u32; PARAM_WORDS] {
        let mut words = self.pieces.to_words(&[]);
        let [[a, b], [c, d], [e, f]] = [self.kernel, self.stride, self.pad];
        words[4..10].copy_from_slice(&[a, b, c, d, e, f]);
        crate::view::put_u64(&mut words, 10, self.image_stride);
        words
    }

    /// From descriptor parameters.
    pub const fn from_words(words: &[u32; PARAM_WORDS]) -> Self {
        Self {
            pieces: Pieces::from_words(words),
            kernel: [words[4], words[5]],
            stride: [words[6], words[7]],
            pad: [words[8], words[9]],
            image_stride: words[10] as u64 | (words[11] as u64) << 32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_survive_the_descriptor() {
        let pieces = Pieces { function: 1, len: 32, per_row: 2, count: 6 };
        let params =
            FoldParams { pieces, kernel: [3, 2], stride: [4, 5], pad: [1, 0], image_stride: 0x1_0000_0002 };
        assert_eq!(FoldParams::from_words(&params.to_words()), params);
        assert_eq!(FoldFunction::from_code(1), Some(FoldFunction::Products));
        assert_eq!(FoldFunction::from_code(2), None);
    }

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
