//! NCRISC: results from the ring to DRAM over NoC 1.

use super::{Work, piece, result, segments};
use crate::rt::launch::TileLaunch;
use crate::rt::noc::Noc;
use crate::rt::rows::address;
use crate::rt::sync::{OUT_FREE, OUT_READY};
use tt_kernel_abi::DramAddr;

/// Runs NCRISC's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, work: Work) {
    let dst = &launch.op.dst;
    let mut noc = Noc::new(1);
    for segment in segments(launch, &work).filter(|segment| segment.pass.has_result()) {
        launch.progress(segment.number);
        OUT_READY.wait(segment.result + 1);
        let to = address(dst, &piece(dst, &segment));
        noc.write_dram(result(launch, segment.result).part(0, 4 * segment.len), DramAddr(to));
        noc.wait_writes();
        OUT_FREE.publish(segment.result + 1);
    }
}
