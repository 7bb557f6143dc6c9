//! Sums, running sums, largest elements, equal elements; rows with one side of the diagonal replaced.

use super::{Row, write};
use crate::rt::lane::Lane;
use crate::rt::math::sum;
use crate::rt::mmio::{load, order, store};
use crate::rt::noc::Noc;
use crate::rt::rows::Port;
use tt_kernel_abi::OpDescriptor;
use tt_kernel_abi::elementwise::{MAX_PIECE, Piece, split_row};
use tt_kernel_abi::rows::{RowFunction, RowsParams};

/// Runs one lane.
pub fn run(lane: &mut Lane, params: &RowsParams) {
    let op = lane.launch.op;
    let (mut input, mut output) = (Port::new(&mut lane.heap), Port::new(&mut lane.heap));
    let (first, end) = match params.function == RowFunction::SumAll as u32 {
        // One sum, one lane.
        true if lane.index == 0 => (0, params.rows),
        true => (0, 0),
        false => lane.share(params.rows),
    };
    let mut total = 0.0;
    for number in first..end {
        lane.launch.progress(number);
        if params.function == RowFunction::Diag as u32 {
            diagonal(lane, &mut input, &mut output, number);
            continue;
        }
        let mut row = Row::new(&mut input, &op.src0, number);
        match RowFunction::from_code(params.function) {
            Some(RowFunction::Sum) => {
                let mut total = 0.0;
                row.each(&mut lane.noc, |_, _, x| total += sum(x, |x| x));
                single(&mut lane.noc, &mut output, op, number, total * params.f[0]);
            }
            Some(RowFunction::SumAll) => {
                row.each(&mut lane.noc, |_, _, x| total += sum(x, |x| x));
                if number + 1 == end {
                    single(&mut lane.noc, &mut output, op, 0, total);
                }
            }
            Some(RowFunction::ArgMax) => {
                let at = arg_max(&mut row, &mut lane.noc);
                index(&mut lane.noc, &mut output, op, number, at);
            }
            Some(RowFunction::CumSum) => {
                let mut sum = 0.0;
                row.each(&mut lane.noc, |noc, piece, x| {
                    write(noc, &mut output, &op.dst, piece, |y| {
                        for (y, &x) in y.iter_mut().zip(x) {
                            sum += x;
                            *y = sum;
                        }
                    });
                });
            }
            _ => masked(lane, &mut row, &mut output, params),
        }
    }
}

/// `COUNT_EQUAL`: one lane counts for all, so that nobody has to add up what others have counted. It has one element for each token of
/// a batch to look at.
pub fn count_equal(lane: &mut Lane, params: &RowsParams) {
    let op = lane.launch.op;
    if lane.index > 0 {
        return;
    }
    let (mut a, mut b) = (Port::new(&mut lane.heap), Port::new(&mut lane.heap));
    let mut equal = 0;
    for number in 0..params.rows {
        lane.launch.progress(number);
        let row = split_row(&op.src0, number);
        let mut first = 0;
        while first < op.src0.ne[0] {
            let piece = Piece { row, first, len: MAX_PIECE.min(op.src0.ne[0] - first) };
            let x = a.fetch_raw(&mut lane.noc, &op.src0, &piece, 4);
            let y = b.fetch_raw(&mut lane.noc, &op.src1, &piece, 4);
            equal += (0..piece.len).filter(|i| load(x + 4 * i) == load(y + 4 * i)).count() as u32;
            first += piece.len;
        }
    }
    let piece = Piece { row: [0; 3], first: 0, len: 1 };
    let raw = a.raw_room(&op.dst, &piece);
    store(raw, equal);
    store(raw + 4, 0);
    order();
    a.send_raw(&mut lane.noc, &op.dst, &piece, 8, raw);
}

/// Writes the only element of row `number` of the result.
fn single(noc: &mut Noc, port: &mut Port, op: &OpDescriptor, number: u32, value: f32) {
    let piece = Piece { row: split_row(&op.dst, number), first: 0, len: 1 };
    write(noc, port, &op.dst, &piece, |y| y[0] = value);
}

/// Writes element `number` of a row of I32.
fn index(noc: &mut Noc, port: &mut Port, op: &OpDescriptor, number: u32, value: u32) {
    let piece = Piece { row: [0; 3], first: number, len: 1 };
    let raw = port.raw_room(&op.dst, &piece);
    store(raw, value);
    order();
    port.send_raw(noc, &op.dst, &piece, 4, raw);
}

fn arg_max(row: &mut Row, noc: &mut Noc) -> u32 {
    let (mut max, mut at) = (f32::NEG_INFINITY, 0);
    row.each(noc, |_, piece, x| {
        for (i, &x) in (piece.first..).zip(x) {
            if x >= max {
                (max, at) = (x, i);
            }
        }
    });
    at
}

/// `DIAG_MASK_INF`, `DIAG_MASK_ZERO` and `TRI`: elements on one side of the diagonal are replaced.
fn masked(lane: &mut Lane, row: &mut Row, output: &mut Port, params: &RowsParams) {
    let op = lane.launch.op;
    let i1 = row.at[0];
    let tri = params.function == RowFunction::Tri as u32;
    let keep = |i0: u32| match (tri, params.u[0]) {
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
                *y = if keep(i0) { x } else { params.f[0] };
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
        let len = tt_kernel_abi::elementwise::MAX_PIECE.min(op.dst.ne[0] - first);
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
