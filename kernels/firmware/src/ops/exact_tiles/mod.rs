//! F16 or BF16 tiles of weights that are not rounded a second time ([`tt_kernel_abi::exact_tiles`]), for products of many rows: those read all weights for
//! each eight rows otherwise.
//!
//! ```text
//!        group           integers: SrcA          Dst: integers, then weights
//! BRISC -in L1-> TRISC0 -----------------> TRISC1 ---------------------------> TRISC2 -> tiles in L1
//!   ^              +---Dst: words, outer factors--^ matrix unit: to Dst           packs
//!  DRAM (NoC 0)                                     vector unit: times factors
//! ```
//!
//! Tiles stay in L1 for the product, which is the next step ([`tt_kernel_abi::held`]): every tile has room for all that it makes.
//!
//! The matrix unit copies a tile of integers to Dst as it lies: row k of a face has sixteen columns. So a register of the vector unit has four elements of K and eight columns, and
//! what multiplies it is one number a column: a factor spread over four rows, as products of several rows have it
//! ([`decode`](super::matmul::exact::trisc1::decode)). Four such factors are made of a k-tile's words, each for eight registers.
//!
//! Who waits for whom: BRISC knows which groups are this tile's and tells the others first. Every core walks the same groups, TRISC1 and TRISC2 in them the same pieces of two tiles. Words have two slots in Dst ([`SEM_WORDS`]); TRISC1 gives one back when it
//! has decoded the last of a group, for which it needs tiles of that group's pieces before, and TRISC0 has sent the words of a group in front of its tiles. So
//! TRISC0 waits for words of two groups ago, whose tiles it has all sent. An unpack to Dst also waits for a bank of SrcA, which comes back when the tile
//! before is copied. Pieces in Dst pass from TRISC1 to TRISC2 by [`SEM_FILLED`]; [`SEM_TAKEN`] counts those that TRISC1 has and TRISC2 has not given back: TRISC1 waits for the piece two
//! before to be packed, BRISC for the slot of six groups ago to be unpacked. Each wait is for
//! a piece of the same number or an earlier one, so none closes a circle.
//!
//! Numerics: in single precision a weight is bit for bit ggml's `to_float`, but that a zero may have the other sign and denormal results are zero; the packers
//! round it to BF16, to the nearest, ties away from zero. For F16 the vector unit rounds it to the nine bits behind the first that the matrix unit takes, in the same way, and the packers write it as it is; zeros and numbers
//! below 2^-26 are so small there that the matrix unit takes them for zero ([`exact_tiles::TO_F16`], [`tt_kernel_abi::held`]).

pub mod brisc;
pub mod ncrisc;
pub mod trisc0;
pub mod trisc1;
pub mod trisc2;

use super::matmul::exact::SEM_WORDS;
pub use super::sfpu_rows::{SEM_FILLED, SEM_TAKEN};

use crate::rt::l1::L1;
use crate::rt::launch::TileLaunch;
use crate::rt::sync::{FIRST_GROUP, GROUPS_COUNTED};
use tt_kernel_abi::exact::Kind;
use tt_kernel_abi::exact_tiles::{self, ExactTilesParams, Groups};
use tt_kernel_abi::ring::SLOT_BYTES;

/// Whether this tile has any groups; for the Tensix cores, whom BRISC tells. Without one nothing orders what they configure, so they do nothing then.
fn has_groups() -> bool {
    GROUPS_COUNTED.wait(1);
    GROUPS_COUNTED.get() > 1
}

/// The tiles of this tile's groups, these counted from 0; for cores that know that there [are some](has_groups).
fn groups(params: &ExactTilesParams) -> impl Iterator<Item = (u32, u32)> {
    (0..).zip(Groups::new(params.k_tiles, FIRST_GROUP.get(), GROUPS_COUNTED.get() - 1))
}

/// What the weights are.
fn kind(launch: &TileLaunch) -> Option<Kind> {
    launch.op.src0.element_type().and_then(|ty| ty.exact())
}

/// Group `number` in L1.
fn slot<'a>(launch: &'a TileLaunch, number: u32) -> L1<'a> {
    launch.l1(exact_tiles::slot(number), SLOT_BYTES)
}
