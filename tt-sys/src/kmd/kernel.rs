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

use super::{Driver, File, Mapping, OpenFlags, errno};

mod lost;

use lost::Registered;

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
            Some(base) if base.as_ptr() != libc::MAP_FAILED => {
                let registered = Some(Registered::new(base.as_ptr().addr(), len));
                Ok(Box::new(Window { base, len, registered }))
            }
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// A mapping.
struct Window {
    base: NonNull<c_void>,
    len: usize,
    /// Given back before it is unmapped.
    registered: Option<Registered>,
}

// SAFETY: the mapping is not tied to the thread that made it, and only this value unmaps it.
unsafe impl Send for Window {}

impl Drop for Window {
    fn drop(&mut self) {
        self.registered = None;
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

    /// What an access has come to: nothing of it counts if the driver has taken the mapping away.
    fn done(&self) -> io::Result<()> {
        match self.registered.as_ref().is_some_and(Registered::is_lost) {
            true => Err(io::Error::from_raw_os_error(errno::ENODEV)),
            false => Ok(()),
        }
    }
}

/// Bytes of the next access at an address: single ones up to a word, then the largest words that are left, of which the largest are of
/// `widest` bytes.
fn step(addr: usize, left: usize, widest: usize) -> usize {
    match left {
        16.. if widest == WIDE && addr.is_multiple_of(WIDE) => WIDE,
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
        let widest = widest_load();
        if widest == WIDE && out.len() >= WIDE {
            forget_loads();
        }
        while !out.is_empty() {
            let len = step(from.addr(), out.len(), widest);
            let (now, rest) = out.split_at_mut(len);
            // SAFETY: `place` has checked all of the bytes, and `step` that the address is aligned for what is read.
            unsafe {
                match len {
                    WIDE => now.copy_from_slice(&load_wide(from)),
                    8 => now.copy_from_slice(&from.cast::<u64>().read_volatile().to_ne_bytes()),
                    4 => now.copy_from_slice(&from.cast::<u32>().read_volatile().to_ne_bytes()),
                    _ => now[0] = from.read_volatile(),
                }
                from = from.add(len);
            }
            out = rest;
        }
        self.done()
    }

    fn write(&self, at: usize, mut data: &[u8]) -> io::Result<()> {
        let mut to = self.place(at, data.len())?;
        while !data.is_empty() {
            let len = step(to.addr(), data.len(), size_of::<u64>());
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
        self.done()
    }

    fn flush(&self) {
        fence();
    }
}

/// Bytes of a vector register: through a write-combining mapping the processor fetches a whole line for the first load from it, and has
/// the others in a buffer; otherwise it is one access instead of two.
const WIDE: usize = 16;

/// Bytes of the widest load that this processor has for device memory.
#[cfg(target_arch = "x86_64")]
fn widest_load() -> usize {
    if std::arch::is_x86_feature_detected!("sse4.1") { WIDE } else { size_of::<u64>() }
}

/// Bytes of the widest load that this processor has for device memory.
#[cfg(not(target_arch = "x86_64"))]
fn widest_load() -> usize {
    size_of::<u64>()
}

/// Loads [`WIDE`] bytes.
///
/// # Safety
/// The processor has SSE4.1; the bytes are inside of a mapping, at a multiple of their number.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse4.1")]
unsafe fn load_wide(from: *const u8) -> [u8; WIDE] {
    use std::arch::x86_64::{__m128i, _mm_storeu_si128, _mm_stream_load_si128};
    let mut out = [0; WIDE];
    // SAFETY: as the caller promises; the store is to an array of this size.
    unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), _mm_stream_load_si128(from.cast::<__m128i>())) };
    out
}

/// Never called: [`widest_load`] is less.
#[cfg(not(target_arch = "x86_64"))]
unsafe fn load_wide(_from: *const u8) -> [u8; WIDE] {
    unreachable!("no wide loads on this processor")
}

/// Streaming loads may be served from a line that an earlier one has left in a buffer of the processor's, and the chip may have written there
/// since: after this they fetch it anew (Intel's manual, `MOVNTDQA`).
#[cfg(target_arch = "x86_64")]
fn forget_loads() {
    // SAFETY: every x86-64 processor has SSE2; the instruction only waits.
    unsafe { std::arch::x86_64::_mm_mfence() };
}

/// Never called: [`widest_load`] is less.
#[cfg(not(target_arch = "x86_64"))]
fn forget_loads() {}

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
        file_and_mapping(len).1
    }

    fn file_and_mapping(len: usize) -> (std::fs::File, Box<dyn Mapping>) {
        // SAFETY: a C string, and no flags.
        let fd = unsafe { libc::memfd_create(c"mapping".as_ptr(), 0) };
        assert!(fd >= 0, "a memory file");
        // SAFETY: just made, and owned by nobody else.
        let fd: OwnedFd = unsafe { std::os::fd::FromRawFd::from_raw_fd(fd) };
        let file = std::fs::File::from(fd.try_clone().expect("a copy"));
        file.set_len(len as u64).expect("a size");
        (file, Node(fd).map(0, len).expect("a mapping"))
    }

    /// What is behind a mapping goes away, as with a reset: an access is an error, and the process lives.
    #[test]
    fn a_mapping_that_is_taken_away_is_an_error() {
        let (file, mapping) = file_and_mapping(2 * 4096);
        let (_other, lives) = file_and_mapping(4096);
        mapping.write(4096, &[5; 4]).expect("inside");
        file.set_len(0).expect("a size");
        let mut out = [0; 4];
        for done in [mapping.read(4096, &mut out), mapping.write(0, &[1; 4]), mapping.read(0, &mut [0; 4])] {
            assert_eq!(done.err().and_then(|error| error.raw_os_error()), Some(libc::ENODEV));
        }
        assert_eq!(out, [0xFF; 4]);
        lives.write(0, &[7; 4]).expect("another mapping is not concerned");
        lives.read(0, &mut out).expect("inside");
        assert_eq!(out, [7; 4]);
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
        let word = |addr, left| step(addr, left, 8);
        assert_eq!([word(0, 4), word(4, 8), word(8, 8), word(2, 100), word(0, 3)], [4, 4, 8, 1, 1]);
        assert_eq!([(16, 40), (8, 40), (16, 15)].map(|(addr, left)| step(addr, left, WIDE)), [16, 8, 8]);
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
