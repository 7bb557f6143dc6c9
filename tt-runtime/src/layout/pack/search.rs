//! A better choice than the rule: for every block the shared exponent with the smallest squared error.
//!
//! The rule takes the exponent of the largest number. One below it saturates the largest and is twice as fine for all
//! others; one above it does not saturate what rounds up. Given the exponent, rounding to the nearest is the best there
//! is, so trying the few exponents around the rule's finds the best block. The hardware reads any of them.
//!
//! Weighting by importance would change nothing: an importance matrix weighs columns k, and the sixteen numbers that
//! share an exponent all lie in one column.

use super::bfp::{datums, merge, shared_exponents};
use super::{Portable, Rows, face, faces, put_face};
use tt_isa::format::FACE_DIM;

/// Exponents tried, as distances from the rule's.
const DISTANCES: [i32; 4] = [0, -1, -2, 1];
/// Exponent fields between which steps, reciprocals and squares are normal numbers; elsewhere the rule's is taken.
const SEARCHED: std::ops::RangeInclusive<u32> = 72..=184;

/// Packs half a tile ([`super::half_tile`]).
#[inline(always)]
pub fn half_tile<const MAGNITUDE: u32>(rows: impl Rows, half: usize, out: &mut [u8]) {
    for (k, index) in faces(half) {
        let rows = face::<Portable>(rows, k);
        let shared = best_exponents::<MAGNITUDE>(&rows);
        let mut words = [shared; 4];
        for (word, rows) in words.iter_mut().zip(rows.as_chunks::<4>().0) {
            *word = nearest::<MAGNITUDE>(*rows, shared);
        }
        put_face::<Portable, MAGNITUDE>(shared, words, index, out);
    }
}

/// The step of a block: value of magnitude 1.
#[inline(always)]
fn step<const MAGNITUDE: u32>(shared: u32) -> f32 {
    f32::from_bits(shared.wrapping_sub((MAGNITUDE - 1) << 23))
}

/// The nearest datums of four rows, ties to even, for any shared exponent fields (in place), a byte each.
#[inline(always)]
fn nearest<const MAGNITUDE: u32>(rows: [Portable; 4], shared: Portable) -> Portable {
    let rule = datums::<Portable, MAGNITUDE>(rows, shared);
    let nearest = merge(rows.map(|row| {
        std::array::from_fn(|k| {
            let magnitude = magnitude::<MAGNITUDE>(row[k], shared[k]);
            let sign = if magnitude == 0.0 { 0 } else { row[k] >> 31 };
            sign << MAGNITUDE | magnitude as u32
        })
    }));
    std::array::from_fn(|k| if SEARCHED.contains(&(shared[k] >> 23)) { nearest[k] } else { rule[k] })
}

/// The nearest magnitude. The quotient by a power of two is exact, or far below one half.
#[inline(always)]
fn magnitude<const MAGNITUDE: u32>(bits: u32, shared: u32) -> f32 {
    /// Adding and taking off this rounds to an integer.
    const ROUND: f32 = (1 << 23) as f32;
    let inverse = f32::from_bits((254u32 << 23).wrapping_sub(step::<MAGNITUDE>(shared).to_bits()));
    let quotient = f32::from_bits(bits & 0x7FFF_FFFF) * inverse;
    let largest = ((1 << MAGNITUDE) - 1) as f32;
    (quotient.min(largest) + ROUND - ROUND).min(largest)
}

#[inline(always)]
fn best_exponents<const MAGNITUDE: u32>(rows: &[Portable; FACE_DIM]) -> Portable {
    let rule = shared_exponents(rows);
    let mut best = rule;
    let mut least = [f32::INFINITY; FACE_DIM];
    for distance in DISTANCES {
        for k in 0..FACE_DIM {
            let shared = rule[k].wrapping_add_signed(distance << 23);
            let error = error::<MAGNITUDE>(rows, k, shared);
            if SEARCHED.contains(&(rule[k] >> 23)) && error < least[k] {
                (best[k], least[k]) = (shared, error);
            }
        }
    }
    best
}

/// Squared error of column `k`, in units of the squared step of the rule's exponent times a power of two that is the
/// same for all exponents tried.
#[inline(always)]
fn error<const MAGNITUDE: u32>(rows: &[Portable; FACE_DIM], k: usize, shared: u32) -> f32 {
    let step = step::<MAGNITUDE>(shared);
    let mut sum = 0.0;
    for row in rows {
        let x = f32::from_bits(row[k] & 0x7FFF_FFFF);
        let difference = magnitude::<MAGNITUDE>(row[k], shared) * step - x;
        sum += difference * difference;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::super::{Portable, WeightFormat, tile as pack_tile, unpack_tile};
    use crate::layout::Rule;

    fn squared_error(format: WeightFormat, rule: Rule, values: &[f32]) -> f64 {
        let mut packed = vec![0; format.tile_bytes()];
        pack_tile::<Portable>(format, rule, values, 32, &mut packed);
        let mut back = [[0.0; 32]; 32];
        unpack_tile(format, &packed, &mut back);
        let pairs = (0..1024).map(|i| (values[i], back[i % 32][i / 32]));
        pairs.map(|(x, y)| (f64::from(x) - f64::from(y)).powi(2)).sum()
    }

    #[test]
    fn never_worse_than_the_rule_and_better_in_four_bits() {
        let mut x = 1u32;
        let mut uniform = || {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(x >> 8) / f64::from(1 << 24)
        };
        // Normally distributed, by the central limit.
        let values: Vec<f32> =
            (0..1024).map(|_| ((0..12).map(|_| uniform()).sum::<f64>() - 6.0) as f32).collect();
        for (format, gain) in [(WeightFormat::Bfp8, 1.0), (WeightFormat::Bfp4, 0.97)] {
            let (rule, search) =
                (squared_error(format, Rule::Vendor, &values), squared_error(format, Rule::Search, &values));
            assert!(search <= rule * gain, "{format:?}: rule {rule}, search {search}");
        }
    }

    #[test]
    fn a_block_that_the_rule_gets_wrong() {
        // One number a little above a power of two, the others just below half a step of its exponent.
        let mut values = vec![0.24f32; 1024];
        values[..32].fill(1.01);
        let format = WeightFormat::Bfp2;
        let rule = squared_error(format, Rule::Vendor, &values);
        assert!(squared_error(format, Rule::Search, &values) < rule);
    }

    #[test]
    fn extremes_are_left_to_the_rule() {
        for extreme in [0.0, 1e-45, f32::MIN_POSITIVE, f32::MAX, f32::INFINITY, f32::NAN] {
            let values = vec![extreme; 1024];
            let (mut rule, mut search) = (vec![0; 1088], vec![0; 1088]);
            pack_tile::<Portable>(WeightFormat::Bfp8, Rule::Vendor, &values, 32, &mut rule);
            pack_tile::<Portable>(WeightFormat::Bfp8, Rule::Search, &values, 32, &mut search);
            assert_eq!(rule, search, "{extreme}");
        }
    }
}
