//! The unpackers, set up for products: tiles to SrcA, groups of rows to SrcB as TF32.
//!
//! SrcA gets a whole K x N tile (64 rows of 16). SrcB gets one k-tile of rows: for each group of 8 rows 16 rows of SrcB, first k 0..15 of the 8
//! rows, then k 16..31, as they lie in L1 in FP32. Unpacker 1 walks along K by its Y counter; unpacker 0 gets each tile's address through a GPR and
//! `WRCFG`, in the instruction stream, so that no RISC-V store races with an unpack. TRISC0's thread drives both.

use super::chip::insn::{NOP, SETADC, SETADCXX, SETADCXY, SETADCZW, STALLWAIT, UNPACR, WRCFG};
use super::chip::{cfg, thread};
use super::tensix::{Config, block, nth, push, set_gpr, setc16, until};
use super::unpack::{
    FIRST_DATUM, THROTTLE_X4, UNCOMPRESSED, UNPACKER0, UNPACKER1, tile_descriptor, tile_descriptor_yz,
};
use crate::ttinsn;
use tt_isa::format::{DataFormat, FACE_DATUMS, TILE_DATUMS};
use tt_kernel_abi::matmul::GROUP_FACE_BYTES;

/// GPR with the address of the tile.
const GPR_ADDRESS: u32 = 4;
/// GPR with the address of rows.
const GPR_ROWS: u32 = 5;

/// How unpacker 0 walks through L1 and SrcA.
pub struct Form {
    /// Extent of its input in x, in datums.
    pub x: u32,
    /// Extent in y.
    pub y: u32,
    /// Datums of an instruction.
    pub datums: u32,
    /// Bytes in SrcA from one y of channel 1 to the next.
    pub y_step: u32,
    /// Whether its counters matter.
    pub adds_counters: bool,
    /// Whether it transposes each face.
    pub transposes: bool,
    /// Bytes in L1 from one row of 16 datums to the next, a multiple of 16; 0: they lie one behind the other.
    pub pitch: u32,
}

impl Form {
    /// Whole tiles, as they lie.
    pub const TILES: Self = Self {
        x: FACE_DATUMS as u32,
        y: 1,
        datums: TILE_DATUMS as u32,
        y_step: 0,
        adds_counters: false,
        transposes: false,
        pitch: 0,
    };
}

/// Configures both unpackers: formats of what SrcA gets in L1 and in SrcA, how unpacker 0 walks, and the base address of what SrcB gets. No
/// instruction of this thread is in flight.
pub fn configure((from, to): (DataFormat, DataFormat), form: &Form, rows: u32) {
    let config = Config;
    let Form { x, y, datums, y_step, adds_counters, transposes, pitch } = *form;

    config.set(cfg::THCON_SEC0_REG0_TileDescriptor, tile_descriptor(from, x));
    config.set(nth(cfg::THCON_SEC0_REG0_TileDescriptor, 1), tile_descriptor_yz(y, 4));
    config.set(cfg::THCON_SEC0_REG2_Out_data_format, unpacked_format(to, transposes, pitch));
    config.set(cfg::THCON_SEC0_REG2_Disable_zero_compress_cntx0, UNCOMPRESSED);
    config.set(
        cfg::THCON_SEC0_REG5_Dest_cntx0_address,
        cfg::THCON_SEC0_REG5_Dest_cntx0_address.value(FIRST_DATUM)
            | cfg::THCON_SEC0_REG5_Dest_cntx1_address.value(FIRST_DATUM),
    );
    config.set(
        cfg::THCON_SEC0_REG5_Tile_x_dim_cntx0,
        cfg::THCON_SEC0_REG5_Tile_x_dim_cntx0.value(x) | cfg::THCON_SEC0_REG5_Tile_x_dim_cntx1.value(x),
    );
    config.set(cfg::THCON_SEC0_REG7_Offset_address, 0);
    config.set(
        cfg::UNP0_FORCED_SHARED_EXP_shared_exp,
        cfg::UNP0_ADD_DEST_ADDR_CNTR_add_dest_addr_cntr.value(adds_counters.into()),
    );
    config.set(cfg::UNP0_ADDR_CTRL_XY_REG_1_Xstride, cfg::UNP0_ADDR_CTRL_XY_REG_1_Ystride.value(y_step));
    config.set(cfg::UNP0_ADDR_CTRL_ZW_REG_1_Zstride, 0);

    config.set(nth(cfg::THCON_SEC1_REG0_TileDescriptor, 1), tile_descriptor_yz(1, 1));
    config.set(
        cfg::THCON_SEC1_REG2_Out_data_format,
        cfg::THCON_SEC1_REG2_Out_data_format.value(DataFormat::Tf32 as u32)
            | cfg::THCON_SEC1_REG2_Throttle_mode.value(THROTTLE_X4),
    );
    config.set(cfg::THCON_SEC1_REG2_Disable_zero_compress_cntx0, UNCOMPRESSED);
    config.set(cfg::THCON_SEC1_REG3_Base_address, rows);
    // Z of channel 1 is zero but for a single row, whose second half goes behind a group of rows.
    config.set(
        cfg::UNP1_ADDR_CTRL_ZW_REG_1_Zstride,
        cfg::UNP1_ADDR_CTRL_ZW_REG_1_Zstride.value(GROUP_FACE_BYTES),
    );
    config.settle(cfg::UNP1_ADDR_CTRL_ZW_REG_1_Zstride);

    ttinsn!(setc16(thread::CFG_STATE_ID_StateID, 0));
    ttinsn!(setc16(thread::SRCA_SET_SetOvrdWithAddr, thread::SRCA_SET_SetOvrdWithAddr.value(1)));
    ttinsn!(setc16(thread::UNPACK_MISC_CFG_CfgContextOffset_0, 0));
    push(SETADCXX { cnt_set_mask: UNPACKER0, x_end2: datums - 1, ..SETADCXX::ZERO }.word());
    ttinsn!(SETADCXY { cnt_set_mask: UNPACKER0 | UNPACKER1, bit_mask: 0b1010, ..SETADCXY::ZERO }.word());
    ttinsn!(SETADCZW { cnt_set_mask: UNPACKER0 | UNPACKER1, bit_mask: 0b1111, ..SETADCZW::ZERO }.word());
}

