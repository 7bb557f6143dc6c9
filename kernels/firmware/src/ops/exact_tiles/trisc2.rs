//! TRISC2: tiles from Dst to L1, rounded to BF16, or as F16.

use super::{SEM_FILLED, SEM_TAKEN, groups, has_groups};
use crate::rt::chip::insn::{SEMGET, STALLWAIT};
use crate::rt::launch::TileLaunch;
use crate::rt::pack;
use crate::rt::tensix::{block, sem, sem_cond, sync, until};
use crate::rt::tilize::Tiles;
use crate::{semwait, ttinsn};
use tt_kernel_abi::exact_tiles::{ExactTilesParams, PIECE_TILES, rows};
use tt_kernel_abi::held::{GROUP_BYTES, TILE_BYTES, offset};

/// Runs TRISC2's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &ExactTilesParams) {
    if !has_groups() {
        return;
    }
    match params.is_f16 {
        0 => pack::configure_tiles(),
        _ => pack::configure_f16_tiles(),
    }
    let mut pieces = 0;
    for (number, count) in groups(params) {
        launch.progress(number);
        let to = launch.l1(params.at + offset(number, 0), GROUP_BYTES);
        let all = Tiles { first: 0, count };
        for piece in all.pieces(PIECE_TILES) {
            for tile in 0..piece.count {
                // The packers are idle since the sync below.
                pack::aim_tile(rows(pieces, tile), to.skip((piece.first + tile) * TILE_BYTES));
                if tile == 0 {
                    semwait!(block::PACK, SEM_FILLED, sem_cond::WHILE_ZERO);
                }
                pack::pack_tile();
                sync();
            }
            ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::PACK }.word());
            ttinsn!(SEMGET { sem_sel: sem(SEM_FILLED) }.word());
            ttinsn!(SEMGET { sem_sel: sem(SEM_TAKEN) }.word());
            pieces += 1;
        }
    }
    // All tiles are in L1 when this core is done.
    sync();
    pack::end_groups();
}
