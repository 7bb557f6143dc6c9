//! What tests of the crate need of the system.

#![allow(unsafe_code)]

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::Path;

/// A file mapped as llama.cpp maps a model.
pub struct Mapped(*mut libc::c_void, usize);

impl Mapped {
    /// Maps the first `len` bytes of a file.
    pub fn new(path: &Path, len: usize) -> Self {
        let file = File::open(path).unwrap();
        // SAFETY: asks for a new mapping, at an address that the system chooses: nothing that exists is touched.
        let start = unsafe {
            let null = std::ptr::null_mut();
            libc::mmap(null, len, libc::PROT_READ, libc::MAP_SHARED, file.as_raw_fd(), 0)
        };
        assert_ne!(start, libc::MAP_FAILED);
        Self(start, len)
    }

    /// The bytes. They may be read only while the file has all of them.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: `new` has mapped so many bytes, and they stay until `drop`, which ends the borrow.
        unsafe { std::slice::from_raw_parts(self.0.cast(), self.1) }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: `new` has mapped it, and no slice of it outlives `self`.
        unsafe { libc::munmap(self.0, self.1) };
    }
}
