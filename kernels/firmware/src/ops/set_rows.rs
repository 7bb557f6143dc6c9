//! `SET_ROWS`: `dst[i03][i02][idx[i03 % ne12][i02 % ne11][i01]][..] = src0[i03][i02][i01][..]`, F32 to F32 or F16.
//!
//! All of it is NCRISC's work, over NoC 1: rows are small, and nothing is computed. Rows are cut into pieces of as many elements as the host says,
//! so that a token's few rows are the work of many cores. A core takes a contiguous range of pieces, numbered through all rows, in batches of
//! [`BATCH`]: the reads of indices and data of a batch run together, then its writes.
//!
//! It waits for nobody but its own requests.
//!
//! A row may be a single F16 (a transposed V cache): the NoC writes any number of bytes to any address, if the
//! source address agrees modulo 16, which staging sees to.

use crate::rt::elements::convert;
use crate::rt::l1::L1;
use crate::rt::launch::TileLaunch;
use crate::rt::mmio::order;
use crate::rt::noc::Noc;
use tt_kernel_abi::ahead::RING;
use tt_kernel_abi::launch::ErrorCode;
use tt_kernel_abi::matmul::share;
use tt_kernel_abi::rows::set_rows::{MAX_SET_PIECE, SetRowsParams};
use tt_kernel_abi::target::{CONGRUENCE, offset};
use tt_kernel_abi::{DramAddr, ElementType, OpDescriptor, TensorView, l1};

/// Rows in flight.
const BATCH: u32 = 32;
/// Bytes of a staged piece with its alignment offset.
const STAGE: u32 = MAX_SET_PIECE * 4 + CONGRUENCE;
/// Staged indices: 8 bytes and the offset that they come with.
const INDEX_STAGE: u32 = 2 * CONGRUENCE;

const INDICES: Area = Area(l1::HEAP, INDEX_STAGE);
const SOURCES: Area = Area(INDICES.0 + BATCH * INDEX_STAGE, STAGE);
const RESULTS: Area = Area(SOURCES.0 + BATCH * STAGE, STAGE);
const _: () =
    assert!(RESULTS.0 + BATCH * STAGE <= RING && (SOURCES.0 | RESULTS.0 | STAGE).is_multiple_of(CONGRUENCE));

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

/// Runs NCRISC's part.
pub fn run(launch: &TileLaunch, params: &SetRowsParams) {
    let (first, count) = share(params.pieces, launch.index, launch.op.cores);
    let mut rows = Rows { noc: Noc::new(1), launch, params };
    let end = first + count;
    for first in (first..end).step_by(BATCH as usize) {
        launch.progress(first);
        rows.copy(first, BATCH.min(end - first));
    }
    rows.noc.wait_writes();
}

/// A staging area: its first byte, and the bytes of a slot.
#[derive(Clone, Copy)]
struct Area(u32, u32);

impl Area {
    /// Where slot `n` receives `bytes` bytes that lie at `addr`.
    fn staged<'a>(self, launch: &'a TileLaunch, n: u32, addr: u64, bytes: u32) -> L1<'a> {
        launch.l1(self.0 + n * self.1, self.1).part(offset(addr), bytes)
    }
}

/// Bytes of an index.
fn index_bytes(op: &OpDescriptor) -> u32 {
    if op.src1.element_type() == Some(ElementType::I64) { 8 } else { 4 }
}

/// What is copied.
struct Rows<'a> {
    noc: Noc,
    launch: &'a TileLaunch<'a>,
    params: &'a SetRowsParams,
}

impl Rows<'_> {
    /// Piece `number` of all rows.
    fn piece(&self, number: u32) -> Piece {
        let (src, idx) = (&self.launch.op.src0, &self.launch.op.src1);
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
        let op = self.launch.op;
        let words = INDICES.staged(self.launch, n, piece.index_addr, index_bytes(op)).words();
        let low = words[0].load();
        // I32 indices are extended by their sign.
        let high = words.get(1).map_or(((low as i32) >> 31) as u32, |high| high.load());
        if high != 0 || low >= op.dst.ne[1] {
            self.launch.fail(ErrorCode::IndexOutOfRange, piece.number, low);
            return None;
        }
        Some(low)
    }

    /// Copies `count` pieces from piece `first` on.
    fn copy(&mut self, first: u32, count: u32) {
        let (launch, op) = (self.launch, self.launch.op);
        for n in 0..count {
            let piece = self.piece(first + n);
            let index = INDICES.staged(launch, n, piece.index_addr, index_bytes(op));
            self.noc.read_dram(DramAddr(piece.index_addr), index);
            self.noc
                .read_dram(DramAddr(piece.source), SOURCES.staged(launch, n, piece.source, 4 * piece.len));
        }
        self.noc.wait_reads();
        // The writes of the batch before have left their buffers.
        self.noc.wait_writes();
        let half = op.dst.element_type() == Some(ElementType::F16);
        let ty = if half { ElementType::F16 } else { ElementType::F32 };
        let size = ty.block_bytes();
        for n in 0..count {
            let piece = self.piece(first + n);
            let Some(index) = self.index(&piece, n) else { continue };
            let from = SOURCES.staged(launch, n, piece.source, 4 * piece.len);
            let to = op.dst.addr
                + u64::from(index) * op.dst.nb[1]
                + u64::from(piece.i2) * op.dst.nb[2]
                + u64::from(piece.i3) * op.dst.nb[3]
                + u64::from(piece.first * size);
            let staged = RESULTS.staged(launch, n, to, piece.len * size);
            convert((ElementType::F32, from), (ty, staged), piece.len);
            order();
            self.noc.write_dram(staged, DramAddr(to));
        }
    }
}
