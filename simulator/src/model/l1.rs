//! L1: the tile's RAM, shared by its RISC-V cores, the Tensix coprocessor and the NoC.
//!
//! Cores cache decoded code of L1, so every write must invalidate it. The tile does that for its own writes. The
//! coprocessor's units have no access to that cache, so they write through [`L1::change`], which records the pages.

use tt_isa::chip::CHIPS;

use crate::model::access::RangeLog;
use crate::model::defect::Stuck;
use crate::model::rv32::PAGE_BYTES;

/// Pages of the largest L1 of any chip.
const PAGES: usize = {
    let (mut largest, mut i) = (0, 0);
    while i < CHIPS.len() {
        if CHIPS[i].tile.l1_size > largest {
            largest = CHIPS[i].tile.l1_size;
        }
        i += 1;
    }
    largest.div_ceil(PAGE_BYTES) as usize
};

/// The L1 of one tile. Addresses are byte offsets; callers check alignment, this checks bounds.
pub struct L1 {
    bytes: Box<[u8]>,
    /// One bit for each page that was changed since it was last asked for.
    changed: [u64; PAGES.div_ceil(64)],
    any_changed: bool,
    /// What is accessed here, if an observer asked for it.
    log: Option<Box<RangeLog>>,
    /// Bits that are stuck.
    stuck: Vec<Stuck>,
}

impl L1 {
    /// An L1 of `size` bytes, all zero. No chip has a larger one than its Tensix tiles.
    pub fn new(size: u32) -> Self {
        debug_assert!(size.div_ceil(PAGE_BYTES) as usize <= PAGES, "{size:#x} bytes of L1");
        let bytes = vec![0; size as usize].into_boxed_slice();
        Self { bytes, changed: Default::default(), any_changed: false, log: None, stuck: Vec::new() }
    }

    /// Bytes of it.
    #[inline(always)]
    pub fn size(&self) -> u32 {
        self.bytes.len() as u32
    }

    /// `len` bytes at `addr`, or `None` beyond the end.
    pub fn get(&self, addr: u32, len: usize) -> Option<&[u8]> {
        if let Some(log) = &self.log {
            log.note(addr, len, false);
        }
        self.bytes.get(addr as usize..(addr as usize).checked_add(len)?)
    }

    /// `len` writable bytes at `addr`, or `None` beyond the end. The caller looks after decoded code.
    pub fn get_mut(&mut self, addr: u32, len: usize) -> Option<&mut [u8]> {
        if let Some(log) = &self.log {
            log.note(addr, len, true);
        }
        self.bytes.get_mut(addr as usize..(addr as usize).checked_add(len)?)
    }

    /// The same, and [`take_changed`](Self::take_changed) will name the pages: for writers that do not reach the
    /// decoded code.
    #[inline]
    pub fn change(&mut self, addr: u32, len: usize) -> Option<&mut [u8]> {
        if let Some(log) = &self.log {
            log.note(addr, len, true);
        }
        let end = (addr as usize).checked_add(len)?;
        let bytes = self.bytes.get_mut(addr as usize..end)?;
        if len > 0 {
            for page in addr / PAGE_BYTES..=(end as u32 - 1) / PAGE_BYTES {
                self.changed[page as usize / 64] |= 1 << (page % 64);
            }
            self.any_changed = true;
        }
        Some(bytes)
    }

    /// Numbers of the pages that were [changed](Self::change) since the last call, in rising order.
    #[inline]
    pub fn take_changed(&mut self) -> Vec<u32> {
        if !self.any_changed {
            return Vec::new();
        }
        self.any_changed = false;
        let changed = std::mem::take(&mut self.changed);
        (0..PAGES as u32).filter(|&page| changed[page as usize / 64] >> (page % 64) & 1 != 0).collect()
    }

    /// Whether pages were [changed](Self::change) since they were last asked for.
    #[inline]
    pub fn has_changed(&self) -> bool {
        self.any_changed
    }

    /// From now on a bit is stuck.
    pub fn stick(&mut self, stuck: Stuck) {
        self.stuck.push(stuck);
        self.settle();
    }

    /// Whether any bit is stuck.
    #[inline(always)]
    pub fn has_stuck(&self) -> bool {
        !self.stuck.is_empty()
    }

    /// Something has been written: bits that are stuck have their values again.
    #[inline]
    pub fn settle(&mut self) {
        for n in 0..self.stuck.len() {
            let Stuck { addr, mask, high } = self.stuck[n];
            let Some(byte) = self.bytes.get(addr as usize) else { continue };
            let value = if high { byte | mask } else { byte & !mask };
            if value != *byte
                && let Some(bytes) = self.change(addr, 1)
            {
                bytes[0] = value;
            }
        }
    }

    /// From now on accesses can be noted.
    pub fn enable_log(&mut self) {
        self.log = Some(Box::default());
    }

    /// Where accesses are noted, if they are.
    pub fn log(&self) -> Option<&RangeLog> {
        self.log.as_deref()
    }

    /// All of it.
    #[inline(always)]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stuck_bits_come_back() {
        let mut l1 = L1::new(PAGE_BYTES);
        assert!(!l1.has_stuck());
        l1.stick(Stuck { addr: 7, mask: 0b100, high: true });
        l1.stick(Stuck { addr: 9, mask: 0b001, high: false });
        l1.get_mut(6, 4).unwrap().fill(0b1011);
        l1.settle();
        assert_eq!(l1.get(6, 4).unwrap(), [0b1011, 0b1111, 0b1011, 0b1010]);
    }

    #[test]
    fn changed_pages_are_named_once() {
        let size = 366 * PAGE_BYTES;
        let mut l1 = L1::new(size);
        l1.change(PAGE_BYTES - 1, 2).unwrap().fill(1);
        l1.change(70 * PAGE_BYTES, 4).unwrap();
        l1.change(5, 0).unwrap();
        l1.get_mut(3 * PAGE_BYTES, 4).unwrap();
        assert!(l1.change(size - 1, 2).is_none());
        assert_eq!(l1.take_changed(), [0, 1, 70]);
        assert_eq!(l1.take_changed(), []);
    }
}
