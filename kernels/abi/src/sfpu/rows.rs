//! Functions of whole rows on the vector unit: where rows lie in L1 and in Dst, and how often they are brought there.
//!
//! A row is cut into segments that fit a half of Dst together with their partners, those of a second operand: a mask, labels, the other
//! factor of a product, weights. A row of one segment is brought there once; a longer one for every [`Pass`] that its function needs: for
//! what its elements are shifted by, for a sum, and for the result. What is computed is in the programs of `tt-kernel-sfpu`.

use super::{BLOCK, BLOCK_BYTES};
use crate::l1::HEAP;
use crate::rows::gradient::GradientFunction;
use crate::rows::norm::NormFunction;
use crate::target::{CONGRUENCE, offset};
use tt_isa::format::DST_ROWS_32;

/// Elements of a segment.
pub const SEGMENT: u32 = 2 * BLOCK;
/// Rows of Dst (32 bits wide) that hold one segment and its partner.
pub const HALF_ROWS: u32 = DST_ROWS_32 as u32 / 2;
/// Row of a half where the partner begins.
pub const PARTNER_ROW: u32 = HALF_ROWS / 2;
/// Elements that a whole number of vector registers takes: the even columns of four rows of Dst, and the odd ones.
pub const STEP: u32 = 64;

/// Segments, with their partners, that L1 holds at once.
pub const SLOTS: u32 = 8;
/// Results that L1 holds at once.
pub const RESULT_SLOTS: u32 = 8;
/// Bytes of a segment in L1, and what its address is off modulo [`CONGRUENCE`].
const OPERAND_BYTES: u32 = 4 * SEGMENT + CONGRUENCE;
/// Bytes of a segment of the result.
const RESULT_BYTES: u32 = 4 * SEGMENT;
/// Heads of rows that L1 holds at once. The vector unit's core reads a head when its row's first segment is in Dst or before, and Dst
/// holds two: with two heads more than slots none is overwritten before.
const HEADS: u32 = SLOTS + 2;
const HEAD_BYTES: u32 = 3 * CONGRUENCE;
const RESULTS: u32 = HEAP + 2 * SLOTS * OPERAND_BYTES;
const HEADS_AT: u32 = RESULTS + RESULT_SLOTS * RESULT_BYTES;
/// Where a row of F16 is made of a result.
const HALVES: u32 = HEADS_AT + HEADS * HEAD_BYTES;
/// Rows of F16: one is made while the one before is on its way.
const HALVES_SLOTS: u32 = 2;
/// Bytes of such a row, and what its address is off modulo [`CONGRUENCE`].
const HALVES_BYTES: u32 = 2 * SEGMENT + CONGRUENCE;
/// Where an index comes in.
const INDEX: u32 = HALVES + HALVES_SLOTS * HALVES_BYTES;

const _: () = {
    assert!((OPERAND_BYTES | RESULTS | HEADS_AT | HALVES | HALVES_BYTES | INDEX).is_multiple_of(CONGRUENCE));
    assert!(INDEX + 2 * CONGRUENCE <= crate::ring::RING);
    assert!(SEGMENT / 16 == PARTNER_ROW && 2 * PARTNER_ROW == HALF_ROWS && BLOCK_BYTES * 2 == RESULT_BYTES);
};

/// Where segment `number` of an operand (0: the row, 1: its partner) begins, whose address in DRAM is `addr`.
pub const fn operand_slot(operand: u32, number: u32, addr: u64) -> u32 {
    HEAP + (2 * (number % SLOTS) + operand) * OPERAND_BYTES + offset(addr)
}

/// Where segment `number` of the results begins.
pub const fn result_slot(number: u32) -> u32 {
    RESULTS + number % RESULT_SLOTS * RESULT_BYTES
}

/// Head of the row whose first segment is `number`: two words, FP32: the mask's slope, and the value of `more[0]` that belongs to the row.
pub const fn head(number: u32) -> u32 {
    HEADS_AT + number % HEADS * HEAD_BYTES
}

/// Where a head's value of `more[0]` comes in from DRAM.
pub const fn head_staging(number: u32, addr: u64) -> u32 {
    head(number) + CONGRUENCE + offset(addr)
}

/// Where the `number`th row of F16 is made of a result, for `addr` in DRAM.
pub const fn halves_slot(number: u32, addr: u64) -> u32 {
    HALVES + number % HALVES_SLOTS * HALVES_BYTES + offset(addr)
}

/// Where the index at `addr` comes in from DRAM.
pub const fn index_slot(addr: u64) -> u32 {
    INDEX + offset(addr)
}

/// A function of rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RowFunction {
    /// [`crate::rows::soft_max`].
    SoftMax,
    /// See [`GradientFunction`], as all that follow.
    SoftMaxBack,
    /// See [`GradientFunction`].
    RmsNormBack,
    /// See [`GradientFunction`].
    CrossEntropy,
    /// See [`GradientFunction`].
    CrossEntropyBack,
    /// See [`NormFunction`], as all that follow.
    RmsNorm,
    /// See [`NormFunction`].
    Norm,
    /// See [`NormFunction`].
    L2Norm,
    /// Pairs rotated by cosines and sines, the row's partner ([`crate::rows::rope`]). A pair's elements are neighbours, or whole registers of the vector unit apart.
    Rotate,
    /// The same of pairs whose elements are half a row apart, where a half is no whole number of registers.
    RotateHalves,
}

impl RowFunction {
    /// Whether it is a [`NormFunction`].
    pub const fn is_norm(self) -> bool {
        matches!(self, Self::RmsNorm | Self::Norm | Self::L2Norm)
    }

    /// Whether it is a rotation.
    pub const fn is_rotation(self) -> bool {
        matches!(self, Self::Rotate | Self::RotateHalves)
    }

