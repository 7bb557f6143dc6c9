//! Small matrices made doubly stochastic: a softmax of each row, then columns and rows in turn are divided by their sums
//! (Sinkhorn's iteration; ggml `DSV4_HC_COMB`).
//!
//! The softmax is FP32. The many sums and quotients after it are those of positive numbers that are far apart: `Positive` needs a
//! tenth of the instructions of emulated FP32 for them, and has more digits.

use crate::exp::exp;
use crate::fixed;

/// Rows and columns of a matrix.
pub const SIZE: usize = 4;
/// Elements of a matrix.
pub const ELEMENTS: usize = SIZE * SIZE;

/// `mantissa * 2^exponent`; the highest bit of the mantissa is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Positive {
    mantissa: u32,
    exponent: i32,
}

impl Positive {
    /// One.
    const ONE: Self = Self { mantissa: 1 << 31, exponent: -31 };

    /// A number that is finite and above zero.
    fn new(value: f32) -> Option<Self> {
        let (mantissa, exponent) = fixed::of(value)?;
        (mantissa > 0).then(|| Self { mantissa: mantissa as u32, exponent }.normal())
    }

    /// The highest bit set.
    #[inline(always)]
    fn normal(mut self) -> Self {
        while self.mantissa >> 31 == 0 {
            self = Self { mantissa: self.mantissa << 1, exponent: self.exponent - 1 };
        }
        self
    }

    /// Rounded to FP32.
    fn to_f32(self) -> f32 {
        fixed::float(i64::from(self.mantissa), self.exponent)
    }

    /// Product, at most 2^-30 of it too small.
    #[inline(always)]
    fn times(self, other: Self) -> Self {
        let mantissa = ((u64::from(self.mantissa) * u64::from(other.mantissa)) >> 32) as u32;
        Self { mantissa, exponent: self.exponent + other.exponent + 32 }.normal()
    }

    /// Sum of up to eight numbers, at most 2^-26 of it too small.
    fn sum(numbers: &[Self]) -> Self {
        let (mut top, mut mantissa) = (i32::MIN, 0);
        for number in numbers {
            top = top.max(number.exponent);
        }
        for number in numbers {
            mantissa += number.mantissa >> 3 >> (top - number.exponent).min(31);
        }
        Self { mantissa, exponent: top + 3 }.normal()
    }

    /// 1 / self, at most 2^-29 of it off.
    fn inverse(self) -> Self {
        // 2^63 / mantissa: the upper half by the divider, the lower one by a step of Newton's.
        let near = u64::from(u32::MAX / (self.mantissa >> 16)) << 15;
        let rest = (1i64 << 62) - ((u64::from(self.mantissa) * near) >> 1) as i64;
        let step = (near as i64 * (rest >> 31)) >> 31;
        let mantissa = (near as i64 + step).min(u32::MAX.into()) as u32;
        Self { mantissa, exponent: -63 - self.exponent }.normal()
    }
}

/// Softmax of a row, plus `eps`.
fn soft_max(row: &mut [f32], eps: f32) {
    let max = row.iter().fold(f32::NEG_INFINITY, |max, &x| if x > max { x } else { max });
    let mut sum = 0.0;
    for x in row.iter_mut() {
        *x = f32::from_bits(exp((*x - max).to_bits()));
        sum += *x;
    }
    row.iter_mut().for_each(|x| *x = *x / sum + eps);
}

