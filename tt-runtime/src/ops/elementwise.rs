//! Element by element: functions of one element, of two with repetition, gated units.
//!
//! Tensors of equal shape without gaps are taken as one long row, so that the work splits evenly.

use super::check::FLOATS;
use super::{Unsupported, check};
pub use tt_kernel_abi::elementwise::{Binary, Glu, Unary};
use tt_kernel_abi::elementwise::{ElementwiseParams, MAX_PIECE, OWN_PARAMS, PIECE_STEP, Pieces};
use tt_kernel_abi::launch::LANES;
use tt_kernel_abi::operators::{Operator, kernel};
use tt_kernel_abi::sfpu::{ALIGN, BLOCK, ON_SFPU};
use tt_kernel_abi::{ElementType, OpDescriptor, TensorView};
use tt_kernel_sfpu::{self as sfpu, Program};

/// Descriptor for `dst[i] = function(src0[i])` on up to `cores` workers; any strides, types F32, F16, BF16.
/// `params` are the function's own ([`Unary`]).
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn unary(
    function: Unary,
    params: &[f32],
    src0: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    let [src0, dst] = prepared([("src0", src0), ("dst", dst)])?;
    same_shape(&src0, &dst)?;
    let views = [src0, TensorView::NONE, dst];
    descriptor::<kernel::Unary>(function as u32, sfpu::unary(function), params, views, cores)
}

/// Descriptor for a tensor made from nothing: `FILL` and `ARANGE`.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn fill(
    function: Unary,
    params: &[f32],
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    let [dst] = prepared([("dst", dst)])?;
    descriptor::<kernel::Unary>(
        function as u32,
        None,
        params,
        [TensorView::NONE, TensorView::NONE, dst],
        cores,
    )
}

/// Descriptor for `dst[i] = function(src0[i], src1[i mod src1.ne])` on up to `cores` workers.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn binary(
    function: Binary,
    src0: &TensorView,
    src1: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    let [src0, src1, dst] = prepared([("src0", src0), ("src1", src1), ("dst", dst)])?;
    same_shape(&src0, &dst)?;
    if (0..4).any(|dim| !dst.ne[dim].is_multiple_of(src1.ne[dim])) {
        return Err(format!("src1 {:?} cannot be repeated to {:?}", src1.ne, dst.ne).into());
    }
    if src1.ne[0] != dst.ne[0] && src1.ne[0] > MAX_PIECE {
        return Err(format!("src1 repeats rows of {} elements", src1.ne[0]).into());
    }
    descriptor::<kernel::Binary>(function as u32, sfpu::binary(function), &[], [src0, src1, dst], cores)
}

/// Descriptor for a gated unit on up to `cores` workers. Without `src1` both halves are in `src0`'s rows: the gate
/// is the second one, or the first if `swapped`.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn glu(
    function: Glu,
    swapped: bool,
    params: &[f32],
    src0: &TensorView,
    src1: Option<&TensorView>,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    let [x, gate] = gated([src0, src1.unwrap_or(&TensorView::NONE)], swapped);
    let [x, gate, dst] = prepared([("src0", &x), ("src1", &gate), ("dst", dst)])?;
    same_shape(&x, &dst)?;
    same_shape(&gate, &dst)?;
    descriptor::<kernel::Glu>(function as u32, sfpu::glu(function), params, [x, gate, dst], cores)
}

/// Value and gate: both operands, or if there is only one, the two halves of its rows; an odd last element belongs to none.
pub(super) fn gated([src0, src1]: [&TensorView; 2], swapped: bool) -> [TensorView; 2] {
    if src1.ne[0] > 0 {
        return [*src0, *src1];
    }
    let mut first = *src0;
    first.ne[0] /= 2;
    let second = TensorView { addr: first.addr + u64::from(first.ne[0]) * first.nb[0], ..first };
    if swapped { [second, first] } else { [first, second] }
}

/// The descriptor of a function that the vector unit has, for `count` blocks of `len` elements.
pub(super) fn on_vector_unit<O: Operator<Params = ElementwiseParams>>(
    function: u32,
    params: &[f32],
    [src0, src1, dst]: [TensorView; 3],
    (len, count): (u32, u32),
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    check::cores(cores)?;
    if !sfpu_allowed() {
        return Err("the vector unit is switched off".into());
    }
    let pieces = Pieces { function, len, per_row: 1, count };
    let op = OpDescriptor::of::<O>(&ElementwiseParams { pieces, own: own(params) }, cores.min(count));
    Ok(OpDescriptor { flags: ON_SFPU, src0, src1, dst, ..op })
}

fn same_shape(src: &TensorView, dst: &TensorView) -> Result<(), Unsupported> {
    match src.ne == dst.ne {
        true => Ok(()),
        false => Err(format!("shapes {:?} -> {:?}", src.ne, dst.ne).into()),
    }
}

/// Checks the operands; without gaps and of one shape they become single rows.
fn prepared<const N: usize>(views: [(&str, &TensorView); N]) -> Result<[TensorView; N], Unsupported> {
    for (what, view) in views {
        check::elements(what, view, check::element_type(what, view, FLOATS)?)?;
    }
    let mut views = views.map(|(_, view)| *view);
    let ne = views[0].ne;
    let flat = views.iter().all(|view| view.ne == ne && check::is_contiguous(view));
    if flat {
        let total = check::count("elements", &ne)?;
        for view in &mut views {
            let ty = check::element_type("operand", view, FLOATS)?;
            *view = TensorView::contiguous(ty, view.addr, [total, 1, 1, 1]);
        }
    }
    Ok(views)
}

