//! `GET_ROWS`: `dst[i12][i11][i10][..] = src0[i12][i11][src1[i12][i11][i10]][..]`; and `SET_ROWS`, the other way round,
//! for the types that [`crate::ops::set_rows`] does not write; and `ADD_ID`, which adds the rows that indices name, and the second
//! step of `GET_ROWS_BACK`, which adds to them.

use super::{unknown, write};
use crate::rt::heap::KEPT_BYTES;
use crate::rt::l1::{L1, copy};
use crate::rt::lane::Lane;
use crate::rt::mmio::order;
use crate::rt::rows::Port;
use tt_kernel_abi::elementwise::{MAX_PIECE, Piece, split_row};
use tt_kernel_abi::launch::ErrorCode;
use tt_kernel_abi::rows::gather::{GatherFunction, GatherParams};
use tt_kernel_abi::{ElementType, TensorView};

// All functions but `AddRows` leave the ring of weights alone.
const _: () = assert!(3 * Port::BYTES <= KEPT_BYTES);

/// Runs one lane.
pub fn run(mut lane: Lane, params: &GatherParams) {
    match GatherFunction::from_code(params.function) {
        Some(GatherFunction::GetRows) => get(&mut lane, params),
        Some(GatherFunction::SetRows) => set(&mut lane, params),
        Some(GatherFunction::AddId) => add_named(&mut lane, params),
        Some(GatherFunction::AddRows) => add_rows(&mut lane),
        None => unknown(&lane, params.function),
    }
}

/// `GET_ROWS`.
fn get(lane: &mut Lane, params: &GatherParams) {
    let op = lane.launch.op;
    let (mut input, mut output) = (Port::new(&mut lane.heap), Port::new(&mut lane.heap));
    let (first, end) = lane.share(params.rows);
    let raw_copy = op.src0.ty == op.dst.ty && op.dst.element_type() == Some(ElementType::I32);
    for number in first..end {
        lane.launch.progress(number);
        let [i10, i11, i12] = split_row(&op.dst, number);
        let at = Piece { row: [i11, i12, 0], first: i10, len: 1 };
        let index = input.fetch_word(&mut lane.noc, &op.src1, &at);
        if index >= op.src0.ne[1] {
            lane.launch.fail(ErrorCode::IndexOutOfRange, number, index);
            continue;
        }
        let mut done = 0;
        while done < op.dst.ne[0] {
            let len = MAX_PIECE.min(op.dst.ne[0] - done);
            let from = Piece { row: [index, i11, i12], first: done, len };
            let to = Piece { row: [i10, i11, i12], first: done, len };
            if raw_copy {
                let raw = input.fetch_raw(&mut lane.noc, &op.src0, &from, 4);
                copy(raw.words(), output.raw_buffer(&op.dst, &to).words());
                order();
                output.send_raw(&mut lane.noc, &op.dst, &to, 4);
            } else {
                let values = input.fetch(&mut lane.noc, &op.src0, &from);
                write(&mut lane.noc, &mut output, &op.dst, &to, |y| y.copy_from_slice(values));
            }
            done += len;
        }
    }
}

/// The index at a place of I32 or I64 ones, if it is less than `limit`. Reports it otherwise.
pub fn index(lane: &mut Lane, port: &mut Port, view: &TensorView, at: [u32; 3], limit: u32) -> Option<u32> {
    let size = view.element_type().map_or(4, ElementType::block_bytes);
    let [first, i1, i2] = at;
    let raw = port.fetch_raw(&mut lane.noc, view, &Piece { row: [i1, i2, 0], first, len: 1 }, size);
    let words = raw.words();
    let (low, high) = (words[0].load(), words.get(1).map_or(0, |high| high.load()));
    if high != 0 || low >= limit {
        lane.launch.fail(ErrorCode::IndexOutOfRange, first, low);
        return None;
    }
    Some(low)
}

