//! Integer arithmetic: "integer 8" datums of SrcA and SrcB, 32-bit sums in Dst (`ELWMUL.md`, `SrcASrcB.md`).
//!
//! A datum of SrcA or SrcB is a sign, and ten bits of magnitude in the place of a half precision number's mantissa. A
//! fidelity phase multiplies some of these bits, at their own weight: phases 1 and 3 take SrcA's low five, 0 and 2 the three
//! above; phases 2 and 3 take SrcB's low four, 0 and 1 the six above. Sums saturate at ±(2^31 - 1); Dst holds sign and magnitude.

use super::operand::INNER;
use crate::model::tensix::dst::{self, Dst};
use crate::model::tensix::src::{COLS, Row};

/// Bits of a left aligned datum that a product takes: `[phase's bit]`, sign included.
const SLICES_A: [u32; 2] = [0x801C_0000, 0x8003_E000];
const SLICES_B: [u32; 2] = [0x807E_0000, 0x8001_E000];

/// A datum's value; zero without an exponent if that counts.
#[inline]
fn value(datum: u32, slice: u32, flush: bool) -> i32 {
    if flush && datum & 0x7F80_0000 == 0 {
        return 0;
    }
    let magnitude = ((datum & slice) >> 13 & 0x3FF) as i32;
    if (datum as i32) < 0 { -magnitude } else { magnitude }
}

fn slices(phase: u32) -> [u32; 2] {
    [SLICES_A[(phase & 1) as usize], SLICES_B[(phase >> 1 & 1) as usize]]
}

/// Dst's form of an integer, to value and back.
fn decode(x: u32) -> i32 {
    let x = dst::decode32(x);
    let magnitude = (x & 0x7FFF_FFFF) as i32;
    if (x as i32) < 0 { -magnitude } else { magnitude }
}

fn encode(x: i32) -> u32 {
    dst::encode32(x as u32 & 1 << 31 | x.unsigned_abs())
}

fn saturating_sum(x: i32, y: i32) -> i32 {
    x.saturating_add(y).max(-i32::MAX)
}

/// Adds `row` times SrcA to a row of Dst.
pub fn multiply(phase: u32, flush_b: bool, a: &[Row; INNER], row: &Row, dst: &mut Dst, to: usize) {
    let [slice_a, slice_b] = slices(phase);
    let mut out = dst.read32(to).map(decode);
    let mut sums = [0; COLS];
    for (a, &b) in a.iter().zip(row) {
        let b = value(b, slice_b, flush_b);
        for (sum, &a) in sums.iter_mut().zip(a) {
            *sum += value(a, slice_a, true) * b;
        }
    }
    for (out, sum) in out.iter_mut().zip(sums) {
        *out = saturating_sum(*out, sum);
    }
    dst.write32(to, &out.map(encode));
}

/// `a * b` of a phase, added to `old` (in Dst's form).
pub fn product(phase: u32, flush_b: bool, a: u32, b: u32, old: u32) -> u32 {
    let [slice_a, slice_b] = slices(phase);
    encode(saturating_sum(decode(old), value(a, slice_a, true) * value(b, slice_b, flush_b)))
}

/// `a + b`, or `a - b`, and `old` (in Dst's form) if there is one.
pub fn sum(flush_b: bool, a: u32, b: u32, old: Option<u32>) -> u32 {
    let sum = value(a, u32::MAX, true) + value(b, u32::MAX, flush_b);
    encode(old.map_or(sum, |old| saturating_sum(decode(old), sum)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datum(x: i32) -> u32 {
        (x as u32 & 1 << 31) | 16 << 23 | x.unsigned_abs() << 13
    }

    #[test]
    fn phases_add_up_to_the_product() {
        for (a, b) in [(255, 1023), (-255, 77), (31, -15), (8, 16), (-1, -1)] {
            let all = [3, 2, 1, 0];
            let sum = all.iter().fold(0, |old, &phase| product(phase, true, datum(a), datum(b), old));
            assert_eq!(decode(sum), a * b);
        }
        // SrcA's two highest bits are in no phase.
        let all = |a| (0..4).fold(0, |old, phase| product(phase, true, datum(a), datum(1), old));
        assert_eq!(all(1023), all(255));
    }

    #[test]
    fn sums_saturate_symmetrically() {
        let (low, high) = (encode(-i32::MAX), encode(i32::MAX));
        assert_eq!(sum(true, datum(5), datum(6), Some(high)), high);
        assert_eq!(sum(true, datum(-5), datum(-6), Some(low)), low);
        assert_eq!(decode(sum(true, datum(5), datum(-6), None)), -1);
        assert_eq!(encode(0), 0);
    }

    #[test]
    fn a_datum_without_exponent_is_zero() {
        assert_eq!(sum(true, 7 << 13, 7 << 13, None), 0);
        assert_eq!(decode(sum(false, 7 << 13, 7 << 13, None)), 7);
    }
}
