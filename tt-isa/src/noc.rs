//! Network on chip: NIU registers, request encodings, coordinates (`NoC/README.md`, `NoC/MemoryMap.md`,
//! `NoC/Counters.md`, `NoC/Coordinates.md`, `NoC/Atomics.md`).
//!
//! Each tile has two NIUs. A request is written into one of four initiator register sets and started by a
//! store to `CMD_CTRL`, which reads zero again once the NIU has taken the request. Responses are counted.
//!
//! Requests, responses, counters and the bits of their registers are the same on every chip; where registers are, how a
//! request names a tile, and how much a packet carries are not: [`NiuMap`].

/// What differs from chip to chip in an NIU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NiuMap {
    /// Distance between two initiator register sets, in bytes.
    pub cmd_buf_stride: u32,
    /// Largest request in bytes.
    pub max_packet: u32,
    /// Bytes a link carries a cycle (a flit).
    pub link_width: u32,
    /// Source and destination of a read from DRAM or the host have the same address modulo this many bytes.
    pub read_congruence: u32,
    /// The same for reads from L1, and for writes.
    pub congruence: u32,
    /// Bits by which a tile's coordinates are shifted in the register that names it ([`NiuRegisters::targ_node`]); lower
    /// bits are the highest ones of the address.
    pub node_shift: u32,
    /// Bits of an entry of the translation tables, each of which has 32.
    pub translation_bits: u32,
    /// Rows, one bit each, to which a request's column is not translated.
    pub untranslated_rows: u32,
    /// Where registers are.
    pub registers: NiuRegisters,
}

/// Registers whose place differs, relative to an NIU's base.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NiuRegisters {
    /// Initiator: target address, bits 31:0.
    pub targ_lo: u32,
    /// Initiator: target address, the bits above.
    pub targ_mid: u32,
    /// Initiator: the tile that the target address is in.
    pub targ_node: u32,
    /// Initiator: return address, bits 31:0.
    pub ret_lo: u32,
    /// Initiator: return address, the bits above.
    pub ret_mid: u32,
    /// Initiator: the tile that the return address is in.
    pub ret_node: u32,
    /// Initiator: [`tag`].
    pub packet_tag: u32,
    /// Initiator: [`Ctrl`].
    pub ctrl: u32,
    /// Initiator: length in bytes, byte enables, or the atomic operation.
    pub at_len_be: u32,
    /// Initiator: operand of inline writes and atomics.
    pub at_data: u32,
    /// Initiator: tiles that a broadcast leaves out, if there is such a register.
    pub brcst_exclude: Option<u32>,
    /// Initiator: write 1 to start; reads 1 while the request waits.
    pub cmd_ctrl: u32,
    /// This node: x in bits 5:0, y in 11:6, [`node_id`] above. Every initiator set shows it.
    pub node_id: u32,
    /// This NIU within its chip: [`Endpoint`]. Every initiator set shows it.
    pub endpoint_id: u32,
    /// Write: bit i clears the outstanding counter of transaction id i.
    pub clear_outstanding: u32,
    /// First register of the table of columns ([`Translation`]).
    pub x_translate_table: u32,
    /// First register of the table of rows.
    pub y_translate_table: u32,
    /// This node's translated id: x in bits 5:0, y in 11:6.
    pub id_logical: u32,
}

impl NiuMap {
    /// A tile's bits of the registers that name it.
    pub const fn node(&self, tile: NocXy) -> u32 {
        (tile.x as u32 | (tile.y as u32) << 6) << self.node_shift
    }

    /// The rectangle from `start` to `end`, as the bits of a multicast.
    pub const fn node_rect(&self, start: NocXy, end: NocXy) -> u32 {
        self.node(end) | self.node(start) << RECT_START
    }

    /// The register that names a tile, for an address of more than 32 bits there; `None` where a chip has a register of its own for the
    /// high bits, or not so many.
    pub const fn node_at(&self, tile: NocXy, addr: u64) -> Option<u32> {
        let high = addr >> 32;
        match self.registers.ret_node == self.registers.ret_mid && high < 1 << self.node_shift {
            true => Some(self.node(tile) | high as u32),
            false => None,
        }
    }

