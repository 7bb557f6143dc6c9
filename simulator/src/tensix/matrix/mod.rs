//! The matrix unit: `MVMUL`, and the instructions that manage its registers (`MatrixUnit.md`).
//!
//! ```text
//! SrcB 8x16 (rows of activations)  x  SrcA 16x16  ->  Dst 8x16 +=
//! ```
//!
//! An instruction that reads SrcA or SrcB waits until the bank is valid, and may hand it back.

use tt_isa::cfg::{config as c, thread as tc};
use tt_isa::insn::{CLEARDVALID, Opcode, ZEROACC};

use super::{Exec, Step, Tensix, dst, rwc};
use crate::fault::Fault;

mod accumulate;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod elementwise;
mod integer;
mod moves;
mod multiply;
mod operand;
mod product;
#[cfg(all(test, target_arch = "x86_64"))]
mod product_tests;
mod setup;

/// The matrix unit's own state.
#[derive(Default)]
pub struct MatrixState {
    operands: operand::Operands,
    /// First row of SrcA of the last instruction that had one.
    last_src_a_row: usize,
}

/// Executes a matrix unit instruction.
pub fn execute(t: &mut Tensix, thread: usize, opcode: Opcode, word: u32) -> Exec {
    match opcode {
        Opcode::MVMUL | Opcode::DOTPV | Opcode::GAPOOL => multiply::execute(t, thread, opcode, word),
        Opcode::ZEROACC => zeroacc(t, thread, word),
        Opcode::SETRWC => rwc::setrwc(t, thread, word),
        Opcode::INCRWC => rwc::incrwc(&mut t.rwc[thread], word),
        Opcode::CLEARDVALID => cleardvalid(t, word),
        Opcode::ELWADD | Opcode::ELWSUB | Opcode::ELWMUL => elementwise::execute(t, thread, opcode, word),
        Opcode::MOVA2D => moves::mova2d(t, thread, word),
        Opcode::MOVB2D => moves::movb2d(t, thread, word),
        Opcode::MOVD2A => moves::movd2a(t, thread, word),
        Opcode::MOVD2B => moves::movd2b(t, thread, word),
        Opcode::MOVB2A => moves::movb2a(t, thread, word),
        Opcode::ZEROSRC => moves::zerosrc(t, word),
        Opcode::TRNSPSRCB => moves::trnspsrcb(t),
        Opcode::SETDVALID => moves::setdvalid(t, thread, word),
        // Clock gating of operand latches: nothing that a functional model could show.
        Opcode::GATESRCRST => Ok(Step::Done),
        _ => Err(Fault::not_implemented(format!("matrix unit instruction {opcode:?}"))
            .page("TensixTile/TensixCoprocessor/MatrixUnit.md")),
    }
}

/// Dst row that `thread` addresses with `offset`.
fn dst_row(t: &Tensix, thread: usize, offset: u32) -> u32 {
    t.rwc[thread].dst.value + offset + t.cfg.thread(thread, tc::DEST_TARGET_REG_CFG_MATH_Offset)
}

fn zeroacc(t: &mut Tensix, thread: usize, word: u32) -> Exec {
    const PAGE: &str = "TensixTile/TensixCoprocessor/ZEROACC.md";
    let op = ZEROACC::decode(word);
    let dst = op.dst as usize;
    let wide = t.cfg.get(thread, c::ALU_ACC_CTRL_Fp32_enabled) != 0;
    let out_of_range =
        || Err(Fault::program(format!("ZEROACC of {dst} in mode {}", op.clear_mode)).page(PAGE));
    match op.clear_mode {
        0 => {
            let row = dst_row(t, thread, op.dst) as usize;
            if row >= if wide { dst::ROWS / 2 } else { dst::ROWS } {
                return out_of_range();
            }
            let row = if wide { dst::high_row(row) } else { row };
            t.dst.invalidate(row..row + 1);
        }
        1 if dst < dst::ROWS / 16 => t.dst.invalidate(dst * 16..dst * 16 + 16),
        2 | 6 if dst <= 1 => t.dst.invalidate(dst * (dst::ROWS / 2)..(dst + 1) * (dst::ROWS / 2)),
        3 | 7 if dst == 0 => t.dst.invalidate(0..dst::ROWS),
        1..=3 | 6 | 7 => return out_of_range(),
        mode => return Err(Fault::undocumented(format!("ZEROACC mode {mode}")).page(PAGE)),
    }
    if op.clear_mode & 3 <= 1 {
        rwc::apply_addr_mod(&mut t.rwc[thread], &t.cfg, thread, op.addr_mode, true)?;
    }
    Ok(Step::Done)
}

fn cleardvalid(t: &mut Tensix, word: u32) -> Exec {
    const PAGE: &str = "TensixTile/TensixCoprocessor/CLEARDVALID.md";
    let op = CLEARDVALID::decode(word);
    if op.reset != 0 || op.cleardvalid == 0 {
        let what = format!("CLEARDVALID reset {} of banks {}", op.reset, op.cleardvalid);
        return Err(Fault::undocumented(what).page(PAGE));
    }
    if op.cleardvalid & 1 != 0 {
        t.src_a.flip_matrix(true)?;
    }
    if op.cleardvalid & 2 != 0 {
        t.src_b.flip_matrix(true)?;
    }
    Ok(Step::Done)
}
