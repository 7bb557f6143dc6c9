//! TRISC2: a result from Dst to L1.

use super::{result, units};
use crate::ops::sfpu::SEM_COMPUTED;
use crate::rt::chip::insn::{PACR, SEMGET, STALLWAIT};
use crate::rt::launch::TileLaunch;
use crate::rt::pack;
use crate::rt::sync::{OUT_FREE, OUT_READY};
use crate::rt::tensix::{block, push, sem, sem_cond, sync, until};
use crate::{semwait, ttinsn};
use tt_isa::format::FACE_DATUMS;
use tt_kernel_abi::expert_sum::{ExpertSumParams, SETS};

/// Runs TRISC2's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &ExpertSumParams) {
    let Some(units) = units(launch, params) else { return };
    pack::configure();
    // A packer takes 256 elements.
    let packers = (1 << params.columns.div_ceil(FACE_DATUMS as u32)) - 1;
    for unit in units {
        launch.progress(unit.number);
        if unit.number >= SETS {
            OUT_FREE.wait(unit.number - SETS + 1);
        }
        // The packers are idle since the sync below.
        pack::aim(0, result(launch, unit.number));
        semwait!(block::PACK | block::SYNC, SEM_COMPUTED, sem_cond::WHILE_ZERO);
        push(PACR { pack_sel: packers, last: 1, ..PACR::ZERO }.word());
        ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::PACK }.word());
        ttinsn!(SEMGET { sem_sel: sem(SEM_COMPUTED) }.word());
        sync();
        OUT_READY.publish(unit.number + 1);
    }
}