/// `SET_ROWS`: rows of F32 to `dst[i3][i2][src1[i3 % ne12][i2 % ne11][i1]]`.
fn set(lane: &mut Lane, params: &GatherParams) {
    let op = lane.launch.op;
    let (mut input, mut output) = (Port::new(&mut lane.heap), Port::new(&mut lane.heap));
    let (first, end) = lane.share(params.rows);
    for number in first..end {
        lane.launch.progress(number);
        let [i1, i2, i3] = split_row(&op.src0, number);
        let at = [i1, i2 % op.src1.ne[1], i3 % op.src1.ne[2]];
        let Some(low) = index(lane, &mut input, &op.src1, at, op.dst.ne[1]) else { continue };
        let mut done = 0;
        while done < op.dst.ne[0] {
            let len = MAX_PIECE.min(op.dst.ne[0] - done);
            let values = input.fetch(&mut lane.noc, &op.src0, &Piece { row: [i1, i2, i3], first: done, len });
            let to = Piece { row: [low, i2, i3], first: done, len };
            write(&mut lane.noc, &mut output, &op.dst, &to, |y| y.copy_from_slice(values));
            done += len;
        }
    }
}

/// `ADD_ID`: `dst[i2][i1][..] = src0[i2][i1][..] + src1[more[0][i2][i1]][..]`.
fn add_named(lane: &mut Lane, params: &GatherParams) {
    let op = lane.launch.op;
    let (mut input, mut output) = (Port::new(&mut lane.heap), Port::new(&mut lane.heap));
    let mut named = Port::new(&mut lane.heap);
    let (first, end) = lane.share(params.rows);
    for number in first..end {
        lane.launch.progress(number);
        let row = split_row(&op.dst, number);
        let at = Piece { row: [row[1], 0, 0], first: row[0], len: 1 };
        let index = named.fetch_word(&mut lane.noc, &op.more[0], &at);
        if index >= op.src1.ne[1] {
            lane.launch.fail(ErrorCode::IndexOutOfRange, number, index);
            continue;
        }
        let mut done = 0;
        while done < op.dst.ne[0] {
            let piece = Piece { row, first: done, len: MAX_PIECE.min(op.dst.ne[0] - done) };
            let addends = named.fetch(&mut lane.noc, &op.src1, &Piece { row: [index, 0, 0], ..piece });
            let values = input.fetch(&mut lane.noc, &op.src0, &piece);
            write(&mut lane.noc, &mut output, &op.dst, &piece, |y| {
                for ((y, &x), &addend) in y.iter_mut().zip(values).zip(addends) {
                    *y = x + addend;
                }
            });
            done += piece.len;
        }
    }
}

/// Adds row i of src0 to row `src1[i]` of the result, one after the other. A lane has rows of the result for itself and looks for them
/// among all indices, so nobody else adds to them and the order of the sums is that of the indices.
fn add_rows(lane: &mut Lane) {
    let op = lane.launch.op;
    let (mut input, mut output) = (Port::new(&mut lane.heap), Port::new(&mut lane.heap));
    let (mut names, mut sums) = (Port::new(&mut lane.heap), Port::new(&mut lane.heap));
    let (mine, count) = (lane.share(op.dst.ne[1]), op.src1.ne[0]);
    let mut named = L1::EMPTY.words();
    for number in 0..count {
        lane.launch.progress(number);
        let piece = number % MAX_PIECE;
        if piece == 0 {
            let all = Piece { row: [0; 3], first: number, len: MAX_PIECE.min(count - number) };
            named = names.fetch_raw(&mut lane.noc, &op.src1, &all, 4).words();
        }
        let row = named[piece as usize].load();
        if row >= op.dst.ne[1] {
            // Every lane sees it.
            lane.launch.fail(ErrorCode::IndexOutOfRange, number, row);
        }
        if row < mine.0 || row >= mine.1 {
            continue;
        }
        let mut done = 0;
        while done < op.dst.ne[0] {
            let len = MAX_PIECE.min(op.dst.ne[0] - done);
            let to = Piece { row: [row, 0, 0], first: done, len };
            let addends = input.fetch(&mut lane.noc, &op.src0, &Piece { row: [number, 0, 0], ..to });
            let before = sums.fetch(&mut lane.noc, &op.dst, &to);
            write(&mut lane.noc, &mut output, &op.dst, &to, |y| {
                for ((y, &x), &addend) in y.iter_mut().zip(before).zip(addends) {
                    *y = x + addend;
                }
            });
            done += len;
        }
    }
}
