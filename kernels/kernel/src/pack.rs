//! The packers, set up to bring FP32 from Dst to L1 as it is.
//!
//! Packer p takes the 16 rows of Dst that follow those of packer p - 1, and writes 1 KiB behind it: all four together
//! pack 1024 datums in the order in which they lie in Dst. Or it takes row by row of several products side by side ([`pack_rows`]).

use super::chip::insn::{INCADCZW, PACR, SETADCXX, SETADCXY, SETADCZW};
use super::chip::{cfg, thread};
use super::l1::L1;
use super::tensix::{Config, nth, setc16};
use crate::ttinsn;
use tt_isa::cfg::CfgField;
use tt_isa::format::{DataFormat, FACE_DATUMS, FACE_DIM};
use tt_kernel_abi::matmul::{RESULT_ROWS, ROW_GROUP};

/// Bytes that a packer writes.
const PACKER_BYTES: u32 = 4 * FACE_DATUMS as u32;
/// Address counter set of the packers.
const PACKERS: u32 = 1 << 2;
/// First registers of the four packers: exponent section, L1 address, formats, misc in a row.
const SECTIONS: [CfgField; 4] = [
    cfg::THCON_SEC0_REG1_Row_start_section_size,
    cfg::THCON_SEC0_REG8_Row_start_section_size,
    cfg::THCON_SEC1_REG1_Row_start_section_size,
    cfg::THCON_SEC1_REG8_Row_start_section_size,
];
const COUNTERS: [CfgField; 4] = [
    cfg::PACK_COUNTERS_SEC0_pack_per_xy_plane,
    cfg::PACK_COUNTERS_SEC1_pack_per_xy_plane,
    cfg::PACK_COUNTERS_SEC2_pack_per_xy_plane,
    cfg::PACK_COUNTERS_SEC3_pack_per_xy_plane,
];
const EDGE_MASKS: [CfgField; 4] = [
    cfg::PCK_EDGE_OFFSET_SEC0_mask,
    cfg::PCK_EDGE_OFFSET_SEC1_mask,
    cfg::PCK_EDGE_OFFSET_SEC2_mask,
    cfg::PCK_EDGE_OFFSET_SEC3_mask,
];
const DST_OFFSETS: [CfgField; 4] = [
    cfg::DEST_TARGET_REG_CFG_PACK_SEC0_Offset,
    cfg::DEST_TARGET_REG_CFG_PACK_SEC1_Offset,
    cfg::DEST_TARGET_REG_CFG_PACK_SEC2_Offset,
    cfg::DEST_TARGET_REG_CFG_PACK_SEC3_Offset,
];

/// Words 2 and 3 of a packer's section: FP32 as it is.
const PLAIN_FP32: [u32; 2] = [
    cfg::THCON_SEC0_REG1_Out_data_format.value(DataFormat::Fp32 as u32)
        | cfg::THCON_SEC0_REG1_In_data_format.value(DataFormat::Fp32 as u32)
        | cfg::THCON_SEC0_REG1_Disable_zero_compress.value(1),
    0,
];
/// The same with FP32 added to what is there (`TensixTile/L1.md`, near-memory accumulate). Flags of zeros are disabled, as the vendor's kernels do it with this (`reconfigure_packer_l1_acc` of tt-llk); no page
/// says what they would do.
const ADDED_FP32: [u32; 2] =
    with(with(PLAIN_FP32, cfg::THCON_SEC0_REG1_Pack_L1_Acc), cfg::THCON_SEC0_REG1_Disable_pack_zero_flags);

/// Words 2 and 3 of a packer's section with a flag of packer 0's. (Which of the two has it depends on the chip.)
const fn with(mut words: [u32; 2], flag: CfgField) -> [u32; 2] {
    words[(flag.index - SECTIONS[0].index) as usize - 2] |= flag.value(1);
    words
}

