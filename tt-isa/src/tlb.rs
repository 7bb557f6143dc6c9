//! Host windows: parts of a chip's PCIe BARs are windows (TLBs), each of which shows an aligned piece of one tile's (or a
//! rectangle of tiles') NoC address space (`PCIExpressTile/TLBs.md`). An entry of a table in BAR 0 sets what a window shows.
//!
//! The windows, and the layout of their entries, differ from chip to chip: [`HostMap`].

use crate::noc::NocXy;

/// A chip's BARs as its host sees them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HostMap {
    /// BARs and their bytes.
    pub bars: &'static [(u8, u64)],
    /// Offset in BAR 0 of the table that says what windows show.
    pub config: u64,
    /// Bytes of an entry of it.
    pub entry_bytes: u32,
    /// Bytes of one access to it.
    pub entry_access: u32,
    /// Groups of windows.
    pub groups: &'static [TlbGroup],
    /// Window that belongs to the kernel driver.
    pub driver_window: u32,
    /// The PCIe tile's NIUs in BAR 0, by NoC.
    pub pcie_niu: [u64; 2],
    /// The same NIUs where the vendor's kernel driver reads their counters (`wormhole.c`), by NoC, if that is elsewhere.
    pub pcie_niu_alias: Option<[u64; 2]>,
}

impl HostMap {
    /// Bytes of a BAR; 0 if there is none of this number.
    pub const fn bar(&self, number: u8) -> u64 {
        let mut i = 0;
        while i < self.bars.len() {
            if self.bars[i].0 == number {
                return self.bars[i].1;
            }
            i += 1;
        }
        0
    }

    /// Where in BAR 0 is what BAR 4 shows, if that is a part of it: the end.
    pub const fn bar4_in_bar0(&self) -> Option<u64> {
        self.bar(0).checked_sub(self.bar(4))
    }

    /// Number of windows.
    pub const fn windows(&self) -> u32 {
        let last = self.groups[self.groups.len() - 1];
        last.first + last.count
    }

    /// Offset in BAR 0 of a window's entry.
    pub const fn entry(&self, window: u32) -> u64 {
        self.config + (self.entry_bytes * window) as u64
    }
}

/// A group of windows of one size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TlbGroup {
    /// Index of the first window.
    pub first: u32,
    /// Number of windows.
    pub count: u32,
    /// log2 of the window's bytes.
    pub log2_size: u32,
    /// BAR that the windows are in.
    pub bar: u8,
    /// Offset of the first window in its BAR.
    pub offset: u64,
    /// Where an entry's parts stand.
    pub fields: TlbFields,
}

/// Lowest bit of each part of a window's entry, the address at bit 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TlbFields {
    /// Coordinates, six bits each: x and y of [`TlbTarget::end`], then of [`TlbTarget::start`].
    pub corners: u32,
    /// NoC.
    pub noc: u32,
    /// Multicast.
    pub multicast: u32,
    /// Ordering, two bits.
    pub ordering: u32,
    /// Linked, which nothing may set.
    pub linked: u32,
    /// Static virtual channel.
    pub static_vc: u32,
}

/// Bytes of an NIU's registers.
pub const PCIE_NIU_SIZE: u64 = 0x1000;
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
}

impl TlbGroup {
    /// Bytes that a window shows.
    pub const fn window_bytes(&self) -> u64 {
        1 << self.log2_size
    }

    /// The entry of a window that shows `target`.
    pub const fn encode(&self, target: &TlbTarget) -> u128 {
        self.fields.encode(target, self.log2_size)
    }

    /// Reverse of [`Self::encode`]; `None` for ordering value 3 or a set `linked` bit, which nothing may write.
    pub const fn decode(&self, entry: u128) -> Option<TlbTarget> {
        self.fields.decode(entry, self.log2_size)
    }
}

impl TlbFields {
    const fn encode(&self, target: &TlbTarget, log2_size: u32) -> u128 {
        (target.addr >> log2_size) as u128
            | (target.end.x as u128) << self.corners
            | (target.end.y as u128) << (self.corners + 6)
            | (target.start.x as u128) << (self.corners + 12)
            | (target.start.y as u128) << (self.corners + 18)
            | (target.noc as u128) << self.noc
            | (target.multicast as u128) << self.multicast
            | (target.ordering as u128) << self.ordering
            | (target.static_vc as u128) << self.static_vc
    }

    const fn decode(&self, entry: u128, log2_size: u32) -> Option<TlbTarget> {
        let ordering = match (entry >> self.ordering) & 3 {
            0 => Ordering::Default,
            1 => Ordering::Strict,
            2 => Ordering::Posted,
            _ => return None,
        };
        if (entry >> self.linked) & 1 == 1 {
            return None;
        }
        Some(TlbTarget {
            addr: ((entry & ((1 << self.corners) - 1)) as u64) << log2_size,
            end: self.corner(entry, 0),
            start: self.corner(entry, 1),
            noc: ((entry >> self.noc) & 1) as u8,
            multicast: (entry >> self.multicast) & 1 == 1,
            ordering,
            static_vc: (entry >> self.static_vc) & 1 == 1,
        })
    }

    /// Corner 0 or 1 of an entry.
    const fn corner(&self, entry: u128, n: u32) -> NocXy {
        let bits = (entry >> (self.corners + 12 * n)) as u32;
        NocXy::new((bits & 63) as u8, (bits >> 6 & 63) as u8)
    }
}
