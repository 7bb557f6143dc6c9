//! BRISC: blocks of the operands from DRAM over NoC 0 into the ring, and before them parameters, if they are in memory.

use super::{Blocks, operand, ordered, parameters};
use crate::ops::elementwise::partner;
use crate::rt::launch::TileLaunch;
use crate::rt::noc::Noc;
use crate::rt::rows::address;
use crate::rt::sync::{BLOCKS_FREE, BLOCKS_READY};
use tt_kernel_abi::DramAddr;
use tt_kernel_abi::elementwise::ElementwiseParams;
use tt_kernel_abi::sfpu::SLOTS;

/// Blocks that are read at a time: their requests are under way together.
const BATCH: u32 = SLOTS / 2;

/// Runs BRISC's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &ElementwiseParams) {
    let blocks = Blocks::new(launch, params);
    let mut noc = Noc::new(0);
    let in_memory = &launch.op.more[0];
    if in_memory.ne[0] > 0 {
        // There together with the first blocks.
        let to = parameters(launch, in_memory.addr, in_memory.ne[0]);
        noc.read_dram(DramAddr(in_memory.addr), to);
    }
    let mut number = 0;
    while number < blocks.count {
        launch.progress(number);
        let end = blocks.count.min(number + BATCH);
        if end > SLOTS {
            BLOCKS_FREE.wait(end - SLOTS);
        }
        for number in number..end {
            match blocks.is_ordered() {
                true => ordered::fetch(&mut noc, launch, &blocks, number),
                false => fetch(&mut noc, launch, &blocks, number),
            }
        }
        noc.wait_reads();
        number = end;
        BLOCKS_READY.publish(end);
    }
}

fn fetch(noc: &mut Noc, launch: &TileLaunch, blocks: &Blocks, number: u32) {
    let op = launch.op;
    let piece = blocks.piece(number);
    let at = address(&op.src0, &piece);
    noc.read_dram(DramAddr(at), operand(launch, 0, number, at).part(0, 4 * piece.len));
    if blocks.is_binary() {
        let (piece, _) = partner(&op.src1, op.dst.ne[0], &piece);
        let at = address(&op.src1, &piece);
        noc.read_dram(DramAddr(at), operand(launch, 1, number, at).part(0, 4 * piece.len));
    }
}
