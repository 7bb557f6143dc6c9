//! The random number generator: a shift register for each lane (`VectorUnit.md`, PRNG).

use tt_isa::sfpu::{LANES, next_random};

use super::lanes::{LaneMask, Lanes, blend, map};

/// State of each lane.
pub struct Prng {
    state: Lanes,
}

impl Default for Prng {
    fn default() -> Self {
        Self { state: [0; LANES] }
    }
}

impl Prng {
    /// What a write of `PRNG_SEED` does (the vendor's simulator): one sequence runs through the lanes, from
    /// the last to the first.
    pub fn seed(&mut self, seed: u32) {
        let mut state = (0..32).fold(seed, |state, _| next_random(state));
        for lane in self.state.iter_mut().rev() {
            state = next_random(next_random(state));
            *lane = state;
        }
    }

    /// The present state; that of the lanes in `mask` goes on (`AdvancePRNG`).
    pub fn advance(&mut self, mask: LaneMask) -> Lanes {
        let old = self.state;
        blend(&mut self.state, &map(&old, next_random), mask);
        old
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tensix::sfpu::ALL;

    #[test]
    fn lanes_advance_by_themselves() {
        let mut prng = Prng::default();
        prng.seed(1);
        let first = prng.advance(1);
        let second = prng.advance(ALL);
        assert_eq!((second[0], second[1]), (next_random(first[0]), first[1]));
        assert_eq!(first.iter().collect::<std::collections::HashSet<_>>().len(), LANES);
    }

    #[test]
    fn a_bit_is_shifted_in_from_the_top() {
        assert_eq!(next_random(0), 0x8000_0000);
        assert_eq!(next_random(1), 0);
        assert_eq!(next_random(0x8020_0003), 0xC010_0001);
    }
}
