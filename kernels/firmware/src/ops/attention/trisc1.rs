//! TRISC1: queries are scaled and rounded; scores, maxima, powers and their sums; sums of values.
//!
//! In the half of Dst of a head, tile t of positions has rows 16 t to 16 t + 15; behind the last one comes what the powers weigh. The matrix unit
//! walks by address modifiers 0 to 3, as in a product; the vector unit has 4 and 5.

use super::{DST_HALF, Places, units};
use crate::ops::matmul::SEM_DST;
use crate::ops::matmul::trisc0::multiplied_format;
use crate::ops::sfpu::trisc1::{
    RWC_DST, begin, configure as configure_vector_unit, end, load, set_constants, set_register, step, store,
};
use crate::rt::chip::insn::{SEMPOST, SETRWC, SFPLOAD, SFPSTORE, STALLWAIT, ZEROACC};
use crate::rt::chip::thread;
use crate::rt::launch::TileLaunch;
use crate::rt::matrix::{configure, multiply_tile};
use crate::rt::sync::{ROW_READY, WEIGHTS_READY};
use crate::rt::tensix::{block, push, sem, sem_cond, setc16, sync, until};
use crate::{semwait, ttinsn, ttprogram};
use tt_isa::sfpu::{LANES, mod0_fmt};
use tt_kernel_abi::ElementType;
use tt_kernel_abi::attention::{AttentionParams, TILE_ROWS, Unit};
use tt_kernel_abi::matmul::{F16_BIAS, Halves};
use tt_kernel_abi::sfpu::BLOCK;
use tt_kernel_sfpu::Program;
use tt_kernel_sfpu::attention::{self, FACTOR, MINUS_MAX};
use tt_kernel_sfpu::rows::SUM;
use tt_kernel_sfpu::soft_max::{self, LOGIT, MAX};

const QUERY: Program = attention::query();
const LARGER: Program = attention::larger();
const ROW_MAX: Program = attention::row_max();
const POWER: Program = soft_max::power();
const WEIGH: Program = attention::weigh();
const ROW_SUM: Program = attention::row_sum();

/// Address modifiers of the vector unit (sections 4 and 5).
pub mod vector_step {
    /// Dst's counter stays.
    pub const STAY: u32 = 0;
    /// To the next tile.
    pub const TILE: u32 = 1;
}

/// Runs TRISC1's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &AttentionParams) {
    let (mut tiles, mut item) = (0, 0);
    for unit in units(launch, params) {
        launch.progress(unit.number);
        scale_queries(params.scale, params.query_blocks());
        sync();
        ROW_READY.wait(unit.number + 1);
        configure(multiplied_format(ElementType::F16, Halves::Rows));
        configure_steps();
        set_constants(&POWER.constants().with(&[0; 4]));
        for _ in 0..params.heads {
            begin_item(item);
            scores(launch, params, &unit, tiles, item);
            for rows in 0..params.padded_rows() / 4 {
                powers(unit.tiles, rows);
            }
            end_item();
            item += 1;
        }
        for _ in 0..params.heads {
            begin_item(item);
            for tile in 0..params.value_tiles {
                point(item, tile);
                (0..unit.tiles).for_each(|_| multiply_tile(1));
            }
            end_item();
            item += 1;
        }
        tiles += 2 * unit.tiles;
        // Queries of the next unit, or the next operator, configure the thread anew.
        sync();
    }
}

/// `blocks` blocks of queries times the scale, rounded as SrcB takes them beside F16 patterns.
#[inline(never)]
pub fn scale_queries(scale: u32, blocks: u32) {
    configure_vector_unit();
    // The host has seen that the product is finite.
    set_register(FACTOR, scale.wrapping_add(F16_BIAS << 23));
    for number in 0..blocks {
        begin(number);
        for _ in 0..BLOCK / LANES as u32 {
            ttinsn!(load(0, 0));
            ttprogram!(QUERY);
            ttinsn!(store(step::ON));
        }
        end();
    }
}

/// The vector unit's address modifiers. No instruction of the thread is in flight.
fn configure_steps() {
    ttinsn!(setc16(thread::ADDR_MOD_AB_SEC4_SrcAIncr, 0));
    ttinsn!(setc16(thread::ADDR_MOD_AB_SEC5_SrcAIncr, 0));
    ttinsn!(setc16(thread::ADDR_MOD_DST_SEC4_DestIncr, 0));
    ttinsn!(setc16(thread::ADDR_MOD_DST_SEC5_DestIncr, thread::ADDR_MOD_DST_SEC5_DestIncr.value(TILE_ROWS)));
    ttinsn!(setc16(thread::ADDR_MOD_BIAS_SEC4_BiasIncr, 0));
    ttinsn!(setc16(thread::ADDR_MOD_BIAS_SEC5_BiasIncr, 0));
}

