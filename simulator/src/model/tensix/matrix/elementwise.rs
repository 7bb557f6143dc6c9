//! `ELWADD`, `ELWSUB`, `ELWMUL`: eight rows of SrcA and SrcB to Dst (`ELWADD.md`, `ELWSUB.md`, `ELWMUL.md`).
//!
//! The data path is `MVMUL`'s, with one product or one sum instead of sixteen products. SrcB can be broadcast
//! from one row, from its first column, or from one datum.

use tt_isa::insn::{ELWADD, Opcode};

use super::accumulate::{Accumulator, Term, accumulate, accumulate_wrapped};
use super::integer;
use super::operand::{Style, significand, slice_a, slice_b};
use super::product::{Operation, change_narrow, change_wide};
use super::setup::{Math, Setup, dst_row};
use crate::fault::Fault;
use crate::model::tensix::src::{COLS, Row};
use crate::model::tensix::{Exec, Step, Tensix, rwc};

const PAGE: &str = "TensixTile/TensixCoprocessor/ELWADD.md";
/// Rows of one instruction.
const BLOCK: usize = 8;

/// Executes one of the three; they have the same operands.
pub(super) fn execute(t: &mut Tensix, thread: usize, opcode: Opcode, word: u32) -> Exec {
    let op = ELWADD::decode(word);
    if !t.src_a.matrix_ready() || !t.src_b.matrix_ready() {
        return Ok(Step::Stall);
    }
    let setup = Setup::of(t, thread)?;
    let function = Function::of(opcode, op.dest_accum_en != 0, &setup)?;
    let (one_row, one_column) = (op.instr_mod19 & 2 != 0, op.instr_mod19 & 1 != 0);
    let a = t.rwc[thread].src_a.value as usize & 0x38;
    let b = t.rwc[thread].src_b.value as usize & if one_row { 0x3F } else { 0x38 };
    let d = dst_row(t, thread, op.dst, BLOCK);
    for row in 0..BLOCK {
        let left = t.src_a.matrix()[a + row];
        let mut right = t.src_b.matrix()[b + if one_row { 0 } else { row }];
        if one_column {
            right = [right[0]; COLS];
        }
        if opcode == Opcode::ELWSUB {
            right = right.map(|x| x ^ 1 << 31);
        }
        match setup.math {
            Math::Float { styles, operation } => {
                let unit = Float { function, styles, operation, flush_b: setup.flush_b };
                unit.row(&mut t.dst, d + row, &left, &right);
            }
            Math::Int8 { phase } => {
                let adds = !matches!(function, Function::Sum);
                let mut out = if adds { t.dst.read32(d + row) } else { [0; COLS] };
                for col in 0..COLS {
                    let (x, y, old) = (left[col], right[col], out[col]);
                    out[col] = match function {
                        Function::Product => integer::product(phase, setup.flush_b, x, y, old),
                        Function::Sum => integer::sum(setup.flush_b, x, y, None),
                        Function::SumAndOld => integer::sum(setup.flush_b, x, y, Some(old)),
                    };
                }
                t.dst.write32(d + row, &out);
            }
        }
    }
    t.matrix.last_src_a_row = a;
    rwc::apply_addr_mod(&mut t.rwc[thread], &t.cfg, thread, op.addr_mode, true)?;
    rwc::flip_sources(t, thread, op.clear_dvalid)?;
    Ok(Step::Done)
}

/// What a datum of Dst becomes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Function {
    /// Itself and a product.
    Product,
    /// A sum.
    Sum,
    /// Itself and a sum.
    SumAndOld,
}

impl Function {
    fn of(opcode: Opcode, accumulate: bool, setup: &Setup) -> Result<Self, Fault> {
        match setup.math {
            _ if opcode == Opcode::ELWMUL => Ok(Self::Product),
            Math::Float { operation: Operation { phase: phase @ 1.., .. }, .. }
            | Math::Int8 { phase: phase @ 1.. } => {
                Err(Fault::undocumented(format!("{opcode:?} in fidelity phase {phase}")).page(PAGE))
            }
            _ if accumulate => Ok(Self::SumAndOld),
            _ => Ok(Self::Sum),
        }
    }
}

/// Floating point arithmetic of a row.
struct Float {
    function: Function,
    styles: [Style; 2],
    operation: Operation,
    flush_b: bool,
}

