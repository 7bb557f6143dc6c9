//! NCRISC: results from the ring to DRAM over NoC 1.

use super::{Work, piece, segments};
use crate::rt::launch::Launch;
use crate::rt::noc::Noc;
use crate::rt::rows::address;
use crate::rt::sync::{OUT_FREE, OUT_READY};
use tt_kernel_abi::DramAddr;
use tt_kernel_abi::sfpu::rows::result_slot;

/// Runs NCRISC's part.
#[inline(never)]
pub fn run(launch: &Launch, work: Work) {
    let dst = &launch.op.dst;
    let mut noc = Noc::new(1);
    for segment in segments(launch, &work).filter(|segment| segment.pass.has_result()) {
        launch.progress(segment.number);
        OUT_READY.wait(segment.result + 1);
        let to = address(dst, &piece(dst, &segment));
        noc.write_dram(result_slot(segment.result), DramAddr(to), 4 * segment.len);
        noc.wait_writes();
        OUT_FREE.publish(segment.result + 1);
    }
}
