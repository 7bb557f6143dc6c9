//! The unit against formulations that share nothing with it. The vendor's simulator is compared with in
//! `tests/sfpu_vectors.rs` and `tests/sfpu_differential.rs`; what only the ISA pages define is here.

mod arithmetic;
mod configuration;
mod flags;
mod hazards;
mod macros;
mod memory;
mod shuffles;

use tt_isa::insn::Opcode;

use super::{LANES, Lanes, execute};
use crate::fault::Fault;
use crate::tensix::Tensix;

/// A coprocessor of which only the vector unit is used, by thread 1.
struct Unit(Tensix);

impl Unit {
    fn new() -> Self {
        Self(Tensix::default())
    }

    /// With these registers, from 0 on.
    fn with<const N: usize>(registers: [Lanes; N]) -> Self {
        let mut unit = Self::new();
        unit.0.sfpu.lreg[..N].copy_from_slice(&registers);
        unit
    }

    fn try_run(&mut self, word: u32) -> Result<(), Fault> {
        let opcode = Opcode::of(word).expect("an instruction");
        execute(&mut self.0, 1, opcode, word).map(|_| ())
    }

    fn run(&mut self, word: u32) -> &mut Self {
        self.try_run(word).unwrap();
        self
    }

    fn lreg(&self, register: usize) -> Lanes {
        self.0.sfpu.lreg[register]
    }
}

/// Reproducible numbers (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as u32
    }

    fn lanes(&mut self) -> Lanes {
        std::array::from_fn(|_| self.next())
    }
}

/// Lane i has i plus something.
fn counting(from: u32) -> Lanes {
    std::array::from_fn(|i| from + i as u32)
}
