//! Rotary positions: TRISC1's part. A pair's elements are in two registers, its cosine and sine in two more, in the same places of the partner.
//!
//! Neighbours are the even and the odd columns of the same rows of Dst. Of pairs that are half a row apart, TRISC0 has brought the halves to
//! blocks of their own.

use super::trisc1::{LANES, rewind};
use crate::ops::sfpu::trisc1::{load, step};
use crate::rt::chip::insn::SFPSTORE;
use crate::{ttinsn, ttprogram};
use tt_isa::sfpu::mod0_fmt;
use tt_kernel_abi::sfpu::BLOCK_ROWS;
use tt_kernel_abi::sfpu::rows::{PARTNER_ROW, STEP, Segment};
use tt_kernel_sfpu::Program;
use tt_kernel_sfpu::rotate::{self, COS, SIN};

const ROTATE: Program = rotate::rotate();

/// What is added to a row of Dst for its odd columns.
const ODD: u32 = 2;

/// `SFPSTORE` of all 32 bits.
const fn store(lreg_ind: u32, dest_reg_addr: u32, sfpu_addr_mode: u32) -> u32 {
    SFPSTORE { lreg_ind, instr_mod0: mod0_fmt::INT32, sfpu_addr_mode, dest_reg_addr }.word()
}

/// Pairs of neighbours.
#[inline(never)]
pub fn neighbours(segment: &Segment) {
    for _ in 0..segment.padded() / STEP {
        ttinsn!(load(0, 0));
        ttinsn!(load(1, ODD));
        ttinsn!(load(COS, PARTNER_ROW));
        ttinsn!(load(SIN, PARTNER_ROW + ODD));
        ttprogram!(ROTATE);
        // The counter moves on to the odd columns, and then to the next rows.
        ttinsn!(store(0, 0, step::ON));
        ttinsn!(store(1, 0, step::ON));
    }
    rewind();
}

/// Pairs of the elements of two halves.
#[inline(never)]
pub fn halves(segment: &Segment) {
    for _ in 0..(segment.len / 2).next_multiple_of(STEP) / LANES {
        ttinsn!(load(0, 0));
        ttinsn!(load(1, BLOCK_ROWS));
        ttinsn!(load(COS, PARTNER_ROW));
        ttinsn!(load(SIN, PARTNER_ROW + BLOCK_ROWS));
        ttprogram!(ROTATE);
        ttinsn!(store(1, BLOCK_ROWS, step::STAY));
        ttinsn!(store(0, 0, step::ON));
    }
    rewind();
}
