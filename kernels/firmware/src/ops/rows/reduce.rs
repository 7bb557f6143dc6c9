//! `SUM_ROWS`, `MEAN`, `SUM`, `CUMSUM`, `ARGMAX`, `COUNT_EQUAL`: sums, running sums, largest elements, equal elements.

use super::{Row, unknown, write};
use crate::rt::heap::KEPT_BYTES;
use crate::rt::lane::Lane;
use crate::rt::math::sum;
use crate::rt::mmio::order;
use crate::rt::noc::Noc;
use crate::rt::rows::Port;
use tt_kernel_abi::OpDescriptor;
use tt_kernel_abi::elementwise::{MAX_PIECE, Piece, split_row};
use tt_kernel_abi::rows::reduce::{ReduceFunction, ReduceParams};

const _: () = assert!(2 * Port::BYTES <= KEPT_BYTES);

/// Runs one lane.
pub fn run(mut lane: Lane, params: &ReduceParams) {
    let Some(function) = ReduceFunction::from_code(params.function) else {
        return unknown(&lane, params.function);
    };
    match function {
        ReduceFunction::CountEqual => count_equal(&mut lane, params),
        _ => rows(&mut lane, params, function),
    }
}

fn rows(lane: &mut Lane, params: &ReduceParams, function: ReduceFunction) {
    let op = lane.launch.op;
    let (mut input, mut output) = (Port::new(&mut lane.heap), Port::new(&mut lane.heap));
    let (first, end) = match function {
        // One sum, one lane.
        ReduceFunction::SumAll if lane.index == 0 => (0, params.rows),
        ReduceFunction::SumAll => (0, 0),
        _ => lane.share(params.rows),
    };
    let mut total = 0.0;
    for number in first..end {
        lane.launch.progress(number);
        let mut row = Row::new(&mut input, &op.src0, number);
        match function {
            ReduceFunction::Sum => {
                let mut total = 0.0;
                row.each(&mut lane.noc, |_, _, x| total += sum(x, |x| x));
                single(&mut lane.noc, &mut output, op, number, total * params.scale);
            }
            ReduceFunction::SumAll => {
                row.each(&mut lane.noc, |_, _, x| total += sum(x, |x| x));
                if number + 1 == end {
                    single(&mut lane.noc, &mut output, op, 0, total);
                }
            }
            ReduceFunction::ArgMax => {
                let at = arg_max(&mut row, &mut lane.noc);
                index(&mut lane.noc, &mut output, op, number, at);
            }
            _ => {
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
        }
    }
}

/// `COUNT_EQUAL`: one lane counts for all, so that nobody has to add up what others have counted. It has one element for each token of
/// a batch to look at.
fn count_equal(lane: &mut Lane, params: &ReduceParams) {
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
            let pairs = x.words().iter().zip(y.words());
            equal += pairs.filter(|(x, y)| x.load() == y.load()).count() as u32;
            first += piece.len;
        }
    }
    let piece = Piece { row: [0; 3], first: 0, len: 1 };
    let words = a.raw_buffer(&op.dst, &piece).words();
    words[0].store(equal);
    words[1].store(0);
    order();
    a.send_raw(&mut lane.noc, &op.dst, &piece, 8);
}

/// Writes the only element of row `number` of the result.
fn single(noc: &mut Noc, port: &mut Port, op: &OpDescriptor, number: u32, value: f32) {
    let piece = Piece { row: split_row(&op.dst, number), first: 0, len: 1 };
    write(noc, port, &op.dst, &piece, |y| y[0] = value);
}

/// Writes element `number` of a row of I32.
fn index(noc: &mut Noc, port: &mut Port, op: &OpDescriptor, number: u32, value: u32) {
    let piece = Piece { row: [0; 3], first: number, len: 1 };
    port.raw_buffer(&op.dst, &piece).words()[0].store(value);
    order();
    port.send_raw(noc, &op.dst, &piece, 4);
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