    /// The tile that a register names; of a multicast the last one. Reverse of [`Self::node`].
    pub const fn tile(&self, node: u32) -> NocXy {
        let bits = node >> self.node_shift;
        NocXy::new((bits & 63) as u8, (bits >> 6 & 63) as u8)
    }

    /// First and last tile of a multicast. Reverse of [`Self::node_rect`].
    pub const fn tile_rect(&self, node: u32) -> (NocXy, NocXy) {
        (self.tile(node >> RECT_START), self.tile(node))
    }

    /// Registers that a table of [`Translation`] takes.
    pub const fn table_registers(&self) -> usize {
        NAMES.div_ceil((u32::BITS / self.translation_bits) as usize)
    }

    /// A table of [`Translation`] as its registers hold it; those behind [`Self::table_registers`] are zero.
    pub fn table_words(&self, table: &[u8; NAMES]) -> [u32; NAMES] {
        let mut words = [0; NAMES];
        let bits = self.translation_bits;
        for (word, entries) in words.iter_mut().zip(table.chunks((u32::BITS / bits) as usize)) {
            for (i, &entry) in (0..).zip(entries) {
                *word |= (u32::from(entry) & ((1 << bits) - 1)) << (bits * i);
            }
        }
        words
    }

    /// Reverse of [`Self::table_words`].
    pub fn table(&self, words: &[u32]) -> [u8; NAMES] {
        let (bits, of_register) = (self.translation_bits, u32::BITS / self.translation_bits);
        core::array::from_fn(|name| {
            let (word, entry) = (name as u32 / of_register, name as u32 % of_register);
            (words[word as usize] >> (bits * entry) & ((1 << bits) - 1)) as u8
        })
    }

    /// Position of the tile that a request names.
    pub fn position(&self, tables: &Translation, tile: NocXy) -> NocXy {
        let raw = self.untranslated_rows.checked_shr(tile.y.into()).unwrap_or(0) & 1 == 1;
        let x = if raw { tile.x } else { entry(&tables.x, tile.x, tables.names.x) };
        NocXy::new(x, entry(&tables.y, tile.y, tables.names.y))
    }
}

/// From the last to the first tile of a rectangle, in bits.
const RECT_START: u32 = 12;

/// Entries of a translation table.
pub const NAMES: usize = 32;

/// Tables that say which tile a request names, as firmware writes them into every NIU (`NoC/Coordinates.md`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Translation {
    /// Columns, by the x of the request.
    pub x: [u8; NAMES],
    /// Rows, by its y.
    pub y: [u8; NAMES],
    /// Names from here on are not in use: zero in the tables, and no tile.
    pub names: NocXy,
    /// Names below this one are positions as each NoC counts them; the others mean the same tile on both NoCs.
    pub positions: u8,
}

impl Translation {
    /// Tables of NoC 0 as those of `noc` on a grid of `size`.
    pub fn on(&self, noc: u8, size: NocXy) -> Self {
        let mut tables = *self;
        if noc == 1 {
            let count = |names: u8| usize::from(self.positions)..usize::from(names);
            tables.x[count(self.names.x)].iter_mut().for_each(|x| *x = size.x.wrapping_sub(1 + *x));
            tables.y[count(self.names.y)].iter_mut().for_each(|y| *y = size.y.wrapping_sub(1 + *y));
        }
        tables
    }
}

/// What a name means; names that are not in use stay what they are, outside of the grid.
fn entry(table: &[u8; NAMES], name: u8, unused: u8) -> u8 {
    match table.get(usize::from(name)) {
        Some(&entry) if entry != 0 || name < unused => entry,
        _ => name,
    }
}

/// Initiator register sets of an NIU.
pub const CMD_BUFS: u32 = 4;
/// Transaction ids.
pub const TRANSACTION_IDS: u32 = 16;

