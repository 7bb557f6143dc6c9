//! Gradients of functions of rows, and the terms of the loss.

use super::super::elementwise::sfpu_reaches;
use super::super::{Unsupported, check};
use super::{F32, count_rows, operand, shape, with_third};
use tt_kernel_abi::operators::kernel;
use tt_kernel_abi::rows::gradient::{GradientFunction, GradientParams};
use tt_kernel_abi::{OpDescriptor, TensorView};

/// A function of rows of `a` and `b` on the vector unit, the only place where there is one.
fn gradient(
    function: GradientFunction,
    [scale, factor]: [f32; 2],
    [a, b, dst]: [&TensorView; 3],
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    check::cores(cores)?;
    for (what, view) in [("src0", a), ("src1", b), ("dst", dst)] {
        operand(what, view, F32)?;
        if !sfpu_reaches(view) {
            return Err(format!("{what}: rows that the vector unit does not reach").into());
        }
    }
    shape("src0", a.ne, dst.ne)?;
    shape("src1", b.ne, dst.ne)?;
    let params = GradientParams { function: function as u32, rows: count_rows(dst)?, scale, factor };
    let op = OpDescriptor::of::<kernel::RowGradient>(&params, cores.min(params.rows));
    Ok(OpDescriptor { src0: *a, src1: *b, dst: *dst, ..op })
}

/// Descriptor for `SOFT_MAX_BACK`: `scale * y * (dy - sum(y * dy))` of every row, on up to `cores` workers. F32 that the vector unit
/// [reaches](crate::ops::training::reaches).
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn soft_max_back(
    scale: f32,
    dy: &TensorView,
    y: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    gradient(GradientFunction::SoftMaxBack, [scale, 0.0], [dy, y, dst], cores)
}

/// Descriptor for `RMS_NORM_BACK`: `(dz - x * mean(x * dz) / m) / sqrt(m)` with `m = mean(x^2) + eps` of every row, on up to `cores`
/// workers. F32 that the vector unit [reaches](crate::ops::training::reaches).
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn rms_norm_back(
    eps: f32,
    dz: &TensorView,
    x: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    let one_over_n = 1.0 / dst.ne[0] as f32;
    gradient(GradientFunction::RmsNormBack, [eps, one_over_n], [dz, x, dst], cores)
}

/// Descriptor for `label * ln(softmax(x))`, the terms of a cross-entropy, on up to `cores` workers. F32 that the vector unit [reaches](crate::ops::training::reaches).
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn cross_entropy(
    logits: &TensorView,
    labels: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    gradient(GradientFunction::CrossEntropy, [1.0, 0.0], [logits, labels, dst], cores)
}

/// Descriptor for `CROSS_ENTROPY_LOSS_BACK`: `(softmax(x) - label) * grad / rows` with one `grad` for all, on up to `cores` workers. F32
/// that the vector unit [reaches](crate::ops::training::reaches).
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn cross_entropy_back(
    grad: &TensorView,
    logits: &TensorView,
    labels: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    let one_over_rows = 1.0 / count_rows(dst)?.max(1) as f32;
    let views = [logits, labels, dst];
    let op = gradient(GradientFunction::CrossEntropyBack, [1.0, one_over_rows], views, cores)?;
    operand("factor", grad, F32)?;
    shape("factor", grad.ne, [1; 4])?;
    // Every row has the same one.
    Ok(with_third(op, &TensorView { nb: [0; 4], ..*grad }))
}
