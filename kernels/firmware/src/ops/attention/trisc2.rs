//! TRISC2: queries, powers and sums of values from Dst to L1.

use super::{DST_HALF, Places, units};
use crate::ops::matmul::SEM_DST;
use crate::ops::sfpu::trisc2::pack_block;
use crate::rt::chip::insn::{PACR, SEMGET, STALLWAIT};
use crate::rt::l1::L1;
use crate::rt::launch::TileLaunch;
use crate::rt::pack;
use crate::rt::sync::{BLOCKS_READY, OUT_READY, ROW_READY};
use crate::rt::tensix::{block, push, sem, sem_cond, sync, until};
use crate::{semwait, ttinsn};
use tt_kernel_abi::attention::{AttentionParams, TILE_ROWS};
use tt_kernel_abi::sfpu::BLOCK_BYTES;

/// Tiles that the four packers take at once.
const TILES: u32 = 4;

/// Runs TRISC2's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &AttentionParams) {
    pack::configure();
    let (mut item, mut powers) = (0, 0);
    for unit in units(launch, params) {
        launch.progress(unit.number);
        let places = Places::of(launch, params, &unit);
        for number in 0..params.query_blocks() {
            pack_block(number, places.queries(&unit, number));
        }
        ROW_READY.publish(unit.number + 1);
        for head in 0..params.heads {
            half(item, unit.tiles + 1, places.powers(head));
            item += 1;
            powers += 1;
            BLOCKS_READY.publish(powers);
        }
        for head in 0..params.heads {
            half(item, params.value_tiles, places.sums(head));
            item += 1;
        }
        OUT_READY.publish(unit.number + 1);
    }
}

/// Packs the tiles of the half of Dst that has item `item`, and gives it back. Up to one tile more is written.
#[inline(never)]
fn half(item: u32, tiles: u32, to: L1) {
    semwait!(block::PACK, SEM_DST, sem_cond::WHILE_ZERO);
    for first in (0..tiles).step_by(TILES as usize) {
        // The packers are idle since the sync below, or before.
        pack::aim(item % 2 * DST_HALF + first * TILE_ROWS, to.skip(first / TILES * BLOCK_BYTES));
        let packers = match tiles - first {
            1 => 0b0001,
            2 => 0b0011,
            // Three of them are undocumented: the fourth tile is in the place of what is packed next.
            _ => 0b1111,
        };
        push(PACR { pack_sel: packers, last: 1, ..PACR::ZERO }.word());
        sync();
    }
    ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::PACK }.word());
    ttinsn!(SEMGET { sem_sel: sem(SEM_DST) }.word());
    sync();
}
