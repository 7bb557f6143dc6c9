//! `Dst += SrcB x SrcA`: sums of sixteen products, bit by bit.
//!
//! For each output:
//!
//! 1. Sixteen products of a 5-bit slice of SrcA's significand and a 7-bit slice of SrcB's ([`operand`](super::operand)).
//!    Their exponents are five less for SrcA's low slice and seven less for SrcB's. A datum with exponent 0 is zero.
//! 2. Products 0..8 and 8..16 form two groups. Within a group each is shifted right to the group's largest
//!    exponent, rounded half away from zero, and they are summed exactly. A group whose exponent is not above
//!    zero counts as zero.
//! 3. Both sums are added to the Dst datum ([`accumulate`](super::accumulate)).
//!
//! [`multiply`] does this with the widest vectors that the machine has: each path computes step 2 in 16-bit lanes
//! of its own, AVX-512 also step 3 into 32-bit Dst. [`groups`] is step 2 as plain integer code; all give the same bits.

use super::accumulate::{Accumulator, Term, accumulate};
use super::operand::{BlockB, FaceA, GROUP};
use crate::model::tensix::dst;
use crate::model::tensix::src::COLS;

/// What to compute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Operation {
    /// Fidelity phase, 0..3.
    pub phase: u32,
    /// Operands have five exponent bits.
    pub half: bool,
    /// What Dst holds.
    pub accumulator: Accumulator,
}

impl Operation {
    /// What is added to the sum of the operands' exponents.
    pub const fn exponent_offset(self) -> i32 {
        let bias = match (self.half, self.accumulator) {
            (false, _) => -127,
            // Products of half precision numbers in single precision's terms.
            (true, Accumulator::Fp32) => 127 - 2 * 15,
            (true, _) => -15,
        };
        bias - if self.phase & 1 != 0 { 5 } else { 0 } - if self.phase & 2 != 0 { 7 } else { 0 }
    }

    /// Least exponent of a sum of products, which that of zero has.
    pub const fn least_exponent(self) -> i32 {
        let offset = self.exponent_offset();
        if offset > 0 { offset } else { 0 }
    }

    /// Which slices of SrcA and SrcB are multiplied.
    pub const fn slices(self) -> [usize; 2] {
        [(self.phase & 1) as usize, (self.phase >> 1) as usize]
    }
}

/// Rows of Dst in storage form.
pub enum Rows<'a> {
    /// Of 32 bits: high halves and low halves.
    Wide([&'a mut [[u16; COLS]]; 2]),
    /// Of 16 bits.
    Narrow(&'a mut [[u16; COLS]]),
}

/// Two sums of products for each column.
pub type Groups = [[Term; COLS]; 2];

/// Dst rows += rows of SrcB times SrcA.
pub fn multiply(op: &Operation, a: &FaceA, b: &BlockB, rows: &mut Rows) {
    #[cfg(target_arch = "x86_64")]
    if super::avx512::multiply(op, a, b, rows) || super::avx2::multiply(op, a, b, rows) {
        return;
    }
    multiply_portable(op, a, b, rows);
}

/// [`multiply`] in plain code.
pub fn multiply_portable(op: &Operation, a: &FaceA, b: &BlockB, rows: &mut Rows) {
    rows_with(op, b, rows, |row| groups(op, a, b, row));
}

/// The steps around the groups: rows that nothing is added to are skipped, the others accumulate.
#[inline(always)]
pub fn rows_with(op: &Operation, b: &BlockB, rows: &mut Rows, mut groups: impl FnMut(usize) -> Groups) {
    match rows {
        Rows::Wide([high, low]) => {
            for (r, (high, low)) in high.iter_mut().zip(low.iter_mut()).enumerate() {
                if b.live[r] || *high != [0; COLS] || *low != [0; COLS] {
                    accumulate_wide(&groups(r), high, low);
                }
            }
        }
        Rows::Narrow(rows) => {
            for (r, row) in rows.iter_mut().enumerate() {
                if b.live[r] || *row != [0; COLS] {
                    accumulate_narrow(op.accumulator, &groups(r), row);
                }
            }
        }
    }
}

/// Adds to a row of 32-bit Dst.
#[inline(always)]
pub fn accumulate_wide(groups: &Groups, high: &mut [u16; COLS], low: &mut [u16; COLS]) {
    change_wide(high, low, |c, old| accumulate(Accumulator::Fp32, old, [groups[0][c], groups[1][c]]));
}

/// Adds to a row of 16-bit Dst.
#[inline(always)]
pub fn accumulate_narrow(accumulator: Accumulator, groups: &Groups, row: &mut [u16; COLS]) {
    change_narrow(accumulator, row, |c, old| accumulate(accumulator, old, [groups[0][c], groups[1][c]]));
}

/// Changes the values of a row of 32-bit Dst, by column.
#[inline(always)]
pub fn change_wide(high: &mut [u16; COLS], low: &mut [u16; COLS], change: impl Fn(usize, u32) -> u32) {
    for c in 0..COLS {
        let old = dst::decode32(u32::from(high[c]) << 16 | u32::from(low[c]));
        let new = dst::encode32(change(c, old));
        (high[c], low[c]) = ((new >> 16) as u16, new as u16);
    }
}

/// Changes the values of a row of 16-bit Dst, by column.
#[inline(always)]
pub fn change_narrow(accumulator: Accumulator, row: &mut [u16; COLS], change: impl Fn(usize, u32) -> u32) {
    for c in 0..COLS {
        row[c] = match accumulator {
            Accumulator::Fp16 => {
                let old = dst::widen_fp16(dst::decode_fp16(row[c]));
                dst::encode_fp16(dst::narrow_fp16(change(c, old)))
            }
            _ => {
                let old = u32::from(dst::decode_bf16(row[c])) << 16;
                dst::encode_bf16((change(c, old) >> 16) as u16)
            }
        };
    }
}

/// The sums of products for a row of SrcB.
pub fn groups(op: &Operation, a: &FaceA, b: &BlockB, row: usize) -> Groups {
    let [slice_a, slice_b] = op.slices();
    let mut groups = [[Term::default(); COLS]; 2];
    for c in 0..COLS {
        let half = |word: u32, group: usize| i32::from((word >> (16 * group)) as i16);
        for (g, group) in groups.iter_mut().enumerate() {
            let exponent = |k: usize| half(a.exponents[k][c], g) + half(b.exponents[row][k], g);
            let least = op.least_exponent() - op.exponent_offset();
            let top = (0..GROUP).map(exponent).fold(least, i32::max);
            let product = |k: usize| {
                let product = half(a.slices[slice_a][k][c], g) * half(b.slices[slice_b][row][k], g);
                // SrcB's slices are doubled: there is room for the bit that rounds.
                let shift = (top - exponent(k)).min(30);
                let rounded = (product.abs() + (1 << shift)) >> (shift + 1);
                if product < 0 { -rounded } else { rounded }
            };
            let exponent = top + op.exponent_offset();
            let sum = if exponent > 0 { (0..GROUP).map(product).sum() } else { 0 };
            group[c] = Term { sum, exponent };
        }
    }
    groups
}
