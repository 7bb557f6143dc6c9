//! The generator of random delays: counter-based, one for each tile, all from one seed.
//!
//! It is part of the simulator, not a generator for tests: a seed that somebody has written down has to give the same run in every later
//! version, whatever becomes of a library.

/// A generator whose n-th number is a function of its key and n only.
#[derive(Clone, Debug)]
pub struct Random {
    key: u64,
    counter: u64,
}

/// The finaliser of `splitmix64`.
const fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

impl Random {
    /// The `stream`-th generator of a seed.
    pub const fn new(seed: u64, stream: u64) -> Self {
        Self { key: mix(mix(seed.wrapping_add(0x9E37_79B9_7F4A_7C15)) ^ stream.wrapping_add(1)), counter: 0 }
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.counter += 1;
        mix(self.key.wrapping_add(self.counter.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    /// True once in `n` times.
    pub fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// How slow something is with this seed: some seeds make a unit fast, others very slow, so that every order of
/// events that is far from the usual one has its seeds.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    usual: u64,
}

impl Pace {
    /// One of four paces: delays up to `fastest`, and up to 4, 16 and 64 times as much.
    pub fn choose(random: &mut Random, fastest: u64) -> Self {
        Self { usual: fastest << (2 * random.below(4)) }
    }

    /// A delay in clocks, at least 1; now and then much longer than usual.
    pub fn delay(self, random: &mut Random) -> u64 {
        let limit = if random.once_in(64) { 8 * self.usual } else { self.usual };
        1 + random.below(limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_depend_on_seed_and_stream_only() {
        let numbers = |seed, stream| {
            let mut random = Random::new(seed, stream);
            [0; 8].map(|_| random.next())
        };
        assert_eq!(numbers(1, 2), numbers(1, 2));
        assert_ne!(numbers(1, 2), numbers(2, 1));
        assert_ne!(numbers(1, 2), numbers(1, 3));
    }

    #[test]
    fn delays_are_legal_and_of_all_lengths() {
        let mut random = Random::new(3, 0);
        let mut longest = 0;
        for _ in 0..10_000 {
            let pace = Pace::choose(&mut random, 4);
            let delay = pace.delay(&mut random);
            assert!((1..=8 * 256).contains(&delay));
            longest = longest.max(delay);
        }
        assert!(longest > 256, "{longest}");
        assert!((0..1000).all(|_| random.below(3) < 3));
    }
}
