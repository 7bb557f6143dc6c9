//! NCRISC: the weights to all tiles, and strips of tiles to DRAM, over NoC 1.

use super::{groups, result, weights};
use crate::rt::launch::TileLaunch;
use crate::rt::noc::Noc;
use crate::rt::spread;
use crate::rt::sync::{ACTS_READY, OUT_FREE, OUT_READY};
use tt_kernel_abi::DramAddr;
use tt_kernel_abi::matmul::TILE;
use tt_kernel_abi::norm_order::{GROUP_BYTES, NormOrderParams, OUT_SLOTS};

/// Runs NCRISC's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &NormOrderParams) {
    let mut noc = Noc::new(1);
    spread::send(&mut noc, launch, DramAddr(launch.op.src1.addr), weights(launch, params));
    spread::receive(launch);
    ACTS_READY.publish(1);
    let (first, count) = groups(launch, params);
    let mut number = 0;
    for group in first..first + count {
        let (at, step) = params.offsets(group);
        for strip in 0..params.strips() {
            launch.progress(number);
            let (k, len) = params.strip(group, strip);
            OUT_READY.wait(number + 1);
            let from = result(launch, number);
            let mut to = DramAddr(launch.op.dst.addr).offset(u64::from(at + k / TILE * step));
            for tile in 0..len / TILE {
                noc.write_dram(from.part(tile * GROUP_BYTES, GROUP_BYTES), to);
                to = to.offset(u64::from(step));
            }
            number += 1;
            // Writes of half of the slots are under way together; TRISC2 has the others.
            if number.is_multiple_of(OUT_SLOTS / 2) {
                noc.wait_writes();
                OUT_FREE.publish(number);
            }
        }
    }
    noc.wait_writes();
}
