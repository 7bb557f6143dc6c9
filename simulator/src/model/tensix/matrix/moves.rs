//! Moves between SrcA, SrcB and Dst (`MOVA2D.md`, `MOVB2D.md`, `MOVD2A.md`, `MOVD2B.md`, `MOVB2A.md`,
//! `MOVDBGA2D.md`).
//!
//! Datums keep their bits where the formats allow it: a move to Dst converts to Dst's storage form, a move from
//! Dst converts back to a left aligned 19-bit datum. SrcA's format decides the form, also for SrcB's datums. If a row number
//! is not aligned as the move needs it, its low bits are dropped.

use tt_isa::chip::wormhole::config as c;
use tt_isa::format::DataFormat::{Fp16, Tf32};
use tt_isa::insn::{MOVA2D, MOVB2A, MOVB2D, MOVD2A, MOVD2B};

use super::operand::Style;
use super::setup::{dst_row, format_a, format_b, style};
use crate::fault::Fault;
use crate::model::tensix::dst::{self, Dst};
use crate::model::tensix::rwc::{self, Counter};
use crate::model::tensix::src::{COLS, ROWS, Row};
use crate::model::tensix::{Exec, Step, Tensix};

/// Bit of `instr_mod` that moves a block of rows instead of one.
const BLOCK: u32 = 0b10;

/// How many rows: `block` with the bit set.
fn rows(instr_mod: u32, block: usize, page: &'static str) -> Result<usize, Fault> {
    match instr_mod {
        0 => Ok(1),
        BLOCK => Ok(block),
        _ => Err(Fault::undocumented(format!("move with instr_mod {instr_mod}")).page(page)),
    }
}

/// Row of a SrcA or SrcB bank, the first of `count` that are aligned.
fn src_row(counter: Counter, offset: u32, count: usize) -> usize {
    (counter.value + offset) as usize & (ROWS - count)
}

/// The matrix unit takes a datum without exponent for zero, unless told otherwise.
fn flush(t: &Tensix, thread: usize, row: Row) -> Row {
    if t.cfg.get(thread, c::ALU_ACC_CTRL_Zero_Flag_disabled_src) != 0 {
        return row;
    }
    row.map(|x| if x & 0x7F80_0000 == 0 { 0 } else { x })
}

/// Writes a row of SrcA or SrcB datums to Dst: 16 bits of each, or (TF32) all 19 to a 32-bit row, or 16 to the low
/// halves of a 32-bit row.
fn write(dst: &mut Dst, row: usize, datums: &Row, style: Style, low: bool) {
    let halves = || {
        datums.map(|x| match style {
            Style::Fp16 => dst::encode_fp16(dst::narrow_fp16(x)),
            _ => dst::encode_bf16((x >> 16) as u16),
        })
    };
    if style == Style::Tf32 {
        dst.write32(row, &datums.map(dst::encode32));
    } else if low {
        let mut wide = dst.read32(row);
        for (x, half) in wide.iter_mut().zip(halves()) {
            *x = *x & 0xFFFF_0000 | u32::from(half);
        }
        dst.write32(row, &wide);
    } else {
        dst.write16(row, &halves());
    }
}

/// What a move to Dst writes.
fn to_dst(t: &Tensix, thread: usize, low: u32, page: &'static str) -> Result<Style, Fault> {
    let style = style(format_a(t, thread)?);
    if low != 0 && style == Style::Tf32 {
        return Err(Fault::program("move of TF32 to the low halves of Dst").page(page));
    }
    Ok(style)
}

/// `MOVA2D` and `MOVDBGA2D`: one row or eight. The latter does not wait for SrcA.
pub(super) fn mova2d(t: &mut Tensix, thread: usize, word: u32, wait: bool) -> Exec {
    const PAGE: &str = "TensixTile/TensixCoprocessor/MOVA2D.md";
    let op = MOVA2D::decode(word);
    let count = rows(op.instr_mod, 8, PAGE)?;
    if wait && !t.src_a.matrix_ready() {
        return Ok(Step::Stall);
    }
    let style = to_dst(t, thread, op.dest_32b_lo, PAGE)?;
    let from = src_row(t.rwc[thread].src_a, op.src, count);
    let to = dst_row(t, thread, op.dst, count);
    for i in 0..count {
        let datums = flush(t, thread, t.src_a.matrix()[from + i]);
        write(&mut t.dst, to + i, &datums, style, op.dest_32b_lo != 0);
    }
    finish(t, thread, op.addr_mode, from)
}

/// `MOVB2D`: one row or four; or one row to eight; each with or without its first datum in all columns.
pub(super) fn movb2d(t: &mut Tensix, thread: usize, word: u32) -> Exec {
    const PAGE: &str = "TensixTile/TensixCoprocessor/MOVB2D.md";
    let op = MOVB2D::decode(word);
    if !t.src_b.matrix_ready() {
        return Ok(Step::Stall);
    }
    let style = to_dst(t, thread, op.dest_32b_lo, PAGE)?;
    let keep = bits_of_src_b(t, thread)?;
    let (same_column, same_row, four) = (op.instr_mod & 1 != 0, op.instr_mod & 2 != 0, op.instr_mod & 4 != 0);
    let (count, aligned) = match (same_row, four) {
        (true, _) => (8, 1),
        (false, true) => (4, 4),
        (false, false) => (1, 1),
    };
    let from = src_row(t.rwc[thread].src_b, op.src, aligned);
    let to = dst_row(t, thread, op.dst, count);
    for i in 0..count {
        let mut datums = t.src_b.matrix()[if same_row { from } else { from + i }];
        if same_column {
            datums = [datums[0]; COLS];
        }
        let datums = flush(t, thread, datums).map(|x| x & keep);
        write(&mut t.dst, to + i, &datums, style, op.dest_32b_lo != 0);
    }
    let row_a = src_row(t.rwc[thread].src_a, 0, 1);
    finish(t, thread, op.addr_mode, row_a)
}

