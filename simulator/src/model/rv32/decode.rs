//! RV32IM code words to [`Op`]s.

/// What an instruction does. Register and immediate operands are in the [`Op`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Kind {
    /// Not decoded yet.
    Unknown,
    /// No RV32IM encoding.
    Illegal,
    /// A Tensix instruction in line; the word is the immediate.
    TtInsn,
    Lui,
    Auipc,
    Jal,
    Jalr,
    Beq,
    Bne,
    Blt,
    Bge,
    Bltu,
    Bgeu,
    Lb,
    Lh,
    Lw,
    Lbu,
    Lhu,
    Sb,
    Sh,
    Sw,
    Addi,
    Slti,
    Sltiu,
    Xori,
    Ori,
    Andi,
    Slli,
    Srli,
    Srai,
    Add,
    Sub,
    Sll,
    Slt,
    Sltu,
    Xor,
    Srl,
    Sra,
    Or,
    And,
    Mul,
    Mulh,
    Mulhsu,
    Mulhu,
    Div,
    Divu,
    Rem,
    Remu,
    /// A no-op on these cores.
    Fence,
    /// Pauses the core on silicon.
    Ecall,
    /// Pauses the core on silicon.
    Ebreak,
}

/// Destination of discarded results, in place of `x0`.
pub const NO_REGISTER: u8 = 32;

/// A decoded instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Op {
    /// What to do.
    pub kind: Kind,
    /// Destination register; [`NO_REGISTER`] instead of `x0`.
    pub rd: u8,
    /// First source register.
    pub rs1: u8,
    /// Second source register.
    pub rs2: u8,
    /// Immediate, sign-extended; the instruction word of [`Kind::TtInsn`].
    pub imm: i32,
}

impl Op {
    /// Not decoded yet.
    pub const UNKNOWN: Op = Op { kind: Kind::Unknown, rd: 0, rs1: 0, rs2: 0, imm: 0 };
}

const OPCODE_LOAD: u32 = 0x03;
const OPCODE_FENCE: u32 = 0x0F;
const OPCODE_OP_IMM: u32 = 0x13;
const OPCODE_AUIPC: u32 = 0x17;
const OPCODE_STORE: u32 = 0x23;
const OPCODE_OP: u32 = 0x33;
const OPCODE_LUI: u32 = 0x37;
const OPCODE_BRANCH: u32 = 0x63;
const OPCODE_JALR: u32 = 0x67;
const OPCODE_JAL: u32 = 0x6F;
const OPCODE_SYSTEM: u32 = 0x73;

/// Decodes one code word.
pub fn decode(word: u32) -> Op {
    if let Some(insn) = tt_isa::insn::from_ttinsn(word) {
        return Op { kind: Kind::TtInsn, imm: insn as i32, ..Op::UNKNOWN };
    }
    let bits = |hi: u32, lo: u32| (word >> lo) & ((2 << (hi - lo)) - 1);
    let rd = if bits(11, 7) == 0 { NO_REGISTER } else { bits(11, 7) as u8 };
    let (rs1, rs2) = (bits(19, 15) as u8, bits(24, 20) as u8);
    let funct3 = bits(14, 12);
    let imm_i = (word as i32) >> 20;
    let imm_s = ((word as i32) >> 25) << 5 | bits(11, 7) as i32;
    let imm_b =
        ((word as i32) >> 31) << 12 | (bits(7, 7) << 11 | bits(30, 25) << 5 | bits(11, 8) << 1) as i32;
    let imm_j =
        ((word as i32) >> 31) << 20 | (bits(19, 12) << 12 | bits(20, 20) << 11 | bits(30, 21) << 1) as i32;
    let (kind, imm) = match word & 0x7F {
        OPCODE_LUI => (Kind::Lui, (word & 0xFFFF_F000) as i32),
        OPCODE_AUIPC => (Kind::Auipc, (word & 0xFFFF_F000) as i32),
        OPCODE_JAL => (Kind::Jal, imm_j),
        OPCODE_JALR if funct3 == 0 => (Kind::Jalr, imm_i),
        OPCODE_BRANCH => (branch(funct3), imm_b),
        OPCODE_LOAD => (load(funct3), imm_i),
        OPCODE_STORE => (store(funct3), imm_s),
        OPCODE_OP_IMM => op_imm(funct3, bits(31, 25), imm_i),
        OPCODE_OP => (op(funct3, bits(31, 25)), 0),
        OPCODE_FENCE => (Kind::Fence, 0),
        OPCODE_SYSTEM if word == 0x0000_0073 => (Kind::Ecall, 0),
        OPCODE_SYSTEM if word == 0x0010_0073 => (Kind::Ebreak, 0),
        _ => (Kind::Illegal, 0),
    };
    Op { kind, rd, rs1, rs2, imm }
}

