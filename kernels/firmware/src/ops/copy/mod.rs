//! Copies of any strides and shapes, byte for byte; between types as the host converts.
//!
//! ```text
//! DRAM -> run of the source in L1 -> piece of dst in L1 -> DRAM
//! ```
//!
//! A piece of the result is put together from runs of neighbouring source elements. If a row of the source is short
//! and a piece needs it several times, the row is fetched once.

mod activations;
mod tilize;
mod transpose;

use crate::rt::elements::{convert, copy_elements};
use crate::rt::heap;
use crate::rt::l1::{L1, fill};
use crate::rt::lane::Lane;
use crate::rt::mmio::order;
use crate::rt::rows::Port;
use tt_kernel_abi::copy::{CopyParams, DimMap, Mode};
use tt_kernel_abi::elementwise::{MAX_PIECE, Piece, split_row};
use tt_kernel_abi::{ElementType, TensorView};

/// Types of source and result, and where the next elements go.
struct Target<'a> {
    from: ElementType,
    to: ElementType,
    raw: L1<'a>,
}

// It leaves the ring of weights alone.
const _: () = assert!(2 * Port::BYTES <= heap::KEPT_BYTES);

/// Runs one lane.
pub fn run(mut lane: Lane, params: &CopyParams) {
    let op = lane.launch.op;
    let (Some(from), Some(to)) = (op.src0.element_type(), op.dst.element_type()) else { return };
    match params.mode() {
        Mode::Transposed => return transpose::run(lane, params, from, to),
        Mode::Tiles => return tilize::run(&mut lane, params, from),
        Mode::Activations => return activations::run(&mut lane, params),
        _ => {}
    }
    let (mut input, mut output) = (Port::new(&mut lane.heap), Port::new(&mut lane.heap));
    let (first, end) = lane.share(params.pieces.count);
    for number in first..end {
        lane.launch.progress(number);
        let piece = params.pieces.locate(&op.dst, number);
        if params.mode() == Mode::Convert {
            let values = input.fetch(&mut lane.noc, &op.src0, &piece);
            output.buffer(&op.dst, &piece).copy_from_slice(values);
            output.send(&mut lane.noc, &op.dst, &piece);
            continue;
        }
        let target = Target { from, to, raw: output.raw_buffer(&op.dst, &piece) };
        match params.mode() {
            Mode::Linear => linear(&mut lane, &mut input, &piece, &target),
            _ => by_dimension(&mut lane, &mut input, params, &piece, &target),
        }
        order();
        output.send_raw(&mut lane.noc, &op.dst, &piece, to.block_bytes());
    }
}

impl Target<'_> {
    /// Puts the first `n` elements of `raw` into elements `at` and on of the piece.
    fn put(&self, raw: L1, at: u32, n: u32) {
        let size = self.to.block_bytes();
        let to = self.raw.skip(at * size);
        match self.from == self.to {
            true => copy_elements(raw, to, n, size),
            false => convert((self.from, raw), (self.to, to), n),
        }
    }

    fn put_zeros(&self, at: u32, n: u32) {
        let size = self.to.block_bytes();
        fill(self.raw.part(at * size, n * size).elements::<u8>(), 0);
    }
}

/// Number of the first element of a piece, in ggml's order.
fn element_number(view: &TensorView, piece: &Piece) -> u64 {
    let [i1, i2, i3] = piece.row;
    let row = (u64::from(i3) * u64::from(view.ne[2]) + u64::from(i2)) * u64::from(view.ne[1]) + u64::from(i1);
    row * u64::from(view.ne[0]) + u64::from(piece.first)
}

fn linear(lane: &mut Lane, input: &mut Port, piece: &Piece, target: &Target) {
    let op = lane.launch.op;
    let src = &op.src0;
    let number = element_number(&op.dst, piece);
    let (mut row, mut first) =
        ((number / u64::from(src.ne[0])) as u32, (number % u64::from(src.ne[0])) as u32);
    let mut done = 0;
    while done < piece.len {
        let len = (src.ne[0] - first).min(piece.len - done);
        let run = Piece { row: split_row(src, row), first, len };
        let raw = input.fetch_raw(&mut lane.noc, src, &run, target.from.block_bytes());
        target.put(raw, done, len);
        done += len;
        first = 0;
        row += 1;
    }
}

fn by_dimension(lane: &mut Lane, input: &mut Port, params: &CopyParams, piece: &Piece, target: &Target) {
    let src = &lane.launch.op.src0;
    let mut row = [0; 3];
    for (dim, index) in row.iter_mut().enumerate() {
        match params.dim(dim + 1).source(piece.row[dim], src.ne[dim + 1]) {
            Some(source) => *index = source,
            None => return target.put_zeros(0, piece.len),
        }
    }
    let (map, ne0, size) = (params.dim(0), src.ne[0], target.from.block_bytes());
    let several = map.run(piece.first, ne0, piece.len) < piece.len;
    if several && ne0 <= MAX_PIECE {
        let kept = input.fetch_raw(&mut lane.noc, src, &Piece { row, first: 0, len: ne0 }, size);
        return each_run(map, ne0, piece, target, |first, at, len| {
            target.put(kept.skip(first * size), at, len);
        });
    }
    each_run(map, ne0, piece, target, |first, at, len| {
        let raw = input.fetch_raw(&mut lane.noc, src, &Piece { row, first, len }, size);
        target.put(raw, at, len);
    });
}

/// Gives runs of neighbours to `put`: the first one's element of the source and of the piece, and how many. Zeros are put where there are
/// none.
fn each_run(map: DimMap, ne0: u32, piece: &Piece, target: &Target, mut put: impl FnMut(u32, u32, u32)) {
    let mut done = 0;
    while done < piece.len {
        let len = map.run(piece.first + done, ne0, piece.len - done);
        match map.source(piece.first + done, ne0) {
            None => target.put_zeros(done, len),
            Some(first) => put(first, done, len),
        }
        done += len;
    }
}
