//! What is read and written as many pieces: rows of views, matrices' streams of tiles, results as they come out of Dst.

use super::{BULK_WRITE, Noc, READ_BUF, WRITE_BUF, Way};
use crate::chip::{NIU, REG};
use crate::l1::{L1, outside};
use crate::mmio::order;
use tt_isa::noc::Ctrl;
use tt_kernel_abi::target::{CONGRUENCE, offset};
use tt_kernel_abi::{DramAddr, Shard, Shards};

/// Pieces of memory that are read together ([`Noc::read_pieces`]). Distances are multiples of [`tt_kernel_abi::target::CONGRUENCE`], or there is
/// one piece.
pub struct Pieces {
    /// How many.
    pub count: u32,
    /// Bytes from one to the next.
    pub stride: u64,
    /// Bytes of one.
    pub bytes: u32,
    /// Bytes from one to the next where they are brought to.
    pub pitch: u32,
}

impl Pieces {
    /// Gives each piece to `f`: its number, its address in DRAM, of which the first is `addr`, and where it is staged.
    #[inline(always)]
    pub fn each(&self, mut addr: u64, stage: L1, mut f: impl FnMut(u32, u64, L1)) {
        let mut at = stage.part(0, self.count * self.pitch).address();
        if CONGRUENCE + self.bytes > self.pitch {
            outside();
        }
        for i in 0..self.count {
            // SAFETY: a piece is inside of its `pitch` bytes, and those of all are inside of `stage`.
            f(i, addr, unsafe { L1::new(at + offset(addr), self.bytes) });
            addr += self.stride;
            at += self.pitch;
        }
    }
}

/// Pairs of pieces of L1 that are written side by side ([`Noc::write_pairs`]).
pub struct Pairs {
    /// How many.
    pub count: u32,
    /// Bytes from one pair to the next.
    pub pitch: u32,
    /// Bytes from a pair's first piece to its second one.
    pub second: u32,
    /// Bytes of a piece.
    pub bytes: u32,
}

impl Pairs {
    /// Address of the first piece of those from the beginning of `range` on, which are all inside.
    #[inline(always)]
    fn first(&self, range: L1) -> Option<u32> {
        let last = self.count.checked_sub(1)?;
        Some(range.part(0, last * self.pitch + self.second + self.bytes).address())
    }

    /// Where piece `number` is.
    #[inline(always)]
    fn at(&self, number: u32) -> u32 {
        number / 2 * self.pitch + number % 2 * self.second
    }

    /// How many pieces from piece `number` on are in the `run` bytes that are left of a page.
    #[inline(always)]
    fn fit(&self, number: u32, run: u32) -> u32 {
        let left = 2 * self.count - number;
        // Nearly always; a division takes long.
        if left * self.bytes <= run { left } else { run / self.bytes }
    }

    /// From piece `number` to the next one, and from that one on.
    #[inline(always)]
    fn steps(&self, number: u32) -> [u32; 2] {
        let steps = [self.second, self.pitch.wrapping_sub(self.second)];
        if number.is_multiple_of(2) { steps } else { [steps[1], steps[0]] }
    }
}

/// The shard of a byte of a matrix' stream. Not in line: it is looked for once in many packets.
#[cold]
#[inline(never)]
fn find(shards: &Shards, at: u64) -> Shard {
    shards.find(at)
}

/// Where a matrix' stream of tiles goes on in DRAM: a port, the address there, and how many bytes follow it.
#[derive(Clone, Copy, Default)]
pub struct Run {
    node: u32,
    lo: u32,
    len: u32,
}

impl Noc {
    /// Where byte `at` of a matrix' stream is, and what follows there; empty if there is no such byte. `shard` as in [`read_shards`](Self::read_shards).
    #[inline(never)]
    pub fn run(&self, shards: &Shards, shard: &mut Shard, at: u64) -> Run {
        if shard.locate(at).is_none() {
            *shard = find(shards, at);
        }
        let Some((offset, len)) = shard.locate(at) else { return Run::default() };
        let (node, lo) = self.bank(shard.bank, offset, Way::FromDram);
        Run { node, lo, len: len.min(u64::from(u32::MAX)) as u32 }
    }

    /// Starts a read that fills `to` from where a run begins, which then begins behind it. Not if it is too short: whether there was a read.
    pub fn read_run(&mut self, run: &mut Run, to: L1) -> bool {
        if run.len < to.len() {
            return false;
        }
        for at in (0..to.len()).step_by(NIU.max_packet as usize) {
            let piece = (to.len() - at).min(NIU.max_packet);
            self.count_reads(1);
            let from = [run.lo + at, run.node];
            self.request(READ_BUF, from, [to.address() + at, self.own], Ctrl::RESP_MARKED, piece, 0);
        }
        (run.lo, run.len) = (run.lo + to.len(), run.len - to.len());
        true
    }

