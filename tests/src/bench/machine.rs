//! What measurements need from the machine: memory on large pages, where the system has them, so that TLB misses do not
//! count, and a clock of processor time, which stops while other programs run.

#![allow(unsafe_code)]

use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// Processor time that this process has had so far, on all its threads.
pub fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: there is room for the time. Every Linux has this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

/// A large page of x86-64.
const LARGE_PAGE: usize = 2 << 20;

/// Bytes that start at a large page.
pub struct Room {
    bytes: Vec<u8>,
    start: usize,
}

impl Room {
    /// Room for `len` bytes, all of them 1.
    pub fn new(len: usize) -> Self {
        let whole = len.next_multiple_of(LARGE_PAGE);
        let mut bytes = Vec::<u8>::with_capacity(whole + LARGE_PAGE);
        let start = bytes.as_ptr().align_offset(LARGE_PAGE).min(LARGE_PAGE);
        // SAFETY: advice about pages that are all within the vector's room, before any is touched; it may be refused.
        unsafe { libc::madvise(bytes.as_mut_ptr().add(start).cast(), whole, libc::MADV_HUGEPAGE) };
        bytes.resize(start + len, 1);
        Self { bytes, start }
    }
}

impl Deref for Room {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

impl DerefMut for Room {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }
}
