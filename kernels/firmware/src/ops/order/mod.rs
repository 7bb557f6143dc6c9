//! Rows of activations to the order of products in blocks ([`tt_kernel_abi::matmul_block`]), in BF16, by the Tensix units.
//!
//! ```text
//! BRISC --rows in L1--> TRISC0 --half of Dst--> TRISC1 --half of Dst--> TRISC2 --tiles in L1--> NCRISC
//!   ^  <--rows free--     |  unpacks              | rounds                |  packs   <--tiles free--  |
//!  DRAM (NoC 0)           +-------------- half comes back ----------------+                    DRAM (NoC 1)
//! ```
//!
//! Unpacker 0 brings a piece to Dst as it lies in L1: a row of 128 elements fills eight rows of Dst. Packer p takes group p of eight rows: for each tile of K the
//! first 16 elements of these rows, then the other 16, rounded to BF16. For block float weights the vector unit sees to it that this rounds to seven significant bits
//! ([`order::SEVEN_BITS`]).
//!
//! Who waits for whom: every core walks the same pieces. Halves of Dst pass from TRISC0 to TRISC1 by [`SEM_FILLED`] and on to TRISC2 by [`SEM_COMPUTED`]; [`SEM_TAKEN`] counts those that
//! TRISC0 has and TRISC2 has not given back. Each wait is for a piece of the same number or an earlier one, so none closes a circle.

pub mod brisc;
pub mod ncrisc;
pub mod trisc0;
pub mod trisc1;
pub mod trisc2;

pub use super::sfpu_rows::{SEM_COMPUTED, SEM_FILLED, SEM_TAKEN};

use crate::rt::l1::L1;
use crate::rt::launch::TileLaunch;
use tt_kernel_abi::matmul::{TILE, share};
use tt_kernel_abi::order::{self, HALF_ROWS, OUT_SLOT, OrderParams, Piece};

/// This tile's pieces, counted from 0.
fn pieces(launch: &TileLaunch, params: &OrderParams) -> impl Iterator<Item = (u32, Piece)> {
    let (first, count) = share(params.pieces(), launch.index, launch.op.cores);
    let params = *params;
    (0..count).map(move |number| (number, params.piece(first + number)))
}

/// First row of the half of Dst of piece `number`.
fn half(number: u32) -> u32 {
    number % 2 * HALF_ROWS
}

/// Where a piece's rows begin in DRAM.
fn address(launch: &TileLaunch, piece: &Piece) -> u64 {
    let src = &launch.op.src0;
    src.addr + u64::from(piece.row_tile * TILE) * src.nb[1] + u64::from(piece.first * TILE * 4)
}

/// The rows of piece `number` in L1.
fn rows<'a>(launch: &'a TileLaunch, number: u32, piece: &Piece) -> L1<'a> {
    let (at, bytes) = order::rows(number, address(launch, piece));
    launch.l1(at, bytes)
}

/// The tiles of piece `number` in L1.
fn tiles<'a>(launch: &'a TileLaunch, number: u32) -> L1<'a> {
    launch.l1(order::tiles(number), OUT_SLOT)
}
