//! `ARGSORT`, `TOP_K`.

use super::super::check::FLOATS;
use super::super::{Unsupported, check};
use super::{build, count_rows, operand, shape};
use tt_kernel_abi::operators::kernel;
use tt_kernel_abi::rows::sort::{MAX_RUNS, MAX_SORT, SortFunction, SortParams};
use tt_kernel_abi::{ElementType, OpDescriptor, TensorView};

/// Descriptor for `ARGSORT` and `TOP_K`: indices of a row's elements in order, the first `dst.ne[0]` of them, I32.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn argsort(
    descending: bool,
    src: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    operand("src0", src, FLOATS)?;
    operand("dst", dst, &[ElementType::I32])?;
    let [ne0, ne1, ne2, ne3] = src.ne;
    if ne0 > MAX_SORT || dst.ne[0] > ne0 {
        return Err(format!(
            "the first {} of {ne0} elements; rows of up to {MAX_SORT} can be sorted",
            dst.ne[0]
        )
        .into());
    }
    shape("dst", dst.ne, [dst.ne[0], ne1, ne2, ne3])?;
    let params = SortParams {
        function: SortFunction::Row as u32,
        rows: count_rows(src)?,
        descending: descending.into(),
        wanted: dst.ne[0],
        run: ne0,
        row: ne0,
    };
    build::<kernel::Sort>(&params, params.rows, [src, &TensorView::NONE, dst], cores)
}

/// Longest row that [`argsort`] sorts at once, and longest run.
pub const LONGEST_RUN: u32 = MAX_SORT;

/// Descriptors for `ARGSORT` and `TOP_K` of rows of any length: rows of more than `longest` elements (at most
/// [`LONGEST_RUN`]) are sorted in runs, which are then merged. `scratch` makes room for an I32 tensor of the shape that it is
/// given.
///
/// # Errors
///
/// The reason why the kernels cannot do it.
pub fn argsort_long(
    descending: bool,
    longest: u32,
    src: &TensorView,
    dst: &TensorView,
    cores: u32,
    scratch: impl FnOnce([u32; 4]) -> Result<TensorView, Unsupported>,
) -> Result<Vec<OpDescriptor>, Unsupported> {
    let ([ne0, ne1, ne2, ne3], wanted) = (src.ne, dst.ne[0]);
    let longest = longest.clamp(1, LONGEST_RUN);
    if ne0 <= longest {
        return Ok(vec![argsort(descending, src, dst, cores)?]);
    }
    operand("src0", src, FLOATS)?;
    operand("dst", dst, &[ElementType::I32])?;
    let runs = ne0.div_ceil(longest);
    if runs > MAX_RUNS || wanted > ne0 {
        let most = MAX_RUNS * longest;
        return Err(
            format!("the first {wanted} of {ne0} elements; rows of up to {most} can be sorted").into()
        );
    }
    shape("dst", dst.ne, [wanted, ne1, ne2, ne3])?;
    let rows = count_rows(src)?;
    let kept = wanted.min(longest);
    let units = check::count("runs", &[runs, rows])?;
    let pairs = scratch([2 * kept, runs, rows, 1])?;
    let sort = SortParams {
        function: SortFunction::Runs as u32,
        rows: units,
        descending: descending.into(),
        wanted: kept,
        run: longest,
        row: ne0,
    };
    let merge = SortParams { function: SortFunction::Merge as u32, rows, wanted, ..sort };
    Ok(vec![
        build::<kernel::Sort>(&sort, units, [src, &TensorView::NONE, &pairs], cores)?,
        build::<kernel::Sort>(&merge, rows, [&pairs, &TensorView::NONE, dst], cores)?,
    ])
}
