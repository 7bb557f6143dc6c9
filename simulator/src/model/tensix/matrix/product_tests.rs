//! All paths of [`product::multiply`] against an independent implementation: wide integers, one output at a
//! time, directly from the datums.

use super::accumulate::{Accumulator, Term, accumulate};
use super::operand::{BLOCK_ROWS, BlockB, FaceA, INNER, Style};
use super::product::{Operation, Rows, multiply_portable};
use super::{avx2, avx512};
use crate::model::tensix::dst::{self, Dst};
use crate::model::tensix::src::{COLS, Row};
use crate::model::tensix::testing::Random;

impl Random {
    /// Any bits, exponents close to each other, extreme exponents, zeros.
    fn operand(&mut self, half: bool) -> u32 {
        let x = self.next();
        let (low, high, middle) = if half { (1, 30, 12) } else { (1, 250, 112) };
        let exponent = match self.next() % 8 {
            0 if half => self.next() % 32,
            0 => self.next() % 256,
            1 => 0,
            2 => low + self.next() % 4,
            3 => high + self.next() % if half { 2 } else { 6 },
            _ => middle + self.next() % if half { 8 } else { 32 },
        };
        x & 0x807F_E000 | exponent << 23
    }

    /// A datum of Dst, laid out as single precision, some of them next to nothing or next to a sum of the operands.
    fn old(&mut self, accumulator: Accumulator) -> u32 {
        let half = accumulator == Accumulator::Fp16;
        let low = self.next() & if self.next().is_multiple_of(4) { 0 } else { 0x1FFF };
        match accumulator {
            Accumulator::Fp32 => self.operand(false) | low,
            Accumulator::Bf16 => self.operand(half) & 0xFFFF_0000,
            Accumulator::Fp16 => self.operand(half),
        }
    }
}

/// `x / 2^shift`, the nearest integer; of two, the one away from zero or the greater one.
fn round(x: i128, shift: i32, away: bool) -> i128 {
    if shift == 0 {
        return x;
    }
    let unit = 1i128 << shift.min(100);
    let (whole, rest) = (x.div_euclid(unit), x.rem_euclid(unit));
    let up = if 2 * rest == unit { x > 0 || !away } else { 2 * rest > unit };
    whole + i128::from(up)
}

/// Steps 1 and 2 of the module `product`'s description for one output.
fn group_by_description(op: &Operation, pairs: &[(u32, u32)]) -> Term {
    let bias = match (op.half, op.accumulator) {
        (false, _) => 127,
        (true, Accumulator::Fp32) => 30 - 127,
        (true, _) => 15,
    };
    let bias = bias + 5 * (op.phase as i32 & 1) + 7 * (op.phase as i32 >> 1);
    let products: Vec<(i32, i128)> = pairs
        .iter()
        .filter(|(a, b)| a >> 23 & 255 != 0 && b >> 23 & 255 != 0)
        .map(|&(a, b)| {
            let significand = |x: u32| i128::from(x >> 13 & 0x3FF) + 1024;
            let a_slice = [significand(a) / 64, significand(a) / 2 % 32][op.phase as usize & 1];
            let b_slice = [significand(b) / 16, significand(b) % 16 * 8][op.phase as usize >> 1];
            let sign = if (a ^ b) >> 31 != 0 { -1 } else { 1 };
            ((a >> 23 & 255) as i32 + (b >> 23 & 255) as i32 - bias, sign * a_slice * b_slice)
        })
        .collect();
    // A zero product has the exponent of nothing times nothing.
    let top = products.iter().map(|p| p.0).max().unwrap_or(-bias).max(-bias).max(0);
    let sum: i128 = products.iter().map(|&(exponent, x)| round(x, top - exponent, true)).sum();
    Term { sum: if top > 0 { sum as i32 } else { 0 }, exponent: top }
}

