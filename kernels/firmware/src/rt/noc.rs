//! NoC requests through an NIU's request initiators, and the counters that tell when they are done
//! (`NoC/MemoryMap.md`, `NoC/Counters.md`).
//!
//! One [`Noc`] a core: BRISC has NoC 0, NCRISC NoC 1, so no two cores share an NIU's initiators or counters.
//! Alignment is the caller's affair: source and destination congruent when DRAM is read and, more weakly, otherwise
//! ([`tt_kernel_abi::target`]). Where in L1 data goes to and comes from is a range ([`L1`]).
//!
//! # Virtual channels
//! DRAM and PCIe take less than a link brings, so what is written there fills the buffers on its way. In dynamic virtual channels writers to one
//! channel of DRAM then get 7.6 bytes a clock together, in a static one 22 (`DRAMTile/README.md`, "Performance"). So these writes are static; all
//! other requests stay dynamic.
//!
//! Deadlock: a packet in a static channel waits for those in front of it in that channel, along its way. Ways on a torus close no ring
//! within a channel, since a packet changes to the class' other channel where it wraps round (`NoC/RoutingPaths.md`). At the end of every way
//! is memory, which takes a request without waiting for another one; acknowledgements have channels of their own. So everything moves
//! on. Order: nothing relies on it. A kernel that needs an order between its writes waits for acknowledgements, as with dynamic channels.
#![allow(unsafe_code)]

use super::boot;
use super::chip::{NIU, REG};
use super::l1::{L1, outside};
use super::mmio::{Register, order};
use core::hint::black_box;
use core::mem::offset_of;
use tt_isa::map::{NIU_BASE, NIU_STRIDE};
use tt_isa::noc::{Ctrl, atomic_increment, node_id, reg, tag};
use tt_kernel_abi::boot::MAX_BANKS;
use tt_kernel_abi::{BankEntry, BootConfig, DramAddr, Shard, Shards, l1};

/// Request initiator for reads.
const READ_BUF: u32 = 0;
/// Request initiator for writes.
const WRITE_BUF: u32 = 1;
/// Request initiator for atomics.
const ATOMIC_BUF: u32 = 2;
/// A write to DRAM or to the host's memory.
const BULK_WRITE: Ctrl = Ctrl::WR.union(Ctrl::RESP_MARKED).union(Ctrl::static_vc(BULK_CLASS));
/// The class of static virtual channels that these take: one of the two for unicast.
const BULK_CLASS: u32 = 1;

/// An NIU of the tile: its first register.
#[derive(Clone, Copy)]
struct Niu(u32);

impl Niu {
    #[inline(always)]
    fn number(noc: u32) -> Self {
        if noc > 1 {
            outside();
        }
        Self(NIU_BASE + noc * NIU_STRIDE)
    }

    #[inline(always)]
    fn register(self, offset: u32) -> Register {
        if offset >= NIU_STRIDE {
            outside();
        }
        // SAFETY: inside of the address range of one of the two NIUs.
        unsafe { Register::at(self.0 + offset) }
    }
}

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

/// The shard of a byte of a matrix' stream. Not in line: it is looked for once in many packets.
#[cold]
#[inline(never)]
fn find(shards: &Shards, at: u64) -> Shard {
    shards.find(at)
}

/// One of a tile's two NIUs, used by one core.
pub struct Noc {
    niu: Niu,
    noc: u32,
    own: u32,
    banks: u32,
    reads: u32,
    writes: u32,
}

impl Noc {
    /// NIU `noc` of this tile. No request of its own may be under way.
    pub fn new(noc: u32) -> Self {
        let niu = Niu::number(noc);
        let id = niu.register(REG.node_id).load();
        let banks = boot::word(offset_of!(BootConfig, banks)).load();
        if banks > MAX_BANKS as u32 {
            outside();
        }
        Self {
            niu,
            noc,
            own: NIU.node(node_id::place(id)),
            banks,
            reads: niu.register(reg::MST_RD_RESP_RECEIVED).load(),
            writes: niu.register(reg::MST_WR_ACK_RECEIVED).load(),
        }
    }

