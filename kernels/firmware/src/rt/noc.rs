//! NoC requests through an NIU's request initiators, and the counters that tell when they are done
//! (`NoC/MemoryMap.md`, `NoC/Counters.md`).
//!
//! One [`Noc`] a core: BRISC has NoC 0, NCRISC NoC 1, so no two cores share an NIU's initiators or counters.
//! Alignment is the caller's affair: source and destination congruent when DRAM is read and, more weakly, otherwise
//! ([`tt_kernel_abi::target`]).

use super::chip::{NIU, REG};
use super::mmio::{load, load_and_wait, order, store};
use crate::boot_word;
use core::hint::black_box;
use core::mem::offset_of;
use tt_isa::map::{NIU_BASE, NIU_STRIDE};
use tt_isa::noc::{Ctrl, atomic_increment, node_id, reg, tag};
use tt_kernel_abi::{BankEntry, BootConfig, DramAddr, Shard, Shards, l1};

/// Request initiator for reads.
const READ_BUF: u32 = 0;
/// Request initiator for writes.
const WRITE_BUF: u32 = 1;
/// Request initiator for atomics.
const ATOMIC_BUF: u32 = 2;

/// The table of banks.
const BANKS: u32 = l1::BOOT_CONFIG + offset_of!(BootConfig, bank) as u32;

/// One of a tile's two NIUs, used by one core.
pub struct Noc {
    niu: u32,
    noc: u32,
    own: u32,
    banks: u32,
    reads: u32,
    writes: u32,
}

impl Noc {
    /// NIU `noc` of this tile. No request of its own may be under way.
    pub fn new(noc: u32) -> Self {
        let niu = NIU_BASE + noc * NIU_STRIDE;
        let id = load(niu + REG.node_id);
        Self {
            niu,
            noc,
            own: NIU.node(node_id::place(id)),
            banks: boot_word!(banks),
            reads: load(niu + reg::MST_RD_RESP_RECEIVED),
            writes: load(niu + reg::MST_WR_ACK_RECEIVED),
        }
    }

    /// Waits until all reads are in L1. (Responses may overtake each other, so the count says nothing about
    /// single reads while others are under way.)
    pub fn wait_reads(&self) {
        while (load(self.niu + reg::MST_RD_RESP_RECEIVED).wrapping_sub(self.reads) as i32) < 0 {}
        order();
    }

    /// Waits until all writes are acknowledged, i.e. done at their destination.
    pub fn wait_writes(&self) {
        while (load(self.niu + reg::MST_WR_ACK_RECEIVED).wrapping_sub(self.writes) as i32) < 0 {}
        order();
    }

    /// Starts a read of `len` bytes (any number) from linear DRAM to L1.
    pub fn read_dram(&mut self, mut addr: DramAddr, mut l1: u32, mut len: u32) {
        while len > 0 {
            let (node, lo, run) = self.locate(addr);
            let piece = len.min(run);
            self.request(READ_BUF, [lo, node], [l1, self.own], Ctrl::RESP_MARKED, piece, 0);
            self.reads = self.reads.wrapping_add(1);
            addr = addr.offset(u64::from(piece));
            l1 += piece;
            len -= piece;
        }
    }

    /// Starts a read of `len` bytes (any number) from byte `at` of a matrix' stream of tiles on; `shard` is the one that was
    /// read from before, or an empty one. Packets are as large as can be.
    pub fn read_shards(&mut self, shards: &Shards, shard: &mut Shard, at: u64, l1: u32, len: u32) {
        self.packets(shards, shard, (at, l1, len), |noc, dram, l1, piece| {
            noc.request(READ_BUF, dram, [l1, noc.own], Ctrl::RESP_MARKED, piece, 0);
            noc.reads = noc.reads.wrapping_add(1);
        });
    }

    /// Starts a write of `len` bytes to byte `at` of a matrix' stream of tiles and on, as [`read_shards`](Self::read_shards) reads.
    pub fn write_shards(&mut self, shards: &Shards, shard: &mut Shard, at: u64, l1: u32, len: u32) {
        self.packets(shards, shard, (at, l1, len), |noc, dram, l1, piece| {
            noc.request(WRITE_BUF, [l1, noc.own], dram, Ctrl::WR | Ctrl::RESP_MARKED, piece, 0);
            noc.writes = noc.writes.wrapping_add(1);
        });
    }

    /// Calls `start` with each packet's place in DRAM (offset and tile), address in L1, and length.
    #[inline(always)]
    fn packets(
        &mut self,
        shards: &Shards,
        shard: &mut Shard,
        (mut at, mut l1, mut len): (u64, u32, u32),
        start: impl Fn(&mut Self, [u32; 2], u32, u32),
    ) {
        while len > 0 {
            let Some((node, lo, piece)) = self.in_shard(shards, shard, at, len) else { return };
            start(self, [lo, node], l1, piece);
            at += u64::from(piece);
            l1 += piece;
            len -= piece;
        }
    }

