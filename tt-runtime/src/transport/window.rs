//! The window that a transport uses: which one of a chip's, and the entry that points it.

use tt_isa::chip::Chip;
use tt_isa::tlb::{HostMap, TlbGroup, TlbTarget};

/// One window of a chip: the first of its group.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    host: &'static HostMap,
    group: &'static TlbGroup,
}

impl Window {
    /// The largest window of a chip that is in BAR 0: every host shows that one.
    pub fn of(chip: &'static Chip) -> Self {
        let groups = chip.host.groups.iter().filter(|group| group.bar == 0);
        let group = groups.max_by_key(|group| group.log2_size).expect("every chip has windows in BAR 0");
        Self { host: &chip.host, group }
    }

    /// The window of this size, if the chip has one.
    pub fn of_size(chip: &'static Chip, bytes: u64) -> Option<Self> {
        let group = chip.host.groups.iter().find(|group| group.window_bytes() == bytes)?;
        Some(Self { host: &chip.host, group })
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
        self.group.bar0
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
        let (at, bytes) = (self.host.entry(self.group.first), self.host.entry_bytes as usize);
        let pieces = entry[..bytes].chunks(self.host.entry_access as usize);
        (at..)
            .step_by(self.host.entry_access as usize)
            .zip(pieces)
            .try_for_each(|(at, piece)| write(at, piece))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_isa::chip::{BLACKHOLE, WORMHOLE};
    use tt_isa::noc::NocXy;

    #[test]
    fn each_chip_has_its_window() {
        let [wormhole, blackhole] = [&WORMHOLE, &BLACKHOLE].map(Window::of);
        assert_eq!((wormhole.bytes(), wormhole.bar(), wormhole.offset()), (16 << 20, 0, 0xB00_0000));
        assert_eq!((blackhole.bytes(), blackhole.bar(), blackhole.offset()), (2 << 20, 0, 0));
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
        assert_eq!(places(Window::of(&WORMHOLE)), [(0x1FC0_0000 + 8 * 166, 8)]);
        let first = 0x1FC0_0000;
        assert_eq!(places(Window::of(&BLACKHOLE)), [(first, 4), (first + 4, 4), (first + 8, 4)]);
        let large = Window::of_size(&BLACKHOLE, 4 << 30).expect("it has such windows");
        let words = written(large, TlbTarget::unicast(NocXy::new(17, 12), 1 << 32));
        assert_eq!(words[0], (first + 12 * 202, vec![1, 0, 0, 0]));
        assert_eq!(words[1].1, (17_u32 | 12 << 6).to_le_bytes());
    }
}
