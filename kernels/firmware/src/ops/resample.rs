//! `UPSCALE`: images made larger or smaller, in FP32.
//!
//! ```text
//! DRAM -> row of the source -> its columns weighted -> rows weighted -> piece of the result -> DRAM
//! ```
//!
//! Rows of the result that follow each other are made of the same source rows: those with weighted columns are kept.

use crate::rt::heap::{self, Heap};
use crate::rt::lane::Lane;
use crate::rt::noc::Noc;
use crate::rt::rows::Port;
use tt_kernel_abi::TensorView;
use tt_kernel_abi::elementwise::{MAX_PIECE, Piece};
use tt_kernel_abi::launch::ErrorCode;
use tt_kernel_abi::resample::{Filter, MAX_TAPS, ResampleParams, nearest, taps};

/// Rows that are kept.
const KEPT: usize = 4;

const _: () = assert!(8 * MAX_TAPS + KEPT as u32 * 4 * MAX_PIECE + 2 * Port::BYTES <= heap::BYTES);

/// Columns of a piece: the indices and weights of each element, side by side.
struct Columns {
    first: Option<u32>,
    len: usize,
    indices: &'static mut [u32],
    weights: &'static mut [f32],
}

impl Columns {
    fn new(heap: &mut Heap) -> Self {
        Self { first: None, len: 0, indices: heap.words(MAX_TAPS), weights: heap.floats(MAX_TAPS) }
    }

    /// Makes them for a piece, unless they are there; says if they are new.
    fn prepare(&mut self, filter: Filter, params: &ResampleParams, n: u32, piece: &Piece) -> bool {
        if self.first == Some(piece.first) {
            return false;
        }
        (self.first, self.len) = (Some(piece.first), piece.len as usize);
        let width = params.taps as usize;
        let slots = self.indices.chunks_exact_mut(width).zip(self.weights.chunks_exact_mut(width));
        for (i, (indices, weights)) in (piece.first..piece.first + piece.len).zip(slots) {
            indices.fill(0);
            weights.fill(0.0);
            let mut next = indices.iter_mut().zip(weights);
            taps(filter, i, params.scale[0], params.centre, n, &mut |at, by| {
                if let Some((index, weight)) = next.next() {
                    (*index, *weight) = (at, by);
                }
            });
        }
        true
    }

    /// Weighted sums of the elements of a row.
    fn apply(&self, width: usize, row: &[f32], out: &mut [f32]) {
        let slots = self.indices.chunks_exact(width).zip(self.weights.chunks_exact(width));
        for (out, (indices, weights)) in out[..self.len].iter_mut().zip(slots) {
            *out = match width {
                1 => row[indices[0] as usize],
                _ => indices.iter().zip(weights).fold(0.0, |sum, (&i, &w)| sum + row[i as usize] * w),
            };
        }
    }
}

/// Source rows with weighted columns.
struct Kept {
    rows: [&'static mut [f32]; KEPT],
    keys: [Option<[u32; 3]>; KEPT],
    next: usize,
}

impl Kept {
    fn new(heap: &mut Heap) -> Self {
        Self { rows: core::array::from_fn(|_| heap.floats(MAX_PIECE)), keys: [None; KEPT], next: 0 }
    }

    /// The row with these indices.
    fn row(
        &mut self,
        noc: &mut Noc,
        port: &mut Port,
        src: &TensorView,
        columns: &Columns,
        width: usize,
        key: [u32; 3],
    ) -> &[f32] {
        let slot = match self.keys.iter().position(|&kept| kept == Some(key)) {
            Some(slot) => slot,
            None => {
                let slot = self.next;
                self.next = (slot + 1) % KEPT;
                self.keys[slot] = Some(key);
                let row = port.fetch(noc, src, &Piece { row: key, first: 0, len: src.ne[0] });
                columns.apply(width, row, self.rows[slot]);
                slot
            }
        };
        self.rows[slot]
    }
}

/// Runs one lane.
pub fn run(mut lane: Lane, params: &ResampleParams) {
    let op = lane.launch.op;
    let Some(filter) = Filter::from_code(params.pieces.function) else {
        return lane.launch.fail(ErrorCode::BadDescriptor, 0, params.pieces.function);
    };
    let mut columns = Columns::new(&mut lane.heap);
    let mut kept = Kept::new(&mut lane.heap);
    let (mut input, mut output) = (Port::new(&mut lane.heap), Port::new(&mut lane.heap));
    let width = params.taps as usize;
    let (first, end) = lane.share(params.pieces.count);
    for number in first..end {
        lane.launch.progress(number);
        let piece = params.pieces.locate(&op.dst, number);
        if columns.prepare(filter, params, op.src0.ne[0], &piece) {
            kept.keys = [None; KEPT];
        }
        let [i1, i2, i3] = piece.row;
        let slice = nearest(i2, params.scale[2], op.src0.ne[2]);
        let image = nearest(i3, params.scale[3], op.src0.ne[3]);
        let out = output.buffer(&op.dst, &piece);
        out.fill(0.0);
        taps(filter, i1, params.scale[1], params.centre, op.src0.ne[1], &mut |y, weight| {
            let key = [y, slice, image];
            let row = kept.row(&mut lane.noc, &mut input, &op.src0, &columns, width, key);
            match weight == 1.0 {
                true => out.copy_from_slice(&row[..out.len()]),
                false => out.iter_mut().zip(row).for_each(|(out, &x)| *out += x * weight),
            }
        });
        output.send(&mut lane.noc, &op.dst, &piece);
    }
}
