//! TRISC1: integers from SrcA to Dst, then what their factors make of them.
//!
//! F16 tiles need exponents that are larger, and the packers would cut off what the matrix unit does not take: both is one number that is added to the bits of a magnitude ([`TO_F16`]), and stays in
//! a constant register. For BF16 tiles it is zero.
//!
//! What is repeated for each eight columns of a tile is recorded once a launch ([`record_weights`]): eight registers, first those of the first 16 elements of K, then
//! the others. Dst's counter stays zero; the offset of TRISC1's addresses moves, in the instruction stream.

use super::{SEM_FILLED, SEM_TAKEN, SEM_WORDS, groups, has_groups, kind};
use crate::ops::matmul::exact::trisc1::{SECOND_ROWS, decode, parts, point, record_only, repeat, store};
use crate::rt::chip::insn::{SEMGET, SEMPOST, SETRWC, SFPIADD, SFPMAD, STALLWAIT};
use crate::rt::chip::thread;
use crate::rt::launch::TileLaunch;
use crate::rt::matrix::{REPLAY_WORDS, RWC_ALL, SRCA, configure_moves, move_rows, move_tile};
use crate::rt::mmio::unrolled_never;
use crate::rt::tensix::{block, push, sem, sem_cond, setc16, sync, until};
use crate::rt::vector::{load, set_constants};
use crate::{semwait, ttinsn, ttprogram};
use tt_isa::format::{DataFormat, FACE_DIM};
use tt_isa::sfpu::{lreg, sfpiadd};
use tt_kernel_abi::exact::{FACTORS, Kind, OUTER, RESULTS, TILE_ROWS, TILES, WORD_ROWS, WORD_SLOTS, WORDS};
use tt_kernel_abi::exact_tiles::{ExactTilesParams, PIECE_TILES, TILE_SPAN, TO_F16, rows};
use tt_kernel_abi::matmul::ROW_GROUP;
use tt_kernel_sfpu::Program;
use tt_kernel_sfpu::exact::weights::{self as programs, FIRST, INTEGERS, OUTER_FIRST, OUTER_SECOND, SECOND};

/// Rows of a register.
const REGISTER: u32 = SECOND_ROWS;
/// Rows from a face to the one with the next elements of K.
const K_FACE: u32 = 2 * FACE_DIM as u32;

/// Runs TRISC1's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &ExactTilesParams) {
    let Some(kind) = kind(launch).filter(|_| has_groups()) else { return };
    let (dst, added) = match params.is_f16 {
        0 => (DataFormat::Bf16, 0),
        _ => (DataFormat::Fp32, TO_F16),
    };
    configure_moves(dst);
    set_constants(&[added, 0, 0, 0]);
    ttinsn!(SETRWC { bit_mask: RWC_ALL, ..SETRWC::ZERO }.word());
    record_weights(kind);
    let mut pieces = 0;
    for (number, count) in groups(params) {
        launch.progress(number);
        if number == 0 {
            define();
        }
        // (Waits that follow wait for this one.)
        semwait!(block::SFPU | block::SYNC, SEM_WORDS, sem_cond::WHILE_ZERO);
        let words = WORDS + number % WORD_SLOTS * WORD_ROWS;
        let (mut block, mut left) = (0, count);
        while left > 0 {
            let tiles = left.min(TILES);
            point(0);
            decode(kind, words, block);
            if left == tiles {
                ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::SFPU }.word());
                ttinsn!(SEMGET { sem_sel: sem(SEM_WORDS) }.word());
            }
            for first in (0..tiles).step_by(PIECE_TILES as usize) {
                compute(kind, first, (tiles - first).min(PIECE_TILES), pieces);
                pieces += 1;
            }
            (block, left) = (block + 1, left - tiles);
        }
    }
    // The next operator may configure the matrix unit anew.
    sync();
}

/// Has all rows that the vector unit alone writes to hold something, by the first tile of integers, which stays (see
/// [`define_rows`](crate::rt::matrix::define_rows)).
fn define() {
    point(0);
    for row in (OUTER..RESULTS).step_by(ROW_GROUP as usize) {
        move_rows(row);
    }
    ttinsn!(STALLWAIT { stall_res: block::SFPU | block::SYNC, wait_res: until::MATH }.word());
}

/// Moves what both units count rows of Dst from, in the instruction stream: behind what has been, before what follows (`SETC16.md`). The row is in its lowest bits.
const COUNT_FROM: u32 = setc16(thread::DEST_TARGET_REG_CFG_MATH_Offset, 0);

