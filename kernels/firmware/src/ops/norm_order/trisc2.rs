//! TRISC2: strips from halves of Dst to L1, in order. Halves with a row's segment only go back.

use super::{SEM_COMPUTED, SEM_TAKEN, groups, half, result};
use crate::rt::chip::insn::{SEMGET, STALLWAIT};
use crate::rt::l1::L1;
use crate::rt::launch::TileLaunch;
use crate::rt::pack;
use crate::rt::sync::{OUT_FREE, OUT_READY};
use crate::rt::tensix::{block, sem, sem_cond, sync, until};
use crate::{semwait, ttinsn};
use tt_kernel_abi::matmul::TILE;
use tt_kernel_abi::norm_order::{GROUP_BYTES, NormOrderParams, OUT_SLOTS, WIDTH_ROWS};
use tt_kernel_abi::order::TILE_SPAN;

/// Packers: each has a tile of K.
const PACKERS: u32 = 4;

/// Runs TRISC2's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &NormOrderParams) {
    pack::configure_groups(WIDTH_ROWS);
    let (first, count) = groups(launch, params);
    let (mut number, mut strips) = (0, 0);
    for group in first..first + count {
        for _ in 0..params.rows_of(group) * params.segments() {
            launch.progress(number);
            semwait!(block::SYNC, SEM_COMPUTED, sem_cond::WHILE_ZERO);
            give_back();
            number += 1;
        }
        for strip in 0..params.strips() {
            launch.progress(number);
            if strips >= OUT_SLOTS {
                OUT_FREE.wait(strips - OUT_SLOTS + 1);
            }
            let (_, len) = params.strip(group, strip);
            pack_strip(half(number), result(launch, strips), len / TILE);
            number += 1;
            strips += 1;
            OUT_READY.publish(strips);
        }
    }
    pack::end_groups();
}

/// Packs the strip from row `from` of Dst on, four of its `tiles` tiles of K at a time, when it is computed. (Of the last four there may be two.)
fn pack_strip(from: u32, to: L1, tiles: u32) {
    for first in (0..tiles).step_by(PACKERS as usize) {
        // The packers are idle since the sync before.
        let rows = [0, 1, 2, 3].map(|packer| from + (first + packer) * TILE_SPAN);
        pack::aim_at(rows, to.skip(first * GROUP_BYTES), GROUP_BYTES);
        semwait!(block::PACK, SEM_COMPUTED, sem_cond::WHILE_ZERO);
        pack::pack_groups();
        pack::begin_groups();
        sync();
    }
    ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::PACK }.word());
    give_back();
}

/// The oldest half is free again.
#[inline(never)]
fn give_back() {
    ttinsn!(SEMGET { sem_sel: sem(SEM_COMPUTED) }.word());
    ttinsn!(SEMGET { sem_sel: sem(SEM_TAKEN) }.word());
    sync();
}
