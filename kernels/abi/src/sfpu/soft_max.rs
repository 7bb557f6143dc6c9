//! `SOFT_MAX` on the vector unit: programs, and where rows lie in L1 and in Dst.
//!
//! A row is cut into segments that fit a half of Dst together with their mask. A row of one segment is brought there once; a
//! longer one three times: for its maximum, for the sum of its powers, and for the result ([`Pass`]). Registers that live
//! from segment to segment:
//!
//! | register | first pass | from then on |
//! |---|---|---|
//! | 1 | | sums of powers, then one over their sum |
//! | 5 | maxima | |
//! | 7 | | minus the maximum |
//!
//! 32 elements at a time go through a register, so maxima and sums are 32 at first; [`max`] and [`sum`] make one of them, in
//! all elements of the register: the four rows by a transposition, the eight columns by rotations.

use super::functions::{exp_normal, keep_nan, reciprocal};
use super::program::{CONSTANTS, Program, Reg};
use super::{BLOCK, BLOCK_BYTES};
use crate::l1::{HEAP, HEAP_END};
use tt_isa::format::DST_ROWS_32;
use tt_isa::sfpu::lreg::{ONE, ZERO};

/// Elements of a segment.
pub const SEGMENT: u32 = 2 * BLOCK;
/// Rows of Dst (32 bits wide) that hold one segment and its mask.
pub const HALF_ROWS: u32 = DST_ROWS_32 as u32 / 2;
/// Row of a half where the mask begins.
pub const MASK_ROW: u32 = HALF_ROWS / 2;
/// Elements that a whole number of vector registers takes: the even columns of four rows of Dst, and the odd ones.
pub const STEP: u32 = 64;

/// Segments, with their masks, that L1 holds at once.
pub const SLOTS: u32 = 4;
/// Results that L1 holds at once.
pub const RESULT_SLOTS: u32 = 4;
/// Bytes of a segment in L1, and what its address is off modulo 32.
const OPERAND_BYTES: u32 = 4 * SEGMENT + 32;
/// Bytes of a segment of the result.
const RESULT_BYTES: u32 = 4 * SEGMENT;
/// Heads of rows that L1 holds at once. The vector unit's core reads a head when its row's first segment is in Dst or before, and Dst
/// holds two: with two heads more than slots none is overwritten before.
const HEADS: u32 = SLOTS + 2;
const HEAD_BYTES: u32 = 96;
const RESULTS: u32 = HEAP + 2 * SLOTS * OPERAND_BYTES;
const HEADS_AT: u32 = RESULTS + RESULT_SLOTS * RESULT_BYTES;

const _: () = {
    assert!(OPERAND_BYTES.is_multiple_of(32) && RESULTS.is_multiple_of(32) && HEADS_AT.is_multiple_of(32));
    assert!(HEADS_AT + HEADS * HEAD_BYTES <= HEAP_END);
    assert!(SEGMENT / 16 == MASK_ROW && 2 * MASK_ROW == HALF_ROWS && BLOCK_BYTES * 2 == RESULT_BYTES);
};

/// Where segment `number` of an operand (0: the row, 1: its mask) begins, whose address in DRAM is `addr`.
pub const fn operand_slot(operand: u32, number: u32, addr: u64) -> u32 {
    HEAP + (2 * (number % SLOTS) + operand) * OPERAND_BYTES + (addr as u32 & 31)
}

/// Where segment `number` of the results begins.
pub const fn result_slot(number: u32) -> u32 {
    RESULTS + number % RESULT_SLOTS * RESULT_BYTES
}

/// Head of the row whose first segment is `number`: two words, the mask's slope and the sink, FP32.
pub const fn head(number: u32) -> u32 {
    HEADS_AT + number % HEADS * HEAD_BYTES
}

/// Where a head's sink comes in from DRAM.
pub const fn sink_staging(number: u32, addr: u64) -> u32 {
    head(number) + 32 + (addr as u32 & 31)
}

/// What is done with a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pass {
    /// Everything: the row has no other segment.
    Whole,
    /// Maxima.
    Max,
    /// Sums of powers.
    Sum,
    /// Powers over their sum: the result.
    Result,
}

