//! Results that come late: what a program must not do right after certain instructions ("Instruction
//! scheduling" on the pages of `SFPMAD`, `SFPSHFT2`, `SFPCONFIG` and `SFPLOAD`).
//!
//! Here, and in the vendor's simulator, an instruction's results are visible at once. On hardware, an instruction that
//! reads them too early gets the register's previous value. With [`SfpuState::hazard_checks`] that is a program
//! error. Distances are counted in instructions of the thread: any other instruction in between takes one
//! cycle.

use tt_isa::chip::wormhole::{config as c, thread as tc};
use tt_isa::insn::{Effects, MVMUL, Opcode, Operand, STALLWAIT, SubUnit, Unit};
use tt_isa::sfpu::{
    LANES, lreg, mod0_fmt, sfp_stoch_rnd, sfpconfig, sfpiadd, sfploadi, sfplut, sfplutfp32, sfpmad, sfpmov,
    sfpsetcc, sfpshft2, simple,
};
use tt_isa::stall::{block, until};

use super::mad::INDEX;
use super::operands::Operands;
use super::{LaneMask, SfpuState};
use crate::fault::Fault;
use crate::model::tensix::{THREADS, Tensix, dst};

/// A set of registers: bit i is register i.
type Registers = u32;
/// A set of aligned blocks of eight 16-bit rows of Dst.
type Blocks = u128;

/// Instructions after a matrix unit's write of Dst that must come before an `SFPLOAD` of the same block.
const MATRIX_DISTANCE: usize = 3;
const BLOCK_ROWS: usize = 8;

/// What the instruction before left for the next cycle.
#[derive(Clone, Copy, Debug)]
struct Late {
    cause: Opcode,
    /// Registers that must not be read, or written.
    no_read: Registers,
    no_write: Registers,
    /// The write port of the simple and round sub-units is taken.
    port_taken: bool,
    /// `DISABLE_BACKDOOR_LOAD` of before.
    no_backdoor: Option<LaneMask>,
}

/// What each thread's next instructions have to respect.
#[derive(Clone, Default, Debug)]
pub struct Hazards {
    late: [Option<Late>; THREADS],
    /// Blocks of Dst that the matrix unit wrote, latest first.
    matrix: [[Blocks; MATRIX_DISTANCE]; THREADS],
}

impl SfpuState {
    /// Looks at an instruction before it executes.
    pub(super) fn check_hazards(&mut self, thread: usize, op: &Operands) -> Result<(), Fault> {
        if let Some(late) = self.hazards.late[thread].take() {
            self.check_after(&late, op)?;
        }
        self.hazards.late[thread] = self.late(op);
        Ok(())
    }

    fn check_after(&self, late: &Late, op: &Operands) -> Result<(), Fault> {
        let (opcode, cause) = (op.opcode, late.cause);
        let fault = |what: String| {
            Err(Fault::program(format!("{what}: put an SFPNOP between the two"))
                .page(super::operands::page(cause)))
        };
        let read = late.no_read & self.reads(op);
        if read != 0 {
            let register = read.trailing_zeros();
            return fault(format!(
                "{opcode:?} reads LReg[{register}], which {cause:?} before it writes a cycle later"
            ));
        }
        let written = late.no_write & self.writes(op);
        if written != 0 {
            let register = written.trailing_zeros();
            return fault(format!(
                "{opcode:?} writes LReg[{register}], which {cause:?} before it writes a cycle later"
            ));
        }
        if late.port_taken && uses_write_port(op) {
            return fault(format!(
                "{opcode:?} right after {cause:?}, whose result is written in the same cycle"
            ));
        }
        let changed = late.no_backdoor.is_some_and(|before| before != self.config.no_backdoor());
        if changed && op.vd >= lreg::TEMPLATES as usize && !matches!(opcode, Opcode::SFPCONFIG) {
            return fault(format!("{opcode:?} with VD {} while DISABLE_BACKDOOR_LOAD changes", op.vd));
        }
        Ok(())
    }

