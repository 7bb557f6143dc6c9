//! Encodings of RV32IM (RISC-V unprivileged specification, "RV32/64G Instruction Set Listings"), for programs that tests and
//! fuzzers make at run time, and for the disassembler.
//!
//! The table follows the specification's listing: fixed bits and format. The simulator's decoder is written differently, so
//! that each checks the other.

use core::fmt::{self, Write as _};

/// Where an instruction's operands are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// rd, rs1, rs2.
    R,
    /// rd, rs1, 12 bits.
    I,
    /// rd, rs1, 5 bits.
    Shift,
    /// rs1, rs2, 12 bits.
    S,
    /// rs1, rs2, 13 bits, even.
    B,
    /// rd, upper 20 bits.
    U,
    /// rd, 21 bits, even.
    J,
    /// Operands mean nothing.
    Fence,
    /// No operands.
    Fixed,
}

impl Format {
    /// The bits that tell the instruction from others.
    pub fn mask(self) -> u32 {
        match self {
            Format::R | Format::Shift => 0xFE00_707F,
            Format::I | Format::S | Format::B => 0x0000_707F,
            Format::U | Format::J | Format::Fence => 0x0000_007F,
            Format::Fixed => u32::MAX,
        }
    }

    /// The bits of an immediate.
    pub fn immediate(self, imm: i32) -> u32 {
        let imm = imm as u32;
        match self {
            Format::R | Format::Fence | Format::Fixed => 0,
            Format::I => imm << 20,
            Format::Shift => (imm & 31) << 20,
            Format::S => (imm >> 5) << 25 | (imm & 31) << 7,
            Format::B => {
                (imm >> 12 & 1) << 31 | (imm >> 5 & 63) << 25 | (imm >> 1 & 15) << 8 | (imm >> 11 & 1) << 7
            }
            Format::U => imm & 0xFFFF_F000,
            Format::J => {
                (imm >> 20 & 1) << 31
                    | (imm >> 1 & 1023) << 21
                    | (imm >> 11 & 1) << 20
                    | (imm >> 12 & 255) << 12
            }
        }
    }

    /// Whether rd, rs1 and rs2 are operands.
    pub fn registers(self) -> [bool; 3] {
        match self {
            Format::R => [true, true, true],
            Format::I | Format::Shift => [true, true, false],
            Format::S | Format::B => [false, true, true],
            Format::U | Format::J => [true, false, false],
            Format::Fence | Format::Fixed => [false; 3],
        }
    }
}

/// Every instruction: name, format, fixed bits.
pub const LISTING: &[(&str, Format, u32)] = &[
    ("Lui", Format::U, 0x37),
    ("Auipc", Format::U, 0x17),
    ("Jal", Format::J, 0x6F),
    ("Jalr", Format::I, 0x67),
    ("Beq", Format::B, 0x0063),
    ("Bne", Format::B, 0x1063),
    ("Blt", Format::B, 0x4063),
    ("Bge", Format::B, 0x5063),
    ("Bltu", Format::B, 0x6063),
    ("Bgeu", Format::B, 0x7063),
    ("Lb", Format::I, 0x0003),
    ("Lh", Format::I, 0x1003),
    ("Lw", Format::I, 0x2003),
    ("Lbu", Format::I, 0x4003),
    ("Lhu", Format::I, 0x5003),
    ("Sb", Format::S, 0x0023),
    ("Sh", Format::S, 0x1023),
    ("Sw", Format::S, 0x2023),
    ("Addi", Format::I, 0x0013),
    ("Slti", Format::I, 0x2013),
    ("Sltiu", Format::I, 0x3013),
    ("Xori", Format::I, 0x4013),
    ("Ori", Format::I, 0x6013),
    ("Andi", Format::I, 0x7013),
    ("Slli", Format::Shift, 0x1013),
    ("Srli", Format::Shift, 0x5013),
    ("Srai", Format::Shift, 0x4000_5013),
    ("Add", Format::R, 0x0033),
    ("Sub", Format::R, 0x4000_0033),
    ("Sll", Format::R, 0x1033),
    ("Slt", Format::R, 0x2033),
    ("Sltu", Format::R, 0x3033),
    ("Xor", Format::R, 0x4033),
    ("Srl", Format::R, 0x5033),
    ("Sra", Format::R, 0x4000_5033),
    ("Or", Format::R, 0x6033),
    ("And", Format::R, 0x7033),
    ("Mul", Format::R, 0x0200_0033),
    ("Mulh", Format::R, 0x0200_1033),
    ("Mulhsu", Format::R, 0x0200_2033),
    ("Mulhu", Format::R, 0x0200_3033),
    ("Div", Format::R, 0x0200_4033),
    ("Divu", Format::R, 0x0200_5033),
    ("Rem", Format::R, 0x0200_6033),
    ("Remu", Format::R, 0x0200_7033),
    ("Fence", Format::Fence, 0x0F),
    ("Ecall", Format::Fixed, 0x0000_0073),
    ("Ebreak", Format::Fixed, 0x0010_0073),
];

