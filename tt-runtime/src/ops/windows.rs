//! Windows that move over images: `IM2COL`, `IM2COL_3D`, pooling, depthwise convolution.

use super::check::FLOATS;
use super::{Unsupported, check};
use tt_kernel_abi::launch::LANES;
use tt_kernel_abi::operators::kernel;
use tt_kernel_abi::windows::{MAX_ROWS, OUT_BYTES, ROW_SLACK, ROWS_BYTES, WindowFunction, WindowParams};
use tt_kernel_abi::{ElementType, OpDescriptor, TensorView};

/// Elements of windows below which a unit is not worth a core.
const SMALL: u32 = 512;

/// Windows; arrays are in the order columns, rows, slices.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Windows {
    /// Elements of a window.
    pub kernel: [u32; 3],
    /// Elements of the image from one window to the next.
    pub stride: [u32; 3],
    /// Elements in front of the image; negative: the first window begins behind the first element.
    pub pad: [i32; 3],
    /// Elements of the image from one element of a window to the next.
    pub dilation: [u32; 3],
}

/// Images of equal shape.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Images {
    /// The first one: columns, rows, slices, channels.
    pub view: TensorView,
    /// How many.
    pub count: u32,
    /// Bytes from one to the next.
    pub stride: u64,
}

/// What becomes of a window that is reduced to a number.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Reduction<'a> {
    /// The sum of its elements over `area`, or over the number of those inside the image if that is 0.
    Average {
        /// Divisor.
        area: u32,
    },
    /// The largest element inside the image.
    Maximum,
    /// The sum of products with this tensor's row of the channel, which has as many elements as a window.
    WeightedSum(&'a TensorView),
}

/// Descriptor for windows as rows: dst has the elements of a window (columns, rows, slices, channels), columns, rows, slices
/// times images. F32 or F16, on up to `cores` workers.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn im2col(
    windows: Windows,
    images: &Images,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    let types = [ElementType::F32, ElementType::F16];
    let from = check::element_type("image", &images.view, &types)?;
    let to = check::element_type("dst", dst, &types)?;
    check::rows("dst", dst, to)?;
    if from != to && from == ElementType::F16 {
        return Err("windows of F16 as F32".into());
    }
    let [kw, kh, kd] = windows.kernel;
    let element = check::count("elements of a window", &[kw, kh, kd])?;
    let all = check::count("elements of a window", &[element, images.view.ne[3]])?;
    if dst.ne[0] != all || !dst.ne[3].is_multiple_of(images.count) {
        return Err(format!("windows of {all} elements of {} images -> {:?}", images.count, dst.ne).into());
    }
    let out = [dst.ne[1], dst.ne[2], dst.ne[3] / images.count];
    let most = OUT_BYTES / to.block_bytes() / element.max(1);
    let params = params(WindowFunction::Im2Col, windows, images, out, cores, most)?;
    Ok(build(params, images, TensorView::NONE, dst, cores))
}

/// Descriptor for one number for each window: dst has columns, rows, channels, images; images have one slice.
/// F32, F16 or BF16, on up to `cores` workers.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn reduce_windows(
    reduction: Reduction,
    windows: Windows,
    images: &Images,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    check::element_type("image", &images.view, FLOATS)?;
    check::elements("dst", dst, check::element_type("dst", dst, FLOATS)?)?;
    let view = &images.view;
    if dst.ne[2..] != [view.ne[3], images.count] || view.ne[2] != 1 || windows.kernel[2] != 1 {
        return Err(format!("{} images {:?} -> {:?}", images.count, view.ne, dst.ne).into());
    }
    let area = check::count("elements of a window", &windows.kernel)?;
    let (function, area, factors) = match reduction {
        Reduction::Average { area } => (WindowFunction::Average, area, TensorView::NONE),
        Reduction::Maximum => (WindowFunction::Maximum, 0, TensorView::NONE),
        Reduction::WeightedSum(factors) => {
            check::elements("factors", factors, check::element_type("factors", factors, FLOATS)?)?;
            if factors.ne[..2] != [area, view.ne[3]] || area > tt_kernel_abi::elementwise::MAX_PIECE {
                return Err(format!("factors {:?} for windows of {area} elements", factors.ne).into());
            }
            (WindowFunction::WeightedSum, 0, *factors)
        }
    };
    let channels = check::count("planes", &[view.ne[3], images.count])?;
    let out = [dst.ne[0], dst.ne[1], 1];
    let mut params = params(function, windows, images, out, cores, 1)?;
    params.area = area;
    // Each channel of each image is work of its own.
    params.units = check::count("units of work", &[params.per_row, out[1], channels])?;
    Ok(build(params, images, factors, dst, cores))
}

