//! The boot configuration of a tile ([`tt_kernel_abi::boot`]): the host has put it into L1, and it stays there.
#![allow(unsafe_code)]

use crate::l1::outside;
use crate::mmio::Register;
use tt_kernel_abi::{BootConfig, l1};

/// The word of the boot configuration at an offset that `offset_of!` gives.
#[inline(always)]
pub fn word(offset: usize) -> Register {
    if offset >= size_of::<BootConfig>() || !offset.is_multiple_of(4) {
        outside();
    }
    // SAFETY: a word inside the boot configuration, which lies in front of the heap, and to which there are no references.
    unsafe { Register::at(l1::BOOT_CONFIG + offset as u32) }
}
