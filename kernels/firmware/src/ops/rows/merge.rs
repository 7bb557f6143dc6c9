//! `ARGSORT` and `TOP_K` of long rows, second step: sorted runs become one.
//!
//! ```text
//! DRAM: keys and indices of each run -> a window of each in L1 -> the least head, again and again -> DRAM
//! ```

use super::sort::send;
use crate::rt::lane::Lane;
use crate::rt::rows::Port;
use tt_kernel_abi::TensorView;
use tt_kernel_abi::elementwise::{MAX_PIECE, Piece, split_row};
use tt_kernel_abi::rows::sort::{MAX_RUNS, SortParams};

/// Elements of a run that are in L1.
const WINDOW: u32 = 256;

/// The runs of a row: windows one after the other, and how many elements have been taken of each run.
struct Runs<'a> {
    pairs: &'a TensorView,
    port: Port,
    keys: &'static mut [u32],
    indices: &'static mut [u32],
    taken: &'static mut [u32],
    /// The row, and its elements.
    number: u32,
    ne0: u32,
    /// Elements of a run.
    run: u32,
}

impl<'a> Runs<'a> {
    fn new(lane: &mut Lane, pairs: &'a TensorView, [ne0, run]: [u32; 2]) -> Self {
        let count = pairs.ne[1].min(MAX_RUNS);
        Self {
            pairs,
            port: Port::new(&mut lane.heap),
            keys: lane.heap.words(count * WINDOW),
            indices: lane.heap.words(count * WINDOW),
            taken: lane.heap.words(count),
            number: 0,
            ne0,
            run,
        }
    }

    /// Begins with row `number`.
    fn begin(&mut self, lane: &mut Lane, number: u32) {
        self.number = number;
        self.taken.fill(0);
        (0..self.taken.len() as u32).for_each(|run| self.refill(lane, run));
    }

    /// Elements of a run: its first ones if not all are wanted.
    fn len(&self, run: u32) -> u32 {
        self.run.min(self.ne0 - run * self.run).min(self.pairs.ne[0] / 2)
    }

    /// Where a run's head is in its windows.
    fn head(&self, run: u32) -> usize {
        (run * WINDOW + self.taken[run as usize] % WINDOW) as usize
    }

    /// Brings the next window of a run, if its head is the first of one.
    #[inline(never)]
    fn refill(&mut self, lane: &mut Lane, run: u32) {
        let taken = self.taken[run as usize];
        let len = WINDOW.min(self.len(run) - taken);
        if len == 0 || !taken.is_multiple_of(WINDOW) {
            return;
        }
        let row = split_row(self.pairs, self.number * self.pairs.ne[1] + run);
        let head = self.head(run);
        // Indices follow as many keys as a run may have.
        for (words, first) in [(&mut *self.keys, 0), (&mut *self.indices, self.pairs.ne[0] / 2)] {
            let piece = Piece { row, first: first + taken, len };
            let raw = self.port.fetch_raw(&mut lane.noc, self.pairs, &piece, 4);
            words[head..].iter_mut().zip(raw.words()).for_each(|(word, from)| *word = from.load());
        }
    }

    /// Takes the least head, the first one of equals. There is one, since a row has as many elements as are wanted.
    fn next(&mut self, lane: &mut Lane) -> u32 {
        let left = |run: &u32| self.taken[*run as usize] < self.len(*run);
        let heads = (0..self.taken.len() as u32).filter(left);
        let Some(run) = heads.min_by_key(|&run| self.keys[self.head(run)]) else { return 0 };
        let index = self.indices[self.head(run)];
        self.taken[run as usize] += 1;
        self.refill(lane, run);
        index
    }
}

/// Runs one lane.
pub fn run(lane: &mut Lane, params: &SortParams) {
    let SortParams { row, wanted, run, .. } = *params;
    let mut runs = Runs::new(lane, &lane.launch.op.src0, [row, run]);
    let mut output = Port::new(&mut lane.heap);
    let out = lane.heap.words(MAX_PIECE);
    let (first, end) = lane.share(params.rows);
    for number in first..end {
        lane.launch.progress(number);
        runs.begin(lane, number);
        let mut done = 0;
        while done < wanted {
            let len = MAX_PIECE.min(wanted - done);
            out[..len as usize].fill_with(|| runs.next(lane));
            send(lane, &mut output, number, (done, len), &|i| out[i as usize]);
            done += len;
        }
    }
}
