//! Moves between SrcA, SrcB and Dst (`MOVA2D.md`, `MOVB2D.md`, `MOVD2A.md`, `MOVD2B.md`, `MOVB2A.md`), and the
//! instructions that clear, transpose or hand over banks (`ZEROSRC.md`, `TRNSPSRCB.md`, `SETDVALID.md`).
//!
//! Datums keep their bits where the formats allow it: a move to Dst changes to Dst's storage form, a move from
//! Dst back to a left aligned 19-bit datum.

use tt_isa::cfg::config as c;
use tt_isa::cfg::thread as tc;
use tt_isa::format::DataFormat::{self, *};
use tt_isa::insn::{MOVA2D, MOVB2A, MOVB2D, MOVD2A, MOVD2B, SETDVALID, ZEROSRC};

use super::dst_row;
use crate::fault::Fault;
use crate::tensix::dst::{self, Dst};
use crate::tensix::rwc;
use crate::tensix::src::{COLS, ROWS, Row};
use crate::tensix::{Exec, Step, Tensix};

/// `instr_mod` of the moves of whole blocks.
const BLOCK: u32 = 2;

/// How datums of SrcA/SrcB and Dst relate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    /// TF32 in 32-bit Dst.
    Tf32,
    /// Five exponent bits, in 16-bit Dst.
    Half,
    /// Sixteen high bits, in 16-bit Dst or one half of 32-bit Dst.
    Bfloat,
}

/// The format that decides the form: SrcA's, overridden or not.
fn form(t: &Tensix, thread: usize, page: &'static str, bfloat: &[DataFormat]) -> Result<Form, Fault> {
    let get = |field| t.cfg.get(thread, field);
    let code = match get(c::ALU_FORMAT_SPEC_REG_SrcA_override) {
        0 => get(c::ALU_FORMAT_SPEC_REG0_SrcA),
        _ => get(c::ALU_FORMAT_SPEC_REG_SrcA_val),
    };
    match DataFormat::from_code(code) {
        Some(Tf32) => Ok(Form::Tf32),
        Some(Fp16) => Ok(Form::Half),
        Some(Fp8) if bfloat.contains(&Bfp2) => Ok(Form::Half),
        Some(format) if bfloat.contains(&format) => Ok(Form::Bfloat),
        _ => Err(Fault::not_implemented(format!("move with SrcA format {code}")).page(page)),
    }
}

/// A row that has to be a multiple of `step` and below `rows`.
fn aligned(row: u32, step: u32, rows: usize, page: &'static str) -> Result<usize, Fault> {
    if !row.is_multiple_of(step) || row as usize + step as usize > rows {
        return Err(Fault::not_implemented(format!("move of {step} rows at row {row}")).page(page));
    }
    Ok(row as usize)
}

fn unsupported(what: &str, operand: u32, page: &'static str) -> Exec {
    Err(Fault::not_implemented(format!("{what} with instr_mod {operand}")).page(page))
}

/// The matrix unit takes a datum without exponent for zero, unless told otherwise.
fn flush(t: &Tensix, thread: usize, row: Row) -> Row {
    if t.cfg.get(thread, c::ALU_ACC_CTRL_Zero_Flag_disabled_src) != 0 {
        return row;
    }
    row.map(|x| if x & 0x7F80_0000 == 0 { 0 } else { x })
}

/// Writes a row of SrcA or SrcB datums to Dst.
fn write(dst: &mut Dst, row: usize, datums: &Row, form: Form, low: bool) {
    match form {
        Form::Tf32 => dst.write32(row, &datums.map(dst::encode32)),
        Form::Half => {
            dst.write16(row, &datums.map(|x| dst::encode_fp16((x >> 16 & 0x8000 | x >> 13 & 0x7FFF) as u16)));
        }
        Form::Bfloat if low => {
            let mut wide = dst.read32(row);
            for (x, &datum) in wide.iter_mut().zip(datums) {
                *x = *x & 0xFFFF_0000 | u32::from(dst::encode_bf16((datum >> 16) as u16));
            }
            dst.write32(row, &wide);
        }
        Form::Bfloat => dst.write16(row, &datums.map(|x| dst::encode_bf16((x >> 16) as u16))),
    }
}

