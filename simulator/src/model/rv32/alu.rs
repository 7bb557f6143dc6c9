//! What RV32IM instructions compute (RISC-V unprivileged specification, chapters "RV32I" and "M").

use super::Kind;

/// Result of a register-register or register-immediate instruction; `b` is the immediate of the latter.
///
/// Division does not trap: by zero the quotient is all ones and the remainder the dividend; the one signed overflow
/// gives the dividend and 0.
#[inline(always)]
pub fn compute(kind: Kind, a: u32, b: u32) -> u32 {
    let (sa, sb) = (a as i32, b as i32);
    match kind {
        Kind::Add | Kind::Addi => a.wrapping_add(b),
        Kind::Sub => a.wrapping_sub(b),
        Kind::Sll | Kind::Slli => a.wrapping_shl(b),
        Kind::Slt | Kind::Slti => u32::from(sa < sb),
        Kind::Sltu | Kind::Sltiu => u32::from(a < b),
        Kind::Xor | Kind::Xori => a ^ b,
        Kind::Srl | Kind::Srli => a.wrapping_shr(b),
        Kind::Sra | Kind::Srai => sa.wrapping_shr(b) as u32,
        Kind::Or | Kind::Ori => a | b,
        Kind::And | Kind::Andi => a & b,
        Kind::Mul => a.wrapping_mul(b),
        Kind::Mulh => ((i64::from(sa) * i64::from(sb)) >> 32) as u32,
        Kind::Mulhsu => ((i64::from(sa) * i64::from(b)) >> 32) as u32,
        Kind::Mulhu => ((u64::from(a) * u64::from(b)) >> 32) as u32,
        Kind::Div if b == 0 => u32::MAX,
        Kind::Div => sa.wrapping_div(sb) as u32,
        Kind::Divu => a.checked_div(b).unwrap_or(u32::MAX),
        Kind::Rem if b == 0 => a,
        Kind::Rem => sa.wrapping_rem(sb) as u32,
        Kind::Remu => a.checked_rem(b).unwrap_or(a),
        _ => unreachable!("{kind:?} computes nothing"),
    }
}

/// Whether a branch is taken.
#[inline(always)]
pub fn taken(kind: Kind, a: u32, b: u32) -> bool {
    match kind {
        Kind::Beq => a == b,
        Kind::Bne => a != b,
        Kind::Blt => (a as i32) < b as i32,
        Kind::Bge => a as i32 >= b as i32,
        Kind::Bltu => a < b,
        Kind::Bgeu => a >= b,
        _ => unreachable!("{kind:?} is no branch"),
    }
}
