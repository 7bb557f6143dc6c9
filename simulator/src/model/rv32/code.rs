//! Decoded code of a tile, by pages.
//!
//! A word is decoded when a core first fetches it. Every write to memory that may hold code invalidates the decoded
//! words in its range, so that a core sees new code at once. (Silicon may show the old code until the
//! instruction cache is invalidated; no program may rely on that.)
//!
//! The owner numbers the pages: in a tile, L1's pages come first, then those of NCRISC's instruction RAM.

use super::Op;

/// Bytes of code in a page.
pub const PAGE_BYTES: u32 = 4096;
/// Code words in a page.
pub const PAGE_WORDS: usize = PAGE_BYTES as usize / 4;

/// The decoded words of a page.
pub type Page = [Op; PAGE_WORDS];

/// The cache. The default has no pages; it is a placeholder while a core runs with the real one.
#[derive(Default)]
pub struct CodeCache {
    pages: Vec<Option<Box<Page>>>,
}

impl CodeCache {
    /// A cache of `pages` pages, nothing decoded.
    pub fn new(pages: usize) -> Self {
        Self { pages: vec![None; pages] }
    }

    /// Page `number`, which must exist; made on first use.
    pub fn page(&mut self, number: usize) -> &mut Page {
        self.pages[number].get_or_insert_with(|| Box::new([Op::UNKNOWN; PAGE_WORDS]))
    }

    /// Page `number`, if anything in it is decoded.
    #[inline(always)]
    pub fn decoded(&self, number: usize) -> Option<&Page> {
        self.pages.get(number)?.as_deref()
    }

    /// Whether the page that holds byte `addr` has decoded words.
    #[inline(always)]
    pub fn holds(&self, addr: u32) -> bool {
        matches!(self.pages.get((addr / PAGE_BYTES) as usize), Some(Some(_)))
    }

    /// A core stored a word or less at `addr`, counted from the start of page 0.
    pub fn stored(&mut self, addr: u32) {
        if let Some(Some(page)) = self.pages.get_mut((addr / PAGE_BYTES) as usize) {
            page[(addr % PAGE_BYTES / 4) as usize] = Op::UNKNOWN;
        }
    }

    /// `len` bytes at `addr` were written, counted from the start of page 0.
    pub fn written(&mut self, addr: u32, len: usize) {
        if len == 0 {
            return;
        }
        let first = (addr / PAGE_BYTES) as usize;
        let last = (addr as usize + len - 1) / PAGE_BYTES as usize;
        for page in self.pages.iter_mut().take(last + 1).skip(first) {
            *page = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::rv32::decode;

    fn cache() -> CodeCache {
        let mut code = CodeCache::new(4);
        for number in 0..3 {
            *code.page(number) = [decode(0x13); PAGE_WORDS];
        }
        code
    }

    #[test]
    fn a_store_forgets_one_word() {
        let mut code = cache();
        code.stored(PAGE_BYTES + 8);
        let page = code.decoded(1).expect("decoded");
        assert_eq!(page.iter().filter(|&&op| op == Op::UNKNOWN).count(), 1);
        assert_eq!(page[2], Op::UNKNOWN);
        // Where nothing is decoded there is nothing to forget, nor beyond the end.
        code.stored(3 * PAGE_BYTES);
        code.stored(4 * PAGE_BYTES);
        assert!(!code.holds(3 * PAGE_BYTES) && !code.holds(4 * PAGE_BYTES));
    }

    #[test]
    fn a_write_forgets_every_page_that_it_touches() {
        let mut code = cache();
        code.written(PAGE_BYTES - 1, 0);
        assert!(code.holds(PAGE_BYTES - 1));
        code.written(PAGE_BYTES - 1, 2);
        assert_eq!([0, 1, 2, 3].map(|n| code.decoded(n).is_some()), [false, false, true, false]);
        code.written(2 * PAGE_BYTES, 100 * PAGE_BYTES as usize);
        assert!(code.decoded(2).is_none());
    }
}
