//! Linear DRAM addresses: all banks of a chip as one interleaved space.
//!
//! Page `p` of [`DRAM_PAGE`] bytes lies in bank `p % banks`, as that bank's page `p / banks`. A page is the
//! largest NoC packet, so that a stream of whole pages uses full packets and every bank in turn. (Weight tiles lie in the same
//! pages in another order: [`crate::shard`].)

use crate::boot::MAX_BANKS;
use crate::l1;
use crate::target::CHIP;

/// Bytes of a page.
pub const DRAM_PAGE: u32 = CHIP.noc.max_packet;
/// The lowest part of the space belongs to the runtime; allocations start here.
pub const DRAM_RESERVED: u64 = 16 << 20;

/// Most steps of a stream behind its first one ([`crate::launch::Stream`]).
pub const STREAM_STEPS: usize = 1023;
/// Where the runtime has their descriptors, at the end of its part.
pub const STREAM: DramAddr =
    DramAddr(DRAM_RESERVED - (STREAM_STEPS as u64 + 1) * l1::DESCRIPTOR_BYTES as u64);

/// Where the leader writes the times of a launch's steps, if the host wants them: in front of the descriptors.
pub const STEP_TIMES: DramAddr = DramAddr(STREAM.0 - (STREAM_STEPS as u64 + 1) * l1::STEP_TIMES_BYTES as u64);

/// An address in the linear space.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(transparent)]
pub struct DramAddr(pub u64);

/// Where a linear address is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DramLocation {
    /// Bank number.
    pub bank: u32,
    /// Offset in the bank; add the bank's base for the NoC address.
    pub offset: u64,
    /// Bytes from here to the end of the page: the longest access in one piece.
    pub run: u32,
}

impl DramLocation {
    #[inline(always)]
    const fn new((page, bank): (u32, u32), within: u32) -> Self {
        Self { bank, offset: page as u64 * DRAM_PAGE as u64 + within as u64, run: DRAM_PAGE - within }
    }
}

/// How many banks there are, two or more, for who looks for many addresses. Page numbers are multiplied and not divided: a device's core takes 2 clocks for the one, up to 33 for the other
/// ([`tt_isa::timing::CoreTiming`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Banks {
    count: u32,
    /// 2^32 by that, rounded up.
    reciprocal: u32,
}

impl Banks {
    /// `count` banks; `None` if they are fewer than two, or more than [`MAX_BANKS`].
    pub const fn new(count: u32) -> Option<Self> {
        if count < 2 || count > MAX_BANKS as u32 {
            return None;
        }
        Some(Self { count, reciprocal: u32::MAX / count + 1 })
    }

    /// How many.
    pub const fn count(self) -> u32 {
        self.count
    }

    /// A page's number in its bank, and the bank.
    ///
    /// The reciprocal is too large by less than one of 2^32, times the count, so the quotient is exact for page numbers up to 2^32 by the count.
    #[inline(always)]
    const fn split(self, page: u32) -> (u32, u32) {
        let quotient = ((page as u64 * self.reciprocal as u64) >> 32) as u32;
        (quotient, page - quotient * self.count)
    }
}

impl DramAddr {
    /// Bank and offset of this address with `banks` banks.
    ///
    /// Page numbers are taken as 32 bits (32 TiB of DRAM).
    pub const fn locate(self, banks: u32) -> DramLocation {
        let (page, within) = self.page();
        DramLocation::new((page / banks, page % banks), within)
    }

    /// The same, without a division.
    #[inline(always)]
    pub const fn locate_in(self, banks: Banks) -> DramLocation {
        let (page, within) = self.page();
        DramLocation::new(banks.split(page), within)
    }

    /// Number of the page, and offset in it.
    #[inline(always)]
    const fn page(self) -> (u32, u32) {
        ((self.0 / DRAM_PAGE as u64) as u32, self.0 as u32 % DRAM_PAGE)
    }

    /// The address `bytes` further on.
    pub const fn offset(self, bytes: u64) -> Self {
        Self(self.0 + bytes)
    }
}

impl core::fmt::Display for DramAddr {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "DRAM {:#x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiplied_or_divided_pages_are_the_same() {
        assert!([0, 1, MAX_BANKS as u32 + 1].map(Banks::new) == [None; 3]);
        for count in 2..=MAX_BANKS as u32 {
            let banks = Banks::new(count).unwrap();
            let most = u32::MAX / count;
            let last = (0..=64).map(|back| most - back);
            for page in (0..10_000).chain((0..most).step_by(99_991)).chain(last) {
                let addr = DramAddr(u64::from(page) * u64::from(DRAM_PAGE) + 77);
                assert_eq!(addr.locate_in(banks), addr.locate(count), "page {page} of {count} banks");
            }
        }
    }

    #[test]
    fn pages_go_round_the_banks() {
        let page = u64::from(DRAM_PAGE);
        assert_eq!(DramAddr(5).locate(12), DramLocation { bank: 0, offset: 5, run: DRAM_PAGE - 5 });
        assert_eq!(
            DramAddr(11 * page + 1).locate(12),
            DramLocation { bank: 11, offset: 1, run: DRAM_PAGE - 1 }
        );
        assert_eq!(
            DramAddr(25 * page).locate(12),
            DramLocation { bank: 1, offset: 2 * page, run: DRAM_PAGE }
        );
        // Above 4 GiB.
        let far = (12u64 << 30) - 8;
        assert_eq!(DramAddr(far).locate(12), DramLocation { bank: 11, offset: (1 << 30) - 8, run: 8 });
    }
}
