//! TRISC1: integers from SrcA to Dst, then what their factors make of them.
//!
//! What is repeated for each eight columns of a tile is recorded once a launch ([`record_weights`]): eight registers, first those of the first 16 elements of K, then
//! the others. Dst's counter stays zero; the offset of TRISC1's addresses moves, in the instruction stream.

use super::{SEM_FILLED, SEM_TAKEN, SEM_WORDS, groups, has_groups, kind};
use crate::ops::matmul::exact::trisc1::{SECOND_ROWS, decode, parts, point, record_only, repeat, store};
use crate::rt::chip::insn::{SEMGET, SEMPOST, SETRWC, STALLWAIT};
use crate::rt::chip::thread;
use crate::rt::launch::TileLaunch;
use crate::rt::matrix::{RWC_ALL, SRCA, configure_moves, move_rows, move_tile};
use crate::rt::tensix::{block, push, sem, sem_cond, setc16, sync, until};
use crate::rt::tilize::Tiles;
use crate::rt::vector::load;
use crate::{semwait, ttinsn, ttprogram};
use tt_isa::format::{DataFormat, FACE_DIM};
use tt_kernel_abi::exact::{FACTORS, Kind, OUTER, RESULTS, TILE_ROWS, TILES, WORD_ROWS, WORD_SLOTS, WORDS};
use tt_kernel_abi::exact_tiles::{ExactTilesParams, PIECE_TILES, rows};
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
    configure_moves(DataFormat::Bf16);
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
        let all = Tiles { first: 0, count };
        for half in all.pieces(TILES) {
            point(0);
            decode(kind, words, half.first / TILES);
            if half.first + half.count == all.count {
                ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::SFPU }.word());
                ttinsn!(SEMGET { sem_sel: sem(SEM_WORDS) }.word());
            }
            for piece in half.pieces(PIECE_TILES) {
                compute(kind, piece.first - half.first, piece.count, pieces);
                pieces += 1;
            }
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

/// Moves what both units count rows of Dst from, in the instruction stream: behind what has been, before what follows (`SETC16.md`).
#[inline(always)]
fn count_from(row: u32) {
    push(setc16(thread::DEST_TARGET_REG_CFG_MATH_Offset, row));
}

/// Piece `number`: `count` k-tiles, whose factors are those of k-tile `first` of four and on.
#[inline(never)]
fn compute(kind: Kind, first: u32, count: u32, number: u32) {
    semwait!(block::MATH | block::SYNC, SEM_TAKEN, sem_cond::WHILE_MAX);
    ttinsn!(SEMPOST { sem_sel: sem(SEM_TAKEN) }.word());
    for tile in 0..count {
        count_from(rows(number, tile));
        move_tile();
        ttinsn!(SETRWC { clear_ab_vld: SRCA, bit_mask: RWC_ALL, ..SETRWC::ZERO }.word());
    }
    ttinsn!(STALLWAIT { stall_res: block::SFPU | block::SYNC, wait_res: until::MATH }.word());
    for part in parts() {
        if kind.outer() > 0 {
            count_from(part);
            ttinsn!(load(OUTER_FIRST, OUTER));
            ttinsn!(load(OUTER_SECOND, OUTER + SECOND_ROWS));
        }
        // From one half of the columns to the other there is a face.
        let columns = part / ROW_GROUP * FACE_DIM as u32 + part % ROW_GROUP;
        for tile in 0..count {
            count_from((first + tile) * TILE_ROWS + part);
            factors(kind);
            count_from(rows(number, tile) + columns);
            ttinsn!(repeat(0, WORDS_OF_A_PART));
        }
    }
    ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::SFPU }.word());
    ttinsn!(SEMPOST { sem_sel: sem(SEM_FILLED) }.word());
}

/// Loads a k-tile's factors, and multiplies them with the outer ones.
#[inline(never)]
fn factors(kind: Kind) {
    const MIN: Program = programs::times_outer(Kind::SuperMin);
    const TWO: Program = programs::times_outer(Kind::SuperTwo);
    const FOUR: Program = programs::times_outer(Kind::SuperFour);
    ttinsn!(load(FIRST, FACTORS));
    if kind == Kind::Scale {
        return;
    }
    ttinsn!(load(SECOND, FACTORS + SECOND_ROWS));
    match kind {
        Kind::SuperMin => ttprogram!(MIN),
        Kind::SuperTwo => ttprogram!(TWO),
        Kind::SuperFour => ttprogram!(FOUR),
        Kind::Scale | Kind::ScaleMin | Kind::TwoScales => {}
    }
}

/// Loads of four registers of integers, `$row` rows and more from the first.
macro_rules! load_four {
    ($row:expr) => {
        ttinsn!(load(INTEGERS, $row));
        ttinsn!(load(INTEGERS + 1, $row + REGISTER));
        ttinsn!(load(INTEGERS + 2, $row + 2 * REGISTER));
        ttinsn!(load(INTEGERS + 3, $row + 3 * REGISTER));
    };
}

/// Stores of them.
macro_rules! store_four {
    ($row:expr) => {
        ttinsn!(store(INTEGERS, $row));
        ttinsn!(store(INTEGERS + 1, $row + REGISTER));
        ttinsn!(store(INTEGERS + 2, $row + 2 * REGISTER));
        ttinsn!(store(INTEGERS + 3, $row + 3 * REGISTER));
    };
}

/// Instructions of eight columns of a tile.
const WORDS_OF_A_PART: u32 = 2 * (4 + 4) + words_of_faces(Kind::Scale);

/// Those of the vector unit's arithmetic: as many for every kind.
const fn words_of_faces(kind: Kind) -> u32 {
    let [first, second] = programs::faces(kind);
    (first.words().len() + second.words().len()) as u32
}

/// Records them, and executes nothing.
macro_rules! record_kind {
    ($kind:ident) => {{
        const FACES: [Program; 2] = programs::faces(Kind::$kind);
        const FIRST_FACE: Program = FACES[0];
        const SECOND_FACE: Program = FACES[1];
        const { assert!(words_of_faces(Kind::$kind) == words_of_faces(Kind::Scale)) };
        load_four!(0);
        ttprogram!(FIRST_FACE);
        store_four!(0);
        load_four!(K_FACE);
        ttprogram!(SECOND_FACE);
        store_four!(K_FACE);
    }};
}

/// Records what is done with eight columns of a tile.
#[inline(never)]
fn record_weights(kind: Kind) {
    ttinsn!(record_only(0, WORDS_OF_A_PART));
    match kind {
        Kind::Scale => record_kind!(Scale),
        Kind::ScaleMin => record_kind!(ScaleMin),
        Kind::TwoScales => record_kind!(TwoScales),
        Kind::SuperMin => record_kind!(SuperMin),
        Kind::SuperTwo => record_kind!(SuperTwo),
        Kind::SuperFour => record_kind!(SuperFour),
    }
}
