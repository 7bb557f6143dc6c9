//! BRISC: rows and weights from DRAM over NoC 0.

use super::{place, units, weights, weights_at};
use crate::rt::launch::TileLaunch;
use crate::rt::noc::Noc;
use crate::rt::sync::{BLOCKS_READY, OUT_READY};
use tt_kernel_abi::DramAddr;
use tt_kernel_abi::expert_sum::{ExpertSumParams, SETS};

/// Runs BRISC's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &ExpertSumParams) {
    let (experts, addend) = (&launch.op.src0, &launch.op.more[0]);
    let (mut noc, bytes) = (Noc::new(0), 4 * params.columns);
    for unit in units(launch, params).into_iter().flatten() {
        launch.progress(unit.number);
        if unit.number >= SETS {
            OUT_READY.wait(unit.number - SETS + 1);
        }
        let (token, skip) = (u64::from(unit.token), u64::from(unit.skip));
        let to = place(launch, params, unit.number);
        noc.read_dram(DramAddr(weights_at(launch, &unit)), weights(launch, params, &unit));
        let mut from = experts.addr + token * experts.nb[2] + skip;
        for expert in 0..params.experts {
            noc.read_dram(DramAddr(from), to.part(expert * bytes, bytes));
            from += experts.nb[1];
        }
        if addend.ne[0] > 0 {
            let from = addend.addr + token * addend.nb[1] + skip;
            noc.read_dram(DramAddr(from), to.part(params.experts * bytes, bytes));
        }
        noc.wait_reads();
        BLOCKS_READY.publish(unit.number + 1);
    }
}
