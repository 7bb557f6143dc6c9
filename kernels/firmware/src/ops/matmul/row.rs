//! One row of activations, as when a model generates text, or the rows of a token's experts one behind the other: it comes to L1 as it lies in DRAM, from one tile for all
//! ([`crate::rt::spread`]), and is rounded to TF32 there by the Tensix units, block by block:
//!
//! ```text
//! NCRISC --acts ready--> TRISC0 --Dst--> TRISC1 --Dst--> TRISC2 --row ready--> TRISC0, TRISC1
//!  L1 <- NoC 1            unpacks         rounds          packs
//! ```
//!
//! A block goes back to where it was: it is packed after it has been unpacked. Then the product begins. SrcB gets two rows a k-tile, those that exist, one
//! for each half of the tile: the rest of its 16 is what it was, and so are results that nobody takes.
//!
//! Who waits for whom: slots of Dst pass on as in [`crate::ops::sfpu`], each wait is for a block of the same number or an earlier one.
//! TRISC0 and TRISC1 wait for TRISC2 to have packed all blocks, since the product's results take the same rows of Dst; TRISC2 waits for
//! nothing of the product before that. NCRISC has published the row before it waits for a result.

use super::plan::{Plan, Unit};
use crate::ops::sfpu::trisc1::{begin, end, load, set_register, step, store};
use crate::ops::sfpu::trisc2::pack_block;
use crate::ops::sfpu::{SEM_FILLED, SEM_TAKEN, dst_slot, trisc0, trisc1};
use crate::rt::activations::ROUND;
use crate::rt::chip::insn::{SEMPOST, SETADCXY, SETADCZW, SFPIADD, STALLWAIT, UNPACR};
use crate::rt::l1::{L1, fill};
use crate::rt::launch::TileLaunch;
use crate::rt::noc::Noc;
use crate::rt::spread;
use crate::rt::sync::{ACTS_READY, ROW_READY};
use crate::rt::tensix::{block, sem, sem_cond, sync, until};
use crate::rt::to_src::go_to_rows;
use crate::rt::unpack::UNPACKER1;
use crate::{semwait, ttinsn};
use tt_isa::sfpu::{LANES, sfpiadd};
use tt_kernel_abi::matmul::{ACT, ACT_BYTES, MAX_ROW_TILES, MatmulParams, TILE};
use tt_kernel_abi::sfpu::{BLOCK, BLOCK_BYTES};
use tt_kernel_abi::{DramAddr, OpDescriptor};

const _: () = assert!((MAX_ROW_TILES * TILE).div_ceil(BLOCK) * BLOCK_BYTES <= ACT_BYTES);

/// Elements of the row, and of all its tiles. Rows of several indices are whole tiles, and one row here.
fn elements(op: &OpDescriptor, params: &MatmulParams) -> (u32, u32) {
    let rows = if params.experts() > 0 && op.src1.nb[2] != 0 { params.experts() } else { 1 };
    (rows * op.src1.ne[0], rows * params.k_tiles * TILE)
}

/// The row's place.
fn place<'a>(launch: &'a TileLaunch) -> L1<'a> {
    launch.l1(ACT, ACT_BYTES)
}

/// NCRISC: worker 0 brings the row, to all.
pub fn send(noc: &mut Noc, launch: &TileLaunch, params: &MatmulParams) {
    let (exist, _) = elements(launch.op, params);
    spread::send(noc, launch, DramAddr(launch.op.src1.addr), place(launch).part(0, 4 * exist));
}

/// NCRISC: waits for the row; zeroes what is left of its last tile.
pub fn receive(launch: &TileLaunch, params: &MatmulParams) {
    spread::receive(launch);
    let (exist, all) = elements(launch.op, params);
    fill(place(launch).part(4 * exist, 4 * (all - exist)).words(), 0);
}

/// Blocks of the row: numbers, and elements.
fn blocks(launch: &TileLaunch, params: &MatmulParams) -> impl Iterator<Item = (u32, u32)> + use<> {
    let (_, all) = elements(launch.op, params);
    (0..all.div_ceil(BLOCK)).map(move |number| (number, BLOCK.min(all - number * BLOCK)))
}

/// A block's place.
fn at<'a>(launch: &'a TileLaunch, number: u32) -> L1<'a> {
    place(launch).part(number * BLOCK_BYTES, BLOCK_BYTES)
}

/// TRISC0: blocks to Dst, and waits until all are rounded.
#[inline(never)]
pub fn unpack(launch: &TileLaunch, params: &MatmulParams) {
    trisc0::configure();
    ACTS_READY.wait(1);
    for (number, len) in blocks(launch, params) {
        if number == 0 || len < BLOCK {
            sync();
            trisc0::set_len(len);
        }
        semwait!(block::UNPACK | block::SYNC, SEM_TAKEN, sem_cond::WHILE_MAX);
        ttinsn!(SEMPOST { sem_sel: sem(SEM_TAKEN) }.word());
        trisc0::unpack(at(launch, number), dst_slot(number));
        ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::UNPACK0 }.word());
        ttinsn!(SEMPOST { sem_sel: sem(SEM_FILLED) }.word());
    }
    sync();
    ROW_READY.wait(1);
}

/// Register with what is added to round.
const ROUNDING: u32 = 1;

/// TRISC1: rounds, and waits until Dst is free again.
#[inline(never)]
pub fn round(launch: &TileLaunch, params: &MatmulParams) {
    trisc1::configure();
    set_register(ROUNDING, ROUND);
    for (number, _) in blocks(launch, params) {
        begin(number);
        for _ in 0..BLOCK / LANES as u32 {
            ttinsn!(load(0, 0));
            ttinsn!(
                SFPIADD { lreg_c: ROUNDING, lreg_dest: 0, instr_mod1: sfpiadd::CC_NONE, ..SFPIADD::ZERO }
                    .word()
            );
            ttinsn!(store(step::ON));
        }
        end();
    }
    sync();
    ROW_READY.wait(1);
}

/// TRISC2: blocks back to L1. The packers are configured.
#[inline(never)]
pub fn pack(launch: &TileLaunch, params: &MatmulParams) {
    for (number, _) in blocks(launch, params) {
        pack_block(number, at(launch, number));
    }
    ROW_READY.publish(1);
}

/// Unpacker 1 begins with the activations of a unit: the first ones in L1, or the row of the unit's expert, of which it brings halves of tiles.
#[inline(always)]
pub fn begin_unit(op: &OpDescriptor, plan: &Plan, unit: &Unit) {
    match plan.own_row(op, unit) {
        0 => ttinsn!(SETADCXY { cnt_set_mask: UNPACKER1, bit_mask: 0b0010, ..SETADCXY::ZERO }.word()),
        row => go_to_rows(2 * row * plan.k_tiles()),
    }
}

/// Unpacks the halves of the next k-tile to the first rows of SrcB's two groups. Channel 0: next half; channel 1: the other group.
#[inline(always)]
pub fn unpack_tile() {
    const HALF: UNPACR = UNPACR {
        unpack_block_selection: 1,
        addr_mode: 1 << 2 | 1 << 4,
        ovrd_thread_id: 1,
        last: 1,
        ..UNPACR::ZERO
    };
    ttinsn!(HALF.word());
    ttinsn!(UNPACR { addr_mode: 1 << 2, set_dat_valid: 1, ..HALF }.word());
    ttinsn!(SETADCZW { cnt_set_mask: UNPACKER1, bit_mask: 0b0100, ..SETADCZW::ZERO }.word());
}
