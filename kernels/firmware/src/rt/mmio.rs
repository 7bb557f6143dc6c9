//! Loads and stores: device registers, and L1 words that other cores or the NoC change.
//!
//! # Safety
//!
//! Addresses come from `tt-isa`, from the ABI's map of L1, or from arithmetic inside buffers of that map. The
//! cores have no memory protection and no traps: a wrong address is a wrong result, not undefined behaviour of
//! Rust, because nothing that Rust allocates (the stack in private RAM, constants in the image) lies at an
//! address that this module is given.
#![allow(unsafe_code)]

use core::arch::asm;
use core::ptr::{read_volatile, write_volatile};
use core::sync::atomic::{Ordering, compiler_fence};

/// Loads a word.
#[inline(always)]
pub fn load(addr: u32) -> u32 {
    // SAFETY: see the module.
    unsafe { read_volatile(addr as *const u32) }
}

/// Loads a half word.
#[inline(always)]
pub fn load16(addr: u32) -> u32 {
    // SAFETY: see the module.
    u32::from(unsafe { read_volatile(addr as *const u16) })
}

/// Loads a byte.
#[inline(always)]
pub fn load8(addr: u32) -> u32 {
    // SAFETY: see the module.
    u32::from(unsafe { read_volatile(addr as *const u8) })
}

/// Stores a word.
#[inline(always)]
pub fn store(addr: u32, value: u32) {
    // SAFETY: see the module.
    unsafe { write_volatile(addr as *mut u32, value) }
}

/// Stores a half word.
#[inline(always)]
pub fn store16(addr: u32, value: u32) {
    // SAFETY: see the module.
    unsafe { write_volatile(addr as *mut u16, value as u16) }
}

/// Stores a byte.
#[inline(always)]
pub fn store8(addr: u32, value: u32) {
    // SAFETY: see the module.
    unsafe { write_volatile(addr as *mut u8, value as u8) }
}

/// Loads a word and waits for it: an ALU instruction consumes the result, so whatever follows starts after the
/// load has returned (`TensixTile/BabyRISCV/MemoryOrdering.md`). Also orders earlier stores to the same device.
#[inline(always)]
pub fn load_and_wait(addr: u32) -> u32 {
    let mut value = load(addr);
    // SAFETY: an `and` with all ones: no effect but the use of the register.
    unsafe { asm!("andi {0}, {0}, -1", inout(reg) value, options(nostack)) };
    value
}

/// Spins until the word at `addr` differs from `old`: nothing but a load and a branch, so that a simulator can
/// put the core to sleep.
#[inline(always)]
pub fn wait_while_equal(addr: u32, old: u32) -> u32 {
    loop {
        let value = load(addr);
        if value != old {
            order();
            return value;
        }
    }
}

/// Spins until the counter at `addr` has reached `count`: a load and a branch here too.
#[inline(always)]
pub fn wait_count(addr: u32, count: u32) {
    while load(addr) < count {}
    order();
}

/// Keeps the compiler from moving memory accesses across this point. The cores themselves keep stores to L1 in
/// order, and a load whose value decided a branch has returned.
#[inline(always)]
pub fn order() {
    compiler_fence(Ordering::SeqCst);
}