/// Reads a row of Dst as SrcA or SrcB datums.
fn read(dst: &Dst, row: usize, form: Form, wide: bool, low: bool) -> Row {
    if !wide {
        return dst.read16(row).map(|x| match form {
            Form::Half => {
                let x = u32::from(dst::decode_fp16(x));
                (x & 0x8000) << 16 | (x & 0x7FFF) << 13
            }
            _ => u32::from(dst::decode_bf16(x)) << 16,
        });
    }
    dst.read32(row).map(|x| match form {
        Form::Tf32 => dst::decode32(x) & 0xFFFF_E000,
        _ if low => u32::from(dst::decode_bf16(x as u16)) << 16,
        _ => u32::from(dst::decode_bf16((x >> 16) as u16)) << 16,
    })
}

fn check_to_dst(form: Form, low: u32, page: &'static str) -> Result<bool, Fault> {
    if low != 0 && form != Form::Bfloat {
        return Err(Fault::program(format!("move to the low halves of Dst in form {form:?}")).page(page));
    }
    Ok(low != 0)
}

/// `MOVA2D`: eight rows.
pub(super) fn mova2d(t: &mut Tensix, thread: usize, word: u32) -> Exec {
    const PAGE: &str = "TensixTile/TensixCoprocessor/MOVA2D.md";
    let op = MOVA2D::decode(word);
    if op.instr_mod != BLOCK || op.dst & 7 != 0 || op.src & 7 != 0 {
        return unsupported("MOVA2D", op.instr_mod, PAGE);
    }
    if !t.src_a.matrix_ready() {
        return Ok(Step::Stall);
    }
    let form = form(t, thread, PAGE, &[Fp32, Bf16, Bfp8, Bfp4, Int32, Int16, Bfp2])?;
    let low = check_to_dst(form, op.dest_32b_lo, PAGE)?;
    let from = aligned(op.src + t.rwc[thread].src_a.value, 8, ROWS, PAGE)?;
    let to = aligned(dst_row(t, thread, op.dst) & (dst::ROWS as u32 - 1), 8, dst::ROWS, PAGE)?;
    for i in 0..8 {
        let datums = flush(t, thread, t.src_a.matrix()[from + i]);
        write(&mut t.dst, to + i, &datums, form, low);
    }
    finish(t, thread, op.addr_mode)
}

/// `MOVB2D`: four rows; or one row to eight; each with or without its first datum in all columns.
pub(super) fn movb2d(t: &mut Tensix, thread: usize, word: u32) -> Exec {
    const PAGE: &str = "TensixTile/TensixCoprocessor/MOVB2D.md";
    let op = MOVB2D::decode(word);
    if !(2..=5).contains(&op.instr_mod) || op.dst & 3 != 0 || op.src & 3 != 0 {
        return unsupported("MOVB2D", op.instr_mod, PAGE);
    }
    if !t.src_b.matrix_ready() {
        return Ok(Step::Stall);
    }
    let form = form(t, thread, PAGE, &[Fp32, Bf16, Bfp8, Bfp4, Int32, Int16])?;
    let low = check_to_dst(form, op.dest_32b_lo, PAGE)?;
    let keep = match DataFormat::from_code(t.cfg.get(thread, c::ALU_FORMAT_SPEC_REG1_SrcB)) {
        Some(Fp16) => 0x8FFF_E000,
        Some(Tf32) => u32::MAX,
        _ => 0xFFFF_0000,
    };
    let (same_row, same_column) = (op.instr_mod & 2 != 0, op.instr_mod & 1 != 0);
    let rows = if same_row { 8 } else { 4 };
    let from = aligned(op.src + t.rwc[thread].src_b.value, rows, ROWS, PAGE)?;
    let to = aligned(dst_row(t, thread, op.dst) & (dst::ROWS as u32 - 1), rows, dst::ROWS, PAGE)?;
    for i in 0..rows as usize {
        let mut datums = t.src_b.matrix()[from + if same_row { 0 } else { i }];
        if same_column {
            datums = [datums[0]; COLS];
        }
        let datums = flush(t, thread, datums).map(|x| x & keep);
        write(&mut t.dst, to + i, &datums, form, low);
    }
    finish(t, thread, op.addr_mode)
}

