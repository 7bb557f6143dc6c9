//! Random delays. All come from the seed, so a seed reproduces a run exactly, on any number of host threads.
//!
//! The speed of each unit differs from seed to seed by up to a factor of 64 ([`Pace`]), so that unusual orders of events
//! occur with some seeds.

use super::clocked::Delays;
use super::random::{Pace, Random};
use crate::model::tensix::THREADS;
use crate::model::tensix::pipe::{PIPES, Pipe};
use crate::model::tile::HARTS;
use crate::observe::Issued;

/// A core pauses once in so many instructions.
const PAUSE_ONCE_IN: u64 = 24;
/// As does a thread's gate.
const GATE_ONCE_IN: u64 = 4;
/// The scalar unit takes up to so many clocks.
const SCALAR: u64 = 4;

/// Delays of one tile.
pub struct Jitter {
    random: Random,
    cores: [Pace; HARTS],
    gates: [Pace; THREADS],
    pipes: [Pace; PIPES],
}

impl Jitter {
    /// Those of the `index`-th tile of a seed.
    pub fn new(seed: u64, index: usize) -> Self {
        let mut random = Random::new(seed, index as u64);
        let cores = std::array::from_fn(|_| Pace::choose(&mut random, 4));
        let gates = std::array::from_fn(|_| Pace::choose(&mut random, 2));
        let pipes = std::array::from_fn(|_| Pace::choose(&mut random, 4));
        Self { random, cores, gates, pipes }
    }
}

impl Delays for Jitter {
    fn core(&mut self, core: usize) -> u64 {
        if self.random.once_in(PAUSE_ONCE_IN) { self.cores[core].delay(&mut self.random) } else { 0 }
    }

    fn gate(&mut self, thread: usize) -> u64 {
        if self.random.once_in(GATE_ONCE_IN) { self.gates[thread].delay(&mut self.random) } else { 0 }
    }

    fn pipe(&mut self, pipe: Pipe, _issued: &Issued) -> u64 {
        self.pipes[pipe as usize].delay(&mut self.random)
    }

    fn scalar(&mut self, _issued: &Issued) -> u64 {
        1 + self.random.below(SCALAR)
    }
}
