//! BRISC: groups from DRAM over NoC 0.

use super::{groups, kind, slot};
use crate::rt::launch::TileLaunch;
use crate::rt::noc::Noc;
use crate::rt::sync::{BLOCKS_FREE, BLOCKS_READY};
use tt_kernel_abi::exact_tiles::{ExactTilesParams, SLOTS};
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
    for (number, group) in groups(launch, params) {
        launch.progress(number);
        if number >= SLOTS {
            // Those that come are told of first: what is waited for may need them.
            tell(&noc, &mut told, number);
            BLOCKS_FREE.wait(number - SLOTS + 1);
        }
        let at = u64::from(params.first + group.n_tile) * src.nb[1] + u64::from(group.number) * src.nb[0];
        let bytes = kind.group_bytes(group.count as usize) as u32;
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