/// What a move from Dst reads: form and whether rows are 32-bit.
fn from_dst(t: &Tensix, thread: usize, low: u32, form: Form, page: &'static str) -> Result<bool, Fault> {
    let get = |field| t.cfg.get(thread, field);
    let wide = get(c::ALU_ACC_CTRL_Fp32_enabled) | get(c::ALU_ACC_CTRL_INT8_math_enabled) != 0;
    match (wide, form) {
        (true, Form::Half) => {
            Err(Fault::not_implemented("move from 32-bit Dst to half precision").page(page))
        }
        (false, Form::Tf32) => Err(Fault::program("move from 16-bit Dst to TF32").page(page)),
        _ if low != 0 && (!wide || form == Form::Tf32) => {
            Err(Fault::program(format!("move from the low halves of Dst in form {form:?}")).page(page))
        }
        _ => Ok(wide),
    }
}

/// `MOVD2A`: four rows.
pub(super) fn movd2a(t: &mut Tensix, thread: usize, word: u32) -> Exec {
    const PAGE: &str = "TensixTile/TensixCoprocessor/MOVD2A.md";
    let op = MOVD2A::decode(word);
    if op.instr_mod != BLOCK || (op.dst | op.src) & 3 != 0 || op.dest_32b_lo != 0 {
        return unsupported("MOVD2A", op.instr_mod, PAGE);
    }
    if t.cfg.get(thread, c::ALU_FORMAT_SPEC_REG_SrcA_override) != 0 {
        return Err(Fault::not_implemented("MOVD2A with a SrcA format override").page(PAGE));
    }
    let form = form(t, thread, PAGE, &[Fp32, Bf16, Bfp8, Bfp4])?;
    let wide = from_dst(t, thread, 0, form, PAGE)?;
    let to = aligned((op.src + t.rwc[thread].src_a.value) & (ROWS as u32 - 1), 4, ROWS, PAGE)?;
    let from = aligned(dst_row(t, thread, op.dst) & (dst::ROWS as u32 - 1), 4, dst::ROWS, PAGE)?;
    for i in 0..4 {
        t.src_a.matrix_mut()[to + i] = read(&t.dst, from + i, form, wide, false);
    }
    finish(t, thread, op.addr_mode)
}

/// `MOVD2B`: one row or four.
pub(super) fn movd2b(t: &mut Tensix, thread: usize, word: u32) -> Exec {
    const PAGE: &str = "TensixTile/TensixCoprocessor/MOVD2B.md";
    let op = MOVD2B::decode(word);
    if !matches!(op.instr_mod, 0 | BLOCK) || (op.dst | op.src) & 3 != 0 {
        return unsupported("MOVD2B", op.instr_mod, PAGE);
    }
    let form = form(t, thread, PAGE, &[Fp32, Bf16, Bfp8, Bfp4, Int32])?;
    let wide = from_dst(t, thread, op.dest_32b_lo, form, PAGE)?;
    let to = aligned(op.src + t.rwc[thread].src_b.value, 4, ROWS, PAGE)?;
    let from = aligned(dst_row(t, thread, op.dst) & (dst::ROWS as u32 - 1), 4, dst::ROWS, PAGE)?;
    for i in 0..if op.instr_mod == BLOCK { 4 } else { 1 } {
        t.src_b.matrix_mut()[to + i] = read(&t.dst, from + i, form, wide, op.dest_32b_lo != 0);
    }
    finish(t, thread, op.addr_mode)
}