    /// What an instruction leaves for the next cycle.
    fn late(&self, op: &Operands) -> Option<Late> {
        use Opcode::*;
        let none = Late { cause: op.opcode, no_read: 0, no_write: 0, port_taken: false, no_backdoor: None };
        match op.opcode {
            opcode if opcode.unit() == Unit::Vector(SubUnit::Mad) => {
                Some(Late { no_read: self.writes(op), ..none })
            }
            SFPSHFT2 => match op.modifier {
                sfpshft2::SUBVEC_SHFLROR1_AND_COPY4 => {
                    Some(Late { no_read: 0b1111, no_write: 0b1110, port_taken: true, ..none })
                }
                sfpshft2::SUBVEC_SHFLROR1 | sfpshft2::SUBVEC_SHFLSHR1 => {
                    Some(Late { no_read: self.writes(op), port_taken: true, ..none })
                }
                _ => None,
            },
            SFPCONFIG if op.vd as u32 == sfpconfig::LANE_CONFIG => {
                Some(Late { no_backdoor: Some(self.config.no_backdoor()), ..none })
            }
            _ => None,
        }
    }

    /// Registers that lanes name in `LReg[7]`.
    fn named(&self) -> Registers {
        (0..LANES).fold(0, |set, lane| set | 1 << (self.lreg[INDEX][lane] & 15))
    }

    /// Registers that an instruction reads.
    fn reads(&self, op: &Operands) -> Registers {
        use Opcode::*;
        let (b, c, d) = (1 << op.vb, 1 << op.vc, 1 << op.vd);
        let index = |bit: u32| if op.has(bit) { 1 << INDEX } else { 0 };
        let unless = |bits: u32, registers: Registers| if op.has(bits) { 0 } else { registers };
        match op.opcode {
            SFPLOADMACRO => 0,
            SFPLOAD if matches!(op.modifier, mod0_fmt::LO16_ONLY | mod0_fmt::HI16_ONLY) => d,
            SFPLOAD => 0,
            SFPLOADI if matches!(op.modifier, sfploadi::UPPER | sfploadi::LOWER) => d,
            SFPLOADI => 0,
            SFPMAD | SFPADD | SFPMUL if op.has(sfpmad::INDIRECT_VA) => b | c | 1 << INDEX | self.named(),
            SFPMAD | SFPADD | SFPMUL => 1 << op.va | b | c | index(sfpmad::INDIRECT_VD),
            SFPADDI | SFPMULI => c | index(sfpmad::INDIRECT_VD),
            SFPLUT => 0b1111 | index(sfplut::INDIRECT_VD),
            SFPLUTFP32 => {
                let half = op.modifier & !sfplutfp32::SGN_RETAIN == sfplutfp32::FP16_3ENTRY_TABLE;
                index(sfplutfp32::INDIRECT_VD) | if half { 0b1111 } else { 0b111_1111 }
            }
            SFPSETCC => unless(sfpsetcc::CLEAR | sfpsetcc::IMM_BIT0, c),
            SFPCONFIG if (op.vd as u32) < sfpconfig::SEQUENCE => 1,
            SFPCONFIG => unless(sfpconfig::IMM16_IS_VALUE, 1),
            SFPSWAP if self.config.dest_index() != 0 => c | d | 0b1111_0000,
            SFPTRANSP => 0xFF,
            SFPSHFT2 => match op.modifier {
                sfpshft2::COPY4 => 0b1110,
                sfpshft2::SUBVEC_CHAINED_COPY4 => 0b1111,
                sfpshft2::SUBVEC_SHFLROR1_AND_COPY4 => 0b1110 | c,
                sfpshft2::SHFT_LREG => b | c,
                sfpshft2::SHFT_IMM => b,
                _ => c,
            },
            SFP_STOCH_RND => {
                let shifts =
                    matches!(op.modifier, sfp_stoch_rnd::INT32_TO_UINT8 | sfp_stoch_rnd::INT32_TO_INT8);
                if shifts { b | c } else { c }
            }
            SFPMOV => unless(sfpmov::FROM_SPECIAL, c),
            SFPIADD => c | unless(sfpiadd::ARG_IMM, b),
            SFPSHFT => b | unless(simple::SFPSHFT_ARG_IMM, c),
            SFPSETEXP | SFPSETMAN | SFPSETSGN => c | unless(simple::SET_ARG_IMM, b),
            opcode => named_by_fields(opcode.effects().reads, op.word),
        }
    }