/// Waits for the half of Dst of item `item`, and clears it.
#[inline(never)]
fn begin_item(item: u32) {
    semwait!(block::MATH | block::SFPU | block::CFG, SEM_DST, sem_cond::WHILE_MAX);
    push(ZEROACC { clear_mode: 2, dst: item & 1, ..ZEROACC::ZERO }.word());
}

/// Hands it on.
#[inline(never)]
fn end_item() {
    ttinsn!(STALLWAIT { stall_res: block::SYNC | block::CFG, wait_res: until::SFPU | until::MATH }.word());
    ttinsn!(SEMPOST { sem_sel: sem(SEM_DST) }.word());
}

/// Points the matrix unit at tile `tile` of item `item`.
#[inline(never)]
fn point(item: u32, tile: u32) {
    ttinsn!(STALLWAIT { stall_res: block::CFG, wait_res: until::MATH }.word());
    push(setc16(thread::DEST_TARGET_REG_CFG_MATH_Offset, (item & 1) * DST_HALF + tile * TILE_ROWS));
    ttinsn!(SETRWC { bit_mask: 0b1111, ..SETRWC::ZERO }.word());
}

/// Scores of a head, with masks; then the vector unit's turn. `tiles` have come for the units before.
fn scores(launch: &TileLaunch, params: &AttentionParams, unit: &Unit, tiles: u32, item: u32) {
    let flags = Places::of(launch, params, unit).flags();
    for tile in 0..unit.tiles {
        WEIGHTS_READY.wait(tiles + tile + 1);
        let masked = flags[tile as usize].load();
        point(item, tile);
        (0..params.key_tiles + masked).for_each(|_| multiply_tile(1));
    }
    point(item, 0);
    ttinsn!(STALLWAIT { stall_res: block::SFPU, wait_res: until::MATH }.word());
}

/// `SFPLOAD` and `SFPSTORE` of all 32 bits.
pub const fn from_dst(lreg_ind: u32, dest_reg_addr: u32, sfpu_addr_mode: u32) -> u32 {
    SFPLOAD { lreg_ind, instr_mod0: mod0_fmt::INT32, sfpu_addr_mode, dest_reg_addr }.word()
}

/// See [`from_dst`].
pub const fn to_dst(lreg_ind: u32, dest_reg_addr: u32, sfpu_addr_mode: u32) -> u32 {
    SFPSTORE { lreg_ind, instr_mod0: mod0_fmt::INT32, sfpu_addr_mode, dest_reg_addr }.word()
}

/// A step for each register of four rows of a tile, in which `$rows` is the first one: even and odd columns of both faces; the last one moves on.
macro_rules! registers {
    ($rows:expr, $each:ident) => {
        $each!($rows, vector_step::STAY);
        $each!($rows + 2, vector_step::STAY);
        $each!($rows + 8, vector_step::STAY);
        $each!($rows + 10, vector_step::TILE);
    };
}

/// Maxima.
macro_rules! larger {
    ($at:expr, $step:expr) => {
        ttinsn!(from_dst(0, $at, $step));
        ttprogram!(LARGER);
    };
}

/// Powers, in the scores' places.
macro_rules! powers {
    ($at:expr, $step:expr) => {
        ttinsn!(from_dst(LOGIT, $at, vector_step::STAY));
        power();
        ttinsn!(to_dst(0, $at, $step));
    };
}

/// All of four rows whose first one is `$rows`.
macro_rules! rows {
    ($tiles:expr, $rows:expr) => {
        for _ in 0..$tiles {
            registers!($rows, larger);
        }
        ttprogram!(ROW_MAX);
        rewind();
        set_register(SUM, 0);
        for _ in 0..$tiles {
            registers!($rows, powers);
        }
        ttprogram!(ROW_SUM);
        ttinsn!(to_dst(MINUS_MAX, $rows, vector_step::STAY));
        ttinsn!(to_dst(SUM, $rows + 2, vector_step::STAY));
    };
}

/// Powers of four rows of scores and what they weigh: rows 0 to 3, or 4 to 7.
#[inline(never)]
fn powers(tiles: u32, rows: u32) {
    ttinsn!(setc16(thread::ADDR_MOD_SET_Base, 1));
    rewind();
    set_register(MAX, f32::MIN.to_bits());
    match rows {
        0 => {
            rows!(tiles, 0);
        }
        _ => {
            rows!(tiles, 4);
        }
    }
    ttinsn!(STALLWAIT { stall_res: block::CFG, wait_res: until::SFPU }.word());
    ttinsn!(setc16(thread::ADDR_MOD_SET_Base, 0));
}

#[inline(never)]
fn power() {
    ttprogram!(POWER);
    ttprogram!(WEIGH);
}

/// Back to the first tile.
pub fn rewind() {
    ttinsn!(SETRWC { bit_mask: RWC_DST, ..SETRWC::ZERO }.word());
}
