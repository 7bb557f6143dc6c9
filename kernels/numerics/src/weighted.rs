//! Weighted sums in integers: the products of a sum get one exponent, that of the largest weight and the largest element that it
//! multiplies ([`crate::fixed`]). Where one of them is not finite the sum is one of FP32.

use crate::fixed::{self, high};

/// Weights, prepared for many sums.
pub struct Weights<'a> {
    values: &'a mut [u32],
    mantissas: &'a mut [u32],
    /// Of the mantissas; without it, something is not finite.
    exponent: Option<i32>,
}

impl<'a> Weights<'a> {
    /// No weights yet, and room for as many as both slices have.
    pub fn new(values: &'a mut [u32], mantissas: &'a mut [u32]) -> Self {
        Self { values, mantissas, exponent: None }
    }

    /// Takes `count` weights: `scale` times `values`, or `scale` itself without them.
    #[inline(never)]
    pub fn set(&mut self, values: Option<&[f32]>, scale: f32, count: usize) {
        let (all, mantissas) = (&mut self.values[..count], &mut self.mantissas[..count]);
        all.fill(scale.to_bits());
        for (to, x) in all.iter_mut().zip(values.unwrap_or_default()) {
            *to = (x * scale).to_bits();
        }
        mantissas.copy_from_slice(all);
        // Four products fit into a word, more of them if each has fewer bits.
        let mut bits = 0;
        while count > 4 << bits {
            bits += 1;
        }
        self.exponent = fixed::top(all.iter().copied()).map(|top| {
            let exponent = fixed::split(mantissas, top);
            mantissas.iter_mut().for_each(|word| *word = (*word as i32 >> bits) as u32);
            exponent + bits + 32
        });
    }

    /// Sums of products with FP32 patterns: element i of the result is that of `columns[i]`, `columns[i + results.len()]` and so on,
    /// for `count` weights.
    #[inline(never)]
    pub fn sums(&self, columns: &[u32], count: usize, results: &mut [f32]) {
        let step = results.len();
        // Plain loops: where code is made small, iterators with steps are calls.
        for (i, result) in results.iter_mut().enumerate() {
            let (mut top, mut at) = (1, i);
            for _ in 0..count {
                top = top.max(columns[at] >> 23 & 0xFF);
                at += step;
            }
            *result = match self.exponent {
                Some(exponent) if top < 255 => {
                    let sum = self.sum(&columns[i..], step, top, count);
                    fixed::float_of_word(sum, exponent + fixed::exponent(top))
                }
                _ => self.plain(&columns[i..], step, count),
            };
        }
    }

    /// Sum of products of mantissas.
    #[inline(always)]
    fn sum(&self, column: &[u32], step: usize, top: u32, count: usize) -> i32 {
        // Half of what all products lose when they are cut off.
        let (mut sum, mut at) = (count as i32 / 2, 0);
        for &weight in &self.mantissas[..count] {
            let bits = column[at];
            if bits != 0 {
                sum += high(fixed::mantissa(bits, top), weight as i32);
            }
            at += step;
        }
        sum
    }

    /// Sum of products in FP32.
    #[cold]
    fn plain(&self, column: &[u32], step: usize, count: usize) -> f32 {
        let products = (0..count).map(|s| f32::from_bits(column[s * step]) * f32::from_bits(self.values[s]));
        products.fold(0.0, |sum, product| sum + product)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_xoshiro::SplitMix64;
    use rand_xoshiro::rand_core::{Rng, SeedableRng};
    use std::vec::Vec;

    #[test]
    fn sums_are_exact_to_the_largest_product() {
        let mut numbers = SplitMix64::seed_from_u64(0x1234_5678);
        // Of both signs, from 2^-16 to 2^16.
        let mut random = || f32::from_bits(numbers.next_u32() & 0x87FF_FFFF | 0x3800_0000);
        for count in [1, 4, 5, 64, 300] {
            let len = 37;
            let weights: Vec<f32> = (0..count).map(|_| random()).collect();
            let elements: Vec<f32> = (0..count * len).map(|_| random()).collect();
            let patterns: Vec<u32> = elements.iter().map(|x| x.to_bits()).collect();
            let (mut a, mut b) = (std::vec![0; count], std::vec![0; count]);
            let mut prepared = Weights::new(&mut a, &mut b);
            let mut got = std::vec![0.0; len];
            for (values, scale) in [(Some(&weights[..]), 1.0), (None, 0.25)] {
                prepared.set(values, scale, count);
                prepared.sums(&patterns, count, &mut got);
                for (i, got) in got.iter().enumerate() {
                    let weight = |s: usize| values.map_or(0.25, |w| f64::from(w[s]));
                    let element = |s: usize| f64::from(elements[s * len + i]);
                    let want: f64 = (0..count).map(|s| weight(s) * element(s)).sum();
                    let largest =
                        |of: &dyn Fn(usize) -> f64| (0..count).map(|s| of(s).abs()).fold(0.0, f64::max);
                    let bound = largest(&weight) * largest(&element) * count as f64 * 2f64.powi(-23);
                    assert!((f64::from(*got) - want).abs() <= bound, "{count}: {got} for {want}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_finite_stays_where_it_is() {
        let (mut a, mut b) = ([0; 2], [0; 2]);
        let mut weights = Weights::new(&mut a, &mut b);
        let columns = [1.0, f32::INFINITY, 2.0, 3.0].map(f32::to_bits);
        let mut got = [0.0; 2];
        weights.set(Some(&[0.5, 2.0]), 1.0, 2);
        weights.sums(&columns, 2, &mut got);
        assert_eq!(got, [4.5, f32::INFINITY]);
        weights.set(Some(&[0.5, f32::NAN]), 1.0, 2);
        weights.sums(&columns, 2, &mut got);
        assert!(got.iter().all(|x| x.is_nan()));
    }
}
