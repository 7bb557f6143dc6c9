//! Windows that move over images: rows for a product (`IM2COL`), or reduced at once (`POOL_1D`, `POOL_2D`,
//! `CONV_2D_DW`, `SSM_CONV`).
//!
//! ```text
//! DRAM -> the image's rows under a row of windows, in L1 -> windows, side by side or reduced -> DRAM
//! ```
//!
//! A unit's rows come together: neighbours in memory with one request.

mod im2col;
mod reduce;

use crate::rt::heap::{self, Heap};
use crate::rt::l1::L1;
use crate::rt::lane::Lane;
use crate::rt::noc::Noc;
use crate::rt::rows::Port;
use tt_kernel_abi::launch::ErrorCode;
use tt_kernel_abi::target::{CONGRUENCE, offset};
use tt_kernel_abi::windows::{MAX_ROWS, OUT_BYTES, ROWS_BYTES, WindowFunction, WindowParams};
use tt_kernel_abi::{DramAddr, TensorView};

/// Rows, and two ports or the buffers for windows as rows.
const _: () = assert!(ROWS_BYTES + 4 * MAX_ROWS + 2 * Port::BYTES <= heap::BYTES);
const _: () = assert!(2 * (OUT_BYTES + CONGRUENCE) <= 2 * Port::BYTES);

/// Runs one lane.
pub fn run(mut lane: Lane, params: &WindowParams) {
    match WindowFunction::from_code(params.function) {
        Some(WindowFunction::Im2Col) => im2col::run(&mut lane, params),
        Some(function) => reduce::run(&mut lane, params, function),
        None => lane.launch.fail(ErrorCode::BadDescriptor, 0, params.function),
    }
}

/// The part of an image under windows with the same index `oy` and `oz`.
struct Part {
    /// Address of the first channel.
    base: u64,
    channels: u32,
    oy: u32,
    oz: u32,
    /// The first column and the one behind the last.
    columns: (u32, u32),
}

/// A row outside of the image.
const NO_ROW: u32 = u32::MAX;

/// Rows of an image in L1.
struct Rows {
    buffer: L1<'static>,
    /// Where in the buffer each row's first column is that is there; [`NO_ROW`] for a row outside of the image.
    table: &'static mut [u32],
    count: usize,
    /// Columns that are there: the first one and their number.
    first: u32,
    columns: u32,
    size: u32,
}

/// Neighbours in memory, read with one request to byte `to` of the buffer.
#[derive(Default)]
struct Run {
    from: u64,
    to: u32,
    len: u32,
}

impl Run {
    fn start(&mut self, noc: &mut Noc, buffer: L1) {
        noc.read_dram(DramAddr(self.from), buffer.part(self.to, self.len));
        self.len = 0;
    }
}

impl Rows {
    fn new(heap: &mut Heap, size: u32) -> Self {
        let buffer = heap.take(ROWS_BYTES);
        Self { buffer, table: heap.words(MAX_ROWS), count: 0, first: 0, columns: 0, size }
    }

    /// The rows that are there, in the order channel, slice, row of the window: the bytes of their columns.
    fn list(&self) -> impl Iterator<Item = Option<L1<'_>>> {
        let bytes = self.columns * self.size;
        let row = move |&at: &u32| (at != NO_ROW).then(|| self.buffer.part(at, bytes));
        self.table[..self.count].iter().map(row)
    }

    /// Brings what the windows of a unit need.
    fn fetch(&mut self, noc: &mut Noc, params: &WindowParams, image: &TensorView, part: &Part) {
        let Part { base, channels, oy, oz, columns } = *part;
        (self.first, self.columns) = (columns.0, columns.1 - columns.0);
        let bytes = self.columns * self.size;
        let base = base + u64::from(self.first) * image.nb[0];
        let ([_, rows, slices], mut next) = (params.kernel, 0u32);
        let mut run = Run::default();
        self.count = 0;
        for channel in 0..channels {
            for z in 0..slices {
                let at = base + u64::from(channel) * image.nb[3];
                let slice = inside(params.source(2, oz, z), image.ne[2]);
                for y in 0..rows {
                    let row = inside(params.source(1, oy, y), image.ne[1]);
                    let entry = &mut self.table[self.count];
                    self.count += 1;
                    let (Some(slice), Some(row), true) = (slice, row, bytes > 0) else {
                        *entry = NO_ROW;
                        continue;
                    };
                    let from = at + u64::from(slice) * image.nb[2] + u64::from(row) * image.nb[1];
                    if run.len == 0 || run.from + u64::from(run.len) != from {
                        if run.len > 0 {
                            run.start(noc, self.buffer);
                        }
                        run = Run { from, to: next.next_multiple_of(CONGRUENCE) + offset(from), len: 0 };
                    }
                    *entry = run.to + run.len;
                    run.len += bytes;
                    next = run.to + run.len;
                }
            }
        }
        if run.len > 0 {
            run.start(noc, self.buffer);
        }
        noc.wait_reads();
    }
}

/// An index, if it is one.
fn inside(index: i32, n: u32) -> Option<u32> {
    u32::try_from(index).ok().filter(|&index| index < n)
}
