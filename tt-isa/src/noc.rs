//! Network on chip: NIU registers, request encodings, coordinates (`NoC/README.md`, `NoC/MemoryMap.md`,
//! `NoC/Counters.md`, `NoC/Coordinates.md`, `NoC/Atomics.md`).
//!
//! Each tile has two NIUs. A request is written into one of four initiator register sets and started by a
//! store to `CMD_CTRL`, which reads zero again once the NIU has taken the request. Responses are counted.

/// Initiator register sets of an NIU.
pub const CMD_BUFS: u32 = 4;
/// Distance between two initiator register sets, in bytes.
pub const CMD_BUF_STRIDE: u32 = 0x400;
/// Largest request in bytes.
pub const MAX_PACKET: u32 = 8192;
/// Bytes a link carries a cycle.
pub const LINK_WIDTH: u32 = 32;
/// Transaction ids.
pub const TRANSACTION_IDS: u32 = 16;

/// Registers, relative to an NIU's base (initiator registers also to `CMD_BUF_STRIDE * set`).
pub mod reg {
    /// Initiator: target address, bits 31:0 (where data is read from, or a write's source).
    pub const TARG_ADDR_LO: u32 = 0x00;
    /// Initiator: target address bits 35:32 and its node ([`super::NocXy::mid`]).
    pub const TARG_ADDR_MID: u32 = 0x04;
    /// Initiator: return address, bits 31:0 (where read data goes, or a write's destination).
    pub const RET_ADDR_LO: u32 = 0x0C;
    /// Initiator: return address bits 35:32 and its node.
    pub const RET_ADDR_MID: u32 = 0x10;
    /// Initiator: transaction id in bits 13:10.
    pub const PACKET_TAG: u32 = 0x18;
    /// Initiator: [`super::ctrl`].
    pub const CTRL: u32 = 0x1C;
    /// Initiator: length in bytes, byte enables, or the atomic operation.
    pub const AT_LEN_BE: u32 = 0x20;
    /// Initiator: operand of inline writes and atomics.
    pub const AT_DATA: u32 = 0x24;
    /// Initiator: write 1 to start; reads 1 while the request waits.
    pub const CMD_CTRL: u32 = 0x28;
    /// This node: x in bits 5:0, y in 11:6, grid size above.
    pub const NODE_ID: u32 = 0x2C;
    /// NIU configuration.
    pub const NIU_CFG_0: u32 = 0x100;
    /// Router configuration.
    pub const ROUTER_CFG_0: u32 = 0x104;
    /// This node's logical (translated) id.
    pub const NOC_ID_LOGICAL: u32 = 0x138;
    /// Counter: atomics with a response, responses received.
    pub const MST_ATOMIC_RESP_RECEIVED: u32 = 0x200;
    /// Counter: write acknowledgements received.
    pub const MST_WR_ACK_RECEIVED: u32 = 0x204;
    /// Counter: read responses received (a request counts once it is complete).
    pub const MST_RD_RESP_RECEIVED: u32 = 0x208;
    /// Counter: posted atomics sent.
    pub const MST_POSTED_ATOMIC_SENT: u32 = 0x21C;
    /// Counter: non-posted writes sent.
    pub const MST_NONPOSTED_WR_REQ_SENT: u32 = 0x228;
    /// Counter: posted writes sent.
    pub const MST_POSTED_WR_REQ_SENT: u32 = 0x22C;
    /// Outstanding requests, a word a transaction id.
    pub const MST_REQS_OUTSTANDING_ID: u32 = 0x240;
}

/// Bits of the initiator's `CTRL` register (`NOC_CTRL` in `NoC/MemoryMap.md`).
pub mod ctrl {
    /// Atomic request.
    pub const AT: u32 = 1 << 0;
    /// Write (or, without it, read) request.
    pub const WR: u32 = 1 << 1;
    /// Write with byte enables.
    pub const WR_BE: u32 = 1 << 2;
    /// Inline write: the data is `AT_DATA`.
    pub const WR_INLINE: u32 = 1 << 3;
    /// Ask for a response (non-posted).
    pub const RESP_MARKED: u32 = 1 << 4;
    /// Broadcast to a rectangle of tiles.
    pub const BRCST_PACKET: u32 = 1 << 5;
    /// Keep the virtual channel for the next request.
    pub const VC_LINKED: u32 = 1 << 6;
    /// Use the static virtual channel given in bits 15:14 and 13.
    pub const VC_STATIC: u32 = 1 << 7;
    /// Reserve the whole multicast path first.
    pub const PATH_RESERVE: u32 = 1 << 8;
    /// Multicast: 0 = x is the major axis.
    pub const BRCST_XY: u32 = 1 << 16;
    /// Multicast: deliver to the sender as well.
    pub const BRCST_SRC_INCLUDE: u32 = 1 << 17;
}

/// Fields of `NIU_CFG_0`.
pub mod niu_cfg {
    /// Coordinates of requests go through the translation tables.
    pub const TRANSLATION_ENABLE: u32 = 1 << 14;
}

/// `AT_LEN_BE` of an atomic increment: the whole 32-bit word (wrap at bit 31), word `index` of its 16 bytes.
pub const fn atomic_increment(index: u32) -> u32 {
    assert!(index < 4);
    (1 << 12) | (31 << 2) | index
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

    /// The node's bits of a `*_ADDR_MID` register; address bits 35:32 go below.
    pub const fn mid(self) -> u32 {
        ((self.x as u32) << 4) | ((self.y as u32) << 10)
    }

    /// The rectangle from `self` to `end`, as `*_ADDR_MID` bits of a multicast.
    pub const fn mid_rect(self, end: NocXy) -> u32 {
        ((end.x as u32) << 4) | ((end.y as u32) << 10) | ((self.x as u32) << 16) | ((self.y as u32) << 22)
    }

    /// Decodes the first node of a `*_ADDR_MID` word.
    pub const fn from_mid(mid: u32) -> Self {
        Self { x: ((mid >> 4) & 63) as u8, y: ((mid >> 10) & 63) as u8 }
    }

    /// The same tile as NoC 1 numbers it: both axes run the other way on a grid of `size`.
    pub const fn mirrored(self, size: NocXy) -> Self {
        Self { x: size.x - 1 - self.x, y: size.y - 1 - self.y }
    }
}

impl core::fmt::Display for NocXy {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "({},{})", self.x, self.y)
    }
}
