//! `SET_ROWS`: `dst[i03][i02][idx[i03 % ne12][i02 % ne11][i01]][..] = src0[i03][i02][i01][..]`.

use super::{Unsupported, check};
use tt_kernel_abi::operators::kernel;
use tt_kernel_abi::rows::set_rows::SetRowsParams;
use tt_kernel_abi::{ElementType, OpDescriptor, TensorView};

/// Descriptor for scattering the rows of `rows` (F32, F16) into `dst` (F32, F16, BF16, quantised types that kernels encode)
/// as `indices` (I64 or I32) say, on up to `cores` workers.
///
/// An index outside `dst` is an error when the descriptor runs; the other rows are written.
///
/// # Errors
///
/// The reason why the kernel cannot do it: types, strides, shapes that do not fit together.
pub fn set_rows(
    rows: &TensorView,
    indices: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    check::cores(cores)?;
    let from = check::element_type("src0", rows, &[ElementType::F32, ElementType::F16])?;
    check::rows("src0", rows, from)?;
    check::rows("dst", dst, check::encoded("dst", dst)?)?;
    let index_type = check::element_type("indices", indices, &[ElementType::I64, ElementType::I32])?;
    check_indices(indices, index_type)?;
    let [ne0, ne1, ne2, ne3] = rows.ne;
    if dst.ne[0] != ne0 || dst.ne[2] != ne2 || dst.ne[3] != ne3 || indices.ne[0] != ne1 {
        return Err(format!("shapes {:?} by {:?} -> {:?}", rows.ne, indices.ne, dst.ne).into());
    }
    if !ne2.is_multiple_of(indices.ne[1]) || !ne3.is_multiple_of(indices.ne[2]) || indices.ne[3] != 1 {
        return Err(format!("indices {:?} cannot be broadcast to rows {:?}", indices.ne, rows.ne).into());
    }
    let total = check::count("rows", &[ne1, ne2, ne3])?;
    let fast = matches!(dst.element_type(), Some(ElementType::F32 | ElementType::F16));
    if !fast || from != ElementType::F32 {
        return super::rows::set_rows(rows, indices, dst, cores);
    }
    let params =
        SetRowsParams::new(total, ne0, cores).ok_or_else(|| format!("rows {:?} are too many", rows.ne))?;
    let op = OpDescriptor::of::<kernel::SetRows>(&params, cores.min(params.pieces));
    Ok(OpDescriptor { src0: *rows, src1: *indices, dst: *dst, ..op })
}

fn check_indices(indices: &TensorView, ty: ElementType) -> Result<(), Unsupported> {
    if indices.ne.contains(&0) {
        return Err("indices are empty".into());
    }
    // Each index is read on its own; 8-byte ones as two words that do not straddle a page.
    let align = u64::from(ty.block_bytes());
    match [indices.addr].iter().chain(&indices.nb).find(|&&bytes| bytes % align != 0) {
        Some(bad) => Err(format!("indices: address or stride {bad:#x} is not a multiple of {align}").into()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_kernel_abi::Op;

    fn view(ty: ElementType, ne: [u32; 4]) -> TensorView {
        TensorView::contiguous(ty, 0x100_0000, ne)
    }

    #[test]
    fn a_core_for_each_row_and_no_more() {
        let rows = view(ElementType::F32, [16, 3, 4, 2]);
        let dst = view(ElementType::F16, [16, 100, 4, 2]);
        let indices = view(ElementType::I64, [3, 2, 1, 1]);
        let op = set_rows(&rows, &indices, &dst, 64).unwrap();
        assert_eq!((op.op, op.cores), (Op::SetRows as u32, 24));
        assert_eq!(set_rows(&rows, &indices, &dst, 5).unwrap().cores, 5);
        let (row, cache) = (view(ElementType::F32, [512, 1, 1, 1]), view(ElementType::F16, [512, 100, 1, 1]));
        let index = view(ElementType::I64, [1, 1, 1, 1]);
        assert_eq!(set_rows(&row, &index, &cache, 64).unwrap().cores, 8);
    }

    #[test]
    fn what_the_kernel_cannot_do_has_a_reason() {
        let rows = view(ElementType::F32, [16, 3, 4, 2]);
        let dst = view(ElementType::F16, [16, 100, 4, 2]);
        let indices = view(ElementType::I64, [3, 2, 1, 1]);
        let reason = |rows, indices, dst| set_rows(rows, indices, dst, 64).unwrap_err().0;
        let other = view(ElementType::BF16, [16, 3, 4, 2]);
        assert!(reason(&other, &indices, &dst).contains("src0 of type BF16"));
        let other = view(ElementType::I32, [16, 100, 4, 2]);
        assert!(reason(&rows, &indices, &other).contains("dst of type I32"));
        let other = view(ElementType::I64, [4, 2, 1, 1]);
        assert!(reason(&rows, &other, &dst).contains("shapes"));
        let other = view(ElementType::I64, [3, 3, 1, 1]);
        assert!(reason(&rows, &other, &dst).contains("broadcast"));
        let other = TensorView { addr: 4, ..indices };
        assert!(reason(&rows, &other, &dst).contains("multiple of 8"));
        let other = TensorView { nb: [2, 31, 0, 0], ..dst };
        assert!(reason(&rows, &indices, &other).contains("multiple of 2"));
    }
}
