//! What training adds: gradients, the loss, steps of optimisers.
//!
//! Functions of rows and steps of optimisers run on the vector unit and nowhere else, so their operands have to be where it reaches
//! them ([`reaches`]); whoever plans makes copies of those that are not.

pub use tt_kernel_abi::elementwise::OptStep;
use tt_kernel_abi::elementwise::{ElementwiseParams, MAX_OPT_PARAMS, OWN_PARAMS, PIECE_STEP, Pieces};
use tt_kernel_abi::operators::kernel;
use tt_kernel_abi::sfpu::BLOCK;
use tt_kernel_abi::{ElementType, OpDescriptor, TensorView};

use super::elementwise::{Glu, sfpu_reaches};
pub use super::rows::{
    add_rows, count_equal, cross_entropy, cross_entropy_back, rms_norm_back, soft_max_back,
};
use super::{Unsupported, check};

const F32: &[ElementType] = &[ElementType::F32];

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

/// Descriptor for a step of an optimiser, `dst[i] = step(a[i], b[i])`, on up to `cores` workers. Parameters are elements `which` of
/// `values`, at most eight F32 that are read when the descriptor runs. All tensors are single rows of F32 that the vector unit [reaches];
/// dst may be one of the others.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn opt_step(
    step: OptStep,
    [a, b, dst]: [&TensorView; 3],
    values: &TensorView,
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
    check::rows("parameters", values, check::element_type("parameters", values, F32)?)?;
    alike(&[("parameters", values)], [values.ne[0], 1, 1, 1])?;
    if values.ne[0] > MAX_OPT_PARAMS || which.iter().any(|&at| at >= values.ne[0]) {
        return Err(format!("parameters {which:?} of {}", values.ne[0]).into());
    }
    let pieces = Pieces::cut_short(step as u32, dst.ne[0], 1, cores, (PIECE_STEP, BLOCK))
        .ok_or_else(|| Unsupported(format!("too many elements: {:?}", dst.ne).into()))?;
    let mut own = [0; OWN_PARAMS];
    own[..which.len()].copy_from_slice(which);
    let params = ElementwiseParams { pieces, own };
    let op = OpDescriptor::of::<kernel::OptStep>(&params, cores.min(pieces.count));
    let more = [*values, TensorView::NONE, TensorView::NONE];
    Ok(OpDescriptor { src0: *a, src1: *b, dst: *dst, more, ..op })
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
        let params = op.params_of::<kernel::OptStep>().unwrap();
        assert_eq!((op.cores, params.own, op.more[0]), (64, [0, 4, 0, 0], p));
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
