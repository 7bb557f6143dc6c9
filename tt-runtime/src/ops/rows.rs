//! Row by row: norms, reductions, weighted sums, softmax, sorting, gathering, rotary positions.

use super::check::FLOATS;
use super::elementwise::{sfpu_allowed, sfpu_reaches};
use super::{Unsupported, check};
use tt_kernel_abi::elementwise::{MAX_PIECE, PIECE_STEP};
use tt_kernel_abi::launch::LANES;
use tt_kernel_abi::rows::{MAX_ROPE, MAX_RUNS, MAX_SORT, MAX_SUMMED, RowsParams, SUMMED_ELEMENTS};
pub use tt_kernel_abi::rows::{Rope, RowFunction};
use tt_kernel_abi::sfpu::ON_SFPU;
use tt_kernel_abi::{ElementType, Op, OpDescriptor, TensorView};
use tt_kernel_numerics::balance::ELEMENTS;

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

fn build(
    params: RowsParams,
    [src0, src1, dst]: [&TensorView; 3],
    third: Option<&TensorView>,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    check::cores(cores)?;
    let mut descriptor = OpDescriptor {
        op: Op::Rows as u32,
        cores: cores.min(params.rows.div_ceil(LANES)),
        src0: *src0,
        src1: *src1,
        dst: *dst,
        params: params.to_words(),
        ..OpDescriptor::NOP
    };
    if let Some(third) = third {
        descriptor.more[0] = *third;
    }
    Ok(descriptor)
}

/// Descriptor for `RMS_NORM`, `NORM` or `L2_NORM` of the rows of `src`, on up to `cores` workers.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn norm(
    function: RowFunction,
    eps: f32,
    src: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    floats_alike(src, dst)?;
    let params = RowsParams { f: [eps, 0.0, 0.0, 0.0], ..RowsParams::new(function, count_rows(src)?) };
    build(params, [src, &TensorView::NONE, dst], None, cores)
}

/// Descriptor for `GROUP_NORM`: `groups` equal groups of channels (dimension 2) without gaps.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn group_norm(
    groups: u32,
    eps: f32,
    src: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    shape("dst", dst.ne, src.ne)?;
    let [ne0, ne1, ne2, ne3] = src.ne;
    if groups == 0 || !ne2.is_multiple_of(groups) || !check::is_contiguous(src) || !check::is_contiguous(dst)
    {
        return Err(format!("{groups} groups of {ne2} channels, or gaps between them").into());
    }
    let len = check::count("elements of a group", &[ne0, ne1, ne2 / groups])?;
    let rows = |view: &TensorView| {
        TensorView::contiguous(
            view.element_type().unwrap_or(ElementType::F32),
            view.addr,
            [len, groups, ne3, 1],
        )
    };
    norm(RowFunction::Norm, eps, &rows(src), &rows(dst), cores)
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
    let params =
        RowsParams { f: [scale, 0.0, 0.0, 0.0], ..RowsParams::new(RowFunction::Sum, count_rows(src)?) };
    build(params, [src, &TensorView::NONE, dst], None, cores)
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
    let params = RowsParams::new(RowFunction::SumAll, count_rows(src)?);
    let mut descriptor = build(params, [src, &TensorView::NONE, dst], None, cores)?;
    descriptor.cores = 1;
    Ok(descriptor)
}

