//! TRISC1: queries are scaled and rounded; scores, largest ones, powers and their sums; sums of values.
//!
//! The matrix unit walks by address modifiers 0 to 3, as in a product; the vector unit has 4 and 5. The vector unit takes four rows of queries at a time, whose first row
//! of Dst in every tile is in `DEST_TARGET_REG_CFG_MATH_Offset`, and goes from tile to tile by Dst's counter.
//!
//! What is repeated most is recorded and sent once more by the coprocessor (`REPLAY.md`): a fidelity phase while the matrix unit has its turn, the program that makes powers
//! while the vector unit has. Each needs more than half of the words that there are, so it is recorded anew in each turn.

use super::{Block, Places, units};
use crate::ops::attention::trisc1::{from_dst, rewind, scale_queries, to_dst, vector_step};
use crate::ops::matmul::SEM_DST;
use crate::ops::matmul::trisc0::multiplied_format;
use crate::ops::sfpu::trisc1::{set_constants, set_register};
use crate::rt::chip::insn::{REPLAY, SEMPOST, SETRWC, STALLWAIT, ZEROACC};
use crate::rt::chip::thread;
use crate::rt::launch::TileLaunch;
use crate::rt::matrix::{Phases, REPLAY_WORDS, RWC_ALL, configure, multiply_at, record_phase};
use crate::rt::sync::{BLOCKS_READY, ROW_READY};
use crate::rt::tensix::{block, push, sem, setc16, sync, until};
use crate::{ttinsn, ttprogram};
use tt_kernel_abi::ElementType;
use tt_kernel_abi::attention_rows::{AttentionRowsParams, STATE, SUMS as VALUES};
use tt_kernel_abi::matmul::{Halves, RESULT_ROWS, ROW_GROUP, TILE};
use tt_kernel_sfpu::Program;
use tt_kernel_sfpu::attention::row_sum;
use tt_kernel_sfpu::attention_rows::{
    self as programs, BEFORE, CONSTANTS, FIRST, LARGEST, LOTS, LOWEST, SECOND, SUMS,
};
use tt_kernel_sfpu::rows::SUM;
use tt_kernel_sfpu::soft_max::MAX;

const LARGER: Program = programs::larger();
const NEW_LARGEST: Program = programs::largest();
const RESCALE_SUMS: Program = programs::rescale_sums();
const RESCALE: Program = programs::rescale();
const POWERS: Program = programs::powers();
const ROW_SUM: Program = row_sum();
const FINISH: Program = programs::finish();

/// [`POWERS`] once more, from where [`record_powers`] has put it.
const REPLAY_POWERS: REPLAY =
    REPLAY { start_idx: 0, len: POWERS.words().len() as u32, execute_while_loading: 0, load_mode: 0 };
const _: () = assert!(POWERS.words().len() as u32 <= REPLAY_WORDS);

/// Rows that the vector unit takes at a time.
const QUAD: u32 = 4;
/// Where the sums of powers of four rows are, beside the largest score.
const STATE_SUM: u32 = STATE + 2;

/// Runs TRISC1's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &AttentionRowsParams) {
    let places = Places { launch, params };
    let (mut walk, mut first, mut blocks) = (0, 0, 0);
    for _ in units(launch, params) {
        let mut end = first;
        for _ in 0..params.heads {
            launch.progress(walk);
            scale_queries(params.scale, params.key_tiles);
            sync();
            walk += 1;
            ROW_READY.wait(walk);
            configure(multiplied_format(ElementType::F16, Halves::Rows));
            configure_steps();
            set_constants(&CONSTANTS);
            vector(|| begin(params.value_tiles));
            end = first;
            loop {
                let block = places.block(end);
                if block.count == 0 {
                    break;
                }
                // The powers before have been packed.
                BLOCKS_READY.wait(blocks);
                scores(params, &block);
                record_powers();
                vector(|| powers(&block, params.value_tiles));
                post();
                values(params, &block);
                blocks += 1;
                end += block.count;
            }
            vector(|| finish(params.value_tiles));
            post();
            // Queries of the next walk, or the next operator, configure the thread anew.
            sync();
        }
        first = end + 1;
    }
}