/// Registers that are the same on every chip, relative to an NIU's base. [`NiuRegisters`] has the others.
pub mod reg {
    /// Bit i: initiator i waits.
    pub const CMD_BUF_STATUS: u32 = 0x54;
    /// NIU configuration: [`super::NiuCfg`].
    pub const NIU_CFG_0: u32 = 0x100;
    /// Router configuration.
    pub const ROUTER_CFG_0: u32 = 0x104;
    /// Bit x: NIUs in column x do not receive broadcasts.
    pub const ROUTER_CFG_1: u32 = 0x108;
    /// Bit y: NIUs in row y do not receive broadcasts.
    pub const ROUTER_CFG_3: u32 = 0x110;
    /// Counter: atomics with a response, responses received. The first of 64 counters.
    pub const MST_ATOMIC_RESP_RECEIVED: u32 = 0x200;
    /// Counter: write acknowledgements received.
    pub const MST_WR_ACK_RECEIVED: u32 = 0x204;
    /// Counter: read responses received (a request counts once it is complete).
    pub const MST_RD_RESP_RECEIVED: u32 = 0x208;
    /// Counter: data flits of read responses received.
    pub const MST_RD_DATA_WORD_RECEIVED: u32 = 0x20C;
    /// Counter: packets that got a virtual channel.
    pub const MST_CMD_ACCEPTED: u32 = 0x210;
    /// Counter: read requests sent.
    pub const MST_RD_REQ_SENT: u32 = 0x214;
    /// Counter: non-posted atomics sent.
    pub const MST_NONPOSTED_ATOMIC_SENT: u32 = 0x218;
    /// Counter: posted atomics sent.
    pub const MST_POSTED_ATOMIC_SENT: u32 = 0x21C;
    /// Counter: data flits of non-posted writes sent.
    pub const MST_NONPOSTED_WR_DATA_WORD_SENT: u32 = 0x220;
    /// Counter: data flits of posted writes sent.
    pub const MST_POSTED_WR_DATA_WORD_SENT: u32 = 0x224;
    /// Counter: non-posted writes sent.
    pub const MST_NONPOSTED_WR_REQ_SENT: u32 = 0x228;
    /// Counter: posted writes sent.
    pub const MST_POSTED_WR_REQ_SENT: u32 = 0x22C;
    /// Counter: non-posted writes that got a virtual channel.
    pub const MST_NONPOSTED_WR_REQ_STARTED: u32 = 0x230;
    /// Counter: posted writes that got a virtual channel.
    pub const MST_POSTED_WR_REQ_STARTED: u32 = 0x234;
    /// Counter: reads that got a virtual channel.
    pub const MST_RD_REQ_STARTED: u32 = 0x238;
    /// Counter: non-posted atomics that got a virtual channel.
    pub const MST_NONPOSTED_ATOMIC_STARTED: u32 = 0x23C;
    /// Outstanding requests, a word a transaction id, eight bits wide.
    pub const MST_REQS_OUTSTANDING_ID: u32 = 0x240;
    /// Writes whose data has not left yet, a word a transaction id, eight bits wide.
    pub const MST_WRITE_REQS_OUTGOING_ID: u32 = 0x280;
    /// Counter: responses to atomics sent.
    pub const SLV_ATOMIC_RESP_SENT: u32 = 0x2C0;
    /// Counter: write acknowledgements sent.
    pub const SLV_WR_ACK_SENT: u32 = 0x2C4;
    /// Counter: read responses sent.
    pub const SLV_RD_RESP_SENT: u32 = 0x2C8;
    /// Counter: data flits of read responses sent.
    pub const SLV_RD_DATA_WORD_SENT: u32 = 0x2CC;
    /// Counter: reads and atomics that arrived.
    pub const SLV_REQ_ACCEPTED: u32 = 0x2D0;
    /// Counter: reads that arrived.
    pub const SLV_RD_REQ_RECEIVED: u32 = 0x2D4;
    /// Counter: non-posted atomics that arrived.
    pub const SLV_NONPOSTED_ATOMIC_RECEIVED: u32 = 0x2D8;
    /// Counter: posted atomics that arrived.
    pub const SLV_POSTED_ATOMIC_RECEIVED: u32 = 0x2DC;
    /// Counter: data flits of non-posted writes that arrived.
    pub const SLV_NONPOSTED_WR_DATA_WORD_RECEIVED: u32 = 0x2E0;
    /// Counter: data flits of posted writes that arrived.
    pub const SLV_POSTED_WR_DATA_WORD_RECEIVED: u32 = 0x2E4;
    /// Counter: non-posted writes that arrived completely.
    pub const SLV_NONPOSTED_WR_REQ_RECEIVED: u32 = 0x2E8;
    /// Counter: posted writes that arrived completely.
    pub const SLV_POSTED_WR_REQ_RECEIVED: u32 = 0x2EC;
    /// Counter: non-posted writes that began to arrive.
    pub const SLV_NONPOSTED_WR_REQ_STARTED: u32 = 0x2F0;
    /// Counter: posted writes that began to arrive.
    pub const SLV_POSTED_WR_REQ_STARTED: u32 = 0x2F4;
}