/// Elements from which on the vector unit is worth its start: fewer are done before its five cores have set it up.
const SFPU_MIN: u64 = 256;
/// Elements of a row from which on a row may be a block: shorter ones would leave most of it empty.
const SFPU_MIN_ROW: u32 = 256;

/// Whether the vector unit may be used: `GGML_TT_SFPU=0` keeps elementwise operators and softmax on the data-movement cores, for tests
/// and to look for errors.
pub(super) fn sfpu_allowed() -> bool {
    tt_settings::SFPU.get().is_none_or(|value| value != "0")
}

/// Whether unpackers and packers can reach every row: FP32 without gaps in a row.
pub(super) fn sfpu_reaches(view: &TensorView) -> bool {
    view.element_type() == Some(ElementType::F32)
        && view.nb[0] == 4
        && view.addr.is_multiple_of(ALIGN)
        && (1..4).all(|dim| view.ne[dim] == 1 || view.nb[dim].is_multiple_of(ALIGN))
}

/// Whether the vector unit can take these operands, and should: FP32 in rows without gaps, at addresses that unpackers and
/// packers can reach, and enough of it.
pub(super) fn suits_sfpu([src0, src1, dst]: &[TensorView; 3]) -> bool {
    let total: u64 = dst.ne.iter().map(|&n| u64::from(n)).product();
    let rows = dst.ne[0] >= SFPU_MIN_ROW || u64::from(dst.ne[0]) == total;
    let second = src1.ne[0] == 0 || (src1.ne[0] == dst.ne[0] && sfpu_reaches(src1));
    sfpu_allowed() && total >= SFPU_MIN && rows && second && sfpu_reaches(src0) && sfpu_reaches(dst)
}

/// The descriptor: on the vector unit if the function has a `program` there and the operands suit it.
fn descriptor<O: Operator<Params = ElementwiseParams>>(
    function: u32,
    program: Option<Program>,
    params: &[f32],
    views: [TensorView; 3],
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    let on_sfpu = program.is_some() && suits_sfpu(&views);
    let [src0, src1, dst] = views;
    // A tile's cores work together, or each data-movement core on its own.
    let (lanes, longest) = if on_sfpu { (1, BLOCK) } else { (LANES, MAX_PIECE) };
    let pieces = cut(function, &dst, cores, lanes, longest)?;
    let params = ElementwiseParams { pieces, own: own(params) };
    let op = OpDescriptor::of::<O>(&params, cores.min(pieces.count.div_ceil(lanes)));
    Ok(OpDescriptor { flags: if on_sfpu { ON_SFPU } else { 0 }, src0, src1, dst, ..op })
}

/// A function's own parameters.
fn own(params: &[f32]) -> [u32; OWN_PARAMS] {
    let mut own = [0; OWN_PARAMS];
    for (word, value) in own.iter_mut().zip(params) {
        *word = value.to_bits();
    }
    own
}

fn cut(function: u32, dst: &TensorView, cores: u32, lanes: u32, longest: u32) -> Result<Pieces, Unsupported> {
    check::cores(cores)?;
    let [ne0, ne1, ne2, ne3] = dst.ne;
    let rows = check::count("rows", &[ne1, ne2, ne3])?;
    Pieces::cut_short(function, ne0, rows, cores * lanes, (PIECE_STEP, longest))
        .ok_or_else(|| format!("too many elements: {:?}", dst.ne).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_kernel_abi::ElementType;

    fn f32(ne: [u32; 4]) -> TensorView {
        TensorView::contiguous(ElementType::F32, 0x100_0000, ne)
    }

    #[test]
    fn tensors_without_gaps_are_one_row() {
        let x = f32([5, 7, 3, 2]);
        let op = unary(Unary::Exp, &[], &x, &x, 64).unwrap();
        let pieces = op.params_of::<kernel::Unary>().unwrap().pieces;
        assert_eq!((op.dst.ne, pieces.count, op.cores), ([210, 1, 1, 1], 7, 4));
        let mut gaps = x;
        gaps.nb[1] = 64;
        assert_eq!(unary(Unary::Exp, &[], &gaps, &x, 64).unwrap().dst.ne, x.ne);
    }

    #[test]
    fn halves_are_views_of_the_same_rows() {
        let op = glu(Glu::Swiglu, true, &[], &f32([64, 3, 1, 1]), None, &f32([32, 3, 1, 1]), 64).unwrap();
        assert_eq!((op.src0.addr - op.src1.addr, op.src0.nb[1]), (128, 256));
    }

    #[test]
    fn what_the_kernel_cannot_do_has_a_reason() {
        let x = f32([8, 4, 1, 1]);
        let reason = |b: &TensorView, dst: &TensorView| binary(Binary::Add, &x, b, dst, 64).unwrap_err().0;
        assert!(reason(&f32([3, 1, 1, 1]), &x).contains("cannot be repeated"));
        assert!(reason(&x, &f32([8, 3, 1, 1])).contains("shapes"));
        assert!(reason(&TensorView { ty: ElementType::I32.code(), ..x }, &x).contains("I32"));
        assert!(reason(&TensorView { addr: 2, ..x }, &x).contains("multiple of 4"));
        assert!(reason(&f32([8, 0, 1, 1]), &x).contains("empty"));
        assert!(unary(Unary::Abs, &[], &x, &x, 0).is_err());
    }
}
