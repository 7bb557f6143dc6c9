//! TRISC1: products of integers and activations, then what the scales make of them.
//!
//! Where everything is in Dst, [`tt_kernel_abi::exact`] says. Rows of a tile's product, of its factors and of results are alike: a register's part begins at
//! the same four offsets ([`PARTS`]), to which Dst's counter is set, and the second four of eight rows of activations are [`SECOND_ROWS`] behind, where factors
//! of the second kind are.

use super::{SEM_WORDS, has_sums};
use crate::ops::matmul::SEM_DST;
use crate::ops::matmul::plan::{Plan, Unit};
use crate::ops::matmul::trisc1::{ROWS_OF_REGISTER, gated_exact, gated_on_vector_unit, prepare_gated};
use crate::rt::chip::insn::{
    SEMGET, SEMINIT, SEMPOST, SETRWC, SFPLOADI, SFPSHFT, SFPSTORE, STALLWAIT, ZEROACC,
};
use crate::rt::chip::thread;
use crate::rt::launch::TileLaunch;
use crate::rt::matrix::{Faces, RWC_ALL, configure, define_rows, multiply_group};
use crate::rt::sync::OUT_READY;
use crate::rt::tensix::{block, push, sem, sem_cond, setc16, until};
use crate::rt::tilize::Tiles;
use crate::rt::vector::{RWC_DST, load, step};
use crate::{semwait, ttinsn, ttprogram};
use tt_isa::format::DataFormat;
use tt_isa::sfpu::{mod0_fmt, sfploadi, simple};
use tt_kernel_abi::exact::{
    END, FACTORS, Kind, OUTER, PRODUCTS, RESULTS, SECOND, THIRD, TILE_ROWS, TILES, WORD_ROWS, WORD_SLOTS,
    WORDS,
};
use tt_kernel_abi::matmul::{RESULT_ROWS, ROW_GROUP};
use tt_kernel_sfpu::Program;
use tt_kernel_sfpu::exact::{
    self as programs, FACTOR, INNER, PRODUCT, SECOND_FACTOR, SECOND_INNER, SECOND_PRODUCT, SIGN, SUM,
};

/// Offsets of a register's part of a tile: even and odd columns of both faces.
const PARTS: [u32; 4] = [0, ODD, ROW_GROUP, ROW_GROUP + ODD];
/// What an address is more by that means odd columns (`SFPLOAD.md`).
const ODD: u32 = 2;
/// Offset of the second four rows of activations, and of the second kind of factors.
const SECOND_ROWS: u32 = ROWS_OF_REGISTER;

/// Once, at boot.
pub fn boot() {
    push(SEMINIT { max_value: WORD_SLOTS, init_value: 0, sem_sel: sem(SEM_WORDS) }.word());
}

/// First row of a result.
pub fn result_row(unit: &Unit) -> u32 {
    RESULTS + (unit.number & 1) * RESULT_ROWS
}

/// Runs TRISC1's part. A single row of activations is rounded.
pub fn run(launch: &TileLaunch, plan: &mut Plan, kind: Kind) {
    configure(DataFormat::Bfp8);
    let is_gated = gated_on_vector_unit(launch);
    if is_gated {
        prepare_gated();
    }
    let (mut groups, mut is_defined) = (0, false);
    while let Some(unit) = &plan.next() {
        launch.progress(unit.number);
        if is_gated && unit.side == 1 {
            // The other result's place is this unit's, too, and has not been handed on: the one before it has been packed.
            OUT_READY.wait(unit.number - 1);
        }
        semwait!(block::MATH | block::SFPU | block::CFG | block::SYNC, SEM_DST, sem_cond::WHILE_MAX);
        if !is_defined {
            is_defined = true;
            define();
        }
        for chunk in plan.chunks() {
            for group in chunk.pieces(plan.block_tiles()) {
                multiply(kind, unit, group, groups);
                groups += 1;
            }
        }
        ttinsn!(STALLWAIT { stall_res: block::SYNC | block::CFG, wait_res: until::SFPU }.word());
        match (is_gated, unit.side) {
            (true, 0) => continue,
            (true, _) => gated_exact(unit.rows > ROWS_OF_REGISTER),
            (false, _) => {}
        }
        ttinsn!(SEMPOST { sem_sel: sem(SEM_DST) }.word());
    }
    // The next operator may configure the matrix unit anew.
    crate::rt::tensix::sync();
}

