//! NCRISC: blocks of the result from the ring to DRAM over NoC 1.

use super::Blocks;
use crate::rt::launch::Launch;
use crate::rt::noc::Noc;
use crate::rt::rows::address;
use crate::rt::sync::{OUT_FREE, OUT_READY};
use tt_kernel_abi::DramAddr;
use tt_kernel_abi::elementwise::ElementwiseParams;
use tt_kernel_abi::sfpu::result_slot;

/// Runs NCRISC's part.
#[inline(never)]
pub fn run(launch: &Launch, params: &ElementwiseParams) {
    let blocks = Blocks::new(launch, params);
    let mut noc = Noc::new(1);
    for number in 0..blocks.count {
        launch.progress(number);
        OUT_READY.wait(number + 1);
        let piece = blocks.piece(number);
        let to = address(&launch.op.dst, &piece);
        noc.write_dram(result_slot(number), DramAddr(to), 4 * piece.len);
        noc.wait_writes();
        OUT_FREE.publish(number + 1);
    }
}