/// Work for all images, with at most `most` channels at a time.
fn params(
    function: WindowFunction,
    windows: Windows,
    images: &Images,
    out: [u32; 3],
    cores: u32,
    most: u32,
) -> Result<WindowParams, Unsupported> {
    check::cores(cores)?;
    let Images { view, count, stride } = images;
    let Some(ty) = view.element_type() else { return Err("an image of unknown type".into()) };
    check::rows("image", view, ty)?;
    countable(&windows, view, out)?;
    if *count == 0 {
        return Err("no images".into());
    }
    let Windows { kernel, dilation, pad, .. } = windows;
    let mut params = WindowParams {
        function: function as u32,
        kernel,
        stride: windows.stride,
        pad,
        dilation,
        out,
        step: 1,
        per_row: 1,
        units: 1,
        chunk: 1,
        area: 0,
        reserved: 0,
        image_stride: *stride,
    };
    let rows = check::count("rows of windows", &[out[1], out[2], *count])?;
    let windows = u64::from(rows) * u64::from(out[0]);
    let fair = windows.div_ceil(u64::from(cores * LANES)).min(u64::from(out[0])) as u32;
    let element = check::count("elements of a window", &kernel)? * view.ne[3].min(most.max(1));
    let longest = tt_kernel_abi::elementwise::MAX_PIECE;
    params.step = fair.max(SMALL.div_ceil(element)).min(out[0]).min(longest);
    let layers = check::count("rows of a window", &[kernel[1], kernel[2]])?;
    let shape = params;
    let fits = |step: u32| {
        let row = shape.reach(step, view.ne[0]) * ty.block_bytes() + ROW_SLACK;
        (ROWS_BYTES / row).min(MAX_ROWS) / layers
    };
    while fits(params.step) == 0 && params.step > 1 {
        params.step /= 2;
    }
    params.chunk = fits(params.step).min(most).min(view.ne[3]);
    if params.chunk == 0 {
        return Err(format!("windows of {kernel:?} elements do not fit the cores' memory").into());
    }
    params.per_row = out[0].div_ceil(params.step);
    params.units = check::count("units of work", &[params.per_row, rows])?;
    Ok(params)
}

/// Indices stay far from the limits of 32 bits.
fn countable(windows: &Windows, view: &TensorView, out: [u32; 3]) -> Result<(), Unsupported> {
    for dim in 0..3 {
        let (kernel, stride) = (windows.kernel[dim], windows.stride[dim]);
        let (dilation, pad) = (windows.dilation[dim], windows.pad[dim]);
        let last = u64::from(out[dim]) * u64::from(stride) + u64::from(kernel) * u64::from(dilation);
        let limit = 1 << 28;
        let far = last.max(u64::from(view.ne[dim])).max(u64::from(pad.unsigned_abs())) >= limit;
        if far || kernel == 0 || stride == 0 || dilation == 0 || out[dim] == 0 {
            return Err(format!("{windows:?} over {:?} -> {out:?}", view.ne).into());
        }
    }
    Ok(())
}

fn build(
    params: WindowParams,
    images: &Images,
    src1: TensorView,
    dst: &TensorView,
    cores: u32,
) -> OpDescriptor {
    let op = OpDescriptor::of::<kernel::Windows>(&params, cores.min(params.units.div_ceil(LANES)));
    OpDescriptor { src0: images.view, src1, dst: *dst, ..op }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Windows = Windows { kernel: [3, 3, 1], stride: [1; 3], pad: [1, 1, 0], dilation: [1; 3] };

    fn images(ne: [u32; 4], count: u32) -> Images {
        let view = TensorView::contiguous(ElementType::F32, 0x100_0000, ne);
        Images { view, count, stride: view.span() }
    }

    fn f32(ne: [u32; 4]) -> TensorView {
        TensorView::contiguous(ElementType::F32, 0x200_0000, ne)
    }

    #[test]
    fn large_images_are_split_by_rows_and_channels() {
        let op = im2col(PLAIN, &images([256, 256, 1, 192], 1), &f32([1728, 256, 256, 1]), 64).unwrap();
        let params = op.params_of::<kernel::Windows>().unwrap();
        assert_eq!((params.step, params.units, op.cores), (256, 256, 64));
        assert!(params.chunk > 1 && params.chunk * 3 * (256 * 4 + ROW_SLACK) <= ROWS_BYTES);
    }

    #[test]
    fn small_images_use_few_cores() {
        let op = im2col(PLAIN, &images([6, 5, 1, 2], 1), &f32([18, 6, 5, 1]), 64).unwrap();
        assert_eq!(op.cores, 3);
    }

    #[test]
    fn what_the_kernel_cannot_do_has_a_reason() {
        let image = images([6, 5, 1, 2], 1);
        let reason = |windows, image: &Images, ne| im2col(windows, image, &f32(ne), 64).unwrap_err().0;
        assert!(reason(PLAIN, &image, [17, 6, 5, 1]).contains("windows of 18"));
        assert!(reason(Windows { stride: [0, 1, 1], ..PLAIN }, &image, [18, 6, 5, 1]).contains("stride"));
        let huge = Windows { kernel: [1, 9000, 1], ..PLAIN };
        assert!(reason(huge, &image, [18000, 6, 5, 1]).contains("do not fit"));
        let mut gaps = image;
        gaps.view.nb[0] = 8;
        assert!(reason(PLAIN, &gaps, [18, 6, 5, 1]).contains("row stride"));
        let ten = f32([10, 2, 1, 1]);
        let sum = Reduction::WeightedSum(&ten);
        let why = reduce_windows(sum, PLAIN, &image, &f32([6, 5, 2, 1]), 64).unwrap_err();
        assert!(why.0.contains("factors"));
    }
}