/// The vector unit's address modifiers. No instruction of the thread is in flight.
fn configure_steps() {
    ttinsn!(setc16(thread::ADDR_MOD_AB_SEC4_SrcAIncr, 0));
    ttinsn!(setc16(thread::ADDR_MOD_AB_SEC5_SrcAIncr, 0));
    ttinsn!(setc16(thread::ADDR_MOD_DST_SEC4_DestIncr, 0));
    ttinsn!(setc16(
        thread::ADDR_MOD_DST_SEC5_DestIncr,
        thread::ADDR_MOD_DST_SEC5_DestIncr.value(RESULT_ROWS)
    ));
    ttinsn!(setc16(thread::ADDR_MOD_BIAS_SEC4_BiasIncr, 0));
    ttinsn!(setc16(thread::ADDR_MOD_BIAS_SEC5_BiasIncr, 0));
}

/// The vector unit's turn, behind the matrix unit's; the matrix unit comes behind it.
#[inline(always)]
fn vector(body: impl Fn()) {
    ttinsn!(STALLWAIT { stall_res: block::CFG | block::SFPU, wait_res: until::MATH }.word());
    ttinsn!(setc16(thread::ADDR_MOD_SET_Base, 1));
    for quad in 0..TILE / QUAD {
        ttinsn!(STALLWAIT { stall_res: block::CFG, wait_res: until::SFPU }.word());
        let row = quad * QUAD / ROW_GROUP * 2 * ROW_GROUP + quad * QUAD % ROW_GROUP;
        push(setc16(thread::DEST_TARGET_REG_CFG_MATH_Offset, row));
        rewind();
        body();
    }
    ttinsn!(STALLWAIT { stall_res: block::CFG | block::MATH, wait_res: until::SFPU }.word());
    ttinsn!(setc16(thread::ADDR_MOD_SET_Base, 0));
    ttinsn!(setc16(thread::DEST_TARGET_REG_CFG_MATH_Offset, 0));
    ttinsn!(SETRWC { bit_mask: RWC_ALL, ..SETRWC::ZERO }.word());
}

/// Hands Dst to TRISC2.
fn post() {
    ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::SFPU }.word());
    ttinsn!(SEMPOST { sem_sel: sem(SEM_DST) }.word());
}

/// A step for each register of four rows of a tile whose first row is `$rows`: even and odd columns of both faces; the last one moves on.
macro_rules! registers {
    ($each:ident $rows:expr) => {
        $each!(LOTS[0], $rows, vector_step::STAY);
        $each!(LOTS[1], $rows + 2, vector_step::STAY);
        $each!(LOTS[2], $rows + 8, vector_step::STAY);
        $each!(LOTS[3], $rows + 10, vector_step::TILE);
    };
}

macro_rules! load {
    ($register:expr, $at:expr, $step:expr) => {
        ttinsn!(from_dst($register, $at, vector_step::STAY));
    };
}

macro_rules! store {
    ($register:expr, $at:expr, $step:expr) => {
        ttinsn!(to_dst($register, $at, $step));
    };
}

/// Nothing so far, of four rows.
fn begin(value_tiles: u32) {
    set_register(SUMS, LOWEST.to_bits());
    ttinsn!(to_dst(SUMS, STATE, vector_step::STAY));
    LOTS.into_iter().for_each(|lot| set_register(lot, 0));
    ttinsn!(to_dst(LOTS[0], STATE_SUM, vector_step::STAY));
    for _ in 0..value_tiles {
        registers!(store VALUES);
    }
}