fn branch(funct3: u32) -> Kind {
    match funct3 {
        0 => Kind::Beq,
        1 => Kind::Bne,
        4 => Kind::Blt,
        5 => Kind::Bge,
        6 => Kind::Bltu,
        7 => Kind::Bgeu,
        _ => Kind::Illegal,
    }
}

fn load(funct3: u32) -> Kind {
    match funct3 {
        0 => Kind::Lb,
        1 => Kind::Lh,
        2 => Kind::Lw,
        4 => Kind::Lbu,
        5 => Kind::Lhu,
        _ => Kind::Illegal,
    }
}

fn store(funct3: u32) -> Kind {
    match funct3 {
        0 => Kind::Sb,
        1 => Kind::Sh,
        2 => Kind::Sw,
        _ => Kind::Illegal,
    }
}

fn op_imm(funct3: u32, funct7: u32, imm: i32) -> (Kind, i32) {
    let shamt = imm & 31;
    match (funct3, funct7) {
        (0, _) => (Kind::Addi, imm),
        (2, _) => (Kind::Slti, imm),
        (3, _) => (Kind::Sltiu, imm),
        (4, _) => (Kind::Xori, imm),
        (6, _) => (Kind::Ori, imm),
        (7, _) => (Kind::Andi, imm),
        (1, 0) => (Kind::Slli, shamt),
        (5, 0) => (Kind::Srli, shamt),
        (5, 0x20) => (Kind::Srai, shamt),
        _ => (Kind::Illegal, 0),
    }
}

fn op(funct3: u32, funct7: u32) -> Kind {
    match (funct7, funct3) {
        (0, 0) => Kind::Add,
        (0x20, 0) => Kind::Sub,
        (0, 1) => Kind::Sll,
        (0, 2) => Kind::Slt,
        (0, 3) => Kind::Sltu,
        (0, 4) => Kind::Xor,
        (0, 5) => Kind::Srl,
        (0x20, 5) => Kind::Sra,
        (0, 6) => Kind::Or,
        (0, 7) => Kind::And,
        (1, 0) => Kind::Mul,
        (1, 1) => Kind::Mulh,
        (1, 2) => Kind::Mulhsu,
        (1, 3) => Kind::Mulhu,
        (1, 4) => Kind::Div,
        (1, 5) => Kind::Divu,
        (1, 6) => Kind::Rem,
        (1, 7) => Kind::Remu,
        _ => Kind::Illegal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn immediates_of_every_shape() {
        // Words from the assembler.
        assert_eq!(decode(0xFFF0_0093), Op { kind: Kind::Addi, rd: 1, rs1: 0, rs2: 31, imm: -1 });
        assert_eq!(decode(0xFE52_8EE3).kind, Kind::Beq);
        assert_eq!(decode(0xFE52_8EE3).imm, -4);
        assert_eq!(decode(0xFEDF_F06F), Op { kind: Kind::Jal, rd: NO_REGISTER, rs1: 31, rs2: 13, imm: -20 });
        assert_eq!(decode(0xFE11_2E23), Op { kind: Kind::Sw, rd: 28, rs1: 2, rs2: 1, imm: -4 });
        assert_eq!(decode(0x4050_D093).kind, Kind::Srai);
        assert_eq!(decode(0x0273_5533).kind, Kind::Divu);
        assert_eq!(decode(0x0000_0073).kind, Kind::Ecall);
        assert_eq!(decode(0xFFFF_FFFF).kind, Kind::Illegal);
    }

    #[test]
    fn tensix_words_in_line() {
        let word = 0xB200_0001;
        let op = decode(tt_isa::insn::ttinsn(word));
        assert_eq!((op.kind, op.imm as u32), (Kind::TtInsn, word));
    }
}
