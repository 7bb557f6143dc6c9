//! What training adds: gradients, the loss, steps of optimisers.
//!
//! Functions of rows and steps of optimisers run on the vector unit and nowhere else, so their operands have to be where it reaches
//! them ([`reaches`]); whoever plans makes copies of those that are not.

pub use tt_kernel_abi::elementwise::OptStep;
use tt_kernel_abi::elementwise::{MAX_OPT_PARAMS, PARAMS, PIECE_STEP, Pieces};
use tt_kernel_abi::rows::{RowFunction, RowsParams};
use tt_kernel_abi::sfpu::{BLOCK, ON_SFPU};
use tt_kernel_abi::{ElementType, Op, OpDescriptor, TensorView};

use super::check::FLOATS;
use super::elementwise::{Glu, sfpu_reaches};
use super::{Unsupported, check};

const F32: &[ElementType] = &[ElementType::F32];
const I32: &[ElementType] = &[ElementType::I32];

/// Whether the vector unit reaches every row: F32 without gaps in a row, rows at multiples of 16 bytes.
pub fn reaches(view: &TensorView) -> bool {
    sfpu_reaches(view)
}

fn operand(what: &str, view: &TensorView, types: &[ElementType]) -> Result<(), Unsupported> {
    check::elements(what, view, check::element_type(what, view, types)?)
}

fn alike(views: &[(&str, &TensorView)], ne: [u32; 4]) -> Result<(), Unsupported> {
    match views.iter().find(|(_, view)| view.ne != ne) {
        Some((what, view)) => Err(format!("{what} has shape {:?} instead of {ne:?}", view.ne).into()),
        None => Ok(()),
    }
}

/// Descriptor for `SILU_BACK`: the gradient of SILU at `x`, times `grad`, on up to `cores` workers; types F32, F16, BF16.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn silu_back(
    grad: &TensorView,
    x: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    super::glu(Glu::SiluBack, false, &[], x, Some(grad), dst, cores)
}

/// A function of rows of `a` and `b` on the vector unit.
fn of_rows(
    function: RowFunction,
    f: [f32; 4],
    [a, b, dst]: [&TensorView; 3],
    factor: Option<&TensorView>,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    check::cores(cores)?;
    let views = [("src0", a), ("src1", b), ("dst", dst)];
    for (what, view) in views {
        operand(what, view, F32)?;
        if !reaches(view) {
            return Err(format!("{what}: rows that the vector unit does not reach").into());
        }
    }
    alike(&views, dst.ne)?;
    let rows = check::count("rows", &dst.ne[1..])?;
    let mut descriptor = OpDescriptor {
        op: Op::Rows as u32,
        flags: ON_SFPU,
        cores: cores.min(rows),
        src0: *a,
        src1: *b,
        dst: *dst,
        params: RowsParams { f, ..RowsParams::new(function, rows) }.to_words(),
        ..OpDescriptor::NOP
    };
    if let Some(factor) = factor {
        operand("factor", factor, F32)?;
        alike(&[("factor", factor)], [1; 4])?;
        // Every row has the same one.
        descriptor.more[0] = TensorView { nb: [0; 4], ..*factor };
    }
    Ok(descriptor)
}

/// Descriptor for `SOFT_MAX_BACK`: `scale * y * (dy - sum(y * dy))` of every row, on up to `cores` workers. F32 that the vector unit
/// [reaches].
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn soft_max_back(
    scale: f32,
    dy: &TensorView,
    y: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    of_rows(RowFunction::SoftMaxBack, [scale, 0.0, 0.0, 0.0], [dy, y, dst], None, cores)
}

/// Descriptor for `RMS_NORM_BACK`: `(dz - x * mean(x * dz) / m) / sqrt(m)` with `m = mean(x^2) + eps` of every row, on up to `cores`
/// workers. F32 that the vector unit [reaches].
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn rms_norm_back(
    eps: f32,
    dz: &TensorView,
    x: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    let f = [eps, 1.0 / dst.ne[0] as f32, 0.0, 0.0];
    of_rows(RowFunction::RmsNormBack, f, [dz, x, dst], None, cores)
}

/// Descriptor for `label * ln(softmax(x))`, the terms of a cross-entropy, on up to `cores` workers. F32 that the vector unit [reaches].
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn cross_entropy(
    logits: &TensorView,
    labels: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    of_rows(RowFunction::CrossEntropy, [1.0, 0.0, 0.0, 0.0], [logits, labels, dst], None, cores)
}

/// Descriptor for `CROSS_ENTROPY_LOSS_BACK`: `(softmax(x) - label) * grad / rows` with one `grad` for all, on up to `cores` workers. F32
/// that the vector unit [reaches].
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn cross_entropy_back(
    grad: &TensorView,
    logits: &TensorView,
    labels: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    let rows = check::count("rows", &dst.ne[1..])?;
    let f = [1.0, 1.0 / rows.max(1) as f32, 0.0, 0.0];
    of_rows(RowFunction::CrossEntropyBack, f, [logits, labels, dst], Some(grad), cores)
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
    alike(&[("indices", indices)], [count, 1, 1, 1])?;
    alike(&[("dst", dst)], [rows.ne[0], dst.ne[1], 1, 1])?;
    alike(&[("src0", rows)], [dst.ne[0], rows.ne[1], 1, 1])?;
    if rows.ne[1] < count {
        return Err(format!("{count} indices for {} rows", rows.ne[1]).into());
    }
    let params = RowsParams::new(RowFunction::AddRows, check::count("rows", &dst.ne[1..])?);
    Ok(OpDescriptor {
        op: Op::Rows as u32,
        cores: cores.min(params.rows.div_ceil(tt_kernel_abi::launch::LANES)),
        src0: *rows,
        src1: *indices,
        dst: *dst,
        params: params.to_words(),
        ..OpDescriptor::NOP
    })
}

