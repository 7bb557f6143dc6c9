//! `IM2COL`, `IM2COL_3D`: every window becomes a row, its elements in the order channel, slice, row, column.

use super::{Part, Rows};
use crate::rt::elements::convert;
use crate::rt::heap::Heap;
use crate::rt::l1::{Integer, L1, Shared, fill};
use crate::rt::lane::Lane;
use crate::rt::mmio::order;
use crate::rt::noc::Noc;
use tt_kernel_abi::target::{CONGRUENCE, offset};
use tt_kernel_abi::windows::{OUT_BYTES, WindowParams};
use tt_kernel_abi::{DramAddr, ElementType};

/// What goes out, as long runs: one buffer is filled while the other one is sent.
struct Out {
    buffers: [L1<'static>; 2],
    to: u64,
    len: u32,
}

impl Out {
    fn new(heap: &mut Heap) -> Self {
        let buffers = [heap.take(OUT_BYTES + CONGRUENCE), heap.take(OUT_BYTES + CONGRUENCE)];
        Self { buffers, to: 0, len: 0 }
    }

    /// A place for the bytes that go to `to`.
    fn reserve(&mut self, noc: &mut Noc, to: u64, bytes: u32) -> L1<'static> {
        if self.len > 0 && (self.to + u64::from(self.len) != to || self.len + bytes > OUT_BYTES) {
            self.flush(noc);
        }
        if self.len == 0 {
            self.to = to;
        }
        self.len += bytes;
        self.buffers[0].part(offset(self.to) + self.len - bytes, bytes)
    }

    /// Sends what is there; the buffer that is filled next has arrived.
    fn flush(&mut self, noc: &mut Noc) {
        order();
        noc.wait_writes();
        noc.write_dram(self.buffers[0].part(offset(self.to), self.len), DramAddr(self.to));
        self.buffers.swap(0, 1);
        self.len = 0;
    }
}

/// Runs one lane.
pub fn run(lane: &mut Lane, params: &WindowParams) {
    let op = lane.launch.op;
    let (Some(from), Some(to)) = (op.src0.element_type(), op.dst.element_type()) else { return };
    let mut rows = Rows::new(&mut lane.heap, from.block_bytes());
    let mut out = Out::new(&mut lane.heap);
    let (first, end) = lane.share(params.units);
    for unit in first..end {
        lane.launch.progress(unit);
        let (row, ox) = (unit / params.per_row, unit % params.per_row * params.step);
        let windows = params.step.min(params.out[0] - ox);
        let (rest, oy) = (row / params.out[1], row % params.out[1]);
        let (image, oz) = (rest / params.out[2], rest % params.out[2]);
        let to_row = op.dst.addr + u64::from(oy) * op.dst.nb[2] + u64::from(rest) * op.dst.nb[3];
        let columns = params.columns(&op.src0, ox, windows);
        let mut channel = 0;
        while channel < op.src0.ne[3] {
            let channels = params.chunk.min(op.src0.ne[3] - channel);
            let base =
                op.src0.addr + u64::from(image) * params.image_stride + u64::from(channel) * op.src0.nb[3];
            rows.fetch(&mut lane.noc, params, &op.src0, &Part { base, channels, oy, oz, columns });
            if from != to {
                halve(&rows, from, to);
            }
            let bytes = rows.count as u32 * params.kernel[0] * to.block_bytes();
            let part = to_row + u64::from(channel * (bytes / channels));
            for ox in ox..ox + windows {
                let at = out.reserve(&mut lane.noc, part + u64::from(ox) * op.dst.nb[1], bytes);
                let window = Window::new(params, &rows, ox, op.src0.ne[0]);
                match to.block_bytes() {
                    2 => window.put::<u16>(&rows, at),
                    _ => window.put::<u32>(&rows, at),
                }
            }
            channel += channels;
        }
    }
    out.flush(&mut lane.noc);
    lane.noc.wait_writes();
}

/// Rounds all rows where they are: elements do not get longer.
fn halve(rows: &Rows, from: ElementType, to: ElementType) {
    for row in rows.list().flatten() {
        convert((from, row), (to, row), rows.columns);
    }
}

/// Where the elements of a row of one window are: zeros before `first` and from `end` to `len`.
struct Window {
    first: u32,
    end: u32,
    len: u32,
    /// Column of element `first`, counted from the first one that is in L1.
    column: u32,
    dilation: u32,
}

impl Window {
    fn new(params: &WindowParams, rows: &Rows, ox: u32, columns: u32) -> Self {
        let (first, end) = params.inside(0, ox, columns);
        let column = (params.source(0, ox, first) as u32).wrapping_sub(rows.first);
        Self { first, end, len: params.kernel[0], column, dilation: params.dilation[0] }
    }

    /// Puts the window's elements of all rows to `to`: each row's begin where the ones before end.
    #[inline(never)]
    fn put<T: Integer>(&self, rows: &Rows, to: L1) {
        let windows = to.elements::<T>().chunks_exact(self.len as usize);
        for (row, window) in rows.list().zip(windows) {
            let Some(row) = row.filter(|_| self.first < self.end) else {
                fill(window, T::ZERO);
                continue;
            };
            let mut columns =
                row.elements::<T>()[self.column as usize..].iter().step_by(self.dilation as usize);
            for (k, to) in (0..).zip(window) {
                let from = if (self.first..self.end).contains(&k) { columns.next() } else { None };
                to.store(from.map_or(T::ZERO, Shared::load));
            }
        }
    }
}