    #[inline(always)]
    fn register(&self, offset: u32) -> Register {
        self.niu.register(offset)
    }

    /// Waits until all reads are in L1. (Responses may overtake each other, so the count says nothing about
    /// single reads while others are under way.)
    pub fn wait_reads(&self) {
        while (self.register(reg::MST_RD_RESP_RECEIVED).load().wrapping_sub(self.reads) as i32) < 0 {}
        order();
    }

    /// Waits until all writes are acknowledged, i.e. done at their destination.
    pub fn wait_writes(&self) {
        while (self.register(reg::MST_WR_ACK_RECEIVED).load().wrapping_sub(self.writes) as i32) < 0 {}
        order();
    }

    /// Starts a read from linear DRAM that fills `to`, any number of bytes.
    #[inline(never)]
    pub fn read_dram(&mut self, mut addr: DramAddr, to: L1) {
        let (mut l1, mut len) = (to.address(), to.len());
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
        while left > 0 {
            let (node, mut lo, run) = self.locate(addr);
            let mut run = u64::from(run);
            if u64::from(bytes) > run {
                // SAFETY: a piece inside of the part of `to` that has been checked.
                self.read_dram(addr, unsafe { L1::new(l1, bytes) });
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
            let before = left;
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
            self.reads = self.reads.wrapping_add(before - left);
        }
    }

    /// Starts a read that fills `to`, any number of bytes, from byte `at` of a matrix' stream of tiles on; `shard` is the one that
    /// was read from before, or an empty one. Packets are as large as can be.
    pub fn read_shards(&mut self, shards: &Shards, shard: &mut Shard, at: u64, to: L1) {
        self.packets(shards, shard, (at, to), |noc, dram, l1, piece| {
            noc.request(READ_BUF, dram, [l1, noc.own], Ctrl::RESP_MARKED, piece, 0);
            noc.reads = noc.reads.wrapping_add(1);
        });
    }

    /// Starts a write of `from` to byte `at` of a matrix' stream of tiles and on, as [`read_shards`](Self::read_shards) reads.
    pub fn write_shards(&mut self, shards: &Shards, shard: &mut Shard, at: u64, from: L1) {
        self.packets(shards, shard, (at, from), |noc, dram, l1, piece| {
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
        start: impl Fn(&mut Self, [u32; 2], u32, u32),
    ) {
        let (mut l1, mut len) = (range.address(), range.len());
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
            *shard = find(shards, at);
        }
        let (offset, run) = shard.locate(at)?;
        let piece = if run < u64::from(len) { run as u32 } else { len };
        let (node, lo) = self.bank(shard.bank, offset);
        Some((node, lo, piece.min(NIU.max_packet)))
    }

    /// Gives reads that start from now on this transaction id, 0 to 15; 0 is that of all others.
    pub fn set_read_id(&self, id: u32) {
        let base = READ_BUF * NIU.cmd_buf_stride;
        while self.register(base + REG.cmd_ctrl).load() & 1 != 0 {}
        order();
        self.register(base + REG.packet_tag).store(id << tag::TRANSACTION_ID_SHIFT);
    }

    /// Waits until all reads with this transaction id are in L1.
    pub fn wait_read_id(&self, id: u32) {
        // The NIU counts a request when it is told to start it: this load does not overtake that store.
        while self.register(READ_BUF * NIU.cmd_buf_stride + REG.cmd_ctrl).load() & 1 != 0 {}
        order();
        while self.register(reg::MST_REQS_OUTSTANDING_ID + 4 * id).load() & 0xFF != 0 {}
        order();
    }

    /// Starts a write of `from`, any number of bytes, to linear DRAM.
    #[inline(never)]
    pub fn write_dram(&mut self, from: L1, mut addr: DramAddr) {
        let (mut l1, mut len) = (from.address(), from.len());
        while len > 0 {
            let (node, lo, run) = self.locate(addr);
            let piece = len.min(run);
            self.request(WRITE_BUF, [l1, self.own], [lo, node], BULK_WRITE, piece, 0);
            self.writes = self.writes.wrapping_add(1);
            addr = addr.offset(u64::from(piece));
            l1 += piece;
            len -= piece;
        }
    }

    /// Starts a write of `from`, at most a packet, to memory of the host, as [`tt_kernel_abi::BootConfig::push`] names it.
    pub fn write_host(&mut self, from: L1, place: [u32; 2]) {
        self.write_l1_to_host(from.address(), place, from.len());
    }

    /// The same of `len` bytes of L1 outside of the heap.
    pub(super) fn write_l1_to_host(&mut self, l1: u32, place: [u32; 2], len: u32) {
        self.request(WRITE_BUF, [l1, self.own], place, BULK_WRITE, len, 0);
        self.writes = self.writes.wrapping_add(1);
    }

    /// Starts a read of another tile's L1 that fills `to`, at most a packet; both ends are congruent modulo 16.
    pub(super) fn read_l1(&mut self, node: u32, from: u32, to: L1) {
        self.request(READ_BUF, [from, node], [to.address(), self.own], Ctrl::RESP_MARKED, to.len(), 0);
        self.reads = self.reads.wrapping_add(1);
    }

    /// Starts a write of `from`, at most a packet, to another tile's L1; both ends are congruent modulo 16.
    pub(super) fn write_l1(&mut self, from: L1, node: u32, to: u32) {
        let ctrl = Ctrl::WR | Ctrl::RESP_MARKED;
        self.request(WRITE_BUF, [from.address(), self.own], [to, node], ctrl, from.len(), 0);
        self.writes = self.writes.wrapping_add(1);
    }

    /// A port of the bank of a linear address, and the address there. For a core of NoC 0, whose places are those that commands to other tiles' firmware have.
    pub(super) fn place_on_noc_0(&self, addr: DramAddr) -> (u32, u32) {
        if self.noc != 0 {
            outside();
        }
        let (node, lo, _) = self.locate(addr);
        (node, lo)
    }

    /// Writes `len` bytes from L1 to an address of all `tiles` tiles of a rectangle, this one included. All of them acknowledge it.
    pub(super) fn write_to_all(&mut self, l1: u32, addr: u32, len: u32, rect: u32, tiles: u32) {
        self.multicast([l1, addr], len, rect, Ctrl::RESP_MARKED);
        self.writes = self.writes.wrapping_add(tiles);
    }

    /// Writes an L1 word to an address of all tiles of a rectangle, this one included. Nobody acknowledges it.
    pub(super) fn write_word_to_all(&self, l1: u32, addr: u32, rect: u32) {
        self.multicast([l1, addr], 4, rect, Ctrl::empty());
    }

    /// Writes `len` bytes from L1 to an address of the `others` other tiles of a rectangle, in as many packets as that takes. All of them
    /// acknowledge each.
    pub(super) fn write_to_others(
        &mut self,
        mut l1: u32,
        mut addr: u32,
        mut len: u32,
        rect: u32,
        others: u32,
    ) {
        while others > 0 && len > 0 {
            let piece = len.min(NIU.max_packet);
            let ctrl = Ctrl::WR | Ctrl::BRCST_PACKET | Ctrl::PATH_RESERVE | Ctrl::RESP_MARKED;
            self.request(WRITE_BUF, [l1, self.own], [addr, rect], ctrl, piece, 0);
            self.writes = self.writes.wrapping_add(others);
            l1 += piece;
            addr += piece;
            len -= piece;
        }
    }

    fn multicast(&self, [l1, addr]: [u32; 2], len: u32, rect: u32, ctrl: Ctrl) {
        let all = Ctrl::WR | Ctrl::BRCST_PACKET | Ctrl::BRCST_SRC_INCLUDE | Ctrl::PATH_RESERVE;
        self.request(WRITE_BUF, [l1, self.own], [addr, rect], all | ctrl, len, 0);
    }

    /// Adds one to an L1 word (16-byte aligned) of another tile and waits until it is done.
    pub(super) fn increment(&self, node: u32, addr: u32, scratch: u32) {
        let before = self.register(reg::MST_ATOMIC_RESP_RECEIVED).load();
        let ctrl = Ctrl::AT | Ctrl::RESP_MARKED;
        self.request(ATOMIC_BUF, [addr, node], [scratch, self.own], ctrl, atomic_increment(0), 1);
        while self.register(reg::MST_ATOMIC_RESP_RECEIVED).load() == before {}
        order();
    }

    /// Port, NoC address and bytes up to the end of the page of a linear address.
    fn locate(&self, addr: DramAddr) -> (u32, u32, u32) {
        let at = addr.locate(self.banks);
        // SAFETY: a number of a bank modulo `banks`, which `new` has compared with the size of the table.
        let (node, lo) = unsafe { self.bank_of_table(at.bank, at.offset) };
        (node, lo, at.run)
    }

    /// Port and NoC address of a byte of a bank.
    fn bank(&self, bank: u32, offset: u64) -> (u32, u32) {
        if bank >= MAX_BANKS as u32 {
            outside();
        }
        // SAFETY: the table has the bank.
        unsafe { self.bank_of_table(bank, offset) }
    }

    /// Port and NoC address of a byte of a bank.
    ///
    /// # Safety
    /// The bank is less than [`MAX_BANKS`].
    #[inline(always)]
    unsafe fn bank_of_table(&self, bank: u32, offset: u64) -> (u32, u32) {
        let entry =
            l1::BOOT_CONFIG + offset_of!(BootConfig, bank) as u32 + bank * size_of::<BankEntry>() as u32;
        // SAFETY: a word of the bank's entry, for one of two NoCs, in the boot configuration, to which there are no references.
        let node = unsafe { Register::at(entry + offset_of!(BankEntry, node) as u32 + 4 * self.noc) };
        // SAFETY: another one. Addresses above 4 GiB have bits elsewhere; no bank reaches that far.
        let base = unsafe { Register::at(entry + offset_of!(BankEntry, base) as u32) };
        (node.load(), base.load().wrapping_add(offset as u32))
    }

    /// DRAM banks of the chip.
    pub fn banks(&self) -> u32 {
        self.banks
    }

    fn request(&self, buf: u32, targ: [u32; 2], ret: [u32; 2], ctrl: Ctrl, len: u32, data: u32) {
        let at = |offset| self.register(buf * NIU.cmd_buf_stride + offset);
        while at(REG.cmd_ctrl).load() & 1 != 0 {}
        order();
        at(REG.targ_lo).store(targ[0]);
        at(REG.targ_node).store(targ[1]);
        at(REG.ret_lo).store(ret[0]);
        at(REG.ret_node).store(ret[1]);
        at(REG.ctrl).store(ctrl.bits());
        at(REG.at_len_be).store(len);
        if buf == ATOMIC_BUF {
            at(REG.at_data).store(data);
        }
        if buf == WRITE_BUF {
            // The core's own stores to L1 go another way than those to the NIU: the stores above have pushed them
            // out of the store queue, and this load, from any place in L1, returns after they have arrived.
            black_box(boot::word(0).load_and_wait());
        }
        at(REG.cmd_ctrl).store(1);
    }

    /// Sets the bits that firmware sets at power-on: clock gating of NIU and router.
    pub(super) fn init(noc: u32) {
        for offset in [reg::NIU_CFG_0, reg::ROUTER_CFG_0] {
            let register = Niu::number(noc).register(offset);
            register.store(register.load_and_wait() | 1);
        }
    }
}
