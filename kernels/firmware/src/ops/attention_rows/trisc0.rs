//! TRISC0: queries to Dst; keys, mask and values into SrcA, queries, one and powers into SrcB.

use super::{Block, Places, units};
use crate::ops::attention::trisc0::{key_tile, value_tile};
use crate::ops::matmul::halves::set_form;
use crate::ops::matmul::trisc0::configure_halves;
use crate::ops::sfpu::trisc0 as blocks;
use crate::ops::sfpu::{SEM_FILLED, SEM_TAKEN, dst_slot};
use crate::rt::chip::insn::{SEMPOST, STALLWAIT};
use crate::rt::l1::L1;
use crate::rt::launch::TileLaunch;
use crate::rt::sync::{ACTS_READY, BLOCKS_READY, OUT_READY, ROW_READY, WEIGHTS_FREE};
use crate::rt::tensix::{block, sem, sem_cond, sync, until};
use crate::rt::to_src;
use crate::rt::unpack::base_address;
use crate::{semwait, ttinsn};
use tt_isa::format::{FACE_DIM, TILE_DATUMS};
use tt_kernel_abi::attention_rows::{AttentionRowsParams, IDENTITY, MASK_ROW};
use tt_kernel_abi::matmul::{HALF_ROW_BYTES, Halves, ROW_GROUP, TILE};
use tt_kernel_abi::sfpu::BLOCK_BYTES;

/// Runs TRISC0's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &AttentionRowsParams) {
    let places = Places { launch, params };
    let (mut walk, mut first, mut blocks) = (0, 0, 0);
    for _ in units(launch, params) {
        let mut end = first;
        for head in 0..params.heads {
            launch.progress(walk);
            ACTS_READY.wait(walk + 1);
            // Dst is free, and the end of the last list has been seen.
            OUT_READY.wait(walk);
            if head == 0 {
                WEIGHTS_FREE.publish(first);
            }
            queries(&places, walk);
            ROW_READY.wait(walk + 1);
            configure_halves(Halves::Rows, params.key_bytes());
            to_src::set_rows(TILE_DATUMS as u32);
            end = first;
            loop {
                let block = places.block(end);
                if block.count == 0 {
                    break;
                }
                scores(&places, &block);
                blocks += 1;
                BLOCKS_READY.wait(blocks);
                values(&places, &block);
                end += block.count;
                if head == params.heads - 1 {
                    WEIGHTS_FREE.publish(end);
                }
            }
            walk += 1;
        }
        first = end + 1;
    }
}

/// Queries, tile by tile, to Dst: half a row of a tile of eight tokens at a time, whose distance in L1 the unpacker knows.
#[inline(never)]
fn queries(places: &Places, walk: u32) {
    blocks::configure();
    blocks::set_pitch(places.params.query_row());
    sync();
    blocks::set_len(ROW_GROUP * FACE_DIM as u32);
    let all = places.queries_in(walk);
    for tile in 0..places.params.key_tiles {
        semwait!(block::UNPACK | block::SYNC, SEM_TAKEN, sem_cond::WHILE_MAX);
        ttinsn!(SEMPOST { sem_sel: sem(SEM_TAKEN) }.word());
        let mut row = dst_slot(tile);
        for first in (0..TILE).step_by(ROW_GROUP as usize) {
            for half in 2 * tile..2 * tile + 2 {
                blocks::unpack(all.skip(first * places.params.query_row() + half * HALF_ROW_BYTES), row);
                row += ROW_GROUP;
            }
        }
        ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::UNPACK0 }.word());
        ttinsn!(SEMPOST { sem_sel: sem(SEM_FILLED) }.word());
    }
    sync();
}

/// What is multiplied for a block's scores: for each tile of K its queries, and the keys of all positions; then masks. No unpack is under way.
#[inline(never)]
fn scores(places: &Places, block: &Block) {
    set_form(Halves::Rows, places.params.key_bytes());
    for k_tile in 0..places.params.key_tiles {
        rows(places.queries(k_tile));
        for tile in block.tiles() {
            key_tile(places.keys(block.first + tile).skip(k_tile * 2 * TILE));
        }
    }
    sync();
    if block.masked != 0 {
        set_form(Halves::Columns, MASK_ROW);
        rows(places.launch.l1(IDENTITY, BLOCK_BYTES));
        for tile in block.tiles().filter(|&tile| block.is_masked(tile)) {
            value_tile(places.mask(block.first + tile));
        }
        sync();
    }
    set_form(Halves::Columns, places.params.value_bytes());
}

/// Powers of each tile of positions, and all elements of their values.
#[inline(never)]
fn values(places: &Places, block: &Block) {
    for tile in block.tiles() {
        rows(places.powers(tile));
        let values = places.values(block.first + tile);
        for n_tile in 0..places.params.value_tiles {
            value_tile(values.skip(n_tile * 2 * TILE));
        }
    }
    sync();
}

/// A tile of rows.
#[inline(never)]
fn rows(from: L1) {
    to_src::aim_rows(base_address(from));
    to_src::unpack_rows();
}
