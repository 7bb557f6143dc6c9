//! TRISC0: words into Dst, integers into SrcA.

use super::{groups, has_groups, kind, slot};
use crate::ops::matmul::exact::trisc0::{begin, end, unpack_tile, words};
use crate::rt::launch::TileLaunch;
use crate::rt::sync::{BLOCKS_FREE, BLOCKS_READY};
use crate::rt::tensix::sync;
use crate::rt::to_src::set_tile;
use crate::rt::unpack::base_address;
use tt_kernel_abi::exact::INTEGER_BYTES;
use tt_kernel_abi::exact_tiles::ExactTilesParams;

/// Runs TRISC0's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &ExactTilesParams) {
    let Some(kind) = kind(launch).filter(|_| has_groups()) else { return };
    // There are no rows.
    begin(0);
    for (number, count) in groups(params) {
        launch.progress(number);
        BLOCKS_READY.wait(number + 1);
        let from = slot(launch, number);
        words(kind, from.skip(count * INTEGER_BYTES as u32), number);
        for tile in 0..count {
            set_tile(base_address(from.skip(tile * INTEGER_BYTES as u32)));
            unpack_tile();
        }
        sync();
        BLOCKS_FREE.publish(number + 1);
    }
    end();
}
