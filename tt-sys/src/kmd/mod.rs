//! The vendor's kernel driver (tt-kmd): `/dev/tenstorrent/N`.
//!
//! ```text
//! Driver::open -> File::ioctl     one ioctl at a time, its argument as bytes ([`ioctl`] has the structs)
//!                 File::map       a window, a BAR or a DMA buffer, by the driver's offsets -> Mapping::read, write
//! ```
//! The three traits are the seam: [`Kernel`] is the system itself; a stand-in with the driver's rules over a simulated chip is package
//! `tt-kmd-mock`. What lies above, the transport of the runtime, cannot tell them apart.
//!
//! The interface is that of the driver's `ioctl.h` (read in 2.10), with the error codes that the real driver gave in a virtual machine.

use std::io;
use std::path::Path;

use bitflags::bitflags;

pub mod ioctl;
mod kernel;

pub use kernel::Kernel;

/// Error numbers that the driver gives.
pub mod errno {
    pub use libc::{
        EACCES, EAGAIN, EBUSY, EEXIST, EFAULT, EINVAL, EIO, ENODEV, ENOENT, ENOMEM, ENOSPC, EOPNOTSUPP, EPERM,
    };
}

bitflags! {
    /// How a device is opened; reading and writing, closed on exec, always.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct OpenFlags: u32 {
        /// The program asks for power itself; without it the driver takes most of the chip's units for needed (since 2.6).
        const POWER_AWARE = 1 << 0;
        /// An open that would have to wait fails with `EAGAIN` (since 2.10).
        const NO_WAIT = 1 << 1;
        /// Nobody else may have the device open (since 2.10).
        const EXCLUSIVE = 1 << 2;
    }
}

/// Opens devices.
pub trait Driver: Send + Sync {
    /// Opens a device node.
    ///
    /// # Errors
    /// That of the system.
    fn open(&self, node: &Path, flags: OpenFlags) -> io::Result<Box<dyn File>>;
}

/// An open device. What it holds (windows, buffers, locks) is given back when it and all of its mappings are dropped.
pub trait File: Send {
    /// An ioctl. `argument` holds the whole of its struct, in and out.
    ///
    /// # Errors
    /// That of the driver.
    fn ioctl(&self, number: u32, argument: &mut [u8]) -> io::Result<()>;

    /// Maps `len` bytes at one of the driver's offsets, shared, to be read and written.
    ///
    /// # Errors
    /// That of the driver.
    fn map(&self, offset: u64, len: usize) -> io::Result<Box<dyn Mapping>>;
}

/// A piece of a device's memory in this process. Dropping it unmaps it.
///
/// Aligned words of four bytes are read and written in one access each; more than that in words of eight where both ends allow it, or
/// in wider loads. `ENODEV` is an access to a mapping that the driver has taken away, since somebody has reset the card.
pub trait Mapping: Send {
    /// Bytes.
    fn bytes(&self) -> usize;

    /// Reads `out.len()` bytes at an offset.
    ///
    /// # Errors
    /// Beyond the end; a simulated chip has a fault.
    fn read(&self, at: usize, out: &mut [u8]) -> io::Result<()>;

    /// Writes at an offset.
    ///
    /// # Errors
    /// Beyond the end; a simulated chip has a fault.
    fn write(&self, at: usize, data: &[u8]) -> io::Result<()>;

    /// Returns when what was written before is on its way: a write-combining mapping keeps it in the processor's buffers.
    fn flush(&self);
}
