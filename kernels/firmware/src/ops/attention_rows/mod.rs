//! Attention of many tokens: scores on the matrix unit, powers on the vector unit, sums of values on the matrix unit, block of positions by block. How work is cut,
//! and where things are, is in [`tt_kernel_abi::attention_rows`].
//!
//! ```text
//! DRAM --queries--> NCRISC -> T0 -> Dst -> T1: times the scale, rounded -> T2 -> L1
//! DRAM --keys, values, mask--> BRISC -> L1, a slot for each tile of positions in which something is not masked
//! keys, queries -> T0 -> SrcA, SrcB -> T1: scores in Dst, largest ones, powers, their sums -> T2 -> powers in L1
//! values, powers -> T0 -> SrcA, SrcB -> T1: added to sums in Dst; at the end -> T2 -> L1 -> NCRISC -> DRAM
//! ```
//!
//! Keys and values are F16 and come to SrcA as they lie ([`super::matmul::halves`]). A tile of the mask goes there, too, as it lies, and is multiplied with one:
//! the product is added to the scores.
//!
//! Who waits for whom: every core walks the same units and in each the same heads. A walk goes along the unit's entries, block by block, to the end. BRISC waits for free slots
//! alone, which TRISC0 gives back when it has unpacked their values for the last time; before it waits it has published all that it has asked for. So entries come in
//! order, and a block, or the unit's whole list where several heads walk along it, has room. TRISC0 gives the end of a list back when TRISC2 has packed the walk's result: TRISC1 and TRISC2
//! have seen it then. (They have seen a block's entries before there are powers, without which no values are unpacked.)
//!
//! In a walk: queries come by way of Dst, so TRISC0 waits until TRISC2 has packed the walk before; what TRISC2 makes of them has the place of the walk before, whose last unpack TRISC0 has waited for. NCRISC has brought the queries of a walk before it waits for the result of the one before it. Then, in each block: TRISC0
//! unpacks keys and queries as TRISC1 takes them, and waits for TRISC2's powers before the values. TRISC1 multiplies, makes powers and posts them to TRISC2, and multiplies with
//! values when TRISC0 has unpacked them; it makes the next scores when TRISC2 has taken the powers, as it has: the values' factors were powers. TRISC2 packs powers into a place that TRISC0 has unpacked for the block
//! before, since TRISC1 has used those. At the end TRISC2 waits for NCRISC to have written the result before. So each wait is for something earlier in the one order that all have.

pub mod brisc;
pub mod ncrisc;
pub mod trisc0;
pub mod trisc1;
pub mod trisc2;

use crate::rt::l1::{L1, Word};
use crate::rt::launch::TileLaunch;
use crate::rt::sync::WEIGHTS_READY;
use tt_kernel_abi::attention_rows::{
    AttentionRowsParams, BLOCK_TILES, ENTRIES, Kind, MASK_BYTES, MAX_SLOTS, OUT, POWERS, QUERIES, Unit,
};
use tt_kernel_abi::matmul::TILE;
use tt_kernel_abi::sfpu::BLOCK_BYTES;

/// This tile's units, each with all its heads.
fn units<'a>(launch: &TileLaunch, params: &'a AttentionRowsParams) -> impl Iterator<Item = Unit> + use<'a> {
    let (index, cores) = (launch.index, launch.op.cores);
    (0..).map_while(move |number| params.unit(number, index, cores))
}

/// A block of positions: entries that follow one another.
#[derive(Clone, Copy)]
struct Block {
    /// The first entry.
    first: u32,
    /// How many. None: `first` is the end.
    count: u32,
    /// Those with a mask, as bits.
    masked: u32,
}

impl Block {
    /// Numbers of its tiles.
    fn tiles(&self) -> core::ops::Range<u32> {
        0..self.count
    }

    /// Whether tile `tile` has a mask.
    fn is_masked(&self, tile: u32) -> bool {
        self.masked >> tile & 1 != 0
    }
}

/// Places in L1.
#[derive(Clone, Copy)]
struct Places<'a> {
    launch: &'a TileLaunch<'a>,
    params: &'a AttentionRowsParams,
}

impl<'a> Places<'a> {
    /// The word of an entry.
    fn entry(&self, number: u32) -> &'a Word {
        &self.launch.l1(ENTRIES, 4 * MAX_SLOTS).words()[(number % self.params.slots) as usize]
    }

    /// The block that begins with entry `first`, when its entries are there.
    #[inline(never)]
    fn block(&self, first: u32) -> Block {
        let mut block = Block { first, count: 0, masked: 0 };
        while block.count < BLOCK_TILES {
            let entry = first + block.count;
            WEIGHTS_READY.wait(entry + 1);
            let kind = self.entry(entry).load();
            if kind == Kind::End as u32 {
                break;
            }
            block.masked |= u32::from(kind == Kind::Masked as u32) << block.count;
            block.count += 1;
        }
        block
    }

    /// Keys of an entry.
    fn keys(&self, entry: u32) -> L1<'a> {
        self.launch.l1(self.params.keys(entry), TILE * self.params.key_bytes())
    }

    /// Values of an entry.
    fn values(&self, entry: u32) -> L1<'a> {
        self.launch.l1(self.params.values(entry), TILE * self.params.value_bytes())
    }

    /// The tile of the mask of an entry.
    fn mask(&self, entry: u32) -> L1<'a> {
        self.launch.l1(self.params.mask(entry), MASK_BYTES)
    }

    /// Tile `tile` of the present walk's queries, as SrcB wants them.
    fn queries(&self, tile: u32) -> L1<'a> {
        self.launch.l1(QUERIES + tile * BLOCK_BYTES, BLOCK_BYTES)
    }

    /// Where the queries of walk `walk` come in.
    fn queries_in(&self, walk: u32) -> L1<'a> {
        self.launch.l1(self.params.queries_in(walk), self.params.query_bytes())
    }

    /// Powers of tile `tile` of a block.
    fn powers(&self, tile: u32) -> L1<'a> {
        self.launch.l1(POWERS + tile * BLOCK_BYTES, BLOCK_BYTES)
    }

    /// Those of all.
    fn all_powers(&self) -> L1<'a> {
        self.launch.l1(POWERS, BLOCK_TILES * BLOCK_BYTES)
    }

    /// Sums of values, tile by tile.
    fn all_sums(&self) -> L1<'a> {
        self.launch.l1(OUT, self.params.value_tiles * BLOCK_BYTES)
    }
}
