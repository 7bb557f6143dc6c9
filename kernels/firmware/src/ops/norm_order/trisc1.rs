//! TRISC1: factors of rows, then results of strips, in place in Dst.

use super::{groups, half};
use crate::ops::order::trisc1::{is_larger, is_rounded, times_larger};
use crate::ops::sfpu_rows::norms;
use crate::ops::sfpu_rows::trisc1::{LANES, begin, each, end};
use crate::rt::chip::insn::SFPNOP;
use crate::rt::launch::TileLaunch;
use crate::rt::tensix::{push, sync};
use crate::rt::vector::{configure, load, set_register, step, store_at};
use crate::{ttinsn, ttprogram};
use tt_kernel_abi::matmul::ROW_GROUP;
use tt_kernel_abi::norm_order::{FACTORS_ROW, NormOrderParams, WEIGHTS_ROW, WIDTH_ROWS};
use tt_kernel_abi::order::HALF_OF_SEVEN;
use tt_kernel_sfpu::Program;
use tt_kernel_sfpu::norm::{ADDED, two_rows};
use tt_kernel_sfpu::rows::SUM;

/// First register of the factors of four rows.
const FACTORS: u32 = 4;
/// Rows that are computed together.
const AT_ONCE: u32 = 4;
const FIRST_TWO: Program = two_rows(FACTORS);
const OTHER_TWO: Program = two_rows(FACTORS + 2);

const _: () = assert!(2 * AT_ONCE == ROW_GROUP);

/// Runs TRISC1's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &NormOrderParams) {
    configure();
    let (first, count) = groups(launch, params);
    let mut number = 0;
    for group in first..first + count {
        let rows = params.rows_of(group);
        for row in 0..rows {
            norms::begin();
            for segment in 0..params.segments() {
                launch.progress(number);
                begin(number);
                norms::squares(params.segment(segment).1 / LANES);
                if segment + 1 == params.segments() {
                    norms::rms_factor(params.factor.to_bits(), params.eps.to_bits());
                    if is_larger(launch.op) {
                        enlarge();
                    }
                    push(store_at(SUM, step::STAY, factor_place(number, row)));
                }
                end();
                number += 1;
            }
        }
        for strip in 0..params.strips() {
            launch.progress(number);
            begin(number);
            if strip == 0 {
                no_factors(number, rows);
            }
            results(launch, number, params.strip(group, strip).1 / LANES);
            end();
            number += 1;
        }
    }
    // The next operator may configure the thread anew.
    sync();
}

/// Makes the factor so much larger as results shall be: what a power of two multiplies is rounded as before.
fn enlarge() {
    ttinsn!(times_larger(SUM));
    ttinsn!(SFPNOP {}.word());
}

/// Where the factor of a row is, from the beginning of a half.
fn factor_place(number: u32, row: u32) -> u32 {
    FACTORS_ROW + 2 * row - half(number)
}

/// Zeros as factors of the rows from `rows` on, which do not exist.
fn no_factors(number: u32, rows: u32) {
    set_register(SUM, 0);
    for row in rows..ROW_GROUP {
        push(store_at(SUM, step::STAY, factor_place(number, row)));
    }
}

/// Results of a strip, four rows at a time, with what the packers' rounding lacks if they shall have seven significant bits.
#[inline(never)]
fn results(launch: &TileLaunch, number: u32, vectors: u32) {
    macro_rules! pair {
        ($first:expr, $program:ident, $step:expr) => {
            ttinsn!(load(0, $first * WIDTH_ROWS));
            ttinsn!(load(1, ($first + 1) * WIDTH_ROWS));
            ttprogram!($program);
            ttinsn!(store_at(0, step::STAY, $first * WIDTH_ROWS));
            ttinsn!(store_at(1, $step, ($first + 1) * WIDTH_ROWS));
        };
    }
    macro_rules! four {
        ($first:literal) => {
            for row in 0..AT_ONCE {
                push(load(FACTORS + row, factor_place(number, $first + row)));
            }
            each(vectors, || {
                ttinsn!(load(2, WEIGHTS_ROW));
                pair!($first, FIRST_TWO, step::STAY);
                pair!($first + 2, OTHER_TWO, step::ON);
            });
        };
    }
    set_register(ADDED, if is_rounded(launch.op) { HALF_OF_SEVEN } else { 0 });
    four!(0);
    four!(4);
}
