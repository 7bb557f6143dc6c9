//! Bytes moved as they are ([`tt_kernel_abi::transfer`]): all of it is BRISC's work, over NoC 0.
//!
//! ```text
//! DRAM -> slots in L1 -> PCIe tile -> the host's memory
//!                     -> DRAM
//! ```
//! A worker reads as many of its pieces as it has slots, waits for them, writes them, and waits until all are acknowledged before
//! it uses the slots again. While one worker waits for DRAM others write, which keeps PCIe busy.
//!
//! Who waits for whom: nobody for another worker. A worker's last wait is for its writes' acknowledgements. The PCIe tile gives one when it
//! has taken a write, in front of everything that reaches it later. So the counts, which are pushed when every worker has counted
//! itself ([`tt_kernel_abi::launch`]), enter PCIe behind all data, and writes on PCIe do not pass one another.

use crate::rt::l1::{L1, fill};
use crate::rt::lane::Lane;
use crate::rt::mmio::order;
use tt_kernel_abi::DramAddr;
use tt_kernel_abi::dram::DRAM_PAGE;
use tt_kernel_abi::launch::ErrorCode;
use tt_kernel_abi::target::{CONGRUENCE, offset};
use tt_kernel_abi::transfer::{Kind, TransferParams};

/// Pieces under way.
const SLOTS: u32 = 16;
/// Bytes of a slot: a page, and what its source is away from a multiple of the congruence.
const SLOT: u32 = DRAM_PAGE + CONGRUENCE;
const _: () = assert!(SLOT.is_multiple_of(CONGRUENCE) && SLOTS * SLOT <= crate::rt::heap::BYTES);

/// Runs BRISC's part.
pub fn run(mut lane: Lane, params: &TransferParams) {
    let memory = lane.heap.take(SLOTS * SLOT);
    match params.kind() {
        Some(Kind::Fill) => fill_dram(&mut lane, params, memory),
        Some(kind) => move_bytes(&mut lane, params, kind, memory),
        None => lane.launch.fail(ErrorCode::BadDescriptor, 0, params.kind),
    }
}

/// Reads pieces into slots and writes them where they belong.
fn move_bytes(lane: &mut Lane, params: &TransferParams, kind: Kind, memory: L1) {
    let (count, step) = (params.pieces(), lane.launch.op.cores);
    // Where a piece lies in its slot: as far from a multiple of the congruence as in DRAM.
    let slot = |slot: u32, n: u32| {
        let piece = params.piece(n);
        (piece.first, memory.part(slot * SLOT, SLOT).part(offset(params.from + piece.first), piece.len))
    };
    let mut next = lane.launch.index;
    while next < count {
        lane.launch.progress(next);
        let batch = SLOTS.min((count - next).div_ceil(step));
        for i in 0..batch {
            let (first, part) = slot(i, next + i * step);
            lane.noc.read_dram(DramAddr(params.from + first), part);
        }
        lane.noc.wait_reads();
        for i in 0..batch {
            let (first, part) = slot(i, next + i * step);
            let to = params.to + first;
            match kind {
                Kind::ToHost => lane.noc.write_host(part, [to as u32, params.value]),
                _ => lane.noc.write_dram(part, DramAddr(to)),
            }
        }
        lane.noc.wait_writes();
        next += batch * step;
    }
}

/// Writes a slot full of the word to every piece.
fn fill_dram(lane: &mut Lane, params: &TransferParams, memory: L1) {
    let page = memory.part(0, SLOT);
    fill(page.words(), params.value);
    order();
    let mut next = lane.launch.index;
    while next < params.pieces() {
        lane.launch.progress(next);
        let piece = params.piece(next);
        let to = params.to + piece.first;
        lane.noc.write_dram(page.part(offset(to), piece.len), DramAddr(to));
        next += lane.launch.op.cores;
    }
    lane.noc.wait_writes();
}
