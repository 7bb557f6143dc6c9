//! BRISC: groups from DRAM over NoC 0. A group is asked for as soon as a slot is free, and told of when it is here, whatever is on its way behind it: each has a transaction id of its own.

use super::{kind, slot};
use crate::rt::handout;
use crate::rt::launch::TileLaunch;
use crate::rt::noc::Noc;
use crate::rt::sync::{BLOCKS_FREE, BLOCKS_READY, FIRST_GROUP, GROUPS_COUNTED};
use tt_kernel_abi::exact_tiles::{ExactTilesParams, SLOTS};
use tt_kernel_abi::held::{mark, tiles};
use tt_kernel_abi::{Shard, Shards};

/// Transaction ids of groups, from 1 on.
const IDS: u32 = 8;

const _: () = assert!(SLOTS <= IDS && IDS.is_power_of_two());

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
    while told < held.count() {
        if told < asked && noc.has_read_id(id(told)) {
            told += 1;
            BLOCKS_READY.publish(told);
            continue;
        }
        let is_free = asked < SLOTS || BLOCKS_FREE.has_reached(asked - SLOTS + 1);
        if asked < held.count() && is_free {
            launch.progress(asked);
            let (n_tile, group) = held.group(asked);
            let at = u64::from(n_tile) * src.nb[1] + u64::from(group) * src.nb[0];
            let bytes = kind.group_bytes(tiles(params.k_tiles, group) as usize) as u32;
            noc.set_read_id(id(asked));
            noc.read_shards(&shards, &mut shard, at, slot(launch, asked).part(0, bytes));
            asked += 1;
        }
    }
    noc.set_read_id(0);
}

/// The transaction id of group `number`: those that L1 has room for have different ones.
fn id(number: u32) -> u32 {
    1 + number % IDS
}
