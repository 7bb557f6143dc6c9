//! `SUM_ROWS`, `MEAN`, `SUM`, `CUMSUM`, `ARGMAX`, `COUNT_EQUAL`.

use super::super::check::FLOATS;
use super::super::{Unsupported, check};
use super::{I32, build, count_rows, floats_alike, operand, shape};
use tt_kernel_abi::operators::kernel;
use tt_kernel_abi::rows::reduce::{ReduceFunction, ReduceParams};
use tt_kernel_abi::{ElementType, OpDescriptor, TensorView};

fn reduce(
    function: ReduceFunction,
    scale: f32,
    src: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    let params = ReduceParams { function: function as u32, rows: count_rows(src)?, scale };
    build::<kernel::Reduce>(&params, params.rows, [src, &TensorView::NONE, dst], cores)
}

/// Descriptor for `scale` times the sums of rows: `SUM_ROWS`, `MEAN`.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn sum_rows(
    scale: f32,
    src: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    operand("src0", src, FLOATS)?;
    operand("dst", dst, FLOATS)?;
    shape("dst", dst.ne, [1, src.ne[1], src.ne[2], src.ne[3]])?;
    reduce(ReduceFunction::Sum, scale, src, dst, cores)
}

/// Descriptor for the sum of all elements: `SUM`. One lane does it all.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn sum(src: &TensorView, dst: &TensorView, cores: u32) -> Result<OpDescriptor, Unsupported> {
    operand("src0", src, FLOATS)?;
    operand("dst", dst, &[ElementType::F32])?;
    shape("dst", dst.ne, [1; 4])?;
    // ggml's own reads rows as if they had no gaps, so there is nothing to agree with.
    if src.nb[0] != u64::from(src.element_type().map_or(0, ElementType::block_bytes)) {
        let why = "which ggml's CPU backend sums as if they had no gaps";
        return Err(format!("elements {} bytes apart, {why}", src.nb[0]).into());
    }
    Ok(OpDescriptor { cores: 1, ..reduce(ReduceFunction::SumAll, 1.0, src, dst, cores)? })
}

/// Descriptor for `CUMSUM`: sums up to each element of a row.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn cumsum(src: &TensorView, dst: &TensorView, cores: u32) -> Result<OpDescriptor, Unsupported> {
    floats_alike(src, dst)?;
    reduce(ReduceFunction::CumSum, 1.0, src, dst, cores)
}

/// Descriptor for `ARGMAX`: index of the largest element of each row, I32.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn argmax(src: &TensorView, dst: &TensorView, cores: u32) -> Result<OpDescriptor, Unsupported> {
    operand("src0", src, FLOATS)?;
    operand("dst", dst, &[ElementType::I32])?;
    let rows = count_rows(src)?;
    shape("dst", dst.ne, [rows, 1, 1, 1])?;
    reduce(ReduceFunction::ArgMax, 1.0, src, dst, cores)
}

/// Descriptor for `COUNT_EQUAL`: how many elements of `a` and `b` (I32) are equal, as one I64. One lane does it all.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn count_equal(
    a: &TensorView,
    b: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    check::cores(cores)?;
    operand("src0", a, I32)?;
    operand("src1", b, I32)?;
    operand("dst", dst, &[ElementType::I64])?;
    shape("src1", b.ne, a.ne)?;
    shape("dst", dst.ne, [1; 4])?;
    // The kernel counts in 32 bits.
    check::count("elements", &a.ne)?;
    let op = reduce(ReduceFunction::CountEqual, 1.0, a, dst, cores)?;
    Ok(OpDescriptor { cores: 1, src1: *b, ..op })
}
