//! `MUL_MAT` of many rows with weights, `dst[i1][n] = sum_k src0[n][k] * src1[i1][k]`, in blocks of the result. How it is cut is in
//! [`tt_kernel_abi::matmul_block`].
//!
//! ```text
//! DRAM, or L1 --NoC 0--> BRISC --a row of the grid-->  WEIGHTS -> TRISC0 --SrcA, SrcB--> TRISC1 --Dst--> TRISC2 -> OUT --NCRISC, NoC 1--> DRAM
//!        DRAM --NoC 1--> NCRISC --a column of it-->    ACTS ----^
//! ```
//!
//! Weights that the step before, or of a gated unit the two steps before, left in L1 ([`tt_kernel_abi::held`]) lie on the tiles of the row of the grid, from where BRISC reads them; where each tile has columns of its own, TRISC0 has
//! them unpacked from where they are, and BRISC has nothing to do. They have been there since before the launch, and nobody writes to them.
//!
//! With one tile of rows weights come through the ring that outlives steps ([`crate::ops::ahead`]), a column's part of a block of K in a slot: BRISC reads them whenever it has nothing else to do, also before the launch. TRISC0 waits for the slots of
//! all columns of a block of K, which are fewer than the ring has, and frees them together.
//!
//! Of two products that become a gated unit, a block has weights of both, and Dst tiles of both, side by side in a tile of rows. When all of K is multiplied, the vector unit makes the results of
//! them, and the packers pack these as BF16, tile by tile: rows of Dst are in SrcB's order ([`gated`]). The matrix unit goes on in the other half of Dst.
//!
//! A sum's other operand (more\[1\], a bias or a residual) is in a block's slot of results before these come: NCRISC reads its rows there, and the packers add to them.
//!
//! For each tile of K and tile of rows, SrcB has the rows while SrcA gets the tiles of weights of all columns one after the other: what an unpacker brings is used as
//! often as there are columns, or as rows. All of Dst is one block's results.
//!
//! Activations of a group of rows stay in L1 for all blocks of the result that have these rows, if all of K has room ([`Plan::stays`]): TRISC0 frees them in the last one.
//! Their ring has a slot for each block of K then, so none of these waits for a later block of the result. A step right behind another one that has the same activations finds them where that one has left them, if all rows of a tile are
//! there at once: the runtime says so ([`BlockParams::kept`]), since nobody uses L1 between steps of a stream that follow one another, and all tiles have completed one before any begins the next.
//!
//! Who waits for whom, and why nothing waits in a circle: all cores of a tile walk the same blocks of the result, and in each the same blocks of K. Tiles that get
//! weights from one reader have the same blocks with columns in the same order, tiles that get activations from one reader the same blocks with rows ([`Plan`]);
//! a tile that has only one of the two takes it and lets it go. BRISC and NCRISC wait for nobody while they have something to do: each
//! does whatever of its work can be done ([`crate::rt::handout`]), so a result that cannot be written yet does not keep back activations that others
//! wait for. TRISC0 waits for the next block of K of both streams and then frees both, whatever becomes of results. Take the block of K that comes first in the common order
//! among those that somewhere are not unpacked: its data needs slots of earlier blocks, which all have been freed, and it is unpacked when TRISC1 takes it. TRISC1 waits for
//! TRISC2 to have packed the block of the result before (of gated units the one before that), TRISC2 for NCRISC to have written the one before that one, and to have read the addends of this one to where that one was, NCRISC for acknowledgements and answers of DRAM. None of these waits for a
//! later block of K. So that one is unpacked, too.
//!
//! Numerics: weights are exact in SrcA, F16 ones as TF32 numbers that are 2^112 times as small ([`tt_kernel_abi::held`]). Activations are rounded to BF16, for BFP8_b and BFP4_b weights to seven significant bits ([`tt_kernel_abi::order`]), which is less of an error than
//! these have. Sums are FP32. Fidelity phases: all whose operands have bits there, but low part times low part.

pub mod brisc;
mod columns;
mod gated;
pub mod ncrisc;
pub mod slots;
pub mod trisc0;
pub mod trisc1;
pub mod trisc2;

use crate::rt::handout;
use crate::rt::l1::L1;
use crate::rt::launch::TileLaunch;
use tt_kernel_abi::matmul_block::{BlockParams, OUT, OUT_SLOT, OUT_SLOTS, Plan};
use tt_kernel_abi::{ElementType, OpDescriptor, TensorView};

/// This tile's place in the work; `None` if not all workers are in the launch.
fn plan(launch: &TileLaunch, params: &BlockParams) -> Option<Plan> {
    plan_of(launch.op, params, launch.index)
}

/// The same of worker `index` in a launch of `op`.
fn plan_of(op: &OpDescriptor, params: &BlockParams, index: u32) -> Option<Plan> {
    let [place, grid] = handout::place();
    (op.cores == grid[0] * grid[1]).then(|| Plan::new(params, place, grid, index))
}

/// What the weights are.
fn weights(launch: &TileLaunch, params: &BlockParams) -> Option<ElementType> {
    match params.held {
        0 => launch.op.src0.element_type(),
        _ if params.is_f16 != 0 => Some(ElementType::TilesF16),
        _ => Some(ElementType::TilesBf16),
    }
}

/// What the results are added to.
fn addend<'a>(launch: &'a TileLaunch) -> Option<&'a TensorView> {
    Some(&launch.op.more[1]).filter(|view| view.ne[0] > 0)
}

/// Where the results of this tile's `number`th block are.
fn results<'a>(launch: &'a TileLaunch, number: u32) -> L1<'a> {
    launch.l1(OUT + number % OUT_SLOTS * OUT_SLOT, OUT_SLOT)
}
