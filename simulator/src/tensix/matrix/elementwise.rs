//! `ELWADD`, `ELWSUB`, `ELWMUL`: eight rows of SrcA and SrcB to 32-bit Dst (`ELWADD.md`, `ELWSUB.md`, `ELWMUL.md`).
//!
//! The same data path as `MVMUL`'s with one product or one sum instead of sixteen products; SrcB can be broadcast
//! from its first row, its first column, or one datum. Formats with 8-bit exponents only, as there.

use tt_isa::insn::{ELWADD, Opcode};

use super::arith::{self, Operation};
use super::{dst_row, operation};
use crate::fault::Fault;
use crate::tensix::dst;
use crate::tensix::rwc;
use crate::tensix::src::{COLS, ROWS};
use crate::tensix::{Exec, Step, Tensix};

const PAGE: &str = "TensixTile/TensixCoprocessor/MatrixUnit.md";
/// Rows of one instruction.
const BLOCK: usize = 8;

/// Executes one of the three; they have the same operands.
pub(super) fn execute(t: &mut Tensix, thread: usize, opcode: Opcode, word: u32) -> Exec {
    let op = ELWADD::decode(word);
    let multiply = opcode == Opcode::ELWMUL;
    if op.dst & 7 != 0 || multiply && op.dest_accum_en != 0 {
        let what = format!("{opcode:?} to row {}, dest_accum_en {}", op.dst, op.dest_accum_en);
        return Err(Fault::undocumented(what).page(PAGE));
    }
    if !t.src_a.matrix_ready() || !t.src_b.matrix_ready() {
        return Ok(Step::Stall);
    }
    let operation = operation(t, thread)?;
    if !multiply && operation.phase != 0 {
        let what = format!("{opcode:?} in fidelity phase {}", operation.phase);
        return Err(Fault::undocumented(what).page(PAGE));
    }
    let (a, b) = (t.rwc[thread].src_a.value as usize, t.rwc[thread].src_b.value as usize);
    let d = dst_row(t, thread, op.dst) as usize;
    if !(a | b | d).is_multiple_of(BLOCK) || a + BLOCK > ROWS || b + BLOCK > ROWS || d + BLOCK > dst::ROWS / 2
    {
        let what = format!("{opcode:?} at SrcA row {a}, SrcB row {b}, Dst row {d}");
        return Err(Fault::undocumented(what).page(PAGE));
    }
    let (one_row, one_column) = (op.instr_mod19 & 2 != 0, op.instr_mod19 & 1 != 0);
    for row in 0..BLOCK {
        let left = t.src_a.matrix()[a + row];
        let right = t.src_b.matrix()[b + if one_row { 0 } else { row }];
        let mut out = t.dst.read32(d + row).map(dst::decode32);
        for col in 0..COLS {
            let (x, y) = (left[col], right[if one_column { 0 } else { col }]);
            out[col] = match opcode {
                Opcode::ELWMUL => product(&operation, x, y, out[col]),
                Opcode::ELWSUB => sum(&operation, x, y ^ 1 << 31, out[col], op.dest_accum_en != 0),
                _ => sum(&operation, x, y, out[col], op.dest_accum_en != 0),
            };
        }
        t.dst.write32(d + row, &out.map(dst::encode32));
    }
    rwc::apply_addr_mod(&mut t.rwc[thread], &t.cfg, thread, op.addr_mode, true)?;
    rwc::flip_sources(t, thread, op.clear_dvalid)?;
    Ok(Step::Done)
}

/// What the unit sees of operands: 19 bits, right aligned; zero without an exponent.
fn operands(op: &Operation, a: u32, b: u32) -> [u32; 2] {
    [(a, op.tf32_a), (b, op.tf32_b)].map(|(x, tf32)| {
        let x = (if tf32 { x } else { x & 0xFFFF_0000 }) >> 13;
        if x & 0x3_FC00 == 0 { 0 } else { x }
    })
}

fn exponent(x: u32) -> i32 {
    (x >> 10 & 255) as i32
}

fn significand(x: u32) -> i32 {
    if x == 0 { 0 } else { (x & 0x3FF | 0x400) as i32 }
}

/// `old` + a slice of `a` times a slice of `b`.
fn product(op: &Operation, a: u32, b: u32, old: u32) -> u32 {
    let [a, b] = operands(op, a, b);
    let m = significand(a);
    let m = if op.phase & 1 != 0 { m >> 1 & 31 } else { m >> 6 };
    let n = significand(b);
    let n = if op.phase & 2 != 0 { (n & 15) << 3 } else { n >> 4 };
    let exponent = exponent(a) + exponent(b) + op.exponent_offset();
    let term = if a == 0 || b == 0 || exponent <= 0 {
        [0; 3]
    } else {
        [(m * n) << 13, ((a ^ b) >> 18) as i32, exponent]
    };
    arith::accumulate(old, term, [0; 3])
}

/// `a` + `b`, and `old` if it counts.
fn sum(op: &Operation, a: u32, b: u32, old: u32, accumulate: bool) -> u32 {
    let [a, b] = operands(op, a, b);
    let (large, small) = if a & 0x3_FFFF < b & 0x3_FFFF { (b, a) } else { (a, b) };
    let shift = exponent(large) - exponent(small);
    let aligned = match shift {
        0 => significand(small),
        1..12 => (significand(small) + (1 << (shift - 1))) >> shift,
        _ => 0,
    };
    let magnitude =
        if large >> 18 == small >> 18 { significand(large) + aligned } else { significand(large) - aligned };
    let term = [magnitude << 13, (large >> 18) as i32, exponent(large)];
    arith::accumulate(if accumulate { old } else { 0 }, term, [0; 3])
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_isa::cfg::{config as c, thread as tc};

    #[test]
    fn sums_and_products() {
        let op = Operation { phase: 0, tf32_a: true, tf32_b: true };
        let f = |x: f32| x.to_bits();
        assert_eq!(sum(&op, f(1.5), f(2.25), 0, false), f(3.75));
        assert_eq!(sum(&op, f(1.5), f(-2.5), f(8.0), true), f(7.0));
        assert_eq!(sum(&op, f(1.0), f(-1.0), 0, false), 0);
        assert_eq!(product(&op, f(1.5), f(-2.5), f(8.0)), f(4.25));
        assert_eq!(product(&op, f(1.5), 0, f(8.0)), f(8.0));
    }

    #[test]
    fn a_sum_waits_for_both_banks() {
        let mut t = Tensix::default();
        t.cfg.write(0, 1, c::ALU_ACC_CTRL_Fp32_enabled.value(1)).unwrap();
        t.cfg.set_thread(0, tc::FIDELITY_BASE_Phase.index, 0).unwrap();
        let word = ELWADD::ZERO.word();
        assert_eq!(execute(&mut t, 0, Opcode::ELWADD, word).unwrap(), Step::Stall);
        t.src_a.give_to_matrix().unwrap();
        t.src_b.give_to_matrix().unwrap();
        assert_eq!(execute(&mut t, 0, Opcode::ELWADD, word).unwrap(), Step::Done);
    }
}
