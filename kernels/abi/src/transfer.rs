//! Bytes moved as they are: from DRAM to the host's memory, from DRAM to DRAM, or one word into all of a range of DRAM.
//!
//! A range is cut where its pages of DRAM end ([`DRAM_PAGE`]): those of the source, or of the result if there is no source. Worker n of N takes
//! pieces n, n + N, and so on, so that every channel of DRAM has work at any time.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::dram::DRAM_PAGE;
use crate::numbered::numbered;

numbered! {
    /// What is moved, and where to.
    Kind {
        /// DRAM to the host's memory. Both addresses are congruent modulo [`CONGRUENCE`](crate::target::CONGRUENCE).
        ToHost,
        /// DRAM to DRAM. The ranges do not overlap; both addresses are congruent modulo 16, as a NoC write wants them.
        Copy,
        /// A word to DRAM; the word's four bytes are equal.
        Fill,
    }
}

/// Parameters of a transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TransferParams {
    /// First byte of the source, an address of linear DRAM; 0 without one.
    pub from: u64,
    /// First byte of the result, an address of linear DRAM; of the host's memory the low half of its address behind the PCIe tile.
    pub to: u64,
    /// Bytes.
    pub bytes: u64,
    /// A [`Kind`].
    pub kind: u32,
    /// To the host: the tile's register with the address' high bits ([`tt_isa::noc::NiuMap::node_at`]). Filled: the word.
    pub value: u32,
}

/// A piece of a transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Piece {
    /// Its first byte, counted from that of the range.
    pub first: u64,
    /// Bytes, at most those of a page.
    pub len: u32,
}

impl TransferParams {
    /// What is moved; `None` if nobody knows that number.
    pub const fn kind(&self) -> Option<Kind> {
        Kind::from_code(self.kind)
    }

    /// Bytes from the beginning of a page to the first byte.
    const fn skipped(&self) -> u32 {
        let paged = if self.kind == Kind::Fill as u32 { self.to } else { self.from };
        paged as u32 % DRAM_PAGE
    }

    /// How many pieces there are.
    pub const fn pieces(&self) -> u32 {
        (self.bytes + self.skipped() as u64).div_ceil(DRAM_PAGE as u64) as u32
    }

    /// Piece `n`.
    pub const fn piece(&self, n: u32) -> Piece {
        let (page, skipped) = (DRAM_PAGE as u64, self.skipped() as u64);
        let (begin, end) = (n as u64 * page, (n as u64 + 1) * page);
        let first = begin.saturating_sub(skipped);
        let end = if end - skipped < self.bytes { end - skipped } else { self.bytes };
        Piece { first, len: (end - first) as u32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_pages_and_cover_the_range() {
        let page = u64::from(DRAM_PAGE);
        for from in [0, 5, page - 1, 7 * page + 32] {
            for bytes in [1, 31, page - 5, page, page + 1, 5 * page + 100] {
                for kind in [Kind::ToHost, Kind::Fill] {
                    let (source, to) = if kind == Kind::Fill { (0, from) } else { (from, 0) };
                    let params = TransferParams { from: source, to, bytes, kind: kind as u32, value: 0 };
                    let mut next = 0;
                    for n in 0..params.pieces() {
                        let piece = params.piece(n);
                        assert_eq!(piece.first, next);
                        assert!(piece.len > 0);
                        let last = from + piece.first + u64::from(piece.len) - 1;
                        assert_eq!((from + piece.first) / page, last / page, "one page");
                        next += u64::from(piece.len);
                    }
                    assert_eq!(next, bytes, "from {from}");
                }
            }
        }
    }
}
