//! The unit against independent implementations. `tests/all/sfpu_vectors.rs` and `tests/all/sfpu_differential.rs` compare with
//! the vendor's simulator; features that only the ISA pages define are tested here.

mod arithmetic;
mod configuration;
mod flags;
mod hazards;
mod macros;
mod memory;
mod shuffles;

use tt_isa::insn::{INSTRUCTIONS, Opcode};

use super::{LANES, Lanes, execute, pass};
use crate::fault::Fault;
use crate::model::tensix::Tensix;
use crate::model::tensix::testing::Random;

/// A coprocessor of which only the vector unit is used, by thread 1.
struct TestUnit(Tensix);

impl TestUnit {
    fn new() -> Self {
        Self(crate::model::tensix::testing::tensix())
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

impl Random {
    fn lanes(&mut self) -> Lanes {
        std::array::from_fn(|_| self.next())
    }
}

/// Any pushed word gives results or a fault, never a panic.
#[test]
fn random_instructions_do_not_panic() {
    let mut random = Random::new(0xDEAD);
    let rows: Vec<_> = INSTRUCTIONS.iter().filter(|row| row.name.starts_with("SFP")).collect();
    let mut executed = vec![0; rows.len()];
    for _ in 0..2_000 {
        let mut unit = TestUnit::new();
        unit.0.sfpu.hazard_checks = random.next().is_multiple_of(2);
        unit.0.rwc[1].dst.value = random.next() % 1024;
        (0..8).for_each(|register| unit.0.sfpu.lreg[register] = random.lanes());
        for _ in 0..200 {
            let i = random.next() as usize % rows.len();
            let operands = random.next() & if random.next().is_multiple_of(2) { !0 } else { random.next() };
            let word = u32::from(rows[i].opcode) << 24 | operands & 0xFF_FFFF & !rows[i].reserved_mask();
            executed[i] += u32::from(unit.try_run(word).is_ok());
            if random.next().is_multiple_of(4) {
                let _ = pass(&mut unit.0, 1);
            }
        }
    }
    for (row, executed) in rows.iter().zip(executed) {
        assert!(executed > 500, "{} was executed only {executed} times", row.name);
    }
}

/// Lane i has i plus something.
fn counting(from: u32) -> Lanes {
    std::array::from_fn(|i| from + i as u32)
}
