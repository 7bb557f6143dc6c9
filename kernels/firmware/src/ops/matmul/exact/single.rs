//! TRISC1, for a single row of activations: the products of a group's eight k-tiles lie in Dst as the vector unit wants them, one row each.
//!
//! `MVMUL` multiplies eight rows of SrcB. With one row of activations, row i of the eight has those of k-tile i of four, and the others are zeros, each k-tile in rows of
//! its own:
//!
//! ```text
//! SrcB                            Dst: PRODUCTS              a register of the vector unit
//!  0..7   k-tile 0, k 0..15       row 0      x k-tile 0      row 0..3 of even or odd columns: 32 products at once
//!  8..15           k 16..31       row 1      x k-tile 1
//! 16..23  k-tile 1, k 0..15       row 2      x k-tile 2      words (WORDS): the same four k-tiles and columns
//! 24..31           k 16..31       row 3      x k-tile 3
//! 32..47  k-tile 2                rows 8..11 the other 16 columns
//! 48..63  k-tile 3                16..       k-tiles 4 to 7, which are the next bank of SrcB
//! ```
//!
//! So four k-tiles are products with the same rows of Dst, each adds zeros to the others' rows, and what the vector unit does for 32 columns it does for eight k-tiles at once. Sums of
//! different k-tiles stay in different rows to the end of a unit, when [`finish`] adds them up for the row that is the result's.
//!
//! The unpacker writes one row of each eight, always the same one ([`trisc0`](super::trisc0)). The others are zero because [`clear`] has made them so before, in both
//! banks; what operators before this one left there does not matter. Where a group has fewer k-tiles, rows of SrcB that none of them is in are not multiplied, and
//! rows of Dst that none of them is in are zero, as all are that nothing was added to since they were cleared; words there are zero, too.
//!
//! Sums of activations are products with a tile of ones, which follows the last tile of a bank of SrcB: all of its k-tiles are multiplied with that.
//!
//! Who waits for whom: [`clear`] comes before the row of activations is rounded, and the vector unit waits for it. TRISC0 unpacks nothing to SrcB before all blocks of that row are packed, and
//! so it comes after that. The matrix unit waits for the vector unit to have taken the products before, and that for the matrix unit's last product of the group, and
//! then for its words. TRISC0 has sent those before the group's tiles, and needs nothing of this thread for that but the slot of two groups ago.

use super::trisc1::{
    ODD, add_outer, at, begin_part, factor_words, factors, load_products, load_words, next_tile,
    outer_factors, parts, point, product_rows, record, repeat, result_row, store,
};
use super::{SEM_WORDS, has_sums};
use crate::ops::matmul::plan::Unit;
use crate::rt::chip::insn::{SEMGET, SETRWC, STALLWAIT, ZEROACC, ZEROSRC};
use crate::rt::matrix::{Faces, NEXT_WORDS, RWC_SRCB, SRCA, SRCB, multiply_next};
use crate::rt::mmio::unrolled_never;
use crate::rt::tensix::{block, push, sem, sem_cond, until};
use crate::rt::tilize::Tiles;
use crate::rt::vector::{RWC_DST, load};
use crate::{semwait, ttinsn, ttprogram};
use tt_kernel_abi::exact::{Kind, PRODUCTS, TILE_ROWS, TILES, WORD_ROWS, WORD_SLOTS, WORDS};
use tt_kernel_abi::matmul::ROW_GROUP;
use tt_kernel_sfpu::Program;
use tt_kernel_sfpu::exact::{self as programs, PRODUCT, SECOND_PRODUCT, SUM};

/// Makes all rows of SrcB zero (and of SrcA, which nobody relies on). The vector unit waits for it.
pub fn clear() {
    ttinsn!(ZEROSRC { src_mask: 0b11, bank_mask: 1, ..ZEROSRC::ZERO }.word());
    ttinsn!(STALLWAIT { stall_res: block::SFPU | block::SYNC, wait_res: until::MATH }.word());
}

/// Adds a group of weights, number `number` of the launch, to a unit's sums.
#[inline(never)]
pub fn multiply(kind: Kind, unit: &Unit, group: Tiles, number: u32) {
    products(kind, group);
    // (Waits that follow wait for this one.)
    semwait!(block::SFPU | block::SYNC, SEM_WORDS, sem_cond::WHILE_ZERO);
    let words = WORDS + number % WORD_SLOTS * WORD_ROWS;
    ttinsn!(SETRWC { bit_mask: RWC_DST, ..SETRWC::ZERO }.word());
    if kind.outer() > 0 {
        outer_factors(kind, words);
    }
    sums(kind, words, result_row(unit), group.first == 0);
    ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::SFPU }.word());
    ttinsn!(SEMGET { sem_sel: sem(SEM_WORDS) }.word());
}

/// Instructions that are recorded in a group, and repeated: of a k-tile's products, behind them those of its sums of activations.
const PRODUCTS_AT: u32 = 0;
const SUMS_AT: u32 = PRODUCTS_AT + NEXT_WORDS;
/// Then, in their place, what the vector unit does with four k-tiles.
const STEP_AT: u32 = 0;

