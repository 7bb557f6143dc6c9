//! Weighted sums of rows: `DSV4_HC_PRE`, `DSV4_HC_POST`, `LIGHTNING_INDEXER`.

use super::super::check::FLOATS;
use super::super::{Unsupported, check};
use super::{build, operand, shape, with_third};
use tt_kernel_abi::elementwise::{MAX_PIECE, PIECE_STEP};
use tt_kernel_abi::launch::LANES;
use tt_kernel_abi::operators::kernel;
use tt_kernel_abi::rows::weighted_sum::{MAX_SUMMED, SUMMED_ELEMENTS, WeightedSumParams};
use tt_kernel_abi::{ElementType, OpDescriptor, TensorView};

/// Rows that are summed ([`weighted_sum`]), F32.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct WeightedSum<'a> {
    /// Factor of every weight.
    pub scale: f32,
    /// Elements below zero count as zero.
    pub only_positive: bool,
    /// Elements, rows that are summed, then dimensions 2 and 3 of the result.
    pub rows: &'a TensorView,
    /// As many weights as rows, rows of the result, dimensions 2 and 3; without them every weight is one.
    pub weights: Option<&'a TensorView>,
    /// Shaped like the result, but may repeat in dimension 3; F32, F16 or BF16.
    pub addend: Option<&'a TensorView>,
}

/// Elements of a unit of work below which it is not worth a lane.
const SHORT_PIECE: u32 = 64;

/// Descriptor for `dst[i, d] = addend[i, d] + sum_s scale * weights[s, d] * rows[i, s]` in dimensions 0 and 1, on up to `cores`
/// workers. No byte of `dst` is one of the rows', unless there is one row and the same strides.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn weighted_sum(what: WeightedSum, dst: &TensorView, cores: u32) -> Result<OpDescriptor, Unsupported> {
    check::cores(cores)?;
    let WeightedSum { scale, only_positive, rows, weights, addend } = what;
    operand("rows", rows, &[ElementType::F32])?;
    operand("dst", dst, &[ElementType::F32])?;
    let ([n, count, ne2, ne3], d) = (rows.ne, dst.ne[1]);
    shape("dst", dst.ne, [n, d, ne2, ne3])?;
    if count > MAX_SUMMED {
        return Err(format!("{count} rows to be summed; {MAX_SUMMED} can be").into());
    }
    if let Some(weights) = weights {
        operand("weights", weights, &[ElementType::F32])?;
        shape("weights", weights.ne, [count, d, ne2, ne3])?;
    }
    if let Some(addend) = addend {
        operand("addend", addend, FLOATS)?;
        shape("addend", [addend.ne[0], addend.ne[1], addend.ne[2], ne3], dst.ne)?;
        if !ne3.is_multiple_of(addend.ne[3]) {
            return Err(format!("addend {:?} cannot be repeated to {:?}", addend.ne, dst.ne).into());
        }
    }
    let matrices = check::count("matrices", &[ne2, ne3])?;
    let fair = n.div_ceil((cores * LANES).div_ceil(matrices));
    let longest = MAX_PIECE.min(SUMMED_ELEMENTS / count) / PIECE_STEP * PIECE_STEP;
    let len = fair.max(SHORT_PIECE).next_multiple_of(PIECE_STEP).min(longest).min(n);
    let per_row = n.div_ceil(len);
    let params = WeightedSumParams {
        rows: check::count("units of work", &[per_row, matrices])?,
        len,
        per_row,
        only_positive: only_positive.into(),
        scale,
    };
    let views = [rows, weights.unwrap_or(&TensorView::NONE), dst];
    let op = build::<kernel::WeightedSum>(&params, params.rows, views, cores)?;
    Ok(addend.map_or(op, |addend| with_third(op, addend)))
}