/// Descriptor for `CUMSUM`: sums up to each element of a row.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn cumsum(src: &TensorView, dst: &TensorView, cores: u32) -> Result<OpDescriptor, Unsupported> {
    norm(RowFunction::CumSum, 0.0, src, dst, cores)
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
    build(RowsParams::new(RowFunction::ArgMax, rows), [src, &TensorView::NONE, dst], None, cores)
}

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
    let mut params = RowsParams::new(RowFunction::ArgSort, count_rows(src)?);
    params.u = [u32::from(descending), dst.ne[0], 0, 0];
    build(params, [src, &TensorView::NONE, dst], None, cores)
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
    let sort = RowsParams {
        u: [u32::from(descending), kept, longest, 0],
        ..RowsParams::new(RowFunction::SortRuns, units)
    };
    let merge = RowsParams { u: [ne0, wanted, longest, 0], ..RowsParams::new(RowFunction::MergeRuns, rows) };
    Ok(vec![
        build(sort, [src, &TensorView::NONE, &pairs], None, cores)?,
        build(merge, [&pairs, &TensorView::NONE, dst], None, cores)?,
    ])
}

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
    let params = RowsParams {
        u: [len, per_row, u32::from(only_positive), 0],
        f: [scale, 0.0, 0.0, 0.0],
        ..RowsParams::new(RowFunction::WeightedSum, check::count("units of work", &[per_row, matrices])?)
    };
    build(params, [rows, weights.unwrap_or(&TensorView::NONE), dst], addend, cores)
}

/// Descriptor for matrices of 4 by 4, the rows of `src` and `dst`, made doubly stochastic: softmax of each row of
/// `scale * src + base`, plus `eps`; then columns and rows in turn are divided by their sums plus `eps`, columns `times` times.
/// On up to `cores` workers.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn balance(
    [src, scale, base]: [&TensorView; 3],
    dst: &TensorView,
    eps: f32,
    times: u32,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    for (what, view) in [("src0", src), ("scale", scale), ("base", base), ("dst", dst)] {
        operand(what, view, &[ElementType::F32])?;
    }
    let all = ELEMENTS as u32;
    shape("src0", src.ne, [all, src.ne[1], src.ne[2], src.ne[3]])?;
    shape("dst", dst.ne, src.ne)?;
    shape("scale", scale.ne, [1; 4])?;
    shape("base", base.ne, [all, 1, 1, 1])?;
    if !(eps > 0.0 && eps.is_finite()) || times == 0 || times > 1 << 16 {
        return Err(format!("sums plus {eps}, {times} times").into());
    }
    let params = RowsParams {
        u: [times, 0, 0, 0],
        f: [eps, 0.0, 0.0, 0.0],
        ..RowsParams::new(RowFunction::Balance, count_rows(src)?)
    };
    build(params, [src, scale, dst], Some(base), cores)
}

/// Which elements of a matrix stay ([`triangle`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Triangle {
    /// Up to `past` behind the diagonal; the others become this pattern.
    Causal {
        /// Columns in front of the square.
        past: u32,
        /// FP32 pattern.
        fill: u32,
    },
    /// ggml's triangle of this number; the others become zero.
    Tri(u32),
}

/// Descriptor for `DIAG_MASK_INF`, `DIAG_MASK_ZERO`, `TRI`.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn triangle(
    triangle: Triangle,
    src: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    floats_alike(src, dst)?;
    let rows = count_rows(src)?;
    let params = match triangle {
        Triangle::Causal { past, fill } => RowsParams {
            u: [past, 0, 0, 0],
            f: [f32::from_bits(fill), 0.0, 0.0, 0.0],
            ..RowsParams::new(RowFunction::DiagMask, rows)
        },
        Triangle::Tri(kind) if kind < 4 => {
            RowsParams { u: [kind, 0, 0, 0], ..RowsParams::new(RowFunction::Tri, rows) }
        }
        Triangle::Tri(kind) => return Err(format!("triangle {kind}").into()),
    };
    build(params, [src, &TensorView::NONE, dst], None, cores)
}

/// Descriptor for `DIAG`: matrices with the rows of `src` on their diagonals.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn diag(src: &TensorView, dst: &TensorView, cores: u32) -> Result<OpDescriptor, Unsupported> {
    operand("src0", src, FLOATS)?;
    operand("dst", dst, FLOATS)?;
    shape("src0", src.ne, [dst.ne[0], 1, dst.ne[2], dst.ne[3]])?;
    shape("dst", dst.ne, [dst.ne[0], dst.ne[0], dst.ne[2], dst.ne[3]])?;
    let params = RowsParams::new(RowFunction::Diag, count_rows(dst)?);
    build(params, [src, &TensorView::NONE, dst], None, cores)
}