bitflags::bitflags! {
    /// Flags of the initiator's `CTRL` register (`NOC_CTRL` in `NoC/MemoryMap.md`). Bits 15:13 are no flags but
    /// a number: [`Ctrl::static_vc`].
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Ctrl: u32 {
        /// Atomic request.
        const AT = 1 << 0;
        /// Write (or, without it, read) request.
        const WR = 1 << 1;
        /// Write with byte enables.
        const WR_BE = 1 << 2;
        /// Inline write: the data is `AT_DATA`.
        const WR_INLINE = 1 << 3;
        /// Ask for a response (non-posted). Reads always have one.
        const RESP_MARKED = 1 << 4;
        /// Broadcast to a rectangle of tiles.
        const BRCST_PACKET = 1 << 5;
        /// Keep the virtual channel for the next request.
        const VC_LINKED = 1 << 6;
        /// Use the static virtual channel given in bits 15:14 and 13.
        const VC_STATIC = 1 << 7;
        /// Reserve the whole multicast path first.
        const PATH_RESERVE = 1 << 8;
        /// The overlay need not know when the data has left.
        const MEM_RD_DROP_ACK = 1 << 9;
        /// Multicast: 0 = x is the major axis.
        const BRCST_XY = 1 << 16;
        /// Multicast: deliver to the sender as well.
        const BRCST_SRC_INCLUDE = 1 << 17;
        /// Software writes zero here.
        const RESERVED = 0x1FF << 18 | 1 << 31;
    }
}

impl Ctrl {
    const STATIC_VC_CLASS_SHIFT: u32 = 14;

    /// A static virtual channel of a class, 0 to 3: 0 and 1 are for unicast, 2 for broadcast.
    pub const fn static_vc(class: u32) -> Self {
        Self::from_bits_retain(Self::VC_STATIC.bits() | class << Self::STATIC_VC_CLASS_SHIFT)
    }

    /// Writes to a rectangle of tiles that take effect at each of them in the order in which they were made, if the sender and the rectangle are the same.
    ///
    /// On the way and at the receiver's NIU packets of one static virtual channel neither overtake each other nor mix (`NoC/Ordering.md`). That page says of what L1 then does with them only that
    /// a read behind a write finds what was written. That a write behind a write comes later, too, tt-metal's readers of products rely on, on all chips: they send
    /// a block and then, without waiting, the semaphore that says it is there (`reader_bmm_tile_layout_in0_sender_padding.cpp`: "same noc id and same vc").
    pub const fn multicast_in_order() -> Self {
        Self::WR.union(Self::BRCST_PACKET).union(Self::PATH_RESERVE).union(Self::static_vc(2))
    }

    /// Class of the static virtual channel.
    pub const fn static_vc_class(self) -> u32 {
        self.bits() >> Self::STATIC_VC_CLASS_SHIFT & 3
    }
}

/// Fields of the initiator's `PACKET_TAG` register (`NOC_PACKET_TAG` in `NoC/MemoryMap.md`).
pub mod tag {
    /// Bits that exist.
    pub const MASK: u32 = 0xFFFF;
    /// A write is also delivered to the receiver's overlay (stream in bits 5:0).
    pub const DELIVER_TO_OVERLAY: u32 = 1 << 6;
    /// A posted write's first 16 bytes also go to `AT_DATA << 4`.
    pub const HEADER_STORE: u32 = 1 << 9;
    /// Shift of the transaction id.
    pub const TRANSACTION_ID_SHIFT: u32 = 10;
}