    /// Where byte `at` of a matrix' stream is, and how many of `len` bytes from there on one packet can take.
    fn in_shard(&self, shards: &Shards, shard: &mut Shard, at: u64, len: u32) -> Option<(u32, u32, u32)> {
        if shard.locate(at).is_none() {
            *shard = shards.find(at);
        }
        let (offset, run) = shard.locate(at)?;
        let piece = if run < u64::from(len) { run as u32 } else { len };
        let (node, lo) = self.bank(shard.bank, offset);
        Some((node, lo, piece.min(NIU.max_packet)))
    }

    /// Gives reads that start from now on this transaction id, 0 to 15; 0 is that of all others.
    pub fn set_read_id(&self, id: u32) {
        let base = self.niu + READ_BUF * NIU.cmd_buf_stride;
        while load(base + REG.cmd_ctrl) & 1 != 0 {}
        order();
        store(base + REG.packet_tag, id << tag::TRANSACTION_ID_SHIFT);
    }

    /// Waits until all reads with this transaction id are in L1.
    pub fn wait_read_id(&self, id: u32) {
        // The NIU counts a request when it is told to start it: this load does not overtake that store.
        while load(self.niu + READ_BUF * NIU.cmd_buf_stride + REG.cmd_ctrl) & 1 != 0 {}
        order();
        while load(self.niu + reg::MST_REQS_OUTSTANDING_ID + 4 * id) & 0xFF != 0 {}
        order();
    }

    /// Starts a write of `len` bytes (any number) from L1 to linear DRAM.
    pub fn write_dram(&mut self, mut l1: u32, mut addr: DramAddr, mut len: u32) {
        while len > 0 {
            let (node, lo, run) = self.locate(addr);
            let piece = len.min(run);
            self.request(WRITE_BUF, [l1, self.own], [lo, node], Ctrl::WR | Ctrl::RESP_MARKED, piece, 0);
            self.writes = self.writes.wrapping_add(1);
            addr = addr.offset(u64::from(piece));
            l1 += piece;
            len -= piece;
        }
    }

    /// Adds one to an L1 word (16-byte aligned) of another tile and waits until it is done.
    pub fn increment(&self, node: u32, addr: u32, scratch: u32) {
        let before = load(self.niu + reg::MST_ATOMIC_RESP_RECEIVED);
        let ctrl = Ctrl::AT | Ctrl::RESP_MARKED;
        self.request(ATOMIC_BUF, [addr, node], [scratch, self.own], ctrl, atomic_increment(0), 1);
        while load(self.niu + reg::MST_ATOMIC_RESP_RECEIVED) == before {}
        order();
    }

    /// Port, NoC address and bytes up to the end of the page of a linear address.
    fn locate(&self, addr: DramAddr) -> (u32, u32, u32) {
        let at = addr.locate(self.banks);
        let (node, lo) = self.bank(at.bank, at.offset);
        (node, lo, at.run)
    }

    /// Port and NoC address of a byte of a bank.
    fn bank(&self, bank: u32, offset: u64) -> (u32, u32) {
        let entry = BANKS + bank * size_of::<BankEntry>() as u32;
        let node = load(entry + offset_of!(BankEntry, node) as u32 + 4 * self.noc);
        // Addresses above 4 GiB have bits elsewhere; no bank reaches that far.
        let base = load(entry + offset_of!(BankEntry, base) as u32);
        (node, base.wrapping_add(offset as u32))
    }

    /// DRAM banks of the chip.
    pub fn banks(&self) -> u32 {
        self.banks
    }

    fn request(&self, buf: u32, targ: [u32; 2], ret: [u32; 2], ctrl: Ctrl, len: u32, data: u32) {
        let base = self.niu + buf * NIU.cmd_buf_stride;
        while load(base + REG.cmd_ctrl) & 1 != 0 {}
        order();
        store(base + REG.targ_lo, targ[0]);
        store(base + REG.targ_node, targ[1]);
        store(base + REG.ret_lo, ret[0]);
        store(base + REG.ret_node, ret[1]);
        store(base + REG.ctrl, ctrl.bits());
        store(base + REG.at_len_be, len);
        if buf == ATOMIC_BUF {
            store(base + REG.at_data, data);
        }
        if buf == WRITE_BUF {
            // The core's own stores to L1 go another way than those to the NIU: the stores above have pushed them
            // out of the store queue, and this load, from any place in L1, returns after they have arrived.
            black_box(load_and_wait(l1::BOOT_CONFIG));
        }
        store(base + REG.cmd_ctrl, 1);
    }

    /// Sets the bits that firmware sets at power-on: clock gating of NIU and router.
    pub fn init(noc: u32) {
        let niu = NIU_BASE + noc * NIU_STRIDE;
        for offset in [reg::NIU_CFG_0, reg::ROUTER_CFG_0] {
            store(niu + offset, load_and_wait(niu + offset) | 1);
        }
    }
}
