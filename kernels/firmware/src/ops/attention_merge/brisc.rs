//! BRISC: sums and weights from DRAM over NoC 0.

use super::{bytes, places, units};
use crate::rt::launch::TileLaunch;
use crate::rt::noc::Noc;
use crate::rt::sync::{BLOCKS_FREE, BLOCKS_READY};
use tt_kernel_abi::DramAddr;
use tt_kernel_abi::attention::MergeParams;

/// Runs BRISC's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &MergeParams) {
    let mut noc = Noc::new(0);
    let (partial, len) = (params.partial(), bytes(params));
    for (number, unit) in units(launch, params) {
        launch.progress(number);
        BLOCKS_FREE.wait(number);
        let (head, face) = (unit / params.faces, unit % params.faces);
        let faces = [face, partial.faces].into_iter().zip(places(launch, params));
        for (face, to) in faces {
            let at = launch.op.src0.addr + partial.offset(head, face, 0);
            noc.read_dram(DramAddr(at), to.part(0, len));
        }
        noc.wait_reads();
        BLOCKS_READY.publish(number + 1);
    }
}
