//! Unpacker 0, set up to bring blocks of 32-bit datums from L1 to Dst as they are.
//!
//! A block is at most 1024 datums, which fill 64 rows of Dst in the order in which they lie in L1. TRISC0's thread drives it.

use super::chip::insn::{NOP, SETADCXX, SETADCXY, SETADCZW, STALLWAIT, UNPACR, WRCFG};
use super::chip::{cfg, thread};
use super::l1::L1;
use super::tensix::{Config, block, nth, push, set_gpr, setc16, until};
use super::to_src::unpacked_format;
use super::unpack::{
    FIRST_DATUM, THROTTLE_X4, UNCOMPRESSED, UNPACKER0, base_address, tile_descriptor, tile_descriptor_yz,
};
use crate::ttinsn;
use tt_isa::format::{DataFormat, FACE_DATUMS, FACE_DIM};

/// GPRs with the address of a block in L1, and its first datum in Dst.
const GPR_ADDRESS: u32 = 4;
const GPR_DATUM: u32 = 5;

/// Configuration that holds for the whole operator: FP32 from L1 to Dst. No instruction of this thread is in flight.
pub fn configure() {
    let config = Config;
    let face = FACE_DATUMS as u32;
    config.set(cfg::THCON_SEC0_REG0_TileDescriptor, tile_descriptor(DataFormat::Fp32, face));
    config.set(nth(cfg::THCON_SEC0_REG0_TileDescriptor, 1), tile_descriptor_yz(1, 4));
    config.set(
        cfg::THCON_SEC0_REG2_Out_data_format,
        cfg::THCON_SEC0_REG2_Out_data_format.value(DataFormat::Fp32 as u32)
            | cfg::THCON_SEC0_REG2_Throttle_mode.value(THROTTLE_X4),
    );
    // To Dst, not to SrcA.
    config.set(
        cfg::THCON_SEC0_REG2_Disable_zero_compress_cntx0,
        UNCOMPRESSED | cfg::THCON_SEC0_REG2_Unpack_if_sel_cntx0.value(1),
    );
    config.set(
        cfg::THCON_SEC0_REG5_Tile_x_dim_cntx0,
        cfg::THCON_SEC0_REG5_Tile_x_dim_cntx0.value(face) | cfg::THCON_SEC0_REG5_Tile_x_dim_cntx1.value(face),
    );
    config.set(cfg::THCON_SEC0_REG7_Offset_address, 0);
    config.set(cfg::UNP0_ADDR_CTRL_XY_REG_1_Xstride, 0);
    config.set(cfg::UNP0_ADDR_CTRL_ZW_REG_1_Zstride, 0);
    config.settle(cfg::UNP0_ADDR_CTRL_ZW_REG_1_Zstride);

    ttinsn!(setc16(thread::CFG_STATE_ID_StateID, 0));
    ttinsn!(setc16(thread::SRCA_SET_SetOvrdWithAddr, 0));
    ttinsn!(setc16(thread::UNPACK_MISC_CFG_CfgContextOffset_0, 0));
    ttinsn!(SETADCXY { cnt_set_mask: UNPACKER0, bit_mask: 0b1010, ..SETADCXY::ZERO }.word());
    ttinsn!(SETADCZW { cnt_set_mask: UNPACKER0, bit_mask: 0b1111, ..SETADCZW::ZERO }.word());
}

/// Unpacks take rows of 16 datums that lie `pitch` bytes apart in L1, a multiple of 16, until [`configure`] comes again. No unpack is under way.
pub fn set_pitch(pitch: u32) {
    let config = Config;
    config.set(cfg::THCON_SEC0_REG2_Out_data_format, unpacked_format(DataFormat::Fp32, false, pitch));
    config.settle(cfg::THCON_SEC0_REG2_Out_data_format);
}

/// How many datums the unpacks from here on bring, 1024 at most. No unpack is under way.
pub fn set_len(len: u32) {
    push(SETADCXX { cnt_set_mask: UNPACKER0, x_end2: len - 1, ..SETADCXX::ZERO }.word());
}

/// Unpacks the block at the beginning of `from` to the rows of Dst from `row` on.
pub fn unpack(from: L1, row: u32) {
    set_gpr(GPR_ADDRESS, base_address(from));
    set_gpr(GPR_DATUM, FIRST_DATUM + row * FACE_DIM as u32);
    // Addresses must not change under an unpack that is still reading.
    ttinsn!(STALLWAIT { stall_res: block::CFG, wait_res: until::THCON | until::UNPACK0 }.word());
    ttinsn!(
        WRCFG { gpr_address: GPR_ADDRESS, wr128b: 0, cfg_reg: cfg::THCON_SEC0_REG3_Base_address.index }
            .word()
    );
    ttinsn!(
        WRCFG { gpr_address: GPR_DATUM, wr128b: 0, cfg_reg: cfg::THCON_SEC0_REG5_Dest_cntx0_address.index }
            .word()
    );
    ttinsn!(NOP {}.word());
    ttinsn!(UNPACR { ovrd_thread_id: 1, last: 1, ..UNPACR::ZERO }.word());
}
