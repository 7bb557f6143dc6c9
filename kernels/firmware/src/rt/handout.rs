//! A stream of blocks that one tile reads, from DRAM or from what other tiles hold, for all tiles of a row or column of the grid, or for all: a bank sends each block once. Blocks lie in the same
//! slots of a ring on all these tiles.
//!
//! ```text
//! DRAM -> slot --multicast--> the same slot of the others      reader's NIU, one static virtual channel
//!                \--multicast--> count of blocks, behind it
//! free slots <--one more on the slot's credits-- the others    their NIUs, atomics
//! ```
//!
//! Who waits for whom: the reader reads into a slot when its own tile has used the block before there and that one has left, and sends it when every
//! other tile has said that it has used it, too, each by one atomic. It sends a packet when the one before is on its way, and asks DRAM for the next blocks meanwhile. The others wait for the count. A slot's credits are counted by themselves: nobody can say twice that it has used a slot before the reader has
//! sent another block there, which it does when all have said it once. So a reader that is late keeps the others waiting, one of the others that is late the
//! reader, and nobody waits for a block behind the one that it waits with.
//!
//! Nobody uses the heap when a launch begins, and counts are zero: all workers have completed the launch before. So the reader may send to tiles that are still on their
//! way to the launch. It zeroes the credits before it sends anything, and nobody gives one before that. A block and its count are in one static virtual channel, in which
//! each of the others gets them one after the other ([`Noc::write_to_others_in_order`]); a count's word is not stored to again before it has left. Whoever has given credits waits for their answers before it completes.
//!
//! Two multicasts at once would have to reserve ways that cross; here each row has NoC 0 for its own, or each column NoC 1.
#![allow(unsafe_code)]

use super::boot;
use super::chip::NIU;
use super::l1::{L1, Word, outside};
use super::mmio::Register;
use super::noc::Noc;
use super::sync::Counter;
use core::mem::offset_of;
use tt_kernel_abi::BootConfig;
use tt_kernel_abi::boot::MOST_COLUMNS;

/// Blocks that may be on their way from DRAM at the same time, each with a transaction id of its own, from 1 on.
pub const MOST_IN_FLIGHT: u32 = 8;
/// Bytes of a packet, at most.
const MAX_PACKET: u32 = NIU.max_packet;

fn config(offset: usize) -> u32 {
    boot::word(offset).load()
}

/// This tile's place in the grid, and the grid's extents.
pub fn place() -> [[u32; 2]; 2] {
    [
        [config(offset_of!(BootConfig, logical_x)), config(offset_of!(BootConfig, logical_y))],
        [config(offset_of!(BootConfig, grid_width)), config(offset_of!(BootConfig, grid_height))],
    ]
}

/// A tile of this worker's row of the grid, by its place in it, as an NIU's register names it.
pub fn row_tile(x: u32) -> u32 {
    let offset = offset_of!(BootConfig, row_tiles) + 4 * x as usize;
    if offset >= offset_of!(BootConfig, row_tiles) + size_of::<[u32; MOST_COLUMNS]>() {
        outside();
    }
    config(offset)
}

/// Who gets the blocks, and from whom.
pub struct Members {
    /// The reader, as a NoC's register names it.
    reader: u32,
    /// All of them, for a multicast of the reader's.
    rect: u32,
    /// How many there are beside the reader.
    others: u32,
}

impl Members {
    /// This tile alone.
    pub fn alone() -> Self {
        Self { reader: config(offset_of!(BootConfig, node)), rect: 0, others: 0 }
    }

    /// The tile's row of the grid, on NoC 0.
    pub fn row() -> Self {
        Self {
            reader: config(offset_of!(BootConfig, row_reader)),
            rect: config(offset_of!(BootConfig, row)),
            others: config(offset_of!(BootConfig, grid_width)) - 1,
        }
    }

    /// The tile's column, on NoC 1.
    pub fn column() -> Self {
        Self {
            reader: config(offset_of!(BootConfig, column_reader)),
            rect: config(offset_of!(BootConfig, column)),
            others: config(offset_of!(BootConfig, grid_height)) - 1,
        }
    }

    /// All workers, on NoC 1.
    pub fn all() -> Self {
        let [_, [width, height]] = place();
        Self {
            reader: config(offset_of!(BootConfig, reader)),
            rect: config(offset_of!(BootConfig, workers_on_noc_1)),
            others: width * height - 1,
        }
    }
}

/// Where things are in L1, on all tiles alike.
#[derive(Clone, Copy)]
pub struct Ring {
    /// First slot, bytes of a slot, how many.
    pub first: u32,
    /// See above.
    pub bytes: u32,
    /// See above.
    pub slots: u32,
    /// Blocks that are on their way from DRAM at the same time, [`MOST_IN_FLIGHT`] at most: an answer takes microseconds where all tiles ask for weights, too.
    pub in_flight: u32,
    /// Credits, 16 bytes a slot.
    pub credits: u32,
    /// Words for the NoC to send, 16 bytes a slot.
    pub flags: u32,
    /// Where old values go.
    pub scratch: u32,
    /// Blocks that are there.
    pub ready: Counter,
    /// Blocks that this tile has used.
    pub free: Counter,
}

impl Ring {
    /// Block `number`'s slot.
    pub fn slot(&self, number: u32) -> L1<'static> {
        // SAFETY: a place of the operator's map, for which all cores of the tile work together; a slot is one of the ring's.
        unsafe { L1::new(self.first + number % self.slots * self.bytes, self.bytes) }
    }

    fn word(address: u32) -> &'static Word {
        // SAFETY: as above; words that this core and the NoC use.
        unsafe { &L1::new(address, 4).words()[0] }
    }

    fn credit(&self, number: u32) -> u32 {
        self.credits + number % self.slots * 16
    }

    fn flag(&self, number: u32) -> u32 {
        self.flags + number % self.slots * 16
    }
}

