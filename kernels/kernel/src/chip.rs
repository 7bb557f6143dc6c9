//! The chip that these images are for: its data, its instructions, its registers.
//!
//! Every other module takes from here what differs from chip to chip. All of it are constants.

pub use tt_kernel_abi::target::{CHIP, insn};

use tt_isa::noc::{NiuMap, NiuRegisters};

/// NIUs and the limits of requests.
pub const NIU: NiuMap = CHIP.noc;
/// Registers of an NIU.
pub const REG: NiuRegisters = CHIP.noc.registers;

/// Makes constants of the chip's configuration fields. A name that the chip does not have fails to compile.
macro_rules! fields {
    ($(#[$doc:meta])* $module:ident: $table:ident { $($name:ident)* }) => {
        $(#[$doc])*
        #[allow(non_upper_case_globals, missing_docs)]
        pub mod $module {
            use super::CHIP;
            use tt_isa::cfg::CfgField;

            $(pub const $name: CfgField = tt_isa::chip::wormhole::$table::$name.on(&CHIP.registers);)*
        }
    };
}

fields! {
    /// Fields of `Config` that the kernels use.
    cfg: config {
        ALU_ACC_CTRL_Fp32_enabled
        ALU_ACC_CTRL_SFPU_Fp32_enabled
        ALU_FORMAT_SPEC_REG0_SrcA
        ALU_FORMAT_SPEC_REG1_SrcB
        ALU_FORMAT_SPEC_REG2_Dstacc
        DEST_TARGET_REG_CFG_PACK_SEC0_Offset
        DEST_TARGET_REG_CFG_PACK_SEC1_Offset
        DEST_TARGET_REG_CFG_PACK_SEC2_Offset
        DEST_TARGET_REG_CFG_PACK_SEC3_Offset
        ECC_SCRUBBER_Delay
        ECC_SCRUBBER_Enable
        ECC_SCRUBBER_Scrub_On_Error
        PACK_COUNTERS_SEC0_pack_per_xy_plane
        PACK_COUNTERS_SEC0_pack_reads_per_xy_plane
        PACK_COUNTERS_SEC0_pack_xys_per_tile
        PACK_COUNTERS_SEC1_pack_per_xy_plane
        PACK_COUNTERS_SEC2_pack_per_xy_plane
        PACK_COUNTERS_SEC3_pack_per_xy_plane
        PCK0_ADDR_CTRL_XY_REG_0_Xstride
        PCK0_ADDR_CTRL_XY_REG_0_Ystride
        PCK0_ADDR_CTRL_ZW_REG_0_Wstride
        PCK0_ADDR_CTRL_ZW_REG_0_Zstride
        PCK_DEST_RD_CTRL_Read_32b_data
        PCK_EDGE_OFFSET_SEC0_mask
        PCK_EDGE_OFFSET_SEC1_mask
        PCK_EDGE_OFFSET_SEC2_mask
        PCK_EDGE_OFFSET_SEC3_mask
        STACC_RELU_ApplyRelu
        THCON_SEC0_REG0_TileDescriptor
        THCON_SEC0_REG1_Disable_pack_zero_flags
        THCON_SEC0_REG1_Disable_zero_compress
        THCON_SEC0_REG1_In_data_format
        THCON_SEC0_REG1_Out_data_format
        THCON_SEC0_REG1_Pack_L1_Acc
        THCON_SEC0_REG1_Row_start_section_size
        THCON_SEC0_REG2_Disable_zero_compress_cntx0
        THCON_SEC0_REG2_Force_shared_exp
        THCON_SEC0_REG2_Haloize_mode
        THCON_SEC0_REG2_Out_data_format
        THCON_SEC0_REG2_Shift_amount_cntx0
        THCON_SEC0_REG2_Shift_amount_cntx1
        THCON_SEC0_REG2_Shift_amount_cntx2
        THCON_SEC0_REG2_Throttle_mode
        THCON_SEC0_REG2_Tileize_mode
        THCON_SEC0_REG2_Unpack_if_sel_cntx0
        THCON_SEC0_REG3_Base_address
        THCON_SEC0_REG5_Dest_cntx0_address
        THCON_SEC0_REG5_Dest_cntx1_address
        THCON_SEC0_REG5_Tile_x_dim_cntx0
        THCON_SEC0_REG5_Tile_x_dim_cntx1
        THCON_SEC0_REG7_Offset_address
        THCON_SEC0_REG8_Row_start_section_size
        THCON_SEC1_REG0_TileDescriptor
        THCON_SEC1_REG1_Row_start_section_size
        THCON_SEC1_REG2_Disable_zero_compress_cntx0
        THCON_SEC1_REG2_Out_data_format
        THCON_SEC1_REG2_Throttle_mode
        THCON_SEC1_REG3_Base_address
        THCON_SEC1_REG8_Row_start_section_size
        TILE_ROW_SET_MAPPING_0_row_set_mapping_0
        TILE_ROW_SET_MAPPING_1_row_set_mapping_0
        UNP0_ADDR_CTRL_XY_REG_1_Xstride
        UNP0_ADDR_CTRL_XY_REG_1_Ystride
        UNP0_ADD_DEST_ADDR_CNTR_add_dest_addr_cntr
        UNP0_ADDR_CTRL_ZW_REG_1_Zstride
        UNP0_FORCED_SHARED_EXP_shared_exp
        UNP1_ADDR_CTRL_ZW_REG_1_Zstride
    }
}

fields! {
    /// Fields of `ThreadConfig` that the kernels use.
    thread: thread {
        ADDR_MOD_AB_SEC0_SrcAClear
        ADDR_MOD_AB_SEC0_SrcAIncr
        ADDR_MOD_AB_SEC0_SrcBCR
        ADDR_MOD_AB_SEC0_SrcBClear
        ADDR_MOD_AB_SEC0_SrcBIncr
        ADDR_MOD_AB_SEC1_SrcAIncr
        ADDR_MOD_AB_SEC2_SrcAIncr
        ADDR_MOD_AB_SEC3_SrcAIncr
        ADDR_MOD_AB_SEC4_SrcAIncr
        ADDR_MOD_AB_SEC5_SrcAIncr
        ADDR_MOD_BIAS_SEC0_BiasIncr
        ADDR_MOD_BIAS_SEC1_BiasIncr
        ADDR_MOD_BIAS_SEC2_BiasIncr
        ADDR_MOD_BIAS_SEC3_BiasIncr
        ADDR_MOD_BIAS_SEC4_BiasIncr
        ADDR_MOD_BIAS_SEC5_BiasIncr
        ADDR_MOD_DST_SEC0_DestIncr
        ADDR_MOD_DST_SEC1_DestIncr
        ADDR_MOD_DST_SEC1_FidelityClear
        ADDR_MOD_DST_SEC2_DestIncr
        ADDR_MOD_DST_SEC3_DestIncr
        ADDR_MOD_DST_SEC3_FidelityIncr
        ADDR_MOD_DST_SEC4_DestIncr
        ADDR_MOD_DST_SEC5_DestIncr
        ADDR_MOD_PACK_SEC0_YsrcIncr
        ADDR_MOD_PACK_SEC1_YsrcCR
        ADDR_MOD_PACK_SEC1_YsrcClear
        ADDR_MOD_PACK_SEC1_YsrcIncr
        ADDR_MOD_PACK_SEC1_ZsrcIncr
        ADDR_MOD_PACK_SEC2_YsrcCR
        ADDR_MOD_PACK_SEC2_YsrcIncr
        ADDR_MOD_PACK_SEC3_YsrcClear
        ADDR_MOD_PACK_SEC3_YsrcIncr
        ADDR_MOD_SET_Base
        CFG_STATE_ID_StateID
        CLR_DVALID_SrcA_Disable
        DEST_TARGET_REG_CFG_MATH_Offset
        FIDELITY_BASE_Phase
        SRCA_SET_SetOvrdWithAddr
        UNPACK_MISC_CFG_CfgContextOffset_0
    }
}

/// Conditions of `STALLWAIT`.
pub mod until {
    use super::CHIP;

    /// The thread's memory requests in the scalar unit are done.
    pub const THCON: u32 = CHIP.until.thcon;
    /// Unpacker 0 has nothing of the thread's.
    pub const UNPACK0: u32 = CHIP.until.unpack0;
    /// Neither unpacker has.
    pub const UNPACK: u32 = CHIP.until.unpack;
    /// No packer has.
    pub const PACK: u32 = CHIP.until.pack;
    /// The matrix unit has nothing of the thread's.
    pub const MATH: u32 = CHIP.until.math;
    /// The bank of SrcA that unpacker 0 fills next is its own.
    pub const SRCA_CLEAR: u32 = CHIP.until.srca_clear;
    /// The bank of SrcB that unpacker 1 fills next is its own.
    pub const SRCB_CLEAR: u32 = CHIP.until.srcb_clear;
    /// The matrix unit's bank of SrcA is its own.
    pub const SRCA_VALID: u32 = CHIP.until.srca_valid;
    /// The matrix unit's bank of SrcB is its own.
    pub const SRCB_VALID: u32 = CHIP.until.srcb_valid;
    /// The T core's accesses to GPRs, configuration and TDMA-RISC have arrived.
    pub const RISCV: u32 = CHIP.until.riscv;
    /// The vector unit has nothing of the thread's.
    pub const SFPU: u32 = CHIP.until.sfpu;
}

// Reading from a core's data cache what the NoC or another core has written would need other code in `mmio`.
const _: () = assert!(CHIP.tile.data_cache.is_none());
// `pack` drives four packers.
const _: () = assert!(CHIP.tile.packers == 4);