/// Descriptor for `COUNT_EQUAL`: how many elements of `a` and `b` (I32) are equal, as one I64. One lane does it all.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn count_equal(
    a: &TensorView,
    b: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    check::cores(cores)?;
    operand("src0", a, I32)?;
    operand("src1", b, I32)?;
    operand("dst", dst, &[ElementType::I64])?;
    alike(&[("src1", b)], a.ne)?;
    alike(&[("dst", dst)], [1; 4])?;
    // The kernel counts in 32 bits.
    check::count("elements", &a.ne)?;
    let params = RowsParams::new(RowFunction::CountEqual, check::count("rows", &a.ne[1..])?);
    Ok(OpDescriptor {
        op: Op::Rows as u32,
        cores: 1,
        src0: *a,
        src1: *b,
        dst: *dst,
        params: params.to_words(),
        ..OpDescriptor::NOP
    })
}

/// Descriptor for a step of an optimiser, `dst[i] = step(a[i], b[i])`, on up to `cores` workers. Parameters are elements `which` of
/// `params`, at most eight F32 that are read when the descriptor runs. All tensors are single rows of F32 that the vector unit [reaches];
/// dst may be one of the others.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn opt_step(
    step: OptStep,
    [a, b, dst]: [&TensorView; 3],
    params: &TensorView,
    which: &[u32],
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    check::cores(cores)?;
    let views = [("src0", a), ("src1", b), ("dst", dst)];
    for (what, view) in views {
        operand(what, view, F32)?;
        if !reaches(view) {
            return Err(format!("{what} at {:#x}, where the vector unit does not reach it", view.addr).into());
        }
    }
    alike(&views, [dst.ne[0], 1, 1, 1])?;
    check::rows("parameters", params, check::element_type("parameters", params, F32)?)?;
    alike(&[("parameters", params)], [params.ne[0], 1, 1, 1])?;
    if params.ne[0] > MAX_OPT_PARAMS || which.iter().any(|&at| at >= params.ne[0]) {
        return Err(format!("parameters {which:?} of {}", params.ne[0]).into());
    }
    let pieces = Pieces::cut_short(step as u32, dst.ne[0], 1, cores, (PIECE_STEP, BLOCK))
        .ok_or_else(|| Unsupported(format!("too many elements: {:?}", dst.ne).into()))?;
    let mut words = pieces.to_words(&[]);
    words[PARAMS..][..which.len()].copy_from_slice(which);
    let mut descriptor = OpDescriptor {
        op: Op::OptStep as u32,
        flags: ON_SFPU,
        cores: cores.min(pieces.count),
        src0: *a,
        src1: *b,
        dst: *dst,
        params: words,
        ..OpDescriptor::NOP
    };
    descriptor.more[0] = *params;
    Ok(descriptor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(ty: ElementType, ne: [u32; 4]) -> TensorView {
        TensorView::contiguous(ty, 0x100_0000, ne)
    }

    fn f32(ne: [u32; 4]) -> TensorView {
        view(ElementType::F32, ne)
    }

    #[test]
    fn steps_read_their_parameters_by_place() {
        let (w, p) = (f32([100_000, 1, 1, 1]), f32([7, 1, 1, 1]));
        let op = opt_step(OptStep::Descent, [&w, &w, &w], &p, &[0, 4], 64).unwrap();
        assert_eq!((op.op, op.flags, op.cores), (Op::OptStep as u32, ON_SFPU, 64));
        assert_eq!((op.params[PARAMS..][..2].to_vec(), op.more[0]), (vec![0, 4], p));
        let why = opt_step(OptStep::Descent, [&w, &w, &w], &p, &[0, 7], 64).unwrap_err();
        assert!(why.0.contains("parameters [0, 7] of 7"));
    }

    #[test]
    fn what_the_kernel_cannot_do_has_a_reason() {
        let rows = f32([64, 5, 1, 1]);
        let reason = |dst: &TensorView| soft_max_back(1.0, &rows, &rows, dst, 64).unwrap_err().0;
        assert!(reason(&f32([64, 4, 1, 1])).contains("shape"));
        assert!(reason(&view(ElementType::F16, rows.ne)).contains("F16"));
        assert!(reason(&TensorView { addr: 4, ..rows }).contains("vector unit"));
        // Rows of 5 elements without gaps.
        assert!(
            rms_norm_back(0.0, &f32([5; 4]), &f32([5; 4]), &f32([5; 4]), 64)
                .unwrap_err()
                .0
                .contains("does not reach")
        );

        let (dst, names) = (f32([64, 9, 1, 1]), view(ElementType::I32, [6, 1, 1, 1]));
        assert!(add_rows(&rows, &names, &dst, 64).unwrap_err().0.contains("6 indices for 5 rows"));
        let one = view(ElementType::I64, [1; 4]);
        assert!(count_equal(&names, &rows, &one, 64).unwrap_err().0.contains("src1 of type F32"));
        assert_eq!(count_equal(&names, &names, &one, 64).unwrap().cores, 1);
    }
}
