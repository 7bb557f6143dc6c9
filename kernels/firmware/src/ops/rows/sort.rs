//! `ARGSORT` and `TOP_K`: a merge sort of indices by integer keys that order as the floats do.
//!
//! If only a few of many are wanted, the best ones so far are kept in order, and most elements are compared with the last of these only.
//!
//! Rows that do not fit a core's memory are cut into runs, which lanes sort on their own; [`super::merge`] makes one of
//! them.

use core::ops::Range;

use super::{merge, unknown};
use crate::rt::heap::{Heap, KEPT_BYTES};
use crate::rt::lane::Lane;
use crate::rt::mmio::order;
use crate::rt::rows::Port;
use tt_kernel_abi::elementwise::{MAX_PIECE, Piece, split_row};
use tt_kernel_abi::rows::sort::{MAX_KEPT_SORT, SortFunction, SortParams};

/// An integer that is ordered as the float is; descending order is that of the complement.
fn key(x: f32, descending: bool) -> u32 {
    let bits = x.to_bits();
    let ordered = if bits >> 31 == 1 { !bits } else { bits | 0x8000_0000 };
    if descending { !ordered } else { ordered }
}

/// So many are picked out without sorting the others.
const FEW: u32 = 64;

const _: () = assert!(Port::BYTES + 3 * 4 * MAX_KEPT_SORT <= KEPT_BYTES);

/// What a run is sorted in: keys by element, and two rows of indices.
struct Buffers {
    keys: &'static mut [u32],
    a: &'static mut [u32],
    b: &'static mut [u32],
}

impl Buffers {
    /// For so many elements.
    fn new(heap: &mut Heap, len: u32) -> Self {
        Self { keys: heap.words(len), a: heap.words(len), b: heap.words(len) }
    }

    /// Sorts `len` elements of a row of src0 from `start` on; gives keys by element, and the numbers of the first `wanted` in the
    /// run in order.
    #[inline(never)]
    fn sorted(
        &mut self,
        lane: &mut Lane,
        port: &mut Port,
        row: [u32; 3],
        (start, len, wanted): (u32, u32, u32),
        descending: bool,
    ) -> (&[u32], &[u32]) {
        let few = wanted <= FEW && wanted < len;
        let mut picked = 0;
        let mut done = 0;
        while done < len {
            let piece = Piece { row, first: start + done, len: MAX_PIECE.min(len - done) };
            let values = port.fetch(&mut lane.noc, &lane.launch.op.src0, &piece);
            for (key_of, &x) in self.keys[done as usize..].iter_mut().zip(values) {
                *key_of = key(x, descending);
            }
            if few {
                picked = self.pick(done..done + piece.len, picked, wanted as usize);
            }
            done += piece.len;
        }
        if few {
            return (self.keys, &self.a[..picked]);
        }
        let n = len as usize;
        for (i, index) in (0..).zip(self.a[..n].iter_mut()) {
            *index = i;
        }
        (self.keys, sort(self.keys, &mut self.a[..n], &mut self.b[..n]))
    }

    /// Puts elements that are among the first `wanted` so far into their places in `a`, behind equal ones; gives how many there
    /// are now.
    fn pick(&mut self, elements: Range<u32>, mut picked: usize, wanted: usize) -> usize {
        // The last one that is still wanted.
        let mut bound = if picked == wanted { self.keys[self.a[picked - 1] as usize] } else { u32::MAX };
        for element in elements {
            let key = self.keys[element as usize];
            if key >= bound && picked == wanted {
                continue;
            }
            picked = wanted.min(picked + 1);
            let mut place = picked - 1;
            while place > 0 && self.keys[self.a[place - 1] as usize] > key {
                self.a[place] = self.a[place - 1];
                place -= 1;
            }
            self.a[place] = element;
            bound = self.keys[self.a[picked - 1] as usize];
        }
        picked
    }
}

/// Runs one lane.
pub fn run(mut lane: Lane, params: &SortParams) {
    match SortFunction::from_code(params.function) {
        Some(SortFunction::Row) => rows(&mut lane, params),
        Some(SortFunction::Runs) => runs(&mut lane, params),
        Some(SortFunction::Merge) => merge::run(&mut lane, params),
        None => unknown(&lane, params.function),
    }
}

/// One lane's rows.
fn rows(lane: &mut Lane, params: &SortParams) {
    let op = lane.launch.op;
    let mut port = Port::new(&mut lane.heap);
    let mut buffers = Buffers::new(&mut lane.heap, op.src0.ne[0]);
    let (first, end) = lane.share(params.rows);
    for number in first..end {
        lane.launch.progress(number);
        let row = split_row(&op.src0, number);
        let (_, sorted) =
            buffers.sorted(lane, &mut port, row, (0, op.src0.ne[0], params.wanted), params.descending != 0);
        send(lane, &mut port, number, (0, params.wanted), &|i| sorted[i as usize]);
    }
}

/// One lane's runs.
fn runs(lane: &mut Lane, params: &SortParams) {
    let op = lane.launch.op;
    let mut port = Port::new(&mut lane.heap);
    let mut buffers = Buffers::new(&mut lane.heap, params.run);
    let (first, end) = lane.share(params.rows);
    for number in first..end {
        lane.launch.progress(number);
        let (row, run) = (split_row(&op.src0, number / op.dst.ne[1]), number % op.dst.ne[1]);
        let start = run * params.run;
        let len = params.run.min(op.src0.ne[0] - start);
        let (kept, wanted) = (params.wanted.min(len), params.wanted);
        let (keys, sorted) = buffers.sorted(lane, &mut port, row, (start, len, kept), params.descending != 0);
        send(lane, &mut port, number, (0, kept), &|i| keys[sorted[i as usize] as usize]);
        send(lane, &mut port, number, (wanted, kept), &|i| start + sorted[i as usize]);
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
            merge_two(keys, &from[start..middle], &from[middle..end], &mut to[start..end]);
            start = end;
        }
        (from, to) = (to, from);
        width *= 2;
    }
    from
}

fn merge_two(keys: &[u32], left: &[u32], right: &[u32], out: &mut [u32]) {
    let (mut l, mut r) = (0, 0);
    for out in out {
        let take_left =
            r == right.len() || (l < left.len() && keys[left[l] as usize] <= keys[right[r] as usize]);
        *out = if take_left { left[l] } else { right[r] };
        l += usize::from(take_left);
        r += usize::from(!take_left);
    }
}

/// Sends words `first` and `len` more of row `number` of the result; `word` gives them, counted from `first`.
pub fn send(
    lane: &mut Lane,
    port: &mut Port,
    number: u32,
    (first, len): (u32, u32),
    word: &dyn Fn(u32) -> u32,
) {
    let dst = &lane.launch.op.dst;
    let row = split_row(dst, number);
    let mut done = 0;
    while done < len {
        let piece = Piece { row, first: first + done, len: MAX_PIECE.min(len - done) };
        let words = port.raw_buffer(dst, &piece).words();
        (done..done + piece.len).zip(words).for_each(|(i, to)| to.store(word(i)));
        order();
        port.send_raw(&mut lane.noc, dst, &piece, 4);
        done += piece.len;
    }
}
