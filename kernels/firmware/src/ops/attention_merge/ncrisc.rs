//! NCRISC: a face's rows to DRAM over NoC 1.

use super::{result, units};
use crate::rt::launch::TileLaunch;
use crate::rt::noc::Noc;
use crate::rt::sync::{OUT_FREE, OUT_READY};
use tt_kernel_abi::DramAddr;
use tt_kernel_abi::attention::MergeParams;
use tt_kernel_abi::matmul::HALF_ROW_BYTES;

/// Runs NCRISC's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &MergeParams) {
    let dst = &launch.op.dst;
    let mut noc = Noc::new(1);
    for (number, unit) in units(launch, params) {
        launch.progress(number);
        let (head, face) = (unit / params.faces, unit % params.faces);
        let (batch, head) = (head / params.heads, head % params.heads);
        OUT_READY.wait(number + 1);
        for row in 0..params.rows {
            let to = dst.addr
                + u64::from(face * HALF_ROW_BYTES)
                + u64::from(head * params.rows + row) * dst.nb[1]
                + u64::from(batch) * dst.nb[3];
            noc.write_dram(result(launch).part(row * HALF_ROW_BYTES, HALF_ROW_BYTES), DramAddr(to));
        }
        noc.wait_writes();
        OUT_FREE.publish(number + 1);
    }
}
