//! Copies to the DRAM of the other chip of a card, by commands to the firmware of Ethernet tiles ([`tt_isa::eth::routing`]).
//!
//! The source is `src0`, the destination `dst`, whose address is one of the other chip's linear DRAM; both chips have the same banks. A lane
//! for each link takes every so many-th piece.

use tt_isa::eth::routing::{BLOCK_ALIGN, BLOCK_SIZE};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::dram::DRAM_PAGE;

/// Links that a copy uses at most.
pub const LINKS: usize = 4;

/// Parameters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RelayParams {
    /// Bytes, a multiple of 4.
    pub bytes: u32,
    /// Links.
    pub links: u32,
    /// Ethernet tile of each link, on NoC 0.
    pub nodes: [u32; LINKS],
    /// Place of the other chip, as the upper half of a command's address has it.
    pub chip: u32,
    /// Its rack.
    pub rack: u32,
    /// From one page of the source to the next one, and of the destination, in pages: 1 in the linear space, the number of banks within one
    /// bank.
    pub steps: [u32; 2],
}

/// Linear address of byte `at` of a run that begins at `first` and whose pages are `step` apart.
#[inline]
pub const fn place(first: u64, at: u64, step: u32) -> u64 {
    let page = DRAM_PAGE as u64;
    first + at + (first % page + at) / page * ((step - 1) as u64 * page)
}

/// Bytes of the piece that begins at byte `at`: a block at most, within a page of DRAM at both ends.
#[inline]
pub const fn piece(from: u64, to: u64, at: u32, bytes: u32) -> u32 {
    let page = DRAM_PAGE;
    let (from, to) =
        (page - (from as u32).wrapping_add(at) % page, page - (to as u32).wrapping_add(at) % page);
    let mut len = bytes - at;
    let limits = [from, to, BLOCK_SIZE];
    let mut n = 0;
    while n < limits.len() {
        if limits[n] < len {
            len = limits[n];
        }
        n += 1;
    }
    len
}

/// What both addresses are multiples of.
pub const ALIGN: u64 = BLOCK_ALIGN;

const _: () = assert!(DRAM_PAGE.is_power_of_two() && ALIGN >= crate::target::CONGRUENCE as u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_leave_pages_of_other_banks_out() {
        let page = u64::from(DRAM_PAGE);
        for (at, linear, in_a_bank) in [(0, 0, 0), (4095, 4095, 4095), (4096, 4096, 12 * page - 4096)] {
            let first = 25 * page + 4096;
            assert_eq!(place(first, at, 1), first + linear);
            assert_eq!(place(first, at, 12), first + in_a_bank);
        }
        // Above 4 GiB.
        assert_eq!(place(5 << 30, 3 << 20, 12), (5 << 30) + (36 << 20));
    }

    #[test]
    fn pieces_stay_within_pages() {
        let (from, to, bytes) = (3 * 8192 + 7168 + 32, 8192 - 64, 20_004);
        let mut at = 0;
        while at < bytes {
            let len = piece(from, to, at, bytes);
            assert!(len > 0 && len <= BLOCK_SIZE && len.is_multiple_of(4));
            for start in [from, to] {
                let first = start + u64::from(at);
                assert_eq!(first / 8192, (first + u64::from(len) - 1) / 8192);
                assert!(first.is_multiple_of(ALIGN), "{at}");
            }
            at += len;
        }
        assert_eq!(at, bytes);
    }
}
