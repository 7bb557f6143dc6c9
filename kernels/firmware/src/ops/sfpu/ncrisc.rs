//! NCRISC: blocks of the result from the ring to DRAM over NoC 1.

use super::{Blocks, ordered, result};
use crate::rt::launch::TileLaunch;
use crate::rt::noc::Noc;
use crate::rt::rows::address;
use crate::rt::sync::{OUT_FREE, OUT_READY};
use tt_kernel_abi::DramAddr;
use tt_kernel_abi::elementwise::ElementwiseParams;
use tt_kernel_abi::sfpu::SLOTS;

/// Runs NCRISC's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &ElementwiseParams) {
    let blocks = Blocks::new(launch, params);
    let mut noc = Noc::new(1);
    for number in 0..blocks.count {
        launch.progress(number);
        OUT_READY.wait(number + 1);
        match blocks.is_ordered() {
            true => ordered::send(&mut noc, launch, &blocks, number),
            false => send(&mut noc, launch, &blocks, number),
        }
        // Writes of half of the slots are under way together; TRISC2 has the others.
        if (number + 1).is_multiple_of(SLOTS / 2) {
            noc.wait_writes();
            OUT_FREE.publish(number + 1);
        }
    }
    noc.wait_writes();
}

fn send(noc: &mut Noc, launch: &TileLaunch, blocks: &Blocks, number: u32) {
    let piece = blocks.piece(number);
    let to = address(&launch.op.dst, &piece);
    noc.write_dram(result(launch, number).part(0, 4 * piece.len), DramAddr(to));
}
