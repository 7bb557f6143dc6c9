//! Convolutions and pooling.
//!
//! A convolution is two steps: the windows of the images as rows in scratch memory, in bands if they are many, and their
//! product with the kernel. In the product the windows stand where `MUL_MAT` has its weights, so that the result comes
//! out in ggml's order: columns first, channels above them.

use tt_runtime::ops::elementwise::{Binary, Unary};
use tt_runtime::ops::fold::Folds;
use tt_runtime::ops::resample::Filter;
use tt_runtime::ops::windows::{Images, Reduction, Windows};
use tt_runtime::ops::{self, Unsupported};
use tt_runtime::{ElementType, OpDescriptor, TensorView};

use super::matrix::transposed;
use super::{Node, Steps};

/// `GGML_SCALE_FLAG_*`
mod scale {
    pub const ALIGN_CORNERS: i32 = 1 << 8;
    pub const ANTIALIAS: i32 = 1 << 9;
}

/// Scratch memory for windows: a band has as many rows of them as fit.
const BAND_BYTES: u64 = 64 << 20;

/// The planes of `view` (columns, rows) as channels of images of one slice.
fn flat(view: &TensorView) -> Images {
    let ([ne0, ne1, ne2, ne3], [nb0, nb1, nb2, nb3]) = (view.ne, view.nb);
    let view = TensorView { ne: [ne0, ne1, 1, ne2], nb: [nb0, nb1, 0, nb2], ..*view };
    Images { view, count: ne3, stride: nb3 }
}

/// The rows of `view` as channels of images of one row.
fn lines(view: &TensorView) -> Images {
    let ([ne0, ne1, ne2, _], [nb0, nb1, nb2, _]) = (view.ne, view.nb);
    let view = TensorView { ne: [ne0, 1, 1, ne1], nb: [nb0, 0, 0, nb1], ..*view };
    Images { view, count: ne2, stride: nb2 }
}

/// Volumes (columns, rows, slices) with `channels` of them to an image.
fn volumes(view: &TensorView, channels: u32) -> Result<Images, Unsupported> {
    if channels == 0 || !view.ne[3].is_multiple_of(channels) {
        return Err(format!("{} volumes are not images of {channels} channels", view.ne[3]).into());
    }
    let [ne0, ne1, ne2, ne3] = view.ne;
    let stride = u64::from(channels) * view.nb[3];
    Ok(Images { view: TensorView { ne: [ne0, ne1, ne2, channels], ..*view }, count: ne3 / channels, stride })
}

/// Dimensions 2 and 3 as one, if there is no gap between them.
fn joined(view: &TensorView) -> Result<TensorView, Unsupported> {
    let [ne0, ne1, ne2, ne3] = view.ne;
    match ne3 == 1 || view.nb[3] == u64::from(ne2) * view.nb[2] {
        true => Ok(TensorView { ne: [ne0, ne1, ne2 * ne3, 1], ..*view }),
        false => Err(format!("gaps between the matrices of {:?}", view.ne).into()),
    }
}

/// The first `dims` dimensions as one, if there are no gaps between their elements.
fn merged(view: &TensorView, dims: usize) -> Option<u32> {
    let mut stride = u64::from(view.element_type()?.block_bytes());
    for dim in 0..dims {
        if view.ne[dim] != 1 && view.nb[dim] != stride {
            return None;
        }
        stride *= u64::from(view.ne[dim]);
    }
    view.ne[..dims].iter().try_fold(1u32, |product, &ne| product.checked_mul(ne))
}

/// The result of a convolution: all windows of an image, output channels, images.
struct Product {
    view: TensorView,
    out: [u32; 3],
}

