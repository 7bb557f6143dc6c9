//! Windows put back where they overlap: `COL2IM_1D`, transposed convolutions.

use super::check::FLOATS;
use super::{Unsupported, check};
use tt_kernel_abi::elementwise::{MAX_PIECE, Pieces};
use tt_kernel_abi::fold::{FoldFunction, FoldParams};
use tt_kernel_abi::launch::LANES;
use tt_kernel_abi::operators::kernel;
use tt_kernel_abi::{OpDescriptor, TensorView};

/// How windows lie in the result; arrays are in the order columns, rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Folds {
    /// Elements of a window.
    pub kernel: [u32; 2],
    /// Elements of the result from one window to the next.
    pub stride: [u32; 2],
    /// Elements that are cut off in front.
    pub pad: [u32; 2],
}

/// Descriptor for the sums of overlapping windows: `src` has columns, rows, elements of a window and channels, images follow
/// each other at `image_stride` bytes; `dst` has columns, rows, channels, images.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn fold(
    folds: Folds,
    src: &TensorView,
    image_stride: u64,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    let [across, down] = folds.kernel;
    if Some(src.ne[2]) != across.checked_mul(down) || src.ne[3] != dst.ne[2] {
        return Err(format!("windows {:?} of {:?} -> {:?}", folds.kernel, src.ne, dst.ne).into());
    }
    build(FoldFunction::Windows, folds, [src, &TensorView::NONE, dst], image_stride, cores)
}

/// Descriptor for `CONV_TRANSPOSE_1D`: `kernel` has elements of a window, output channels, channels; `src` columns and
/// channels, `dst` columns and output channels.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn conv_transpose_1d(
    stride: u32,
    kernel: &TensorView,
    src: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    let folds = Folds { kernel: [kernel.ne[0], 1], stride: [stride, 1], pad: [0, 0] };
    check::elements("src1", src, check::element_type("src1", src, FLOATS)?)?;
    let [_, outputs, channels, _] = kernel.ne;
    let fits = kernel.ne[3] == 1 && src.ne[1..] == [channels, 1, 1] && dst.ne[1..] == [outputs, 1, 1];
    if !fits || kernel.ne[0] > MAX_PIECE {
        return Err(format!("shapes {:?} x {:?} -> {:?}", kernel.ne, src.ne, dst.ne).into());
    }
    build(FoldFunction::Products, folds, [kernel, src, dst], 0, cores)
}

fn build(
    function: FoldFunction,
    Folds { kernel, stride, pad }: Folds,
    [src0, src1, dst]: [&TensorView; 3],
    image_stride: u64,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    check::cores(cores)?;
    for (what, view) in [("src0", src0), ("dst", dst)] {
        check::elements(what, view, check::element_type(what, view, FLOATS)?)?;
    }
    let [ne0, ne1, ne2, ne3] = dst.ne;
    // Indices stay far from the limits of 32 bits.
    let extents = [kernel, stride, pad, [ne0, ne1], [src0.ne[0], src0.ne[1]]];
    let far = extents.iter().flatten().any(|&n| n >= 1 << 28);
    let last = u64::from(src0.ne[0].max(src1.ne[0])) * u64::from(stride[0]);
    if far || last >= 1 << 30 || stride.contains(&0) {
        return Err(format!("strides {stride:?} of {:?} -> {:?}", src0.ne, dst.ne).into());
    }
    let rows = check::count("rows", &[ne1, ne2, ne3])?;
    let pieces = Pieces::cut(function as u32, ne0, rows, cores * LANES)
        .ok_or_else(|| Unsupported(format!("too many elements: {:?}", dst.ne).into()))?;
    let params = FoldParams { pieces, kernel, stride, pad, image_stride };
    let op = OpDescriptor::of::<kernel::Fold>(&params, cores.min(pieces.count.div_ceil(LANES)));
    Ok(OpDescriptor { src0: *src0, src1: *src1, dst: *dst, ..op })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_kernel_abi::ElementType;

    #[test]
    fn what_the_kernel_cannot_do_has_a_reason() {
        let view = |ne| TensorView::contiguous(ElementType::F32, 0x100_0000, ne);
        let reason = |stride, kernel, src, dst| {
            conv_transpose_1d(stride, &view(kernel), &view(src), &view(dst), 8).unwrap_err().0
        };
        assert!(reason(1, [3, 2, 4, 1], [5, 3, 1, 1], [7, 2, 1, 1]).contains("shapes"));
        assert!(reason(0, [3, 2, 4, 1], [5, 4, 1, 1], [7, 2, 1, 1]).contains("strides"));
        let folds = Folds { kernel: [3, 1], stride: [1, 1], pad: [0, 0] };
        let why = fold(folds, &view([5, 1, 2, 4]), 0, &view([7, 1, 4, 1]), 8).unwrap_err();
        assert!(why.0.contains("windows"));
    }
}
