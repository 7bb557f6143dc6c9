//! The vector unit alone, for programs that need its arithmetic without a chip.

use tt_isa::chip::WORMHOLE;
use tt_isa::insn::Opcode;
use tt_isa::sfpu::{LANES, lreg, sfpencc};

use crate::fault::Fault;
use crate::model::tensix::{Step, Tensix, sfpu};

/// Thread whose instructions are executed: the one that software gives to the unit.
const THREAD: usize = 1;

/// A vector unit with predication enabled, and all lanes on. Instructions that use a result too early are faults.
pub struct VectorUnit(Box<Tensix>);

impl Default for VectorUnit {
    fn default() -> Self {
        let mut tensix = Box::new(Tensix::new(&WORMHOLE));
        tensix.sfpu.hazard_checks = true;
        let mut unit = Self(tensix);
        let all_on = tt_isa::insn::SFPENCC {
            imm12_math: sfpencc::IMM_E | sfpencc::IMM_R,
            lreg_dest: 0,
            instr_mod1: sfpencc::EI | sfpencc::RI,
        };
        unit.run(&[all_on.word()]).expect("a legal instruction");
        unit
    }
}

impl VectorUnit {
    /// A register, 0 to 14; those from 8 on are constants to programs.
    ///
    /// # Panics
    ///
    /// There is no such register.
    pub fn register(&mut self, number: u32) -> &mut [u32; LANES] {
        assert!(number < lreg::LANE_ID, "LReg[{number}]");
        &mut self.0.sfpu.lreg[number as usize]
    }

    /// Executes instructions of the vector unit one after the other.
    ///
    /// # Errors
    ///
    /// The fault of the first that is none, or that hardware does not define.
    pub fn run(&mut self, words: &[u32]) -> Result<(), Fault> {
        for &word in words {
            let opcode = Opcode::of(word).filter(|&opcode| opcode.unit().is_vector()).ok_or_else(|| {
                Fault::program(format!("{word:#010x} is no instruction of the vector unit"))
            })?;
            if sfpu::execute(&mut self.0, THREAD, opcode, word)? == Step::Stall {
                return Err(Fault::internal("an instruction of the vector unit alone stalls"));
            }
        }
        Ok(())
    }
}
