//! The vector unit (SFPU): how it walks through Dst, its loads and stores, and its constants.
//!
//! A vector register takes the even columns of four rows of Dst, or the odd ones: 64 rows are 32 times a program. Dst's counter moves on with the
//! store of the result ([`step::ON`]). TRISC1's thread drives it.

use super::chip::insn::{SFPCONFIG, SFPLOAD, SFPLOADI, SFPNOP, SFPSTORE};
use super::chip::thread;
use super::tensix::{push, setc16};
use crate::ttinsn;
use tt_isa::sfpu::{lreg, mod0_fmt, sfploadi};
use tt_kernel_sfpu::CONSTANTS;

/// Address modifiers (sections 0 and 1).
pub mod step {
    /// Dst's counter stays.
    pub const STAY: u32 = 0;
    /// To the odd columns, or the even ones of the next four rows.
    pub const ON: u32 = 1;
}

/// Address modifiers.
pub fn configure() {
    ttinsn!(setc16(thread::CFG_STATE_ID_StateID, 0));
    ttinsn!(setc16(thread::ADDR_MOD_SET_Base, 0));
    ttinsn!(setc16(thread::ADDR_MOD_AB_SEC0_SrcAIncr, 0));
    ttinsn!(setc16(thread::ADDR_MOD_AB_SEC1_SrcAIncr, 0));
    ttinsn!(setc16(thread::ADDR_MOD_DST_SEC0_DestIncr, 0));
    ttinsn!(setc16(thread::ADDR_MOD_DST_SEC1_DestIncr, thread::ADDR_MOD_DST_SEC1_DestIncr.value(2)));
    ttinsn!(setc16(thread::ADDR_MOD_BIAS_SEC0_BiasIncr, 0));
    ttinsn!(setc16(thread::ADDR_MOD_BIAS_SEC1_BiasIncr, 0));
}

/// `SFPLOAD` of all 32 bits as they are: denormals and payloads of NaN pass.
pub const fn load(lreg_ind: u32, dest_reg_addr: u32) -> u32 {
    SFPLOAD { lreg_ind, instr_mod0: mod0_fmt::INT32, sfpu_addr_mode: step::STAY, dest_reg_addr }.word()
}

/// [`load`] of a register that is not stored again: Dst's counter moves on.
pub const fn load_on(lreg_ind: u32) -> u32 {
    SFPLOAD { lreg_ind, instr_mod0: mod0_fmt::INT32, sfpu_addr_mode: step::ON, dest_reg_addr: 0 }.word()
}

/// `SFPSTORE` of the same.
pub const fn store(sfpu_addr_mode: u32) -> u32 {
    store_at(0, sfpu_addr_mode, 0)
}

/// [`store`] of any register, to an address that is so far from Dst's counter.
pub const fn store_at(lreg_ind: u32, sfpu_addr_mode: u32, dest_reg_addr: u32) -> u32 {
    SFPSTORE { lreg_ind, instr_mod0: mod0_fmt::INT32, sfpu_addr_mode, dest_reg_addr }.word()
}

/// Puts a value known at run time into all elements of a register.
pub fn set_register(lreg_ind: u32, value: u32) {
    push(SFPLOADI { lreg_ind, instr_mod0: sfploadi::UPPER, imm16: value >> 16 }.word());
    push(SFPLOADI { lreg_ind, instr_mod0: sfploadi::LOWER, imm16: value & 0xFFFF }.word());
}

/// Puts a program's constants where it expects them.
#[inline(never)]
pub fn set_constants(values: &[u32; CONSTANTS]) {
    for (i, value) in (0..).zip(values) {
        set_register(0, *value);
        push(SFPCONFIG { config_dest: lreg::PROGRAMMABLE_0 + i, ..SFPCONFIG::ZERO }.word());
        ttinsn!(SFPNOP {}.word());
    }
}

/// `SETRWC` mask: Dst's counter.
pub const RWC_DST: u32 = 1 << 2;
