//! Sums of what a token's experts have made, each times its weight, on the vector unit ([`tt_kernel_abi::expert_sum`]).
//!
//! ```text
//! BRISC --rows, weights in L1--> TRISC0 --Dst--> TRISC1 --Dst--> TRISC2 --L1--> NCRISC
//!  DRAM (NoC 0)                   unpacks         adds up         packs        DRAM (NoC 1)
//! ```
//!
//! L1 holds two units: BRISC brings one while another one is computed. All of Dst is one unit's.
//!
//! Who waits for whom: TRISC0 waits for a unit's rows, and until TRISC2 has packed the unit before; TRISC1 for TRISC0 and TRISC2 for TRISC1 by semaphores; TRISC2 until NCRISC has written
//! the unit before the last one. BRISC waits until the unit before the last one is packed: then TRISC0 has unpacked its rows, and TRISC1 has read its weights. Each wait is for the same unit or an
//! earlier one, so none closes a circle.

pub mod brisc;
pub mod ncrisc;
pub mod trisc0;
pub mod trisc1;
pub mod trisc2;

use crate::rt::l1::L1;
use crate::rt::launch::TileLaunch;
use tt_kernel_abi::expert_sum::{self, ExpertSumParams};
use tt_kernel_abi::matmul::share;
use tt_kernel_abi::sfpu::BLOCK_BYTES;
use tt_kernel_abi::target::offset;

/// A token and some of its columns.
struct Unit {
    /// Which of the tile's units it is.
    number: u32,
    token: u32,
    /// Bytes of a row that are in front.
    skip: u32,
}

/// This tile's units; `None` if there are none.
fn units(launch: &TileLaunch, params: &ExpertSumParams) -> Option<impl Iterator<Item = Unit> + use<>> {
    let (first, count) = share(params.units, launch.index, launch.op.cores);
    let ExpertSumParams { per_row, columns, .. } = *params;
    let unit = move |number| {
        let unit = first + number;
        Unit { number, token: unit / per_row, skip: unit % per_row * columns * 4 }
    };
    (count > 0).then(|| (0..count).map(unit))
}

/// Rows of a unit: experts, and the addend.
fn rows(launch: &TileLaunch, params: &ExpertSumParams) -> u32 {
    params.experts + u32::from(launch.op.more[0].ne[0] > 0)
}

/// Where all rows of a unit are.
fn place<'a>(launch: &'a TileLaunch, params: &ExpertSumParams, number: u32) -> L1<'a> {
    launch.l1(expert_sum::rows(number), 4 * rows(launch, params) * params.columns)
}

/// DRAM address of a unit's weights.
fn weights_at(launch: &TileLaunch, unit: &Unit) -> u64 {
    launch.op.src1.addr + u64::from(unit.token) * launch.op.src1.nb[2]
}

/// Where they are in L1.
fn weights<'a>(launch: &'a TileLaunch, params: &ExpertSumParams, unit: &Unit) -> L1<'a> {
    let at = expert_sum::weights(unit.number) + offset(weights_at(launch, unit));
    launch.l1(at, 4 * params.experts)
}

/// Where the result is.
fn result<'a>(launch: &'a TileLaunch, number: u32) -> L1<'a> {
    launch.l1(expert_sum::result(number), BLOCK_BYTES)
}
