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
//! on. Order: a kernel that needs one between its writes waits for acknowledgements, as with dynamic channels, except where it multicasts
//! in a static channel ([`Noc::write_to_others_in_order`]).
#![allow(unsafe_code)]

mod pieces;

pub use pieces::{Pairs, Pieces, Run};

use super::chip::{NIU, REG};
use super::config;
use super::l1::{L1, outside};
use super::mmio::{Register, order};
use core::hint::black_box;
use core::mem::offset_of;
use tt_isa::map::{NIU_BASE, NIU_STRIDE};
use tt_isa::noc::{Ctrl, atomic_increment, node_id, reg, tag};
use tt_kernel_abi::boot::MAX_BANKS;
use tt_kernel_abi::{BankEntry, Banks, BootConfig, DramAddr, l1};

/// Request initiator for reads.
const READ_BUF: u32 = 0;
/// Request initiator for writes.
const WRITE_BUF: u32 = 1;
/// Request initiator for atomics.
const ATOMIC_BUF: u32 = 2;
/// Transaction id of a kernel's reads on NoC 0, where reads with other ids may stay under way from one operator to the next: a kernel waits for its own alone.
/// (Id 0 is that of writes, atomics and multicasts, of which a multicast gives back more than it has taken.)
const OWN_READS: u32 = 8;
/// So many may be under way: an id's counter has eight bits (`NoC/Counters.md`).
const MOST_OWN_READS: u32 = 192;
/// The first one of those that multicasts in order have in turn, so that it is known which of them have left ([`Noc::has_left`]). Reads have none of these.
const MULTICASTS: u32 = 13;
/// How many these are.
const MULTICAST_IDS: u32 = 3;
/// A write to DRAM or to the host's memory.
const BULK_WRITE: Ctrl = Ctrl::WR.union(Ctrl::RESP_MARKED).union(Ctrl::static_vc(BULK_CLASS));
/// The class of static virtual channels that these take: one of the two for unicast.
const BULK_CLASS: u32 = 1;

/// Which way data goes.
#[derive(Clone, Copy)]
enum Way {
    FromDram,
    ToDram,
}

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

/// One of a tile's two NIUs, used by one core.
pub struct Noc {
    niu: Niu,
    noc: u32,
    own: u32,
    banks: Banks,
    reads: u32,
    writes: u32,
    /// On NoC 0: reads since some were waited for.
    asked: u32,
    /// Transaction id of writes.
    write_id: u32,
}

impl Noc {
    /// NIU `noc` of this tile. No request of its own may be under way, but reads with transaction ids ([`set_read_id`](Self::set_read_id)).
    pub fn new(noc: u32) -> Self {
        let niu = Niu::number(noc);
        let id = niu.register(REG.node_id).load();
        let Some(banks) = Banks::new(config::word(offset_of!(BootConfig, banks)).load()) else { outside() };
        Self {
            niu,
            noc,
            own: NIU.node(node_id::place(id)),
            banks,
            reads: niu.register(reg::MST_RD_RESP_RECEIVED).load(),
            writes: niu.register(reg::MST_WR_ACK_RECEIVED).load(),
            asked: 0,
            write_id: 0,
        }
    }

    #[inline(always)]
    fn register(&self, offset: u32) -> Register {
        self.niu.register(offset)
    }

    /// Counts reads that are about to start.
    #[inline(always)]
    fn count_reads(&mut self, count: u32) {
        self.reads = self.reads.wrapping_add(count);
        if self.noc == 0 {
            if self.asked + count > MOST_OWN_READS {
                if count > MOST_OWN_READS {
                    outside();
                }
                self.wait_reads();
                self.asked = 0;
            }
            self.asked += count;
        }
    }

    /// Whether all reads are in L1, but those with a transaction id.
    #[inline(always)]
    pub fn are_reads_there(&self) -> bool {
        if self.noc == 0 {
            return self.has_read_id(OWN_READS);
        }
        self.register(reg::MST_RD_RESP_RECEIVED).load().wrapping_sub(self.reads) as i32 >= 0
    }

    /// Whether all writes are acknowledged.
    #[inline(always)]
    pub fn are_writes_there(&self) -> bool {
        self.acknowledgements().wrapping_sub(self.writes) as i32 >= 0
    }

    /// Answers to atomics so far.
    #[inline(always)]
    pub fn atomics(&self) -> u32 {
        self.register(reg::MST_ATOMIC_RESP_RECEIVED).load()
    }

    /// Waits until all reads are in L1, but those with a transaction id. (Responses may overtake each other, so the count says nothing about
    /// single reads while others are under way.)
    pub fn wait_reads(&self) {
        while !self.are_reads_there() {}
        order();
    }