    /// Registers that an instruction writes, of those that can be written.
    fn writes(&self, op: &Operands) -> Registers {
        use Opcode::*;
        let (c, d) = (1 << op.vc, 1 << op.vd);
        let result = match op.opcode {
            SFPCONFIG => 0,
            SFPMAD | SFPADD | SFPMUL | SFPADDI | SFPMULI if op.has(sfpmad::INDIRECT_VD) => self.named(),
            SFPLUT if op.has(sfplut::INDIRECT_VD) => self.named(),
            SFPLUTFP32 if op.has(sfplutfp32::INDIRECT_VD) => self.named(),
            SFPSWAP if self.config.dest_index() != 0 => c | d | 0b1111_0000,
            SFPTRANSP => 0xFF,
            SFPSHFT2 if op.modifier <= sfpshft2::SUBVEC_SHFLROR1_AND_COPY4 => 0b1111,
            SFPSHFT2 | SFPLOADMACRO => d,
            opcode => named_by_fields(opcode.effects().writes, op.word),
        };
        result & 0xFF
    }

    /// After an instruction of a thread has executed, of this unit or of another one: `written` are the
    /// blocks of Dst that the matrix unit wrote.
    pub(in crate::model::tensix) fn retired(
        &mut self,
        thread: usize,
        opcode: Opcode,
        word: u32,
        written: Blocks,
    ) {
        if !opcode.unit().is_vector() {
            self.hazards.late[thread] = None;
        }
        let history = &mut self.hazards.matrix[thread];
        history.rotate_right(1);
        history[0] = written;
        if opcode == Opcode::STALLWAIT {
            let op = STALLWAIT::decode(word);
            if op.stall_res & block::SFPU != 0 && op.wait_res & until::MATH != 0 {
                *history = Default::default();
            }
        }
    }

    /// Refuses an `SFPLOAD` of rows that the matrix unit wrote just before.
    pub(super) fn check_load(
        &self,
        thread: usize,
        op: &Operands,
        row: usize,
        wide: bool,
    ) -> Result<(), Fault> {
        let read = blocks(row, wide);
        match self.hazards.matrix[thread].iter().position(|written| written & read != 0) {
            None => Ok(()),
            Some(between) => {
                let what = format!(
                    "SFPLOAD from Dst row {row}, {between} instructions after the matrix unit wrote there: \
                     {MATRIX_DISTANCE} others have to come between, or STALLWAIT"
                );
                Err(Fault::program(what).page(op.page()))
            }
        }
    }
}

/// The block of a row, in its 16-bit rows.
fn blocks(row: usize, wide: bool) -> Blocks {
    if !wide {
        return 1 << (row % dst::ROWS / BLOCK_ROWS);
    }
    // High halves, and eight rows on the low ones.
    0b11 << (dst::high_row(row) % dst::ROWS / BLOCK_ROWS)
}

/// Blocks of Dst that an instruction of the matrix unit writes, as far as its first row tells.
pub(in crate::model::tensix) fn matrix_writes(
    t: &Tensix,
    thread: usize,
    opcode: Opcode,
    word: u32,
) -> Blocks {
    if opcode.unit() != Unit::Matrix || !opcode.effects().may_write(Operand::Dst) {
        return 0;
    }
    // All have the row in the same place.
    let offset = t.cfg.thread(thread, tc::DEST_TARGET_REG_CFG_MATH_Offset);
    let row = MVMUL::decode(word).dst + t.rwc[thread].dst.value + offset;
    blocks(row as usize, t.cfg.get(thread, c::ALU_ACC_CTRL_Fp32_enabled) != 0)
}

/// Whether the simple or round sub-unit writes a result in the cycle in which `SFPSHFT2`'s rotations do.
fn uses_write_port(op: &Operands) -> bool {
    let shares = matches!(op.opcode.unit(), Unit::Vector(SubUnit::Simple | SubUnit::Round));
    let written = Effects::lregs(op.opcode.effects().writes, op.word);
    match op.opcode {
        Opcode::SFPSHFT2 => !matches!(op.modifier, 2..=4),
        // It takes two cycles, and writes both.
        Opcode::SFPSWAP => false,
        _ => shares && written.is_some_and(|registers| registers != 0),
    }
}

/// Registers that the fields of a word name.
fn named_by_fields(operands: &[Operand], word: u32) -> Registers {
    Effects::lregs(operands, word).unwrap_or(0)
}