/// Bits that SrcB's format gives a datum. Where SrcA has a format of five exponent bits other than half
/// precision, both are opaque.
fn bits_of_src_b(t: &Tensix, thread: usize) -> Result<u32, Fault> {
    let (a, b) = (format_a(t, thread)?, format_b(t, thread)?);
    Ok(match b {
        Fp16 | Tf32 => style(b).mask(),
        _ if a != Fp16 && style(a) == Style::Fp16 => style(b).mask(),
        _ => Style::Bf16.mask(),
    })
}

/// How a move from Dst reads.
struct Reading {
    style: Style,
    /// Rows of 32 bits.
    wide: bool,
    /// Their low halves.
    low: bool,
}

impl Reading {
    fn of(t: &Tensix, thread: usize, low: u32, page: &'static str) -> Result<Self, Fault> {
        let get = |field| t.cfg.get(thread, field);
        let wide = get(c::ALU_ACC_CTRL_Fp32_enabled) | get(c::ALU_ACC_CTRL_INT8_math_enabled) != 0;
        let reading = Self { style: style(format_a(t, thread)?), wide, low: low != 0 };
        match reading {
            Self { style: Style::Tf32, wide: false, .. } => {
                Err(Fault::program("move from 16-bit Dst to TF32").page(page))
            }
            Self { wide: false, low: true, .. } => {
                Err(Fault::program("move from the low halves of 16-bit Dst").page(page))
            }
            _ => Ok(reading),
        }
    }

    /// A row as datums of SrcA or SrcB.
    fn row(&self, dst: &Dst, row: usize) -> Row {
        let half = |x: u16| match self.style {
            Style::Fp16 => dst::widen_fp16(dst::decode_fp16(x)),
            _ => u32::from(dst::decode_bf16(x)) << 16,
        };
        if !self.wide {
            return dst.read16(row).map(half);
        }
        dst.read32(row).map(|x| match (self.style, self.low) {
            (Style::Tf32, false) => dst::decode32(x) & Style::Tf32.mask(),
            (Style::Tf32, true) => below_tf32(x),
            (_, false) => half((x >> 16) as u16),
            (_, true) => half(x as u16),
        })
    }
}

/// The thirteen bits that TF32 has no room for, as the low bits of a datum: its exponent and half its mantissa, as
/// the register holds them.
fn below_tf32(x: u32) -> u32 {
    (x & 0xFF) << 23 | (x >> 8 & 0x1F) << 13
}

/// `MOVD2A`: one row or four.
pub(super) fn movd2a(t: &mut Tensix, thread: usize, word: u32) -> Exec {
    const PAGE: &str = "TensixTile/TensixCoprocessor/MOVD2A.md";
    let op = MOVD2A::decode(word);
    let count = rows(op.instr_mod, 4, PAGE)?;
    let reading = Reading::of(t, thread, op.dest_32b_lo, PAGE)?;
    let to = src_row(t.rwc[thread].src_a, op.src, count);
    let from = dst_row(t, thread, op.dst, count);
    for (i, row) in t.src_a.matrix_mut()[to..to + count].iter_mut().enumerate() {
        *row = reading.row(&t.dst, from + i);
    }
    finish(t, thread, op.addr_mode, to)
}

/// `MOVD2B`: one row or four.
pub(super) fn movd2b(t: &mut Tensix, thread: usize, word: u32) -> Exec {
    const PAGE: &str = "TensixTile/TensixCoprocessor/MOVD2B.md";
    let op = MOVD2B::decode(word);
    let count = rows(op.instr_mod, 4, PAGE)?;
    let reading = Reading::of(t, thread, op.dest_32b_lo, PAGE)?;
    let to = src_row(t.rwc[thread].src_b, op.src, count);
    let from = dst_row(t, thread, op.dst, count);
    for (i, row) in t.src_b.matrix_mut()[to..to + count].iter_mut().enumerate() {
        *row = reading.row(&t.dst, from + i);
    }
    let row_a = src_row(t.rwc[thread].src_a, 0, 1);
    finish(t, thread, op.addr_mode, row_a)
}

/// `MOVB2A`: one row or four.
pub(super) fn movb2a(t: &mut Tensix, thread: usize, word: u32) -> Exec {
    const PAGE: &str = "TensixTile/TensixCoprocessor/MOVB2A.md";
    let op = MOVB2A::decode(word);
    let count = rows(op.instr_mod, 4, PAGE)?;
    if !t.src_b.matrix_ready() {
        return Ok(Step::Stall);
    }
    let to = src_row(t.rwc[thread].src_a, op.srca, count);
    let from = src_row(t.rwc[thread].src_b, op.srcb, count);
    for i in 0..count {
        t.src_a.matrix_mut()[to + i] = flush(t, thread, t.src_b.matrix()[from + i]);
    }
    finish(t, thread, op.addr_mode, to)
}

fn finish(t: &mut Tensix, thread: usize, addr_mode: u32, row_a: usize) -> Exec {
    t.matrix.last_src_a_row = row_a;
    rwc::apply_addr_mod(&mut t.rwc[thread], &t.cfg, thread, addr_mode, true)?;
    Ok(Step::Done)
}
