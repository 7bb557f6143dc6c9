//! NCRISC: a unit's columns to DRAM over NoC 1.

use super::{result, units};
use crate::rt::launch::TileLaunch;
use crate::rt::noc::Noc;
use crate::rt::sync::{OUT_FREE, OUT_READY};
use tt_kernel_abi::DramAddr;
use tt_kernel_abi::expert_sum::ExpertSumParams;

/// Runs NCRISC's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &ExpertSumParams) {
    let dst = &launch.op.dst;
    let mut noc = Noc::new(1);
    for unit in units(launch, params).into_iter().flatten() {
        launch.progress(unit.number);
        OUT_READY.wait(unit.number + 1);
        let to = dst.addr + u64::from(unit.token) * dst.nb[1] + u64::from(unit.skip);
        noc.write_dram(result(launch, unit.number).part(0, 4 * params.columns), DramAddr(to));
        noc.wait_writes();
        OUT_FREE.publish(unit.number + 1);
    }
}
