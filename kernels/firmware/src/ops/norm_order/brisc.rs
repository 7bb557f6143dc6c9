//! BRISC: rows from DRAM over NoC 0. All rows of a unit, and of the next one, are under way together; rows are told of two by two, as they come.

use super::{address, groups, row_of, zeros};
use crate::rt::l1::fill;
use crate::rt::launch::TileLaunch;
use crate::rt::noc::Noc;
use crate::rt::sync::{BLOCKS_FREE, BLOCKS_READY};
use tt_kernel_abi::DramAddr;
use tt_kernel_abi::matmul::ROW_GROUP;
use tt_kernel_abi::norm_order::{NormOrderParams, UNITS};

/// Rows that are waited for together.
const TOGETHER: u32 = 2;
/// Transaction ids of a unit's rows: of units one after the other other ones. (Reads without one have 8.)
const FIRST_IDS: [u32; UNITS as usize] = [1, 9];

/// Runs BRISC's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &NormOrderParams) {
    let (first, count) = groups(launch, params);
    if count == 0 {
        return;
    }
    let mut noc = Noc::new(0);
    ask(&mut noc, launch, params, [0, first]);
    // Told of with the first rows, if there are no more.
    if params.rows_of(first + count - 1) < ROW_GROUP {
        fill(zeros(launch).words(), 0);
    }
    for unit in 0..count {
        launch.progress(unit);
        if unit + 1 < count {
            // The unit before the last one asked for has left the slot.
            BLOCKS_FREE.wait(unit);
            ask(&mut noc, launch, params, [unit + 1, first + unit + 1]);
        }
        for row in (0..ROW_GROUP).step_by(TOGETHER as usize) {
            noc.wait_read_id(id(unit, row));
            BLOCKS_READY.publish(unit * ROW_GROUP + row + TOGETHER);
        }
    }
    noc.set_read_id(0);
}

fn id(unit: u32, row: u32) -> u32 {
    FIRST_IDS[(unit % UNITS) as usize] + row / TOGETHER
}

/// Asks for the rows of a unit, which is a group.
#[inline(never)]
fn ask(noc: &mut Noc, launch: &TileLaunch, params: &NormOrderParams, [unit, group]: [u32; 2]) {
    for row in 0..params.rows_of(group) {
        noc.set_read_id(id(unit, row));
        let to = row_of(launch, params, [unit, row]);
        noc.read_dram(DramAddr(address(launch, group, row)), to);
    }
}
