//! Helpers shared by the tests of several units.

use super::wait_gate::Gate;
use super::{Step, Tensix, check_word};
use crate::fault::Fault;
use crate::model::l1::L1;

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

/// Reproducible numbers (xorshift).
pub struct Random(pub u64);

impl Random {
    /// The next one.
    pub fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as u32
    }
}