/// The description of the module `accumulate`, with a common unit of 2^-40 instead of shifts where it rounds not.
fn accumulate_by_description(accumulator: Accumulator, old: u32, terms: [Term; 2]) -> u32 {
    let exponent_old = (old >> 23 & 255) as i32;
    let significand = i128::from(old & 0x7F_FFFF) + (1 << 23);
    let old_value = match (exponent_old, old >> 31) {
        (0, _) => 0,
        (_, 0) => significand,
        _ => -significand,
    };
    let exponent = terms[0].exponent.max(terms[1].exponent).max(exponent_old);
    let coarse = accumulator != Accumulator::Fp32;
    let term = |value: i128, of: i32, away: bool| {
        let x = round(value, exponent - of, away);
        if coarse { round(x, 13, away) << 13 } else { x }
    };
    let total = term(old_value, exponent_old, true)
        + terms.iter().map(|t| term(i128::from(t.sum) << 13, t.exponent, false)).sum::<i128>();
    if total == 0 || exponent == 0 {
        return 0;
    }
    // The number of bits that the result keeps, the leading one included.
    let kept = match accumulator {
        Accumulator::Fp32 => 24,
        Accumulator::Bf16 => 8,
        Accumulator::Fp16 => 11,
    };
    let bits = 128 - total.abs().leading_zeros() as i32;
    let mut rounded =
        if bits > kept { round(total.abs(), bits - kept, true) } else { total.abs() << (kept - bits) };
    let mut result = exponent + bits - 24;
    if rounded == 1 << kept {
        (rounded, result) = (rounded / 2, result + 1);
    }
    if total == -1 && !coarse {
        result += 27;
    }
    let mantissa = ((rounded - (1 << (kept - 1))) << (24 - kept)) as u32;
    let sign = if total < 0 { 1 << 31 } else { 0 };
    match (result, accumulator) {
        (..=0, _) => 0,
        (32.., Accumulator::Fp16) => sign | 0x0FFF_E000,
        (255.., _) => sign | 0x7F80_0000,
        (exponent, _) => sign | (exponent as u32) << 23 | mantissa,
    }
}

/// Sixteen rows of SrcA, eight of SrcB, and what Dst holds before, as values.
struct Case {
    op: Operation,
    styles: [Style; 2],
    a: [Row; INNER],
    b: [Row; BLOCK_ROWS],
    old: [[u32; COLS]; BLOCK_ROWS],
}

/// First row of Dst that tests work on.
const ROW: usize = 24;

impl Case {
    fn dst(&self) -> Dst {
        let mut dst = Dst::default();
        for (i, row) in self.old.iter().enumerate() {
            match self.op.accumulator {
                Accumulator::Fp32 => dst.write32(ROW + i, &row.map(dst::encode32)),
                Accumulator::Bf16 => dst.write16(ROW + i, &row.map(|x| dst::encode_bf16((x >> 16) as u16))),
                Accumulator::Fp16 => {
                    dst.write16(ROW + i, &row.map(|x| dst::encode_fp16(dst::narrow_fp16(x))))
                }
            }
        }
        dst
    }

    /// What a path makes of it.
    fn run(&self, path: impl Fn(&Operation, &FaceA, &BlockB, &mut Rows) -> bool) -> Option<[[u32; COLS]; 8]> {
        let mut dst = self.dst();
        let (a, b) = (FaceA::new(&self.a, self.styles[0]), BlockB::new(&self.b, self.styles[1]));
        let mut rows = match self.op.accumulator {
            Accumulator::Fp32 => Rows::Wide(dst.rows32_mut(ROW, BLOCK_ROWS)),
            _ => Rows::Narrow(dst.rows16_mut(ROW, BLOCK_ROWS)),
        };
        path(&self.op, &a, &b, &mut rows).then(|| {
            std::array::from_fn(|i| match self.op.accumulator {
                Accumulator::Fp32 => dst.read32(ROW + i).map(dst::decode32),
                Accumulator::Bf16 => dst.read16(ROW + i).map(|x| u32::from(dst::decode_bf16(x)) << 16),
                Accumulator::Fp16 => dst.read16(ROW + i).map(|x| dst::widen_fp16(dst::decode_fp16(x))),
            })
        })
    }

