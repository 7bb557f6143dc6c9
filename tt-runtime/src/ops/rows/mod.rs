//! Row by row: norms, reductions, weighted sums, softmax, sorting, gathering, rotary positions.
//!
//! An operator of the device a module, as in [`tt_kernel_abi::rows`] and in the firmware's `ops/rows`.

mod balance;
mod gather;
mod gradient;
mod norm;
mod reduce;
mod rope;
mod soft_max;
mod sort;
mod triangle;
mod weighted_sum;

pub use balance::balance;
pub(super) use gather::set_rows;
pub use gather::{add_id, add_rows, get_rows};
pub use gradient::{cross_entropy, cross_entropy_back, rms_norm_back, soft_max_back};
pub(super) use norm::weighted_norm;
pub use norm::{NormFunction, group_norm, norm};
pub use reduce::{argmax, count_equal, cumsum, sum, sum_rows};
pub(super) use rope::joined;
pub use rope::{Rope, prepared, rope, rope_suits_sfpu, rope_table, rotations};
pub use soft_max::{SoftMax, mask_suits_sfpu, soft_max, soft_max_suits_sfpu};
pub use sort::{LONGEST_RUN, argsort, argsort_long};
pub use triangle::{Triangle, diag, triangle};
pub use weighted_sum::{WeightedSum, weighted_sum};

use super::check::FLOATS;
use super::{Unsupported, check};
use tt_kernel_abi::launch::LANES;
use tt_kernel_abi::operators::Operator;
use tt_kernel_abi::{ElementType, OpDescriptor, TensorView};

const F32: &[ElementType] = &[ElementType::F32];
const I32: &[ElementType] = &[ElementType::I32];

/// Elements of a row from which on the vector unit is worth its start for a function of whole rows.
const SFPU_MIN_ROW: u32 = 32;

/// Checks a tensor's type and strides.
fn operand(what: &str, view: &TensorView, types: &[ElementType]) -> Result<(), Unsupported> {
    check::elements(what, view, check::element_type(what, view, types)?)
}

fn shape(what: &str, ne: [u32; 4], expected: [u32; 4]) -> Result<(), Unsupported> {
    match ne == expected {
        true => Ok(()),
        false => Err(format!("{what} has shape {ne:?} instead of {expected:?}").into()),
    }
}

/// Source and result are floats of one shape.
fn floats_alike(src: &TensorView, dst: &TensorView) -> Result<(), Unsupported> {
    operand("src0", src, FLOATS)?;
    operand("dst", dst, FLOATS)?;
    shape("dst", dst.ne, src.ne)
}

fn count_rows(view: &TensorView) -> Result<u32, Unsupported> {
    check::count("rows", &view.ne[1..])
}

/// Descriptor of an operator whose lanes share `rows` rows. The views are src0, src1 and dst.
fn build<O: Operator>(
    params: &O::Params,
    rows: u32,
    [src0, src1, dst]: [&TensorView; 3],
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    check::cores(cores)?;
    let op = OpDescriptor::of::<O>(params, cores.min(rows.div_ceil(LANES)));
    Ok(OpDescriptor { src0: *src0, src1: *src1, dst: *dst, ..op })
}

/// The same descriptor with a third operand.
fn with_third(mut descriptor: OpDescriptor, third: &TensorView) -> OpDescriptor {
    descriptor.more[0] = *third;
    descriptor
}
