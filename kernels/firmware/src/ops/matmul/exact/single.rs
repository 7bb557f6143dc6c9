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
    ODD, SECOND_ROWS, add_outer, at, begin_part, clear_inner, factors, load_products, next_tile,
    outer_factors, parts, point, product_rows, result_row, store, zero,
};
use super::{SEM_WORDS, has_sums};
use crate::ops::matmul::plan::Unit;
use crate::rt::chip::insn::{SEMGET, SETRWC, STALLWAIT, ZEROACC, ZEROSRC};
use crate::rt::matrix::{Faces, RWC_SRCB, SRCA, SRCB, multiply_next};
use crate::rt::mmio::unrolled_never;
use crate::rt::tensix::{block, push, sem, sem_cond, until};
use crate::rt::tilize::Tiles;
use crate::rt::vector::{RWC_DST, load};
use crate::{semwait, ttinsn, ttprogram};
use tt_kernel_abi::exact::{Kind, OUTER, PRODUCTS, TILE_ROWS, TILES, WORD_ROWS, WORD_SLOTS, WORDS};
use tt_kernel_abi::matmul::ROW_GROUP;
use tt_kernel_sfpu::Program;
use tt_kernel_sfpu::exact::{
    self as programs, FACTOR, INNER, PRODUCT, SECOND_FACTOR, SECOND_INNER, SECOND_PRODUCT, SUM,
};

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
    outer_factors(kind, words);
    sums(kind, words, result_row(unit), group.first == 0);
    ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::SFPU }.word());
    ttinsn!(SEMGET { sem_sel: sem(SEM_WORDS) }.word());
}

/// Products of a group's tiles, when the vector unit has done with those before.
#[inline(never)]
fn products(kind: Kind, group: Tiles) {
    let apart = matches!(kind, Kind::TwoScales | Kind::SuperTwo);
    ttinsn!(STALLWAIT { stall_res: block::MATH, wait_res: until::SFPU }.word());
    ttinsn!(ZEROACC { clear_mode: 2, dst: 0, ..ZEROACC::ZERO }.word());
    point(0);
    let mut left = group.count;
    loop {
        let tiles = left.min(TILES);
        multiply_tiles(tiles, if apart { Faces::Apart } else { Faces::Together });
        if has_sums(kind) {
            // Back to the first k-tile's rows.
            ttinsn!(SETRWC { bit_mask: RWC_SRCB, ..SETRWC::ZERO }.word());
            let by_halves = matches!(kind, Kind::SuperFour);
            multiply_tiles(tiles, if by_halves { Faces::SecondApart } else { Faces::SecondTogether });
            ttinsn!(SETRWC { clear_ab_vld: SRCA, ..SETRWC::ZERO }.word());
        }
        ttinsn!(SETRWC { clear_ab_vld: SRCB, bit_mask: RWC_SRCB, ..SETRWC::ZERO }.word());
        left -= tiles;
        if left == 0 {
            break;
        }
        next_tile();
    }
    ttinsn!(STALLWAIT { stall_res: block::SFPU, wait_res: until::MATH }.word());
}

/// Multiplies the next `count` k-tiles.
#[inline(never)]
fn multiply_tiles(count: u32, faces: Faces) {
    for _ in 0..unrolled_never(count) {
        multiply_next(faces);
    }
}

/// Adds what the scales make of a group's products to the sums from row `result` on, or puts it there.
#[inline(never)]
fn sums(kind: Kind, words: u32, result: u32, is_first: bool) {
    for part in parts() {
        begin_part(part, result, is_first);
        add(kind, words, part / ROW_GROUP);
        push(at(store(SUM, 0), result));
    }
}

/// Four and four k-tiles' part of a register.
macro_rules! part {
    ($kind:ident, $words:expr, $half:expr) => {{
        const KIND: Kind = Kind::$kind;
        const TILE: Program = programs::tile(KIND);
        const ROWS: u32 = KIND.word_rows() as u32;
        clear_inner!(KIND);
        // Where there is one factor for all, the products of all k-tiles are one sum.
        if const { matches!(KIND, Kind::SuperFour) } {
            ttinsn!(load(INNER, PRODUCTS));
            ttinsn!(load(PRODUCT, PRODUCTS + TILE_ROWS));
            ttprogram!(ADD_PRODUCT);
        }
        factors(KIND, ROWS, $words, 0, $half);
        load_products!(KIND, 0);
        ttprogram!(TILE);
        factors(KIND, ROWS, $words, 1, $half);
        load_products!(KIND, TILE_ROWS);
        ttprogram!(TILE);
        add_outer!(KIND, 0);
    }};
}

const ADD_PRODUCT: Program = programs::add_product();

/// One register's part. Dst's counter is at its columns; words have half as many rows between both halves of the columns.
#[inline(never)]
fn add(kind: Kind, words: u32, half: u32) {
    let words = words - half * ROW_GROUP;
    match kind {
        Kind::Scale => part!(Scale, words, half),
        // The second products are sums.
        Kind::ScaleMin | Kind::TwoScales => part!(TwoScales, words, half),
        Kind::SuperMin => part!(SuperMin, words, half),
        Kind::SuperTwo => part!(SuperTwo, words, half),
        Kind::SuperFour => part!(SuperFour, words, half),
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
