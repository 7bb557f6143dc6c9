//! `SET_ROWS`: `dst[i03][i02][idx[i03 % ne12][i02 % ne11][i01]][..] = src0[i03][i02][i01][..]`, F32 to F32 or F16.
//!
//! All of it is NCRISC's work, over NoC 1: rows are small, and nothing is computed. A core takes a contiguous
//! range of source rows, numbered through all batches, in batches of [`BATCH`]: the reads of indices and data
//! of a batch run together, then its writes. Long rows go in pieces of [`PIECE`] elements.
//!
//! A row may be a single F16 (a transposed V cache): the NoC writes any number of bytes to any address, if the
//! source address agrees modulo 16, which staging sees to.

use crate::rt::launch::Launch;
use crate::rt::mmio::{load, order, store, store16};
use crate::rt::noc::Noc;
use tt_kernel_abi::launch::ErrorCode;
use tt_kernel_abi::matmul::share;
use tt_kernel_abi::target::{CONGRUENCE, offset};
use tt_kernel_abi::{DramAddr, ElementType, OpDescriptor, l1};
use tt_kernel_numerics::num::f32_to_f16;

/// Rows in flight.
const BATCH: u32 = 32;
/// Elements of a piece of a row.
const PIECE: u32 = 2048;
/// Bytes of a staged piece with its alignment offset.
const STAGE: u32 = PIECE * 4 + CONGRUENCE;
/// Staged indices: 8 bytes and the offset that they come with.
const INDEX_STAGE: u32 = 2 * CONGRUENCE;

const INDICES: u32 = l1::HEAP;
const SOURCES: u32 = INDICES + BATCH * INDEX_STAGE;
const RESULTS: u32 = SOURCES + BATCH * STAGE;
const _: () = assert!(
    RESULTS + BATCH * STAGE <= l1::HEAP_END && (SOURCES | RESULTS | STAGE).is_multiple_of(CONGRUENCE)
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
pub fn run(launch: &Launch) {
    let op = launch.op;
    let rows = op.src0.ne[1] * op.src0.ne[2] * op.src0.ne[3];
    let (mut first, count) = share(rows, launch.index, op.cores);
    let end = first + count;
    let half = op.dst.element_type() == Some(ElementType::F16);
    let mut noc = Noc::new(1);
    while first < end {
        launch.progress(first);
        let batch = BATCH.min(end - first);
        read_indices(&mut noc, op, first, batch);
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

/// Where slot `n` of a staging area receives what lies at `addr`.
fn staged(area: u32, n: u32, size: u32, addr: u64) -> u32 {
    area + n * size + offset(addr)
}

fn read_indices(noc: &mut Noc, op: &OpDescriptor, first: u32, batch: u32) {
    let bytes = if op.src1.element_type() == Some(ElementType::I64) { 8 } else { 4 };
    for n in 0..batch {
        let row = row(op, first + n);
        noc.read_dram(DramAddr(row.index_addr), staged(INDICES, n, INDEX_STAGE, row.index_addr), bytes);
    }
    noc.wait_reads();
}

/// The index of a row, if it is one of dst's rows. Reports it otherwise.
fn index(launch: &Launch, row: &Row, n: u32) -> Option<u32> {
    let op = launch.op;
    let at = staged(INDICES, n, INDEX_STAGE, row.index_addr);
    let low = load(at);
    // I32 indices are extended by their sign.
    let high = match op.src1.element_type() {
        Some(ElementType::I64) => load(at + 4),
        _ => ((low as i32) >> 31) as u32,
    };
    if high != 0 || low >= op.dst.ne[1] {
        launch.fail(ErrorCode::IndexOutOfRange, row.number, low);
        return None;
    }
    Some(low)
}

fn copy_batch(noc: &mut Noc, launch: &Launch, first: u32, batch: u32, element: u32, piece: u32, half: bool) {
    let op = launch.op;
    for n in 0..batch {
        let addr = row(op, first + n).source + u64::from(element * 4);
        noc.read_dram(DramAddr(addr), staged(SOURCES, n, STAGE, addr), piece * 4);
    }
    noc.wait_reads();
    // The writes of the batch before have left their buffers.
    noc.wait_writes();
    let size = if half { 2 } else { 4 };
    for n in 0..batch {
        let row = row(op, first + n);
        let Some(index) = index(launch, &row, n) else { continue };
        let from = staged(SOURCES, n, STAGE, row.source + u64::from(element * 4));
        let to = op.dst.addr
            + u64::from(index) * op.dst.nb[1]
            + u64::from(row.i2) * op.dst.nb[2]
            + u64::from(row.i3) * op.dst.nb[3]
            + u64::from(element * size);
        let staged = staged(RESULTS, n, STAGE, to);
        for i in 0..piece {
            let value = load(from + 4 * i);
            match half {
                true => store16(staged + 2 * i, f32_to_f16(value)),
                false => store(staged + 4 * i, value),
            }
        }
        order();
        noc.write_dram(staged, DramAddr(to), piece * size);
    }
}
