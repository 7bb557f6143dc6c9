//! TRISC2: results from Dst to the ring.

use super::{Blocks, SEM_COMPUTED, SEM_TAKEN, dst_slot, ordered, result};
use crate::rt::chip::insn::{PACR, SEMGET, STALLWAIT};
use crate::rt::l1::L1;
use crate::rt::launch::TileLaunch;
use crate::rt::pack;
use crate::rt::sync::{OUT_FREE, OUT_READY};
use crate::rt::tensix::{block, sem, sem_cond, sync, until};
use crate::{semwait, ttinsn};
use tt_kernel_abi::elementwise::ElementwiseParams;
use tt_kernel_abi::order::STRIP_SPAN;
use tt_kernel_abi::sfpu::SLOTS;

/// Runs TRISC2's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &ElementwiseParams) {
    let blocks = Blocks::new(launch, params);
    let is_ordered = blocks.is_ordered();
    match is_ordered {
        true => pack::configure_groups(STRIP_SPAN),
        false => pack::configure(),
    }
    for number in 0..blocks.count {
        launch.progress(number);
        if number >= SLOTS {
            OUT_FREE.wait(number - SLOTS + 1);
        }
        match is_ordered {
            true => pack_strip(launch, number),
            false => pack_block(number, result(launch, number)),
        }
        OUT_READY.publish(number + 1);
    }
    if is_ordered {
        pack::end_groups();
    }
}

/// The same as [`pack_block`], in the order of activations.
fn pack_strip(launch: &TileLaunch, number: u32) {
    // The packers are idle since the sync below.
    ordered::aim(launch, number);
    semwait!(block::PACK, SEM_COMPUTED, sem_cond::WHILE_ZERO);
    pack::pack_groups();
    pack::begin_groups();
    give_back();
}

/// Packs block `number` of Dst, when it is computed, to `to`, and gives its slot back.
#[inline(never)]
pub fn pack_block(number: u32, to: L1) {
    // The packers are idle since the sync below.
    pack::aim(dst_slot(number), to);
    semwait!(block::PACK, SEM_COMPUTED, sem_cond::WHILE_ZERO);
    ttinsn!(PACR { pack_sel: 0b1111, last: 1, ..PACR::ZERO }.word());
    give_back();
}

/// The oldest slot of Dst is free again when it is packed.
fn give_back() {
    ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::PACK }.word());
    ttinsn!(SEMGET { sem_sel: sem(SEM_COMPUTED) }.word());
    ttinsn!(SEMGET { sem_sel: sem(SEM_TAKEN) }.word());
    sync();
}
