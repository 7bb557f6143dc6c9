//! The matrix unit: `MVMUL`, and the instructions that manage its registers (`MatrixUnit.md`).
//!
//! ```text
//! SrcB 8x16 (rows of activations)  x  SrcA 16x16  ->  Dst 8x16 +=
//! ```
//!
//! An instruction that reads SrcA or SrcB waits until the bank is valid, and may hand it back.

use tt_isa::cfg::{config as c, thread as tc};
use tt_isa::format::DataFormat;
use tt_isa::insn::{CLEARDVALID, MVMUL, Opcode, ZEROACC};

use super::{Exec, Step, Tensix, dst, rwc};
use crate::fault::Fault;

pub mod arith;
#[cfg(target_arch = "x86_64")]
mod avx2;
mod elementwise;
mod moves;

use arith::{Operation, Rows};

/// Rows of Dst and SrcB that `MVMUL` works on.
const MVMUL_ROWS: usize = arith::ROWS;

/// Executes a matrix unit instruction.
pub fn execute(t: &mut Tensix, thread: usize, opcode: Opcode, word: u32) -> Exec {
    match opcode {
        Opcode::MVMUL => mvmul(t, thread, word),
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

const MVMUL_PAGE: &str = "TensixTile/TensixCoprocessor/MVMUL.md";

fn is_8bit_exponent(format: Option<DataFormat>) -> bool {
    use DataFormat::{Bf16, Bfp4, Bfp8, Fp32, Tf32};
    matches!(format, Some(Fp32 | Tf32 | Bf16 | Bfp8 | Bfp4))
}

fn mvmul(t: &mut Tensix, thread: usize, word: u32) -> Exec {
    let op = MVMUL::decode(word);
    if op.instr_mod19 != 0 || op.dst & 7 != 0 {
        let what = format!("MVMUL with broadcast {} to row {:#x}", op.instr_mod19, op.dst);
        return Err(Fault::not_implemented(what).page(MVMUL_PAGE));
    }
    if !t.src_a.matrix_ready() || !t.src_b.matrix_ready() {
        return Ok(Step::Stall);
    }
    let operation = operation(t, thread)?;
    let counters = t.rwc[thread];
    let (a, b) = (counters.src_a.value as usize, counters.src_b.value as usize);
    let d = (dst_row(t, thread, op.dst) as usize) & (dst::ROWS - 1);
    if a % 16 != 0 || b % 8 != 0 || !d.is_multiple_of(8) {
        let what = format!("MVMUL at SrcA row {a}, SrcB row {b}, Dst row {d}");
        return Err(Fault::undocumented(what).page(MVMUL_PAGE));
    }
    if d + MVMUL_ROWS > dst::ROWS / 2 {
        return Err(Fault::program(format!("32-bit Dst row {d} does not exist")).page(MVMUL_PAGE));
    }
    let mut rows: Rows = std::array::from_fn(|r| t.dst.read32(d + r).map(dst::decode32));
    let src_a = t.src_a.matrix()[a..a + 16].try_into().expect("sixteen rows");
    let src_b = t.src_b.matrix()[b..b + 8].try_into().expect("eight rows");
    arith::multiply(&operation, src_a, src_b, &mut rows);
    for (r, row) in rows.iter().enumerate() {
        t.dst.write32(d + r, &row.map(dst::encode32));
    }
    rwc::apply_addr_mod(&mut t.rwc[thread], &t.cfg, thread, op.addr_mode, true)?;
    rwc::flip_sources(t, thread, op.clear_dvalid)?;
    Ok(Step::Done)
}

/// What the configuration asks of a multiplication.
fn operation(t: &Tensix, thread: usize) -> Result<Operation, Fault> {
    let get = |field| t.cfg.get(thread, field);
    let format_a = DataFormat::from_code(get(c::ALU_FORMAT_SPEC_REG0_SrcA));
    let format_b = DataFormat::from_code(get(c::ALU_FORMAT_SPEC_REG1_SrcB));
    if get(c::ALU_ACC_CTRL_INT8_math_enabled) != 0 || get(c::ALU_FORMAT_SPEC_REG_SrcA_override) != 0 {
        return Err(
            Fault::not_implemented("integer matrix arithmetic or a SrcA format override").page(MVMUL_PAGE)
        );
    }
    if get(c::ALU_ACC_CTRL_Zero_Flag_disabled_src) != 0 {
        return Err(Fault::not_implemented("denormal operands of the matrix unit").page(MVMUL_PAGE));
    }
    if !is_8bit_exponent(format_a) || !is_8bit_exponent(format_b) {
        let what = format!("matrix arithmetic on SrcA {format_a:?} and SrcB {format_b:?}");
        return Err(Fault::not_implemented(what).page(MVMUL_PAGE));
    }
    if get(c::ALU_ACC_CTRL_Fp32_enabled) == 0 {
        return Err(Fault::not_implemented("MVMUL into 16-bit Dst").page(MVMUL_PAGE));
    }
    let phase = t.rwc[thread].fidelity + t.cfg.thread(thread, tc::FIDELITY_BASE_Phase);
    Ok(Operation {
        phase: phase & 3,
        tf32_a: format_a == Some(DataFormat::Tf32),
        tf32_b: format_b == Some(DataFormat::Tf32),
    })
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
