//! Gated units whose results are in the order of activations ([`tt_kernel_abi::order`]): where blocks are in DRAM and in Dst.
//!
//! A block is a strip of 16 rows, 64 elements of each; a row fills four rows of Dst. Packers 0 and 1 have the groups of eight rows with the first tile of K, packers 2 and 3 with the
//! second one: they give half of both tiles. Rows behind the last one are zeros, and so is what a gated unit makes of zeros.
//!
//! Who waits for whom is as with other blocks ([`super`]).

use super::{Blocks, dst_slot, operand, result};
use crate::rt::l1::{L1, fill};
use crate::rt::launch::TileLaunch;
use crate::rt::noc::{Noc, Pieces};
use crate::rt::pack;
use tt_kernel_abi::matmul::TILE;
use tt_kernel_abi::order::{
    OrderParams, STRIP_ROW_BYTES, STRIP_ROWS, STRIP_SPAN, STRIP_TILE_BYTES, STRIP_TILES, Strip, TILE_SPAN,
};
use tt_kernel_abi::sfpu::BLOCK_BYTES;
use tt_kernel_abi::{DramAddr, TensorView};

fn params(blocks: &Blocks) -> OrderParams {
    let [k, rows, ..] = blocks.op.dst.ne;
    OrderParams::of([k, rows])
}

fn strip(blocks: &Blocks, number: u32) -> Strip {
    params(blocks).strip(blocks.first + number)
}

/// Where a strip of an operand begins in DRAM.
fn address(view: &TensorView, strip: &Strip) -> u64 {
    view.addr + u64::from(strip.row()) * view.nb[1] + u64::from(strip.first * TILE * 4)
}

/// Where block `number` of an operand (0 or 1) is in L1.
pub fn place<'a>(launch: &'a TileLaunch, blocks: &Blocks, index: u32, number: u32) -> L1<'a> {
    let view = if index == 0 { &blocks.op.src0 } else { &blocks.op.src1 };
    operand(launch, index, number, address(view, &strip(blocks, number)))
}

/// Asks for block `number` of both operands.
#[inline(never)]
pub fn fetch(noc: &mut Noc, launch: &TileLaunch, blocks: &Blocks, number: u32) {
    let strip = strip(blocks, number);
    for (index, view) in (0..).zip([&blocks.op.src0, &blocks.op.src1]) {
        let to = place(launch, blocks, index, number);
        let count = STRIP_ROWS.min(view.ne[1].saturating_sub(strip.row()));
        let pieces = Pieces { count, stride: view.nb[1], bytes: STRIP_ROW_BYTES, pitch: STRIP_ROW_BYTES };
        if count > 0 {
            noc.read_pieces(DramAddr(address(view, &strip)), &pieces, to);
        }
        fill(&to.words()[(count * STRIP_ROW_BYTES / 4) as usize..(BLOCK_BYTES / 4) as usize], 0);
    }
}

/// Points the packers, which are idle, at block `number` in Dst and in L1.
pub fn aim(launch: &TileLaunch, number: u32) {
    let row = dst_slot(number);
    let groups = STRIP_SPAN * STRIP_ROWS / 2;
    let rows = [row, row + groups, row + TILE_SPAN, row + groups + TILE_SPAN];
    pack::aim_at(rows, result(launch, number), STRIP_TILE_BYTES / 2);
}

/// Sends block `number` of the result to both tiles.
pub fn send(noc: &mut Noc, launch: &TileLaunch, blocks: &Blocks, number: u32) {
    let (params, strip) = (params(blocks), strip(blocks, number));
    for tile in 0..STRIP_TILES {
        let at = params.offset(strip.row_tile, strip.first + tile) + strip.half * STRIP_TILE_BYTES;
        let from = result(launch, number).part(tile * STRIP_TILE_BYTES, STRIP_TILE_BYTES);
        noc.write_dram(from, DramAddr(blocks.op.dst.addr + u64::from(at)));
    }
}
