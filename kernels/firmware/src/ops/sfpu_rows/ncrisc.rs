//! NCRISC: results from the ring to DRAM over NoC 1, to the row of the same place, or of rotated rows to that of a cache which an index names.

use super::{Work, halved_by_trisc2, piece, result, segments};
use crate::rt::elements::halve;
use crate::rt::l1::L1;
use crate::rt::launch::TileLaunch;
use crate::rt::mmio::order;
use crate::rt::noc::Noc;
use crate::rt::rows::address;
use crate::rt::sync::{OUT_FREE, OUT_READY};
use tt_kernel_abi::elementwise::{Piece, split_row};
use tt_kernel_abi::launch::ErrorCode;
use tt_kernel_abi::sfpu::BLOCK_BYTES;
use tt_kernel_abi::sfpu::rows::{RESULT_SLOTS, RowFunction, SEGMENT, Segment, halves_slot, index_slot};
use tt_kernel_abi::{DramAddr, ElementType};

/// Runs NCRISC's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, work: Work) {
    let mut rows = Rows { launch, noc: Noc::new(1), target: None, halves: 0 };
    let mut freed = 0;
    for segment in segments(launch, &work).filter(|segment| segment.pass.has_result()) {
        launch.progress(segment.number);
        let to = rows.target(&segment);
        OUT_READY.wait(segment.result + 1);
        if let Some(to) = to {
            let ne0 = segment.len;
            match work.function {
                RowFunction::RotateHalves => {
                    let half = ne0 / 2;
                    let second = Piece { first: half, len: half, ..to };
                    rows.write(result(launch, segment.result), &Piece { len: half, ..to }, 0);
                    rows.write(result(launch, segment.result).skip(BLOCK_BYTES), &second, 0);
                }
                _ => rows.write(result(launch, segment.result), &to, halved_by_trisc2(launch, &work, ne0)),
            }
        }
        // Writes of half of the slots are under way together; TRISC2 has the others.
        if segment.result + 1 - freed == RESULT_SLOTS / 2 {
            rows.noc.wait_writes();
            freed = segment.result + 1;
            OUT_FREE.publish(freed);
        }
    }
    rows.noc.wait_writes();
}

/// Rows on their way to DRAM.
struct Rows<'a> {
    launch: &'a TileLaunch<'a>,
    noc: Noc,
    /// The last token, and its row of the cache.
    target: Option<(u32, Option<u32>)>,
    /// Rows of F16 so far.
    halves: u32,
}

impl Rows<'_> {
    /// Where a segment's result goes; nowhere if its index names no row.
    fn target(&mut self, segment: &Segment) -> Option<Piece> {
        let op = self.launch.op;
        if op.more[1].ne[0] == 0 {
            return Some(piece(&op.dst, segment));
        }
        let [heads, token, batch] = split_row(&op.src0, segment.row);
        let index = match self.target {
            Some((of, index)) if of == token => index,
            _ => self.index(token),
        };
        self.target = Some((token, index));
        index.map(|index| Piece { row: [heads, index, batch], first: 0, len: segment.len })
    }

    /// The row of the cache that a token's index names. Reports it if there is none.
    fn index(&mut self, token: u32) -> Option<u32> {
        let op = self.launch.op;
        let indices = &op.more[1];
        let size = indices.element_type().map_or(4, ElementType::block_bytes);
        let at = address(indices, &Piece { row: [0; 3], first: token, len: 1 });
        let staged = self.launch.l1(index_slot(at), size);
        self.noc.read_dram(DramAddr(at), staged);
        self.noc.wait_reads();
        let words = staged.words();
        let (low, high) = (words[0].load(), words.get(1).map_or(0, |high| high.load()));
        if high != 0 || low >= op.dst.ne[2] {
            self.launch.fail(ErrorCode::IndexOutOfRange, token, low);
            return None;
        }
        Some(low)
    }

    /// Sends a piece whose elements are at the beginning of `from`, as the type that dst has: FP32 or F16, which the first `halved` elements are already.
    fn write(&mut self, from: L1, to: &Piece, halved: u32) {
        let dst = &self.launch.op.dst;
        let addr = address(dst, to);
        if dst.element_type() != Some(ElementType::F16) {
            self.noc.write_dram(from.part(0, 4 * to.len), DramAddr(addr));
            return;
        }
        if halved > 0 {
            self.noc.write_dram(from.part(0, 2 * halved), DramAddr(addr));
        }
        let (addr, rest) = (addr + u64::from(2 * halved), to.len - halved);
        let halves = self.launch.l1(halves_slot(self.halves, addr), 2 * SEGMENT).part(0, 2 * rest);
        self.halves += 1;
        halve(from.skip(4 * halved), halves, rest);
        order();
        // The row before has left the other slot, which is the next one's.
        self.noc.wait_writes();
        self.noc.write_dram(halves, DramAddr(addr));
    }
}