/// One instruction word; operands that it does not have are ignored.
///
/// # Panics
/// There is no such instruction.
pub fn encode(name: &str, rd: u32, rs1: u32, rs2: u32, imm: i32) -> u32 {
    let (_, format, bits) = LISTING.iter().find(|row| row.0 == name).expect("an RV32IM instruction");
    let [has_rd, has_rs1, has_rs2] = format.registers();
    let field = |has: bool, register: u32, shift: u32| if has { (register & 31) << shift } else { 0 };
    bits | field(has_rd, rd, 7) | field(has_rs1, rs1, 15) | field(has_rs2, rs2, 20) | format.immediate(imm)
}

/// `name rd, rs1, rs2`.
pub fn r(name: &str, rd: u32, rs1: u32, rs2: u32) -> u32 {
    encode(name, rd, rs1, rs2, 0)
}

/// `name rd, rs1, imm`; loads are `name rd, imm(rs1)`.
pub fn i(name: &str, rd: u32, rs1: u32, imm: i32) -> u32 {
    encode(name, rd, rs1, 0, imm)
}

/// `name rs2, imm(rs1)`.
pub fn s(name: &str, rs2: u32, rs1: u32, imm: i32) -> u32 {
    encode(name, 0, rs1, rs2, imm)
}

/// `name rs1, rs2, . + imm`.
pub fn b(name: &str, rs1: u32, rs2: u32, imm: i32) -> u32 {
    encode(name, 0, rs1, rs2, imm)
}

/// `jal rd, . + imm`.
pub fn jal(rd: u32, imm: i32) -> u32 {
    encode("Jal", rd, 0, 0, imm)
}

/// `lui rd` and `addi rd, rd`: any value.
pub fn li(rd: u32, value: u32) -> [u32; 2] {
    let upper = value.wrapping_add(0x800) & 0xFFFF_F000;
    let lower = value.wrapping_sub(upper) as i32;
    [encode("Lui", rd, 0, 0, upper as i32), encode("Addi", rd, rd, 0, lower)]
}

/// `nop`.
pub fn nop() -> u32 {
    i("Addi", 0, 0, 0)
}

/// Names of the registers in the calling convention.
pub const REGISTERS: [&str; 32] = [
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5", "a6",
    "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
];

/// Prints a code word as `lw t1, 8(t0)`, with the targets of jumps and branches as addresses; an in-line Tensix
/// instruction as [`crate::insn::Disassembly`] does.
#[derive(Clone, Copy)]
pub struct Disassembly {
    /// Code word.
    pub word: u32,
    /// Where it is.
    pub pc: u32,
}

/// Row of the listing for a code word.
pub fn row(word: u32) -> Option<&'static (&'static str, Format, u32)> {
    LISTING.iter().find(|(_, format, bits)| word & format.mask() == *bits)
}

