//! The matrix unit: `MVMUL`, and the instructions that manage its registers (`MatrixUnit.md`).
//!
//! ```text
//! SrcB 8x16 (rows of activations)  x  SrcA 16x16  ->  Dst 8x16 +=
//! ```
//!
//! An instruction that reads SrcA or SrcB waits until the bank is valid, and may hand it back.

use tt_isa::chip::wormhole::config as c;
use tt_isa::insn::{Opcode, ZEROACC};

use super::{Exec, Step, Tensix, dst, rwc};
use crate::fault::Fault;

mod accumulate;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod banks;
mod blocked;
#[cfg(test)]
mod documented_tests;
mod elementwise;
mod integer;
mod moves;
mod multiply;
mod operand;
#[cfg(all(test, target_arch = "x86_64"))]
mod pair_tests;
mod pool;
mod product;
#[cfg(all(test, target_arch = "x86_64"))]
mod product_tests;
mod setup;

/// The matrix unit's own state.
#[derive(Default)]
pub struct MatrixState {
    operands: operand::Operands,
    setup: setup::Kept,
    /// First row of SrcA of the last instruction that had one.
    last_src_a_row: usize,
}

/// Executes a matrix unit instruction.
pub fn execute(t: &mut Tensix, thread: usize, opcode: Opcode, word: u32) -> Exec {
    if t.dead.matrix && computes(opcode) {
        return wrongly(t, thread, opcode, word);
    }
    let columns = t.sfpu.config.blocked_columns();
    if columns != 0 && blocked::applies_to(opcode) {
        return blocked::without_columns(t, columns, |t| unit(t, thread, opcode, word));
    }
    unit(t, thread, opcode, word)
}

/// Whether an instruction is one of those that compute.
fn computes(opcode: Opcode) -> bool {
    use Opcode::{DOTPV, ELWADD, ELWMUL, ELWSUB, GAPOOL, GMPOOL, MVMUL};
    matches!(opcode, MVMUL | DOTPV | GAPOOL | GMPOOL | ELWADD | ELWSUB | ELWMUL)
}

/// Executes an instruction as a unit that is dead: the first datum of each block of rows that it writes is wrong.
fn wrongly(t: &mut Tensix, thread: usize, opcode: Opcode, word: u32) -> Exec {
    let blocks = super::sfpu::matrix_writes(t, thread, opcode, word);
    let step = unit(t, thread, opcode, word)?;
    if step == Step::Done {
        (0..dst::ROWS / 8).filter(|block| blocks >> block & 1 == 1).for_each(|block| t.dst.spoil(8 * block));
    }
    Ok(step)
}

fn unit(t: &mut Tensix, thread: usize, opcode: Opcode, word: u32) -> Exec {
    match opcode {
        Opcode::MVMUL | Opcode::DOTPV | Opcode::GAPOOL => multiply::execute(t, thread, opcode, word),
        Opcode::ZEROACC => zeroacc(t, thread, word),
        Opcode::SETRWC => rwc::setrwc(t, thread, word),
        Opcode::INCRWC => rwc::incrwc(&mut t.rwc[thread], word),
        Opcode::CLEARDVALID => banks::cleardvalid(t, word),
        Opcode::GMPOOL => pool::gmpool(t, thread, word),
        Opcode::ELWADD | Opcode::ELWSUB | Opcode::ELWMUL => elementwise::execute(t, thread, opcode, word),
        Opcode::MOVA2D => moves::mova2d(t, thread, word, true),
        Opcode::MOVDBGA2D => moves::mova2d(t, thread, word, false),
        Opcode::MOVB2D => moves::movb2d(t, thread, word),
        Opcode::MOVD2A => moves::movd2a(t, thread, word),
        Opcode::MOVD2B => moves::movd2b(t, thread, word),
        Opcode::MOVB2A => moves::movb2a(t, thread, word),
        Opcode::ZEROSRC => banks::zerosrc(t, word),
        Opcode::SHIFTXA => banks::shiftxa(t, word),
        Opcode::SHIFTXB => banks::shiftxb(t, thread, word),
        Opcode::TRNSPSRCB => banks::trnspsrcb(t),
        Opcode::SETDVALID => banks::setdvalid(t, thread, word),
        // Clock gating of operand latches: nothing that a functional model could show.
        Opcode::GATESRCRST => Ok(Step::Done),
        _ => Err(Fault::not_implemented(format!("matrix unit instruction {opcode:?}"))
            .page("TensixTile/TensixCoprocessor/MatrixUnit.md")),
    }
}

/// `ZEROACC`: makes rows of Dst undefined. They read as zero, or for `GMPOOL` as minus infinity.
fn zeroacc(t: &mut Tensix, thread: usize, word: u32) -> Exec {
    let op = ZEROACC::decode(word);
    let (mode, wide) = (op.clear_mode & 3, op.clear_mode & 4 != 0);
    let first = op.dst as usize;
    match mode {
        0 => {
            let get = |field| t.cfg.get(thread, field) != 0;
            let wide = get(c::ALU_ACC_CTRL_Fp32_enabled) || get(c::ALU_ACC_CTRL_INT8_math_enabled);
            let row = setup::dst_row(t, thread, op.dst, 1);
            let row = if wide { dst::high_row(row) } else { row };
            t.dst.invalidate(row..row + 1);
        }
        // Beyond the end there is nothing: software uses that to apply an address modifier and no more.
        1 => {
            let first = first & 0xFF;
            let rows = if wide { dst::ROWS / 2 } else { dst::ROWS };
            for row in (16 * first..16 * first + 16).filter(|&row| row < rows) {
                let row = if wide { dst::high_row(row) } else { row };
                t.dst.invalidate(row..row + 1);
            }
        }
        2 => {
            let half = first & 1;
            t.dst.invalidate(half * (dst::ROWS / 2)..(half + 1) * (dst::ROWS / 2));
        }
        _ => t.dst.invalidate(0..dst::ROWS),
    }
    if mode <= 1 {
        rwc::apply_addr_mod(&mut t.rwc[thread], &t.cfg, thread, op.addr_mode, true)?;
    }
    Ok(Step::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of Dst that are undefined after a `ZEROACC`.
    fn cleared(clear_mode: u32, dst: u32, wide: u32) -> Vec<usize> {
        let mut t = crate::model::tensix::testing::tensix();
        t.cfg.write(0, 1, c::ALU_ACC_CTRL_Fp32_enabled.value(wide)).unwrap();
        t.rwc[1].dst.value = 5;
        zeroacc(&mut t, 1, ZEROACC { clear_mode, dst, ..ZEROACC::ZERO }.word()).unwrap();
        (0..dst::ROWS).filter(|&row| !t.dst.is_valid16(row)).collect()
    }

    #[test]
    fn zeroacc_clears_a_row_sixteen_half_or_all() {
        assert_eq!(cleared(0, 7, 0), [12]);
        assert_eq!(cleared(0, 7, 1), [dst::high_row(12)]);
        assert_eq!(cleared(0, dst::ROWS as u32 - 1, 0), [4]);
        assert_eq!(cleared(1, 3, 1), (48..64).collect::<Vec<_>>());
        assert_eq!(cleared(5, 3, 0), (96..104).chain(112..120).collect::<Vec<_>>());
        assert_eq!(cleared(5, 31, 0).last(), Some(&1015));
        assert_eq!(cleared(1, 0xFF, 0), []);
        assert_eq!(cleared(5, 32, 0), []);
        assert_eq!(cleared(6, 1, 0), (512..1024).collect::<Vec<_>>());
        assert_eq!(cleared(3, 0, 0).len(), 1024);
    }
}