/// Fields of `NODE_ID`.
pub mod node_id {
    use super::NocXy;

    /// The position.
    pub const fn place(word: u32) -> NocXy {
        NocXy::new((word & 63) as u8, (word >> 6 & 63) as u8)
    }

    /// Columns of the NoC.
    pub const WIDTH_SHIFT: u32 = 12;
    /// Rows of the NoC.
    pub const HEIGHT_SHIFT: u32 = 19;
    /// Packets leaving this router in x may change to the other dateline channels.
    pub const DATELINE_X: u32 = 1 << 26;
    /// The same in y.
    pub const DATELINE_Y: u32 = 1 << 27;
    /// Unicast packets move in x first.
    pub const X_FIRST: u32 = 1 << 28;
}

bitflags::bitflags! {
    /// Flags of `NIU_CFG_0`.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct NiuCfg: u32 {
        /// The tile is off (fused off).
        const TILE_CLOCK_DISABLE = 1 << 12;
        /// Other than Tensix and Ethernet tiles: ignore [`tag::HEADER_STORE`].
        const DOUBLE_STORE_DISABLE = 1 << 13;
        /// Coordinates of requests go through the translation tables.
        const TRANSLATION_ENABLE = 1 << 14;
    }
}

/// What `ENDPOINT_ID` says: tile type in bits 23:16.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Endpoint {
    /// Tensix tile.
    Tensix = 0,
    /// Ethernet tile.
    Ethernet = 2,
    /// PCI Express tile (index 2) or empty tile.
    PcieOrEmpty = 3,
    /// ARC tile.
    Arc = 5,
    /// DRAM tile.
    Dram = 8,
}

impl Endpoint {
    /// The register of the NIU on `noc` of tile `index` in group `group`.
    pub const fn id(self, noc: u8, group: u8, index: u8) -> u32 {
        (noc as u32) << 24 | (self as u32) << 16 | (group as u32) << 8 | index as u32
    }
}

/// First MMIO address of a Tensix or Ethernet tile, as the NoC sees it; below is L1 (`NoC/Alignment.md`).
pub const MMIO_BASE: u64 = 0xFF00_0000;
/// In other tiles: registers of the NIU that a request arrives at, repeated every 4 KiB up to the end.
pub const EDGE_NIU_BASE: u64 = 0xF_0000_0000;

/// Operations of an atomic, `AT_LEN_BE` bits 14:12 (`NoC/Atomics.md`).
pub mod atomic {
    /// Adds within the low bits of a word: word in bits 1:0, highest bit in 6:2.
    pub const INCREMENT: u32 = 1;
    /// Writes halfwords of 16 bytes: bit i of bits 9:2 selects halfword i.
    pub const SWAP_MASK: u32 = 3;
    /// Compares with a small number and sets another: word in bits 1:0, values in 5:2 and 9:6.
    pub const COMPARE_AND_SWAP: u32 = 4;
    /// Swaps a word: its number in bits 1:0; bit 2 is set.
    pub const SWAP_INDEX: u32 = 6;
    /// Swaps a word: its number in bits 3:2.
    pub const SWAP_INDEX_HIGH: u32 = 7;
    /// Shift of the operation.
    pub const OPERATION_SHIFT: u32 = 12;
}

/// `AT_LEN_BE` of an atomic increment: the whole 32-bit word (wrap at bit 31), word `index` of its 16 bytes.
pub const fn atomic_increment(index: u32) -> u32 {
    atomic_increment_within(index, 31)
}

/// `AT_LEN_BE` of an atomic increment of bits `high_bit..=0` of word `index` of 16 bytes.
pub const fn atomic_increment_within(index: u32, high_bit: u32) -> u32 {
    assert!(index < 4 && high_bit < 32);
    (atomic::INCREMENT << atomic::OPERATION_SHIFT) | (high_bit << 2) | index
}

