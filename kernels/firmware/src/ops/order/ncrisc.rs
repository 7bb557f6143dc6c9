//! NCRISC: tiles to DRAM over NoC 1, to where the tiles of the rows of a group follow one another.

use super::{pieces, tiles};
use crate::rt::launch::TileLaunch;
use crate::rt::noc::Noc;
use crate::rt::sync::{OUT_FREE, OUT_READY};
use tt_kernel_abi::DramAddr;
use tt_kernel_abi::matmul_block::ACT_TILE_BYTES;
use tt_kernel_abi::order::{OrderParams, SLOTS};

/// Runs NCRISC's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &OrderParams) {
    let mut noc = Noc::new(1);
    for (number, piece) in pieces(launch, params) {
        launch.progress(number);
        OUT_READY.wait(number + 1);
        let from = tiles(launch, number);
        for tile in 0..piece.count {
            let to = launch.op.dst.addr + u64::from(params.offset(piece.row_tile, piece.first + tile));
            noc.write_dram(from.part(tile * ACT_TILE_BYTES, ACT_TILE_BYTES), DramAddr(to));
        }
        // Writes of half of the slots are under way together.
        if (number + 1).is_multiple_of(SLOTS / 2) {
            noc.wait_writes();
            OUT_FREE.publish(number + 1);
        }
    }
    noc.wait_writes();
}
