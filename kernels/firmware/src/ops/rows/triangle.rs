//! `DIAG_MASK_INF`, `DIAG_MASK_ZERO`, `TRI`: matrices of which one side of the diagonal is replaced; `DIAG`: those that have nothing but
//! a diagonal.

use super::{Row, unknown, write};
use crate::rt::lane::Lane;
use crate::rt::rows::Port;
use tt_kernel_abi::elementwise::{MAX_PIECE, Piece, split_row};
use tt_kernel_abi::rows::triangle::{TriangleFunction, TriangleParams};

/// Runs one lane.
pub fn run(mut lane: Lane, params: &TriangleParams) {
    let Some(function) = TriangleFunction::from_code(params.function) else {
        return unknown(&lane, params.function);
    };
    let op = lane.launch.op;
    let (mut input, mut output) = (Port::new(&mut lane.heap), Port::new(&mut lane.heap));
    let (first, end) = lane.share(params.rows);
    for number in first..end {
        lane.launch.progress(number);
        match function {
            TriangleFunction::Diag => diagonal(&mut lane, &mut input, &mut output, number),
            _ => {
                let mut row = Row::new(&mut input, &op.src0, number);
                masked(&mut lane, &mut row, &mut output, params, function);
            }
        }
    }
}

/// `DIAG_MASK_INF`, `DIAG_MASK_ZERO` and `TRI`: elements on one side of the diagonal are replaced.
fn masked(
    lane: &mut Lane,
    row: &mut Row,
    output: &mut Port,
    params: &TriangleParams,
    function: TriangleFunction,
) {
    let op = lane.launch.op;
    let i1 = row.at[0];
    let tri = function == TriangleFunction::Tri;
    let keep = |i0: u32| match (tri, params.side) {
        (false, past) => i0 <= past + i1,
        // GGML_TRI_TYPE_UPPER_DIAG, UPPER, LOWER_DIAG, LOWER
        (true, 0) => i0 >= i1,
        (true, 1) => i0 > i1,
        (true, 2) => i0 <= i1,
        (true, _) => i0 < i1,
    };
    row.each(&mut lane.noc, |noc, piece, x| {
        write(noc, output, &op.dst, piece, |y| {
            for ((i0, y), &x) in (piece.first..).zip(y.iter_mut()).zip(x) {
                *y = if keep(i0) { x } else { params.fill };
            }
        });
    });
}

/// `DIAG`: row i1 of the result is zero but for element i1, which is element i1 of src0's row.
fn diagonal(lane: &mut Lane, input: &mut Port, output: &mut Port, number: u32) {
    let op = lane.launch.op;
    let [i1, i2, i3] = split_row(&op.dst, number);
    let value = input.fetch(&mut lane.noc, &op.src0, &Piece { row: [0, i2, i3], first: i1, len: 1 })[0];
    let mut first = 0;
    while first < op.dst.ne[0] {
        let len = MAX_PIECE.min(op.dst.ne[0] - first);
        let piece = Piece { row: [i1, i2, i3], first, len };
        write(&mut lane.noc, output, &op.dst, &piece, |y| {
            y.fill(0.0);
            if let Some(y) = y.get_mut(i1.wrapping_sub(first) as usize) {
                *y = value;
            }
        });
        first += len;
    }
}
