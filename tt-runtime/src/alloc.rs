//! Allocator of the linear DRAM space.
//!
//! Free pieces are kept by address; an allocation takes the smallest piece that fits, from its front, so that large
//! pieces stay large. Everything is a multiple of [`ALIGN`].

use std::collections::BTreeMap;

/// Alignment and granularity, in bytes: a DRAM page, so that allocations do not share one.
pub const ALIGN: u64 = tt_kernel_abi::dram::DRAM_PAGE as u64;

/// Free pieces of a range of addresses.
pub struct Allocator {
    /// `address -> bytes`, neither touching nor overlapping.
    free: BTreeMap<u64, u64>,
}

impl Allocator {
    /// All of `start..end` free.
    pub fn new(start: u64, end: u64) -> Self {
        let start = start.next_multiple_of(ALIGN);
        let bytes = end.saturating_sub(start) / ALIGN * ALIGN;
        Self { free: if bytes > 0 { BTreeMap::from([(start, bytes)]) } else { BTreeMap::new() } }
    }

    /// Bytes free in all.
    pub fn free_bytes(&self) -> u64 {
        self.free.values().sum()
    }

    /// Bytes of the largest free piece.
    pub fn largest(&self) -> u64 {
        self.free.values().copied().max().unwrap_or(0)
    }

    /// Address of `bytes` bytes (rounded up to [`ALIGN`]; at least one unit), or `None`.
    pub fn allocate(&mut self, bytes: u64) -> Option<u64> {
        let bytes = bytes.max(1).checked_next_multiple_of(ALIGN)?;
        let fits = self.free.iter().filter(|&(_, &size)| size >= bytes);
        let (&addr, &size) = fits.min_by_key(|&(&addr, &size)| (size, addr))?;
        self.free.remove(&addr);
        if size > bytes {
            self.free.insert(addr + bytes, size - bytes);
        }
        Some(addr)
    }

    /// Gives back what [`allocate`](Self::allocate) returned for `bytes`.
    pub fn release(&mut self, mut addr: u64, bytes: u64) {
        let mut bytes = bytes.max(1).next_multiple_of(ALIGN);
        if let Some(after) = self.free.remove(&(addr + bytes)) {
            bytes += after;
        }
        if let Some((&before, &size)) = self.free.range(..addr).next_back()
            && before + size == addr
        {
            addr = before;
            bytes += size;
        }
        self.free.insert(addr, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn exhaustion_and_merging() {
        let mut a = Allocator::new(ALIGN, 4 * ALIGN);
        let pieces = [a.allocate(1).unwrap(), a.allocate(ALIGN).unwrap(), a.allocate(ALIGN - 1).unwrap()];
        assert_eq!(pieces, [ALIGN, 2 * ALIGN, 3 * ALIGN]);
        assert_eq!(a.allocate(1), None);
        a.release(pieces[0], 1);
        a.release(pieces[2], ALIGN - 1);
        assert_eq!((a.free_bytes(), a.largest()), (2 * ALIGN, ALIGN));
        a.release(pieces[1], ALIGN);
        assert_eq!(a.largest(), 3 * ALIGN);
        assert_eq!(a.allocate(u64::MAX), None);
    }

    proptest! {
        #[test]
        fn allocations_never_overlap(steps in prop::collection::vec((any::<bool>(), 0u64..200_000), 1..200)) {
            let mut a = Allocator::new(3, 4_000_000);
            let total = a.free_bytes();
            let mut live: Vec<(u64, u64)> = Vec::new();
            for (take, n) in steps {
                if take || live.is_empty() {
                    if let Some(addr) = a.allocate(n) {
                        prop_assert_eq!(addr % ALIGN, 0);
                        let end = addr + n.max(1);
                        prop_assert!(live.iter().all(|&(s, l)| end <= s || s + l.max(1) <= addr));
                        live.push((addr, n));
                    }
                } else {
                    let (addr, n) = live.swap_remove(n as usize % live.len());
                    a.release(addr, n);
                }
            }
            for (addr, n) in live {
                a.release(addr, n);
            }
            prop_assert_eq!((a.free_bytes(), a.largest()), (total, total));
        }
    }
}