/// `MOVB2A`: four rows.
pub(super) fn movb2a(t: &mut Tensix, thread: usize, word: u32) -> Exec {
    const PAGE: &str = "TensixTile/TensixCoprocessor/MOVB2A.md";
    let op = MOVB2A::decode(word);
    if op.instr_mod != BLOCK || (op.srca | op.srcb) & 3 != 0 {
        return unsupported("MOVB2A", op.instr_mod, PAGE);
    }
    if !t.src_b.matrix_ready() {
        return Ok(Step::Stall);
    }
    let to = aligned(op.srca + t.rwc[thread].src_a.value, 4, ROWS, PAGE)?;
    let from = aligned(op.srcb + t.rwc[thread].src_b.value, 4, ROWS, PAGE)?;
    for i in 0..4 {
        t.src_a.matrix_mut()[to + i] = flush(t, thread, t.src_b.matrix()[from + i]);
    }
    finish(t, thread, op.addr_mode)
}

fn finish(t: &mut Tensix, thread: usize, addr_mode: u32) -> Exec {
    rwc::apply_addr_mod(&mut t.rwc[thread], &t.cfg, thread, addr_mode, true)?;
    Ok(Step::Done)
}

/// `ZEROSRC`: the matrix unit's banks, or all four.
pub(super) fn zerosrc(t: &mut Tensix, word: u32) -> Exec {
    const PAGE: &str = "TensixTile/TensixCoprocessor/ZEROSRC.md";
    let op = ZEROSRC::decode(word);
    const ZEROS: [Row; ROWS] = [[0; COLS]; ROWS];
    match (op.bank_mask, op.write_mode, op.src_mask, op.zero_val) {
        (1, 0, 3, 0) => {
            t.src_a.fill(0);
            t.src_b.fill(0);
        }
        (0, 1, 1..=3, 0) => {
            if op.src_mask & 1 != 0 {
                *t.src_a.matrix_mut() = ZEROS;
            }
            if op.src_mask & 2 != 0 {
                *t.src_b.matrix_mut() = ZEROS;
            }
        }
        _ => {
            let what = format!(
                "ZEROSRC of {:#x}, bank_mask {}, write_mode {}, zero_val {}",
                op.src_mask, op.bank_mask, op.write_mode, op.zero_val
            );
            return Err(Fault::not_implemented(what).page(PAGE));
        }
    }
    Ok(Step::Done)
}

/// `TRNSPSRCB`: rows 16 to 31 of SrcB.
pub(super) fn trnspsrcb(t: &mut Tensix) -> Exec {
    if !t.src_b.matrix_ready() {
        return Ok(Step::Stall);
    }
    let bank = t.src_b.matrix_mut();
    let old: [Row; COLS] = std::array::from_fn(|i| bank[COLS + i]);
    for i in 0..COLS {
        bank[COLS + i] = std::array::from_fn(|j| old[j][i]);
    }
    Ok(Step::Done)
}

/// `SETDVALID`: hands the unpackers' banks over as they are.
pub(super) fn setdvalid(t: &mut Tensix, thread: usize, word: u32) -> Exec {
    const PAGE: &str = "TensixTile/TensixCoprocessor/SETDVALID.md";
    let op = SETDVALID::decode(word);
    if op.setvalid == 0 {
        return Err(Fault::program("SETDVALID of nothing").page(PAGE));
    }
    if op.setvalid & 1 != 0 {
        if t.cfg.thread(thread, tc::SRCA_SET_Base) != 0 {
            return Err(Fault::not_implemented("SRCA_SET_Base").page(PAGE));
        }
        t.src_a.give_to_matrix()?;
    }
    if op.setvalid & 2 != 0 {
        t.src_b.give_to_matrix()?;
    }
    Ok(Step::Done)
}
