//! The system itself: open, ioctl, mmap, and accesses to what is mapped.
//!
//! # Safety
//! A [`Window`] owns its mapping, which lives until it is dropped. Device memory is only accessed by volatile loads and stores through raw pointers, never by a
//! reference, since it changes by itself; and never by `memcpy`, which may take a window byte by byte, an access on the bus each.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::ptr::NonNull;

use super::{Driver, File, Mapping, OpenFlags};

/// The kernel of this machine.
#[derive(Clone, Copy, Default, Debug)]
pub struct Kernel;

impl Driver for Kernel {
    fn open(&self, node: &Path, flags: OpenFlags) -> io::Result<Box<dyn File>> {
        // Rust opens everything with O_CLOEXEC.
        let with = |flag, value| if flags.contains(flag) { value } else { 0 };
        let custom = with(OpenFlags::POWER_AWARE, libc::O_APPEND)
            | with(OpenFlags::NO_WAIT, libc::O_NONBLOCK)
            | with(OpenFlags::EXCLUSIVE, libc::O_EXCL);
        let file = OpenOptions::new().read(true).write(true).custom_flags(custom).open(node)?;
        Ok(Box::new(Node(file.into())))
    }
}

/// An open device node.
struct Node(OwnedFd);

impl File for Node {
    fn ioctl(&self, number: u32, argument: &mut [u8]) -> io::Result<()> {
        // SAFETY: the descriptor is open. The driver reads and writes within the struct that `number` stands for: `argument` has its size,
        // and where the caller names the size of the output it is that of the struct's rest (`ioctl` module).
        let done = unsafe { libc::ioctl(self.0.as_raw_fd(), number.into(), argument.as_mut_ptr()) };
        if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    fn map(&self, offset: u64, len: usize) -> io::Result<Box<dyn Mapping>> {
        // SAFETY: the system chooses the address, so that no memory of this process is replaced; the result is owned by `Window`.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                self.0.as_raw_fd(),
                offset as libc::off_t,
            )
        };
        match NonNull::new(base) {
            Some(base) if base.as_ptr() != libc::MAP_FAILED => Ok(Box::new(Window { base, len })),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// A mapping.
struct Window {
    base: NonNull<c_void>,
    len: usize,
}

// SAFETY: the mapping is not tied to the thread that made it, and only this value unmaps it.
unsafe impl Send for Window {}

impl Drop for Window {
    fn drop(&mut self) {
        // SAFETY: made by `mmap` with this length, and nobody uses it any more.
        unsafe { libc::munmap(self.base.as_ptr(), self.len) };
    }
}

impl Window {
    /// Address of a byte, if `len` bytes from there on are inside.
    fn place(&self, at: usize, len: usize) -> io::Result<*mut u8> {
        match at.checked_add(len) {
            // SAFETY: inside of the mapping.
            Some(end) if end <= self.len => Ok(unsafe { self.base.as_ptr().cast::<u8>().add(at) }),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{len} bytes at {at:#x} are beyond a mapping of {:#x} bytes", self.len),
            )),
        }
    }
}

/// Bytes of the next access at an address: single ones up to a word, then the largest words that are left.
fn step(addr: usize, left: usize) -> usize {
    match left {
        8.. if addr.is_multiple_of(8) => 8,
        4.. if addr.is_multiple_of(4) => 4,
        _ => 1,
    }
}

impl Mapping for Window {
    fn bytes(&self) -> usize {
        self.len
    }

    fn read(&self, at: usize, mut out: &mut [u8]) -> io::Result<()> {
        let mut from = self.place(at, out.len())?;
        while !out.is_empty() {
            let len = step(from.addr(), out.len());
            let (now, rest) = out.split_at_mut(len);
            // SAFETY: `place` has checked all of the bytes, and `step` that the address is aligned for what is read.
            unsafe {
                match len {
                    8 => now.copy_from_slice(&from.cast::<u64>().read_volatile().to_ne_bytes()),
                    4 => now.copy_from_slice(&from.cast::<u32>().read_volatile().to_ne_bytes()),
                    _ => now[0] = from.read_volatile(),
                }
                from = from.add(len);
            }
            out = rest;
        }
        Ok(())
    }