    fn check(&self) {
        let portable = |op: &Operation, a: &FaceA, b: &BlockB, rows: &mut Rows| {
            multiply_portable(op, a, b, rows);
            true
        };
        let expected: [[u32; COLS]; BLOCK_ROWS] = std::array::from_fn(|r| {
            std::array::from_fn(|c| {
                let pairs: Vec<_> = (0..INNER)
                    .map(|k| (self.a[k][c] & self.styles[0].mask(), self.b[r][k] & self.styles[1].mask()))
                    .collect();
                let terms = [0, 8].map(|k| group_by_description(&self.op, &pairs[k..k + 8]));
                accumulate_by_description(self.op.accumulator, self.old[r][c], terms)
            })
        });
        for (name, result) in [
            ("portable", self.run(portable)),
            ("AVX2", self.run(avx2::multiply)),
            ("AVX-512", self.run(avx512::multiply)),
        ] {
            let Some(result) = result else { continue };
            for (r, c) in (0..BLOCK_ROWS).flat_map(|r| (0..COLS).map(move |c| (r, c))) {
                assert_eq!(result[r][c], expected[r][c], "{name}, {:?}, row {r}, column {c}", self.op);
            }
        }
    }
}

/// Every kind of operands and Dst, in every phase.
fn operations() -> impl Iterator<Item = (Operation, [Style; 2])> {
    use Style::*;
    let kinds = [
        (Accumulator::Fp32, [Tf32, Tf32]),
        (Accumulator::Fp32, [Bf16, Tf32]),
        (Accumulator::Fp32, [Bf16, Bf16]),
        (Accumulator::Bf16, [Tf32, Bf16]),
        (Accumulator::Bf16, [Bf16, Bf16]),
        (Accumulator::Fp32, [Fp16, Fp16]),
        (Accumulator::Fp16, [Fp16, Fp16]),
    ];
    kinds.into_iter().flat_map(|(accumulator, styles)| {
        let half = styles[0] == Fp16;
        (0..4).map(move |phase| (Operation { phase, half, accumulator }, styles))
    })
}

#[test]
fn every_path_follows_the_description() {
    let mut random = Random::new(0x9E37_79B9_7F4A_7C15);
    for (op, styles) in operations() {
        for _ in 0..100 {
            let a = std::array::from_fn(|_| std::array::from_fn(|_| random.operand(op.half)));
            let b = std::array::from_fn(|_| std::array::from_fn(|_| random.operand(op.half)));
            let old = std::array::from_fn(|_| std::array::from_fn(|_| random.old(op.accumulator)));
            Case { op, styles, a, b, old }.check();
        }
    }
}

/// All pairs of mantissas, with exponents for which the product is small, middling, large, or out of range.
#[test]
fn every_pair_of_mantissas() {
    for (op, styles) in operations() {
        let bits = if styles[0] == Style::Bf16 { 7 } else { 10 };
        let bits_b = if styles[1] == Style::Bf16 { 7 } else { 10 };
        // Of ten bits every seventh pair of neighbours and every sixteenth: all slices, and all bits below them.
        let values = |bits: u32| -> Vec<u32> {
            (0..1u32 << bits)
                .filter(|m| bits == 7 || m % 7 < 2 || m & 15 == 15)
                .map(|m| m << (23 - bits))
                .collect()
        };
        let (mantissas_a, mantissas_b) = (values(bits), values(bits_b));
        let exponents =
            if op.half { [(15, 15), (1, 20), (30, 31)] } else { [(127, 127), (1, 130), (254, 140)] };
        let old = [[0; COLS]; BLOCK_ROWS];
        for (i, a_chunk) in mantissas_a.chunks(COLS).enumerate() {
            for (j, b_chunk) in mantissas_b.chunks(BLOCK_ROWS).enumerate() {
                let (ea, eb) = exponents[(i + j) % exponents.len()];
                let sign = |n: usize| if n.is_multiple_of(2) { 0 } else { 1 << 31 };
                let (mut a, mut b) = ([[0; COLS]; INNER], [[0; COLS]; BLOCK_ROWS]);
                for (c, &mantissa) in a_chunk.iter().enumerate() {
                    a[(i + j) % INNER][c] = ea << 23 | mantissa | sign(i);
                }
                for (r, &mantissa) in b_chunk.iter().enumerate() {
                    b[r][(i + j) % INNER] = eb << 23 | mantissa | sign(j);
                }
                Case { op, styles, a, b, old }.check();
            }
        }
    }
}

