//! Registers of the tile, and words of the mailbox: words at fixed addresses that the host, other cores or units change.
//!
//! The cores have no memory protection and no traps: a store to a wrong address overwrites an image or another core's data. So a
//! [`Register`] is made by `unsafe` code only, from an address of `tt-isa` or of the ABI's map of L1. Operators and safe kernels cannot make one:
//! their memory is [`crate::l1`].
#![allow(unsafe_code)]

use core::hint::black_box;
use core::ptr::{read_volatile, write_volatile};
use core::sync::atomic::{Ordering, compiler_fence};

/// How often a word is looked at before something else is done.
const LOOKS: u32 = 4;

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
    pub const unsafe fn at(addr: u32) -> Self {
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
        #[cfg_attr(not(target_arch = "riscv32"), allow(unused_mut))]
        let mut value = self.load();
        #[cfg(target_arch = "riscv32")]
        // SAFETY: an `and` with all ones: no effect but the use of the register.
        unsafe {
            core::arch::asm!("andi {0}, {0}, -1", inout(reg) value, options(nostack))
        };
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

    /// Looks a few times whether the word is what is waited for, for a core that has other things to do: nothing but loads and branches here too.
    #[inline(always)]
    pub fn look(self, is_there: impl Fn(u32) -> bool) -> Option<u32> {
        // A loop, not as many copies.
        for _ in 0..black_box(LOOKS) {
            let value = self.load();
            if is_there(value) {
                order();
                return Some(value);
            }
        }
        None
    }

    /// Spins until the counter has reached `count`: a load and a branch here too.
    #[inline(always)]
    pub fn wait_count(self, count: u32) {
        while self.load() < count {}
        order();
    }
}

/// A number that the compiler does not know, in a register: a loop that counts so far stays a loop.
#[inline(always)]
#[cfg_attr(not(target_arch = "riscv32"), allow(unused_mut))]
pub fn unrolled_never(count: u32) -> u32 {
    let mut count = count;
    #[cfg(target_arch = "riscv32")]
    // SAFETY: no instruction; the value stays what it is.
    unsafe {
        core::arch::asm!("/* {0} */", inout(reg) count, options(nomem, nostack, preserves_flags))
    };
    count
}

/// Keeps the compiler from moving memory accesses across this point. The cores themselves keep stores to L1 in
/// order, and a load whose value decided a branch has returned.
#[inline(always)]
pub fn order() {
    compiler_fence(Ordering::SeqCst);
}
