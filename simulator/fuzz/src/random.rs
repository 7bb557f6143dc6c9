//! Reproducible numbers: SplitMix64 (Steele, Lea, Flood, 2014).
//!
//! Files of the corpus name data by a seed, so these numbers may never change; the tests compare them with published ones.

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// A source of numbers.
#[derive(Clone, Debug)]
pub struct Random(SplitMix64);

impl Random {
    /// The source of a seed.
    pub fn new(seed: u64) -> Self {
        Self(SplitMix64::seed_from_u64(seed))
    }

    /// The source of the `n`-th case of a campaign.
    pub fn of_case(seed: u64, n: u64) -> Self {
        let mut of_seed = Self::new(seed);
        Self::new(of_seed.next() ^ n.wrapping_mul(0xD6E8_FEB8_6659_FD93))
    }

    /// 64 bits.
    #[allow(clippy::should_implement_trait, reason = "it has no end")]
    pub fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// 32 bits.
    pub fn word(&mut self) -> u32 {
        (self.next() >> 32) as u32
    }

    /// Less than `n`; `n` is not 0.
    pub fn below(&mut self, n: u32) -> u32 {
        ((u64::from(self.word()) * u64::from(n)) >> 32) as u32
    }

    /// From `low` to `high`, both included.
    pub fn range(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high - low + 1)
    }

    /// True `n` times in 256.
    pub fn chance(&mut self, n: u32) -> bool {
        self.below(256) < n
    }

    /// One of them.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u32) as usize]
    }

    /// One of them, by weight.
    pub fn weighted<T: Copy>(&mut self, of: &[(u32, T)]) -> T {
        let mut left = self.below(of.iter().map(|row| row.0).sum());
        for &(weight, value) in of {
            if left < weight {
                return value;
            }
            left -= weight;
        }
        unreachable!("the weights add up")
    }

    /// Bits that matter: few, all, single ones, or anything.
    pub fn awkward(&mut self) -> u32 {
        match self.below(8) {
            0 => 0,
            1 => u32::MAX,
            2 => 1 << self.below(32),
            3 => (1 << self.below(32)) - 1,
            4 => u32::MAX << self.below(32),
            5 => self.below(256),
            _ => self.word(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_paper() {
        // First outputs for the seed 1234567, as in the published reference implementation.
        let mut random = Random::new(1_234_567);
        assert_eq!([random.next(), random.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn weights_count() {
        let mut random = Random::new(1);
        let mut seen = [0; 2];
        (0..1000).for_each(|_| seen[random.weighted(&[(1, 0), (9, 1)])] += 1);
        assert!((50..150).contains(&seen[0]), "{seen:?}");
    }
}
