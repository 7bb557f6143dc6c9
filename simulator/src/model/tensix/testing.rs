//! Helpers shared by the tests of several units.

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use tt_isa::chip::WORMHOLE;

use super::wait_gate::Gate;
use super::{Step, Tensix, check_word};
use crate::fault::Fault;
use crate::model::l1::L1;

/// A coprocessor.
pub fn tensix() -> Tensix {
    Tensix::new(&WORMHOLE)
}

/// The L1 that it works on.
pub fn l1() -> L1 {
    L1::new(WORMHOLE.tile.l1_size)
}

/// Executes what one thread has been given, until it has to wait; how many instructions that was.
pub fn run(t: &mut Tensix, thread: usize, l1: &mut L1) -> Result<usize, Fault> {
    let mut executed = 0;
    while let Some(word) = t.offer(thread)? {
        let opcode = check_word(word)?;
        t.release_wait(thread)?;
        if t.gate(thread, opcode) != Gate::Open || t.dispatch(thread, opcode, word, l1)? == Step::Stall {
            return Ok(executed);
        }
        t.retire(thread);
        executed += 1;
    }
    t.release_wait(thread)?;
    t.settle(thread)?;
    Ok(executed)
}

/// Reproducible numbers.
pub struct Random(SplitMix64);

impl Random {
    /// The generator of a seed.
    pub fn new(seed: u64) -> Self {
        Self(SplitMix64::seed_from_u64(seed))
    }

    /// The next one.
    pub fn next(&mut self) -> u32 {
        self.0.next_u32()
    }
}