/// Configures the four packers; none of them has anything to do.
#[inline(never)]
pub fn configure() {
    let config = Config;
    for packer in 0..4 {
        let section = SECTIONS[packer];
        config.set(section, 0);
        config.set(nth(section, 2), PLAIN_FP32[0]);
        config.set(nth(section, 3), PLAIN_FP32[1]);
        config.set(
            COUNTERS[packer],
            cfg::PACK_COUNTERS_SEC0_pack_per_xy_plane.value(1)
                | cfg::PACK_COUNTERS_SEC0_pack_reads_per_xy_plane.value(FACE_DIM as u32)
                | cfg::PACK_COUNTERS_SEC0_pack_xys_per_tile.value(1),
        );
        // Every column is inside.
        config.set(EDGE_MASKS[packer], 0xFFFF);
    }
    let row = FACE_DIM as u32 * 4;
    config.set(
        cfg::PCK0_ADDR_CTRL_XY_REG_0_Xstride,
        cfg::PCK0_ADDR_CTRL_XY_REG_0_Xstride.value(4) | cfg::PCK0_ADDR_CTRL_XY_REG_0_Ystride.value(row),
    );
    config.set(
        cfg::PCK0_ADDR_CTRL_ZW_REG_0_Zstride,
        cfg::PCK0_ADDR_CTRL_ZW_REG_0_Zstride.value(row * FACE_DIM as u32),
    );
    config.set(cfg::TILE_ROW_SET_MAPPING_0_row_set_mapping_0, 0);
    config.set(cfg::TILE_ROW_SET_MAPPING_1_row_set_mapping_0, 0);
    // Last, because the vendor's simulator lets it be read back and the others not.
    config.set(cfg::PCK_DEST_RD_CTRL_Read_32b_data, cfg::PCK_DEST_RD_CTRL_Read_32b_data.value(1));
    config.settle(cfg::PCK_DEST_RD_CTRL_Read_32b_data);

    ttinsn!(setc16(thread::CFG_STATE_ID_StateID, 0));
    ttinsn!(setc16(thread::ADDR_MOD_PACK_SEC0_YsrcIncr, 0));
    ttinsn!(SETADCXX { cnt_set_mask: PACKERS, x_end2: FACE_DATUMS as u32 - 1, ..SETADCXX::ZERO }.word());
    ttinsn!(SETADCXY { cnt_set_mask: PACKERS, bit_mask: 0b1010, ..SETADCXY::ZERO }.word());
    ttinsn!(SETADCZW { cnt_set_mask: PACKERS, bit_mask: 0b1111, ..SETADCZW::ZERO }.word());
}

/// Address modifiers of [`pack_rows`]. Y counts rows of Dst from a group's first one on; W counts products side by side, which are too far apart for Z.
mod step {
    /// From the first 16 columns of a row to the others.
    pub const HALF: u32 = 0;
    /// Back to the first ones.
    pub const BACK: u32 = 1;
    /// To the next row.
    pub const ROW: u32 = 2;
    /// To the first row.
    pub const BEGIN: u32 = 3;
}

/// Configures the four packers for [`pack_rows`].
#[inline(never)]
pub fn configure_rows() {
    configure();
    let config = Config;
    config.set(
        cfg::PCK0_ADDR_CTRL_ZW_REG_0_Zstride,
        cfg::PCK0_ADDR_CTRL_ZW_REG_0_Wstride.value(RESULT_ROWS * FACE_DIM as u32 * 4),
    );
    config.settle(cfg::PCK0_ADDR_CTRL_ZW_REG_0_Zstride);
    ttinsn!(setc16(
        thread::ADDR_MOD_PACK_SEC0_YsrcIncr,
        thread::ADDR_MOD_PACK_SEC0_YsrcIncr.value(ROW_GROUP)
    ));
    ttinsn!(setc16(thread::ADDR_MOD_PACK_SEC1_YsrcIncr, thread::ADDR_MOD_PACK_SEC1_YsrcCR.value(1)));
    ttinsn!(setc16(
        thread::ADDR_MOD_PACK_SEC2_YsrcIncr,
        thread::ADDR_MOD_PACK_SEC2_YsrcCR.value(1) | thread::ADDR_MOD_PACK_SEC2_YsrcIncr.value(1)
    ));
    ttinsn!(setc16(thread::ADDR_MOD_PACK_SEC3_YsrcIncr, thread::ADDR_MOD_PACK_SEC3_YsrcClear.value(1)));
    ttinsn!(SETADCXX { cnt_set_mask: PACKERS, x_end2: FACE_DIM as u32 - 1, ..SETADCXX::ZERO }.word());
}

/// From now on the packers, which are idle and [configured for FP32](configure), add what they pack to what is in L1, in single precision, until they are configured anew.
#[inline(never)]
pub fn add() {
    let config = Config;
    for section in SECTIONS {
        config.set(nth(section, 2), ADDED_FP32[0]);
        config.set(nth(section, 3), ADDED_FP32[1]);
    }
    config.settle(nth(SECTIONS[3], 3));
}

const fn pacr(addr_mode: u32, last: u32) -> u32 {
    PACR { pack_sel: 0b1111, addr_mode, last, ..PACR::ZERO }.word()
}