    /// Waits until all writes are acknowledged, i.e. done at their destination.
    pub fn wait_writes(&self) {
        while !self.are_writes_there() {}
        order();
    }

    /// Starts a read from linear DRAM that fills `to`, any number of bytes.
    #[inline(never)]
    pub fn read_dram(&mut self, mut addr: DramAddr, to: L1) {
        let (mut l1, mut len) = (to.address(), to.len());
        while len > 0 {
            let (node, lo, run) = self.locate(addr, Way::FromDram);
            let piece = len.min(run);
            self.count_reads(1);
            self.request(READ_BUF, [lo, node], [l1, self.own], Ctrl::RESP_MARKED, piece, 0);
            addr = addr.offset(u64::from(piece));
            l1 += piece;
            len -= piece;
        }
    }

    /// Gives reads that start from now on this transaction id, 1 to 12 but for 8; 0: they are reads like all others. On NoC 0 reads with an id may stay under way
    /// while others begin and are waited for, those of a later step's weights for instance ([`tt_kernel_abi::ahead`]).
    #[inline(never)]
    pub fn set_read_id(&self, id: u32) {
        let id = if id == 0 && self.noc == 0 { OWN_READS } else { id };
        let base = READ_BUF * NIU.cmd_buf_stride;
        while self.register(base + REG.cmd_ctrl).load() & 1 != 0 {}
        order();
        self.register(base + REG.packet_tag).store(id << tag::TRANSACTION_ID_SHIFT);
    }

    /// What the NIU's count of acknowledgements will be when all of this one's writes have been acknowledged.
    pub fn writes_expected(&self) -> u32 {
        self.writes
    }

    /// Acknowledgements of writes so far.
    #[inline(always)]
    pub fn acknowledgements(&self) -> u32 {
        self.register(reg::MST_WR_ACK_RECEIVED).load()
    }

    /// Waits until all reads with this transaction id are in L1.
    pub fn wait_read_id(&self, id: u32) {
        while !self.has_read_id(id) {}
    }

    /// Whether all reads with this transaction id are in L1.
    #[inline(always)]
    pub fn has_read_id(&self, id: u32) -> bool {
        // The NIU counts a request when it is told to start it: this load does not overtake that store.
        if self.register(READ_BUF * NIU.cmd_buf_stride + REG.cmd_ctrl).load() & 1 != 0 {
            return false;
        }
        order();
        let is_done = self.register(reg::MST_REQS_OUTSTANDING_ID + 4 * id).load() & 0xFF == 0;
        order();
        is_done
    }

    /// Starts a write of `from`, any number of bytes, to linear DRAM.
    #[inline(never)]
    pub fn write_dram(&mut self, from: L1, mut addr: DramAddr) {
        let (mut l1, mut len) = (from.address(), from.len());
        while len > 0 {
            let (node, lo, run) = self.locate(addr, Way::ToDram);
            let piece = len.min(run);
            self.request(WRITE_BUF, [l1, self.own], [lo, node], BULK_WRITE, piece, 0);
            self.writes = self.writes.wrapping_add(1);
            addr = addr.offset(u64::from(piece));
            l1 += piece;
            len -= piece;
        }
    }

    /// Starts a read of `to.len()` bytes of a bank, from `offset` on.
    #[inline(never)]
    pub fn read_bank(&mut self, bank: u32, offset: u32, to: L1) {
        for at in (0..to.len()).step_by(NIU.max_packet as usize) {
            let (node, lo) = self.bank(bank, u64::from(offset + at), Way::FromDram);
            let piece = (to.len() - at).min(NIU.max_packet);
            self.count_reads(1);
            self.request(READ_BUF, [lo, node], [to.address() + at, self.own], Ctrl::RESP_MARKED, piece, 0);
        }
    }

    /// Starts a write of `from`, any number of bytes, to a bank, from `offset` on.
    #[inline(never)]
    pub fn write_bank(&mut self, from: L1, bank: u32, offset: u32) {
        for at in (0..from.len()).step_by(NIU.max_packet as usize) {
            let (node, lo) = self.bank(bank, u64::from(offset + at), Way::ToDram);
            let piece = (from.len() - at).min(NIU.max_packet);
            self.request(WRITE_BUF, [from.address() + at, self.own], [lo, node], BULK_WRITE, piece, 0);
            self.writes = self.writes.wrapping_add(1);
        }
    }

