//! Norms: TRISC1's part. A row in Dst is gone through once for its mean, if that is subtracted, once for its squares, and once for the
//! results, with weights from its partner's place.

use super::Work;
use super::trisc1::{LANES, each, rewind};
use crate::ops::sfpu::trisc1::{load, load_on, set_register, step, store};
use crate::rt::launch::TileLaunch;
use crate::{ttinsn, ttprogram};
use tt_kernel_abi::sfpu::rows::{PARTNER_ROW, Pass, RowFunction, STEP, Segment};
use tt_kernel_sfpu::Program;
use tt_kernel_sfpu::norm::{self, EPS, LARGEST, ONE_OVER_N, REST, TOTAL};
use tt_kernel_sfpu::rows::{self, SUM};

const ELEMENTS: Program = norm::elements();
const SQUARES: Program = norm::squares();
const DEVIATIONS: Program = norm::deviations();
const DEVIATIONS_BELOW: Program = norm::deviations_below();
const FOLD: Program = norm::fold();
const ALL_SEGMENTS: Program = norm::all_segments();
const SUM_UP: Program = rows::sum();
const MEAN: Program = norm::mean();
const FACTOR: Program = norm::factor();
const ONE_OVER_LENGTH: Program = norm::one_over_length();
const BOUNDED: Program = norm::bounded();
const SCALED: Program = norm::result(false, false);
const SCALED_WEIGHTED: Program = norm::result(false, true);
const CENTRED: Program = norm::result(true, false);
const CENTRED_WEIGHTED: Program = norm::result(true, true);

/// A row's sums begin.
pub fn begin() {
    set_register(SUM, 0);
    set_register(TOTAL, 0);
}

/// What is done with a segment.
#[inline(never)]
pub fn segment(launch: &TileLaunch, work: &Work, segment: &Segment) {
    let centred = work.function == RowFunction::Norm;
    if centred && matches!(segment.pass, Pass::Whole | Pass::Shift) {
        elements(segment);
        if segment.ends {
            sum_up();
            set_register(ONE_OVER_N, work.factor.to_bits());
            ttprogram!(MEAN);
        }
    }
    if matches!(segment.pass, Pass::Whole | Pass::Sum) {
        match centred {
            true => deviations(segment),
            false => squares(segment.padded() / LANES),
        }
        if segment.ends {
            sum_up();
            factor(work);
        }
    }
    if segment.pass.has_result() {
        results(centred, launch.op.src1.ne[0] > 0, segment.padded() / LANES);
    }
}

fn elements(segment: &Segment) {
    each(segment.padded() / LANES, || {
        ttinsn!(load_on(0));
        ttprogram!(ELEMENTS);
    });
    ttprogram!(FOLD);
}

/// Squares of so many vector registers, and their sums to those before.
pub fn squares(vectors: u32) {
    each(vectors, || {
        ttinsn!(load_on(0));
        ttprogram!(SQUARES);
    });
    ttprogram!(FOLD);
}

/// What stands behind the row's end is as far from the mean as zero is: it is left out.
fn deviations(segment: &Segment) {
    let whole = segment.len / STEP;
    for _ in 0..whole * (STEP / LANES) {
        ttinsn!(load_on(0));
        ttprogram!(DEVIATIONS);
    }
    let rest = segment.len % STEP;
    if rest > 0 {
        // The even columns, then the odd ones, which are one further.
        for below in [rest, rest - 1] {
            set_register(REST, below);
            ttinsn!(load_on(0));
            ttprogram!(DEVIATIONS_BELOW);
        }
    }
    rewind();
    ttprogram!(FOLD);
}

/// One sum, in all elements of its register.
#[inline(never)]
fn sum_up() {
    ttprogram!(ALL_SEGMENTS);
    ttprogram!(SUM_UP);
}

/// What the elements are multiplied with.
#[inline(never)]
fn factor(work: &Work) {
    if work.function == RowFunction::L2Norm {
        ttprogram!(ONE_OVER_LENGTH);
        set_register(LARGEST, work.factor.to_bits());
        ttprogram!(BOUNDED);
    } else {
        mean_factor(work.factor.to_bits(), work.scale.to_bits());
    }
}

/// The same of `RMS_NORM`, from sums of segments, with one over the elements of a row and what is added to the mean square, as bits: in all elements of [`SUM`].
pub fn rms_factor(one_over_n: u32, eps: u32) {
    sum_up();
    mean_factor(one_over_n, eps);
}

#[inline(never)]
fn mean_factor(one_over_n: u32, eps: u32) {
    set_register(ONE_OVER_N, one_over_n);
    set_register(EPS, eps);
    ttprogram!(FACTOR);
}

#[inline(never)]
fn results(centred: bool, weighted: bool, vectors: u32) {
    macro_rules! go {
        ($program:ident $(, $partner:expr)?) => {
            each(vectors, || {
                ttinsn!(load(0, 0));
                $(ttinsn!(load(2, $partner));)?
                ttprogram!($program);
                ttinsn!(store(step::ON));
            })
        };
    }
    match (centred, weighted) {
        (false, false) => go!(SCALED),
        (false, true) => go!(SCALED_WEIGHTED, PARTNER_ROW),
        (true, false) => go!(CENTRED),
        (true, true) => go!(CENTRED_WEIGHTED, PARTNER_ROW),
    }
}
