//! TRISC1: products of integers and activations, then what the scales make of them. A single row of activations takes another way ([`single`]).
//!
//! Where everything is in Dst, [`tt_kernel_abi::exact`] says. Rows of a tile's product, of its factors and of results are alike: a register's part begins at
//! the same four offsets ([`parts`]), to which Dst's counter is set, and the second four of eight rows of activations are [`SECOND_ROWS`] behind, where factors
//! of the second kind are.

use super::{SEM_WORDS, has_sums, single};
use crate::ops::matmul::SEM_DST;
use crate::ops::matmul::plan::{Plan, Unit};
use crate::ops::matmul::trisc1::{ROWS_OF_REGISTER, gated_exact, gated_on_vector_unit, prepare_gated};
use crate::rt::chip::insn::{
    INCRWC, REPLAY, SEMGET, SEMINIT, SEMPOST, SETRWC, SFPLOADI, SFPSHFT, SFPSTORE, STALLWAIT, ZEROACC,
};
use crate::rt::chip::thread;
use crate::rt::launch::TileLaunch;
use crate::rt::matrix::{
    Faces, REPLAY_WORDS, RWC_ALL, configure, configure_next, define_rows, multiply_group,
};
use crate::rt::mmio::unrolled_never;
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
    self as programs, FACTOR, INNER, PRODUCT, SECOND_FACTOR, SECOND_INNER, SECOND_PRODUCT, SUM, WORD,
};

/// Registers of a tile: offset of a register's rows, even and odd columns of both faces.
pub fn parts() -> impl Iterator<Item = u32> {
    (0..unrolled_never(4)).map(|number| number / 2 * ROW_GROUP + number % 2 * ODD)
}

/// What an address is more by that means odd columns (`SFPLOAD.md`).
pub(super) const ODD: u32 = 2;
/// Offset of the second four rows of activations, and of the second kind of factors.
pub const SECOND_ROWS: u32 = ROWS_OF_REGISTER;

/// Once, at boot.
pub fn boot() {
    push(SEMINIT { max_value: WORD_SLOTS, init_value: 0, sem_sel: sem(SEM_WORDS) }.word());
}

/// First row of a result.
pub fn result_row(unit: &Unit) -> u32 {
    RESULTS + (unit.number & 1) * RESULT_ROWS
}

