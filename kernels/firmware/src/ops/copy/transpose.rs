//! Copies of transposed matrices: what lies side by side in the source is a column of the result.
//!
//! A block of columns is fetched with one request a column, turned in L1, and sent with one request a row.

use super::Target;
use crate::rt::heap;
use crate::rt::lane::Lane;
use crate::rt::mmio::order;
use crate::rt::rows::{Port, address};
use tt_kernel_abi::copy::{BLOCK_COLUMNS, BLOCK_ROWS, CopyParams};
use tt_kernel_abi::elementwise::Piece;
use tt_kernel_abi::target::{CONGRUENCE, offset};
use tt_kernel_abi::{DramAddr, ElementType, OpDescriptor};

/// Bytes of a fetched column: elements of up to 8 bytes, and the offset that the NoC's alignment rule wants.
const COLUMN: u32 = BLOCK_ROWS * 8 + 2 * CONGRUENCE;

/// A block: rows and columns of one matrix.
struct Block {
    piece: Piece,
    rows: u32,
}

/// Block `number`, where a row of blocks stands for [`BLOCK_ROWS`] rows.
fn block(op: &OpDescriptor, params: &CopyParams, number: u32) -> Block {
    let (row, piece) = (number / params.pieces.per_row, number % params.pieces.per_row);
    let down = op.dst.ne[1].div_ceil(BLOCK_ROWS);
    let (rest, i1) = (row / down, row % down * BLOCK_ROWS);
    let first = piece * params.pieces.len;
    Block {
        piece: Piece {
            row: [i1, rest % op.dst.ne[2], rest / op.dst.ne[2]],
            first,
            len: params.pieces.len.min(op.dst.ne[0] - first),
        },
        rows: BLOCK_ROWS.min(op.dst.ne[1] - i1),
    }
}

// It leaves the ring of weights alone.
const _: () = assert!(BLOCK_COLUMNS * COLUMN + Port::BYTES <= heap::KEPT_BYTES);

/// Runs one lane.
pub fn run(mut lane: Lane, params: &CopyParams, from: ElementType, to: ElementType) {
    let op = lane.launch.op;
    let columns = lane.heap.take(BLOCK_COLUMNS * COLUMN);
    let mut output = Port::new(&mut lane.heap);
    let (first, end) = lane.share(params.pieces.count);
    for number in first..end {
        lane.launch.progress(number);
        let block = block(op, params, number);
        let column = |k: u32| {
            let at = address(&op.src0, &Piece { first: block.piece.first + k, ..block.piece });
            (at, columns.part(k * COLUMN + offset(at), block.rows * from.block_bytes()))
        };
        for k in 0..block.piece.len {
            let (at, l1) = column(k);
            lane.noc.read_dram(DramAddr(at), l1);
        }
        lane.noc.wait_reads();
        for r in 0..block.rows {
            let mut piece = block.piece;
            piece.row[0] += r;
            let target = Target { from, to, raw: output.raw_buffer(&op.dst, &piece) };
            for k in 0..piece.len {
                target.put(column(k).1.skip(r * from.block_bytes()), k, 1);
            }
            order();
            output.send_raw(&mut lane.noc, &op.dst, &piece, to.block_bytes());
        }
    }
}
