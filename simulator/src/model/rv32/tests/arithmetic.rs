//! What instructions compute.

use proptest::prelude::*;

use crate::model::rv32::testing::Machine;
use crate::model::rv32::testing::asm::{Format, LISTING, encode, i, li, r};

const MIN: u32 = 0x8000_0000;
const MAX: u32 = 0x7FFF_FFFF;
const MINUS_1: u32 = 0xFFFF_FFFF;

/// Result of a register-register instruction, by name and operands.
fn rr(name: &str, a: u32, b: u32) -> u32 {
    Machine::new(&[r(name, 3, 1, 2)]).with(&[(1, a), (2, b)]).steps(1).hart.x[3]
}

fn ri(name: &str, a: u32, imm: i32) -> u32 {
    Machine::new(&[i(name, 3, 1, imm)]).with(&[(1, a)]).steps(1).hart.x[3]
}

#[test]
fn register_register() {
    // Values from the specification's text and tables.
    for (name, a, b, result) in [
        ("Add", MAX, 1, MIN),
        ("Add", MINUS_1, 1, 0),
        ("Sub", 0, 1, MINUS_1),
        ("Sub", MIN, 1, MAX),
        ("Sll", 1, 31, MIN),
        ("Sll", 1, 32, 1),
        ("Sll", 3, MINUS_1, MIN),
        ("Slt", MIN, MAX, 1),
        ("Slt", MAX, MIN, 0),
        ("Slt", 5, 5, 0),
        ("Sltu", MIN, MAX, 0),
        ("Sltu", MAX, MIN, 1),
        ("Xor", 0xF0F0_1234, 0xFFFF_0000, 0x0F0F_1234),
        ("Srl", MIN, 31, 1),
        ("Srl", MIN, 33, 0x4000_0000),
        ("Sra", MIN, 31, MINUS_1),
        ("Sra", MIN, 33, 0xC000_0000),
        ("Sra", MAX, 30, 1),
        ("Or", 0xF0F0_0000, 0x0F0F_0001, 0xFFFF_0001),
        ("And", 0xF0F0_FFFF, 0x0FF0_1234, 0x00F0_1234),
        ("Mul", 0xFFFF_FFFD, 7, 0xFFFF_FFEB),
        ("Mul", 0x1_0000, 0x1_0000, 0),
        ("Mulh", MIN, MIN, 0x4000_0000),
        ("Mulh", MINUS_1, MINUS_1, 0),
        ("Mulh", MINUS_1, 1, MINUS_1),
        ("Mulhsu", MINUS_1, MINUS_1, MINUS_1),
        ("Mulhsu", MIN, MINUS_1, MIN),
        ("Mulhsu", 1, MINUS_1, 0),
        ("Mulhu", MINUS_1, MINUS_1, 0xFFFF_FFFE),
        ("Mulhu", MIN, 2, 1),
        ("Div", 20, 0xFFFF_FFFA, 0xFFFF_FFFD),
        ("Div", 0xFFFF_FFEC, 6, 0xFFFF_FFFD),
        ("Div", 7, 0, MINUS_1),
        ("Div", MIN, 0, MINUS_1),
        ("Div", MIN, MINUS_1, MIN),
        ("Divu", MINUS_1, 2, MAX),
        ("Divu", MIN, MINUS_1, 0),
        ("Divu", 7, 0, MINUS_1),
        ("Rem", 20, 0xFFFF_FFFA, 2),
        ("Rem", 0xFFFF_FFEC, 6, 0xFFFF_FFFE),
        ("Rem", 0xFFFF_FFF9, 0, 0xFFFF_FFF9),
        ("Rem", MIN, MINUS_1, 0),
        ("Remu", MINUS_1, 16, 15),
        ("Remu", 7, 0, 7),
        ("Remu", MIN, MINUS_1, MIN),
    ] {
        assert_eq!(rr(name, a, b), result, "{name} {a:#x}, {b:#x}");
    }
}

#[test]
fn register_immediate() {
    for (name, a, imm, result) in [
        ("Addi", 1, -2, MINUS_1),
        ("Addi", MAX, 1, MIN),
        ("Addi", 0, 2047, 2047),
        ("Addi", 0, -2048, 0xFFFF_F800),
        ("Slti", MIN, -2048, 1),
        ("Slti", 0, -1, 0),
        ("Sltiu", 5, -1, 1),
        ("Sltiu", 0, 1, 1),
        ("Sltiu", 1, 1, 0),
        ("Xori", 0x1234, -1, 0xFFFF_EDCB),
        ("Ori", 0x100, -16, 0xFFFF_FFF0),
        ("Andi", 0x1234_5678, -256, 0x1234_5600),
        ("Slli", 0x8000_0001, 1, 2),
        ("Slli", 1, 31, MIN),
        ("Srli", MIN, 31, 1),
        ("Srai", MIN, 31, MINUS_1),
        ("Srai", MAX, 4, 0x07FF_FFFF),
    ] {
        assert_eq!(ri(name, a, imm), result, "{name} {a:#x}, {imm}");
    }
}

