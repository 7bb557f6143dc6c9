//! NCRISC: tiles to DRAM over NoC 1, where products look for them.

use super::{groups, tiles};
use crate::rt::launch::TileLaunch;
use crate::rt::noc::Noc;
use crate::rt::sync::{OUT_FREE, OUT_READY};
use tt_kernel_abi::exact::GROUP_TILES;
use tt_kernel_abi::exact_tiles::{ExactTilesParams, SLOTS, TILE_BYTES};
use tt_kernel_abi::{Shard, Shards};

/// Groups whose writes are under way together.
const AT_ONCE: u32 = SLOTS / 2;

/// Runs NCRISC's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &ExactTilesParams) {
    let dst = &launch.op.dst;
    let mut noc = Noc::new(1);
    let (shards, mut shard) = (Shards::of_matrix(dst, 0, noc.banks()), Shard::default());
    for (number, group) in groups(launch, params) {
        launch.progress(number);
        OUT_READY.wait(number + 1);
        let first = group.n_tile * params.k_tiles + group.number * GROUP_TILES as u32;
        let at = u64::from(first) * u64::from(TILE_BYTES);
        noc.write_shards(&shards, &mut shard, at, tiles(launch, number).part(0, group.count * TILE_BYTES));
        if (number + 1).is_multiple_of(AT_ONCE) {
            noc.wait_writes();
            OUT_FREE.publish(number + 1);
        }
    }
    noc.wait_writes();
}
