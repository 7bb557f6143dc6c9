//! Element by element on the vector unit: the same operators as [`super::elementwise`], FP32, without gaps in a row.
//!
//! ```text
//! BRISC --ring in L1--> TRISC0 --Dst--> TRISC1 --Dst--> TRISC2 --ring in L1--> NCRISC
//!   ^  <--blocks free--   |  unpacks       |  computes     |  packs   --results free--  |
//!  DRAM (NoC 0)           +----- slots of Dst come back ---+                     DRAM (NoC 1)
//! ```
//!
//! A tile takes a contiguous range of pieces, each at most a block of 1024 elements. Unpacker 0 writes a block to Dst as
//! it lies in L1, 32 bits a datum: the order of elements in Dst means nothing to a function of single elements, and
//! packers write them back in the same order. A piece that is shorter leaves the rest of its slot of Dst as it was;
//! what is computed there goes to L1 and no further.
//!
//! Parameters of optimisers are in DRAM: BRISC asks for them before the first blocks, and TRISC1 reads them when the first block is there.
//!
//! Who waits for whom: every core walks the same blocks. Slots of Dst pass from TRISC0 to TRISC1 by [`SEM_FILLED`] and on to
//! TRISC2 by [`SEM_COMPUTED`]; [`SEM_TAKEN`] counts those that TRISC0 has and TRISC2 has not given back.
//! Each wait is for a block of the same number or an earlier one, so none closes a circle.
//!
//! Of a gated unit whose dst is what products in blocks multiply with, BF16 in SrcB's order, blocks are half a tile of rows and two of K ([`ordered`]).
//!
//! A block of operands is read before the same block of the result is written, and no two tiles have the same one,
//! so dst may be one of the sources.

pub mod brisc;
pub mod ncrisc;
mod ordered;
pub mod trisc0;
pub mod trisc1;
pub mod trisc2;

use crate::rt::l1::L1;
use crate::rt::launch::{Launch, TileLaunch};
use tt_kernel_abi::elementwise::{ElementwiseParams, Piece, Pieces};
use tt_kernel_abi::matmul::share;
use tt_kernel_abi::sfpu::{self, BLOCK_BYTES, DST_SLOT_ROWS, DST_SLOTS};
use tt_kernel_abi::{ElementType, OpDescriptor};

/// Tensix semaphore: slots of Dst between TRISC0's unpack and TRISC2's pack.
pub const SEM_TAKEN: u32 = 2;
/// Tensix semaphore: slots of Dst that hold operands.
pub const SEM_FILLED: u32 = 3;
/// Tensix semaphore: slots of Dst that hold results.
pub const SEM_COMPUTED: u32 = 4;

/// This tile's blocks.
pub struct Blocks<'a> {
    op: &'a OpDescriptor,
    pieces: Pieces,
    first: u32,
    /// How many.
    pub count: u32,
}

impl<'a> Blocks<'a> {
    /// Those of the tile that runs `launch`.
    pub fn new(launch: &Launch<'a>, params: &ElementwiseParams) -> Self {
        let pieces = params.pieces;
        let (first, count) = share(pieces.count, launch.index, launch.op.cores);
        Self { op: launch.op, pieces, first, count }
    }

    /// Where block `number` of the tile is.
    pub fn piece(&self, number: u32) -> Piece {
        self.pieces.locate(&self.op.dst, self.first + number)
    }

    /// Whether the result is in the order of activations ([`ordered`]): no other operator has tiles here.
    pub fn is_ordered(&self) -> bool {
        self.op.dst.element_type() == Some(ElementType::TilesBf16)
    }

    /// Whether the operator has a second operand.
    pub fn is_binary(&self) -> bool {
        self.op.src1.ne[0] != 0
    }
}

/// Where block `number` of an operand (0 or 1) is in L1, whose address in DRAM is `addr`.
fn operand<'a>(launch: &'a TileLaunch, operand: u32, number: u32, addr: u64) -> L1<'a> {
    launch.l1(sfpu::operand_slot(operand, number, addr), BLOCK_BYTES)
}

/// Where block `number` of the result is in L1.
fn result<'a>(launch: &'a TileLaunch, number: u32) -> L1<'a> {
    launch.l1(sfpu::result_slot(number), BLOCK_BYTES)
}

/// Where `count` parameters are in L1, whose address in DRAM is `addr`.
fn parameters<'a>(launch: &'a TileLaunch, addr: u64, count: u32) -> L1<'a> {
    launch.l1(sfpu::parameters_slot(addr), 4 * count)
}

/// First row of the slot of Dst of block `number`.
pub fn dst_slot(number: u32) -> u32 {
    number % DST_SLOTS * DST_SLOT_ROWS
}
