//! Checks that several builders share.

use super::Unsupported;
use tt_kernel_abi::{ElementType, TensorView};
use tt_kernel_quant::encode;

/// Types of elements that kernels compute with, in FP32.
pub const FLOATS: &[ElementType] = &[ElementType::F32, ElementType::F16, ElementType::BF16];

/// The view's type, if it is one of `allowed`.
pub fn element_type(
    what: &str,
    view: &TensorView,
    allowed: &[ElementType],
) -> Result<ElementType, Unsupported> {
    match view.element_type() {
        Some(ty) if allowed.contains(&ty) => Ok(ty),
        Some(ty) => Err(format!("{what} of type {ty:?}; the kernel takes {allowed:?}").into()),
        None => Err(format!("{what} of unknown type {}", view.ty).into()),
    }
}

/// The view's type, if kernels decode its elements to FP32: floats and ggml's quantised types.
pub fn decoded(what: &str, view: &TensorView) -> Result<ElementType, Unsupported> {
    match view.element_type() {
        Some(ty @ ElementType::Ggml(_)) => Ok(ty),
        Some(ty) => Err(format!("{what} of type {ty:?}, which is no float and not quantised").into()),
        None => Err(format!("{what} of unknown type {}", view.ty).into()),
    }
}

/// The view's type, if kernels encode FP32 values in it.
pub fn encoded(what: &str, view: &TensorView) -> Result<ElementType, Unsupported> {
    let ty = decoded(what, view)?;
    match ty.quantised() {
        Some(quantised) if !encode::is_known(quantised) => {
            Err(format!("{what} of type {ty:?}, for which there is no encoder").into())
        }
        _ => Ok(ty),
    }
}

/// Elements of a row lie side by side, and every address is a multiple of the element's alignment.
pub fn rows(what: &str, view: &TensorView, ty: ElementType) -> Result<(), Unsupported> {
    if view.ne.contains(&0) {
        return Err(format!("{what} is empty").into());
    }
    if view.nb[0] != u64::from(ty.block_bytes()) {
        return Err(format!("{what} has a row stride of {} bytes in dimension 0", view.nb[0]).into());
    }
    if !view.ne[0].is_multiple_of(ty.block_len()) {
        return Err(format!("{what} has rows of {} elements, not whole blocks of {ty:?}", view.ne[0]).into());
    }
    // Blocks of 34 and 18 bytes begin with a half word and are read by bytes behind it.
    let align = u64::from(ty.block_bytes() & ty.block_bytes().wrapping_neg()).min(4);
    if let Some(bad) = [view.addr].iter().chain(&view.nb).find(|&&bytes| bytes % align != 0) {
        return Err(format!("{what}: address or stride {bad:#x} is not a multiple of {align}").into());
    }
    if u64::from(view.ne[0] / ty.block_len()) * u64::from(ty.block_bytes()) > u64::from(u32::MAX / 8) {
        return Err(format!("{what} has rows of {} elements", view.ne[0]).into());
    }
    Ok(())
}

/// Elements of a type without blocks, with any strides: not empty, and every address a multiple of their alignment.
pub fn elements(what: &str, view: &TensorView, ty: ElementType) -> Result<(), Unsupported> {
    if view.ne.contains(&0) {
        return Err(format!("{what} is empty").into());
    }
    let align = u64::from(ty.block_bytes()).min(4);
    match [view.addr].iter().chain(&view.nb).find(|&&bytes| bytes % align != 0) {
        Some(bad) => Err(format!("{what}: address or stride {bad:#x} is not a multiple of {align}").into()),
        None => Ok(()),
    }
}

/// Whether elements, rows, matrices and batches follow one another without gaps. (Strides of dimensions of extent 1
/// do not matter.)
pub fn is_contiguous(view: &TensorView) -> bool {
    let Some(ty) = view.element_type() else { return false };
    let dense = TensorView::contiguous(ty, view.addr, view.ne);
    (0..4).all(|dim| view.ne[dim] == 1 || view.nb[dim] == dense.nb[dim])
}

/// Product of extents, if the kernels can count that far.
pub fn count(what: &str, extents: &[u32]) -> Result<u32, Unsupported> {
    extents
        .iter()
        .try_fold(1u32, |product, &extent| product.checked_mul(extent))
        .filter(|&product| product < 1 << 31)
        .ok_or_else(|| format!("too many {what}: {extents:?}").into())
}

/// The kernels know cores by number; a descriptor without any would never run.
pub fn cores(cores: u32) -> Result<(), Unsupported> {
    match cores {
        0 => Err("no worker cores".into()),
        _ => Ok(()),
    }
}
