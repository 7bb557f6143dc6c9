//! The chips that there are kernels for. Used by the build script too.

use tt_isa::chip::{Chip, WORMHOLE};

/// Each of them is a cargo feature of the firmware, and has a folder of images by its name.
pub const WITH_KERNELS: &[&Chip] = &[&WORMHOLE];