/// All products of slices at all distances from the largest exponent, either sign.
#[test]
fn every_product_at_every_shift() {
    for phase in 0..4 {
        // Mantissas that give each slice.
        let mantissa_a = |n: u32| if phase & 1 == 0 { (n & 15) << 19 } else { n << 14 };
        let mantissa_b = |n: u32| if phase & 2 == 0 { n << 16 } else { (n & 15) << 13 };
        for (shift, sign) in (0..40).flat_map(|shift| (0..2).map(move |sign| (shift, sign))) {
            for (a_high, b_high) in (0..2).flat_map(|a| (0..16).map(move |b| (a, b))) {
                let mut a = [[0; COLS]; INNER];
                let mut b = [[0; COLS]; BLOCK_ROWS];
                for c in 0..COLS {
                    // The group's exponent comes from a product of its own.
                    a[3][c] = 100 << 23;
                    a[5][c] = 100 << 23 | mantissa_a(a_high << 4 | c as u32) | sign << 31;
                }
                for r in 0..BLOCK_ROWS {
                    b[r][3] = 150 << 23;
                    b[r][5] = (150 - shift) << 23 | mantissa_b(b_high << 3 | r as u32);
                }
                let op = Operation { phase, half: false, accumulator: Accumulator::Fp32 };
                Case { op, styles: [Style::Tf32; 2], a, b, old: [[0; COLS]; BLOCK_ROWS] }.check();
            }
        }
    }
}

/// Terms that the multipliers cannot make in tests of a reasonable length: near cancellation, carries out of the
/// rounding, all distances.
#[test]
fn accumulation_follows_the_description() {
    let mut random = Random::new(77);
    for accumulator in [Accumulator::Fp32, Accumulator::Bf16, Accumulator::Fp16] {
        let (most, middle) = if accumulator == Accumulator::Fp16 { (50, 15) } else { (383, 130) };
        for i in 0..300_000 {
            let mut term = || {
                let exponent = match random.next() % 4 {
                    0 => random.next() % most,
                    1 => 0,
                    _ => middle + random.next() % 12,
                } as i32;
                let sum = (random.next() as i32 >> (random.next() % 16) >> 16) % 31_497;
                Term { sum, exponent }
            };
            let terms = [term(), term()];
            let mut old = random.old(accumulator);
            if i % 4 == 0 {
                // The opposite of the terms, or nearly.
                let sum = accumulate(accumulator, 0, terms) ^ 1 << 31;
                old = sum.wrapping_add((i % 3) << if accumulator == Accumulator::Fp32 { 0 } else { 16 });
            }
            let (ours, theirs) =
                (accumulate(accumulator, old, terms), accumulate_by_description(accumulator, old, terms));
            assert_eq!(ours, theirs, "{accumulator:?}: {old:#x} and {terms:?}");
        }
    }
}

#[test]
fn small_products_by_hand() {
    let f = f32::to_bits;
    let op = Operation { phase: 0, half: false, accumulator: Accumulator::Fp32 };
    let styles = [Style::Tf32; 2];
    let result = |a, b, old| {
        let (a, b, old) = ([[a; COLS]; INNER], [[b; COLS]; BLOCK_ROWS], [[old; COLS]; BLOCK_ROWS]);
        Case { op, styles, a, b, old }.run(|op, a, b, rows| {
            super::product::multiply(op, a, b, rows);
            true
        })
    };
    assert_eq!(result(f(1.5), f(-2.0), f(8.0)), Some([[f(8.0 - 16.0 * 3.0); COLS]; BLOCK_ROWS]));
    // 1 + 2^-7 has its last bit below SrcA's five high ones and SrcB's seven: phase 0 sees 1 x 1.
    let x = f(1.0 + 1.0 / 128.0);
    assert_eq!(result(x, x, 0), Some([[f(16.0); COLS]; BLOCK_ROWS]));
}
