//! `ROPE`, `ROPE_BACK`.

use super::super::Unsupported;
use super::super::check::FLOATS;
use super::with_third;
use super::{build, count_rows, operand, shape};
use tt_kernel_abi::operators::kernel;
pub use tt_kernel_abi::rows::rope::Rope;
use tt_kernel_abi::rows::rope::{MAX_ROPE, RopeParams};
use tt_kernel_abi::{ElementType, OpDescriptor, TensorView};

/// Descriptor for `ROPE` by I32 `positions`, with F32 frequency `factors` if there are any.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn rope(
    rope: Rope,
    src: &TensorView,
    positions: &TensorView,
    factors: Option<&TensorView>,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    operand("src0", src, FLOATS)?;
    operand("dst", dst, FLOATS)?;
    operand("positions", positions, &[ElementType::I32])?;
    shape("dst", dst.ne, src.ne)?;
    let [ne0, _, ne2, _] = src.ne;
    let ids = if rope.flags & Rope::MULTI != 0 { 4 } else { 1 };
    if u64::from(positions.ne[0]) < u64::from(ne2) * ids {
        return Err(format!("{} positions for {ne2} tokens", positions.ne[0]).into());
    }
    let step = if rope.distance == 1 { 2 } else { 1 };
    let last = u64::from(rope.offset) + u64::from(rope.pairs) * step;
    let behind = if rope.distance == 1 { last } else { last + u64::from(rope.distance) };
    if ne0 > MAX_ROPE || rope.pairs == 0 || behind > u64::from(ne0) {
        return Err(format!("{} pairs at {} in rows of {ne0} elements", rope.pairs, rope.offset).into());
    }
    if rope.flags & Rope::MULTI != 0 && rope.sections.iter().sum::<u32>() == 0 {
        return Err("no sections".into());
    }
    if let Some(factors) = factors {
        operand("factors", factors, &[ElementType::F32])?;
        if factors.ne[0] < rope.pairs {
            return Err(format!("{} frequency factors for {} pairs", factors.ne[0], rope.pairs).into());
        }
    }
    let params = RopeParams { rows: count_rows(src)?, rope };
    let op = build::<kernel::Rope>(&params, params.rows, [src, positions, dst], cores)?;
    Ok(factors.map_or(op, |factors| with_third(op, factors)))
}
