//! BRISC: blocks of the operands from DRAM over NoC 0 into the ring, and before them parameters, if they are in memory.

use super::Blocks;
use crate::ops::elementwise::partner;
use crate::rt::launch::Launch;
use crate::rt::noc::Noc;
use crate::rt::rows::address;
use crate::rt::sync::{BLOCKS_FREE, BLOCKS_READY};
use tt_kernel_abi::DramAddr;
use tt_kernel_abi::elementwise::ElementwiseParams;
use tt_kernel_abi::sfpu::{SLOTS, operand_slot, parameters_slot};

/// Blocks that are read at a time: their requests are under way together.
const BATCH: u32 = SLOTS / 2;

/// Runs BRISC's part.
#[inline(never)]
pub fn run(launch: &Launch, params: &ElementwiseParams) {
    let blocks = Blocks::new(launch, params);
    let mut noc = Noc::new(0);
    let parameters = &launch.op.more[0];
    if parameters.ne[0] > 0 {
        // There together with the first blocks.
        noc.read_dram(DramAddr(parameters.addr), parameters_slot(parameters.addr), 4 * parameters.ne[0]);
    }
    let mut number = 0;
    while number < blocks.count {
        launch.progress(number);
        let end = blocks.count.min(number + BATCH);
        if end > SLOTS {
            BLOCKS_FREE.wait(end - SLOTS);
        }
        for number in number..end {
            fetch(&mut noc, launch, &blocks, number);
        }
        noc.wait_reads();
        number = end;
        BLOCKS_READY.publish(end);
    }
}

fn fetch(noc: &mut Noc, launch: &Launch, blocks: &Blocks, number: u32) {
    let op = launch.op;
    let piece = blocks.piece(number);
    let at = address(&op.src0, &piece);
    noc.read_dram(DramAddr(at), operand_slot(0, number, at), 4 * piece.len);
    if blocks.is_binary() {
        let (piece, _) = partner(&op.src1, op.dst.ne[0], &piece);
        let at = address(&op.src1, &piece);
        noc.read_dram(DramAddr(at), operand_slot(1, number, at), 4 * piece.len);
    }
}
