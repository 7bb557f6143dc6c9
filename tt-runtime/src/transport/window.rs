//! The windows that a transport uses: which ones of a chip's, what for, and the entry that points one.

use tt_isa::chip::Chip;
use tt_isa::tlb::{HostMap, Ordering, TlbGroup, TlbTarget};

/// What the runtime uses a window for. The two are apart so that polling and launching never move the window that bulk data goes
/// through, and because they want different orders on the NoC (`PCIExpressTile/TLBs.md`, "Ordering modes").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// Registers, launches, polling: writes arrive in the order in which they were made.
    Control,
    /// Memory by the megabyte: writes may pass one another, and have arrived when a later read of the same place has been answered.
    Bulk,
}

impl Purpose {
    /// How a window for it orders writes.
    pub const fn ordering(self) -> Ordering {
        match self {
            Purpose::Control => Ordering::Strict,
            Purpose::Bulk => Ordering::Default,
        }
    }
}

/// A window as those above a transport see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shown {
    /// Bytes that it shows.
    pub bytes: u64,
    /// What it is for.
    pub purpose: Purpose,
}

/// Windows of each kind that a transport takes: the descriptor's multicast, the completion word, registers and one to spare; and
/// two banks at a time.
pub const WANTED: [(Purpose, u32); 2] = [(Purpose::Bulk, 2), (Purpose::Control, 4)];
/// A control window shows at least a tile's L1.
const CONTROL_BYTES: u64 = 2 << 20;

/// One window of a chip.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    host: &'static HostMap,
    group: &'static TlbGroup,
    /// Number in its group.
    n: u32,
    purpose: Purpose,
}

impl Window {
    /// The windows that a transport without a driver takes, of those in BAR 0, which every host shows: the first of them are for bulk.
    pub fn all(chip: &'static Chip) -> Vec<Self> {
        let mut taken = std::collections::BTreeMap::new();
        let wanted = WANTED.into_iter().flat_map(|(purpose, count)| (0..count).map(move |_| purpose));
        wanted
            .map(|purpose| {
                let group = group(chip, purpose);
                let n = taken.entry(group.first).or_insert(0);
                *n += 1;
                Self { host: &chip.host, group, n: *n - 1, purpose }
            })
            .collect()
    }

    /// The first window of this size, if the chip has one.
    pub fn of_size(chip: &'static Chip, bytes: u64) -> Option<Self> {
        let group = chip.host.groups.iter().find(|group| group.window_bytes() == bytes)?;
        Some(Self { host: &chip.host, group, n: 0, purpose: Purpose::Bulk })
    }

    /// What others see of it.
    pub fn shown(&self) -> Shown {
        Shown { bytes: self.bytes(), purpose: self.purpose }
    }

    /// Bytes that it shows.
    pub fn bytes(&self) -> u64 {
        self.group.window_bytes()
    }

    /// BAR that it is in.
    pub fn bar(&self) -> u8 {
        self.group.bar
    }

    /// Where it is in that BAR.
    pub fn offset(&self) -> u64 {
        self.group.offset + u64::from(self.n) * self.bytes()
    }

    /// Points it at a target: `write` gets what is to be written to BAR 0, offset and bytes, one access at a time.
    ///
    /// # Errors
    /// That of `write`.
    pub fn point<E>(
        &self,
        target: &TlbTarget,
        mut write: impl FnMut(u64, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let entry = self.group.encode(target).to_le_bytes();
        let (at, bytes) = (self.host.entry(self.group.first + self.n), self.host.entry_bytes as usize);
        let pieces = entry[..bytes].chunks(self.host.entry_access as usize);
        (at..)
            .step_by(self.host.entry_access as usize)
            .zip(pieces)
            .try_for_each(|(at, piece)| write(at, piece))
    }
}

/// Windows of which group are for a purpose: the largest for bulk, the smallest that suffices for control.
pub fn group(chip: &'static Chip, purpose: Purpose) -> &'static TlbGroup {
    let groups = chip.host.groups.iter().filter(|group| group.bar == 0);
    match purpose {
        Purpose::Bulk => groups.max_by_key(|group| group.log2_size),
        Purpose::Control => {
            groups.filter(|group| group.window_bytes() >= CONTROL_BYTES).min_by_key(|group| group.log2_size)
        }
    }
    .expect("every chip has windows in BAR 0 that show a tile's L1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_isa::chip::{BLACKHOLE, WORMHOLE};
    use tt_isa::noc::NocXy;

    #[test]
    fn each_chip_has_its_window() {
        let places = |chip| -> Vec<(u64, u64)> {
            Window::all(chip).iter().map(|window| (window.bytes() >> 20, window.offset())).collect()
        };
        let large = [(16, 0xB00_0000), (16, 0xC00_0000)];
        let small = [0, 1, 2, 3].map(|n| (2, 0x9C0_0000 + n * (2 << 20)));
        assert_eq!(places(&WORMHOLE), [&large[..], &small].concat());
        assert_eq!(places(&BLACKHOLE), [0, 1, 2, 3, 4, 5].map(|n| (2, n * (2 << 20))));
        assert!(Window::all(&WORMHOLE).iter().all(|window| window.bar() == 0));
        let large = Window::of_size(&BLACKHOLE, 4 << 30).expect("it has such windows");
        assert_eq!((large.bar(), large.offset()), (4, 0));
        assert!(Window::of_size(&WORMHOLE, 4 << 30).is_none());
    }

    #[test]
    fn entries_are_written_as_the_chip_takes_them() {
        let written = |window: Window, target: TlbTarget| {
            let mut list: Vec<(u64, Vec<u8>)> = Vec::new();
            let done = window.point(&target, |at, bytes| {
                list.push((at, bytes.to_vec()));
                Ok::<(), std::convert::Infallible>(())
            });
            assert!(done.is_ok());
            list
        };
        let target = TlbTarget::unicast(NocXy::new(3, 4), 0);
        let places =
            |window| written(window, target).iter().map(|(at, bytes)| (*at, bytes.len())).collect::<Vec<_>>();
        assert_eq!(places(Window::all(&WORMHOLE)[0]), [(0x1FC0_0000 + 8 * 166, 8)]);
        assert_eq!(places(Window::all(&WORMHOLE)[3]), [(0x1FC0_0000 + 8 * 157, 8)]);
        let first = 0x1FC0_0000;
        assert_eq!(places(Window::all(&BLACKHOLE)[0]), [(first, 4), (first + 4, 4), (first + 8, 4)]);
        let large = Window::of_size(&BLACKHOLE, 4 << 30).expect("it has such windows");
        let words = written(large, TlbTarget::unicast(NocXy::new(17, 12), 1 << 32));
        assert_eq!(words[0], (first + 12 * 202, vec![1, 0, 0, 0]));
        assert_eq!(words[1].1, (17_u32 | 12 << 6).to_le_bytes());
    }
}
