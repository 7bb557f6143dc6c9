//! Linear DRAM addresses: all banks of a chip as one interleaved space.
//!
//! Page `p` of [`DRAM_PAGE`] bytes lies in bank `p % banks`, as that bank's page `p / banks`. A page is the
//! largest NoC packet, so that a stream of whole pages uses full packets and every bank in turn. (Weight tiles lie in the same
//! pages in another order: [`crate::shard`].)

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

impl DramAddr {
    /// Bank and offset of this address with `banks` banks.
    ///
    /// Page numbers are taken as 32 bits (32 TiB of DRAM): the device divides by `banks` in one instruction.
    pub const fn locate(self, banks: u32) -> DramLocation {
        let page = (self.0 / DRAM_PAGE as u64) as u32;
        let within = self.0 as u32 % DRAM_PAGE;
        DramLocation {
            bank: page % banks,
            offset: (page / banks) as u64 * DRAM_PAGE as u64 + within as u64,
            run: DRAM_PAGE - within,
        }
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