impl Node<'_> {
    /// Words `first` and on of `op_params`, one for each of two or three dimensions.
    fn triple(&self, first: usize, dims: usize, other: u32) -> Result<[u32; 3], Unsupported> {
        let mut triple = [other; 3];
        for (dim, value) in triple.iter_mut().enumerate().take(dims) {
            *value = self.u32(first + dim)?;
        }
        Ok(triple)
    }

    /// Windows over `dims` dimensions whose parameters are strides, paddings, dilations.
    fn windows(&self, kernel: &TensorView, dims: usize, words: usize) -> Result<Windows, Unsupported> {
        let mut extents = [1; 3];
        extents[..dims].copy_from_slice(&kernel.ne[..dims]);
        Ok(Windows {
            kernel: extents,
            stride: self.triple(0, dims, 1)?,
            pad: self.triple(words, dims, 0)?.map(|pad| pad as i32),
            dilation: self.triple(2 * words, dims, 1)?,
        })
    }

    /// The kernel is there for its shape.
    pub(super) fn im2col(&mut self) -> Steps {
        let (kernel, image, dst) = (self.src(0)?, self.src(1)?, self.dst()?);
        let (images, dims, dst) = match self.i32(6) {
            1 => (flat(&image), 2, dst),
            _ => {
                let ([ne0, ne1, ne2, _], [nb0, nb1, nb2, nb3]) = (dst.ne, dst.nb);
                (lines(&image), 1, TensorView { ne: [ne0, ne1, 1, ne2], nb: [nb0, nb1, nb3, nb2], ..dst })
            }
        };
        let windows = self.windows(&kernel, dims, 2)?;
        Ok(vec![ops::im2col(windows, &images, &dst, self.cores)?])
    }

    pub(super) fn im2col_3d(&mut self) -> Steps {
        let (kernel, image, dst) = (self.src(0)?, self.src(1)?, self.dst()?);
        // Fewer volumes than channels: no image.
        if dst.ne.contains(&0) {
            return Ok(Vec::new());
        }
        let images = volumes(&image, self.u32(9)?)?;
        Ok(vec![ops::im2col(self.windows(&kernel, 3, 3)?, &images, &dst, self.cores)?])
    }

    pub(super) fn conv_2d(&mut self) -> Steps {
        let mut steps = Vec::new();
        let (kernel, image, dst) = (self.src(0)?, self.src(1)?, self.dst()?);
        let windows = self.windows(&kernel, 2, 2)?;
        let images = flat(&self.dense_columns(image, &mut steps)?);
        let ([ow, oh, oc, n], [nb0, _, nb2, nb3]) = (dst.ne, dst.nb);
        let per_image = merged(&dst, 2).ok_or("a result with gaps between its rows")?;
        let view = TensorView { ne: [per_image, oc, n, 1], nb: [nb0, nb2, nb3, nb3], ..dst };
        self.convolution(windows, images, kernel, Product { view, out: [ow, oh, 1] }, steps)
    }

    pub(super) fn conv_3d(&mut self) -> Steps {
        let mut steps = Vec::new();
        let (kernel, image, dst) = (self.src(0)?, self.src(1)?, self.dst()?);
        if kernel.ne.contains(&0) {
            // Sums of nothing.
            return Ok(vec![ops::fill(Unary::Fill, &[0.0, 0.0], &dst, self.cores)?]);
        }
        let (channels, oc) = (self.u32(9)?, self.u32(11)?);
        let windows = self.windows(&kernel, 3, 3)?;
        let images = volumes(&self.dense_columns(image, &mut steps)?, channels)?;
        let per_image = merged(&dst, 3).ok_or("a result with gaps between its slices")?;
        let [nb0, .., nb3] = dst.nb;
        let view = TensorView {
            ne: [per_image, oc, images.count, 1],
            nb: [nb0, nb3, u64::from(oc) * nb3, 0],
            ..dst
        };
        let out = [dst.ne[0], dst.ne[1], dst.ne[2]];
        self.convolution(windows, images, kernel, Product { view, out }, steps)
    }

    /// A copy with dense columns of an image that has something else between them.
    fn dense_columns(
        &mut self,
        image: TensorView,
        steps: &mut Vec<OpDescriptor>,
    ) -> Result<TensorView, Unsupported> {
        let Some(ty) = image.element_type() else { return Ok(image) };
        let size = u64::from(ty.block_bytes());
        if image.nb[0] == size {
            return Ok(image);
        }
        let copy = self.scratch(ty, image.ne)?;
        // The copying kernel turns matrices whose neighbours are in dimension 1.
        let dim = (1..4).find(|&dim| image.nb[dim] == size && image.ne[dim] > 1).unwrap_or(1);
        let turned = |mut view: TensorView| {
            view.ne.swap(1, dim);
            view.nb.swap(1, dim);
            view
        };
        steps.push(ops::copy(&turned(image), &turned(copy), self.cores)?);
        Ok(copy)
    }

    /// The kernel as a matrix: a window's elements, in F32, by output channels.
    fn factors(
        &mut self,
        kernel: TensorView,
        elements: u32,
        steps: &mut Vec<OpDescriptor>,
    ) -> Result<TensorView, Unsupported> {
        let dense = match kernel.element_type() == Some(ElementType::F32) && merged(&kernel, 4).is_some() {
            true => kernel,
            false => self.copied(kernel, ElementType::F32, steps)?,
        };
        let total: u64 = dense.ne.iter().map(|&ne| u64::from(ne)).product();
        let outputs = u32::try_from(total / u64::from(elements.max(1))).map_err(|_| "too large a kernel")?;
        Ok(TensorView::contiguous(ElementType::F32, dense.addr, [elements, outputs, 1, 1]))
    }

    /// Band by band: windows as rows, times the kernel.
    fn convolution(
        &mut self,
        windows: Windows,
        images: Images,
        kernel: TensorView,
        product: Product,
        mut steps: Vec<OpDescriptor>,
    ) -> Steps {
        let [kw, kh, kd] = windows.kernel;
        let too_many = || Unsupported("too many elements in a window".into());
        let elements = [kw, kh, kd, images.view.ne[3]]
            .iter()
            .try_fold(1u32, |product, &n| product.checked_mul(n))
            .ok_or_else(too_many)?;
        let factors = self.factors(kernel, elements, &mut steps)?;
        let Product { view: dst, out } = product;
        // Bands of slices, or of rows if there is one slice.
        let dim = if out[2] > 1 { 2 } else { 1 };
        let layer: u32 = out[..dim].iter().product();
        let layer_bytes = u64::from(layer) * u64::from(elements) * 4;
        let together = layer_bytes * u64::from(out[dim]) * u64::from(images.count) <= BAND_BYTES;
        let (per_step, layers) = match together {
            true => (images.count, out[dim]),
            false => (1, (BAND_BYTES / layer_bytes).clamp(1, out[dim].into()) as u32),
        };
        let scratch = self.scratch(ElementType::F32, [elements, layer * layers, per_step, 1])?;
        for image in (0..images.count).step_by(per_step as usize) {
            for first in (0..out[dim]).step_by(layers as usize) {
                let mut band = out;
                band[dim] = layers.min(out[dim] - first);
                let mut moved = windows;
                moved.pad[dim] -= (first * windows.stride[dim]) as i32;
                let addr = images.view.addr + u64::from(image) * images.stride;
                let images = Images { view: TensorView { addr, ..images.view }, count: per_step, ..images };
                let ne = [elements, band[0], band[1], band[2] * per_step];
                let rows = TensorView::contiguous(ElementType::F32, scratch.addr, ne);
                steps.push(ops::im2col(moved, &images, &rows, self.cores)?);
                let matrix = [elements, layer * band[dim], per_step, 1];
                let rows = TensorView::contiguous(ElementType::F32, scratch.addr, matrix);
                // One kernel for all images.
                let mut factors = factors;
                (factors.ne[2], factors.nb[2]) = (per_step, 0);
                let addr = dst.addr + u64::from(image) * dst.nb[2] + u64::from(first * layer) * dst.nb[0];
                let part = TensorView { addr, ne: [layer * band[dim], dst.ne[1], per_step, 1], ..dst };
                steps.push(ops::matmul(&rows, &factors, &part, self.cores)?);
            }
        }
        Ok(steps)
    }

    pub(super) fn conv_2d_dw(&mut self) -> Steps {
        let mut steps = Vec::new();
        let (kernel, image, dst) = (self.src(0)?, self.src(1)?, self.dst()?);
        let windows = self.windows(&kernel, 2, 2)?;
        let images = flat(&self.dense_columns(image, &mut steps)?);
        let [kw, kh, _] = windows.kernel;
        let elements = kw.checked_mul(kh).ok_or("too large a kernel")?;
        let factors = self.factors(kernel, elements, &mut steps)?;
        let sum = Reduction::WeightedSum(&factors);
        steps.push(ops::reduce_windows(sum, windows, &images, &dst, self.cores)?);
        Ok(steps)
    }

    /// Every channel's row with its own weights; the result has channels before tokens.
    pub(super) fn ssm_conv(&mut self) -> Result<OpDescriptor, Unsupported> {
        let (rows, weights, dst) = (self.src(0)?, self.src(1)?, self.dst()?);
        let ([channels, tokens, sequences, _], [nb0, nb1, nb2, nb3]) = (dst.ne, dst.nb);
        let dst = TensorView { ne: [tokens, 1, channels, sequences], nb: [nb1, nb3, nb0, nb2], ..dst };
        let kernel = [weights.ne[0], 1, 1];
        let windows = Windows { kernel, stride: [1; 3], pad: [0; 3], dilation: [1; 3] };
        let sum = Reduction::WeightedSum(&weights);
        ops::reduce_windows(sum, windows, &lines(&rows), &dst, self.cores)
    }

    /// `op_params`: function, extents, strides, paddings.
    fn pool(
        &mut self,
        dims: usize,
        images: &Images,
        dst: &TensorView,
        area: impl FnOnce([u32; 3]) -> u32,
    ) -> Result<OpDescriptor, Unsupported> {
        let windows = Windows {
            kernel: self.triple(1, dims, 1)?,
            stride: self.triple(1 + dims, dims, 1)?,
            pad: self.triple(1 + 2 * dims, dims, 0)?.map(|pad| pad as i32),
            dilation: [1; 3],
        };
        let reduction = match self.i32(0) {
            // GGML_OP_POOL_MAX, GGML_OP_POOL_AVG
            0 => Reduction::Maximum,
            1 => Reduction::Average { area: area(windows.kernel) },
            other => return Err(format!("pooling function {other}").into()),
        };
        ops::reduce_windows(reduction, windows, images, dst, self.cores)
    }

    /// Averages are over the elements inside of the row.
    pub(super) fn pool_1d(&mut self) -> Result<OpDescriptor, Unsupported> {
        let rows = |view: TensorView| {
            let view = joined(&view)?;
            let [ne0, ne1, ne2, _] = view.ne;
            let ([nb0, nb1, nb2, _], all) = (view.nb, ne1.checked_mul(ne2).ok_or("too many rows")?);
            match ne2 == 1 || nb2 == u64::from(ne1) * nb1 {
                true => Ok(TensorView { ne: [ne0, 1, all, 1], nb: [nb0, 0, nb1, 0], ..view }),
                false => Err(Unsupported(format!("gaps between the matrices of {:?}", view.ne).into())),
            }
        };
        let (src, dst) = (self.src(0)?, self.dst()?);
        self.pool(1, &flat(&rows(src)?), &rows(dst)?, |_| 0)
    }

    /// Averages are over the whole window, whatever is inside of the image.
    pub(super) fn pool_2d(&mut self) -> Result<OpDescriptor, Unsupported> {
        let (src, dst) = (self.src(0)?, self.dst()?);
        self.pool(2, &flat(&joined(&src)?), &joined(&dst)?, |[kw, kh, _]| kw.saturating_mul(kh))
    }

    /// The source has windows of all channels side by side, one row for each column of the signal.
    pub(super) fn col2im_1d(&mut self) -> Result<OpDescriptor, Unsupported> {
        let (src, dst) = (self.src(0)?, self.dst()?);
        let (stride, channels, pad) = (self.u32(0)?, self.u32(1)?, self.u32(2)?);
        if channels == 0 || !src.ne[0].is_multiple_of(channels) {
            return Err(format!("rows of {} elements for {channels} channels", src.ne[0]).into());
        }
        let (window, [nb0, nb1, ..]) = (src.ne[0] / channels, src.nb);
        let src = TensorView {
            ne: [src.ne[1], 1, window, channels],
            nb: [nb1, 0, nb0, nb0 * u64::from(window)],
            ..src
        };
        let dst = TensorView {
            ne: [dst.ne[0], 1, dst.ne[1], 1],
            nb: [dst.nb[0], dst.nb[1], dst.nb[1], dst.nb[1]],
            ..dst
        };
        let folds = Folds { kernel: [window, 1], stride: [stride, 1], pad: [pad, 0] };
        ops::fold(folds, &src, 0, &dst, self.cores)
    }

    pub(super) fn conv_transpose_1d(&mut self) -> Result<OpDescriptor, Unsupported> {
        let stride = self.u32(0)?;
        ops::conv_transpose_1d(stride, &self.src(0)?, &self.src(1)?, &self.dst()?, self.cores)
    }

    /// Image by image: what every element of the kernel makes of every pixel, a product; then all of it where it belongs.
    pub(super) fn conv_transpose_2d(&mut self) -> Steps {
        let mut steps = Vec::new();
        let (kernel, image, dst) = (self.src(0)?, self.src(1)?, self.dst()?);
        let stride = self.u32(0)?;
        let ([kw, kh, outputs, channels], [width, height, _, images]) = (kernel.ne, image.ne);
        let (Some(pixels), Some(rows)) = (merged(&image, 2), merged(&kernel, 3)) else {
            return Err("a kernel or an image with gaps".into());
        };
        let matrix = |view: &TensorView, ne0, dim: usize| TensorView {
            ne: [ne0, channels, 1, 1],
            nb: [view.nb[0], view.nb[dim], view.nb[3], view.nb[3]],
            ..*view
        };
        let factors = self.copied(transposed(&matrix(&kernel, rows, 3)), ElementType::F32, &mut steps)?;
        let turned = self.scratch(ElementType::F32, [channels, pixels, 1, 1])?;
        let parts = self.scratch(ElementType::F32, [pixels, rows, 1, 1])?;
        let folds = Folds { kernel: [kw, kh], stride: [stride; 2], pad: [0, 0] };
        for n in 0..images {
            let at = |view: &TensorView| view.addr + u64::from(n) * view.nb[3];
            let one = TensorView { addr: at(&image), ..matrix(&image, pixels, 2) };
            steps.push(ops::copy(&transposed(&one), &turned, self.cores)?);
            steps.push(ops::matmul(&turned, &factors, &parts, self.cores)?);
            let ne = [width, height, kw * kh, outputs];
            let windows = TensorView::contiguous(ElementType::F32, parts.addr, ne);
            let mut out = TensorView { addr: at(&dst), ..dst };
            out.ne[3] = 1;
            steps.push(ops::fold(folds, &windows, 0, &out, self.cores)?);
        }
        Ok(steps)
    }

    pub(super) fn upscale(&mut self) -> Steps {
        let mut steps = Vec::new();
        let (src, dst) = (self.src(0)?, self.dst()?);
        let mode = self.i32(0);
        // GGML_SCALE_MODE_NEAREST, BILINEAR, BICUBIC
        let filter = match (mode & 0xFF, mode & scale::ANTIALIAS != 0) {
            (0, _) => Filter::Nearest,
            (1, false) => Filter::Linear,
            (1, true) => Filter::Triangle,
            (2, _) => Filter::Cubic,
            (other, _) => return Err(format!("scale mode {other}").into()),
        };
        let src = self.dense_columns(src, &mut steps)?;
        let corners = mode & scale::ALIGN_CORNERS != 0;
        steps.push(ops::resample(filter, corners, &src, &dst, self.cores)?);
        Ok(steps)
    }

    /// Cosines, then sines, of each time step times falling frequencies.
    pub(super) fn timestep_embedding(&mut self) -> Steps {
        let (src, dst) = (self.src(0)?, self.dst()?);
        let (dim, longest, cores) = (self.u32(0)?, self.i32(1), self.cores);
        let (half, count) = (dim / 2, src.ne[0]);
        if half == 0 || dst.ne != [dst.ne[0], count, 1, 1] || dst.ne[0] < dim {
            return Err(format!("{count} embeddings of {dim} elements -> {:?}", dst.ne).into());
        }
        let frequencies = self.scratch(ElementType::F32, [half, 1, 1, 1])?;
        let angles = self.scratch(ElementType::F32, [half, count, 1, 1])?;
        let steps_of = TensorView { ne: [1, count, 1, 1], nb: [src.nb[0]; 4], ..src };
        let part = |first: u32, ne0: u32| TensorView {
            addr: dst.addr + u64::from(first) * dst.nb[0],
            ne: [ne0, count, 1, 1],
            ..dst
        };
        let fall = -(longest as f32).ln() / half as f32;
        let mut steps = vec![
            ops::fill(Unary::Arange, &[0.0, fall], &frequencies, cores)?,
            ops::unary(Unary::Exp, &[], &frequencies, &frequencies, cores)?,
            ops::repeat(&frequencies, &angles, cores)?,
            ops::binary(Binary::Mul, &angles, &steps_of, &angles, cores)?,
            ops::unary(Unary::Cos, &[], &angles, &part(0, half), cores)?,
            ops::unary(Unary::Sin, &[], &angles, &part(half, half), cores)?,
        ];
        if dim % 2 != 0 {
            steps.push(ops::fill(Unary::Fill, &[0.0, 0.0], &part(2 * half, 1), cores)?);
        }
        Ok(steps)
    }
}
