//! Buffers in L1 for one core, as slices.
//!
//! # Safety
//!
//! A [`Heap`] is made once per launch and core, over a range of L1 that no other core, image or stack uses, and gives
//! every byte away once; so a slice is the only reference to its memory. That it is made once is seen to by types: only a
//! [`Lane`](super::lane::Lane) has one, which takes its [`Launch`](super::launch::Launch) for good, of which the launch
//! loop makes one. The NoC writes into buffers too, but only
//! between a request and the wait for it, when the core does not look; [`super::mmio::order`] in the wait keeps the
//! compiler from reading earlier.
#![allow(unsafe_code)]

use tt_kernel_abi::l1;

/// What is left of a core's part of the heap.
pub struct Heap {
    next: u32,
    end: u32,
}

/// Bytes that each of the two cores has.
pub const BYTES: u32 = l1::HEAP_END - l1::HEAP_MIDDLE;
/// The NoC wants both ends of a read congruent.
const ALIGN: u32 = tt_kernel_abi::target::CONGRUENCE;

impl Heap {
    /// The lower part for the core of NoC 0 (BRISC), the upper one for that of NoC 1 (NCRISC).
    pub(super) fn of_noc(noc: u32) -> Self {
        match noc {
            0 => Self { next: l1::HEAP, end: l1::HEAP_MIDDLE },
            _ => Self { next: l1::HEAP_MIDDLE, end: l1::HEAP_END },
        }
    }

    /// Bytes that are left.
    pub fn left(&self) -> u32 {
        self.end - self.next
    }

    /// First byte of `bytes` bytes. There is nobody to tell when memory runs out: operators take buffers of constant
    /// sizes, or the planner has counted.
    pub fn take(&mut self, bytes: u32) -> u32 {
        assert!(bytes <= self.left());
        let at = self.next;
        self.next += bytes.next_multiple_of(ALIGN);
        at
    }

    /// `n` floats.
    pub fn floats(&mut self, n: u32) -> &'static mut [f32] {
        let at = self.take(4 * n);
        // SAFETY: see the module; any pattern is a float.
        unsafe { core::slice::from_raw_parts_mut(at as *mut f32, n as usize) }
    }
}

impl Heap {
    /// `n` words.
    pub fn words(&mut self, n: u32) -> &'static mut [u32] {
        let at = self.take(4 * n);
        // SAFETY: see the module; any pattern is a word.
        unsafe { core::slice::from_raw_parts_mut(at as *mut u32, n as usize) }
    }
}

/// Floats that the NoC has put at `at`, or will take from there.
///
/// # Safety
/// `at` is a multiple of 4 in a buffer of the caller's, and no other slice of the same bytes is used.
pub unsafe fn floats_at(at: u32, n: u32) -> &'static mut [f32] {
    // SAFETY: by contract.
    unsafe { core::slice::from_raw_parts_mut(at as *mut f32, n as usize) }
}

/// Bytes that the NoC has put at `at`, or will take from there.
///
/// # Safety
/// They lie in a buffer of the caller's, and no other slice of the same bytes is used.
pub unsafe fn bytes_at(at: u32, n: u32) -> &'static mut [u8] {
    // SAFETY: by contract.
    unsafe { core::slice::from_raw_parts_mut(at as *mut u8, n as usize) }
}