    /// Starts a write of `from`, at most a packet, to memory of the host, as [`tt_kernel_abi::BootConfig::push`] names it.
    pub fn write_host(&mut self, from: L1, place: [u32; 2]) {
        // SAFETY: a range that the caller has; waiting is its part.
        unsafe { self.write_l1_to_host(from.address(), place, from.len()) };
    }

    /// The same of `len` bytes of L1 outside of the heap.
    ///
    /// # Safety
    /// They are not written to until the write is acknowledged.
    pub unsafe fn write_l1_to_host(&mut self, l1: u32, place: [u32; 2], len: u32) {
        self.request(WRITE_BUF, [l1, self.own], place, BULK_WRITE, len, 0);
        self.writes = self.writes.wrapping_add(1);
    }

    /// Starts a read of a tile's L1 that fills `to`, any number of bytes; both ends are congruent modulo 16.
    pub fn read_l1(&mut self, node: u32, from: u32, to: L1) {
        for at in (0..to.len()).step_by(NIU.max_packet as usize) {
            let piece = (to.len() - at).min(NIU.max_packet);
            self.count_reads(1);
            let place = [to.address() + at, self.own];
            self.request(READ_BUF, [from + at, node], place, Ctrl::RESP_MARKED, piece, 0);
        }
    }

    /// Starts a write of `from`, at most a packet, to another tile's L1; both ends are congruent modulo 16.
    ///
    /// # Safety
    /// Nobody has a Rust reference to the bytes there, and whoever uses them knows of the write.
    pub unsafe fn write_l1(&mut self, from: L1, node: u32, to: u32) {
        let ctrl = Ctrl::WR | Ctrl::RESP_MARKED;
        self.request(WRITE_BUF, [from.address(), self.own], [to, node], ctrl, from.len(), 0);
        self.writes = self.writes.wrapping_add(1);
    }

    /// A port of the bank of a linear address, and the address there. For a core of NoC 0, whose places are those that commands to other tiles' firmware have.
    pub fn place_on_noc_0(&self, addr: DramAddr) -> (u32, u32) {
        if self.noc != 0 {
            outside();
        }
        let (node, lo, _) = self.locate(addr, Way::FromDram);
        (node, lo)
    }

    /// Writes `len` bytes from L1 to an address of all `tiles` tiles of a rectangle, this one included. All of them acknowledge it.
    ///
    /// # Safety
    /// Nobody has a Rust reference to the bytes on these tiles, and whoever uses them knows of the write. The bytes here are not written to meanwhile.
    pub unsafe fn write_to_all(&mut self, l1: u32, addr: u32, len: u32, rect: u32, tiles: u32) {
        self.multicast([l1, addr], len, rect, Ctrl::RESP_MARKED);
        self.writes = self.writes.wrapping_add(tiles);
    }

    /// Writes an L1 word to an address of all tiles of a rectangle, this one included. Nobody acknowledges it.
    ///
    /// # Safety
    /// Nobody has a Rust reference to the bytes on these tiles, and whoever uses them knows of the write. The bytes here are not written to meanwhile.
    pub unsafe fn write_word_to_all(&self, l1: u32, addr: u32, rect: u32) {
        self.multicast([l1, addr], 4, rect, Ctrl::empty());
    }