    fn write(&self, at: usize, mut data: &[u8]) -> io::Result<()> {
        let mut to = self.place(at, data.len())?;
        while !data.is_empty() {
            let len = step(to.addr(), data.len());
            let (now, rest) = data.split_at(len);
            // SAFETY: as in `read`.
            unsafe {
                match *now {
                    [a, b, c, d, e, f, g, h] => {
                        to.cast::<u64>().write_volatile(u64::from_ne_bytes([a, b, c, d, e, f, g, h]));
                    }
                    [a, b, c, d] => to.cast::<u32>().write_volatile(u32::from_ne_bytes([a, b, c, d])),
                    _ => to.write_volatile(now[0]),
                }
                to = to.add(len);
            }
            data = rest;
        }
        Ok(())
    }

    fn flush(&self) {
        fence();
    }
}

/// Empties the processor's write-combining buffers, and keeps later stores behind.
#[cfg(target_arch = "x86_64")]
fn fence() {
    // SAFETY: every x86-64 processor has SSE; the instruction only waits.
    unsafe { std::arch::x86_64::_mm_sfence() };
}

/// Waits until earlier stores have left the processor: a barrier among memory accesses is not enough where device memory is concerned.
#[cfg(target_arch = "aarch64")]
fn fence() {
    // SAFETY: an instruction without operands that only waits.
    unsafe { std::arch::asm!("dsb st", options(nostack, preserves_flags)) };
}

/// The strongest barrier that the language has.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn fence() {
    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of memory in the place of a device: what mappings do is the same.
    fn mapping(len: usize) -> Box<dyn Mapping> {
        // SAFETY: a C string, and no flags.
        let fd = unsafe { libc::memfd_create(c"mapping".as_ptr(), 0) };
        assert!(fd >= 0, "a memory file");
        // SAFETY: just made, and owned by nobody else.
        let fd: OwnedFd = unsafe { std::os::fd::FromRawFd::from_raw_fd(fd) };
        std::fs::File::from(fd.try_clone().expect("a copy")).set_len(len as u64).expect("a size");
        Node(fd).map(0, len).expect("a mapping")
    }

    #[test]
    fn bytes_come_back_from_every_alignment() {
        let mapping = mapping(4096);
        for at in 0..9 {
            for len in 0..40 {
                let data: Vec<u8> = (0..len as u8).map(|i| i ^ at as u8).collect();
                mapping.write(at, &data).expect("inside");
                let mut back = vec![0xEE; len];
                mapping.read(at, &mut back).expect("inside");
                assert_eq!(back, data, "{len} bytes at {at}");
            }
        }
        mapping.flush();
    }

    #[test]
    fn accesses_are_as_wide_as_they_may_be() {
        assert_eq!([step(0, 4), step(4, 8), step(8, 8), step(2, 100), step(0, 3)], [4, 4, 8, 1, 1]);
    }

    #[test]
    fn nothing_is_touched_beyond_the_end() {
        let mapping = mapping(4096);
        assert_eq!(mapping.bytes(), 4096);
        for (at, len) in [(4093, 4), (4096, 1), (usize::MAX, 2)] {
            let error = mapping.read(at, &mut vec![0; len]).unwrap_err();
            assert!(error.to_string().contains("beyond a mapping of 0x1000 bytes"), "{error}");
            assert!(mapping.write(at, &vec![0; len]).is_err());
        }
        mapping.read(4096, &mut []).expect("nothing");
    }

    #[test]
    fn a_missing_device_is_the_systems_error() {
        let error = Kernel.open(Path::new("/dev/tenstorrent/no such"), OpenFlags::POWER_AWARE).err();
        assert_eq!(error.and_then(|error| error.raw_os_error()), Some(libc::ENOENT));
    }
}
