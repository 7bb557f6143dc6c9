//! TRISC2: queries, powers and sums of values from Dst to L1.

use super::{Places, units};
use crate::ops::matmul::SEM_DST;
use crate::ops::sfpu::trisc2::pack_block;
use crate::rt::chip::insn::{PACR, SEMGET, STALLWAIT};
use crate::rt::l1::L1;
use crate::rt::launch::TileLaunch;
use crate::rt::pack;
use crate::rt::sync::{BLOCKS_READY, OUT_FREE, OUT_READY, ROW_READY};
use crate::rt::tensix::{block, sem, sem_cond, sync, until};
use crate::{semwait, ttinsn};
use tt_kernel_abi::attention_rows::{AttentionRowsParams, SUMS};
use tt_kernel_abi::matmul::RESULT_ROWS;
use tt_kernel_abi::sfpu::BLOCK_BYTES;

/// Runs TRISC2's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &AttentionRowsParams) {
    let places = Places { launch, params };
    pack::configure();
    let (mut walk, mut first, mut blocks) = (0, 0, 0);
    for _ in units(launch, params) {
        let mut end = first;
        for _ in 0..params.heads {
            launch.progress(walk);
            for tile in 0..params.key_tiles {
                pack_block(tile, places.queries(tile));
            }
            ROW_READY.publish(walk + 1);
            end = first;
            loop {
                let block = places.block(end);
                if block.count == 0 {
                    break;
                }
                tiles(0, block.count, places.all_powers());
                blocks += 1;
                BLOCKS_READY.publish(blocks);
                end += block.count;
            }
            OUT_FREE.wait(walk);
            tiles(SUMS, params.value_tiles, places.all_sums());
            walk += 1;
            OUT_READY.publish(walk);
        }
        first = end + 1;
    }
}

/// Packs `count` tiles from row `row` of Dst on, when they are computed, and gives them back.
#[inline(never)]
fn tiles(row: u32, count: u32, to: L1) {
    semwait!(block::PACK, SEM_DST, sem_cond::WHILE_ZERO);
    for tile in 0..count {
        // The packers are idle since the sync below, or before.
        pack::aim(row + tile * RESULT_ROWS, to.skip(tile * BLOCK_BYTES));
        ttinsn!(PACR { pack_sel: 0b1111, last: 1, ..PACR::ZERO }.word());
        sync();
    }
    ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::PACK }.word());
    ttinsn!(SEMGET { sem_sel: sem(SEM_DST) }.word());
    sync();
}
