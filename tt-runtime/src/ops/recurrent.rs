//! State that is carried from token to token: `SSM_SCAN`, `GATED_DELTA_NET`, `GATED_LINEAR_ATTN`, `RWKV_WKV6`, `RWKV_WKV7`;
//! and `SOLVE_TRI`, whose solution grows from row to row.

use super::{Unsupported, check};
use tt_kernel_abi::elementwise::MAX_PIECE;
use tt_kernel_abi::launch::LANES;
use tt_kernel_abi::operators::kernel;
pub use tt_kernel_abi::recurrent::{Kind, Plane};
use tt_kernel_abi::recurrent::{MAX_STATE, RecurrentParams};
use tt_kernel_abi::{ElementType, OpDescriptor, TensorView};

/// The tensors, all F32.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Recurrence<'a> {
    /// What a token does.
    pub kind: Kind,
    /// Factor of the result.
    pub scale: f32,
    /// Elements of a line, lines, heads, states.
    pub before: &'a TensorView,
    /// The state that each sequence begins with, I32; without it that of its number.
    pub ids: Option<&'a TensorView>,
    /// Lines, heads, tokens, sequences.
    pub values: &'a TensorView,
    /// Elements of a line times [`Kind::planes`], heads, tokens, sequences.
    pub vectors: &'a TensorView,
    /// Shaped like the values.
    pub results: &'a TensorView,
    /// Elements of a line, lines, heads, sequences, after the last token.
    pub after: &'a TensorView,
    /// How many states are kept: that after the last token, that after the one before, and so on.
    pub slots: u32,
    /// Bytes from one to the next.
    pub slot_stride: u64,
}

/// Descriptor for all tokens of all sequences, on up to `cores` workers. An id outside of the states is an error when the
/// descriptor runs.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn recurrent(recurrence: Recurrence, cores: u32) -> Result<OpDescriptor, Unsupported> {
    check::cores(cores)?;
    let Recurrence { kind, before, values, vectors, results, after, .. } = recurrence;
    let views =
        [("state", before), ("values", values), ("vectors", vectors), ("dst", results), ("state", after)];
    for (what, view) in views {
        check::elements(what, view, check::element_type(what, view, &[ElementType::F32])?)?;
    }
    let ([size, lines, heads, _], [_, _, tokens, sequences]) = (before.ne, values.ne);
    let all = check::count("elements of a token's vectors", &[size, kind.planes()])?;
    let fits = values.ne == [lines, heads, tokens, sequences]
        && vectors.ne == [all, heads, tokens, sequences]
        && results.ne == values.ne
        && after.ne == [size, lines, heads, sequences]
        && (recurrence.ids.is_some() || before.ne[3] == sequences);
    if !fits || all > MAX_PIECE || lines > MAX_PIECE {
        let shapes = format!("state {:?} with {:?} and {:?}", before.ne, values.ne, vectors.ne);
        return Err(shapes.into());
    }
    if let Some(ids) = recurrence.ids {
        check::elements("ids", ids, check::element_type("ids", ids, &[ElementType::I32])?)?;
        if ids.ne != [sequences, 1, 1, 1] {
            return Err(format!("ids {:?} for {sequences} sequences", ids.ne).into());
        }
    }
    // Blocks of lines such that every lane has one.
    let matrices = check::count("heads", &[heads, sequences])?;
    let fair = lines.div_ceil((cores * LANES).div_ceil(matrices));
    let lines_of_unit = fair.min(MAX_STATE / size);
    let per_head = lines.div_ceil(lines_of_unit);
    let units = check::count("units of work", &[matrices, per_head])?;
    let params = RecurrentParams {
        kind: kind as u32,
        lines: lines_of_unit,
        per_head,
        units,
        slots: recurrence.slots,
        scale: recurrence.scale,
        slot_stride: recurrence.slot_stride,
    };
    let ids = *recurrence.ids.unwrap_or(&TensorView::NONE);
    let op = OpDescriptor::of::<kernel::Recurrent>(&params, cores.min(units.div_ceil(LANES)));
    let more = [*vectors, *after, ids];
    Ok(OpDescriptor { src0: *before, src1: *values, dst: *results, more, ..op })
}

/// Descriptor for `a x = b`, solved for x: a has lower triangular matrices of n rows (what is above the diagonal is not read), b
/// and x have n rows of as many elements as there are systems with the same matrix. All F32, on up to `cores` workers.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn solve_tri(
    a: &TensorView,
    b: &TensorView,
    x: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    let [n, rows, ne2, ne3] = a.ne;
    if n != rows || b.ne != [b.ne[0], n, ne2, ne3] || x.ne != b.ne {
        return Err(format!("matrices {:?} with {:?} -> {:?}", a.ne, b.ne, x.ne).into());
    }
    // A row is a token, a matrix a head, and a column of the solution a line of state.
    let by_row = |view: &TensorView| {
        let ([ne0, ne1, ne2, ne3], [nb0, nb1, nb2, nb3]) = (view.ne, view.nb);
        TensorView { ne: [ne0, ne2, ne1, ne3], nb: [nb0, nb2, nb1, nb3], ..*view }
    };
    let ([ne0, ne1, ne2, ne3], [nb0, nb1, nb2, nb3]) = (x.ne, x.nb);
    let columns = TensorView { ne: [ne1, ne0, ne2, ne3], nb: [nb1, nb0, nb2, nb3], ..*x };
    let recurrence = Recurrence {
        kind: Kind::Solve,
        scale: 1.0,
        before: &columns,
        ids: None,
        values: &by_row(b),
        vectors: &by_row(a),
        results: &by_row(x),
        after: &columns,
        slots: 0,
        slot_stride: 0,
    };
    recurrent(recurrence, cores)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_over_the_cores() {
        let f32 = |ne| TensorView::contiguous(ElementType::F32, 0x100_0000, ne);
        let (state, values, vectors) = (f32([16, 64, 4, 2]), f32([64, 4, 5, 2]), f32([48, 4, 5, 2]));
        let recurrence = Recurrence {
            kind: Kind::Plain,
            scale: 1.0,
            before: &state,
            ids: None,
            values: &values,
            vectors: &vectors,
            results: &values,
            after: &state,
            slots: 1,
            slot_stride: 0,
        };
        let op = recurrent(recurrence, 64).unwrap();
        let params = op.params_of::<kernel::Recurrent>().unwrap();
        assert_eq!((params.lines, params.per_head, params.units, op.cores), (4, 16, 128, 64));
        let why = recurrent(Recurrence { kind: Kind::Delta, ..recurrence }, 64).unwrap_err();
        assert!(why.0.contains("state"), "{why}");
        let ids = TensorView::contiguous(ElementType::I32, 0, [3, 1, 1, 1]);
        let why = recurrent(Recurrence { ids: Some(&ids), ..recurrence }, 64).unwrap_err();
        assert!(why.0.contains("ids"), "{why}");
    }
}