    /// Writes `len` bytes from L1 to an address of the `others` other tiles of a rectangle, in as many packets as that takes. All of them
    /// acknowledge each.
    ///
    /// # Safety
    /// Nobody has a Rust reference to the bytes on these tiles, and whoever uses them knows of the write. The bytes here are not written to meanwhile.
    pub unsafe fn write_to_others(
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

    /// Whether a write would begin at once: the one before it is on its way.
    #[inline(always)]
    pub fn may_write(&self) -> bool {
        self.register(WRITE_BUF * NIU.cmd_buf_stride + REG.cmd_ctrl).load() & 1 == 0
    }

    /// Writes `len` bytes from L1, at most a packet, to an address of the `others` other tiles of a rectangle. All of them acknowledge it. Each of them has it later than what this
    /// tile has sent to the rectangle before in this way ([`Ctrl::multicast_in_order`]). Several writes in a row have a `number`, for [`has_left`](Self::has_left).
    ///
    /// # Safety
    /// Nobody has a Rust reference to the bytes on these tiles, and whoever uses them knows of the write. The bytes here are not written to until it has left.
    pub unsafe fn write_to_others_in_order(
        &mut self,
        number: u32,
        [l1, addr]: [u32; 2],
        len: u32,
        [rect, others]: [u32; 2],
    ) {
        self.write_id = MULTICASTS + number % MULTICAST_IDS;
        let ctrl = Ctrl::multicast_in_order().union(Ctrl::RESP_MARKED);
        self.request(WRITE_BUF, [l1, self.own], [addr, rect], ctrl, len, 0);
        self.write_id = 0;
        self.writes = self.writes.wrapping_add(others);
    }

    /// Whether the bytes of all writes in order with this number, or some later ones, have been read here.
    pub fn has_left(&self, number: u32) -> bool {
        // The NIU counts a request when it is told to start it: this load does not overtake that store.
        if !self.may_write() {
            return false;
        }
        order();
        let id = MULTICASTS + number % MULTICAST_IDS;
        let has_left = self.register(reg::MST_WRITE_REQS_OUTGOING_ID + 4 * id).load() & 0xFF == 0;
        order();
        has_left
    }

    fn multicast(&self, [l1, addr]: [u32; 2], len: u32, rect: u32, ctrl: Ctrl) {
        let all = Ctrl::WR | Ctrl::BRCST_PACKET | Ctrl::BRCST_SRC_INCLUDE | Ctrl::PATH_RESERVE;
        self.request(WRITE_BUF, [l1, self.own], [addr, rect], all | ctrl, len, 0);
    }

    /// Adds one to an L1 word (16-byte aligned) of another tile and waits until it is done.
    ///
    /// # Safety
    /// As [`add`](Self::add).
    pub unsafe fn increment(&self, node: u32, addr: u32, scratch: u32) {
        let before = self.atomics();
        // SAFETY: by contract.
        unsafe { self.add(node, addr, scratch, 1) };
        while self.atomics() == before {}
        order();
    }

    /// Starts to add to an L1 word (16-byte aligned) of another tile.
    ///
    /// # Safety
    /// The word there is one for atomics, and nobody uses the one at `scratch`, which gets the old value.
    #[inline(always)]
    pub unsafe fn add(&self, node: u32, addr: u32, scratch: u32, value: u32) {
        let ctrl = Ctrl::AT | Ctrl::RESP_MARKED;
        self.request(ATOMIC_BUF, [addr, node], [scratch, self.own], ctrl, atomic_increment(0), value);
    }

    /// Port, NoC address and bytes up to the end of the page of a linear address.
    fn locate(&self, addr: DramAddr, way: Way) -> (u32, u32, u32) {
        let at = addr.locate_in(self.banks);
        // SAFETY: a number of a bank modulo `banks`, of which there are no more than the table has.
        let (node, lo) = unsafe { self.bank_of_table(at.bank, at.offset, way) };
        (node, lo, at.run)
    }

    /// Port and NoC address of a byte of a bank.
    fn bank(&self, bank: u32, offset: u64, way: Way) -> (u32, u32) {
        if bank >= MAX_BANKS as u32 {
            outside();
        }
        // SAFETY: the table has the bank.
        unsafe { self.bank_of_table(bank, offset, way) }
    }

    /// Port and NoC address of a byte of a bank.
    ///
    /// # Safety
    /// The bank is less than [`MAX_BANKS`].
    #[inline(always)]
    unsafe fn bank_of_table(&self, bank: u32, offset: u64, way: Way) -> (u32, u32) {
        let entry =
            l1::BOOT_CONFIG + offset_of!(BootConfig, bank) as u32 + bank * size_of::<BankEntry>() as u32;
        let port = match way {
            Way::FromDram => self.noc,
            Way::ToDram => 2 * self.noc,
        };
        // SAFETY: a word of the bank's entry, one of three, in the boot configuration, to which there are no references.
        let node = unsafe { Register::at(entry + offset_of!(BankEntry, node) as u32 + 4 * port) };
        // SAFETY: another one.
        let base = unsafe { Register::at(entry + offset_of!(BankEntry, base) as u32) };
        (node.load(), base.load().wrapping_add(offset as u32))
    }

    /// DRAM banks of the chip.
    pub fn banks(&self) -> u32 {
        self.banks.count()
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
            at(REG.packet_tag).store(self.write_id << tag::TRANSACTION_ID_SHIFT);
            // The core's own stores to L1 go another way than those to the NIU: the stores above have pushed them
            // out of the store queue, and this load, from any place in L1, returns after they have arrived.
            black_box(config::word(0).load_and_wait());
        }
        at(REG.cmd_ctrl).store(1);
    }

    /// Sets the bits that firmware sets at power-on, clock gating of NIU and router, and what [`Noc`] relies on.
    pub fn init(noc: u32) {
        for offset in [reg::NIU_CFG_0, reg::ROUTER_CFG_0] {
            let register = Niu::number(noc).register(offset);
            register.store(register.load_and_wait() | 1);
        }
        Noc::new(noc).set_read_id(0);
    }
}