impl Float {
    fn row(&self, dst: &mut crate::model::tensix::dst::Dst, row: usize, left: &Row, right: &Row) {
        let accumulator = self.operation.accumulator;
        let masked = |x: &Row, style: Style| x.map(|x| x & style.mask());
        let (a, b) = (masked(left, self.styles[0]), masked(right, self.styles[1]));
        let change = |c: usize, old: u32| {
            let old = if self.function == Function::Sum { 0 } else { old };
            let (a, b) = (a[c], b[c]);
            if self.function == Function::Product {
                return accumulate(accumulator, old, [self.product(a, b), Term::default()]);
            }
            let sum = self.sum(a, b);
            // The smaller of two zeros is not subtracted from the other, where zeros count as numbers.
            if a & 0x7F80_0000 == 0 && b == 1 << 31 && !self.flush_b {
                accumulate_wrapped(accumulator, old, sum)
            } else {
                accumulate(accumulator, old, [sum, Term::default()])
            }
        };
        if accumulator == Accumulator::Fp32 {
            let [high, low] = dst.rows32_mut(row, 1);
            change_wide(&mut high[0], &mut low[0], change);
        } else {
            change_narrow(accumulator, &mut dst.rows16_mut(row, 1)[0], change);
        }
    }

    fn is_zero_b(&self, b: u32) -> bool {
        self.flush_b && b & 0x7F80_0000 == 0
    }

    /// A slice of `a` times a slice of `b`.
    fn product(&self, a: u32, b: u32) -> Term {
        let op = &self.operation;
        let exponent = (a >> 23 & 255) as i32 + (b >> 23 & 255) as i32 + op.exponent_offset();
        if a & 0x7F80_0000 == 0 || self.is_zero_b(b) || exponent <= 0 {
            return Term { sum: 0, exponent: op.least_exponent() };
        }
        let product = slice_a(a, op.phase & 1 != 0) * slice_b(b, op.phase & 2 != 0);
        Term { sum: if (a ^ b) >> 31 != 0 { -product } else { product }, exponent }
    }

    /// `a` + `b`: the smaller is shifted to the larger's exponent and rounded half away from zero.
    fn sum(&self, a: u32, b: u32) -> Term {
        let a = if a & 0x7F80_0000 == 0 { 0 } else { a };
        let b = if self.is_zero_b(b) { 0 } else { b };
        let (large, small) = if a & 0x7FFF_FFFF < b & 0x7FFF_FFFF { (b, a) } else { (a, b) };
        let exponent = |x: u32| (x >> 23 & 255) as i32;
        // A datum without any bit is zero, without exponent alone it is not (if denormals are kept).
        let magnitude = |x: u32| if x == 0 { 0 } else { significand(x) };
        let shift = (exponent(large) - exponent(small)).min(12);
        let aligned = (magnitude(small) + ((1 << shift) >> 1)) >> shift;
        let magnitude =
            if large >> 31 == small >> 31 { magnitude(large) + aligned } else { magnitude(large) - aligned };
        let sum = if large >> 31 != 0 { -magnitude } else { magnitude };
        let exponent = match (exponent(large), self.operation) {
            // Half precision in single precision's terms.
            (0, op @ Operation { half: true, accumulator: Accumulator::Fp32, .. }) => op.least_exponent(),
            (e, Operation { half: true, accumulator: Accumulator::Fp32, .. }) => e + 127 - 15,
            (e, _) => e,
        };
        Term { sum, exponent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_isa::chip::wormhole::config as c;

    fn unit(function: Function) -> Float {
        Float {
            function,
            styles: [Style::Tf32; 2],
            operation: Operation { phase: 0, half: false, accumulator: Accumulator::Fp32 },
            flush_b: true,
        }
    }

    /// One datum in all columns.
    fn one(unit: &Float, a: f32, b: f32, old: f32) -> f32 {
        let mut dst = crate::model::tensix::dst::Dst::default();
        dst.write32(8, &[crate::model::tensix::dst::encode32(old.to_bits()); COLS]);
        unit.row(&mut dst, 8, &[a.to_bits(); COLS], &[b.to_bits(); COLS]);
        let row = dst.read32(8).map(crate::model::tensix::dst::decode32);
        assert_eq!(row, [row[0]; COLS]);
        f32::from_bits(row[0])
    }

    #[test]
    fn sums_and_products() {
        assert_eq!(one(&unit(Function::Sum), 1.5, 2.25, 100.0), 3.75);
        assert_eq!(one(&unit(Function::SumAndOld), 1.5, -2.5, 8.0), 7.0);
        assert_eq!(one(&unit(Function::Sum), 1.0, -1.0, 8.0), 0.0);
        assert_eq!(one(&unit(Function::Product), 1.5, -2.5, 8.0), 4.25);
        assert_eq!(one(&unit(Function::Product), 1.5, 0.0, 8.0), 8.0);
    }

    #[test]
    fn a_sum_waits_for_both_banks() {
        let mut t = crate::model::tensix::testing::tensix();
        t.cfg.write(0, 1, c::ALU_ACC_CTRL_Fp32_enabled.value(1)).unwrap();
        let word = ELWADD::ZERO.word();
        assert_eq!(execute(&mut t, 0, Opcode::ELWADD, word).unwrap(), Step::Stall);
        t.src_a.give_to_matrix().unwrap();
        t.src_b.give_to_matrix().unwrap();
        assert_eq!(execute(&mut t, 0, Opcode::ELWADD, word).unwrap(), Step::Done);
    }
}
