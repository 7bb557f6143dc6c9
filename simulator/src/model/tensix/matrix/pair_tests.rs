//! Every pair of 16-bit operands, through every path of [`product::multiply`](super::product::multiply).
//!
//! All sixteen products of an output have the same exponent, so none loses bits to another, and the sum shows each. With
//! `TT_FULL` set all 2^32 pairs of a format run in each fidelity phase, otherwise those of some datums of SrcA.
//! [`product_tests`](super::product_tests) covers products of different exponents, and the previous value of Dst.

use rayon::prelude::*;

use super::accumulate::{Accumulator, Term};
use super::operand::{BLOCK_ROWS, BlockB, FaceA, INNER, Style, ZERO_EXPONENT, slice_a, slice_b};
use super::product::{Operation, Rows, accumulate_narrow, accumulate_wide, multiply_portable};
use super::{avx2, avx512};
use crate::model::tensix::src::COLS;

/// Datums of SrcB in a block: mantissas that follow one another.
const BLOCK: u32 = (BLOCK_ROWS * INNER) as u32;

/// Faces of SrcA without `TT_FULL`, of 4096.
const SOME: usize = 31;

/// Number of exponents and of mantissas.
fn sizes(style: Style) -> [u32; 2] {
    match style {
        Style::Bf16 => [256, 128],
        Style::Tf32 => [256, 1024],
        Style::Fp16 => [32, 1024],
    }
}

fn datum(style: Style, sign: u32, exponent: u32, mantissa: u32) -> u32 {
    let unit = (1 << 23) / sizes(style)[1];
    sign << 31 | exponent << 23 | (mantissa * unit)
}

/// All signs, exponents and every `step`-th mantissa.
fn starts(style: Style, step: u32) -> Vec<(u32, u32, u32)> {
    let [exponents, mantissas] = sizes(style);
    let signed = (0..2).flat_map(|sign| (0..exponents).map(move |exponent| (sign, exponent)));
    let start = |(sign, exponent)| (0..mantissas).step_by(step as usize).map(move |m| (sign, exponent, m));
    signed.flat_map(start).collect()
}

/// Rows of Dst after a product that is added to nothing: high halves, low halves.
fn result(op: &Operation, path: impl FnOnce(&mut Rows) -> bool) -> Option<[[[u16; COLS]; BLOCK_ROWS]; 2]> {
    let [mut high, mut low] = [[[0; COLS]; BLOCK_ROWS]; 2];
    let done = match op.accumulator {
        Accumulator::Fp32 => path(&mut Rows::Wide([&mut high, &mut low])),
        _ => path(&mut Rows::Narrow(&mut high)),
    };
    done.then_some([high, low])
}

/// Multiplies if the machine can.
type Path = fn(&Operation, &FaceA, &BlockB, &mut Rows) -> bool;

/// A product for each path to make, and what it has to be.
struct Pairs<'a> {
    op: Operation,
    /// Equal in all rows: a sum of products is a datum of SrcA times a sum of SrcB's.
    a: [u32; COLS],
    face: FaceA,
    block: &'a Block,
}

/// Rows of SrcB: their datums have one sign and exponent.
struct Block {
    parts: BlockB,
    datums: [[u32; INNER]; BLOCK_ROWS],
}

impl Pairs<'_> {
    fn expected(&self) -> [[[u16; COLS]; BLOCK_ROWS]; 2] {
        let Operation { phase, accumulator, .. } = self.op;
        let [low_a, low_b] = [phase & 1 != 0, phase & 2 != 0];
        let signed = |x: u32, slice: i32| if x >> 31 != 0 { -slice } else { slice };
        let is_number = |x: u32| x >> 23 & 255 != 0;
        let exponents = [self.a[0], self.block.datums[0][0]].map(|x| (x >> 23 & 255) as i32);
        let exponent = exponents[0] + exponents[1] + self.op.exponent_offset();
        let live = exponent > 0 && is_number(self.a[0]) && is_number(self.block.datums[0][0]);
        let [mut high, mut low] = [[[0; COLS]; BLOCK_ROWS]; 2];
        if !live {
            return [high, low];
        }
        let a = self.a.map(|x| signed(x, slice_a(x, low_a)));
        for (r, row) in self.block.datums.iter().enumerate() {
            let (front, back) = row.split_at(INNER / 2);
            let sum = |half: &[u32]| half.iter().map(|&x| signed(x, slice_b(x, low_b))).sum::<i32>();
            let sums = [sum(front), sum(back)];
            let terms = |c: usize| sums.map(|sum| Term { sum: a[c] * sum, exponent });
            let groups = [0, 1].map(|g| std::array::from_fn(|c| terms(c)[g]));
            match accumulator {
                Accumulator::Fp32 => accumulate_wide(&groups, &mut high[r], &mut low[r]),
                _ => accumulate_narrow(accumulator, &groups, &mut high[r]),
            }
        }
        [high, low]
    }

    fn check(&self, portable: bool) {
        let Self { op, face, block, .. } = self;
        let expected = self.expected();
        let plain = |op: &Operation, a: &FaceA, b: &BlockB, rows: &mut Rows| {
            multiply_portable(op, a, b, rows);
            true
        };
        let paths: [Path; 3] = [avx2::multiply, avx512::multiply, plain];
        for (n, path) in paths.iter().enumerate().take(if portable { 3 } else { 2 }) {
            let got = result(op, |rows| path(op, face, &block.parts, rows));
            let (a, b) = (self.a[0], block.datums[0][0]);
            assert!(got.is_none() || got == Some(expected), "path {n}, {op:?}: from {a:#x} and {b:#x} on");
        }
    }
}

