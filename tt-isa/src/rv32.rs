//! Encodings of RV32IM (RISC-V unprivileged specification, "RV32/64G Instruction Set Listings"), for programs that are
//! made at run time: tests and fuzzers.
//!
//! Written as the specification's listing, fixed bits and format, and so differently from the simulator's decoder:
//! each checks the other.

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
