//! `RMS_NORM`, `NORM`, `L2_NORM`, `GROUP_NORM`.

use super::super::elementwise::{sfpu_allowed, sfpu_reaches};
use super::super::{Unsupported, check};
use super::{SFPU_MIN_ROW, build, count_rows, floats_alike, shape};
use tt_kernel_abi::operators::kernel;
pub use tt_kernel_abi::rows::norm::NormFunction;
use tt_kernel_abi::rows::norm::NormParams;
use tt_kernel_abi::sfpu::ON_SFPU;
use tt_kernel_abi::{ElementType, OpDescriptor, TensorView};

/// Descriptor for `RMS_NORM`, `NORM` or `L2_NORM` of the rows of `src`, on up to `cores` workers.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn norm(
    function: NormFunction,
    eps: f32,
    src: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    weighted_norm(function, eps, [src, &TensorView::NONE, dst], cores)
}

/// The same, times the rows of the second view, if it is one, which repeat.
pub(in super::super) fn weighted_norm(
    function: NormFunction,
    eps: f32,
    [src, weights, dst]: [&TensorView; 3],
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    floats_alike(src, dst)?;
    let factor = match function {
        NormFunction::L2Norm => 1.0 / eps,
        NormFunction::RmsNorm | NormFunction::Norm => 1.0 / src.ne[0] as f32,
    };
    let params = NormParams { function: function as u32, rows: count_rows(src)?, eps, factor };
    let mut descriptor = build::<kernel::Norm>(&params, params.rows, [src, weights, dst], cores)?;
    let weights_reach = weights.ne[0] == 0 || sfpu_reaches(weights);
    if sfpu_allowed()
        && src.ne[0] >= SFPU_MIN_ROW
        && [src, dst].into_iter().all(sfpu_reaches)
        && weights_reach
    {
        descriptor.flags = ON_SFPU;
        descriptor.cores = cores.min(params.rows);
    }
    Ok(descriptor)
}

/// Descriptor for `GROUP_NORM`: `groups` equal groups of channels (dimension 2) without gaps.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn group_norm(
    groups: u32,
    eps: f32,
    src: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    shape("dst", dst.ne, src.ne)?;
    let [ne0, ne1, ne2, ne3] = src.ne;
    if groups == 0 || !ne2.is_multiple_of(groups) || !check::is_contiguous(src) || !check::is_contiguous(dst)
    {
        return Err(format!("{groups} groups of {ne2} channels, or gaps between them").into());
    }
    let len = check::count("elements of a group", &[ne0, ne1, ne2 / groups])?;
    let rows = |view: &TensorView| {
        TensorView::contiguous(
            view.element_type().unwrap_or(ElementType::F32),
            view.addr,
            [len, groups, ne3, 1],
        )
    };
    norm(NormFunction::Norm, eps, &rows(src), &rows(dst), cores)
}
