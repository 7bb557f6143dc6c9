//! `ARGSORT` and `TOP_K`: a merge sort of indices by integer keys that order as the floats do.

use super::Row;
use crate::rt::lane::Lane;
use crate::rt::mmio::{order, store};
use crate::rt::rows::Port;
use tt_kernel_abi::elementwise::{MAX_PIECE, Piece, split_row};
use tt_kernel_abi::rows::{MAX_SORT, RowsParams};

/// An integer that is ordered as the float is; descending order is that of the complement.
fn key(x: f32, descending: bool) -> u32 {
    let bits = x.to_bits();
    let ordered = if bits >> 31 == 1 { !bits } else { bits | 0x8000_0000 };
    if descending { !ordered } else { ordered }
}

/// Runs one lane.
pub fn run(lane: &mut Lane, params: &RowsParams) {
    let op = lane.launch.op;
    let n = op.src0.ne[0] as usize;
    let mut port = Port::new(&mut lane.heap);
    let keys = lane.heap.words(MAX_SORT);
    let (a, b) = (lane.heap.words(MAX_SORT), lane.heap.words(MAX_SORT));
    let (first, end) = lane.share(params.rows);
    for number in first..end {
        lane.launch.progress(number);
        let mut row = Row::new(&mut port, &op.src0, number);
        row.each(&mut lane.noc, |_, piece, x| {
            for (key_of, &x) in keys[piece.first as usize..].iter_mut().zip(x) {
                *key_of = key(x, params.u[0] != 0);
            }
        });
        for (i, index) in (0..).zip(a[..n].iter_mut()) {
            *index = i;
        }
        let sorted = sort(keys, &mut a[..n], &mut b[..n]);
        send(lane, &mut port, number, &sorted[..params.u[1] as usize]);
    }
}

/// Sorts the indices in `a` by their keys, equal ones in their order, with `b` to help; gives whichever has the result.
fn sort<'a>(keys: &[u32], a: &'a mut [u32], b: &'a mut [u32]) -> &'a [u32] {
    let (mut from, mut to) = (a, b);
    let mut width = 1;
    while width < from.len() {
        let mut start = 0;
        while start < from.len() {
            let middle = (start + width).min(from.len());
            let end = (middle + width).min(from.len());
            merge(keys, &from[start..middle], &from[middle..end], &mut to[start..end]);
            start = end;
        }
        (from, to) = (to, from);
        width *= 2;
    }
    from
}

fn merge(keys: &[u32], left: &[u32], right: &[u32], out: &mut [u32]) {
    let (mut l, mut r) = (0, 0);
    for out in out {
        let take_left =
            r == right.len() || (l < left.len() && keys[left[l] as usize] <= keys[right[r] as usize]);
        *out = if take_left { left[l] } else { right[r] };
        l += usize::from(take_left);
        r += usize::from(!take_left);
    }
}

fn send(lane: &mut Lane, port: &mut Port, number: u32, indices: &[u32]) {
    let dst = &lane.launch.op.dst;
    let row = split_row(dst, number);
    for (i, chunk) in (0..).zip(indices.chunks(MAX_PIECE as usize)) {
        let piece = Piece { row, first: i * MAX_PIECE, len: chunk.len() as u32 };
        let raw = port.raw_room(dst, &piece);
        for (k, &index) in (0..).zip(chunk) {
            store(raw + 4 * k, index);
        }
        order();
        port.send_raw(&mut lane.noc, dst, &piece, 4, raw);
    }
}