impl Pass {
    /// Whether a result comes out of it.
    pub const fn has_result(self) -> bool {
        matches!(self, Self::Whole | Self::Result)
    }

    /// Whether it comes before all others of the row.
    pub const fn is_first(self) -> bool {
        matches!(self, Self::Whole | Self::Max)
    }
}

/// One segment of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    /// Counted over all that the tile works on.
    pub number: u32,
    /// The same, of those with a result.
    pub result: u32,
    /// Row of the tensor.
    pub row: u32,
    /// What is done.
    pub pass: Pass,
    /// First element.
    pub first: u32,
    /// Elements.
    pub len: u32,
    /// The pass's first of the row.
    pub begins: bool,
    /// The pass's last of the row.
    pub ends: bool,
}

impl Segment {
    /// Elements that are brought to Dst: what is behind the row's end is masked out.
    pub const fn padded(&self) -> u32 {
        self.len.next_multiple_of(STEP)
    }
}

/// The segments of some rows of `ne0` elements, in the order in which every core of a tile takes them.
#[derive(Clone, Debug)]
pub struct Segments {
    next: Segment,
    ne0: u32,
    end: u32,
}

impl Segments {
    /// Rows `first` to `first + count`.
    pub const fn new(ne0: u32, first: u32, count: u32) -> Self {
        let pass = if ne0 <= SEGMENT { Pass::Whole } else { Pass::Max };
        let next =
            Segment { number: 0, result: 0, row: first, pass, first: 0, len: 0, begins: true, ends: false };
        Self { next, ne0, end: first + count }
    }
}

impl Iterator for Segments {
    type Item = Segment;

    fn next(&mut self) -> Option<Segment> {
        if self.next.row == self.end {
            return None;
        }
        let rest = self.ne0 - self.next.first;
        let ends = rest <= SEGMENT;
        let len = if ends { rest } else { SEGMENT };
        let segment = Segment { len, begins: self.next.first == 0, ends, ..self.next };
        self.next.number += 1;
        self.next.result += u32::from(segment.pass.has_result());
        self.next.first = if ends { 0 } else { segment.first + len };
        if ends {
            (self.next.pass, self.next.row) = match segment.pass {
                Pass::Whole => (Pass::Whole, segment.row + 1),
                Pass::Max => (Pass::Sum, segment.row),
                Pass::Sum => (Pass::Result, segment.row),
                Pass::Result => (Pass::Max, segment.row + 1),
            };
        }
        Some(segment)
    }
}

/// Registers of [`logits`] that hold the scale and the mask's slope.
pub const SCALE: Reg = 3;
/// See [`SCALE`].
pub const SLOPE: Reg = 4;
/// Register of the maxima.
pub const MAX: Reg = 5;
/// Register that [`power`] takes its argument from.
pub const LOGIT: Reg = 6;
/// Register of the sums of powers.
pub const SUM: Reg = 1;

/// An empty program that leaves the constant registers to [`power`].
const fn without_constants() -> Program {
    Program::new(CONSTANTS)
}

/// `LReg[0] = scale * LReg[0] + slope * LReg[2]`, without the second product if there is no mask; maxima in 5.
pub const fn logits(masked: bool) -> Program {
    let mut p = without_constants();
    p.mul(0, 0, SCALE);
    if masked {
        p.mad(0, 2, SLOPE, 0);
    }
    p.mov(6, 0);
    p.min_max(6, MAX);
    p.finish()
}

/// `LReg[7]` = minus the largest of all elements of 5. Spoils the others.
pub const fn max() -> Program {
    let mut p = without_constants();
    let mut i = 0;
    while i < 4 {
        p.mov(i, MAX);
        i += 1;
    }
    p.transpose_rows();
    p.min_max(0, 1);
    p.min_max(2, 3);
    p.min_max(1, 3);
    let mut distance = 1;
    while distance < 8 {
        rotate(&mut p, 0, 3, distance);
        p.min_max(0, 3);
        distance *= 2;
    }
    p.neg(7, 3);
    p.finish()
}

