//! What is wrong with a card, and what its owner can do.

use std::fmt;

use tt_sys::kmd::ioctl::{Version, since};

use crate::chip::ChipError;

/// Why a card cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CardError {
    /// A chip that the runtime does not drive.
    #[error(transparent)]
    Chip(#[from] ChipError),
    /// On the bus, and bound to no driver.
    #[error(
        "{name} at {address} has no driver: install the vendor's kernel driver (package tenstorrent-dkms), or load it (`modprobe tenstorrent`); \
         `dmesg` says whether it was loaded and failed"
    )]
    NoDriver {
        /// What it is.
        name: String,
        /// PCI address.
        address: String,
    },
    /// Not for this user.
    #[error(
        "{node}: no permission to open it. The driver's package has a udev rule that gives it to every user; otherwise `chmod 666 {node}` as root"
    )]
    Permission {
        /// Device node.
        node: String,
    },
    /// Open by a process that wants it for itself.
    #[error("{node}: {users} has opened it for itself alone")]
    Exclusive {
        /// Device node.
        node: String,
        /// Who.
        users: Users,
    },
    /// A card has one user.
    #[error("{node}: {users} uses it, and a card has one user at a time")]
    InUse {
        /// Device node.
        node: String,
        /// Who.
        users: Users,
    },
    /// An old driver.
    #[error(
        "{node}: version {version} of the kernel driver is too old: {} or newer is needed (package tenstorrent-dkms)",
        since::CLEANUP
    )]
    TooOld {
        /// Device node.
        node: String,
        /// The driver's version.
        version: Version,
    },
    /// All host windows are taken.
    #[error("{node}: no host window of the card is free: {users} has taken them all")]
    NoWindows {
        /// Device node.
        node: String,
        /// Who has the device open.
        users: Users,
    },
    /// A call to the driver.
    #[error("{node}: {call}: {error}")]
    Call {
        /// Device node.
        node: String,
        /// The driver's name for it.
        call: &'static str,
        /// What the system says.
        error: String,
    },
    /// Firmware that does not say which parts of the chip work.
    #[error(
        "{node}: the card's firmware{} has no telemetry as the runtime reads it, so which tiles work is not known: update it (`tt-flash`) to 18.4 or newer",
        version.as_ref().map_or_else(String::new, |version| format!(" ({version})"))
    )]
    Firmware {
        /// Device node.
        node: String,
        /// Version of its bundle, if it tells it.
        version: Option<String>,
    },
    /// An access to what is mapped.
    #[error("{node}: access to the card: {error}")]
    Access {
        /// Device node.
        node: String,
        /// What the system says.
        error: String,
    },
    /// Nothing is behind the BARs.
    #[error(
        "{node}: the card does not answer any more, everything reads as ones: it was removed, has lost its link, or is being reset. `dmesg` may say more; \
             if it does not come back, switch the machine off and on"
    )]
    Gone {
        /// Device node.
        node: String,
    },
    /// Reset under our feet.
    #[error("{node}: another program has reset the card, and what was on it is lost. It can be opened again")]
    Reset {
        /// Device node.
        node: String,
    },
    /// A reset that is not possible.
    #[error(
        "{node}: the chip has to be reset, which this version of the driver cannot do ({version}; {} can): `tt-smi -r`, or switch the machine off and on",
        since::ASIC_RESET
    )]
    NoReset {
        /// Device node.
        node: String,
        /// The driver's version.
        version: Version,
    },
    /// A reset that had no success.
    #[error("{node}: the chip did not come back from a reset: switch the machine off and on")]
    ResetFailed {
        /// Device node.
        node: String,
    },
    /// The driver's mock could not be made.
    #[error("{0}")]
    Mock(String),
}

/// Processes that have a device open, this one not counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Users(pub Vec<(u32, String)>);

impl fmt::Display for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (id, name)) in self.0.iter().enumerate() {
            let start = if n == 0 { "process" } else { ", process" };
            write!(f, "{start} {id} ({name})")?;
        }
        if self.0.is_empty() {
            f.write_str("another process, or another device of this one,")
        } else {
            Ok(())
        }
    }
}
