//! The vector unit (SFPU): 32 lanes on Dst (`VectorUnit.md`).
//!
//! What is here is the state that boot firmware sets: lane predication and constant registers. Arithmetic is
//! not there yet and is refused by name.

use tt_isa::insn::{Opcode, SFPCONFIG, SFPENCC};

use super::{Exec, Step};
use crate::fault::Fault;

/// Lanes.
pub const LANES: usize = 32;
/// LRegs 0..7 and the constants above.
const LREGS: usize = 16;
/// Default of constant register 11: -1.
const MINUS_ONE: u32 = 0xBF80_0000;

/// The vector unit's state.
pub struct SfpuState {
    /// `[register][lane]`
    pub lreg: [[u32; LANES]; LREGS],
    /// Lane flags.
    pub flags: u32,
    /// Whether flags switch lanes off.
    pub use_flags: bool,
}

impl Default for SfpuState {
    fn default() -> Self {
        Self { lreg: [[0; LANES]; LREGS], flags: 0, use_flags: false }
    }
}

/// Executes a vector unit instruction.
pub fn execute(sfpu: &mut SfpuState, opcode: Opcode, word: u32) -> Exec {
    match opcode {
        Opcode::SFPNOP => Ok(Step::Done),
        Opcode::SFPENCC => sfpencc(sfpu, SFPENCC::decode(word)),
        Opcode::SFPCONFIG => sfpconfig(sfpu, SFPCONFIG::decode(word)),
        _ => Err(Fault::not_implemented(format!("vector unit instruction {opcode:?}"))
            .page("TensixTile/TensixCoprocessor/VectorUnit.md")),
    }
}

fn sfpencc(sfpu: &mut SfpuState, op: SFPENCC) -> Exec {
    let all = |bit: bool| if bit { u32::MAX } else { 0 };
    match (op.instr_mod1, op.lreg_dest) {
        (0, 0) if op.imm12_math == 0 => sfpu.flags = u32::MAX,
        (10, 0) => {
            sfpu.flags = all(op.imm12_math & 2 != 0);
            sfpu.use_flags = op.imm12_math & 1 != 0;
        }
        _ => {
            return Err(Fault::not_implemented(format!("SFPENCC modifier {}", op.instr_mod1))
                .page("TensixTile/TensixCoprocessor/SFPENCC.md"));
        }
    }
    Ok(Step::Done)
}

fn sfpconfig(sfpu: &mut SfpuState, op: SFPCONFIG) -> Exec {
    const PAGE: &str = "TensixTile/TensixCoprocessor/SFPCONFIG.md";
    let enabled = if sfpu.use_flags { sfpu.flags } else { u32::MAX };
    if enabled != u32::MAX {
        return Err(Fault::undocumented(format!("SFPCONFIG with lanes {:#010x} off", !enabled)).page(PAGE));
    }
    match (op.config_dest, op.instr_mod1) {
        (11, 1) if op.imm16_math == 0 => sfpu.lreg[11] = [MINUS_ONE; LANES],
        (11..=14, 0) if op.imm16_math == 0 => {
            let value = sfpu.lreg[0][0];
            sfpu.lreg[op.config_dest as usize] = [value; LANES];
        }
        (dest, modifier) => {
            return Err(
                Fault::not_implemented(format!("SFPCONFIG of {dest}, modifier {modifier}")).page(PAGE)
            );
        }
    }
    Ok(Step::Done)
}