/// Products of a group's tiles, when the vector unit has done with those before.
#[inline(never)]
fn products(kind: Kind, group: Tiles) {
    let apart = matches!(kind, Kind::TwoScales | Kind::SuperTwo);
    let sums_apart = matches!(kind, Kind::SuperFour);
    ttinsn!(STALLWAIT { stall_res: block::MATH, wait_res: until::SFPU }.word());
    ttinsn!(ZEROACC { clear_mode: 2, dst: 0, ..ZEROACC::ZERO }.word());
    point(0);
    let (mut left, mut recorded) = (group.count, 0);
    loop {
        let tiles = left.min(TILES);
        if recorded == 0 {
            ttinsn!(record(PRODUCTS_AT, NEXT_WORDS));
            multiply_next(if apart { Faces::Apart } else { Faces::Together });
        }
        for _ in 0..unrolled_never(tiles + recorded - 1) {
            ttinsn!(repeat(PRODUCTS_AT, NEXT_WORDS));
        }
        if has_sums(kind) {
            // Back to the first k-tile's rows.
            ttinsn!(SETRWC { bit_mask: RWC_SRCB, ..SETRWC::ZERO }.word());
            if recorded == 0 {
                ttinsn!(record(SUMS_AT, NEXT_WORDS));
                multiply_next(if sums_apart { Faces::SecondApart } else { Faces::SecondTogether });
            }
            for _ in 0..unrolled_never(tiles + recorded - 1) {
                ttinsn!(repeat(SUMS_AT, NEXT_WORDS));
            }
            ttinsn!(SETRWC { clear_ab_vld: SRCA, ..SETRWC::ZERO }.word());
        }
        ttinsn!(SETRWC { clear_ab_vld: SRCB, bit_mask: RWC_SRCB, ..SETRWC::ZERO }.word());
        left -= tiles;
        if left == 0 {
            break;
        }
        recorded = 1;
        next_tile();
    }
    ttinsn!(STALLWAIT { stall_res: block::SFPU | block::SYNC, wait_res: until::MATH }.word());
}

const ADD_PRODUCT: Program = programs::add_product();

/// Instructions of four k-tiles' part of a register.
const fn step_words(kind: Kind) -> u32 {
    let loads = if product_rows(kind).1.is_some() { 2 } else { 1 };
    let sum = if matches!(kind, Kind::SuperFour) { 1 + ADD_PRODUCT.words().len() } else { 0 };
    factor_words(kind) + loads + (programs::tile(kind).words().len() + sum) as u32
}

/// Records and executes them.
macro_rules! step {
    ($kind:ident) => {{
        const KIND: Kind = Kind::$kind;
        const TILE: Program = programs::tile(KIND);
        ttinsn!(record(STEP_AT, step_words(KIND)));
        // Where there is one factor for all, the products of all k-tiles are one sum.
        if const { matches!(KIND, Kind::SuperFour) } {
            ttinsn!(load(PRODUCT, PRODUCTS));
            ttprogram!(ADD_PRODUCT);
        }
        factors(KIND);
        load_products!(KIND, 0);
        ttprogram!(TILE);
    }};
}

/// Adds four k-tiles' part of a register, whose words are loaded, and whose products are where Dst's counter is.
#[inline(never)]
fn step(kind: Kind) {
    match kind {
        Kind::Scale => step!(Scale),
        // The second products are sums.
        Kind::ScaleMin | Kind::TwoScales => step!(TwoScales),
        Kind::SuperMin => step!(SuperMin),
        Kind::SuperTwo => step!(SuperTwo),
        Kind::SuperFour => step!(SuperFour),
    }
}

/// The instruction that does that again.
const fn again(kind: Kind) -> u32 {
    const fn of(kind: Kind) -> u32 {
        repeat(STEP_AT, step_words(kind))
    }
    match kind {
        Kind::Scale => const { of(Kind::Scale) },
        Kind::ScaleMin | Kind::TwoScales => const { of(Kind::TwoScales) },
        Kind::SuperMin => const { of(Kind::SuperMin) },
        Kind::SuperTwo => const { of(Kind::SuperTwo) },
        Kind::SuperFour => const { of(Kind::SuperFour) },
    }
}

/// Adds what the scales make of a group's products to the sums from row `result` on, or puts it there.
#[inline(never)]
fn sums(kind: Kind, words: u32, result: u32, is_first: bool) {
    let (rows, outer, again) = (kind.word_rows() as u32, kind.outer(), again(kind));
    for part in parts() {
        let half = part / ROW_GROUP;
        begin_part(part, result, is_first);
        // Dst's counter is at the products: words have half as many rows from one half of the columns to the other, and from four k-tiles to the others.
        let words = words - half * ROW_GROUP;
        load_words(kind, rows, words, 0, half);
        match part {
            0 => step(kind),
            _ => push(again),
        }
        next_tile();
        load_words(kind, rows, words - TILE_ROWS, 1, half);
        push(again);
        add_outer(outer, TILE_ROWS);
        push(at(store(SUM, 0), result - TILE_ROWS));
    }
}

const FOLD: Program = programs::fold();

/// Adds up the rows of a unit's sums: the first row is the result's.
#[inline(never)]
pub fn finish(unit: &Unit) {
    point(result_row(unit));
    ttinsn!(load(0, 0));
    ttinsn!(load(1, ODD));
    ttinsn!(load(2, ROW_GROUP));
    ttinsn!(load(3, ROW_GROUP + ODD));
    ttprogram!(FOLD);
    ttinsn!(store(0, 0));
    ttinsn!(store(1, ODD));
    ttinsn!(store(2, ROW_GROUP));
    ttinsn!(store(3, ROW_GROUP + ODD));
}