/// Runs TRISC1's part. A single row of activations is rounded.
pub fn run(launch: &TileLaunch, plan: &mut Plan, kind: Kind, is_row: bool) {
    configure(DataFormat::Bfp8);
    if is_row {
        configure_next();
    }
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
                match is_row {
                    true => single::multiply(kind, unit, group, groups),
                    false => multiply(kind, unit, group, groups),
                }
                groups += 1;
            }
        }
        if is_row {
            single::finish(unit);
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
pub fn point(row: u32) {
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
        decode(kind, words, (half.first - group.first) / TILES);
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

const HALVES: Program = programs::halves();
const BYTES: Program = programs::bytes();
const SIGNED_BYTES: Program = programs::signed_bytes();
const NIBBLES: Program = programs::nibbles();
const SPREAD: Program = programs::spread();

/// Loads four k-tiles' words: of the first four of a group or (`block` 1) the others, and of the first or (`half` 1) the other sixteen columns, even or odd ones.
/// `words` is the first of `rows` rows of the group's, as Dst's counter is, and means even columns or odd ones.
#[inline(always)]
pub(super) fn load_words(kind: Kind, rows: u32, words: u32, block: u32, half: u32) {
    let row = (2 * block + half) * ROWS_OF_REGISTER;
    // So many rows are in the low bits: a byte for each four of the sixteen.
    let below = row & !(rows - 1);
    let register = if matches!(kind, Kind::Scale) { FACTOR } else { WORD };
    push(at(load(register, 0), words + row - below));
    if rows < WORD_ROWS {
        push(shift_right(WORD, 2 * below));
    }
}

/// Makes factors of words. Registers of inner sums stay where the kind has some.
#[inline(always)]
pub(super) fn factors(kind: Kind) {
    match kind {
        Kind::Scale => {}
        Kind::ScaleMin | Kind::TwoScales => halves(),
        Kind::SuperMin => bytes(),
        Kind::SuperTwo => signed_bytes(),
        Kind::SuperFour => nibbles(),
    }
}

/// Instructions of [`factors`].
pub(super) const fn factor_words(kind: Kind) -> u32 {
    let words = match kind {
        Kind::Scale => 0,
        Kind::ScaleMin | Kind::TwoScales => HALVES.words().len(),
        Kind::SuperMin => BYTES.words().len(),
        Kind::SuperTwo => SIGNED_BYTES.words().len(),
        Kind::SuperFour => NIBBLES.words().len(),
    };
    words as u32
}

#[inline(never)]
fn halves() {
    ttprogram!(HALVES);
}

#[inline(never)]
fn bytes() {
    ttprogram!(BYTES);
}

#[inline(never)]
fn signed_bytes() {
    ttprogram!(SIGNED_BYTES);
}

#[inline(never)]
fn nibbles() {
    ttprogram!(NIBBLES);
}

const fn shift_right(lreg_dest: u32, amount: u32) -> u32 {
    let imm12_math = amount.wrapping_neg() & 0xFFF;
    SFPSHFT { imm12_math, lreg_c: 0, lreg_dest, instr_mod1: simple::SFPSHFT_ARG_IMM }.word()
}

/// Makes numbers of the words of a group's first or second half, and spreads them; with the first half outer factors, too.
#[inline(never)]
pub fn decode(kind: Kind, words: u32, block: u32) {
    let rows = kind.word_rows() as u32;
    for part in parts() {
        load_words(kind, rows, words + part % ROW_GROUP, block, part / ROW_GROUP);
        if kind != Kind::Scale {
            factors(kind);
        }
        ttprogram!(SPREAD);
        // The four rows are k-tiles.
        store_tiles(store(0, FACTORS) + part);
        if kind != Kind::Scale {
            store_tiles(store(4, FACTORS + SECOND_ROWS) + part);
        }
    }
    if block == 0 && kind.outer() > 0 {
        outer_factors(kind, words);
    }
}

/// Spreads a group's outer factors.
#[inline(never)]
pub(super) fn outer_factors(kind: Kind, words: u32) {
    // Behind the words: two rows of 16 for each outer factor.
    let words = words + kind.word_rows() as u32;
    for odd in (0..unrolled_never(2)).map(|number| number * ODD) {
        push(at(load(FACTOR, 0), words + odd));
        ttprogram!(SPREAD);
        let to = OUTER + odd;
        for (register, row) in (0..).zip([0, ROW_GROUP, SECOND_ROWS, SECOND_ROWS + ROW_GROUP]) {
            push(at(store(register, 0), to + row));
        }
    }
}

/// Stores four registers, one for each of four tiles; `word` stores the first.
#[inline(always)]
fn store_tiles(word: u32) {
    const STEP: u32 = store(1, TILE_ROWS) - store(0, 0);
    const { assert!(TILES == 4) };
    push(word);
    push(word + STEP);
    push(word + 2 * STEP);
    push(word + 3 * STEP);
}

/// A load or store of row 0, of row `row` of Dst: the address is in a word's lowest bits. (Encoders look at what they get, and these words are many.)
pub const fn at(word: u32, row: u32) -> u32 {
    word + row
}

/// Sets Dst's counter to `row`, at most 15.
const fn set_row(row: u32) -> u32 {
    const FIRST: SETRWC = SETRWC { bit_mask: RWC_DST, ..SETRWC::ZERO };
    const ONE: u32 = SETRWC { rwc_d: 1, ..FIRST }.word() - FIRST.word();
    FIRST.word() + row * ONE
}

/// `SFPSTORE` of all 32 bits as they are; Dst's counter stays.
pub const fn store(lreg_ind: u32, dest_reg_addr: u32) -> u32 {
    SFPSTORE { lreg_ind, instr_mod0: mod0_fmt::INT32, sfpu_addr_mode: step::STAY, dest_reg_addr }.word()
}

pub(super) const fn zero(lreg_ind: u32) -> u32 {
    SFPLOADI { lreg_ind, instr_mod0: sfploadi::FLOATB, imm16: 0 }.word()
}

/// First rows of what a kind's factors are factors of; the second kind of them, if there is one.
pub(super) const fn product_rows(kind: Kind) -> (u32, Option<u32>) {
    match kind {
        Kind::Scale => (PRODUCTS, None),
        Kind::SuperFour => (SECOND, Some(THIRD)),
        _ => (PRODUCTS, Some(SECOND)),
    }
}

/// Loads of a tile's products, which are `$at` rows behind the first one's.
macro_rules! load_products {
    ($kind:expr, $at:expr) => {
        ttinsn!(load(PRODUCT, product_rows($kind).0 + $at));
        if const { product_rows($kind).1.is_some() } {
            ttinsn!(load(
                SECOND_PRODUCT,
                match product_rows($kind).1 {
                    Some(row) => row + $at,
                    None => 0,
                }
            ));
        }
    };
}

pub(super) use load_products;

/// Instructions of [`next_tile`].
const NEXT_TILE_WORDS: u32 = 2;

/// Moves Dst's counter on to the rows of the next tile.
#[inline(always)]
pub(super) fn next_tile() {
    const { assert!(TILE_ROWS == 2 * 8) };
    ttinsn!(INCRWC { rwc_d: 8, ..INCRWC::ZERO }.word());
    ttinsn!(INCRWC { rwc_d: 8, ..INCRWC::ZERO }.word());
}

/// Adds to the results from row `result` on, or puts there, what the scales make of `tiles` products.
#[inline(never)]
fn sums(kind: Kind, tiles: u32, result: u32, is_first: bool, has_second_rows: bool) {
    let (outer, again) = (kind.outer(), again(kind));
    for second_rows in 0..if has_second_rows { 2 } else { 1 } {
        let rows = second_rows * SECOND_ROWS;
        for part in parts() {
            begin_part(part + rows, result, is_first);
            // One factor is for the products of all k-tiles.
            if matches!(kind, Kind::SuperFour) {
                ttinsn!(load(INNER, PRODUCTS));
            }
            let mut left = tiles;
            if part == 0 {
                step(kind, rows);
                left -= 1;
            }
            for _ in 0..unrolled_never(left) {
                push(again);
            }
            push(set_row(part + rows));
            add_outer(outer, rows);
            push(at(store(SUM, 0), result));
        }
    }
}

/// Points at a register's rows, `part` rows from a tile's first, and loads its results, which begin at row `result`, or zero; inner sums are zero.
#[inline(always)]
pub(super) fn begin_part(part: u32, result: u32, is_first: bool) {
    push(set_row(part));
    push(if is_first { zero(SUM) } else { at(load(SUM, 0), result) });
    ttinsn!(zero(INNER));
    ttinsn!(zero(SECOND_INNER));
}

/// Adds the part of `count` outer factors, which are the same for all rows, and begin `rows` rows before the one that Dst's counter is at.
#[inline(always)]
pub(super) fn add_outer(count: usize, rows: u32) {
    if count > 0 {
        push(at(load(FACTOR, 0), OUTER - rows));
        push(at(load(SECOND_FACTOR, 0), OUTER + SECOND_ROWS - rows));
        ttprogram!(OUTER_FACTOR);
    }
    if count > 1 {
        ttprogram!(SECOND_OUTER_FACTOR);
    }
}

const OUTER_FACTOR: Program = programs::outer_factor();
const SECOND_OUTER_FACTOR: Program = programs::second_outer_factor();

/// Records the `len` instructions that follow, which execute, too.
pub const fn record(start_idx: u32, len: u32) -> u32 {
    assert!(start_idx + len <= REPLAY_WORDS);
    REPLAY { start_idx, len, execute_while_loading: 1, load_mode: 1 }.word()
}

/// The same without executing them.
pub const fn record_only(start_idx: u32, len: u32) -> u32 {
    assert!(start_idx + len <= REPLAY_WORDS);
    REPLAY { start_idx, len, execute_while_loading: 0, load_mode: 1 }.word()
}

/// Executes them again.
pub const fn repeat(start_idx: u32, len: u32) -> u32 {
    REPLAY { start_idx, len, execute_while_loading: 0, load_mode: 0 }.word()
}

/// Instructions of a k-tile's part of a register.
const fn step_words(kind: Kind) -> u32 {
    let kinds_of_factors = if product_rows(kind).1.is_some() { 2 } else { 1 };
    2 * kinds_of_factors + programs::tile(kind).words().len() as u32 + NEXT_TILE_WORDS
}

/// Records and executes them.
macro_rules! step {
    ($kind:ident, $rows:expr) => {{
        const KIND: Kind = Kind::$kind;
        const TILE: Program = programs::tile(KIND);
        ttinsn!(record(0, step_words(KIND)));
        push(at(load(FACTOR, 0), FACTORS - $rows));
        if const { product_rows(KIND).1.is_some() } {
            push(at(load(SECOND_FACTOR, 0), FACTORS + SECOND_ROWS - $rows));
        }
        load_products!(KIND, 0);
        ttprogram!(TILE);
        next_tile();
    }};
}

/// Adds a k-tile's part of a register, and goes on to the next tile. Factors are the same for all rows, and `rows` rows before those that Dst's counter is at.
#[inline(never)]
fn step(kind: Kind, rows: u32) {
    match kind {
        Kind::Scale => step!(Scale, rows),
        // The second products are sums.
        Kind::ScaleMin | Kind::TwoScales => step!(TwoScales, rows),
        Kind::SuperMin => step!(SuperMin, rows),
        Kind::SuperTwo => step!(SuperTwo, rows),
        Kind::SuperFour => step!(SuperFour, rows),
    }
}

/// The instruction that does that again.
fn again(kind: Kind) -> u32 {
    const fn of(kind: Kind) -> u32 {
        repeat(0, step_words(kind))
    }
    match kind {
        Kind::Scale => const { of(Kind::Scale) },
        Kind::ScaleMin | Kind::TwoScales => const { of(Kind::TwoScales) },
        Kind::SuperMin => const { of(Kind::SuperMin) },
        Kind::SuperTwo => const { of(Kind::SuperTwo) },
        Kind::SuperFour => const { of(Kind::SuperFour) },
    }
}
