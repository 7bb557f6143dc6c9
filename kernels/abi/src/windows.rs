//! Windows that move over images: what a convolution reads, as rows (`IM2COL`) or reduced at once (pooling, depthwise
//! convolution).
//!
//! An image has columns, rows, slices and channels, `ne` of src0 in this order; images follow each other at a stride of
//! their own. Element (x, y, z) of the window at (ox, oy, oz) is the image's element `o * stride + k * dilation - pad`
//! in each dimension, or nothing if that lies outside.
//!
//! Windows of one row of the result are cut into units of [`WindowParams::step`]; each lane takes a contiguous range.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::numbered::numbered;
use crate::target::CONGRUENCE;
use crate::view::TensorView;

numbered! {
    /// What becomes of a window.
    WindowFunction {
        /// Its elements side by side, channel by channel; zeros outside. dst = (elements, ox, oy, oz and image).
        Im2Col,
        /// Their sum over [`WindowParams::area`], or over the number of those inside if that is 0; dst = (ox, oy, channel,
        /// image), as for all that follow.
        Average,
        /// The largest.
        Maximum,
        /// The sum of products with src1's row of this channel.
        WeightedSum,
    }
}

/// Bytes for a unit's rows of the image in L1.
pub const ROWS_BYTES: u32 = 256 * 1024;
/// Most rows of the image that a unit reads at a time.
pub const MAX_ROWS: u32 = 8192;
/// Bytes of one of the two buffers for windows as rows, without the alignment offset.
pub const OUT_BYTES: u32 = 64 * 1024;
/// What a row takes beside its elements, at most: the NoC wants source and destination congruent.
pub const ROW_SLACK: u32 = 2 * CONGRUENCE;

/// Windows and how they move. Arrays are in the order columns, rows, slices.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct WindowParams {
    /// A [`WindowFunction`] as a number.
    pub function: u32,
    /// Elements of a window.
    pub kernel: [u32; 3],
    /// Elements of the image from one window to the next.
    pub stride: [u32; 3],
    /// Elements in front of the image; negative if the first window begins behind its first element.
    pub pad: [i32; 3],
    /// Elements of the image from one element of a window to the next.
    pub dilation: [u32; 3],
    /// Windows in each dimension.
    pub out: [u32; 3],
    /// Windows in a unit; the last one of a row may have fewer.
    pub step: u32,
    /// Units in a row.
    pub per_row: u32,
    /// Units in all.
    pub units: u32,
    /// Channels whose windows become rows at a time.
    pub chunk: u32,
    /// What [`WindowFunction::Average`] divides by.
    pub area: u32,
    /// Zero.
    pub reserved: u32,
    /// Bytes from one image to the next.
    pub image_stride: u64,
}

impl WindowParams {
    /// Columns of the image that `windows` neighbours reach over, at most.
    pub const fn reach(&self, windows: u32, columns: u32) -> u32 {
        let reach = (windows as u64 - 1) * self.stride[0] as u64
            + (self.kernel[0] as u64 - 1) * self.dilation[0] as u64
            + 1;
        if reach < columns as u64 { reach as u32 } else { columns }
    }

    /// First column of the image that `windows` of them from number `first` on reach, and the one behind the last.
    /// Both are the same if all lie outside.
    pub const fn columns(&self, image: &TensorView, first: u32, windows: u32) -> (u32, u32) {
        let from = self.source(0, first, 0);
        let to = self.source(0, first + windows - 1, self.kernel[0] - 1) + 1;
        (within(from, image.ne[0]), within(to, image.ne[0]))
    }

    /// Index in the image of element `k` of window `o`, in dimension `dim`; outside of it if it is not in `0..ne`.
    pub const fn source(&self, dim: usize, o: u32, k: u32) -> i32 {
        (o * self.stride[dim] + k * self.dilation[dim]) as i32 - self.pad[dim]
    }

    /// Which elements of window `o` lie inside a dimension of extent `n`: the first and the one behind the last.
    pub const fn inside(&self, dim: usize, o: u32, n: u32) -> (u32, u32) {
        let base = self.source(dim, o, 0);
        let step = self.dilation[dim];
        let first = if base < 0 { base.unsigned_abs().div_ceil(step) } else { 0 };
        let rest = n as i32 - base;
        let end = if rest > 0 { (rest as u32).div_ceil(step) } else { 0 };
        let end = if end < self.kernel[dim] { end } else { self.kernel[dim] };
        (if first < end { first } else { end }, end)
    }
}

const fn within(at: i32, max: u32) -> u32 {
    if at < 0 {
        0
    } else if at as u32 > max {
        max
    } else {
        at as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params() -> WindowParams {
        WindowParams {
            function: WindowFunction::Im2Col as u32,
            kernel: [3, 2, 1],
            stride: [2, 1, 1],
            pad: [4, -1, 0],
            dilation: [3, 1, 1],
            out: [7, 5, 1],
            step: 7,
            per_row: 1,
            units: 5,
            chunk: 2,
            area: 6,
            reserved: 0,
            image_stride: 0x1_2345_6789,
        }
    }

    #[test]
    fn ranges_agree_with_single_elements() {
        for (stride, dilation, pad, kernel, n) in
            [(1, 1, 0, 3, 5), (2, 3, 4, 3, 9), (3, 2, 5, 11, 1), (5, 4, -3, 2, 9), (1, 7, 2, 4, 3)]
        {
            let params = WindowParams {
                kernel: [kernel, 1, 1],
                stride: [stride, 1, 1],
                pad: [pad, 0, 0],
                dilation: [dilation, 1, 1],
                ..params()
            };
            let image = TensorView::contiguous(crate::view::ElementType::F32, 0, [n, 1, 1, 1]);
            for o in 0..9 {
                let (first, end) = params.inside(0, o, n);
                let (from, to) = params.columns(&image, o, 2);
                for k in 0..kernel {
                    let at = params.source(0, o, k);
                    let inside = at >= 0 && (at as u32) < n;
                    assert_eq!(inside, (first..end).contains(&k), "{params:?} {o} {k}");
                    assert!(!inside || (from..to).contains(&(at as u32)));
                }
                assert!(to.saturating_sub(from) <= params.reach(2, n));
            }
        }
    }
}
