//! Registers of the tile, and words of the mailbox: words at fixed addresses that the host, other cores or units change.
//!
//! The cores have no memory protection and no traps: a store to a wrong address overwrites an image or another core's data. So a
//! [`Register`] is made in this layer only, from an address of `tt-isa` or of the ABI's map of L1; operators cannot make one.
//! Their memory is [`super::l1`].
#![allow(unsafe_code)]

use core::arch::asm;
use core::ptr::{read_volatile, write_volatile};
use core::sync::atomic::{Ordering, compiler_fence};

/// A word at a fixed address.
#[derive(Clone, Copy)]
pub struct Register(u32);

impl Register {
    /// The word at `addr`.
    ///
    /// # Safety
    /// `addr` is that of a register of the tile, or of a word of L1 in front of the heap and behind the images; and no Rust
    /// reference covers that word. It is a multiple of 4.
    #[inline(always)]
    pub(super) const unsafe fn at(addr: u32) -> Self {
        Self(addr)
    }

    /// Loads the word.
    #[inline(always)]
    pub fn load(self) -> u32 {
        // SAFETY: who made the register has said that the word is there and aligned, and that Rust has no reference to it.
        unsafe { read_volatile(self.0 as *const u32) }
    }

    /// Stores the word.
    #[inline(always)]
    pub fn store(self, value: u32) {
        // SAFETY: who made the register has said that the word is there and aligned, and that Rust has no reference to it.
        unsafe { write_volatile(self.0 as *mut u32, value) }
    }

    /// Loads the word and waits for it: an ALU instruction consumes the result, so whatever follows starts after the
    /// load has returned (`TensixTile/BabyRISCV/MemoryOrdering.md`). Also orders earlier stores to the same device.
    #[inline(always)]
    pub fn load_and_wait(self) -> u32 {
        let mut value = self.load();
        // SAFETY: an `and` with all ones: no effect but the use of the register.
        unsafe { asm!("andi {0}, {0}, -1", inout(reg) value, options(nostack)) };
        value
    }

    /// Spins until the word differs from `old`: nothing but a load and a branch, so that a simulator can put the core to
    /// sleep.
    #[inline(always)]
    pub fn wait_while_equal(self, old: u32) -> u32 {
        loop {
            let value = self.load();
            if value != old {
                order();
                return value;
            }
        }
    }

    /// Spins until the counter has reached `count`: a load and a branch here too.
    #[inline(always)]
    pub fn wait_count(self, count: u32) {
        while self.load() < count {}
        order();
    }
}

/// Keeps the compiler from moving memory accesses across this point. The cores themselves keep stores to L1 in
/// order, and a load whose value decided a branch has returned.
#[inline(always)]
pub fn order() {
    compiler_fence(Ordering::SeqCst);
}
