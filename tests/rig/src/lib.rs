//! The vendor's kernel driver itself, over a simulated card, in a virtual machine.
//!
//! ```text
//! guest: program -> /dev/tenstorrent/0 -> tenstorrent.ko -> PCI device (QEMU's x-pci-proxy-dev)
//! host:  QEMU -> socket -> device (this) -> tt_simulator::Chip; the chip reaches the guest's memory by a shared file
//! ```
//! Nothing here builds or contains the driver: `TT_KMD_KO` names modules, `TT_KMD_KERNEL` the kernel that they were built for.
//! Debian's QEMU and busybox are used as they are. The guest's CPU is emulated; an access to the card takes 15 to 35 us.
//!
//! | module | what |
//! |---|---|
//! | [`guest`] | a run of a virtual machine: files in, lines out |
//! | [`archive`] | its first file system |
//! | [`device`] | the other end of QEMU's proxy: requests to the chip |
//! | [`config`] | the device's PCI configuration space |
//! | [`memory`] | the guest's memory as the chip reaches it |
//! | [`work`] | what the guest computes, for the host to compare |

pub mod archive;
pub mod config;
pub mod device;
pub mod guest;
pub mod memory;
pub mod work;
