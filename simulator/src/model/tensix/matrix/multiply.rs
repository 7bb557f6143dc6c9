//! `MVMUL`, `DOTPV` and `GAPOOL`: rows of SrcB times sixteen rows of SrcA, added to rows of Dst (`MVMUL.md`).
//!
//! ```text
//! SrcB 8x16 (rows of activations)  x  SrcA 16x16  ->  Dst 8x16 +=
//! ```
//!
//! `GAPOOL` takes the first four rows of SrcB. `MVMUL` can broadcast one row of SrcB, to every other row of Dst.

use tt_isa::insn::{GAPOOL, MVMUL, Opcode};

use super::integer;
use super::operand::{BLOCK_ROWS, BlockB, FaceA, INNER, Style};
use super::product::{self, Operation, Rows};
use super::setup::{Math, Setup, dst_row};
use crate::fault::Fault;
use crate::model::tensix::src::{ROWS, Row};
use crate::model::tensix::{Exec, Step, Tensix, rwc};

const PAGE: &str = "TensixTile/TensixCoprocessor/MVMUL.md";

/// Executes one of the three; they have the same operands.
pub(super) fn execute(t: &mut Tensix, thread: usize, opcode: Opcode, word: u32) -> Exec {
    let op = MVMUL::decode(word);
    if opcode == Opcode::GAPOOL && GAPOOL::decode(word).max_pool_index_en != 0 {
        return Err(Fault::undocumented("GAPOOL with max_pool_index_en").page(PAGE));
    }
    if !t.src_a.matrix_ready() || !t.src_b.matrix_ready() {
        return Ok(Step::Stall);
    }
    let setup = Setup::of(t, thread)?;
    let broadcast = opcode == Opcode::MVMUL && op.instr_mod19 != 0;
    let rows = if opcode == Opcode::GAPOOL { 4 } else { BLOCK_ROWS };
    let at = Place::locate(t, thread, op.dst, rows, broadcast)?;
    match setup.math {
        Math::Float { styles, operation } if setup.flush_b => multiply(t, &operation, styles, &at),
        Math::Float { .. } => {
            return Err(Fault::not_implemented("products with SrcB's denormals kept").page(PAGE));
        }
        Math::Int8 { phase } => {
            let a = rows_of(t.src_a.matrix(), at.a);
            let b = at.rows_b(t);
            for (i, row) in b.iter().enumerate() {
                integer::multiply(phase, setup.flush_b, a, row, &mut t.dst, at.dst + i * at.step);
            }
        }
    }
    t.matrix.last_src_a_row = at.a;
    rwc::apply_addr_mod(&mut t.rwc[thread], &t.cfg, thread, op.addr_mode, true)?;
    rwc::flip_sources(t, thread, op.clear_dvalid)?;
    Ok(Step::Done)
}

/// Rows that an instruction works on.
struct Place {
    a: usize,
    b: usize,
    dst: usize,
    /// Rows of Dst that are added to, and how far one is from the next.
    count: usize,
    step: usize,
    broadcast: bool,
}

impl Place {
    #[inline]
    fn locate(t: &Tensix, thread: usize, dst: u32, rows: usize, broadcast: bool) -> Result<Self, Fault> {
        let rwc = &t.rwc[thread];
        let a = rwc.src_a.value as usize & 0x38;
        if a + INNER > ROWS {
            let what = format!("{INNER} rows of SrcA from row {a} on: it has {ROWS}");
            return Err(Fault::undocumented(what).page(PAGE));
        }
        let b = rwc.src_b.value as usize;
        Ok(if broadcast {
            // Seven rows from a multiple of eight or the row behind one.
            let row = dst_row(t, thread, dst, 1) & !0b110;
            Self { a, b, dst: row, count: 4, step: 2, broadcast }
        } else {
            let dst = dst_row(t, thread, dst, rows);
            Self { a, b: b & 0x38, dst, count: rows, step: 1, broadcast }
        })
    }

    /// The rows of SrcB, one for each row of Dst.
    fn rows_b(&self, t: &Tensix) -> Vec<Row> {
        let row = |i| t.src_b.matrix()[if self.broadcast { self.b } else { self.b + i }];
        (0..self.count).map(row).collect()
    }
}

fn rows_of<const N: usize>(bank: &[Row; ROWS], first: usize) -> &[Row; N] {
    bank[first..first + N].try_into().expect("the rows are in the bank")
}

fn multiply(t: &mut Tensix, op: &Operation, styles: [Style; 2], at: &Place) {
    let wide = op.accumulator == super::accumulate::Accumulator::Fp32;
    if at.broadcast || !at.a.is_multiple_of(INNER) {
        // Rows as software does not use them: no parts are kept of them.
        let a = FaceA::new(rows_of(t.src_a.matrix(), at.a), styles[0]);
        for (i, row) in at.rows_b(t).iter().enumerate() {
            let b = BlockB::new(&[*row; BLOCK_ROWS], styles[1]);
            product::multiply(op, &a, &b, &mut rows(&mut t.dst, wide, at.dst + i * at.step, 1));
        }
        return;
    }
    let (a, b) = t.matrix.operands.get((&t.src_a, at.a, styles[0]), (&t.src_b, at.b, styles[1]));
    product::multiply(op, a, b, &mut rows(&mut t.dst, wide, at.dst, at.count));
}

#[inline]
fn rows(dst: &mut crate::model::tensix::dst::Dst, wide: bool, row: usize, count: usize) -> Rows<'_> {
    if wide { Rows::Wide(dst.rows32_mut(row, count)) } else { Rows::Narrow(dst.rows16_mut(row, count)) }
}