/// Piece `number`: `count` k-tiles, whose factors are those of k-tile `first` of four and on.
#[inline(never)]
fn compute(kind: Kind, first: u32, count: u32, number: u32) {
    semwait!(block::MATH | block::SYNC, SEM_TAKEN, sem_cond::WHILE_MAX);
    ttinsn!(SEMPOST { sem_sel: sem(SEM_TAKEN) }.word());
    let tiles = COUNT_FROM + rows(number, 0);
    for tile in 0..count {
        push(tiles + tile * TILE_SPAN);
        move_tile();
        ttinsn!(SETRWC { clear_ab_vld: SRCA, bit_mask: RWC_ALL, ..SETRWC::ZERO }.word());
    }
    ttinsn!(STALLWAIT { stall_res: block::SFPU | block::SYNC, wait_res: until::MATH }.word());
    for part in parts() {
        if kind.outer() > 0 {
            push(COUNT_FROM + part);
            ttinsn!(load(OUTER_FIRST, OUTER));
            ttinsn!(load(OUTER_SECOND, OUTER + SECOND_ROWS));
        }
        // From one half of the columns to the other there is a face.
        let columns = part / ROW_GROUP * FACE_DIM as u32 + part % ROW_GROUP;
        let (mut factors_at, mut tile_at) = (COUNT_FROM + first * TILE_ROWS + part, tiles + columns);
        for _ in 0..count {
            push(factors_at);
            ttinsn!(load(FIRST, FACTORS));
            if kind != Kind::Scale {
                other_factors(kind);
            }
            push(tile_at);
            ttinsn!(repeat(0, WORDS_OF_A_PART));
            (factors_at, tile_at) = (factors_at + TILE_ROWS, tile_at + TILE_SPAN);
        }
    }
    ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::SFPU }.word());
    ttinsn!(SEMPOST { sem_sel: sem(SEM_FILLED) }.word());
}

/// Loads a k-tile's factors of the second kind, and multiplies both with the outer ones.
#[inline(never)]
fn other_factors(kind: Kind) {
    const MIN: Program = programs::times_outer(Kind::SuperMin);
    const TWO: Program = programs::times_outer(Kind::SuperTwo);
    const FOUR: Program = programs::times_outer(Kind::SuperFour);
    ttinsn!(load(SECOND, FACTORS + SECOND_ROWS));
    match kind {
        Kind::SuperMin => ttprogram!(MIN),
        Kind::SuperTwo => ttprogram!(TWO),
        Kind::SuperFour => ttprogram!(FOUR),
        Kind::Scale | Kind::ScaleMin | Kind::TwoScales => {}
    }
}

/// Registers that are computed together: those of the 16 elements of a face.
const AT_ONCE: u32 = 4;
/// Instructions of eight columns of a tile.
const WORDS_OF_A_PART: u32 = 2 * 4 * AT_ONCE;

const _: () = assert!(WORDS_OF_A_PART <= REPLAY_WORDS);

/// Records what is done with eight columns of a tile, and executes nothing.
#[inline(never)]
fn record_weights(kind: Kind) {
    ttinsn!(record_only(0, WORDS_OF_A_PART));
    let [first, second] = programs::faces(kind);
    record_face(0, first);
    record_face(K_FACE, second);
}

/// The face whose rows are `row` rows from the first on. What the vector unit multiplies is there one instruction late (`SFPMAD.md`): others are in between.
#[inline(never)]
fn record_face(row: u32, [factor, addend]: [u32; 2]) {
    /// From the instruction for one register to that for the next.
    const fn step([first, next]: [u32; 2]) -> u32 {
        next - first
    }
    const fn multiply(register: u32, lreg_src_a: u32, lreg_src_c: u32) -> u32 {
        SFPMAD { lreg_src_a, lreg_src_b: register, lreg_src_c, lreg_dest: register, instr_mod1: 0 }.word()
    }
    const fn round(lreg_dest: u32) -> u32 {
        let lreg_c = lreg::PROGRAMMABLE_0;
        SFPIADD { imm12_math: 0, lreg_c, lreg_dest, instr_mod1: sfpiadd::CC_NONE }.word()
    }
    push_four(load(INTEGERS, row), const { step([load(0, 0), load(1, REGISTER)]) });
    push_four(multiply(INTEGERS, factor, addend), const { step([multiply(0, 0, 0), multiply(1, 0, 0)]) });
    push_four(round(INTEGERS), const { step([round(0), round(1)]) });
    push_four(store(INTEGERS, row), const { step([store(0, 0), store(1, REGISTER)]) });
}

/// An instruction for four registers.
#[inline(never)]
fn push_four(mut word: u32, step: u32) {
    for _ in 0..unrolled_never(AT_ONCE) {
        push(word);
        word += step;
    }
}