/// Softmax of each row of a matrix, plus `eps`; then columns and rows in turn are divided by their sums plus `eps`, columns first and
/// last, `times` times. What is not finite spreads over all of the matrix.
#[inline(never)]
pub fn balance(matrix: &mut [f32], eps: f32, times: u32) {
    matrix.chunks_exact_mut(SIZE).for_each(|row| soft_max(row, eps));
    let mut numbers = [Positive::ONE; ELEMENTS];
    let mut is_finite = true;
    for (number, &x) in numbers.iter_mut().zip(&*matrix) {
        match Positive::new(x) {
            Some(x) => *number = x,
            None => is_finite = false,
        }
    }
    let (true, Some(eps)) = (is_finite, Positive::new(eps)) else { return matrix.fill(f32::NAN) };
    for pass in 0..2 * times - 1 {
        // Elements from one of a line to the next, and from one line to the next.
        let (next, other) = if pass % 2 == 0 { (SIZE, 1) } else { (1, SIZE) };
        for line in 0..SIZE {
            let first = line * other;
            let mut terms = [eps; SIZE + 1];
            for i in 0..SIZE {
                terms[i] = numbers[first + i * next];
            }
            let inverse = Positive::sum(&terms).inverse();
            for i in 0..SIZE {
                numbers[first + i * next] = terms[i].times(inverse);
            }
        }
    }
    matrix.iter_mut().zip(numbers).for_each(|(x, number)| *x = number.to_f32());
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_xoshiro::SplitMix64;
    use rand_xoshiro::rand_core::{Rng, SeedableRng};

    fn random() -> impl FnMut() -> u32 {
        let mut numbers = SplitMix64::seed_from_u64(0x1234_5678);
        move || numbers.next_u32()
    }

    fn number(random: &mut impl FnMut() -> u32) -> f32 {
        f32::from_bits(0x1000_0000 + random() % 0x4000_0000)
    }

    fn exact(number: Positive) -> f64 {
        f64::from(number.mantissa) * 2f64.powi(number.exponent)
    }

    fn positive(value: f32) -> Positive {
        Positive::new(value).unwrap()
    }

    #[test]
    fn numbers_come_back() {
        let mut random = random();
        let random = core::iter::repeat_with(|| number(&mut random)).take(10_000);
        for value in random.chain([1e-45, f32::MIN_POSITIVE, f32::MAX, 1.0]) {
            let number = positive(value);
            assert_eq!((number.to_f32(), number.mantissa >> 31), (value, 1));
        }
        let others = [0.0, -0.0, -1.0, f32::INFINITY, f32::NAN];
        assert!(others.into_iter().all(|value| Positive::new(value).is_none()));
    }

    #[test]
    fn arithmetic_is_nearly_exact() {
        let mut random = random();
        let corners = [1.0, 2.0, 1.0 + f32::EPSILON, 2.0 - f32::EPSILON, 1.5];
        let pairs = core::iter::repeat_with(|| (number(&mut random), number(&mut random))).take(100_000);
        for (a, b) in pairs.chain(corners.map(|a| (a, 1.0))) {
            let ([x, y], [a, b]) = ([positive(a), positive(b)], [f64::from(a), f64::from(b)]);
            let sum = Positive::sum(&[x, y, x, Positive::ONE, y]);
            let checks =
                [(x.times(y), a * b, 30), (x.inverse(), 1.0 / a, 29), (sum, 2.0 * a + 2.0 * b + 1.0, 26)];
            for (got, want, bits) in checks {
                let error = (exact(got) / want - 1.0).abs();
                assert!(error <= 2f64.powi(-bits), "{a} {b}: {got:?} for {want}, error {error:e}");
                assert_eq!(got.mantissa >> 31, 1);
            }
        }
    }

    /// The same in FP64.
    pub(crate) fn expected(matrix: &[f32], eps: f32, times: u32) -> [f64; ELEMENTS] {
        let (mut m, eps) = ([0.0; ELEMENTS], f64::from(eps));
        for (to, x) in m.chunks_exact_mut(SIZE).zip(matrix.chunks_exact(SIZE)) {
            let powers: std::vec::Vec<f64> = x.iter().map(|&x| f64::from(x).exp()).collect();
            let sum: f64 = powers.iter().sum();
            to.iter_mut().zip(powers).for_each(|(to, power)| *to = power / sum + eps);
        }
        for pass in 0..2 * times - 1 {
            let at = |line: usize, i: usize| if pass % 2 == 0 { line + SIZE * i } else { SIZE * line + i };
            for line in 0..SIZE {
                let sum = eps + (0..SIZE).map(|i| m[at(line, i)]).sum::<f64>();
                (0..SIZE).for_each(|i| m[at(line, i)] /= sum);
            }
        }
        m
    }

    #[test]
    fn matrices_are_balanced() {
        let mut random = random();
        for (size, times) in [(1.0, 1), (1.0, 20), (12.0, 3), (40.0, 20)] {
            for _ in 0..200 {
                let matrix: [f32; ELEMENTS] =
                    core::array::from_fn(|_| size * (random() as i32 as f32 / (1u32 << 31) as f32));
                let mut got = matrix;
                balance(&mut got, 1e-6, times);
                for (got, want) in got.into_iter().zip(expected(&matrix, 1e-6, times)) {
                    assert!((f64::from(got) / want - 1.0).abs() < 2e-5, "{matrix:?}: {got} for {want}");
                }
            }
        }
        let mut matrix = [0.0; ELEMENTS];
        matrix[7] = f32::NAN;
        balance(&mut matrix, 1e-6, 2);
        assert!(matrix.iter().all(|x| x.is_nan()));
    }
}