/// The first columns of a row of `products` products, all but the last 16.
#[inline(always)]
fn pack_row(products: u32) {
    for _ in 1..products {
        ttinsn!(pacr(step::HALF, 0));
        ttinsn!(pacr(step::BACK, 0));
        // Counters are the instruction stream's own (`ADCs.md`); W is in the place that is called Y elsewhere.
        ttinsn!(INCADCZW { cnt_set_mask: PACKERS, ch0_y: 1, ..INCADCZW::ZERO }.word());
    }
    ttinsn!(pacr(step::HALF, 0));
}

/// The first product again.
macro_rules! first_product {
    () => {
        ttinsn!(SETADCZW { cnt_set_mask: PACKERS, bit_mask: 0b0010, ..SETADCZW::ZERO }.word())
    };
}

/// Packs a tile of rows of `products` products that follow one another in Dst, where [`aim_rows`] says: 32 rows as they lie in a matrix. Packer p takes those of group p.
#[inline(never)]
pub fn pack_rows(products: u32) {
    for _ in 1..ROW_GROUP {
        pack_row(products);
        ttinsn!(pacr(step::ROW, 0));
        first_product!();
    }
    pack_row(products);
    ttinsn!(pacr(step::BEGIN, 1));
    first_product!();
}

/// Address modifiers of [`pack_groups`]. Y counts rows of a group, Z faces side by side.
mod group_step {
    /// To the next row.
    pub const ROW: u32 = 0;
    /// To the next face, first row.
    pub const FACE: u32 = 1;
}

/// Dst as the packers read it.
fn set_dst_format(format: DataFormat) {
    Config.set(
        cfg::ALU_FORMAT_SPEC_REG2_Dstacc,
        cfg::ALU_FORMAT_SPEC_REG2_Dstacc.value(format as u32)
            | cfg::ALU_ACC_CTRL_Fp32_enabled.value(1)
            | cfg::ALU_ACC_CTRL_SFPU_Fp32_enabled.value(1),
    );
}

/// What the packers write is BF16, rounded from FP32: to the nearest, ties away from zero (`FormatConversion.md`).
fn set_bf16() {
    let bf16 = DataFormat::Bf16 as u32;
    for section in SECTIONS {
        Config.set(
            nth(section, 2),
            cfg::THCON_SEC0_REG1_Out_data_format.value(bf16)
                | cfg::THCON_SEC0_REG1_In_data_format.value(bf16)
                | cfg::THCON_SEC0_REG1_Disable_zero_compress.value(1),
        );
    }
}

/// Configures the four packers for [`pack_tile`]. Dst is taken for BF16 by whoever configures the matrix unit; [`end_groups`] changes that back.
#[inline(never)]
pub fn configure_tiles() {
    configure();
    set_bf16();
    // Strides are of datums as the packers take them: two bytes.
    Config.set(
        cfg::PCK0_ADDR_CTRL_XY_REG_0_Xstride,
        cfg::PCK0_ADDR_CTRL_XY_REG_0_Xstride.value(2)
            | cfg::PCK0_ADDR_CTRL_XY_REG_0_Ystride.value(2 * FACE_DIM as u32),
    );
    Config.settle(cfg::PCK0_ADDR_CTRL_XY_REG_0_Xstride);
}

/// The same for tiles of F16: FP32's mantissas are cut off behind ten bits, exponents saturate (`FormatConversion.md`). Dst is taken for FP32 by whoever configures the matrix unit.
#[inline(never)]
pub fn configure_f16_tiles() {
    configure();
    for section in SECTIONS {
        Config.set(
            nth(section, 2),
            cfg::THCON_SEC0_REG1_Out_data_format.value(DataFormat::Fp16 as u32)
                | cfg::THCON_SEC0_REG1_In_data_format.value(DataFormat::Fp32 as u32)
                | cfg::THCON_SEC0_REG1_Disable_zero_compress.value(1),
        );
    }
    Config.settle(nth(SECTIONS[3], 2));
}

/// Packs a tile of BF16 or F16, where [`aim_tile`] says.
#[inline(always)]
pub fn pack_tile() {
    ttinsn!(PACR { pack_sel: 0b1111, last: 1, ..PACR::ZERO }.word());
}

/// Points the packers, which are idle, each at a face of the 64 rows of Dst from `dst_row` on, and at its part of the tile `to`.
#[inline(never)]
pub fn aim_tile(dst_row: u32, to: L1) {
    aim_packers(dst_row, FACE_DIM as u32, to, 2 * FACE_DATUMS as u32);
}

