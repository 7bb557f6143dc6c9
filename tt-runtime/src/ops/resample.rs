//! `UPSCALE`: images made larger or smaller.

use super::check::FLOATS;
use super::{Unsupported, check};
use tt_kernel_abi::elementwise::{MAX_PIECE, PIECE_STEP, Pieces};
use tt_kernel_abi::launch::LANES;
use tt_kernel_abi::operators::kernel;
pub use tt_kernel_abi::resample::Filter;
use tt_kernel_abi::resample::{MAX_TAPS, ResampleParams, most_taps};
use tt_kernel_abi::{OpDescriptor, TensorView};

/// Descriptor for `src` as an image of `dst`'s extents, on up to `cores` workers. With `corners` the centres of the first
/// and last elements of rows and columns fall together, else the images' edges.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn resample(
    filter: Filter,
    corners: bool,
    src: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    check::cores(cores)?;
    for (what, view) in [("src0", src), ("dst", dst)] {
        check::elements(what, view, check::element_type(what, view, FLOATS)?)?;
    }
    let mut scale: [f32; 4] = std::array::from_fn(|dim| dst.ne[dim] as f32 / src.ne[dim] as f32);
    if corners {
        for (dim, scale) in scale.iter_mut().enumerate().take(2) {
            if src.ne[dim] > 1 && dst.ne[dim] > 1 {
                *scale = (dst.ne[dim] - 1) as f32 / (src.ne[dim] - 1) as f32;
            }
        }
    }
    let taps = most_taps(filter, scale[0]);
    if src.ne[0] > MAX_PIECE || taps > MAX_TAPS / PIECE_STEP {
        return Err(format!("rows of {} elements by {taps} weights", src.ne[0]).into());
    }
    let longest = (MAX_TAPS / taps).min(MAX_PIECE) / PIECE_STEP * PIECE_STEP;
    let [ne0, ne1, ne2, ne3] = dst.ne;
    let rows = check::count("rows", &[ne1, ne2, ne3])?;
    let pieces = Pieces::cut_short(filter as u32, ne0, rows, cores * LANES, (PIECE_STEP, longest))
        .ok_or_else(|| Unsupported(format!("too many elements: {:?}", dst.ne).into()))?;
    let centre = if corners { 0.0 } else { 0.5 };
    let params = ResampleParams { pieces, scale, centre, taps };
    let op = OpDescriptor::of::<kernel::Resample>(&params, cores.min(pieces.count.div_ceil(LANES)));
    Ok(OpDescriptor { src0: *src, dst: *dst, ..op })
}