/// A core's part of a stream of blocks.
pub struct Handout {
    ring: Ring,
    members: Members,
    reads: bool,
    total: u32,
    /// Blocks that the reader has asked for, that are in its L1, that it has sent with their counts, and whose bytes have left for certain.
    asked: u32,
    here: u32,
    sent: u32,
    left: u32,
    /// Bytes of the next block that have been sent; bytes of those that have not been.
    part: u32,
    bytes: [u32; MOST_IN_FLIGHT as usize],
    /// Blocks that another tile has said it has used.
    credited: u32,
    atomics: u32,
}

impl Handout {
    /// `total` blocks. On the reader, of the core that reads.
    pub fn new(noc: &Noc, ring: Ring, members: Members, total: u32) -> Self {
        let reads = members.reader == config(offset_of!(BootConfig, node));
        if reads {
            (0..ring.slots).for_each(|slot| Ring::word(ring.credit(slot)).store(0));
        }
        let atomics = noc.atomics();
        let bytes = [0; MOST_IN_FLIGHT as usize];
        let (asked, here, sent, left, part, credited) = (0, 0, 0, 0, 0, 0);
        Self { ring, members, reads, total, asked, here, sent, left, part, bytes, credited, atomics }
    }

    /// Whether there is nothing left to do.
    pub fn is_done(&self) -> bool {
        match self.reads {
            true => self.sent == self.total,
            // Slots that are not used again need no credit.
            false => self.credited == self.total.saturating_sub(self.ring.slots),
        }
    }

    /// Does something if there is something to do; whether there was. `read` asks for a block on the reader,
    /// and gives its bytes.
    #[inline(never)]
    pub fn step(&mut self, noc: &mut Noc, read: &mut dyn FnMut(&mut Noc, u32, L1) -> u32) -> bool {
        let ring = self.ring;
        if !self.reads {
            // One at a time: old values all come to one word.
            let is_due = !self.is_done()
                && noc.atomics() == self.atomics.wrapping_add(self.credited)
                && ring.free.has_reached(self.credited + 1);
            if is_due {
                // SAFETY: the slot's word for atomics; nobody wants the old value.
                unsafe { noc.add(self.members.reader, ring.credit(self.credited), ring.scratch, 1) };
                self.credited += 1;
            }
            return is_due;
        }
        if self.may_send(noc) {
            self.send(noc);
            return true;
        }
        if self.here < self.asked && noc.has_read_id(1 + self.here % MOST_IN_FLIGHT) {
            self.here += 1;
            ring.ready.publish(self.here);
            return true;
        }
        if self.may_ask(noc) {
            noc.set_read_id(1 + self.asked % MOST_IN_FLIGHT);
            let bytes = read(noc, self.asked, ring.slot(self.asked));
            self.bytes[(self.asked % MOST_IN_FLIGHT) as usize] = bytes;
            self.asked += 1;
            return true;
        }
        false
    }

    /// Whether the reader may ask for another block: the one before in its slot has been used here, and has left.
    fn may_ask(&mut self, noc: &Noc) -> bool {
        let Ring { slots, free, .. } = self.ring;
        if self.asked == self.total || self.asked - self.sent == self.ring.in_flight {
            return false;
        }
        let Some(before) = self.asked.checked_sub(slots) else { return true };
        while self.left < self.sent && (self.members.others == 0 || noc.has_left(self.left)) {
            self.left += 1;
        }
        before < self.left && free.has_reached(before + 1)
    }

    /// Whether the reader may send another packet: the one before is on its way, and all others have used what was in the block's slot.
    fn may_send(&self, noc: &Noc) -> bool {
        if self.sent == self.here || !noc.may_write() {
            return false;
        }
        let uses = self.sent / self.ring.slots;
        let all = uses * self.members.others;
        // SAFETY: the slot's word for atomics, in the operator's map of the heap; there are no references to it.
        self.part > 0
            || unsafe { Register::at(self.ring.credit(self.sent)) }.look(|credits| credits >= all).is_some()
    }

    /// Sends the next packet of the next block to all others, and behind the last one the count of blocks that they have then.
    fn send(&mut self, noc: &mut Noc) {
        let &Members { rect, others, .. } = &self.members;
        let bytes = self.bytes[(self.sent % MOST_IN_FLIGHT) as usize];
        if others > 0 && self.part < bytes {
            let len = (bytes - self.part).min(MAX_PACKET);
            let packet = self.ring.slot(self.sent).part(self.part, len).address();
            // SAFETY: the same slot of the ring on tiles that have used what was in it.
            unsafe { noc.write_to_others_in_order(self.sent, [packet, packet], len, [rect, others]) };
            self.part += len;
            return;
        }
        let (number, flag) = (self.sent, self.ring.flag(self.sent));
        (self.sent, self.part) = (number + 1, 0);
        if others == 0 {
            return;
        }
        // The count that was there has left: the block's slot was asked for since.
        Ring::word(flag).store(self.sent);
        let ready = self.ring.ready.address();
        // SAFETY: their counter, which nobody writes to on these tiles.
        unsafe { noc.write_to_others_in_order(number, [flag, ready], 4, [rect, others]) };
    }

    /// Waits for everything that is under way but reads.
    pub fn finish(self, noc: &mut Noc) {
        noc.wait_writes();
        if self.reads {
            noc.set_read_id(0);
        }
        let all = self.atomics.wrapping_add(self.credited);
        while noc.atomics() != all {}
    }
}
