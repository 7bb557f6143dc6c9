//! BRISC: groups from DRAM over NoC 0.

use super::{kind, slot};
use crate::rt::handout;
use crate::rt::launch::TileLaunch;
use crate::rt::noc::Noc;
use crate::rt::sync::{BLOCKS_FREE, BLOCKS_READY, FIRST_GROUP, GROUPS_COUNTED};
use tt_kernel_abi::exact_tiles::{ExactTilesParams, SLOTS};
use tt_kernel_abi::held::{mark, tiles};
use tt_kernel_abi::{Shard, Shards};

/// Groups that are told of together.
const AT_ONCE: u32 = SLOTS / 2;

/// Runs BRISC's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &ExactTilesParams) {
    let Some(kind) = kind(launch) else { return };
    let src = &launch.op.src0;
    let mut noc = Noc::new(0);
    let (shards, mut shard) = (Shards::of_matrix(src, 0, noc.banks()), Shard::default());
    let (mut asked, mut told) = (0, 0);
    let [place, grid] = handout::place();
    let held = params.held(place, grid, launch.index);
    FIRST_GROUP.publish(held.group(0).1);
    GROUPS_COUNTED.publish(held.count() + 1);
    // For the product, which begins when all tiles are there.
    launch.l1(mark(params.at), 4).words()[0].store(launch.op.seq);
    for number in 0..held.count() {
        launch.progress(number);
        if number >= SLOTS {
            // Those that come are told of first: what is waited for may need them.
            tell(&noc, &mut told, number);
            BLOCKS_FREE.wait(number - SLOTS + 1);
        }
        let (n_tile, group) = held.group(number);
        let at = u64::from(params.first + n_tile) * src.nb[1] + u64::from(group) * src.nb[0];
        let bytes = kind.group_bytes(tiles(params.k_tiles, group) as usize) as u32;
        noc.read_shards(&shards, &mut shard, at, slot(launch, number).part(0, bytes));
        asked = number + 1;
        if asked.is_multiple_of(AT_ONCE) {
            tell(&noc, &mut told, asked);
        }
    }
    tell(&noc, &mut told, asked);
}

/// Waits for the groups before `end` and says that they are there.
fn tell(noc: &Noc, told: &mut u32, end: u32) {
    if *told < end {
        noc.wait_reads();
        *told = end;
        BLOCKS_READY.publish(end);
    }
}