/// Has all rows that the vector unit writes to hold something, by the first operands, which stay. (Rows of words are the unpacker's, and it writes whole ones.)
fn define() {
    point(0);
    for row in (OUTER..END).step_by(ROW_GROUP as usize) {
        define_rows(row);
    }
    ttinsn!(STALLWAIT { stall_res: block::SFPU | block::SYNC, wait_res: until::MATH }.word());
}

/// Points both units at row `row` of Dst, with all counters zero.
#[inline(never)]
fn point(row: u32) {
    ttinsn!(STALLWAIT { stall_res: block::CFG, wait_res: until::MATH | until::SFPU }.word());
    push(setc16(thread::DEST_TARGET_REG_CFG_MATH_Offset, row));
    ttinsn!(SETRWC { bit_mask: RWC_ALL, ..SETRWC::ZERO }.word());
}

/// Adds a group of weights, number `number` of the launch, to a unit's results.
#[inline(never)]
fn multiply(kind: Kind, unit: &Unit, group: Tiles, number: u32) {
    let words = WORDS + number % WORD_SLOTS * WORD_ROWS;
    // (Waits that follow wait for this one.)
    semwait!(block::SFPU | block::SYNC, SEM_WORDS, sem_cond::WHILE_ZERO);
    for half in group.pieces(TILES) {
        point(0);
        decode(kind, words, half.first != group.first);
        if half.first + half.count == group.first + group.count {
            ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::SFPU }.word());
            ttinsn!(SEMGET { sem_sel: sem(SEM_WORDS) }.word());
        }
        for rows in 0..unit.groups() {
            products(kind, half.count);
            let exist = unit.rows - rows * ROW_GROUP;
            let result = result_row(unit) + rows * TILE_ROWS;
            sums(kind, half.count, result, half.first == 0, exist > ROWS_OF_REGISTER);
        }
    }
}

/// Products of `tiles` k-tiles with the next group of rows, when the vector unit has done with those before.
#[inline(never)]
fn products(kind: Kind, tiles: u32) {
    ttinsn!(STALLWAIT { stall_res: block::MATH, wait_res: until::SFPU }.word());
    ttinsn!(ZEROACC { clear_mode: 2, dst: 0, ..ZEROACC::ZERO }.word());
    for tile in 0..tiles {
        // Sums of all tiles are one if there is one factor for all.
        point(if kind == Kind::SuperFour { PRODUCTS } else { PRODUCTS + tile * TILE_ROWS });
        match kind {
            Kind::TwoScales | Kind::SuperTwo => multiply_group(Faces::Apart, true),
            _ => multiply_group(Faces::Together, !has_sums(kind)),
        }
        match kind {
            Kind::ScaleMin | Kind::SuperMin => multiply_group(Faces::SecondTogether, true),
            Kind::SuperFour => {
                point(PRODUCTS + tile * TILE_ROWS);
                multiply_group(Faces::SecondApart, true);
            }
            _ => {}
        }
    }
    point(0);
    ttinsn!(STALLWAIT { stall_res: block::SFPU, wait_res: until::MATH }.word());
}

/// Bits of a cell: shifts that leave them alone, to the left, then to the right.
#[derive(Clone, Copy)]
struct Field {
    left: u32,
    right: u32,
}

impl Field {
    /// `bits` bits from bit `first` on.
    const fn new(first: u32, bits: u32) -> Self {
        Self { left: 32 - bits - first, right: 32 - bits }
    }
}

const UNSIGNED: Program = programs::unsigned();
const SIGNED: Program = programs::signed();
const HALF: Program = programs::half();
const SPREAD: Program = programs::spread();