/// How a softmax scales, and what becomes of a row that is masked as a whole.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SoftMax {
    /// Factor of the source.
    pub scale: f32,
    /// Above 0: each head (dimension 2) has a slope (ALiBi).
    pub max_bias: f32,
    /// A row without any finite exponent becomes zeros (as in `FLASH_ATTN_EXT`), not NaN (as in `SOFT_MAX`).
    pub masked_rows_are_zero: bool,
}

/// Descriptor for `SOFT_MAX` of `scale * src + slope * mask`.
/// The mask is F32 or F16 and repeats in dimensions 2 and 3; `sinks` has an F32 for each head.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn soft_max(
    SoftMax { scale, max_bias, masked_rows_are_zero }: SoftMax,
    src: &TensorView,
    mask: Option<&TensorView>,
    sinks: Option<&TensorView>,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    operand("src0", src, &[ElementType::F32])?;
    operand("dst", dst, &[ElementType::F32])?;
    shape("dst", dst.ne, src.ne)?;
    if let Some(mask) = mask {
        operand("mask", mask, &[ElementType::F32, ElementType::F16])?;
        if mask.ne[0] < src.ne[0] || mask.ne[1] < src.ne[1] {
            return Err(format!("a mask {:?} for {:?}", mask.ne, src.ne).into());
        }
    }
    if let Some(sinks) = sinks {
        operand("sinks", sinks, &[ElementType::F32])?;
        shape("sinks", sinks.ne, [src.ne[2], 1, 1, 1])?;
    }
    let lower = 1u32 << src.ne[2].ilog2();
    let base = |bias: f32| 2f32.powf(-bias / lower as f32);
    let params = RowsParams {
        u: [lower, u32::from(max_bias > 0.0), u32::from(masked_rows_are_zero), 0],
        f: [scale, base(max_bias), base(max_bias / 2.0), 0.0],
        ..RowsParams::new(RowFunction::SoftMax, count_rows(src)?)
    };
    let views = [src, mask.unwrap_or(&TensorView::NONE), dst];
    let mut descriptor = build(params, views, sinks, cores)?;
    if soft_max_suits_sfpu(src, dst) && mask.is_none_or(mask_suits_sfpu) {
        descriptor.flags = ON_SFPU;
        descriptor.cores = cores.min(params.rows);
    }
    Ok(descriptor)
}

/// Elements of a row from which on the vector unit is worth its start.
const SFPU_MIN_ROW: u32 = 32;

/// Whether the vector unit takes a softmax from `src` to `dst`, if there is no mask or one that [suits](mask_suits_sfpu) it.
pub fn soft_max_suits_sfpu(src: &TensorView, dst: &TensorView) -> bool {
    sfpu_allowed() && src.ne[0] >= SFPU_MIN_ROW && sfpu_reaches(src) && sfpu_reaches(dst)
}

/// Whether the vector unit takes this mask: F32 without gaps in a row, every row at a multiple of 16 bytes.
pub fn mask_suits_sfpu(mask: &TensorView) -> bool {
    sfpu_reaches(mask)
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
    build(RowsParams::new(RowFunction::GetRows, count_rows(dst)?), [src, indices, dst], None, cores)
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
    build(RowsParams::new(RowFunction::AddId, count_rows(dst)?), [src0, src1, dst], Some(ids), cores)
}

/// Descriptor for `SET_ROWS` into BF16 or a quantised type: what [`super::set_rows`] checks, for another kernel.
pub(super) fn set_rows(
    rows: &TensorView,
    indices: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    let params = RowsParams::new(RowFunction::SetRows, count_rows(rows)?);
    build(params, [rows, indices, dst], None, cores)
}

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
    let params = RowsParams { rope, ..RowsParams::new(RowFunction::Rope, count_rows(src)?) };
    build(params, [src, positions, dst], factors, cores)
}