/// `AT_LEN_BE` of a compare and swap of word `index` of 16 bytes: if it is `compare`, it becomes `set`.
pub const fn atomic_compare_and_swap(index: u32, compare: u32, set: u32) -> u32 {
    assert!(index < 4 && compare < 16 && set < 16);
    (atomic::COMPARE_AND_SWAP << atomic::OPERATION_SHIFT) | (set << 6) | (compare << 2) | index
}

/// `AT_LEN_BE` of a swap of the halfwords of 16 bytes whose bits are set in `mask`.
pub const fn atomic_swap_mask(mask: u8) -> u32 {
    (atomic::SWAP_MASK << atomic::OPERATION_SHIFT) | ((mask as u32) << 2)
}

/// `AT_LEN_BE` of a swap of word `index` of 16 bytes.
pub const fn atomic_swap(index: u32) -> u32 {
    assert!(index < 4);
    (atomic::SWAP_INDEX << atomic::OPERATION_SHIFT) | (1 << 2) | index
}

/// A tile on the NoC: x and y as that NoC numbers them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NocXy {
    /// Column.
    pub x: u8,
    /// Row.
    pub y: u8,
}

impl NocXy {
    /// A coordinate.
    pub const fn new(x: u8, y: u8) -> Self {
        Self { x, y }
    }

    /// The same tile as NoC 1 numbers it: both axes run the other way on a grid of `size`.
    pub const fn mirrored(self, size: NocXy) -> Self {
        Self { x: size.x - 1 - self.x, y: size.y - 1 - self.y }
    }

    /// Router-to-router steps of a packet from here to `to` on NoC 0 of a grid of `size`: right, then down, round the
    /// edges (`NoC/RoutingPaths.md`). A read's data takes this way from the memory to the reader.
    pub const fn hops(self, to: NocXy, size: NocXy) -> u32 {
        let (right, down) = ((to.x + size.x - self.x) % size.x, (to.y + size.y - self.y) % size.y);
        right as u32 + down as u32
    }
}

/// The axis that a link runs along.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Axis {
    /// Along a row.
    X,
    /// Along a column.
    Y,
}

/// A link of a NoC from a router to the next one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RouterLink {
    /// The NoC, 0 or 1. NoC 0's links run to larger coordinates, NoC 1's to smaller ones, both round the edges.
    pub noc: u8,
    /// NoC 0 position of the router that it leaves.
    pub from: NocXy,
    /// The axis that it runs along.
    pub axis: Axis,
}

impl RouterLink {
    /// NoC 0 position of the router that it reaches, on a grid of `size`.
    pub const fn to(self, size: NocXy) -> NocXy {
        let NocXy { x, y } = self.from;
        match (self.noc, self.axis) {
            (0, Axis::X) => NocXy::new((x + 1) % size.x, y),
            (0, Axis::Y) => NocXy::new(x, (y + 1) % size.y),
            (_, Axis::X) => NocXy::new((x + size.x - 1) % size.x, y),
            (_, Axis::Y) => NocXy::new(x, (y + size.y - 1) % size.y),
        }
    }
}

/// The links between two positions of NoC 0 on a grid of `size`, in the order in which a packet takes them
/// (`NoC/RoutingPaths.md`): on NoC 0 right, then down; on NoC 1 up, then left; round the edges.
pub fn route(noc: u8, from: NocXy, to: NocXy, size: NocXy) -> impl Iterator<Item = RouterLink> {
    let mut at = from;
    core::iter::from_fn(move || {
        let axis = match (noc, at.x == to.x, at.y == to.y) {
            (_, true, true) => return None,
            (0, false, _) | (1.., false, true) => Axis::X,
            (0, true, false) | (1.., _, false) => Axis::Y,
        };
        let link = RouterLink { noc, from: at, axis };
        at = link.to(size);
        Some(link)
    })
}

impl core::fmt::Display for RouterLink {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let way = match (self.noc, self.axis) {
            (0, Axis::X) => "right",
            (0, Axis::Y) => "down",
            (_, Axis::X) => "left",
            (_, Axis::Y) => "up",
        };
        write!(f, "NoC {} {way} from {}", self.noc, self.from)
    }
}

impl core::fmt::Display for NocXy {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "({},{})", self.x, self.y)
    }
}
