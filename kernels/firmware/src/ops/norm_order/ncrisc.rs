//! NCRISC: the weights to all tiles, and strips of tiles to DRAM, over NoC 1.

use super::{items, result, weights};
use crate::rt::launch::TileLaunch;
use crate::rt::noc::Noc;
use crate::rt::spread;
use crate::rt::sync::{ACTS_READY, OUT_FREE, OUT_READY};
use tt_kernel_abi::DramAddr;
use tt_kernel_abi::matmul::TILE;
use tt_kernel_abi::norm_order::{GROUP_BYTES, Item, NormOrderParams, OUT_SLOTS};

/// Runs NCRISC's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &NormOrderParams) {
    let mut noc = Noc::new(1);
    spread::send(&mut noc, launch, DramAddr(launch.op.src1.addr), weights(launch, params));
    spread::receive(launch);
    ACTS_READY.publish(1);
    for item in items(launch, params).filter(Item::is_strip) {
        launch.progress(item.result);
        OUT_READY.wait(item.result + 1);
        let from = result(launch, item.result);
        let (first, step) = params.offsets(item.group);
        let mut to = DramAddr(launch.op.dst.addr).offset(u64::from(first + item.first / TILE * step));
        for tile in 0..item.len / TILE {
            noc.write_dram(from.part(tile * GROUP_BYTES, GROUP_BYTES), to);
            to = to.offset(u64::from(step));
        }
        // Writes of half of the slots are under way together; TRISC2 has the others.
        if (item.result + 1).is_multiple_of(OUT_SLOTS / 2) {
            noc.wait_writes();
            OUT_FREE.publish(item.result + 1);
        }
    }
    noc.wait_writes();
}
