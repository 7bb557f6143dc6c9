//! Generators: one family of cases for each block of the hardware.
//!
//! A generator makes a legal configuration, a random sequence of instructions whose operands are legal
//! most of the time, and code that copies all state that they can change to memory. Illegal cases are useful too: both
//! simulators must refuse them. The instruction table says which operands are registers ([`operands`]).

use tt_isa::map::RiscV;

use crate::case::Case;
pub use crate::case::Family;
use crate::random::Random;

mod build;
mod counters;
mod expand;
mod matrix;
mod noc;
mod operands;
mod pack;
mod riscv;
mod scalar;
mod sfpu;
mod sync;
mod unpack;

impl Family {
    /// A case.
    pub fn generate(self, random: &mut Random) -> Case {
        match self {
            Family::Riscv => riscv::generate(random),
            Family::Scalar => scalar::generate(random),
            Family::Counters => counters::generate(random),
            Family::Sync => sync::generate(random),
            Family::Unpack => unpack::generate(random),
            Family::Matrix => matrix::generate(random),
            Family::Pack => pack::generate(random),
            Family::Expand => expand::generate(random),
            Family::Sfpu => sfpu::generate(random),
            Family::Noc => noc::generate(random),
        }
    }
}

/// One of the cores with a thread of their own.
fn t_core(random: &mut Random) -> RiscV {
    random.pick(&crate::image::T_CORES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_order_and_cases_reproducible() {
        for (i, (family, name, _)) in Family::ALL.into_iter().enumerate() {
            assert_eq!((family as usize, Family::of_name(name)), (i, Some(family)));
            for seed in 0..50 {
                let case = family.generate(&mut Random::new(seed));
                assert_eq!(case, family.generate(&mut Random::new(seed)), "{name}");
                assert!(case.result_len() > 0 && !case.body.is_empty(), "{name}");
            }
        }
    }
}