    /// Starts reads of pieces of linear DRAM, the first of them at `addr`, to the beginning of `to` and on. The NIU keeps what its
    /// registers hold, and of pieces that lie in one page only two registers differ.
    #[inline(never)]
    pub fn read_pieces(&mut self, mut addr: DramAddr, pieces: &Pieces, to: L1) {
        let &Pieces { count, stride, bytes, pitch } = pieces;
        if count == 0 {
            return;
        }
        let mut l1 = to.part(0, (count - 1) * pitch + bytes).address();
        let mut left = count;
        self.count_reads(count);
        while left > 0 {
            let (node, mut lo, run) = self.locate(addr, Way::FromDram);
            let mut run = u64::from(run);
            if u64::from(bytes) > run {
                // SAFETY: a piece inside of the part of `to` that has been checked.
                self.read_dram(addr, unsafe { L1::new(l1, bytes) });
                // By itself.
                self.reads = self.reads.wrapping_sub(1);
                (addr, l1, left) = (addr.offset(stride), l1 + pitch, left - 1);
                continue;
            }
            let at = |offset| self.register(READ_BUF * NIU.cmd_buf_stride + offset);
            let wait = || {
                while at(REG.cmd_ctrl).load() & 1 != 0 {}
                order();
            };
            wait();
            at(REG.targ_node).store(node);
            at(REG.ret_node).store(self.own);
            at(REG.ctrl).store(Ctrl::RESP_MARKED.bits());
            at(REG.at_len_be).store(bytes);
            loop {
                at(REG.targ_lo).store(lo);
                at(REG.ret_lo).store(l1);
                at(REG.cmd_ctrl).store(1);
                (addr, l1, left) = (addr.offset(stride), l1 + pitch, left - 1);
                if left == 0 || run < stride + u64::from(bytes) {
                    break;
                }
                (lo, run) = (lo + stride as u32, run - stride);
                wait();
            }
        }
    }

    /// Starts a read that fills `to`, any number of bytes, from byte `at` of a matrix' stream of tiles on; `shard` is the one that
    /// was read from before, or an empty one. Packets are as large as can be.
    pub fn read_shards(&mut self, shards: &Shards, shard: &mut Shard, at: u64, to: L1) {
        self.packets(shards, shard, (at, to), Way::FromDram, |noc, dram, l1, piece| {
            noc.count_reads(1);
            noc.request(READ_BUF, dram, [l1, noc.own], Ctrl::RESP_MARKED, piece, 0);
        });
    }

    /// Starts a write of `from` to byte `at` of a matrix' stream of tiles and on, as [`read_shards`](Self::read_shards) reads.
    pub fn write_shards(&mut self, shards: &Shards, shard: &mut Shard, at: u64, from: L1) {
        self.packets(shards, shard, (at, from), Way::ToDram, |noc, dram, l1, piece| {
            noc.request(WRITE_BUF, [l1, noc.own], dram, BULK_WRITE, piece, 0);
            noc.writes = noc.writes.wrapping_add(1);
        });
    }

    /// Calls `start` with each packet's place in DRAM (offset and tile), address in L1, and length.
    #[inline(always)]
    fn packets(
        &mut self,
        shards: &Shards,
        shard: &mut Shard,
        (mut at, range): (u64, L1),
        way: Way,
        start: impl Fn(&mut Self, [u32; 2], u32, u32),
    ) {
        let (mut l1, mut len) = (range.address(), range.len());
        while len > 0 {
            let Some((node, lo, piece)) = self.in_shard(shards, shard, (at, len), way) else { return };
            start(self, [lo, node], l1, piece);
            at += u64::from(piece);
            l1 += piece;
            len -= piece;
        }
    }

    /// Where byte `at` of a matrix' stream is, and how many of `len` bytes from there on one packet can take.
    fn in_shard(
        &self,
        shards: &Shards,
        shard: &mut Shard,
        (at, len): (u64, u32),
        way: Way,
    ) -> Option<(u32, u32, u32)> {
        if shard.locate(at).is_none() {
            *shard = find(shards, at);
        }
        let (offset, run) = shard.locate(at)?;
        let piece = if run < u64::from(len) { run as u32 } else { len };
        let (node, lo) = self.bank(shard.bank, offset, way);
        Some((node, lo, piece.min(NIU.max_packet)))
    }

    /// Starts writes of pairs of pieces, from the beginning of `from` on, to places of linear DRAM that follow one another from `addr` on. No store of this core's
    /// is among the bytes. The NIU keeps what its registers hold, and of pieces that go to one page only two registers differ.
    #[inline(never)]
    pub fn write_pairs(&mut self, from: L1, pairs: &Pairs, addr: DramAddr) {
        let Some(first) = pairs.first(from) else { return };
        let mut done = 0;
        while done < 2 * pairs.count {
            let addr = addr.offset(u64::from(done * pairs.bytes));
            let (node, lo, run) = self.locate(addr, Way::ToDram);
            let fit = pairs.fit(done, run);
            if fit == 0 {
                // A page ends in it.
                self.write_dram(from.part(pairs.at(done), pairs.bytes), addr);
                done += 1;
                continue;
            }
            self.write_to_page([first + pairs.at(done), lo], pairs.steps(done), [pairs.bytes, fit], node);
            done += fit;
        }
    }

    /// Starts writes of `count` pieces of `bytes` bytes, which are `steps` apart in turn, to places that follow one another in a page.
    #[inline(always)]
    fn write_to_page(
        &mut self,
        [mut l1, mut lo]: [u32; 2],
        steps: [u32; 2],
        [bytes, count]: [u32; 2],
        node: u32,
    ) {
        let at = |offset| self.register(WRITE_BUF * NIU.cmd_buf_stride + offset);
        let wait = || {
            while at(REG.cmd_ctrl).load() & 1 != 0 {}
            order();
        };
        wait();
        at(REG.targ_node).store(self.own);
        at(REG.ret_node).store(node);
        at(REG.ctrl).store(BULK_WRITE.bits());
        at(REG.at_len_be).store(bytes);
        let [mut step, mut next] = steps;
        for _ in 0..count {
            wait();
            at(REG.targ_lo).store(l1);
            at(REG.ret_lo).store(lo);
            at(REG.cmd_ctrl).store(1);
            (l1, lo) = (l1.wrapping_add(step), lo + bytes);
            (step, next) = (next, step);
        }
        self.writes = self.writes.wrapping_add(count);
    }
}
