//! TRISC1 has no part: nothing is computed.

use crate::rt::launch::TileLaunch;
use tt_kernel_abi::order::OrderParams;

/// Runs TRISC1's part.
pub fn run(_: &TileLaunch, _: &OrderParams) {}
