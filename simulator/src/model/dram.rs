//! DRAM: 2 GiB behind each of the six DRAM tiles, two banks of 1 GiB (`DRAMTile/README.md`).
//!
//! Memory is allocated page by page when it is first written; what was never written reads as zero.

use std::collections::HashMap;

use crate::model::defect::StuckLine;

const PAGE: u64 = 64 << 10;

/// Bytes of a page.
type Page = Box<[u8; PAGE as usize]>;

/// The bytes of a page that were ever written, a bit each.
type Written = Box<[u64; PAGE as usize / 64]>;

/// The memory of one DRAM tile.
pub struct Dram {
    size: u64,
    /// By number; the host gives memory to this table, too, when it is first written.
    pages: Vec<Option<Page>>,
    /// What was written, if that is to be remembered.
    written: Option<HashMap<u64, Written>>,
    /// An address line that is stuck.
    stuck: Option<StuckLine>,
}

impl Dram {
    /// `size` bytes.
    pub fn new(size: u64) -> Self {
        Self { size, pages: vec![None; size.div_ceil(PAGE) as usize], written: None, stuck: None }
    }

    /// From now on an address line is stuck: the last one of which this was said.
    pub fn stick(&mut self, line: StuckLine) {
        self.stuck = Some(line);
    }

    /// Bytes from `addr` on that follow one another in a page, and where they are.
    #[inline]
    fn run(&self, addr: u64, len: usize) -> (u64, usize) {
        let in_page = |addr: u64| (PAGE - addr % PAGE).min(len as u64);
        match &self.stuck {
            None => (addr, in_page(addr) as usize),
            Some(line) => (line.apply(addr), in_page(addr).min(line.together(addr)) as usize),
        }
    }

    /// Remembers from now on which bytes were written.
    pub fn remember_writes(&mut self) {
        self.written.get_or_insert_default();
    }

    /// The runs of `addr..addr + len` that nothing has written since [`remember_writes`](Self::remember_writes), as
    /// offset and length; `None` if not requested.
    pub fn unwritten(&self, addr: u64, len: u32) -> Vec<(u32, u32)> {
        let mut runs: Vec<(u32, u32)> = Vec::new();
        let Some(written) = &self.written else { return runs };
        for offset in 0..len {
            let (page, byte) = ((addr + u64::from(offset)) / PAGE, (addr + u64::from(offset)) % PAGE);
            if written.get(&page).is_some_and(|bits| bits[byte as usize / 64] >> (byte % 64) & 1 == 1) {
                continue;
            }
            match runs.last_mut() {
                Some((first, n)) if *first + *n == offset => *n += 1,
                _ => runs.push((offset, 1)),
            }
        }
        runs
    }

    fn note_write(&mut self, addr: u64, len: usize) {
        let Some(written) = &mut self.written else { return };
        for at in addr..addr + len as u64 {
            let bits = written.entry(at / PAGE).or_insert_with(|| Box::new([0; PAGE as usize / 64]));
            bits[(at % PAGE) as usize / 64] |= 1 << (at % 64);
        }
    }

    /// Whether there are `len` bytes at `addr`.
    pub fn holds(&self, addr: u64, len: usize) -> bool {
        addr.checked_add(len as u64).is_some_and(|end| end <= self.size)
    }

    /// Reads; `false` beyond the end.
    #[must_use]
    pub fn read(&self, mut addr: u64, mut out: &mut [u8]) -> bool {
        if !self.holds(addr, out.len()) {
            return false;
        }
        while !out.is_empty() {
            let (from, len) = self.run(addr, out.len());
            let at = (from % PAGE) as usize;
            let (now, rest) = out.split_at_mut(len);
            match &self.pages[(from / PAGE) as usize] {
                Some(page) => now.copy_from_slice(&page[at..at + len]),
                None => now.fill(0),
            }
            out = rest;
            addr += len as u64;
        }
        true
    }

    /// Writes; `false` beyond the end.
    #[must_use]
    pub fn write(&mut self, mut addr: u64, mut data: &[u8]) -> bool {
        if !self.holds(addr, data.len()) {
            return false;
        }
        self.note_write(addr, data.len());
        while !data.is_empty() {
            let (to, len) = self.run(addr, data.len());
            let at = (to % PAGE) as usize;
            let (now, rest) = data.split_at(len);
            let page = self.pages[(to / PAGE) as usize].get_or_insert_with(zeros);
            page[at..at + len].copy_from_slice(now);
            data = rest;
            addr += len as u64;
        }
        true
    }
}

fn zeros() -> Page {
    vec![0; PAGE as usize].into_boxed_slice().try_into().expect("a page has its size")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_are_remembered_when_asked() {
        let mut dram = Dram::new(1 << 30);
        assert_eq!(dram.unwritten(0, 8), []);
        dram.remember_writes();
        assert!(dram.write(PAGE - 2, &[0; 4]) && dram.write(PAGE + 6, &[0; 2]));
        assert_eq!(dram.unwritten(PAGE - 4, 16), [(0, 2), (6, 4), (12, 4)]);
    }

    #[test]
    fn a_stuck_address_line_makes_two_addresses_one() {
        let mut dram = Dram::new(1 << 30);
        dram.stick(StuckLine { base: 0, size: 1 << 29, bit: 5, high: false });
        assert!(dram.write(0x40, &[1; 32]) && dram.write(0x60, &[2; 32]));
        let mut out = [0; 64];
        assert!(dram.read(0x40, &mut out));
        assert_eq!(out, [2; 64]);
        // The bank behind has lines of its own.
        assert!(dram.write(0x2000_0040, &[3; 32]) && dram.write(0x2000_0060, &[4; 32]));
        assert!(dram.read(0x2000_0040, &mut out));
        assert_eq!((out[31], out[32]), (3, 4));
    }

    #[test]
    fn pages_appear_when_written() {
        let mut dram = Dram::new(1 << 30);
        let data: Vec<u8> = (0..200_000).map(|i| (i % 251) as u8).collect();
        assert!(dram.write(PAGE - 7, &data));
        let mut out = vec![1; data.len() + 20];
        assert!(dram.read(PAGE - 17, &mut out));
        assert_eq!(out[..10], [0; 10]);
        assert_eq!(out[10..data.len() + 10], data);
        assert_eq!(dram.pages.iter().flatten().count(), 5);
        assert!(!dram.write((1 << 30) - 1, &[0, 0]));
        assert!(!dram.read(u64::MAX, &mut [0, 0]));
    }
}