    /// What stands behind a row's end up to whole vector registers: it adds nothing to the maximum and the sum of powers, or to the sums.
    pub const fn nothing(self) -> f32 {
        match self {
            Self::SoftMax | Self::CrossEntropy | Self::CrossEntropyBack => f32::NEG_INFINITY,
            _ => 0.0,
        }
    }

    /// Whether a pass needs the row's partner: weights of a norm are for its result.
    pub const fn needs_partner(self, pass: Pass) -> bool {
        !self.is_norm() || pass.has_result()
    }
}

impl From<GradientFunction> for RowFunction {
    fn from(function: GradientFunction) -> Self {
        match function {
            GradientFunction::SoftMaxBack => Self::SoftMaxBack,
            GradientFunction::RmsNormBack => Self::RmsNormBack,
            GradientFunction::CrossEntropy => Self::CrossEntropy,
            GradientFunction::CrossEntropyBack => Self::CrossEntropyBack,
        }
    }
}

impl From<NormFunction> for RowFunction {
    fn from(function: NormFunction) -> Self {
        match function {
            NormFunction::RmsNorm => Self::RmsNorm,
            NormFunction::Norm => Self::Norm,
            NormFunction::L2Norm => Self::L2Norm,
        }
    }
}

/// What is done with a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pass {
    /// Everything: the row has no other segment.
    Whole,
    /// What the elements are shifted by before they are summed: their maximum, or their mean.
    Shift,
    /// Sums.
    Sum,
    /// The result.
    Result,
}

impl Pass {
    /// Whether a result comes out of it.
    pub const fn has_result(self) -> bool {
        matches!(self, Self::Whole | Self::Result)
    }

    /// The first one of a long row.
    pub const fn first(function: RowFunction) -> Self {
        match function {
            RowFunction::SoftMaxBack
            | RowFunction::RmsNormBack
            | RowFunction::RmsNorm
            | RowFunction::L2Norm => Self::Sum,
            _ => Self::Shift,
        }
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
    /// The row's first.
    pub opens: bool,
    /// The pass's last of the row.
    pub ends: bool,
}

impl Segment {
    /// Elements that are brought to Dst: what is behind the row's end is masked out.
    pub const fn padded(&self) -> u32 {
        padded(self.len)
    }
}

/// So many elements of an operand, up to whole vector registers.
pub const fn padded(len: u32) -> u32 {
    len.next_multiple_of(STEP)
}

/// The segments of some rows of `ne0` elements, in the order in which every core of a tile takes them.
#[derive(Clone, Debug)]
pub struct Segments {
    next: Segment,
    ne0: u32,
    end: u32,
    /// How a row begins.
    opening: Pass,
}

impl Segments {
    /// Rows `first` to `first + count`, of which long ones begin with `pass`.
    pub const fn new(ne0: u32, first: u32, count: u32, pass: Pass) -> Self {
        let opening = if ne0 <= SEGMENT { Pass::Whole } else { pass };
        let next = Segment {
            number: 0,
            result: 0,
            row: first,
            pass: opening,
            first: 0,
            len: 0,
            opens: true,
            ends: false,
        };
        Self { next, ne0, end: first + count, opening }
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
        let segment = Segment { len, ends, ..self.next };
        self.next.opens = false;
        self.next.number += 1;
        self.next.result += u32::from(segment.pass.has_result());
        self.next.first = if ends { 0 } else { segment.first + len };
        if ends {
            self.next.pass = match segment.pass {
                Pass::Shift => Pass::Sum,
                Pass::Sum => Pass::Result,
                Pass::Whole | Pass::Result => {
                    self.next.row += 1;
                    self.next.opens = true;
                    self.opening
                }
            };
        }
        Some(segment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_row_is_brought_once() {
        let all: Vec<Segment> = Segments::new(100, 7, 2, Pass::Shift).collect();
        assert_eq!(all.len(), 2);
        assert!(all.iter().all(|s| s.pass == Pass::Whole && s.opens && s.ends && s.len == 100));
        assert_eq!((all[1].row, all[1].number, all[1].result, all[1].padded()), (8, 1, 1, 128));
        assert_eq!(Segments::new(100, 7, 0, Pass::Sum).count(), 0);
    }

    #[test]
    fn a_long_row_is_brought_once_for_each_pass() {
        let all: Vec<Segment> = Segments::new(SEGMENT + 1, 0, 2, Pass::Shift).collect();
        let passes: Vec<Pass> = all.iter().map(|s| s.pass).collect();
        let one = [Pass::Shift, Pass::Shift, Pass::Sum, Pass::Sum, Pass::Result, Pass::Result];
        assert_eq!(passes, [one, one].concat());
        assert_eq!(all.iter().map(|s| s.len).collect::<Vec<_>>(), [SEGMENT, 1].repeat(6));
        assert_eq!(all.iter().map(|s| s.first).collect::<Vec<_>>(), [0, SEGMENT].repeat(6));
        assert_eq!((all[10].result, all[11].result, all[11].row), (2, 3, 1));
        assert!(all.iter().all(|s| s.ends == (s.len == 1)));
        assert!(all.iter().all(|s| s.opens == (s.pass == Pass::Shift && s.first == 0)));

        let first = Pass::first(RowFunction::SoftMaxBack);
        let all: Vec<Segment> = Segments::new(SEGMENT + 1, 0, 2, first).collect();
        let passes: Vec<Pass> = all.iter().map(|s| s.pass).collect();
        assert_eq!(passes, [[Pass::Sum, Pass::Sum, Pass::Result, Pass::Result]; 2].concat());
        assert_eq!(all.iter().map(|s| s.opens).collect::<Vec<_>>(), [true, false, false, false].repeat(2));
    }
}
