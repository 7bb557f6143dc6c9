//! BRISC: rows from DRAM over NoC 0.

use super::{address, pieces, rows};
use crate::rt::l1::fill;
use crate::rt::launch::TileLaunch;
use crate::rt::noc::{Noc, Pieces};
use crate::rt::sync::{BLOCKS_FREE, BLOCKS_READY};
use tt_kernel_abi::DramAddr;
use tt_kernel_abi::matmul::TILE;
use tt_kernel_abi::order::{OrderParams, ROW_BYTES, SLOTS};

/// Runs BRISC's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &OrderParams) {
    let src = &launch.op.src0;
    let mut noc = Noc::new(0);
    let mut asked = 0;
    for (number, piece) in pieces(launch, params) {
        launch.progress(number);
        if number >= SLOTS {
            // Those that come are told of first: what is waited for may need them.
            tell(&noc, &mut asked, number);
            BLOCKS_FREE.wait(number - SLOTS + 1);
        }
        let to = rows(launch, number, &piece);
        let count = TILE.min(src.ne[1] - piece.row_tile * TILE);
        let each = Pieces { count, stride: src.nb[1], bytes: 4 * TILE * piece.count, pitch: ROW_BYTES };
        noc.read_pieces(DramAddr(address(launch, &piece)), &each, to);
        fill(&to.words()[(count * ROW_BYTES / 4) as usize..], 0);
        if number % 2 == 1 {
            tell(&noc, &mut asked, number + 1);
        }
    }
    let (_, all) = tt_kernel_abi::matmul::share(params.pieces(), launch.index, launch.op.cores);
    tell(&noc, &mut asked, all);
}

/// Waits for the pieces before `end` and says that they are there.
fn tell(noc: &Noc, told: &mut u32, end: u32) {
    if *told < end {
        noc.wait_reads();
        *told = end;
        BLOCKS_READY.publish(end);
    }
}