/// Configures the four packers for [`pack_groups`], in BF16; a row of activations takes `dst_rows` rows of Dst. The matrix unit has nothing to do, and whoever uses it next
/// configures it anew.
#[inline(never)]
pub fn configure_groups(dst_rows: u32) {
    configure();
    let config = Config;
    set_dst_format(DataFormat::Bf16);
    set_bf16();
    // Strides are of datums as the packers take them: two bytes.
    let row = FACE_DIM as u32 * 2;
    config.set(
        cfg::PCK0_ADDR_CTRL_XY_REG_0_Xstride,
        cfg::PCK0_ADDR_CTRL_XY_REG_0_Xstride.value(2)
            | cfg::PCK0_ADDR_CTRL_XY_REG_0_Ystride.value(row * dst_rows),
    );
    config.set(cfg::PCK0_ADDR_CTRL_ZW_REG_0_Zstride, cfg::PCK0_ADDR_CTRL_ZW_REG_0_Zstride.value(row));
    config.settle(cfg::PCK0_ADDR_CTRL_ZW_REG_0_Zstride);
    ttinsn!(setc16(thread::ADDR_MOD_PACK_SEC0_YsrcIncr, thread::ADDR_MOD_PACK_SEC0_YsrcIncr.value(1)));
    ttinsn!(setc16(
        thread::ADDR_MOD_PACK_SEC1_YsrcIncr,
        thread::ADDR_MOD_PACK_SEC1_YsrcClear.value(1) | thread::ADDR_MOD_PACK_SEC1_ZsrcIncr.value(1)
    ));
    ttinsn!(SETADCXX { cnt_set_mask: PACKERS, x_end2: FACE_DIM as u32 - 1, ..SETADCXX::ZERO }.word());
}

/// Packs a tile of activations as SrcB has it, where [`aim_groups`] says. The next one is the tile beside it.
#[inline(never)]
pub fn pack_groups() {
    for _ in 1..ROW_GROUP {
        ttinsn!(pacr(group_step::ROW, 0));
    }
    ttinsn!(pacr(group_step::FACE, 0));
    for _ in 1..ROW_GROUP {
        ttinsn!(pacr(group_step::ROW, 0));
    }
    ttinsn!(pacr(group_step::FACE, 1));
}

/// The next tile is the first one again.
pub fn begin_groups() {
    ttinsn!(SETADCXY { cnt_set_mask: PACKERS, bit_mask: 0b1010, ..SETADCXY::ZERO }.word());
    ttinsn!(SETADCZW { cnt_set_mask: PACKERS, bit_mask: 0b1111, ..SETADCZW::ZERO }.word());
}

/// Dst has FP32 again. The packers are idle.
pub fn end_groups() {
    set_dst_format(DataFormat::Fp32);
    Config.set(cfg::PCK_DEST_RD_CTRL_Read_32b_data, cfg::PCK_DEST_RD_CTRL_Read_32b_data.value(1));
    Config.settle(cfg::PCK_DEST_RD_CTRL_Read_32b_data);
}

/// Points the packers, which are idle, each at its group of rows of `dst_rows` rows of Dst, from `dst_row` on, and at its part of the tile `to`.
#[inline(never)]
pub fn aim_groups(dst_row: u32, dst_rows: u32, to: L1) {
    const BYTES: u32 = 2 * ROW_GROUP * 2 * FACE_DIM as u32;
    aim_packers(dst_row, ROW_GROUP * dst_rows, to, BYTES);
}

/// Points the packers, which are idle, at the rows of Dst from `dst_row` on (32-bit rows) and at the first 4 KiB of `to`.
pub fn aim(dst_row: u32, to: L1) {
    aim_rows(dst_row, 1, to);
}

/// The same for `products` products, which need as many times 4 KiB.
#[inline(never)]
pub fn aim_rows(dst_row: u32, products: u32, to: L1) {
    aim_packers(dst_row, FACE_DIM as u32, to, products * PACKER_BYTES);
}

/// Points the packers at the rows of Dst from `dst_row` on, `step` rows from one to the next, and at as many times `bytes` bytes of `to`.
#[inline(always)]
fn aim_packers(dst_row: u32, step: u32, to: L1, bytes: u32) {
    aim_at([0, 1, 2, 3].map(|packer| dst_row + packer * step), to, bytes);
}

/// Points the packers, which are idle, each at its row of Dst, and at as many times `bytes` bytes of `to`.
#[inline(never)]
pub fn aim_at(dst_rows: [u32; 4], to: L1, bytes: u32) {
    let config = Config;
    let l1 = to.part(0, 4 * bytes).address();
    for packer in 0..4 {
        config.set(DST_OFFSETS[packer], dst_rows[packer]);
    }
    // Last, because the vendor's simulator lets them be read back and the offsets not.
    for packer in 0..4 {
        config.set(nth(SECTIONS[packer], 1), ((l1 + packer as u32 * bytes) >> 4) - 1);
    }
    config.settle(nth(SECTIONS[3], 1));
}
