//! `ROPE`, `ROPE_BACK`.

use super::super::Unsupported;
use super::super::check::{self, FLOATS};
use super::super::elementwise::{sfpu_allowed, sfpu_reaches};
use super::{SFPU_MIN_ROW, build, count_rows, operand, shape, with_third};
use tt_kernel_abi::operators::kernel;
pub use tt_kernel_abi::rows::rope::Rope;
use tt_kernel_abi::rows::rope::{MAX_ROPE, RopeParams};
use tt_kernel_abi::sfpu::rows::SEGMENT;
use tt_kernel_abi::sfpu::{ALIGN, ON_SFPU};
use tt_kernel_abi::{ElementType, OpDescriptor, TensorView};

/// The form of a table of `rope`'s rotations for so many tokens, of rows of `ne0` elements. (Its address is none.)
pub fn rotations(rope: &Rope, [ne0, tokens]: [u32; 2]) -> TensorView {
    match rope.flags & Rope::FLOATS {
        0 => TensorView::contiguous(ElementType::I32, 0, [rope.table_row(), tokens, 1, 1]),
        _ => TensorView::contiguous(ElementType::F32, 0, [ne0, tokens, 1, 1]),
    }
}

/// Whether the vector unit can rotate rows of `src` by a table, to rows of `dst`, which may be a cache.
pub fn rope_suits_sfpu(rope: &Rope, src: &TensorView, dst: &TensorView) -> bool {
    let ne0 = src.ne[0];
    let aligned = |bytes: &u64| bytes.is_multiple_of(ALIGN);
    let dst_reached = match dst.element_type() {
        Some(ElementType::F32) => aligned(&dst.addr) && dst.nb[1..].iter().all(aligned),
        Some(ElementType::F16) => dst.ne != src.ne,
        _ => false,
    };
    // Both halves of a row begin where an unpacker can begin.
    let step = if rope.distance == 1 { 4 } else { 8 };
    sfpu_allowed()
        && rope.fills_registers(ne0)
        && (SFPU_MIN_ROW..=SEGMENT).contains(&ne0)
        && ne0.is_multiple_of(step)
        && sfpu_reaches(src)
        && dst_reached
}

/// How to rotate by a table that [`rope_table`] has made: what is in there is left out.
pub fn prepared(rope: &Rope) -> Rope {
    Rope { flags: Rope::PREPARED | rope.flags & Rope::FLOATS, ext_factor: 0.0, mscale: 1.0, ..*rope }
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
    let [ne0, tokens, ..] = table.ne;
    let form = rotations(rope, [ne0, tokens]);
    operand("table", table, form.element_type().as_slice())?;
    shape("table", table.ne, form.ne)?;
    if rope.flags & Rope::FLOATS != 0 && !rope.fills_registers(ne0) {
        return Err(format!("pairs {} apart in rows of {ne0} elements", rope.distance).into());
    }
    angles(rope, positions, factors, [ne0, tokens])?;
    let parts = check::count("parts of rotations", &[tokens, rope.table_parts()])?;
    let params = RopeParams { rows: parts, rope: Rope { flags: rope.flags | Rope::TABLE, ..*rope } };
    let op = build::<kernel::Rope>(&params, parts, [&TensorView::NONE, positions, table], cores)?;
    Ok(factors.map_or(op, |factors| with_third(op, factors)))
}

/// Checks what angles come from: of so many tokens, with rows of `ne0` elements.
fn angles(
    rope: &Rope,
    positions: &TensorView,
    factors: Option<&TensorView>,
    [ne0, tokens]: [u32; 2],
) -> Result<(), Unsupported> {
    if rope.flags & Rope::PREPARED != 0 {
        let form = rotations(rope, [ne0, tokens]);
        operand("rotations", positions, form.element_type().as_slice())?;
        return shape("rotations", positions.ne, form.ne);
    }
    operand("positions", positions, &[ElementType::I32])?;
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
    angles(&rope, positions, factors, [ne0, ne2])?;
    let step = if rope.distance == 1 { 2 } else { 1 };
    let last = u64::from(rope.offset) + u64::from(rope.pairs) * step;
    let behind = if rope.distance == 1 { last } else { last + u64::from(rope.distance) };
    if ne0 > MAX_ROPE || behind > u64::from(ne0) {
        return Err(format!("{} pairs at {} in rows of {ne0} elements", rope.pairs, rope.offset).into());
    }
    let params = RopeParams { rows: count_rows(src)?, rope };
    if rope.flags & (Rope::FLOATS | Rope::PREPARED) == Rope::FLOATS | Rope::PREPARED {
        if !rope_suits_sfpu(&rope, src, dst) || !sfpu_reaches(positions) {
            return Err("rows that the vector unit cannot reach".into());
        }
        // The heads of a token have one row of the table.
        let ([ne0, tokens, ..], [nb0, nb1, ..]) = (positions.ne, positions.nb);
        let table = TensorView { ne: [ne0, 1, tokens, 1], nb: [nb0, nb1, nb1, nb1], ..*positions };
        let mut op = build::<kernel::Rope>(&params, params.rows, [src, &table, dst], cores)?;
        op.flags = ON_SFPU;
        op.cores = cores.min(params.rows);
        return Ok(op);
    }
    let op = build::<kernel::Rope>(&params, params.rows, [src, positions, dst], cores)?;
    Ok(factors.map_or(op, |factors| with_third(op, factors)))
}
