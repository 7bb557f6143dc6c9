//! What all tiles need of DRAM comes there by one reader: worker 0's NCRISC reads it and multicasts it over NoC 1, so that a bank sends it once.
//!
//! Who waits for whom: worker 0 waits for DRAM, and for acknowledgements that NIUs give without a core. The others wait for worker 0. It begins
//! a launch with that and waits for nobody before. Nobody uses a place in the heap when a launch begins, the others may still be on their way to it:
//! all workers have completed the launch before. Nothing orders two packets in dynamic virtual channels at their receivers, so the word that says that data is
//! there ([`ROW_SENT`](l1::ROW_SENT)) goes out when all have acknowledged the data. It is a launch's number and never cleared: a worker that
//! does not wait for it finds an old number at the next launch.
#![allow(unsafe_code)]

use super::boot;
use super::l1::L1;
use super::launch::{TileLaunch, mailbox};
use super::mmio;
use super::noc::Noc;
use core::mem::offset_of;
use tt_kernel_abi::{BootConfig, DramAddr, l1};

/// All workers, as a multicast's register names them; 0 on all but the one that reads.
fn rect() -> u32 {
    boot::word(offset_of!(BootConfig, workers_on_noc_1)).load()
}

/// On worker 0: brings what is at `addr` to `to`, there and on all others. Elsewhere it does nothing.
#[inline(never)]
pub fn send(noc: &mut Noc, launch: &TileLaunch, addr: DramAddr, to: L1) {
    let rect = rect();
    if rect == 0 {
        return;
    }
    noc.read_dram(addr, to);
    noc.wait_reads();
    let size = |offset| boot::word(offset).load();
    let others = size(offset_of!(BootConfig, grid_width)) * size(offset_of!(BootConfig, grid_height)) - 1;
    if others == 0 {
        return;
    }
    // SAFETY: the same place of the operator's map on all tiles, which nobody uses when a launch begins (head of this module).
    unsafe { noc.write_to_others(to.address(), to.address(), to.len(), rect, others) };
    noc.wait_writes();
    mailbox(l1::NEXT_ROW).store(launch.op.seq);
    // SAFETY: words of the mailboxes, to which there are no references.
    unsafe { noc.write_to_others(l1::NEXT_ROW, l1::ROW_SENT, 4, rect, others) };
}

/// Waits until what [`send`] sends in this launch is there.
#[inline(never)]
pub fn receive(launch: &TileLaunch) {
    if rect() != 0 {
        return;
    }
    while mailbox(l1::ROW_SENT).load() != launch.op.seq {}
    mmio::order();
}
