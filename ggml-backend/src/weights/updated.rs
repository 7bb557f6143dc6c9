//! Weights that operators write to: the steps of an optimiser, with every graph.
//!
//! Their bytes are what counts, so they stay in their place, all bits of them, and no tiles are kept: those would be old after a graph. A
//! product gets the rows as they are, and where tiles are better the device makes them for one graph run, as for any other operand.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use tt_runtime::DramAddr;

/// Ranges of a device's memory that operators write to.
#[derive(Default)]
pub struct Updated {
    /// Length by first byte; ranges do not overlap.
    ranges: Mutex<BTreeMap<u64, u64>>,
}

impl Updated {
    /// An operator writes to a range; whether that is news.
    pub fn note(&self, addr: DramAddr, len: u64) -> bool {
        let mut ranges = self.ranges.lock();
        let is_news = ranges.get(&addr.0) != Some(&len);
        if is_news {
            remove(&mut ranges, addr, len);
            ranges.insert(addr.0, len);
        }
        is_news
    }

    /// Whether operators write to any byte of a range.
    pub fn contains(&self, addr: DramAddr, len: u64) -> bool {
        overlapping(&self.ranges.lock(), addr, len).next().is_some()
    }

    /// A range is freed, or set as a whole: what was written to it does not matter any more.
    pub fn forget(&self, addr: DramAddr, len: u64) {
        remove(&mut self.ranges.lock(), addr, len);
    }
}

fn overlapping(ranges: &BTreeMap<u64, u64>, addr: DramAddr, len: u64) -> impl Iterator<Item = u64> {
    let found = ranges.range(..addr.0.saturating_add(len)).rev();
    found.take_while(move |&(&start, &bytes)| start + bytes > addr.0).map(|(&start, _)| start)
}

fn remove(ranges: &mut BTreeMap<u64, u64>, addr: DramAddr, len: u64) {
    let starts: Vec<u64> = overlapping(ranges, addr, len).collect();
    for start in starts {
        ranges.remove(&start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_found_by_any_of_their_bytes() {
        let updated = Updated::default();
        updated.note(DramAddr(0x1000), 0x100);
        updated.note(DramAddr(0x1200), 0x100);
        updated.note(DramAddr(0x1000), 0x100);
        let contains = |addr, len| updated.contains(DramAddr(addr), len);
        assert!(
            contains(0x1000, 1) && contains(0x10FF, 1) && contains(0x0, 0x1001) && contains(0x1100, 0x101)
        );
        assert!(!contains(0x0, 0x1000) && !contains(0x1100, 0x100) && !contains(0x1300, 0x100));
        // A range that lies over both takes their place.
        updated.note(DramAddr(0x10F0), 0x200);
        assert!(!contains(0x1000, 0xF0) && contains(0x10F0, 1) && !contains(0x12F0, 0x10));
        updated.forget(DramAddr(0x12EF), 1);
        assert!(!contains(0, 0x10000));
    }
}