/// `LReg[1]` = the sum of all of its elements. Spoils all but 7, whose elements are alike.
pub const fn sum() -> Program {
    let mut p = without_constants();
    p.mov(0, SUM);
    p.mov(2, SUM);
    p.mov(3, SUM);
    // So that 7 stays what it is.
    p.mov(4, 7);
    p.mov(5, 7);
    p.mov(6, 7);
    p.transpose_rows();
    p.add(0, 0, 1);
    p.add(2, 2, 3);
    p.add(1, 0, 2);
    let mut distance = 1;
    while distance < 8 {
        rotate(&mut p, 0, 1, distance);
        p.add(1, 1, 0);
        distance *= 2;
    }
    p.finish()
}

/// `d` = `c`, whose rows are rotated by `distance`.
const fn rotate(p: &mut Program, d: Reg, c: Reg, distance: u32) {
    p.rotate(d, c);
    let mut i = 1;
    while i < distance {
        p.rotate(d, d);
        i += 1;
    }
}

/// `LReg[1] = 1 / LReg[1]`, 0 of 0: a row in which everything is masked. Uses 0 and 2 to 5.
pub const fn invert() -> Program {
    let mut p = without_constants();
    reciprocal(&mut p, 2, 3, SUM, 4, 5);
    p.mul(0, 2, 3);
    keep_nan(&mut p, 0, SUM, 2, 3);
    p.where_zero(SUM);
    p.mov(0, ZERO);
    p.everywhere();
    p.mov(SUM, 0);
    p.finish()
}

/// `LReg[0] = e^(LReg[6] + LReg[7])` of a sum that is not positive: 0 below -87, where FP32 has denormals; uses 2 to 6.
pub const fn power() -> Program {
    const SMALLEST: f32 = 87.0;
    let mut p = Program::new(0);
    p.mad(LOGIT, LOGIT, ONE, 7);
    p.mov(2, LOGIT);
    exp_normal(&mut p, 0, LOGIT, 3, 4, 5);
    p.abs(3, 2);
    p.load(4, SMALLEST.to_bits());
    p.isub(3, 4);
    p.where_negative(3);
    // NaN, which the vector unit makes without a sign, or far below zero.
    p.mov(0, 2);
    p.where_negative(2);
    p.mov(0, ZERO);
    p.everywhere();
    p.finish()
}

/// `LReg[1] += LReg[0]`
pub const fn accumulate() -> Program {
    let mut p = without_constants();
    p.add(SUM, SUM, 0);
    p.finish()
}

/// `LReg[0] *= LReg[1]`
pub const fn scale() -> Program {
    let mut p = without_constants();
    p.mul(0, 0, SUM);
    p.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_row_is_brought_once() {
        let all: Vec<Segment> = Segments::new(100, 7, 2).collect();
        assert_eq!(all.len(), 2);
        assert!(all.iter().all(|s| s.pass == Pass::Whole && s.begins && s.ends && s.len == 100));
        assert_eq!((all[1].row, all[1].number, all[1].result, all[1].padded()), (8, 1, 1, 128));
        assert_eq!(Segments::new(100, 7, 0).count(), 0);
    }

    #[test]
    fn a_long_row_is_brought_three_times() {
        let all: Vec<Segment> = Segments::new(SEGMENT + 1, 0, 2).collect();
        let passes: Vec<Pass> = all.iter().map(|s| s.pass).collect();
        let one = [Pass::Max, Pass::Max, Pass::Sum, Pass::Sum, Pass::Result, Pass::Result];
        assert_eq!(passes, [one, one].concat());
        assert_eq!(all.iter().map(|s| s.len).collect::<Vec<_>>(), [SEGMENT, 1].repeat(6));
        assert_eq!(all.iter().map(|s| s.first).collect::<Vec<_>>(), [0, SEGMENT].repeat(6));
        assert_eq!((all[10].result, all[11].result, all[11].row), (2, 3, 1));
        assert!(all.iter().all(|s| s.begins == (s.first == 0) && s.ends == (s.len == 1)));
    }
}
