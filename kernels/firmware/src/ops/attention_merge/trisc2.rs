//! TRISC2: a result from Dst to L1.

use super::{result, units};
use crate::ops::sfpu::SEM_COMPUTED;
use crate::rt::chip::insn::{PACR, SEMGET, STALLWAIT};
use crate::rt::launch::TileLaunch;
use crate::rt::pack;
use crate::rt::sync::{OUT_FREE, OUT_READY};
use crate::rt::tensix::{block, sem, sem_cond, sync, until};
use crate::{semwait, ttinsn};
use tt_kernel_abi::attention::MergeParams;

/// Runs TRISC2's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &MergeParams) {
    pack::configure();
    pack::aim(0, result(launch));
    for (number, _) in units(launch, params) {
        launch.progress(number);
        OUT_FREE.wait(number);
        semwait!(block::PACK | block::SYNC, SEM_COMPUTED, sem_cond::WHILE_ZERO);
        ttinsn!(PACR { pack_sel: 0b0001, last: 1, ..PACR::ZERO }.word());
        ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::PACK }.word());
        ttinsn!(SEMGET { sem_sel: sem(SEM_COMPUTED) }.word());
        sync();
        OUT_READY.publish(number + 1);
    }
}