const fn shift(lreg_dest: u32, amount: i32) -> u32 {
    SFPSHFT { imm12_math: amount as u32 & 0xFFF, lreg_c: 0, lreg_dest, instr_mod1: simple::SFPSHFT_ARG_IMM }
        .word()
}

/// Makes numbers of the words of a group's first or second half, and spreads them; with the first half outer factors, too.
#[inline(never)]
fn decode(kind: Kind, words: u32, is_second: bool) {
    let half = u32::from(is_second);
    let pairs = TILES / 2;
    for pair in 0..pairs {
        let factors = FACTORS + pair * 2 * TILE_ROWS;
        for odd in [0, ODD] {
            let to = factors + odd;
            // Four rows of Dst: two tiles' cells.
            let from = words + odd;
            match kind {
                Kind::Scale => {
                    push(load(0, from + 4 * (half * pairs + pair)));
                    spread(to);
                }
                Kind::ScaleMin | Kind::TwoScales => {
                    let from = from + 4 * (half * pairs + pair);
                    half_word(from, Field::new(0, 15), 16, to);
                    half_word(from, Field::new(16, 15), 0, to + SECOND_ROWS);
                }
                Kind::SuperMin | Kind::SuperTwo => {
                    let (from, first) = (from + 4 * pair, 16 * half);
                    byte(kind, from, Field::new(first, 8), to);
                    byte(kind, from, Field::new(first + 8, 8), to + SECOND_ROWS);
                }
                Kind::SuperFour => {
                    let first = 8 * (half * pairs + pair);
                    byte(kind, from, Field::new(first, 4), to);
                    byte(kind, from, Field::new(first + 4, 4), to + SECOND_ROWS);
                }
            }
        }
    }
    if kind.outer() > 0 && !is_second {
        for odd in [0, ODD] {
            // Behind the words: two rows of 16 for each outer factor.
            push(load(0, words + 2 * kind.word_rows() as u32 + odd));
            spread_outer(OUTER + odd);
        }
    }
}

/// The F16 whose lower 15 bits are `field`, and whose sign is `left` bits from the first one, of four rows of cells.
#[inline(never)]
fn half_word(from: u32, field: Field, left: u32, to: u32) {
    push(load(0, from));
    push(shift(0, field.left as i32));
    push(shift(0, -(field.right as i32)));
    push(load(SIGN, from));
    push(shift(SIGN, left as i32));
    ttprogram!(HALF);
    spread(to);
}

/// The integer in `field` of four rows of cells.
#[inline(never)]
fn byte(kind: Kind, from: u32, field: Field, to: u32) {
    push(load(0, from));
    push(shift(0, field.left as i32));
    push(shift(0, -(field.right as i32)));
    match kind {
        Kind::SuperTwo => {
            ttprogram!(SIGNED);
        }
        _ => {
            ttprogram!(UNSIGNED);
        }
    }
    spread(to);
}

/// Stores each row of `LReg[0]` in four rows of Dst: for two tiles, or factors, columns 0 to 15 and 16 to 31.
#[inline(never)]
fn spread(to: u32) {
    ttprogram!(SPREAD);
    for (register, at) in (0..).zip([0, ROW_GROUP, TILE_ROWS, TILE_ROWS + ROW_GROUP]) {
        push(store(register, to + at));
    }
}

/// The same of two outer factors.
#[inline(never)]
fn spread_outer(to: u32) {
    ttprogram!(SPREAD);
    for (register, at) in (0..).zip([0, ROW_GROUP, SECOND_ROWS, SECOND_ROWS + ROW_GROUP]) {
        push(store(register, to + at));
    }
}

const fn store(lreg_ind: u32, dest_reg_addr: u32) -> u32 {
    SFPSTORE { lreg_ind, instr_mod0: mod0_fmt::INT32, sfpu_addr_mode: step::STAY, dest_reg_addr }.word()
}

const fn zero(lreg_ind: u32) -> u32 {
    SFPLOADI { lreg_ind, instr_mod0: sfploadi::FLOATB, imm16: 0 }.word()
}

