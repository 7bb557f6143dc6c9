//! `ROPE`, `ROPE_BACK`.

use super::super::Unsupported;
use super::super::check::{self, FLOATS};
use super::super::elementwise::{sfpu_allowed, sfpu_reaches};
use super::{SFPU_MIN_ROW, build, count_rows, operand, shape, with_third};
use tt_kernel_abi::operators::kernel;
pub use tt_kernel_abi::rows::rope::Rope;
use tt_kernel_abi::rows::rope::{MAX_ROPE, RopeParams};
use tt_kernel_abi::sfpu::rows::{SEGMENT, STEP};
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
    let params =
        RopeParams { rows: parts, heads: 1, rope: Rope { flags: rope.flags | Rope::TABLE, ..*rope } };
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
    if rope.flags & (Rope::FLOATS | Rope::PREPARED) == Rope::FLOATS | Rope::PREPARED {
        return on_vector_unit(rope, src, positions, dst, cores);
    }
    let params = RopeParams { rows: count_rows(src)?, heads: 1, rope };
    let op = build::<kernel::Rope>(&params, params.rows, [src, positions, dst], cores)?;
    Ok(factors.map_or(op, |factors| with_third(op, factors)))
}

/// The descriptor for the vector unit, with a table.
fn on_vector_unit(
    rope: Rope,
    src: &TensorView,
    rotations: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    if !rope_suits_sfpu(&rope, src, dst) || !sfpu_reaches(rotations) {
        return Err("rows that the vector unit cannot reach".into());
    }
    // The heads of a token have one row of the table.
    let ([ne0, tokens, ..], [nb0, nb1, ..]) = (rotations.ne, rotations.nb);
    let table = TensorView { ne: [ne0, 1, tokens, 1], nb: [nb0, nb1, nb1, nb1], ..*rotations };
    let heads = heads_at_once(&rope, [src, dst], count_rows(src)?, cores);
    let params = RopeParams { rows: count_rows(src)? / heads, heads, rope };
    let [src, dst] = [src, dst].map(|view| joined(view, heads));
    let mut op = build::<kernel::Rope>(&params, params.rows, [&src, &table, &dst], cores)?;
    op.flags = ON_SFPU;
    op.cores = cores.min(params.rows);
    Ok(op)
}

/// What a row takes besides its elements, in elements: the five cores of a tile pass it on, which takes longer than to rotate a head.
const ROW_COST: u32 = SEGMENT;

/// How many heads of a token, side by side, are best rotated as one row: a divisor of their number, so that no core has longer to work than with another.
fn heads_at_once(rope: &Rope, views: [&TensorView; 2], rows: u32, cores: u32) -> u32 {
    let [ne0, heads, ..] = views[0].ne;
    let has_whole_registers =
        ne0.is_multiple_of(STEP) && (rope.distance == 1 || rope.distance.is_multiple_of(STEP));
    if !has_whole_registers || views.iter().any(|view| view.nb[1] != u64::from(ne0) * view.nb[0]) {
        return 1;
    }
    let possible = (1..=heads.min(SEGMENT / ne0)).filter(|&count| heads.is_multiple_of(count));
    let cost = |count: u32| (rows / count).div_ceil(cores.max(1)) * (ROW_COST + count * ne0);
    possible.min_by_key(|&count| cost(count)).unwrap_or(1)
}

/// The view with so many neighbouring rows as one.
pub(in crate::ops) fn joined(view: &TensorView, rows: u32) -> TensorView {
    let ([ne0, ne1, ne2, ne3], [nb0, nb1, nb2, nb3]) = (view.ne, view.nb);
    TensorView { ne: [ne0 * rows, ne1 / rows, ne2, ne3], nb: [nb0, nb1 * u64::from(rows), nb2, nb3], ..*view }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(ne: [u32; 4], distance: u32) -> u32 {
        let rope = Rope { distance, pairs: ne[0] / 2, ..Rope::default() };
        let view = TensorView::contiguous(ElementType::F32, 0, ne);
        heads_at_once(&rope, [&view, &view], ne[1] * ne[2], 72)
    }

    #[test]
    fn many_tokens_have_their_heads_rotated_together() {
        assert_eq!(heads([64, 32, 512, 1], 1), 32);
        assert_eq!(heads([128, 32, 512, 1], 64), 16);
        // A head for each core.
        assert_eq!(heads([64, 32, 1, 1], 1), 1);
        // Halves that are no whole registers.
        assert_eq!(heads([64, 32, 512, 1], 32), 1);
        let apart = TensorView {
            nb: [4, 512, 2048, 2048],
            ..TensorView::contiguous(ElementType::F32, 0, [64, 4, 512, 1])
        };
        let rope = Rope { distance: 1, pairs: 32, ..Rope::default() };
        assert_eq!(heads_at_once(&rope, [&apart, &apart], 2048, 72), 1);
    }

    #[test]
    fn joined_rows_are_the_same_elements() {
        let view = TensorView::contiguous(ElementType::F32, 64, [64, 32, 5, 2]);
        let joined = joined(&view, 8);
        assert_eq!((joined.ne, joined.nb), ([512, 4, 5, 2], [4, 2048, 8192, 40960]));
    }
}
