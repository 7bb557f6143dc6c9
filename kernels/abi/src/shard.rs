//! Where the tiles of a weight matrix are: a shard of them in every DRAM bank.
//!
//! The tiles of a matrix follow one another, n-tile by n-tile, in a stream of bytes. The stream lies in the pages
//! that its linear addresses have, and fills these not page by page but bank by bank:
//!
//! ```text
//! linear pages    |  7  |  8  |  9  | 10  | 11  | 12  | 13  | ...      page p is in bank p % banks
//! stream          bank 0: pages 12, 24, ..   bank 1: pages 13, 25, ..   ...   bank 11: pages 11, 23, ..
//! ```
//!
//! Pages of a bank that are `banks` apart follow one another in the bank, so a shard is one contiguous run there: any
//! part of it can be read in packets of the largest size, and a tile is never cut by a page's end. The order of the
//! stream is kept, so a worker that takes a range of n-tiles reads one bank (or two, where its range ends), and which bank
//! follows from its number: [`crate::placement`]. Nothing is added: the shards are a permutation of the bytes that the
//! matrix has anyway.

use crate::dram::{DRAM_PAGE, DramAddr};
use crate::matmul::TILE;
use crate::view::TensorView;

/// The run of a matrix' stream that lies in one bank.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Shard {
    /// Bank number.
    pub bank: u32,
    /// Its first byte in the stream.
    pub first: u64,
    /// Its first byte in the bank; add the bank's base for the NoC address.
    pub offset: u64,
    /// Bytes.
    pub len: u64,
}

impl Shard {
    /// Offset in the bank of byte `at` of the stream, and the bytes from there to the shard's end; `None` if that byte
    /// is in another shard.
    pub const fn locate(&self, at: u64) -> Option<(u64, u64)> {
        match at.wrapping_sub(self.first) {
            within if within < self.len => Some((self.offset + within, self.len - within)),
            _ => None,
        }
    }
}

/// The shards of a matrix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shards {
    addr: u64,
    bytes: u64,
    banks: u32,
}

impl Shards {
    /// Of a stream of `bytes` bytes (not 0) in the place that begins at `addr`.
    pub const fn new(addr: DramAddr, bytes: u64, banks: u32) -> Self {
        Self { addr: addr.0, bytes, banks }
    }

    /// Of the matrix that begins `offset` bytes after the first one of [`TensorView::tiles`].
    pub const fn of_matrix(tiles: &TensorView, offset: u64, banks: u32) -> Self {
        let bytes = tiles.nb[1] * tiles.ne[1].div_ceil(TILE) as u64;
        Self::new(DramAddr(tiles.addr.wrapping_add(offset)), bytes, banks)
    }

    /// The shard that has byte `at` of the stream; an empty one if the stream is shorter.
    pub fn find(&self, at: u64) -> Shard {
        self.iter().find(|shard| shard.locate(at).is_some()).unwrap_or_default()
    }

    /// All shards, in the order of the stream.
    pub fn iter(&self) -> impl Iterator<Item = Shard> + use<> {
        let (page, last) = (DRAM_PAGE, self.addr + self.bytes - 1);
        // Page numbers are taken as 32 bits, as in [`DramAddr::locate`].
        let (first_page, last_page) = ((self.addr / u64::from(page)) as u32, (last / u64::from(page)) as u32);
        let (head, tail) = (self.addr as u32 % page, page - 1 - last as u32 % page);
        let (banks, first_bank) = (self.banks, first_page % self.banks);
        let mut first = 0;
        (0..banks).filter_map(move |bank| {
            let from = first_page + (if bank < first_bank { bank + banks } else { bank }) - first_bank;
            if from > last_page {
                return None;
            }
            let pages = (last_page - from) / banks + 1;
            let head = if from == first_page { head } else { 0 };
            let tail = if from + (pages - 1) * banks == last_page { tail } else { 0 };
            let bytes = |pages: u32| u64::from(pages) * u64::from(page);
            let offset = bytes(from / banks) + u64::from(head);
            let shard = Shard { bank, first, offset, len: bytes(pages) - u64::from(head + tail) };
            first += shard.len;
            Some(shard)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const BANKS: u32 = 12;
    const PAGE: u64 = DRAM_PAGE as u64;

    /// 32-byte lines that the place has, as (bank, offset).
    fn place(addr: u64, bytes: u64) -> BTreeSet<(u32, u64)> {
        let lines = (addr..addr + bytes).step_by(32);
        lines.map(|at| DramAddr(at).locate(BANKS)).map(|at| (at.bank, at.offset)).collect()
    }

    #[test]
    fn the_stream_fills_just_its_place() {
        for addr in [0, 32, 7 * PAGE, 11 * PAGE + 8160, 1000 * PAGE + 4096, (5 << 30) - 64] {
            for bytes in [32, 1088, 4096, PAGE - 32, PAGE, 3 * PAGE + 32, 12 * PAGE, 100 * PAGE + 2048] {
                let shards = Shards::new(DramAddr(addr), bytes, BANKS);
                let mut lines = BTreeSet::new();
                for at in (0..bytes).step_by(32) {
                    let shard = shards.find(at);
                    let (offset, run) = shard.locate(at).expect("every byte has a shard");
                    assert!(run >= 32 && lines.insert((shard.bank, offset)), "{addr:#x} {bytes}: {at}");
                }
                assert_eq!(lines, place(addr, bytes), "{addr:#x} {bytes}");
                assert_eq!(shards.find(bytes).len, 0);
            }
        }
    }

    #[test]
    fn banks_have_equal_loads_up_to_two_pages() {
        for addr in (0..40 * PAGE).step_by(4096 + 32) {
            for bytes in (PAGE..60 * PAGE).step_by(5000) {
                let mut lens = [0; BANKS as usize];
                for shard in Shards::new(DramAddr(addr), bytes, BANKS).iter() {
                    lens[shard.bank as usize] = shard.len;
                }
                let (least, most) = (lens.iter().min().unwrap(), lens.iter().max().unwrap());
                assert!(most - least < 2 * PAGE, "{addr:#x} {bytes}: {lens:?}");
            }
        }
    }
}
