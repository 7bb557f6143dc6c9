//! Attention of single tokens: what parts of the positions have made, put together on the vector unit ([`tt_kernel_abi::attention`]).
//!
//! ```text
//! BRISC --sums, weights in L1--> TRISC0 --Dst--> TRISC1 --Dst--> TRISC2 --L1--> NCRISC
//!  DRAM (NoC 0)                   unpacks         merges          packs        DRAM (NoC 1)
//! ```
//!
//! A unit is a face of a head of the cache: 16 elements of the rows of queries that share it. All of Dst is one unit's: the rows of a part follow those of the part
//! before, sums in its first half, weights in the second. A tile has one unit where there are few, so units do not overlap.
//!
//! Who waits for whom: BRISC waits until TRISC0 has unpacked the unit before, TRISC0 until TRISC2 has packed it, TRISC1 for TRISC0 and TRISC2
//! for TRISC1 by semaphores, and TRISC2 until NCRISC has written the unit before: all of them earlier.

pub mod brisc;
pub mod ncrisc;
pub mod trisc0;
pub mod trisc1;
pub mod trisc2;

use crate::rt::l1::L1;
use crate::rt::launch::TileLaunch;
use tt_kernel_abi::attention::{MERGE_RESULT, MERGE_SUMS, MERGE_WEIGHTS, MergeParams};
use tt_kernel_abi::matmul::share;
use tt_kernel_abi::sfpu::{BLOCK, BLOCK_BYTES};

/// This tile's units: the tile's number and that of all.
fn units(launch: &TileLaunch, params: &MergeParams) -> impl Iterator<Item = (u32, u32)> + use<> {
    let (first, count) = share(params.units, launch.index, launch.op.cores);
    (0..count).map(move |number| (number, first + number))
}

/// Bytes of the sums of a unit, and of its weights.
fn bytes(params: &MergeParams) -> u32 {
    params.parts * params.partial().bytes
}

/// Where sums are, and weights, in whole blocks.
fn places<'a>(launch: &'a TileLaunch, params: &MergeParams) -> [L1<'a>; 2] {
    let bytes = bytes(params).next_multiple_of(BLOCK_BYTES);
    [MERGE_SUMS, MERGE_WEIGHTS].map(|at| launch.l1(at, bytes))
}

/// Blocks of sums, and of weights: numbers and elements.
fn blocks(params: &MergeParams) -> impl Iterator<Item = (u32, u32)> + use<> {
    let all = bytes(params) / 4;
    (0..all.div_ceil(BLOCK)).map(move |number| (number, BLOCK.min(all - number * BLOCK)))
}

/// Where a result is.
fn result<'a>(launch: &'a TileLaunch) -> L1<'a> {
    launch.l1(MERGE_RESULT, BLOCK_BYTES)
}
