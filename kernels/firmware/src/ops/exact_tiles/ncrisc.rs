//! NCRISC has no part: tiles stay where they are.

use crate::rt::launch::TileLaunch;
use tt_kernel_abi::exact_tiles::ExactTilesParams;

/// Runs NCRISC's part.
pub fn run(_: &TileLaunch, _: &ExactTilesParams) {}
