//! `SET_ROWS`: `dst[i03][i02][idx[i03 % ne12][i02 % ne11][i01]][..] = src0[i03][i02][i01][..]`, F32 to F32 or F16.
//!
//! Rows are cut into pieces of as many elements as the host says, so that a token's few rows are the work of many tiles. A lane takes a contiguous range of pieces, numbered
//! through all rows, in batches of [`BATCH`]: the reads of indices and data of a batch run together, then its writes. The row of a single token is NCRISCs' work, and leaves
//! BRISCs their time for the weights of products that follow.
//!
//! A lane waits for nobody but its own requests.
//!
//! A row may be a single F16 (a transposed V cache): the NoC writes any number of bytes to any address, if the
//! source address agrees modulo 16, which staging sees to.

use crate::rt::elements::convert;
use crate::rt::heap::{Heap, KEPT_BYTES};
use crate::rt::l1::L1;
use crate::rt::lane::Lane;
use crate::rt::mmio::order;
use tt_kernel_abi::launch::ErrorCode;
use tt_kernel_abi::matmul::share;
use tt_kernel_abi::rows::set_rows::{MAX_SET_PIECE, SetRowsParams};
use tt_kernel_abi::target::{CONGRUENCE, offset};
use tt_kernel_abi::{DramAddr, ElementType, OpDescriptor, TensorView};

/// Pieces in flight.
const BATCH: u32 = 16;
/// Bytes of a staged piece with its alignment offset.
const STAGE: u32 = MAX_SET_PIECE * 4 + CONGRUENCE;
/// Staged indices: 8 bytes and the offset that they come with.
const INDEX_STAGE: u32 = 2 * CONGRUENCE;

// It leaves the ring of weights alone.
const _: () = assert!(BATCH * (INDEX_STAGE + 2 * STAGE) <= KEPT_BYTES && STAGE.is_multiple_of(CONGRUENCE));

/// A piece of a source row.
#[derive(Clone, Copy)]
struct Piece {
    /// Of the row.
    number: u32,
    source: u64,
    index_addr: u64,
    i2: u32,
    i3: u32,
    /// First element, and elements.
    first: u32,
    len: u32,
}

/// Runs one lane.
pub fn run(lane: Lane, params: &SetRowsParams) {
    let (first, end) = pieces(&lane, params.pieces);
    let mut rows = Rows::new(lane, params);
    for first in (first..end).step_by(BATCH as usize) {
        rows.lane.launch.progress(first);
        rows.copy(first, BATCH.min(end - first));
    }
    rows.lane.noc.wait_writes();
}

/// A lane's part of `total` pieces: first and end. If tiles have one each at most, these are NCRISCs'.
fn pieces(lane: &Lane, total: u32) -> (u32, u32) {
    let tiles = lane.launch.op.cores;
    if total > tiles {
        return lane.share(total);
    }
    let Some(tile) = lane.index.checked_sub(tiles) else { return (0, 0) };
    let (first, count) = share(total, tile, tiles);
    (first, first + count)
}

/// A staging area, and the bytes of a slot.
#[derive(Clone, Copy)]
struct Area(L1<'static>, u32);

impl Area {
    fn new(heap: &mut Heap, slot: u32) -> Self {
        Self(heap.take(BATCH * slot), slot)
    }

    /// Where slot `n` receives `bytes` bytes that lie at `addr`.
    fn staged(self, n: u32, addr: u64, bytes: u32) -> L1<'static> {
        self.0.part(n * self.1, self.1).part(offset(addr), bytes)
    }
}

/// Bytes of an index.
fn index_bytes(op: &OpDescriptor) -> u32 {
    if op.src1.element_type() == Some(ElementType::I64) { 8 } else { 4 }
}

/// What is copied.
struct Rows<'a> {
    lane: Lane<'a>,
    params: &'a SetRowsParams,
    indices: Area,
    sources: Area,
    results: Area,
}

impl<'a> Rows<'a> {
    fn new(mut lane: Lane<'a>, params: &'a SetRowsParams) -> Self {
        let [indices, sources, results] =
            [INDEX_STAGE, STAGE, STAGE].map(|slot| Area::new(&mut lane.heap, slot));
        Self { lane, params, indices, sources, results }
    }

    /// Piece `number` of all rows.
    fn piece(&self, number: u32) -> Piece {
        let (src, idx) = (&self.lane.launch.op.src0, &self.lane.launch.op.src1);
        let SetRowsParams { per_row, len, .. } = *self.params;
        let (number, first) = (number / per_row, number % per_row * len);
        let (rest, i1) = (number / src.ne[1], number % src.ne[1]);
        let (i3, i2) = (rest / src.ne[2], rest % src.ne[2]);
        let at = |view: &TensorView, i: [u32; 3], first: usize| {
            i.iter().zip(&view.nb[first..]).fold(view.addr, |addr, (&i, nb)| addr + u64::from(i) * nb)
        };
        Piece {
            number,
            source: at(src, [i1, i2, i3], 1) + u64::from(4 * first),
            index_addr: at(idx, [i1, i2 % idx.ne[1], i3 % idx.ne[2]], 0),
            i2,
            i3,
            first,
            len: len.min(src.ne[0] - first),
        }
    }

    /// The index of a piece's row, which is in slot `n`, if it is one of dst's rows. Reports it otherwise.
    fn index(&self, piece: &Piece, n: u32) -> Option<u32> {
        let op = self.lane.launch.op;
        let words = self.indices.staged(n, piece.index_addr, index_bytes(op)).words();
        let low = words[0].load();
        // I32 indices are extended by their sign.
        let high = words.get(1).map_or(((low as i32) >> 31) as u32, |high| high.load());
        if high != 0 || low >= op.dst.ne[1] {
            self.lane.launch.fail(ErrorCode::IndexOutOfRange, piece.number, low);
            return None;
        }
        Some(low)
    }

    /// Copies `count` pieces from piece `first` on.
    fn copy(&mut self, first: u32, count: u32) {
        let op = self.lane.launch.op;
        for n in 0..count {
            let piece = self.piece(first + n);
            let index = self.indices.staged(n, piece.index_addr, index_bytes(op));
            let source = self.sources.staged(n, piece.source, 4 * piece.len);
            self.lane.noc.read_dram(DramAddr(piece.index_addr), index);
            self.lane.noc.read_dram(DramAddr(piece.source), source);
        }
        self.lane.noc.wait_reads();
        // The writes of the batch before have left their buffers.
        self.lane.noc.wait_writes();
        let half = op.dst.element_type() == Some(ElementType::F16);
        let ty = if half { ElementType::F16 } else { ElementType::F32 };
        let size = ty.block_bytes();
        for n in 0..count {
            let piece = self.piece(first + n);
            let Some(index) = self.index(&piece, n) else { continue };
            let from = self.sources.staged(n, piece.source, 4 * piece.len);
            let to = op.dst.addr
                + u64::from(index) * op.dst.nb[1]
                + u64::from(piece.i2) * op.dst.nb[2]
                + u64::from(piece.i3) * op.dst.nb[3]
                + u64::from(piece.first * size);
            let staged = self.results.staged(n, to, piece.len * size);
            convert((ElementType::F32, from), (ty, staged), piece.len);
            order();
            self.lane.noc.write_dram(staged, DramAddr(to));
        }
    }
}
