//! What differs between versions of the driver, as they were seen to behave in a virtual machine.

use tt_sys::kmd::ioctl::{Version, since};

/// Versions that tests run with: the oldest that the runtime takes, and one from between each two changes.
pub const VERSIONS: [Version; 5] = [
    Version::new(2, 2, 0),
    Version::new(2, 4, 1),
    Version::new(2, 6, 0),
    Version::new(2, 9, 0),
    Version::new(2, 10, 0),
];

/// What a version of the driver does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// Windows are of exactly the size that is asked for; before, sizes were rounded up. `SET_NOC_CLEANUP` is there.
    pub cleanup: bool,
    /// Resets of the board.
    pub asic_reset: bool,
    /// `SET_POWER_STATE`; files from before a reset are useless, and before `POST_RESET` a file can do little.
    pub power: bool,
    /// A reset takes mappings away; locks can be waited for.
    pub zap: bool,
    /// Pages pinned for reading are refused for want of an IOMMU, not for an unknown flag.
    pub read_only_pins: bool,
    /// Exclusive opens; the file that resets lives.
    pub exclusive: bool,
}

impl Rules {
    /// Those of a version.
    pub fn of(version: Version) -> Self {
        Self {
            cleanup: version >= since::CLEANUP,
            asic_reset: version >= since::ASIC_RESET,
            power: version >= since::POWER,
            zap: version >= since::ZAP,
            read_only_pins: version >= since::READ_ONLY_PINS,
            exclusive: version >= since::EXCLUSIVE,
        }
    }
}
