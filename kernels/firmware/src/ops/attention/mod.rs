//! Attention of single tokens to parts of a cache: scores on the matrix unit, powers on the vector unit, sums of values on the matrix unit. How
//! work is cut, and where things are, is in [`tt_kernel_abi::attention`].
//!
//! ```text
//! DRAM --queries--> NCRISC -> T0 -> Dst -> T1: times the scale, rounded -> T2 -> L1
//! DRAM --keys, mask, values--> BRISC -> L1
//! keys, queries -> T0 -> SrcA, SrcB -> T1: scores in Dst, maxima, powers, their sums -> T2 -> powers in L1
//! values, powers -> T0 -> SrcA, SrcB -> T1: sums in Dst -> T2 -> L1 -> NCRISC -> DRAM
//! ```
//!
//! Keys and values are F16 and come to SrcA as they lie ([`super::matmul::halves`]). A mask is one more tile of K: elements 0 of 32
//! more elements of each position, times one. Only tiles in which something is masked have it; BRISC says which.
//!
//! Who waits for whom: every core walks the same units, and in a unit the same heads, first all heads' scores, then all heads' sums of
//! values. BRISC waits for NCRISC to have written the unit whose room in L1 it takes, an earlier one. TRISC0 waits for BRISC's
//! tiles, for the queries (NCRISC, then TRISC2, which waits for nothing of the unit before that), and for a head's powers (TRISC2) before the sums
//! of its values, when all keys of the unit are unpacked. TRISC1 waits for TRISC0's banks and for halves of Dst, which TRISC2 gives back in
//! order. NCRISC has published a unit's queries before it waits for its sums, and does not fetch the next ones before. Queries go through all
//! of Dst: TRISC0 waits until TRISC2 has packed the unit before. So each wait is for something earlier in the one order that all have.

pub mod brisc;
pub mod ncrisc;
pub mod trisc0;
pub mod trisc1;
pub mod trisc2;

use crate::rt::l1::{L1, Word};
use crate::rt::launch::TileLaunch;
use tt_kernel_abi::attention::{AttentionParams, Unit};
use tt_kernel_abi::matmul::{GROUP_TILE_BYTES, TILE, share};
use tt_kernel_abi::sfpu::BLOCK_BYTES;

/// Rows of half of Dst: heads take turns.
const DST_HALF: u32 = tt_isa::format::DST_ROWS_32 as u32 / 2;

/// This tile's units.
fn units<'a>(launch: &TileLaunch, params: &'a AttentionParams) -> impl Iterator<Item = Unit> + use<'a> {
    let (first, count) = share(params.units, launch.index, launch.op.cores);
    (0..count).map(move |number| params.unit(number, first + number))
}

/// Places of a unit in L1.
#[derive(Clone, Copy)]
struct Places<'a> {
    launch: &'a TileLaunch<'a>,
    params: &'a AttentionParams,
    number: u32,
}

impl<'a> Places<'a> {
    fn of(launch: &'a TileLaunch, params: &'a AttentionParams, unit: &Unit) -> Self {
        Self { launch, params, number: unit.number }
    }

    /// Keys of tile `tile` of positions.
    fn keys(&self, tile: u32) -> L1<'a> {
        let bytes = TILE * self.params.key_pitch();
        self.launch.l1(self.params.keys(self.number) + tile * bytes, bytes)
    }

    /// Values of tile `tile` of positions.
    fn values(&self, tile: u32) -> L1<'a> {
        let bytes = TILE * self.params.value_bytes();
        self.launch.l1(self.params.values(self.number) + tile * bytes, bytes)
    }

    /// Whether something is masked, a word for each tile.
    fn flags(&self) -> &'a [Word] {
        self.launch.l1(self.params.flags(self.number), 4 * self.params.part_tiles).words()
    }

    /// Block `block` of the unit's queries.
    fn queries(&self, unit: &Unit, block: u32) -> L1<'a> {
        self.launch.l1(self.params.queries_at(unit) + block * BLOCK_BYTES, BLOCK_BYTES)
    }

    /// A head's powers, tile by tile, and what they weigh.
    fn powers(&self, head: u32) -> L1<'a> {
        let bytes = (self.params.part_tiles + 1) * GROUP_TILE_BYTES;
        self.launch.l1(self.params.powers(self.number, head), bytes.next_multiple_of(BLOCK_BYTES))
    }

    /// A head's sums of values.
    fn sums(&self, head: u32) -> L1<'a> {
        let bytes = self.params.value_tiles * GROUP_TILE_BYTES;
        self.launch.l1(self.params.sums(self.number, head), bytes.next_multiple_of(BLOCK_BYTES))
    }
}
