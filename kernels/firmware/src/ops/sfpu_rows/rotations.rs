//! Rotary positions: TRISC1's part. A pair's elements are in two registers, its cosine and sine in two more, in the same places of the partner.
//!
//! Neighbours are the even and the odd columns of the same rows of Dst. Pairs that are whole registers apart are so many rows apart. Of others that are half a row apart,
//! TRISC0 has brought the halves to blocks of their own.
//!
//! The heads of a row lie one behind the other: cosines and sines stay in their registers for all of them.

use super::Work;
use crate::ops::sfpu::trisc1::{load, step};
use crate::rt::chip::insn::SFPSTORE;
use crate::rt::tensix::push;
use crate::ttprogram;
use core::ops::Range;
use tt_isa::format::FACE_DIM;
use tt_isa::sfpu::mod0_fmt;
use tt_kernel_abi::sfpu::BLOCK_ROWS;
use tt_kernel_abi::sfpu::rows::{PARTNER_ROW, RowFunction, STEP, Segment, padded};
use tt_kernel_sfpu::Program;
use tt_kernel_sfpu::rotate::{self, COS, SIN};

const ROTATE: Program = rotate::rotate();

/// What is added to a row of Dst for its odd columns.
const ODD: u32 = 2;
/// Rows of Dst whose even and odd columns are registers.
const REGISTER_ROWS: u32 = STEP / FACE_DIM as u32;

/// `SFPSTORE` of all 32 bits.
const fn store(lreg_ind: u32, dest_reg_addr: u32) -> u32 {
    SFPSTORE { lreg_ind, instr_mod0: mod0_fmt::INT32, sfpu_addr_mode: step::STAY, dest_reg_addr }.word()
}

/// Rotates the pairs of a segment.
#[inline(never)]
pub fn segment(work: &Work, segment: &Segment) {
    let head = segment.len / work.rotation.heads;
    let (second, rows) = match (work.function, work.rotation.distance) {
        (RowFunction::RotateHalves, _) => (BLOCK_ROWS, padded(head / 2) / FACE_DIM as u32),
        (_, 1) => return registers(work.rotation.heads, head, ODD, 0..padded(head) / FACE_DIM as u32),
        (_, distance) => (distance / FACE_DIM as u32, distance / FACE_DIM as u32),
    };
    registers(work.rotation.heads, head, second, 0..rows);
    registers(work.rotation.heads, head, second, ODD..rows);
}

/// Rotates the registers at every [`REGISTER_ROWS`]th of `rows`, and those `second` rows behind them, of heads of `len` elements.
#[inline(always)]
fn registers(heads: u32, len: u32, second: u32, rows: Range<u32>) {
    for row in rows.step_by(REGISTER_ROWS as usize) {
        push(load(COS, PARTNER_ROW + row));
        push(load(SIN, PARTNER_ROW + row + second));
        let mut at = row;
        for _ in 0..heads {
            push(load(0, at));
            push(load(1, at + second));
            ttprogram!(ROTATE);
            push(store(0, at));
            push(store(1, at + second));
            at += len / FACE_DIM as u32;
        }
    }
}