#[test]
fn upper_immediates() {
    let mut machine = Machine::new(&[
        encode("Lui", 1, 0, 0, 0x1234_5000),
        encode("Auipc", 2, 0, 0, MIN as i32),
        encode("Auipc", 3, 0, 0, -4096),
    ]);
    machine.steps(3);
    assert_eq!(machine.hart.x[1..4], [0x1234_5000, 0x8000_0004, 0xFFFF_F008]);
    for value in [0, 1, 0x7FF, 0x800, 0xFFF, MAX, MIN, MINUS_1, 0x1234_5FFF] {
        assert_eq!(Machine::new(&li(1, value)).steps(2).hart.x[1], value);
    }
}

#[test]
fn nothing_writes_x0() {
    for (name, format, _) in LISTING {
        if !format.registers()[0] {
            continue;
        }
        // x0 is both destination and, next, source. Jumps go to the next instruction.
        let imm = if *format == Format::U { 0x5000 } else { 4 };
        let mut machine = Machine::new(&[encode(name, 0, 0, 2, imm), i("Addi", 1, 0, 77)]).with(&[(2, 9)]);
        machine.bus.l1[4096..].fill(0xFF);
        machine.steps(2);
        assert_eq!((machine.hart.x[0], machine.hart.x[1]), (0, 77), "{name}");
    }
}

/// A second formulation: in wide integers, and division by hand.
fn reference(name: &str, a: u32, b: u32) -> u32 {
    let (sa, sb) = (i128::from(a as i32), i128::from(b as i32));
    let (ua, ub) = (i128::from(a), i128::from(b));
    let shift = b % 32;
    let value = match name {
        "Add" | "Addi" => ua + ub,
        "Sub" => ua - ub,
        "Sll" | "Slli" => ua * (1 << shift),
        "Srl" | "Srli" => ua.div_euclid(1 << shift),
        "Sra" | "Srai" => sa.div_euclid(1 << shift),
        "Slt" | "Slti" => (sa - sb < 0).into(),
        "Sltu" | "Sltiu" => (ua - ub < 0).into(),
        "Xor" | "Xori" => (ua + ub) - 2 * i128::from(a & b),
        "Or" | "Ori" => ua + ub - i128::from(a & b),
        "And" | "Andi" => (0..32).map(|n| ((ua >> n & 1) * (ub >> n & 1)) << n).sum(),
        "Mul" => sa * sb,
        "Mulh" => (sa * sb).div_euclid(1 << 32),
        "Mulhsu" => (sa * ub).div_euclid(1 << 32),
        "Mulhu" => (ua * ub).div_euclid(1 << 32),
        "Div" | "Divu" if b == 0 => -1,
        "Rem" | "Remu" if b == 0 => ua,
        "Div" => (sa.abs() / sb.abs()) * sa.signum() * sb.signum(),
        "Rem" => (sa.abs() % sb.abs()) * sa.signum(),
        "Divu" => ua / ub,
        "Remu" => ua % ub,
        _ => unreachable!("{name}"),
    };
    value as u32
}

/// Numbers with many corner cases among them.
fn number() -> impl Strategy<Value = u32> {
    prop_oneof![
        any::<u32>(),
        0..33_u32,
        (0..33_u32).prop_map(|x| x.wrapping_neg()),
        (0..32_u32).prop_map(|n| 1 << n),
        (0..4_u32).prop_map(|x| MIN.wrapping_add(x).wrapping_sub(2)),
    ]
}

fn computing(format: Format) -> Vec<&'static str> {
    let listing = LISTING.iter().filter(|row| row.1 == format && !row.0.starts_with('L') && row.0 != "Jalr");
    listing.map(|row| row.0).collect()
}

proptest! {
    /// Straight programs over eight registers.
    #[test]
    fn programs_compute_what_the_reference_does(
        start in proptest::collection::vec(number(), 8),
        code in proptest::collection::vec((0..100_usize, 0..8_usize, 0..8_usize, 0..8_usize, -2048..2048_i32), 1..40),
    ) {
        let (names, immediates, shifts) =
            (computing(Format::R), computing(Format::I), computing(Format::Shift));
        prop_assert_eq!((names.len(), immediates.len(), shifts.len()), (18, 6, 3));
        let mut expected = [0; 8];
        expected.copy_from_slice(&start);
        expected[0] = 0;
        let mut words = Vec::new();
        for (pick, rd, rs1, rs2, imm) in code {
            let (name, b, word);
            let registers = [rd, rs1, rs2].map(|register| register as u32);
            match pick {
                0..60 => {
                    name = names[pick % names.len()];
                    b = expected[rs2];
                    word = r(name, registers[0], registers[1], registers[2]);
                }
                60..85 => {
                    name = immediates[pick % immediates.len()];
                    b = imm as u32;
                    word = i(name, registers[0], registers[1], imm);
                }
                _ => {
                    name = shifts[pick % shifts.len()];
                    b = imm as u32 & 31;
                    word = i(name, registers[0], registers[1], imm & 31);
                }
            }
            words.push(word);
            if rd != 0 {
                expected[rd] = reference(name, expected[rs1], b);
            }
        }
        let mut machine = Machine::new(&words);
        machine.hart.x[1..8].copy_from_slice(&start[1..]);
        machine.steps(words.len() as u32);
        prop_assert_eq!(&machine.hart.x[..8], &expected);
    }
}