/// A k-tile's factors and products.
macro_rules! tile {
    ($program:ident, $at:expr, $second:expr, $rows:expr, $tile:literal) => {
        ttinsn!(load(FACTOR, FACTORS + $tile * TILE_ROWS));
        ttinsn!(load(PRODUCT, $at + $tile * TILE_ROWS + $rows));
        if const { $second.is_some() } {
            ttinsn!(load(SECOND_FACTOR, FACTORS + $tile * TILE_ROWS + SECOND_ROWS));
            ttinsn!(load(SECOND_PRODUCT, second_row($second) + $tile * TILE_ROWS + $rows));
        }
        ttprogram!($program);
    };
}

const fn second_row(row: Option<u32>) -> u32 {
    match row {
        Some(row) => row,
        None => 0,
    }
}

/// Adds to one register's part of results what `$tiles` k-tiles of a kind make of them.
macro_rules! part {
    ($kind:ident, $tiles:expr, $rows:expr) => {{
        const TILE: Program = programs::tile(Kind::$kind);
        const LAST: Program = programs::outer(Kind::$kind);
        const ARE_SUMS: bool = matches!(Kind::$kind, Kind::SuperFour);
        const FIRST: u32 = if ARE_SUMS { SECOND } else { PRODUCTS };
        const OTHER: Option<u32> = match Kind::$kind {
            Kind::Scale => None,
            Kind::SuperFour => Some(THIRD),
            _ => Some(SECOND),
        };
        if const { Kind::$kind.outer() > 0 } {
            ttinsn!(zero(INNER));
            ttinsn!(zero(SECOND_INNER));
        }
        tile!(TILE, FIRST, OTHER, $rows, 0);
        if $tiles > 1 {
            tile!(TILE, FIRST, OTHER, $rows, 1);
        }
        if $tiles > 2 {
            tile!(TILE, FIRST, OTHER, $rows, 2);
        }
        if $tiles > 3 {
            tile!(TILE, FIRST, OTHER, $rows, 3);
        }
        if ARE_SUMS {
            ttinsn!(load(INNER, PRODUCTS + $rows));
        }
        if const { Kind::$kind.outer() > 0 } {
            ttinsn!(load(FACTOR, OUTER));
        }
        if const { Kind::$kind.outer() > 1 } {
            ttinsn!(load(SECOND_FACTOR, OUTER + SECOND_ROWS));
        }
        ttprogram!(LAST);
    }};
}

/// Adds to the results from row `result` on, or puts there, what the scales make of `tiles` products.
#[inline(never)]
fn sums(kind: Kind, tiles: u32, result: u32, is_first: bool, has_second_rows: bool) {
    rows(kind, tiles, result, is_first, false);
    if has_second_rows {
        rows(kind, tiles, result + SECOND_ROWS, is_first, true);
    }
}

#[inline(never)]
fn rows(kind: Kind, tiles: u32, result: u32, is_first: bool, second: bool) {
    for part in PARTS {
        push(SETRWC { rwc_d: part, bit_mask: RWC_DST, ..SETRWC::ZERO }.word());
        push(if is_first { zero(SUM) } else { load(SUM, result) });
        match second {
            false => first_rows(kind, tiles),
            true => second_rows(kind, tiles),
        }
        push(store(SUM, result));
    }
}

/// One register's part of the rows that are `$rows` behind the first.
macro_rules! one_part {
    ($name:ident, $rows:expr) => {
        #[inline(never)]
        fn $name(kind: Kind, tiles: u32) {
            match kind {
                Kind::Scale => part!(Scale, tiles, $rows),
                // The second products are sums.
                Kind::ScaleMin | Kind::TwoScales => part!(TwoScales, tiles, $rows),
                Kind::SuperMin => part!(SuperMin, tiles, $rows),
                Kind::SuperTwo => part!(SuperTwo, tiles, $rows),
                Kind::SuperFour => part!(SuperFour, tiles, $rows),
            }
        }
    };
}

one_part!(first_rows, 0);
one_part!(second_rows, SECOND_ROWS);
