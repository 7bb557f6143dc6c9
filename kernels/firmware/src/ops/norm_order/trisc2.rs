//! TRISC2: strips from halves of Dst to L1, in order. Halves with a row's segment only go back.

use super::{SEM_COMPUTED, SEM_TAKEN, half, items, result};
use crate::rt::chip::insn::{SEMGET, STALLWAIT};
use crate::rt::launch::TileLaunch;
use crate::rt::pack;
use crate::rt::sync::{OUT_FREE, OUT_READY};
use crate::rt::tensix::{block, sem, sem_cond, sync, until};
use crate::{semwait, ttinsn};
use tt_kernel_abi::matmul::TILE;
use tt_kernel_abi::norm_order::{GROUP_BYTES, Item, NormOrderParams, OUT_SLOTS, WIDTH_ROWS};
use tt_kernel_abi::order::TILE_SPAN;

/// Packers: each has a tile of K.
const PACKERS: u32 = 4;

/// Runs TRISC2's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &NormOrderParams) {
    pack::configure_groups(WIDTH_ROWS);
    for item in items(launch, params) {
        launch.progress(item.number);
        if !item.is_strip() {
            semwait!(block::SYNC, SEM_COMPUTED, sem_cond::WHILE_ZERO);
            give_back();
            continue;
        }
        if item.result >= OUT_SLOTS {
            OUT_FREE.wait(item.result - OUT_SLOTS + 1);
        }
        pack_strip(launch, &item);
        ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::PACK }.word());
        give_back();
        OUT_READY.publish(item.result + 1);
    }
    pack::end_groups();
}

/// Packs four tiles of K at a time. (Of the last four there may be two.)
fn pack_strip(launch: &TileLaunch, item: &Item) {
    let (from, to) = (half(item.number), result(launch, item.result));
    for first in (0..item.len / TILE).step_by(PACKERS as usize) {
        // The packers are idle since the sync before.
        let rows = [0, 1, 2, 3].map(|packer| from + (first + packer) * TILE_SPAN);
        pack::aim_at(rows, to.skip(first * GROUP_BYTES), GROUP_BYTES);
        semwait!(block::PACK, SEM_COMPUTED, sem_cond::WHILE_ZERO);
        pack::pack_groups();
        pack::begin_groups();
        sync();
    }
}

/// The oldest half is free again.
fn give_back() {
    ttinsn!(SEMGET { sem_sel: sem(SEM_COMPUTED) }.word());
    ttinsn!(SEMGET { sem_sel: sem(SEM_TAKEN) }.word());
    sync();
}
