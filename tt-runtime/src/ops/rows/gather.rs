//! `GET_ROWS`, `ADD_ID`, the second step of `GET_ROWS_BACK`, and `SET_ROWS` into types that [`crate::ops::set_rows`] has no fast kernel for.

use super::super::check::FLOATS;
use super::super::{Unsupported, check};
use super::{F32, I32, build, count_rows, floats_alike, operand, shape, with_third};
use tt_kernel_abi::operators::kernel;
use tt_kernel_abi::rows::gather::{GatherFunction, GatherParams};
use tt_kernel_abi::{ElementType, OpDescriptor, TensorView};

fn gather(
    function: GatherFunction,
    rows: u32,
    views: [&TensorView; 3],
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    let params = GatherParams { function: function as u32, rows };
    build::<kernel::Gather>(&params, rows, views, cores)
}

/// Descriptor for `GET_ROWS`: rows of `src` by I32 `indices`. An index outside is an error when the descriptor runs.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn get_rows(
    src: &TensorView,
    indices: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    match src.element_type() {
        Some(ty) if ty.quantised().is_some() => check::rows("src0", src, ty)?,
        _ => operand("src0", src, &[FLOATS, &[ElementType::I32]].concat())?,
    }
    operand("indices", indices, &[ElementType::I32])?;
    let whole = src.element_type() == Some(ElementType::I32);
    operand("dst", dst, if whole { &[ElementType::I32] } else { FLOATS })?;
    let [n0, n1, n2, n3] = indices.ne;
    shape("dst", dst.ne, [src.ne[0], n0, n1, n2])?;
    if n3 != 1 || src.ne[2] != n1 || src.ne[3] != n2 {
        return Err(format!("indices {:?} for {:?}", indices.ne, src.ne).into());
    }
    gather(GatherFunction::GetRows, count_rows(dst)?, [src, indices, dst], cores)
}

/// Descriptor for `ADD_ID`: `dst[i2][i1] = src0[i2][i1] + src1[ids[i2][i1]]`, row by row, with I32 `ids`. An index outside
/// is an error when the descriptor runs.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn add_id(
    src0: &TensorView,
    src1: &TensorView,
    ids: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    floats_alike(src0, dst)?;
    operand("src1", src1, FLOATS)?;
    operand("ids", ids, &[ElementType::I32])?;
    shape("src1", src1.ne, [src0.ne[0], src1.ne[1], 1, 1])?;
    shape("ids", ids.ne, [src0.ne[1], src0.ne[2], 1, 1])?;
    shape("src0", src0.ne, [src0.ne[0], src0.ne[1], src0.ne[2], 1])?;
    Ok(with_third(gather(GatherFunction::AddId, count_rows(dst)?, [src0, src1, dst], cores)?, ids))
}

/// Descriptor for `SET_ROWS` into BF16 or a quantised type: what [`crate::ops::set_rows`] checks, for another kernel.
pub(in crate::ops) fn set_rows(
    rows: &TensorView,
    indices: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    gather(GatherFunction::SetRows, count_rows(rows)?, [rows, indices, dst], cores)
}

/// Descriptor for adding row i of `rows` (F32, F16, BF16) to row `indices[i]` (I32) of `dst` (F32), for all i in their order, on up to
/// `cores` workers: what is left of `GET_ROWS_BACK` when `dst` has been filled with zeros. An index outside is an error when the
/// descriptor runs.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn add_rows(
    rows: &TensorView,
    indices: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    check::cores(cores)?;
    if !rows.element_type().is_some_and(|ty| FLOATS.contains(&ty)) {
        return Err("a gradient that is no float, which ggml's CPU backend does not take either".into());
    }
    operand("src0", rows, FLOATS)?;
    operand("indices", indices, I32)?;
    operand("dst", dst, F32)?;
    let count = indices.ne[0];
    shape("indices", indices.ne, [count, 1, 1, 1])?;
    shape("dst", dst.ne, [rows.ne[0], dst.ne[1], 1, 1])?;
    shape("src0", rows.ne, [dst.ne[0], rows.ne[1], 1, 1])?;
    if rows.ne[1] < count {
        return Err(format!("{count} indices for {} rows", rows.ne[1]).into());
    }
    gather(GatherFunction::AddRows, count_rows(dst)?, [rows, indices, dst], cores)
}
