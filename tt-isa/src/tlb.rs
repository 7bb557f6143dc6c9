//! Host windows of a Wormhole: BAR 0 is cut into 186 windows (TLBs), each of which shows an aligned piece of
//! one tile's (or a rectangle of tiles') NoC address space (`PCIExpressTile/TLBs.md`).

use crate::noc::NocXy;

/// Bytes of BAR 0.
pub const BAR0_SIZE: u64 = 512 << 20;
/// Window configuration: one 64-bit word each, from here in BAR 0.
pub const TLB_CONFIG_BASE: u64 = 0x1FC0_0000;
/// Number of windows.
pub const TLB_COUNT: u32 = 186;
/// The PCIe tile's NIUs in BAR 0, by NoC; 4 KiB each.
pub const PCIE_NIU_BAR0: [u64; 2] = [0x1FD2_0000, 0x1FDA_0000];
/// Bytes of an NIU's registers.
pub const PCIE_NIU_SIZE: u64 = 0x1000;
/// ARC CSM (scratch memory, 512 KiB) in BAR 0.
pub const ARC_CSM_BAR0: u64 = 0x1FE8_0000;
/// ARC APB peripherals in BAR 0; the reset unit with its scratch registers is at `+ 0x30000`.
pub const ARC_APB_BAR0: u64 = 0x1FF0_0000;

/// A group of windows of one size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TlbGroup {
    /// Index of the first window.
    pub first: u32,
    /// Number of windows.
    pub count: u32,
    /// log2 of the window's bytes.
    pub log2_size: u32,
    /// Offset of the first window in BAR 0.
    pub bar0: u64,
}

/// The three groups: 156 windows of 1 MiB, 10 of 2 MiB, 20 of 16 MiB (the last belongs to the kernel driver).
pub const TLB_GROUPS: [TlbGroup; 3] = [
    TlbGroup { first: 0, count: 156, log2_size: 20, bar0: 0 },
    TlbGroup { first: 156, count: 10, log2_size: 21, bar0: 0x9C0_0000 },
    TlbGroup { first: 166, count: 20, log2_size: 24, bar0: 0xB00_0000 },
];

/// Ordering of host accesses through a window.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[repr(u8)]
pub enum Ordering {
    /// Writes acknowledged, ordered per address.
    #[default]
    Default = 0,
    /// Writes in order, one after the other.
    Strict = 1,
    /// Writes posted.
    Posted = 2,
}

/// What a window shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TlbTarget {
    /// NoC address of the window's first byte; a multiple of the window's size.
    pub addr: u64,
    /// Tile, or the far corner of the rectangle.
    pub end: NocXy,
    /// Near corner of the rectangle; ignored without `multicast`.
    pub start: NocXy,
    /// NoC 0 or 1.
    pub noc: u8,
    /// Writes go to every Tensix tile of the rectangle.
    pub multicast: bool,
    /// Ordering mode.
    pub ordering: Ordering,
    /// Use a static virtual channel (large streams).
    pub static_vc: bool,
}

impl TlbTarget {
    /// One tile over NoC 0, default ordering.
    pub const fn unicast(tile: NocXy, addr: u64) -> Self {
        Self {
            addr,
            end: tile,
            start: NocXy::new(0, 0),
            noc: 0,
            multicast: false,
            ordering: Ordering::Default,
            static_vc: false,
        }
    }

    /// The rectangle `start..=end` over NoC 0; only its Tensix tiles receive.
    pub const fn rect(start: NocXy, end: NocXy, addr: u64) -> Self {
        Self { start, multicast: true, ..Self::unicast(end, addr) }
    }

    /// The configuration word for a window of `1 << log2_size` bytes.
    pub const fn encode(&self, log2_size: u32) -> u64 {
        let shift = 36 - log2_size;
        (self.addr >> log2_size)
            | (self.end.x as u64) << shift
            | (self.end.y as u64) << (shift + 6)
            | (self.start.x as u64) << (shift + 12)
            | (self.start.y as u64) << (shift + 18)
            | (self.noc as u64) << (shift + 24)
            | (self.multicast as u64) << (shift + 25)
            | (self.ordering as u64) << (shift + 26)
            | (self.static_vc as u64) << (shift + 29)
    }

    /// Reverse of [`Self::encode`]; `None` for ordering value 3 or a set `linked` bit, which nothing may write.
    pub const fn decode(word: u64, log2_size: u32) -> Option<Self> {
        let shift = 36 - log2_size;
        let ordering = match (word >> (shift + 26)) & 3 {
            0 => Ordering::Default,
            1 => Ordering::Strict,
            2 => Ordering::Posted,
            _ => return None,
        };
        if (word >> (shift + 28)) & 1 == 1 {
            return None;
        }
        Some(Self {
            addr: (word & ((1 << shift) - 1)) << log2_size,
            end: NocXy::new(((word >> shift) & 63) as u8, ((word >> (shift + 6)) & 63) as u8),
            start: NocXy::new(((word >> (shift + 12)) & 63) as u8, ((word >> (shift + 18)) & 63) as u8),
            noc: ((word >> (shift + 24)) & 1) as u8,
            multicast: (word >> (shift + 25)) & 1 == 1,
            ordering,
            static_vc: (word >> (shift + 29)) & 1 == 1,
        })
    }
}
