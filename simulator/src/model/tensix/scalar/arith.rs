//! Arithmetic on GPRs: the second operand is a GPR or an unsigned constant in its place.

use tt_isa::insn::{ADDDMAREG, BITWOPDMAREG, MULDMAREG, Opcode, SHIFTDMAREG, SUBDMAREG};

use super::GPRS;
use crate::fault::Fault;

/// Executes one of `ADDDMAREG`, `SUBDMAREG`, `MULDMAREG`, `BITWOPDMAREG`, `SHIFTDMAREG`, `CMPDMAREG`.
pub(super) fn execute(gpr: &mut [u32; GPRS], opcode: Opcode, word: u32) -> Result<(), Fault> {
    // The operands are in the same bits of all six; the first three have no mode.
    let op = BITWOPDMAREG::decode(word);
    let a = gpr[op.op_a_reg_index as usize];
    let b = if op.op_b_is_const != 0 { op.op_b_reg_index } else { gpr[op.op_b_reg_index as usize] };
    gpr[op.result_reg_index as usize] = match (opcode, op.op_sel) {
        (Opcode::ADDDMAREG, _) => a.wrapping_add(b),
        (Opcode::SUBDMAREG, _) => a.wrapping_sub(b),
        (Opcode::MULDMAREG, _) => (a & 0xFFFF) * (b & 0xFFFF),
        (Opcode::BITWOPDMAREG, 0) => a & b,
        (Opcode::BITWOPDMAREG, 1) => a | b,
        (Opcode::BITWOPDMAREG, 2) => a ^ b,
        (Opcode::SHIFTDMAREG, _) if op.op_b_is_const != 0 && b > 31 => {
            return Err(Fault::program(format!("SHIFTDMAREG by {b}")).page(SHIFT_PAGE));
        }
        (Opcode::SHIFTDMAREG, 0) => a << (b & 31),
        (Opcode::SHIFTDMAREG, 1) => a >> (b & 31),
        (Opcode::CMPDMAREG, 0) => (a > b).into(),
        (Opcode::CMPDMAREG, 1) => (a < b).into(),
        (Opcode::CMPDMAREG, 2) => (a == b).into(),
        (_, mode) => {
            return Err(Fault::program(format!("{opcode:?} in mode {mode}")).page(match opcode {
                Opcode::BITWOPDMAREG => "TensixTile/TensixCoprocessor/BITWOPDMAREG.md",
                Opcode::SHIFTDMAREG => SHIFT_PAGE,
                _ => "TensixTile/TensixCoprocessor/CMPDMAREG.md",
            }));
        }
    };
    Ok(())
}

const SHIFT_PAGE: &str = "TensixTile/TensixCoprocessor/SHIFTDMAREG.md";