/// Scores of a block, with masks.
#[inline(never)]
fn scores(params: &AttentionRowsParams, block: &Block) {
    // Eight rows of 32 bits at a time.
    for rows in 0..block.count * RESULT_ROWS / ROW_GROUP {
        push(ZEROACC { clear_mode: 1, dst: rows, ..ZEROACC::ZERO }.word());
    }
    ttinsn!(SETRWC { bit_mask: RWC_ALL, ..SETRWC::ZERO }.word());
    record_phase();
    for _ in 0..params.key_tiles {
        block.tiles().for_each(|tile| multiply(tile * RESULT_ROWS, tile + 1 == block.count));
    }
    for tile in block.tiles().filter(|&tile| block.is_masked(tile)) {
        multiply(tile * RESULT_ROWS, block.masked >> (tile + 1) == 0);
    }
}

/// A product that is added to Dst from row `row` on. SrcB is the next product's, too, unless it is the last one.
#[inline(never)]
fn multiply(row: u32, last: bool) {
    multiply_at(row, Phases::Three, last);
}

/// Records what [`two_powers`] does.
#[inline(never)]
fn record_powers() {
    ttinsn!(REPLAY { load_mode: 1, ..REPLAY_POWERS }.word());
    ttprogram!(POWERS);
}

/// Largest scores of four rows, powers in the scores' places, and what has come before, rescaled.
#[inline(always)]
fn powers(block: &Block, value_tiles: u32) {
    set_register(MAX, f32::MIN.to_bits());
    for _ in block.tiles() {
        larger();
    }
    rewind();
    ttinsn!(from_dst(BEFORE, STATE, vector_step::STAY));
    ttprogram!(NEW_LARGEST);
    ttinsn!(to_dst(MAX, STATE, vector_step::STAY));
    rescale(value_tiles);
    rewind();
    ttinsn!(from_dst(SUMS, STATE_SUM, vector_step::STAY));
    ttprogram!(RESCALE_SUMS);
    for _ in block.tiles() {
        make_powers();
    }
    rewind();
    ttinsn!(to_dst(SUMS, STATE_SUM, vector_step::STAY));
}

/// Largest scores of a tile.
#[inline(never)]
fn larger() {
    ttinsn!(from_dst(FIRST, 0, vector_step::STAY));
    ttinsn!(from_dst(SECOND, 2, vector_step::STAY));
    ttprogram!(LARGER);
    ttinsn!(from_dst(FIRST, 8, vector_step::STAY));
    ttinsn!(from_dst(SECOND, 10, vector_step::TILE));
    ttprogram!(LARGER);
}

/// Multiplies sums of values. Dst's counter begins at zero, and moves on.
#[inline(never)]
fn rescale(value_tiles: u32) {
    for _ in 0..value_tiles {
        registers!(load VALUES);
        ttprogram!(RESCALE);
        registers!(store VALUES);
    }
}

/// Powers of a tile.
#[inline(never)]
fn make_powers() {
    ttinsn!(from_dst(FIRST, 0, vector_step::STAY));
    ttinsn!(from_dst(SECOND, 2, vector_step::STAY));
    two_powers();
    ttinsn!(to_dst(FIRST, 0, vector_step::STAY));
    ttinsn!(to_dst(SECOND, 2, vector_step::STAY));
    ttinsn!(from_dst(FIRST, 8, vector_step::STAY));
    ttinsn!(from_dst(SECOND, 10, vector_step::STAY));
    two_powers();
    ttinsn!(to_dst(FIRST, 8, vector_step::STAY));
    ttinsn!(to_dst(SECOND, 10, vector_step::TILE));
}

/// Powers of what is in the two registers.
#[inline(always)]
fn two_powers() {
    ttinsn!(REPLAY_POWERS.word());
}

/// Adds powers times values to sums.
#[inline(never)]
fn values(params: &AttentionRowsParams, block: &Block) {
    record_phase();
    for _ in block.tiles() {
        for tile in 0..params.value_tiles {
            multiply(VALUES + tile * RESULT_ROWS, tile + 1 == params.value_tiles);
        }
    }
}

/// Means of values, of four rows.
fn finish(value_tiles: u32) {
    ttinsn!(from_dst(SUM, STATE_SUM, vector_step::STAY));
    ttprogram!(ROW_SUM);
    ttinsn!(from_dst(LARGEST, STATE, vector_step::STAY));
    ttprogram!(FINISH);
    rescale(value_tiles);
}