/// The immediate of a code word, sign-extended.
pub const fn immediate(format: Format, word: u32) -> i32 {
    let signed = word as i32;
    match format {
        Format::R | Format::Fence | Format::Fixed => 0,
        Format::I => signed >> 20,
        Format::Shift => (word >> 20 & 31) as i32,
        Format::S => signed >> 25 << 5 | (word >> 7 & 31) as i32,
        Format::B => {
            let low = (word >> 8 & 15) << 1 | (word >> 25 & 63) << 5 | (word >> 7 & 1) << 11;
            signed >> 31 << 12 | low as i32
        }
        Format::U => (word & 0xFFFF_F000) as i32,
        Format::J => {
            let low = (word >> 21 & 1023) << 1 | (word >> 20 & 1) << 11 | (word >> 12 & 255) << 12;
            signed >> 31 << 20 | low as i32
        }
    }
}

impl fmt::Display for Disassembly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.word;
        if let Some(insn) = crate::insn::from_ttinsn(word) {
            return write!(f, ".ttinsn {}", crate::insn::Disassembly(insn));
        }
        let Some((name, format, _)) = row(word) else { return write!(f, ".word {word:#010x}") };
        name.chars().try_for_each(|c| f.write_char(c.to_ascii_lowercase()))?;
        let [rd, rs1, rs2] = [7, 15, 20].map(|at| REGISTERS[(word >> at & 31) as usize]);
        let imm = immediate(*format, word);
        let target = self.pc.wrapping_add(imm as u32);
        match format {
            Format::R => write!(f, " {rd}, {rs1}, {rs2}"),
            Format::I if name.starts_with('L') || *name == "Jalr" => write!(f, " {rd}, {imm}({rs1})"),
            Format::I | Format::Shift => write!(f, " {rd}, {rs1}, {imm}"),
            Format::S => write!(f, " {rs2}, {imm}({rs1})"),
            Format::B => write!(f, " {rs1}, {rs2}, {target:#x}"),
            Format::U => write!(f, " {rd}, {:#x}", imm as u32 >> 12),
            Format::J => write!(f, " {rd}, {target:#x}"),
            Format::Fence | Format::Fixed => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn words_print_as_a_disassembler_prints_them() {
        let lines = [
            (0xFFF0_0093, "addi ra, zero, -1"),
            (0x00C5_8533, "add a0, a1, a2"),
            (0x0002_0337, "lui t1, 0x20"),
            (0x0053_2223, "sw t0, 4(t1)"),
            (0xFE11_2E23, "sw ra, -4(sp)"),
            (0x0042_A383, "lw t2, 4(t0)"),
            (0x0000_8067, "jalr zero, 0(ra)"),
            (0x4050_D093, "srai ra, ra, 5"),
            (0x0273_5533, "divu a0, t1, t2"),
            (0xFE52_8EE3, "beq t0, t0, 0xffc"),
            (0xFE1F_F06F, "jal zero, 0xfe0"),
            (0x0010_0073, "ebreak"),
            (0xFFFF_FFFF, ".word 0xffffffff"),
        ];
        for (word, line) in lines {
            assert_eq!(Disassembly { word, pc: 0x1000 }.to_string(), line);
        }
        let nop = crate::insn::NOP::ZERO.word();
        assert_eq!(Disassembly { word: crate::insn::ttinsn(nop), pc: 0 }.to_string(), ".ttinsn NOP");
    }

    #[test]
    fn every_word_that_is_made_is_found_again() {
        for &(name, format, _) in LISTING {
            for imm in [0, -2048, 2046, 30] {
                let word = encode(name, 5, 6, 7, imm);
                let found = row(word).expect("a row");
                assert_eq!((found.0, found.1), (name, format), "{word:#010x}");
                let want = match format {
                    Format::R | Format::Fence | Format::Fixed => 0,
                    Format::Shift => imm & 31,
                    Format::U => (imm as u32 & 0xFFFF_F000) as i32,
                    _ => imm,
                };
                assert_eq!(immediate(format, word), want, "{name} {imm}");
            }
        }
    }
}
