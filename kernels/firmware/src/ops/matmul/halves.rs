//! TRISC0: half-precision weights from rows as they lie in memory.
//!
//! A row in L1 has 16 elements of a face of a tile, then 16 of the face beside it: y counts these halves, z counts rows, and an instruction
//! takes a face: the same half of 16 rows, whose distance the unpacker knows. SrcA wants a row for each k. Of a matrix whose rows lie side by side, L1's rows are n and their elements
//! k: the unpacker exchanges rows and columns of every face. Of a transposed view, L1's rows are k.
//!
//! | faces of SrcA | k below 16, n below 16 | k below 16 | n below 16 | the last |
//! |---|---|---|---|---|
//! | rows | 0 | 16 | 32 | 48 |
//! | by rows | y 0, z 0 | y 0, z 16 | y 1, z 0 | y 1, z 16 |
//! | by columns | y 0, z 0 | y 1, z 0 | y 0, z 16 | y 1, z 16 |
//!
//! Counters are the instruction stream's own: they change between two unpacks without a wait, as inside of one instruction (`ADCs.md`).

use super::plan::{Plan, Unit};
use crate::rt::chip::cfg;
use crate::rt::chip::insn::{SETADC, SETADCXY, SETADCZW, UNPACR};
use crate::rt::tensix::{Config, nth};
use crate::rt::to_src::unpacked_format;
use crate::rt::unpack::{UNPACKER0, tile_descriptor_yz};
use crate::ttinsn;
use tt_isa::format::{DataFormat, FACE_DIM};
use tt_kernel_abi::OpDescriptor;
use tt_kernel_abi::matmul::{HALVES_FACE_ROW, HALVES_PIECE, HALVES_ROW, Halves, TILE};
use tt_kernel_abi::target;

/// Bytes from one row of a block in L1 to the next.
pub const fn pitch(kind: Halves) -> u32 {
    match kind {
        Halves::Columns => HALVES_PIECE,
        _ => HALVES_ROW,
    }
}

/// Bytes from one tile of a block to the next: the tiles are side by side in a row, or one below the other.
pub const fn tile_bytes(kind: Halves) -> u32 {
    match kind {
        Halves::Columns => TILE * HALVES_PIECE,
        _ => 2 * TILE,
    }
}

/// Where a unit's rows begin in a slot: as many bytes behind a line of the NoC as in DRAM. Steps from block to block are whole lines.
pub fn offset(op: &OpDescriptor, plan: &Plan, unit: &Unit) -> u32 {
    match plan.halves() {
        Halves::None => 0,
        _ => target::offset(op.src0.addr + plan.matrix(&op.src0, unit)),
    }
}

/// Changes unpacker 0, which is set up for F16 rows or columns and idle, to others that lie `pitch` bytes apart.
pub fn set_form(kind: Halves, pitch: u32) {
    let config = Config;
    config.set(nth(cfg::THCON_SEC0_REG0_TileDescriptor, 1), tile_descriptor_yz(pitch / HALVES_FACE_ROW, 4));
    config.set(
        cfg::THCON_SEC0_REG2_Out_data_format,
        unpacked_format(DataFormat::Fp16, kind == Halves::Rows, pitch),
    );
    config.settle(cfg::THCON_SEC0_REG2_Out_data_format);
}

/// Rows of a face.
const FACE: u32 = FACE_DIM as u32;

/// An unpack of a face. What is unpacked next goes to the face of SrcA behind it.
const fn face(set_dat_valid: u32) -> u32 {
    // Channel 1: next y.
    UNPACR { addr_mode: 1 << 6, ovrd_thread_id: 1, set_dat_valid, last: 1, ..UNPACR::ZERO }.word()
}

/// Half `$y` of rows from `$z` on.
macro_rules! from {
    ($y:expr, $z:expr) => {
        ttinsn!(SETADCXY { cnt_set_mask: UNPACKER0, ch0_y: $y, bit_mask: 0b0010, ..SETADCXY::ZERO }.word());
        ttinsn!(
            SETADC { cnt_set_mask: UNPACKER0, channel_index: 0, dimension_index: DIMENSION_Z, value: $z }
                .word()
        );
    };
}

/// `SETADC`'s number of z.
const DIMENSION_Z: u32 = 2;

/// SrcA's first row.
macro_rules! begin {
    () => {
        ttinsn!(SETADCXY { cnt_set_mask: UNPACKER0, bit_mask: 0b1010, ..SETADCXY::ZERO }.word());
        ttinsn!(SETADCZW { cnt_set_mask: UNPACKER0, bit_mask: 0b1111, ..SETADCZW::ZERO }.word());
    };
}

/// A tile of a matrix by rows.
pub fn unpack_rows() {
    begin!();
    ttinsn!(face(0));
    from!(0, FACE);
    ttinsn!(face(0));
    from!(1, 0);
    ttinsn!(face(0));
    from!(1, FACE);
    ttinsn!(face(1));
}

/// A tile of a transposed view.
pub fn unpack_columns() {
    begin!();
    ttinsn!(face(0));
    from!(1, 0);
    ttinsn!(face(0));
    from!(0, FACE);
    ttinsn!(face(0));
    from!(1, FACE);
    ttinsn!(face(1));
}