/// The register with unpacker 0's format of SrcA, whether it transposes each face, and how far apart rows lie in L1 ([`Form::pitch`]). That distance, in 16 bytes, is in three
/// fields that are shift amounts otherwise (`UNPACR_Regular.md`, "DiscontiguousInputRows").
pub const fn unpacked_format(to: DataFormat, transposes: bool, pitch: u32) -> u32 {
    let sixteens = pitch / 16;
    cfg::THCON_SEC0_REG2_Out_data_format.value(to as u32)
        | cfg::THCON_SEC0_REG2_Throttle_mode.value(THROTTLE_X4)
        | cfg::THCON_SEC0_REG2_Haloize_mode.value(transposes as u32)
        | cfg::THCON_SEC0_REG2_Tileize_mode.value((pitch != 0) as u32)
        | cfg::THCON_SEC0_REG2_Shift_amount_cntx0.value(sixteens & 15)
        | cfg::THCON_SEC0_REG2_Shift_amount_cntx1.value(sixteens >> 4 & 15)
        | cfg::THCON_SEC0_REG2_Shift_amount_cntx2.value(sixteens >> 8)
}

/// Points unpacker 1, which is idle, at rows, by their base address ([`base_address`](super::unpack::base_address)).
pub fn set_rows_at(base: u32) {
    let config = Config;
    config.set(cfg::THCON_SEC1_REG3_Base_address, base);
    config.settle(cfg::THCON_SEC1_REG3_Base_address);
}

/// Unpacker 1's place along K, in what it brings at once ([`set_rows`]).
#[inline(always)]
pub fn go_to_rows(y: u32) {
    push(SETADC { cnt_set_mask: UNPACKER1, channel_index: 0, dimension_index: DIMENSION_Y, value: y }.word());
}

/// `SETADC`'s number of y.
const DIMENSION_Y: u32 = 1;

/// Datums that unpacker 1 brings at once, and from one of these to the next in L1: a k-tile of all groups of rows, or half a k-tile of a single row.
pub fn set_rows(datums: u32) {
    let config = Config;
    // The unpackers are idle: all earlier blocks were followed by a sync.
    config.set(cfg::THCON_SEC1_REG0_TileDescriptor, tile_descriptor(DataFormat::Fp32, datums));
    config.settle(cfg::THCON_SEC1_REG0_TileDescriptor);
    push(SETADCXX { cnt_set_mask: UNPACKER1, x_end2: datums - 1, ..SETADCXX::ZERO }.word());
}

/// Sets unpacker 1, which is idle, up for whole tiles of rows in BF16.
pub fn set_rows_bf16() {
    let config = Config;
    config.set(
        cfg::THCON_SEC1_REG2_Out_data_format,
        cfg::THCON_SEC1_REG2_Out_data_format.value(DataFormat::Bf16 as u32)
            | cfg::THCON_SEC1_REG2_Throttle_mode.value(THROTTLE_X4),
    );
    config.set(cfg::THCON_SEC1_REG0_TileDescriptor, tile_descriptor(DataFormat::Bf16, TILE_DATUMS as u32));
    config.settle(cfg::THCON_SEC1_REG0_TileDescriptor);
    push(SETADCXX { cnt_set_mask: UNPACKER1, x_end2: TILE_DATUMS as u32 - 1, ..SETADCXX::ZERO }.word());
}

/// Points unpacker 1 at rows, by their base address ([`base_address`](super::unpack::base_address)), behind what it is doing.
#[inline(always)]
pub fn aim_rows(base: u32) {
    set_gpr(GPR_ROWS, base);
    // The address must not change under an unpack that is still reading.
    ttinsn!(STALLWAIT { stall_res: block::CFG, wait_res: until::THCON | until::UNPACK }.word());
    ttinsn!(
        WRCFG { gpr_address: GPR_ROWS, wr128b: 0, cfg_reg: cfg::THCON_SEC1_REG3_Base_address.index }.word()
    );
    ttinsn!(NOP {}.word());
    ttinsn!(SETADCXY { cnt_set_mask: UNPACKER1, bit_mask: 0b0010, ..SETADCXY::ZERO }.word());
}

/// Unpacks the next k-tile of rows to SrcB, whose counter in y moves on.
#[inline(always)]
pub fn unpack_rows() {
    ttinsn!(
        UNPACR {
            unpack_block_selection: 1,
            // Channel 0: next Y, i.e. next k-tile.
            addr_mode: 1 << 2,
            ovrd_thread_id: 1,
            set_dat_valid: 1,
            last: 1,
            ..UNPACR::ZERO
        }
        .word()
    );
}

/// Points unpacker 0 at a tile, by its base address ([`base_address`](super::unpack::base_address)), behind what it is doing.
#[inline(always)]
pub fn set_tile(base: u32) {
    set_gpr(GPR_ADDRESS, base);
    // The address must not change under an unpack that is still reading.
    ttinsn!(STALLWAIT { stall_res: block::CFG, wait_res: until::THCON | until::UNPACK0 }.word());
    ttinsn!(
        WRCFG { gpr_address: GPR_ADDRESS, wr128b: 0, cfg_reg: cfg::THCON_SEC0_REG3_Base_address.index }
            .word()
    );
    ttinsn!(NOP {}.word());
}
