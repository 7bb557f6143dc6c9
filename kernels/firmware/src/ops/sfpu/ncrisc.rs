//! NCRISC: blocks of the result from the ring to DRAM over NoC 1.

use super::{Blocks, result};
use crate::rt::launch::TileLaunch;
use crate::rt::noc::Noc;
use crate::rt::rows::address;
use crate::rt::sync::{OUT_FREE, OUT_READY};
use tt_kernel_abi::DramAddr;
use tt_kernel_abi::elementwise::ElementwiseParams;

/// Runs NCRISC's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &ElementwiseParams) {
    let blocks = Blocks::new(launch, params);
    let mut noc = Noc::new(1);
    for number in 0..blocks.count {
        launch.progress(number);
        OUT_READY.wait(number + 1);
        let piece = blocks.piece(number);
        let to = address(&launch.op.dst, &piece);
        noc.write_dram(result(launch, number).part(0, 4 * piece.len), DramAddr(to));
        noc.wait_writes();
        OUT_FREE.publish(number + 1);
    }
}
