//! The part of L1 that a core has for itself while it is a lane: buffers that are given away once.
//!
//! A buffer is either a slice, which is the core's own, or a range ([`L1`]) that the NoC reads and writes too.
#![allow(unsafe_code)]

use super::l1::{L1, outside};
use tt_kernel_abi::{ahead, l1};

/// What is left of a core's part of the heap.
pub struct Heap {
    next: u32,
    end: u32,
}

/// Bytes that each of the two cores has.
pub const BYTES: u32 = l1::HEAP_END - l1::HEAP_MIDDLE;
/// Bytes that each has in a launch that keeps the ring of weights ([`ahead`]): kernels of which [`ahead::keeps_ring`] says that they do make do with these.
pub const KEPT_BYTES: u32 = ahead::RING - ahead::MIDDLE;
/// The NoC wants both ends of a read congruent.
const ALIGN: u32 = tt_kernel_abi::target::CONGRUENCE;

// What is left never becomes less than nothing.
const _: () =
    assert!((l1::HEAP | l1::HEAP_MIDDLE | l1::HEAP_END | ahead::MIDDLE | ahead::RING).is_multiple_of(ALIGN));
const _: () = assert!(KEPT_BYTES <= ahead::MIDDLE - l1::HEAP);

impl Heap {
    /// The lower part for the core of NoC 0 (BRISC), the upper one for that of NoC 1 (NCRISC); `keeps`: of what is in front of the ring.
    ///
    /// # Safety
    /// Once for a launch and core, which nothing else gives the heap to: slices of the heap that were taken in the launch before
    /// are gone.
    pub(super) unsafe fn of_noc(noc: u32, keeps: bool) -> Self {
        let (middle, end) =
            if keeps { (ahead::MIDDLE, ahead::RING) } else { (l1::HEAP_MIDDLE, l1::HEAP_END) };
        match noc {
            0 => Self { next: l1::HEAP, end: middle },
            _ => Self { next: middle, end },
        }
    }

    /// Bytes that are left.
    pub fn left(&self) -> u32 {
        self.end - self.next
    }

    /// Address of `n` units of `size` bytes that nobody has yet. There is nobody to tell when memory runs out: operators
    /// take buffers of constant sizes, or the planner has counted.
    fn reserve(&mut self, n: u32, size: u32) -> u32 {
        if n > self.left() / size {
            outside();
        }
        let at = self.next;
        self.next += (n * size).next_multiple_of(ALIGN);
        at
    }

    /// `bytes` bytes for the NoC.
    pub fn take(&mut self, bytes: u32) -> L1<'static> {
        let at = self.reserve(bytes, 1);
        // SAFETY: `reserve` gives every byte away once, so nobody has a slice of these.
        unsafe { L1::new(at, bytes) }
    }

    /// `n` floats.
    pub fn floats(&mut self, n: u32) -> &'static mut [f32] {
        let at = self.reserve(n, 4);
        // SAFETY: `reserve` gives every byte away once and begins at multiples of 4; any pattern is a float.
        unsafe { core::slice::from_raw_parts_mut(at as *mut f32, n as usize) }
    }

    /// `n` words.
    pub fn words(&mut self, n: u32) -> &'static mut [u32] {
        let at = self.reserve(n, 4);
        // SAFETY: `reserve` gives every byte away once and begins at multiples of 4; any pattern is a word.
        unsafe { core::slice::from_raw_parts_mut(at as *mut u32, n as usize) }
    }
}
