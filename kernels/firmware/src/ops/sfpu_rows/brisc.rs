//! BRISC: rows and their partners from DRAM over NoC 0, and the head of every row: its slope and its value of more[0].

use super::{Work, head, operand, partner_piece, partner_slot, piece, segments};
use crate::ops::rows::soft_max::slope;
use crate::rt::l1::{L1, fill};
use crate::rt::launch::TileLaunch;
use crate::rt::noc::Noc;
use crate::rt::rows::address;
use crate::rt::sync::{BLOCKS_FREE, BLOCKS_READY};
use tt_kernel_abi::elementwise::{Piece, split_row};
use tt_kernel_abi::sfpu::rows::{SLOTS, Segment, head_staging, padded};
use tt_kernel_abi::{DramAddr, TensorView};

/// Segments that are read at a time: their requests are under way together.
const BATCH: u32 = SLOTS / 2;

/// What BRISC knows of the rows.
struct Rows<'a> {
    launch: &'a TileLaunch<'a>,
    noc: Noc,
    work: Work<'a>,
    /// The last head (dimension 2) and its slope: powers take long.
    slope: Option<(u32, f32)>,
    /// What each slot has of partners, address and elements: what is there is not read again.
    partners: [(u64, u32); SLOTS as usize],
    /// Slots, a bit each, of segments whose partner is being read.
    reading: u32,
}

/// Runs BRISC's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, work: Work) {
    let mut rows =
        Rows { launch, noc: Noc::new(0), work, slope: None, partners: [(0, 0); SLOTS as usize], reading: 0 };
    let mut all = segments(launch, &work).peekable();
    while let Some(&next) = all.peek() {
        launch.progress(next.number);
        let mut batch = [None; BATCH as usize];
        for segment in &mut batch {
            *segment = all.next();
        }
        let batch = batch.iter().flatten();
        for segment in batch.clone() {
            if segment.number >= SLOTS {
                BLOCKS_FREE.wait(segment.number - SLOTS + 1);
            }
            rows.fetch(segment);
        }
        rows.noc.wait_reads();
        for segment in batch {
            rows.finish(segment);
            BLOCKS_READY.publish(segment.number + 1);
        }
    }
}

/// Where a row's value of more[0] comes in, whose address is `at`.
fn staged<'a>(launch: &'a TileLaunch, segment: &Segment, at: u64) -> L1<'a> {
    launch.l1(head_staging(segment.number, at), 4)
}

impl Rows<'_> {
    /// Asks for a segment, its partner, and at the beginning of a row for its value of more[0].
    fn fetch(&mut self, segment: &Segment) {
        let op = self.launch.op;
        self.read(0, segment.number, &op.src0, &piece(&op.src0, segment));
        if let Some(partner) = partner_piece(self.launch, &self.work, segment) {
            let slot = partner_slot(self.launch, segment);
            let there = &mut self.partners[(slot % SLOTS) as usize];
            let wanted = (address(&op.src1, &partner), partner.len);
            if *there != wanted {
                *there = wanted;
                self.reading |= 1 << (segment.number % SLOTS);
                self.read(1, slot, &op.src1, &partner);
            }
        }
        if let Some(at) = self.value(segment) {
            self.noc.read_dram(DramAddr(at), staged(self.launch, segment, at));
        }
    }

    fn read(&mut self, number: u32, slot: u32, view: &TensorView, piece: &Piece) {
        let at = address(view, piece);
        let to = operand(self.launch, number, slot, at);
        self.noc.read_dram(DramAddr(at), to.part(0, 4 * piece.len));
    }

    /// Address of the value of more[0], a sink or a factor, that belongs to a row, if the segment is the row's first and there are values.
    fn value(&self, segment: &Segment) -> Option<u64> {
        let values = &self.launch.op.more[0];
        let [_, i2, _] = split_row(&self.launch.op.src0, segment.row);
        let wanted = segment.opens && values.ne[0] > 0;
        wanted.then(|| address(values, &Piece { row: [0; 3], first: i2, len: 1 }))
    }

    /// What has to be there besides: nothing behind the row's end, and the row's head.
    fn finish(&mut self, segment: &Segment) {
        let op = self.launch.op;
        let nothing = self.work.function.nothing();
        self.pad(0, segment.number, &op.src0, &piece(&op.src0, segment), nothing);
        let bit = 1 << (segment.number % SLOTS);
        if self.reading & bit != 0 {
            // Others may be unpacking what was there before.
            self.reading &= !bit;
            if let Some(partner) = partner_piece(self.launch, &self.work, segment) {
                let slot = partner_slot(self.launch, segment);
                self.pad(1, slot, &op.src1, &partner, 0.0);
            }
        }
        if !segment.opens {
            return;
        }
        let [_, i2, _] = split_row(&op.src0, segment.row);
        let slope = match self.slope {
            Some((of, slope)) if of == i2 => slope,
            _ => self.work.soft_max.map_or(1.0, |params| slope(params, i2)),
        };
        self.slope = Some((i2, slope));
        let head = head(self.launch, segment.number);
        head[0].store(slope.to_bits());
        head[1].store(self.value(segment).map_or(0, |at| staged(self.launch, segment, at).words()[0].load()));
    }

    /// Fills a piece of an operand up to whole vector registers.
    fn pad(&self, number: u32, slot: u32, view: &TensorView, piece: &Piece, with: f32) {
        let elements = operand(self.launch, number, slot, address(view, piece)).words();
        fill(&elements[piece.len as usize..padded(piece.len) as usize], with.to_bits());
    }
}
