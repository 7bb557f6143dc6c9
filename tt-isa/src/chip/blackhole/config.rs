//! Blackhole's backend configuration registers: Wormhole's ([`crate::chip::wormhole::config`]), most of them at another
//! index.
//!
//! `@index { field[shift, width] .. }` defines a register of Blackhole's own. `@index from n {}` takes the fields of Wormhole's
//! register n, except those whose bits a listed field uses, and those listed in this register or the one before. Source: the
//! vendor simulator's list of Blackhole's registers.
#![allow(non_upper_case_globals)]

crate::cfg::cfg_differences! { Config, crate::chip::wormhole::config::FIELDS, 597
    @0..=2 from 0 {}
    @3 from 3 { RISC_DEST_ACCESS_CTRL_SEC0_no_swizzle[14, 1] RISC_DEST_ACCESS_CTRL_SEC0_unsigned_int[15, 1] RISC_DEST_ACCESS_CTRL_SEC0_fmt[16, 3] RISC_DEST_ACCESS_CTRL_SEC1_no_swizzle[19, 1] RISC_DEST_ACCESS_CTRL_SEC1_unsigned_int[20, 1] RISC_DEST_ACCESS_CTRL_SEC1_fmt[21, 3] RISC_DEST_ACCESS_CTRL_SEC2_no_swizzle[24, 1] RISC_DEST_ACCESS_CTRL_SEC2_unsigned_int[25, 1] RISC_DEST_ACCESS_CTRL_SEC2_fmt[26, 3] }
    @4..=6 from 4 {}
    @7 { DEST_SP_BASE_Base[0, 16] }
    @8 from 7 {}
    @12 { PCK0_ADDR_CTRL_XY_REG_0_Xstride[0, 16] PCK0_ADDR_CTRL_XY_REG_0_Ystride[16, 16] }
    @13 { PCK0_ADDR_CTRL_ZW_REG_0_Zstride[0, 16] PCK0_ADDR_CTRL_ZW_REG_0_Wstride[16, 16] }
    @14 { PCK0_ADDR_CTRL_XY_REG_1_Xstride[0, 16] PCK0_ADDR_CTRL_XY_REG_1_Ystride[16, 16] }
    @15 { PCK0_ADDR_CTRL_ZW_REG_1_Zstride[0, 16] PCK0_ADDR_CTRL_ZW_REG_1_Wstride[16, 16] }
    @16 { PCK0_ADDR_BASE_REG_0_Base[0, 18] }
    @17 { PCK0_ADDR_BASE_REG_1_Base[0, 18] }
    @18..=27 from 14 {}
    @28 from 24 { PACK_COUNTERS_SEC0_auto_ctxt_inc_xys_cnt[24, 8] }
    @29 from 25 { PACK_COUNTERS_SEC1_auto_ctxt_inc_xys_cnt[24, 8] }
    @30 from 26 { PACK_COUNTERS_SEC2_auto_ctxt_inc_xys_cnt[24, 8] }
    @31 from 27 { PACK_COUNTERS_SEC3_auto_ctxt_inc_xys_cnt[24, 8] }
    @32..=39 from 28 {}
    @40 { PACK_GLOBAL_CFG_CTL_pack_disable_fast_tile_end_drain[0, 1] }
    @44 { UNP0_ADDR_CTRL_XY_REG_0_Xstride[0, 16] UNP0_ADDR_CTRL_XY_REG_0_Ystride[16, 16] }
    @45 { UNP0_ADDR_CTRL_ZW_REG_0_Zstride[0, 16] UNP0_ADDR_CTRL_ZW_REG_0_Wstride[16, 16] }
    @46 { UNP1_ADDR_CTRL_XY_REG_0_Xstride[0, 16] UNP1_ADDR_CTRL_XY_REG_0_Ystride[16, 16] }
    @47 { UNP1_ADDR_CTRL_ZW_REG_0_Zstride[0, 16] UNP1_ADDR_CTRL_ZW_REG_0_Wstride[16, 16] }
    @48 { UNP0_ADDR_BASE_REG_0_Base[0, 18] }
    @49 { UNP0_ADDR_BASE_REG_1_Base[0, 18] }
    @50..=52 from 41 {}
    @53 { UNP0_NOP_REG_CLR_VAL_nop_reg_clr_val[0, 32] }
    @56 { UNP0_ADDR_CTRL_XY_REG_1_Xstride[0, 16] UNP0_ADDR_CTRL_XY_REG_1_Ystride[16, 16] }
    @57 { UNP0_ADDR_CTRL_ZW_REG_1_Zstride[0, 16] UNP0_ADDR_CTRL_ZW_REG_1_Wstride[16, 16] }
    @58 { UNP1_ADDR_CTRL_XY_REG_1_Xstride[0, 16] UNP1_ADDR_CTRL_XY_REG_1_Ystride[16, 16] }
    @59 { UNP1_ADDR_CTRL_ZW_REG_1_Zstride[0, 16] UNP1_ADDR_CTRL_ZW_REG_1_Wstride[16, 16] }
    @60 { UNP1_ADDR_BASE_REG_0_Base[0, 18] }
    @61 { UNP1_ADDR_BASE_REG_1_Base[0, 18] }
    @62 from 49 {}
    @63 { UNP1_NOP_REG_CLR_VAL_nop_reg_clr_val[0, 32] }
    @64 from 52 {}
    @68..=69 from 56 {}
    @70 from 58 { THCON_SEC0_REG1_Disable_pack_zero_flags[2, 1] THCON_SEC0_REG1_ovrd_default_throttle_mode[3, 1] THCON_SEC0_REG1_Auto_set_last_pacr_intf_sel[13, 1] THCON_SEC0_REG1_pack_start_intf_pos[17, 4] THCON_SEC0_REG1_pack_dis_y_pos_start_offset[23, 1] }
    @71 from 59 { THCON_SEC0_REG1_Pack_L1_Acc[19, 1] THCON_SEC0_REG1_Unp_LF8_4b_exp[22, 1] THCON_SEC0_REG1_Pac_LF8_4b_exp[23, 1] }
    @72 from 60 {}
    @73 from 61 { THCON_SEC0_REG2_Context_count_non_log2[9, 3] THCON_SEC0_REG2_Context_count_non_log2_en[12, 1] THCON_SEC0_REG2_Metadata_x_end[24, 8] }
    @74..=90 from 62 {}
    @91 { THCON_SEC0_REG6_Metadata_misc[0, 32] }
    @92..=97 from 80 {}
    @98 from 86 { THCON_SEC0_REG8_Disable_pack_zero_flags[2, 1] THCON_SEC0_REG8_Unused1[3, 1] THCON_SEC0_REG8_Auto_set_last_pacr_intf_sel[13, 1] THCON_SEC0_REG8_pack_dis_y_pos_start_offset[18, 1] THCON_SEC0_REG8_unpack_tile_offset[19, 5] }
    @99 from 87 { THCON_SEC0_REG8_Pack_L1_Acc[19, 1] }
    @100..=103 from 88 {}
    @104 { THCON_SEC0_REG10_Unpack_limit_address[0, 17] }
    @105 { THCON_SEC0_REG10_Unpack_fifo_size[0, 17] THCON_SEC0_REG10_Unpack_limit_address_en[17, 1] }
    @106 { THCON_SEC0_REG10_Unpacker_Reg_Wr_Addr[0, 24] }
    @107 { THCON_SEC0_REG10_Packer_Reg_Wr_Addr[0, 24] }
    @108 { THCON_SEC0_REG11_Metadata_l1_addr[0, 32] }
    @109 { THCON_SEC0_REG11_Metadata_limit_addr[0, 32] }
    @110 { THCON_SEC0_REG11_Metadata_fifo_size[0, 32] }
    @111 { THCON_SEC0_REG11_Metadata_z_cntr_rst_unpacr_count[0, 8] THCON_SEC0_REG11_Metadata_cntxt_switch_unpacr_count[8, 8] }
    @112 from 92 {}
    @116..=117 from 96 {}
    @118 from 98 { THCON_SEC1_REG1_Disable_pack_zero_flags[2, 1] THCON_SEC1_REG1_ovrd_default_throttle_mode[3, 1] THCON_SEC1_REG1_Auto_set_last_pacr_intf_sel[13, 1] THCON_SEC1_REG1_pack_start_intf_pos[17, 4] THCON_SEC1_REG1_pack_dis_y_pos_start_offset[23, 1] }
    @119 from 99 { THCON_SEC1_REG1_Pack_L1_Acc[19, 1] THCON_SEC1_REG1_Unp_LF8_4b_exp[22, 1] THCON_SEC1_REG1_Pac_LF8_4b_exp[23, 1] }
    @120 from 100 {}
    @121 from 101 { THCON_SEC1_REG2_Context_count_non_log2[9, 3] THCON_SEC1_REG2_Context_count_non_log2_en[12, 1] THCON_SEC1_REG2_Metadata_x_end[24, 8] }
    @122..=138 from 102 {}
    @139 { THCON_SEC1_REG6_Metadata_misc[0, 32] }
    @140..=145 from 120 {}
    @146 from 126 { THCON_SEC1_REG8_Disable_pack_zero_flags[2, 1] THCON_SEC1_REG8_Unused1[3, 1] THCON_SEC1_REG8_Auto_set_last_pacr_intf_sel[13, 1] THCON_SEC1_REG8_pack_dis_y_pos_start_offset[18, 1] THCON_SEC1_REG8_unpack_tile_offset[19, 5] }
    @147 from 127 { THCON_SEC1_REG8_Pack_L1_Acc[19, 1] }
    @148..=151 from 128 {}
    @152 { THCON_SEC1_REG10_Unpack_limit_address[0, 17] }
    @153 { THCON_SEC1_REG10_Unpack_fifo_size[0, 17] THCON_SEC1_REG10_Unpack_limit_address_en[17, 1] }
    @154 { THCON_SEC1_REG10_Unpacker_Reg_Wr_Addr[0, 24] }
    @155 { THCON_SEC1_REG10_Packer_Reg_Wr_Addr[0, 24] }
    @156 { THCON_SEC1_REG11_Metadata_l1_addr[0, 32] }
    @157 { THCON_SEC1_REG11_Metadata_limit_addr[0, 32] }
    @158 { THCON_SEC1_REG11_Metadata_fifo_size[0, 32] }
    @159 { THCON_SEC1_REG11_Metadata_z_cntr_rst_unpacr_count[0, 8] THCON_SEC1_REG11_Metadata_cntxt_switch_unpacr_count[8, 8] }
    @180..=185 from 152 {}
    @186..=208 from 164 {}
    @209 { SCRATCH_SEC0_val[0, 32] }
    @210 { SCRATCH_SEC1_val[0, 32] }
    @211 { SCRATCH_SEC2_val[0, 32] }
    @212 { L1_CACHE_TAG_SEARCH_ACCEL_Search_Enable[0, 1] L1_CACHE_TAG_SEARCH_ACCEL_Start_Addr[1, 17] }
    @213 { L1_CACHE_TAG_SEARCH_ACCEL_End_Addr[0, 17] }
    @214 { L1_CACHE_TAG_SEARCH_ACCEL_Tag_Value_low[0, 32] }
    @215 { L1_CACHE_TAG_SEARCH_ACCEL_Tag_Value_high[0, 32] }
    @216 { L1_CACHE_TAG_SEARCH_ACCEL_Tag_Width[0, 2] L1_CACHE_TAG_SEARCH_ACCEL_Valid_bit_section_start_addr[2, 17] }
    @217 { L1_CACHE_TAG_SEARCH_ACCEL_Valid_bit_section_end_addr[0, 17] }
    @218 { L1_CACHE_TAG_SEARCH_ACCEL_Data_Valid_bit_section_start_addr[0, 17] L1_CACHE_TAG_SEARCH_ACCEL_Data_Valid_chk[17, 1] }
    @219 { L1_CACHE_TAG_SEARCH_ACCEL_Data_Valid_offset[0, 24] L1_CACHE_TAG_SEARCH_ACCEL_Tag_inv[24, 1] L1_CACHE_TAG_SEARCH_ACCEL_Tag_inv_all[25, 1] L1_CACHE_TAG_SEARCH_ACCEL_Tag_alloc[26, 1] }
    @220 { DEST_ACCESS_CFG_swizzle_32b[0, 1] DEST_ACCESS_CFG_remap_addrs[1, 1] DEST_ACCESS_CFG_disable_full_write_dest_q_bypass[2, 1] DEST_ACCESS_CFG_zeroacc_absolute_tile_mode[3, 1] }
    @221 { SRC_ACCESS_CFG_math_view_srca_as_one_bank[0, 1] SRC_ACCESS_CFG_math_view_srcb_as_one_bank[1, 1] SRC_ACCESS_CFG_disable_contig_srca_dvalid_phase[2, 1] SRC_ACCESS_CFG_disable_contig_srcb_dvalid_phase[3, 1] }
    @222 { CHICKEN_BITS_sfpu_scbd_disable[0, 1] }
}