// The shared decoding above is only right while these hold.
const _: () = {
    let operands = BITWOPDMAREG {
        op_b_is_const: 1,
        op_sel: 0,
        result_reg_index: 11,
        op_b_reg_index: 22,
        op_a_reg_index: 33,
    };
    let low = operands.word() & 0xFF_FFFF;
    let add =
        ADDDMAREG { op_b_is_const: 1, result_reg_index: 11, op_b_reg_index: 22, op_a_reg_index: 33 }.word();
    let sub =
        SUBDMAREG { op_b_is_const: 1, result_reg_index: 11, op_b_reg_index: 22, op_a_reg_index: 33 }.word();
    let mul =
        MULDMAREG { op_b_is_const: 1, result_reg_index: 11, op_b_reg_index: 22, op_a_reg_index: 33 }.word();
    let shift = SHIFTDMAREG {
        op_b_is_const: 1,
        op_sel: 0,
        result_reg_index: 11,
        op_b_reg_index: 22,
        op_a_reg_index: 33,
    }
    .word();
    assert!(add & 0xFF_FFFF == low && sub & 0xFF_FFFF == low);
    assert!(mul & 0xFF_FFFF == low && shift & 0xFF_FFFF == low);
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Result of `opcode` in `mode` on `a` and `b`, as GPRs and, if `b` is small enough, as a constant.
    fn result(opcode: Opcode, mode: u32, a: u32, b: u32) -> Option<u32> {
        let op = BITWOPDMAREG {
            op_b_is_const: 0,
            op_sel: mode,
            result_reg_index: 7,
            op_b_reg_index: 63,
            op_a_reg_index: 5,
        };
        let run = |op: BITWOPDMAREG| {
            let mut gpr = [0; GPRS];
            (gpr[5], gpr[63]) = (a, b);
            execute(&mut gpr, opcode, op.word()).ok().map(|()| gpr[7])
        };
        let of_registers = run(op);
        if b < 32 {
            assert_eq!(run(BITWOPDMAREG { op_b_is_const: 1, op_b_reg_index: b, ..op }), of_registers);
        }
        of_registers
    }

    #[test]
    fn arithmetic_wraps() {
        assert_eq!(result(Opcode::ADDDMAREG, 0, u32::MAX, 3), Some(2));
        assert_eq!(result(Opcode::SUBDMAREG, 0, 3, 5), Some(u32::MAX - 1));
        assert_eq!(result(Opcode::SUBDMAREG, 0, 0x8000_0000, 0xFFFF_FFFF), Some(0x8000_0001));
        assert_eq!(result(Opcode::MULDMAREG, 0, 0xABCD_FFFF, 0x1234_FFFF), Some(0xFFFE_0001));
        assert_eq!(result(Opcode::MULDMAREG, 0, 0xABCD_1001, 31), Some(0x1001 * 31));
    }

    #[test]
    fn bitwise_operations_and_shifts() {
        assert_eq!(result(Opcode::BITWOPDMAREG, 0, 0xF0F0_FF1F, 0x1F), Some(0x1F));
        assert_eq!(result(Opcode::BITWOPDMAREG, 1, 0xF0F0_0000, 0x0000_FF00), Some(0xF0F0_FF00));
        assert_eq!(result(Opcode::BITWOPDMAREG, 2, 0xFFFF_0000, 0xF0F0_F0F0), Some(0x0F0F_F0F0));
        assert_eq!(result(Opcode::BITWOPDMAREG, 3, 1, 1), None);
        assert_eq!(result(Opcode::SHIFTDMAREG, 0, 0x8000_0001, 31), Some(0x8000_0000));
        assert_eq!(result(Opcode::SHIFTDMAREG, 1, 0x8000_0001, 31), Some(1));
        // Only five bits of the count matter.
        assert_eq!(result(Opcode::SHIFTDMAREG, 0, 3, 0xFFFF_FFE4), Some(0x30));
        assert_eq!(result(Opcode::SHIFTDMAREG, 2, 1, 1), None);
    }

    #[test]
    fn comparisons_are_unsigned() {
        assert_eq!(result(Opcode::CMPDMAREG, 0, 0xFFFF_FFFF, 1), Some(1));
        assert_eq!(result(Opcode::CMPDMAREG, 0, 1, 1), Some(0));
        assert_eq!(result(Opcode::CMPDMAREG, 1, 1, 0x8000_0000), Some(1));
        assert_eq!(result(Opcode::CMPDMAREG, 1, 1, 1), Some(0));
        assert_eq!(result(Opcode::CMPDMAREG, 2, 31, 31), Some(1));
        assert_eq!(result(Opcode::CMPDMAREG, 2, 31, 30), Some(0));
        assert_eq!(result(Opcode::CMPDMAREG, 3, 1, 1), None);
    }

    #[test]
    fn constants_have_six_bits_and_shift_counts_five() {
        let op =
            BITWOPDMAREG { op_b_is_const: 1, op_b_reg_index: 63, result_reg_index: 1, ..BITWOPDMAREG::ZERO };
        let mut gpr = [0; GPRS];
        execute(&mut gpr, Opcode::ADDDMAREG, op.word()).unwrap();
        assert_eq!(gpr[1], 63);
        assert!(execute(&mut gpr, Opcode::SHIFTDMAREG, op.word()).is_err());
    }
}
