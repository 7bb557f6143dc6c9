//! Decoded code of a tile's L1, by pages.
//!
//! A word is decoded when a core first fetches it. Whoever writes to L1 says so: decoded words in the range are
//! forgotten, so that a core sees new code at once. (Silicon may show the old code until the instruction cache is
//! invalidated; no program may rely on that.)

use crate::rv32::Op;

const PAGE_BYTES: u32 = 1024;
const PAGE_WORDS: usize = PAGE_BYTES as usize / 4;
const PAGES: usize = tt_isa::map::L1_SIZE.div_ceil(PAGE_BYTES) as usize;

type Page = [Op; PAGE_WORDS];

/// The cache.
pub struct CodeCache {
    pages: Vec<Option<Box<Page>>>,
}

impl Default for CodeCache {
    fn default() -> Self {
        Self { pages: vec![None; PAGES] }
    }
}

impl CodeCache {
    /// What is known about the word at `pc` (in L1, aligned).
    #[inline(always)]
    pub fn get(&self, pc: u32) -> Op {
        match self.pages.get((pc / PAGE_BYTES) as usize) {
            Some(Some(page)) => page[(pc % PAGE_BYTES / 4) as usize],
            _ => Op::UNKNOWN,
        }
    }

    /// Remembers the decoded word at `pc`.
    pub fn insert(&mut self, pc: u32, op: Op) {
        if let Some(page) = self.pages.get_mut((pc / PAGE_BYTES) as usize) {
            page.get_or_insert_with(|| Box::new([Op::UNKNOWN; PAGE_WORDS]))[(pc % PAGE_BYTES / 4) as usize] =
                op;
        }
    }

    /// A core stored a word or less at `addr`.
    #[inline(always)]
    pub fn stored(&mut self, addr: u32) {
        if let Some(Some(page)) = self.pages.get_mut((addr / PAGE_BYTES) as usize) {
            page[(addr % PAGE_BYTES / 4) as usize] = Op::UNKNOWN;
        }
    }

    /// `len` bytes at `addr` were written.
    pub fn written(&mut self, addr: u32, len: usize) {
        if len == 0 {
            return;
        }
        let last = (addr + len as u32 - 1) / PAGE_BYTES;
        for page in &mut self.pages[(addr / PAGE_BYTES) as usize..=last as usize] {
            *page = None;
        }
    }
}