fn every_pair(style: Style, accumulator: Accumulator) {
    let faces = starts(style, COLS as u32);
    let step = if std::env::var_os("TT_FULL").is_some() { 1 } else { faces.len() / SOME };
    let blocks = starts(style, BLOCK).into_iter().map(|(sign, exponent, mantissa)| {
        let row =
            |r| std::array::from_fn(|k| datum(style, sign, exponent, mantissa + (INNER * r + k) as u32));
        let datums = std::array::from_fn(row);
        Block { parts: BlockB::new(&datums, style), datums }
    });
    let blocks: Vec<Block> = blocks.collect();
    faces.par_iter().step_by(step).for_each(|&(sign, exponent, mantissa)| {
        let a = std::array::from_fn(|c| datum(style, sign, exponent, mantissa + c as u32));
        let mut pairs = Pairs {
            op: Operation { phase: 0, half: style == Style::Fp16, accumulator },
            a,
            face: FaceA::new(&[a; INNER], style),
            block: &blocks[0],
        };
        for phase in 0..4 {
            pairs.op.phase = phase;
            for (n, block) in blocks.iter().enumerate() {
                pairs.block = block;
                // Plain code takes ten times as long.
                pairs.check(n.is_multiple_of(16));
            }
        }
    });
}

#[test]
fn every_pair_of_bf16() {
    every_pair(Style::Bf16, Accumulator::Fp32);
}

#[test]
fn every_pair_of_fp16() {
    every_pair(Style::Fp16, Accumulator::Fp32);
}

/// Into 16-bit Dst exponents are counted another way.
#[test]
fn every_pair_of_fp16_into_fp16() {
    every_pair(Style::Fp16, Accumulator::Fp16);
}

/// Every datum of every format, taken apart: its exponent, and its slices with its sign; SrcB's are doubled.
#[test]
fn every_datum_has_its_parts() {
    for style in [Style::Bf16, Style::Tf32, Style::Fp16] {
        let [_, mantissas] = sizes(style);
        for (sign, exponent, mantissa) in starts(style, 1) {
            let x = datum(style, sign, exponent, mantissa);
            let significand = (mantissa * (1024 / mantissas) + 1024) as i32;
            let parts = if exponent == 0 {
                [ZERO_EXPONENT, 0, 0, 0, 0]
            } else {
                let signed = if sign != 0 { -1 } else { 1 };
                let [a, b] =
                    [[significand / 64, significand / 2 % 32], [significand / 16, significand % 16 * 8]];
                [exponent as i32, signed * a[0], signed * a[1], signed * 2 * b[0], signed * 2 * b[1]]
            };
            let a = FaceA::new(&[[x; COLS]; INNER], style);
            let b = BlockB::new(&[[x; COLS]; BLOCK_ROWS], style);
            let [of_a, of_b] = [
                [a.exponents[7][9], a.slices[0][7][9], a.slices[1][7][9]],
                [b.exponents[5][3], b.slices[0][5][3], b.slices[1][5][3]],
            ];
            let both = |part: i32| part as u32 & 0xFFFF | (part as u32) << 16;
            assert_eq!(of_a, [parts[0], parts[1], parts[2]].map(both), "{style:?} {x:#x} in SrcA");
            assert_eq!(of_b, [parts[0], parts[3], parts[4]].map(both), "{style:?} {x:#x} in SrcB");
            assert_eq!(b.live[5], exponent != 0, "{style:?} {x:#x}");
        }
    }
}
