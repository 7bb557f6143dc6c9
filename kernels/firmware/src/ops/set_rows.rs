//! `SET_ROWS`: `dst[i03][i02][idx[i03 % ne12][i02 % ne11][i01]][..] = src0[i03][i02][i01][..]`, F32 to F32 or F16.
//!
//! All of it is NCRISC's work, over NoC 1: rows are small, and nothing is computed. A core takes a contiguous
//! range of source rows, numbered through all batches, in batches of [`BATCH`]: the reads of indices and data
//! of a batch run together, then its writes. Long rows go in pieces of [`PIECE`] elements.
//!
//! A row may be a single F16 (a transposed V cache): the NoC writes any number of bytes to any address, if the
//! source address agrees modulo 16, which staging sees to.

use crate::rt::elements::convert;
use crate::rt::l1::L1;
use crate::rt::launch::TileLaunch;
use crate::rt::mmio::order;
use crate::rt::noc::Noc;
use tt_kernel_abi::launch::ErrorCode;
use tt_kernel_abi::matmul::share;
use tt_kernel_abi::target::{CONGRUENCE, offset};
use tt_kernel_abi::{DramAddr, ElementType, OpDescriptor, l1};

/// Rows in flight.
const BATCH: u32 = 32;
/// Elements of a piece of a row.
const PIECE: u32 = 2048;
/// Bytes of a staged piece with its alignment offset.
const STAGE: u32 = PIECE * 4 + CONGRUENCE;
/// Staged indices: 8 bytes and the offset that they come with.
const INDEX_STAGE: u32 = 2 * CONGRUENCE;

const INDICES: Area = Area(l1::HEAP, INDEX_STAGE);
const SOURCES: Area = Area(INDICES.0 + BATCH * INDEX_STAGE, STAGE);
const RESULTS: Area = Area(SOURCES.0 + BATCH * STAGE, STAGE);
const _: () = assert!(
    RESULTS.0 + BATCH * STAGE <= l1::HEAP_END && (SOURCES.0 | RESULTS.0 | STAGE).is_multiple_of(CONGRUENCE)
);

/// A source row.
#[derive(Clone, Copy, Default)]
struct Row {
    number: u32,
    source: u64,
    index_addr: u64,
    i2: u32,
    i3: u32,
}

/// Runs NCRISC's part.
pub fn run(launch: &TileLaunch) {
    let op = launch.op;
    let rows = op.src0.ne[1] * op.src0.ne[2] * op.src0.ne[3];
    let (mut first, count) = share(rows, launch.index, op.cores);
    let end = first + count;
    let half = op.dst.element_type() == Some(ElementType::F16);
    let mut noc = Noc::new(1);
    while first < end {
        launch.progress(first);
        let batch = BATCH.min(end - first);
        read_indices(&mut noc, launch, first, batch);
        let mut element = 0;
        while element < op.src0.ne[0] {
            let piece = PIECE.min(op.src0.ne[0] - element);
            copy_batch(&mut noc, launch, first, batch, element, piece, half);
            element += piece;
        }
        first += batch;
    }
    noc.wait_writes();
}

/// Addresses that belong to source row `number`.
fn row(op: &OpDescriptor, number: u32) -> Row {
    let (src, idx) = (&op.src0, &op.src1);
    let (rest, i1) = (number / src.ne[1], number % src.ne[1]);
    let (i3, i2) = (rest / src.ne[2], rest % src.ne[2]);
    let at = |view: &tt_kernel_abi::TensorView, i: [u32; 3], first: usize| {
        let mut addr = view.addr;
        for (n, &index) in i.iter().enumerate() {
            addr += u64::from(index) * view.nb[first + n];
        }
        addr
    };
    Row {
        number,
        source: at(src, [i1, i2, i3], 1),
        index_addr: at(idx, [i1, i2 % idx.ne[1], i3 % idx.ne[2]], 0),
        i2,
        i3,
    }
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

fn read_indices(noc: &mut Noc, launch: &TileLaunch, first: u32, batch: u32) {
    let (op, bytes) = (launch.op, index_bytes(launch.op));
    for n in 0..batch {
        let row = row(op, first + n);
        let to = INDICES.staged(launch, n, row.index_addr, bytes);
        noc.read_dram(DramAddr(row.index_addr), to);
    }
    noc.wait_reads();
}

/// The index of a row, if it is one of dst's rows. Reports it otherwise.
fn index(launch: &TileLaunch, row: &Row, n: u32) -> Option<u32> {
    let op = launch.op;
    let words = INDICES.staged(launch, n, row.index_addr, index_bytes(op)).words();
    let low = words[0].load();
    // I32 indices are extended by their sign.
    let high = words.get(1).map_or(((low as i32) >> 31) as u32, |high| high.load());
    if high != 0 || low >= op.dst.ne[1] {
        launch.fail(ErrorCode::IndexOutOfRange, row.number, low);
        return None;
    }
    Some(low)
}

fn copy_batch(
    noc: &mut Noc,
    launch: &TileLaunch,
    first: u32,
    batch: u32,
    element: u32,
    piece: u32,
    half: bool,
) {
    let op = launch.op;
    for n in 0..batch {
        let addr = row(op, first + n).source + u64::from(element * 4);
        noc.read_dram(DramAddr(addr), SOURCES.staged(launch, n, addr, piece * 4));
    }
    noc.wait_reads();
    // The writes of the batch before have left their buffers.
    noc.wait_writes();
    let ty = if half { ElementType::F16 } else { ElementType::F32 };
    let size = ty.block_bytes();
    for n in 0..batch {
        let row = row(op, first + n);
        let Some(index) = index(launch, &row, n) else { continue };
        let from = SOURCES.staged(launch, n, row.source + u64::from(element * 4), piece * 4);
        let to = op.dst.addr
            + u64::from(index) * op.dst.nb[1]
            + u64::from(row.i2) * op.dst.nb[2]
            + u64::from(row.i3) * op.dst.nb[3]
            + u64::from(element * size);
        let staged = RESULTS.staged(launch, n, to, piece * size);
        convert((ElementType::F32, from), (ty, staged), piece);
        order();
        noc.write_dram(staged, DramAddr(to));
    }
}
