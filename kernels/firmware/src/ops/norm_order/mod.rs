//! `RMS_NORM` of rows, times weights, in the order of products in blocks ([`tt_kernel_abi::norm_order`]): what [`super::order`] makes of the rows that [`super::sfpu_rows`] gives,
//! without these rows.
//!
//! ```text
//! BRISC --rows in L1--> TRISC0 --half of Dst--> TRISC1 --half of Dst--> TRISC2 --strips in L1--> NCRISC
//!   ^  <--rows free--     |  unpacks              |  computes             |  packs  <--strips free--  |
//!  DRAM (NoC 0)           +------------- the half comes back -------------+                    DRAM (NoC 1)
//! NCRISC of worker 0 --weights to all tiles' L1 ([`crate::rt::spread`])--> NCRISC --> TRISC0
//! ```
//!
//! A unit of work is a group of eight rows. Unpacker 0 brings them to Dst row by row; the vector unit adds up squares and leaves a row's factor, in all elements of a register, at the end
//! of Dst, which no half reaches. Then the same rows come in strips of K: eight pieces of rows, and a piece of the weights. The vector unit multiplies four rows at a time, whose
//! factors are in registers. Packer p packs each fourth tile of K, 512 bytes.
//!
//! Rows behind the last one are zeros of a strip's length, with factors that are zero.
//!
//! Who waits for whom: TRISC0 to TRISC2 count the same halves: of each unit those with segments of its rows, then those with its strips. NCRISC counts strips. Halves of Dst pass from TRISC0 to TRISC1 by [`SEM_FILLED`] and
//! on to TRISC2 by [`SEM_COMPUTED`]; [`SEM_TAKEN`] counts those that TRISC0 has and TRISC2 has not given back. TRISC0 waits for BRISC's rows of its half, and before the first strip for
//! NCRISC's weights, which wait for worker 0 alone: that waits for nobody ([`crate::rt::spread`]). BRISC asks for a unit's rows when TRISC0 has unpacked the unit two before for the last time, and
//! says that rows of the unit in between are there only then: TRISC0 does not need them earlier. All other waits are for a half or a strip of the same number or an earlier one, so none closes a
//! circle. Factors are written and read by the vector unit alone, in its order.

pub mod brisc;
pub mod ncrisc;
pub mod trisc0;
pub mod trisc1;
pub mod trisc2;

pub use super::sfpu_rows::{SEM_COMPUTED, SEM_FILLED, SEM_TAKEN, half};

use crate::rt::l1::L1;
use crate::rt::launch::TileLaunch;
use tt_kernel_abi::matmul::{ROW_GROUP, share};
use tt_kernel_abi::norm_order::{self, NormOrderParams, OUT_SLOT, ZERO_BYTES};

/// This tile's groups of rows: the first one, and how many.
fn groups(launch: &TileLaunch, params: &NormOrderParams) -> (u32, u32) {
    share(params.groups(), launch.index, launch.op.cores)
}

/// Where a row of a group is in DRAM.
fn address(launch: &TileLaunch, group: u32, row: u32) -> u64 {
    let src = &launch.op.src0;
    src.addr + u64::from(group * ROW_GROUP + row) * src.nb[1]
}

/// Row `row` of unit `unit` in L1.
#[inline(never)]
fn row_of<'a>(launch: &'a TileLaunch, params: &NormOrderParams, [unit, row]: [u32; 2]) -> L1<'a> {
    launch.l1(params.row(unit, row, launch.op.src0.addr), 4 * params.k)
}

/// The weights in L1.
fn weights<'a>(launch: &'a TileLaunch, params: &NormOrderParams) -> L1<'a> {
    launch.l1(norm_order::weights(launch.op.src1.addr), 4 * params.k)
}

/// A strip of a row that does not exist, in L1.
fn zeros<'a>(launch: &'a TileLaunch) -> L1<'a> {
    launch.l1(norm_order::zeros(), ZERO_BYTES)
}

/// Strip `number` of the result in L1.
fn result<'a>(launch: &'a TileLaunch, number: u32) -> L1<'a> {
    launch.l1(norm_order::result(number), OUT_SLOT)
}
