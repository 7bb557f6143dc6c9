//! Copies to the DRAM of the other chip of a card.
//!
//! ```text
//! DRAM -> block in L1 -> L1 of an Ethernet tile, with a command -> (its firmware, the link) -> DRAM of the other chip
//! ```
//! BRISC of one tile for each link: the firmware's queue wants one writer. While one block waits for its place in the queue, the next one
//! is read. A lane waits for the firmware to take commands, and for the other chip's acknowledgements at the end; nobody waits for it but
//! the host, which counts completions.

use crate::rt::ethernet::Queue;
use crate::rt::lane::Lane;
use tt_isa::eth::routing::BLOCK_SIZE;
use tt_kernel_abi::DramAddr;
use tt_kernel_abi::relay::{RelayParams, piece, place};

/// Runs one lane.
pub fn run(mut lane: Lane, params: &RelayParams) {
    let links = params.links;
    let Some(&node) = params.nodes.get(lane.index as usize).filter(|_| lane.index < links) else { return };
    let op = lane.launch.op;
    let (from, to) = (op.src0.addr, op.dst.addr);
    let source = |at: u32| DramAddr(place(from, at.into(), params.steps[0]));
    let target = |at: u32| DramAddr(place(to, at.into(), params.steps[1]));
    let mut queue = Queue::new(&mut lane.noc, &mut lane.heap, node);
    let buffers = [lane.heap.take(BLOCK_SIZE), lane.heap.take(BLOCK_SIZE)];
    // The block that has been asked for: where it begins, and how long it is.
    let mut asked: Option<(u32, u32)> = None;
    let (mut at, mut number, mut turn) = (0, 0, 0);
    while at < params.bytes {
        let len = piece(from, to, at, params.bytes);
        if number % links == lane.index {
            lane.noc.wait_reads();
            lane.noc.read_dram(source(at), buffers[turn].part(0, len));
            if let Some((at, len)) = asked.replace((at, len)) {
                let block = buffers[1 - turn].part(0, len);
                queue.write(&mut lane.noc, block, target(at), params.chip, params.rack);
                lane.launch.progress(number);
            }
            turn = 1 - turn;
        }
        at += len;
        number += 1;
    }
    if let Some((at, len)) = asked {
        lane.noc.wait_reads();
        let block = buffers[1 - turn].part(0, len);
        queue.write(&mut lane.noc, block, target(at), params.chip, params.rack);
    }
    queue.finish(&mut lane.noc);
}
