//! `ROPE`, `ROPE_BACK`.

use super::super::Unsupported;
use super::super::check::{self, FLOATS};
use super::with_third;
use super::{build, count_rows, operand, shape};
use tt_kernel_abi::operators::kernel;
pub use tt_kernel_abi::rows::rope::Rope;
use tt_kernel_abi::rows::rope::{MAX_ROPE, RopeParams};
use tt_kernel_abi::{ElementType, OpDescriptor, TensorView};

/// The form of a table of `rope`'s rotations for so many tokens. (Its address is none.)
pub fn rotations(rope: &Rope, tokens: u32) -> TensorView {
    TensorView::contiguous(ElementType::I32, 0, [rope.table_row(), tokens, 1, 1])
}

/// How to rotate by a table that [`rope_table`] has made: what is in there is left out.
pub fn prepared(rope: &Rope) -> Rope {
    Rope { flags: Rope::PREPARED, ext_factor: 0.0, mscale: 1.0, ..*rope }
}

/// Descriptor that makes a table of rotations, [`rotations`] is its form: by I32 `positions`, with F32 frequency `factors` if there are any.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn rope_table(
    rope: &Rope,
    positions: &TensorView,
    factors: Option<&TensorView>,
    table: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    operand("table", table, &[ElementType::I32])?;
    let tokens = table.ne[1];
    shape("table", table.ne, rotations(rope, tokens).ne)?;
    angles(rope, positions, factors, tokens)?;
    let parts = check::count("parts of rotations", &[tokens, rope.table_parts()])?;
    let params = RopeParams { rows: parts, rope: Rope { flags: rope.flags | Rope::TABLE, ..*rope } };
    let op = build::<kernel::Rope>(&params, parts, [&TensorView::NONE, positions, table], cores)?;
    Ok(factors.map_or(op, |factors| with_third(op, factors)))
}

/// Checks what angles come from: of so many tokens.
fn angles(
    rope: &Rope,
    positions: &TensorView,
    factors: Option<&TensorView>,
    tokens: u32,
) -> Result<(), Unsupported> {
    operand("positions", positions, &[ElementType::I32])?;
    if rope.flags & Rope::PREPARED != 0 {
        return shape("rotations", positions.ne, rotations(rope, tokens).ne);
    }
    let ids = if rope.flags & Rope::MULTI != 0 { 4 } else { 1 };
    if u64::from(positions.ne[0]) < u64::from(tokens) * ids {
        return Err(format!("{} positions for {tokens} tokens", positions.ne[0]).into());
    }
    if rope.pairs == 0 || 2 * u64::from(rope.pairs) > u64::from(MAX_ROPE) {
        return Err(format!("{} pairs", rope.pairs).into());
    }
    if rope.flags & Rope::MULTI != 0 && rope.sections.iter().sum::<u32>() == 0 {
        return Err("no sections".into());
    }
    let Some(factors) = factors else { return Ok(()) };
    operand("factors", factors, &[ElementType::F32])?;
    match factors.ne[0] < rope.pairs {
        true => Err(format!("{} frequency factors for {} pairs", factors.ne[0], rope.pairs).into()),
        false => Ok(()),
    }
}

/// Descriptor for `ROPE` by I32 `positions`, with F32 frequency `factors` if there are any; or by a table of rotations in place of positions, if
/// `rope` is [`prepared`].
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
    shape("dst", dst.ne, src.ne)?;
    let [ne0, _, ne2, _] = src.ne;
    angles(&rope, positions, factors, ne2)?;
    let step = if rope.distance == 1 { 2 } else { 1 };
    let last = u64::from(rope.offset) + u64::from(rope.pairs) * step;
    let behind = if rope.distance == 1 { last } else { last + u64::from(rope.distance) };
    if ne0 > MAX_ROPE || behind > u64::from(ne0) {
        return Err(format!("{} pairs at {} in rows of {ne0} elements", rope.pairs, rope.offset).into());
    }
    let params = RopeParams { rows: count_rows(src)?, rope };
    let op = build::<kernel::Rope>(&params, params.rows, [src, positions, dst], cores)?;
    Ok(factors.map_or(op, |factors| with_third(op, factors)))
}
