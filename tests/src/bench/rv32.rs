//! Encodings of the few RV32I instructions that the measured program uses (RISC-V unprivileged specification, chapter 2).

/// Number of a general register, `x0` to `x31`.
#[derive(Clone, Copy)]
pub struct X(pub u32);

const fn r_type(funct7: u32, rs2: X, rs1: X, funct3: u32, rd: X) -> u32 {
    funct7 << 25 | rs2.0 << 20 | rs1.0 << 15 | funct3 << 12 | rd.0 << 7 | 0x33
}

/// `add rd, rs1, rs2`.
pub const fn add(rd: X, rs1: X, rs2: X) -> u32 {
    r_type(0, rs2, rs1, 0, rd)
}

/// `sub rd, rs1, rs2`.
pub const fn sub(rd: X, rs1: X, rs2: X) -> u32 {
    r_type(0x20, rs2, rs1, 0, rd)
}

/// `xor rd, rs1, rs2`.
pub const fn xor(rd: X, rs1: X, rs2: X) -> u32 {
    r_type(0, rs2, rs1, 4, rd)
}

/// `or rd, rs1, rs2`.
pub const fn or(rd: X, rs1: X, rs2: X) -> u32 {
    r_type(0, rs2, rs1, 6, rd)
}

/// `addi rd, rs1, immediate` for a small non-negative immediate.
pub const fn addi(rd: X, rs1: X, immediate: u32) -> u32 {
    assert!(immediate < 2048);
    immediate << 20 | rs1.0 << 15 | rd.0 << 7 | 0x13
}

/// `slli rd, rs1, shift`.
pub const fn slli(rd: X, rs1: X, shift: u32) -> u32 {
    assert!(shift < 32);
    shift << 20 | rs1.0 << 15 | 1 << 12 | rd.0 << 7 | 0x13
}

/// `lui rd, value >> 12`: `value`'s low twelve bits must be zero.
pub const fn lui(rd: X, value: u32) -> u32 {
    assert!(value & 0xFFF == 0);
    value | rd.0 << 7 | 0x37
}

/// `sw rs2, offset(rs1)` for a small non-negative offset.
pub const fn sw(rs2: X, rs1: X, offset: u32) -> u32 {
    assert!(offset < 2048);
    (offset >> 5) << 25 | rs2.0 << 20 | rs1.0 << 15 | 2 << 12 | (offset & 31) << 7 | 0x23
}

/// `lw rd, offset(rs1)` for a small non-negative offset.
pub const fn lw(rd: X, rs1: X, offset: u32) -> u32 {
    assert!(offset < 2048);
    offset << 20 | rs1.0 << 15 | 2 << 12 | rd.0 << 7 | 0x03
}

/// `bne rs1, rs2, -distance`: back by so many bytes if the registers differ.
pub const fn back_unless_equal(rs1: X, rs2: X, distance: u32) -> u32 {
    assert!(distance < 4096 && distance & 3 == 0);
    let offset = 0_u32.wrapping_sub(distance);
    let low = (offset >> 1 & 15) << 8 | (offset >> 11 & 1) << 7;
    1 << 31 | (offset >> 5 & 63) << 25 | rs2.0 << 20 | rs1.0 << 15 | 1 << 12 | low | 0x63
}

/// `li rd, value`: `lui` and `addi`.
pub const fn li(rd: X, value: u32) -> [u32; 2] {
    let low = value & 0xFFF;
    let high = value.wrapping_add(0x800) & !0xFFF;
    [lui(rd, high), low << 20 | rd.0 << 15 | rd.0 << 7 | 0x13]
}

/// `j -distance`: back by so many bytes.
pub const fn jump_back(distance: u32) -> u32 {
    assert!(distance < 1 << 20 && distance & 3 == 0);
    let offset = 0_u32.wrapping_sub(distance);
    let sign = 1 << 31;
    sign | ((offset >> 1) & 0x3FF) << 21 | ((offset >> 11) & 1) << 20 | (offset & 0xF_F000) | 0x6F
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected words as an assembler prints them.
    #[test]
    fn encodings_match_an_assembler() {
        assert_eq!(add(X(10), X(11), X(12)), 0x00C5_8533);
        assert_eq!(sub(X(10), X(11), X(12)), 0x40C5_8533);
        assert_eq!(xor(X(10), X(11), X(12)), 0x00C5_C533);
        assert_eq!(or(X(10), X(11), X(12)), 0x00C5_E533);
        assert_eq!(addi(X(5), X(5), 1), 0x0012_8293);
        assert_eq!(slli(X(10), X(10), 1), 0x0015_1513);
        assert_eq!(lui(X(6), 0x2_0000), 0x0002_0337);
        assert_eq!(sw(X(5), X(6), 4), 0x0053_2223);
        assert_eq!(jump_back(32), 0xFE1F_F06F);
        assert_eq!(lw(X(10), X(5), 520), 0x2082_A503);
        assert_eq!(back_unless_equal(X(10), X(9), 4), 0xFE95_1EE3);
        assert_eq!(li(X(11), 0x1234_5678), [0x1234_55B7, 0x6785_8593]);
        assert_eq!(li(X(11), 0x8FFF), [0x0000_95B7, 0xFFF5_8593]);
    }
}
