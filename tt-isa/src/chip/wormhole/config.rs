//! Backend configuration registers (`Config`): two banks of 32-bit registers, written by `WRCFG`, `RMWCIB` and RISC-V stores.
//!
//! `@index { field[shift, width] .. }`. Names and positions as in the vendor's register headers that
//! `TensixTile/TensixCoprocessor/BackendConfiguration.md` refers to.
#![allow(non_upper_case_globals)]

crate::cfg::cfg_fields! { Config, FIELDS
    @0 { ALU_FORMAT_SPEC_REG_SrcA_val[0, 4] ALU_FORMAT_SPEC_REG_SrcA_override[4, 1] ALU_FORMAT_SPEC_REG_SrcB_val[5, 4] ALU_FORMAT_SPEC_REG_SrcB_override[9, 1] ALU_FORMAT_SPEC_REG_Dstacc_val[10, 4] ALU_FORMAT_SPEC_REG_Dstacc_override[14, 1] }
    @1 { ALU_ROUNDING_MODE_Fpu_srnd_en[0, 1] ALU_ROUNDING_MODE_Gasket_srnd_en[1, 1] ALU_ROUNDING_MODE_Packer_srnd_en[2, 1] ALU_ROUNDING_MODE_Padding[3, 10] ALU_ROUNDING_MODE_GS_LF[13, 1] ALU_ROUNDING_MODE_Bfp8_HF[14, 1] ALU_FORMAT_SPEC_REG0_SrcAUnsigned[15, 1] ALU_FORMAT_SPEC_REG0_SrcBUnsigned[16, 1] ALU_FORMAT_SPEC_REG0_SrcA[17, 4] ALU_FORMAT_SPEC_REG1_SrcB[21, 4] ALU_FORMAT_SPEC_REG2_Dstacc[25, 4] ALU_ACC_CTRL_Fp32_enabled[29, 1] ALU_ACC_CTRL_SFPU_Fp32_enabled[30, 1] ALU_ACC_CTRL_INT8_math_enabled[31, 1] }
    @2 { ALU_ACC_CTRL_Zero_Flag_disabled_src[0, 1] ALU_ACC_CTRL_Zero_Flag_disabled_dst[1, 1] STACC_RELU_ApplyRelu[2, 4] STACC_RELU_ReluThreshold[6, 16] DISABLE_RISC_BP_Disable_main[22, 1] DISABLE_RISC_BP_Disable_trisc[23, 3] DISABLE_RISC_BP_Disable_ncrisc[26, 1] DISABLE_RISC_BP_Disable_bmp_clear_main[27, 1] DISABLE_RISC_BP_Disable_bmp_clear_trisc[28, 3] DISABLE_RISC_BP_Disable_bmp_clear_ncrisc[31, 1] }
    @3 { ECC_SCRUBBER_Enable[0, 1] ECC_SCRUBBER_Scrub_On_Error[1, 1] ECC_SCRUBBER_Scrub_On_Error_Immediately[2, 1] ECC_SCRUBBER_Delay[3, 11] }
    @4 { STATE_RESET_EN[0, 1] }
    @5 { DEST_OFFSET_Enable[0, 1] }
    @6 { DEST_REGW_BASE_Base[0, 16] }
    @7 { INT_DESCALE_Enable[0, 1] INT_DESCALE_Mode[1, 1] }
    @8 { PCK0_ADDR_CTRL_XY_REG_0_Xstride[0, 12] PCK0_ADDR_CTRL_XY_REG_0_Ystride[12, 12] }
    @9 { PCK0_ADDR_CTRL_ZW_REG_0_Zstride[0, 12] PCK0_ADDR_CTRL_ZW_REG_0_Wstride[12, 16] }
    @10 { PCK0_ADDR_CTRL_XY_REG_1_Xstride[0, 12] PCK0_ADDR_CTRL_XY_REG_1_Ystride[12, 12] }
    @11 { PCK0_ADDR_CTRL_ZW_REG_1_Zstride[0, 12] PCK0_ADDR_CTRL_ZW_REG_1_Wstride[12, 16] }
    @12 { PCK0_ADDR_BASE_REG_0_Base[0, 16] }
    @13 { PCK0_ADDR_BASE_REG_1_Base[0, 16] }
    @14 { PCK_DEST_RD_CTRL_Read_32b_data[0, 1] PCK_DEST_RD_CTRL_Read_unsigned[1, 1] PCK_DEST_RD_CTRL_Read_int8[2, 1] PCK_DEST_RD_CTRL_Round_10b_mant[3, 1] }
    @15 { PCK_EDGE_TILE_FACE_SET_SELECT_select[0, 8] PCK_EDGE_TILE_FACE_SET_SELECT_enable[8, 1] }
    @16 { TILE_ROW_SET_MAPPING_0_row_set_mapping_0[0, 2] TILE_ROW_SET_MAPPING_0_row_set_mapping_1[2, 2] TILE_ROW_SET_MAPPING_0_row_set_mapping_2[4, 2] TILE_ROW_SET_MAPPING_0_row_set_mapping_3[6, 2] TILE_ROW_SET_MAPPING_0_row_set_mapping_4[8, 2] TILE_ROW_SET_MAPPING_0_row_set_mapping_5[10, 2] TILE_ROW_SET_MAPPING_0_row_set_mapping_6[12, 2] TILE_ROW_SET_MAPPING_0_row_set_mapping_7[14, 2] TILE_ROW_SET_MAPPING_0_row_set_mapping_8[16, 2] TILE_ROW_SET_MAPPING_0_row_set_mapping_9[18, 2] TILE_ROW_SET_MAPPING_0_row_set_mapping_10[20, 2] TILE_ROW_SET_MAPPING_0_row_set_mapping_11[22, 2] TILE_ROW_SET_MAPPING_0_row_set_mapping_12[24, 2] TILE_ROW_SET_MAPPING_0_row_set_mapping_13[26, 2] TILE_ROW_SET_MAPPING_0_row_set_mapping_14[28, 2] TILE_ROW_SET_MAPPING_0_row_set_mapping_15[30, 2] }
    @17 { TILE_ROW_SET_MAPPING_1_row_set_mapping_0[0, 2] TILE_ROW_SET_MAPPING_1_row_set_mapping_1[2, 2] TILE_ROW_SET_MAPPING_1_row_set_mapping_2[4, 2] TILE_ROW_SET_MAPPING_1_row_set_mapping_3[6, 2] TILE_ROW_SET_MAPPING_1_row_set_mapping_4[8, 2] TILE_ROW_SET_MAPPING_1_row_set_mapping_5[10, 2] TILE_ROW_SET_MAPPING_1_row_set_mapping_6[12, 2] TILE_ROW_SET_MAPPING_1_row_set_mapping_7[14, 2] TILE_ROW_SET_MAPPING_1_row_set_mapping_8[16, 2] TILE_ROW_SET_MAPPING_1_row_set_mapping_9[18, 2] TILE_ROW_SET_MAPPING_1_row_set_mapping_10[20, 2] TILE_ROW_SET_MAPPING_1_row_set_mapping_11[22, 2] TILE_ROW_SET_MAPPING_1_row_set_mapping_12[24, 2] TILE_ROW_SET_MAPPING_1_row_set_mapping_13[26, 2] TILE_ROW_SET_MAPPING_1_row_set_mapping_14[28, 2] TILE_ROW_SET_MAPPING_1_row_set_mapping_15[30, 2] }
    @18 { TILE_ROW_SET_MAPPING_2_row_set_mapping_0[0, 2] TILE_ROW_SET_MAPPING_2_row_set_mapping_1[2, 2] TILE_ROW_SET_MAPPING_2_row_set_mapping_2[4, 2] TILE_ROW_SET_MAPPING_2_row_set_mapping_3[6, 2] TILE_ROW_SET_MAPPING_2_row_set_mapping_4[8, 2] TILE_ROW_SET_MAPPING_2_row_set_mapping_5[10, 2] TILE_ROW_SET_MAPPING_2_row_set_mapping_6[12, 2] TILE_ROW_SET_MAPPING_2_row_set_mapping_7[14, 2] TILE_ROW_SET_MAPPING_2_row_set_mapping_8[16, 2] TILE_ROW_SET_MAPPING_2_row_set_mapping_9[18, 2] TILE_ROW_SET_MAPPING_2_row_set_mapping_10[20, 2] TILE_ROW_SET_MAPPING_2_row_set_mapping_11[22, 2] TILE_ROW_SET_MAPPING_2_row_set_mapping_12[24, 2] TILE_ROW_SET_MAPPING_2_row_set_mapping_13[26, 2] TILE_ROW_SET_MAPPING_2_row_set_mapping_14[28, 2] TILE_ROW_SET_MAPPING_2_row_set_mapping_15[30, 2] }
    @19 { TILE_ROW_SET_MAPPING_3_row_set_mapping_0[0, 2] TILE_ROW_SET_MAPPING_3_row_set_mapping_1[2, 2] TILE_ROW_SET_MAPPING_3_row_set_mapping_2[4, 2] TILE_ROW_SET_MAPPING_3_row_set_mapping_3[6, 2] TILE_ROW_SET_MAPPING_3_row_set_mapping_4[8, 2] TILE_ROW_SET_MAPPING_3_row_set_mapping_5[10, 2] TILE_ROW_SET_MAPPING_3_row_set_mapping_6[12, 2] TILE_ROW_SET_MAPPING_3_row_set_mapping_7[14, 2] TILE_ROW_SET_MAPPING_3_row_set_mapping_8[16, 2] TILE_ROW_SET_MAPPING_3_row_set_mapping_9[18, 2] TILE_ROW_SET_MAPPING_3_row_set_mapping_10[20, 2] TILE_ROW_SET_MAPPING_3_row_set_mapping_11[22, 2] TILE_ROW_SET_MAPPING_3_row_set_mapping_12[24, 2] TILE_ROW_SET_MAPPING_3_row_set_mapping_13[26, 2] TILE_ROW_SET_MAPPING_3_row_set_mapping_14[28, 2] TILE_ROW_SET_MAPPING_3_row_set_mapping_15[30, 2] }
    @20 { PCK_EDGE_OFFSET_SEC0_mask[0, 16] PCK_EDGE_MODE_mode[16, 1] PCK_EDGE_TILE_ROW_SET_SELECT_select[17, 8] }
    @21 { PCK_EDGE_OFFSET_SEC1_mask[0, 16] }
    @22 { PCK_EDGE_OFFSET_SEC2_mask[0, 16] }
    @23 { PCK_EDGE_OFFSET_SEC3_mask[0, 16] }
    @24 { PACK_COUNTERS_SEC0_pack_per_xy_plane[0, 8] PACK_COUNTERS_SEC0_pack_reads_per_xy_plane[8, 8] PACK_COUNTERS_SEC0_pack_xys_per_tile[16, 7] PACK_COUNTERS_SEC0_pack_yz_transposed[23, 1] PACK_COUNTERS_SEC0_pack_per_xy_plane_offset[24, 8] }
    @25 { PACK_COUNTERS_SEC1_pack_per_xy_plane[0, 8] PACK_COUNTERS_SEC1_pack_reads_per_xy_plane[8, 8] PACK_COUNTERS_SEC1_pack_xys_per_tile[16, 7] PACK_COUNTERS_SEC1_pack_yz_transposed[23, 1] PACK_COUNTERS_SEC1_pack_per_xy_plane_offset[24, 8] }
    @26 { PACK_COUNTERS_SEC2_pack_per_xy_plane[0, 8] PACK_COUNTERS_SEC2_pack_reads_per_xy_plane[8, 8] PACK_COUNTERS_SEC2_pack_xys_per_tile[16, 7] PACK_COUNTERS_SEC2_pack_yz_transposed[23, 1] PACK_COUNTERS_SEC2_pack_per_xy_plane_offset[24, 8] }
    @27 { PACK_COUNTERS_SEC3_pack_per_xy_plane[0, 8] PACK_COUNTERS_SEC3_pack_reads_per_xy_plane[8, 8] PACK_COUNTERS_SEC3_pack_xys_per_tile[16, 7] PACK_COUNTERS_SEC3_pack_yz_transposed[23, 1] PACK_COUNTERS_SEC3_pack_per_xy_plane_offset[24, 8] }
    @28 { PACK_CONCAT_MASK_SEC0_pack_concat_mask[0, 16] }
    @29 { PACK_CONCAT_MASK_SEC1_pack_concat_mask[0, 16] }
    @30 { PACK_CONCAT_MASK_SEC2_pack_concat_mask[0, 16] }
    @31 { PACK_CONCAT_MASK_SEC3_pack_concat_mask[0, 16] }
    @32 { TILE_FACE_SET_MAPPING_0_face_set_mapping_0[0, 2] TILE_FACE_SET_MAPPING_0_face_set_mapping_1[2, 2] TILE_FACE_SET_MAPPING_0_face_set_mapping_2[4, 2] TILE_FACE_SET_MAPPING_0_face_set_mapping_3[6, 2] TILE_FACE_SET_MAPPING_0_face_set_mapping_4[8, 2] TILE_FACE_SET_MAPPING_0_face_set_mapping_5[10, 2] TILE_FACE_SET_MAPPING_0_face_set_mapping_6[12, 2] TILE_FACE_SET_MAPPING_0_face_set_mapping_7[14, 2] TILE_FACE_SET_MAPPING_0_face_set_mapping_8[16, 2] TILE_FACE_SET_MAPPING_0_face_set_mapping_9[18, 2] TILE_FACE_SET_MAPPING_0_face_set_mapping_10[20, 2] TILE_FACE_SET_MAPPING_0_face_set_mapping_11[22, 2] TILE_FACE_SET_MAPPING_0_face_set_mapping_12[24, 2] TILE_FACE_SET_MAPPING_0_face_set_mapping_13[26, 2] TILE_FACE_SET_MAPPING_0_face_set_mapping_14[28, 2] TILE_FACE_SET_MAPPING_0_face_set_mapping_15[30, 2] }
    @33 { TILE_FACE_SET_MAPPING_1_face_set_mapping_0[0, 2] TILE_FACE_SET_MAPPING_1_face_set_mapping_1[2, 2] TILE_FACE_SET_MAPPING_1_face_set_mapping_2[4, 2] TILE_FACE_SET_MAPPING_1_face_set_mapping_3[6, 2] TILE_FACE_SET_MAPPING_1_face_set_mapping_4[8, 2] TILE_FACE_SET_MAPPING_1_face_set_mapping_5[10, 2] TILE_FACE_SET_MAPPING_1_face_set_mapping_6[12, 2] TILE_FACE_SET_MAPPING_1_face_set_mapping_7[14, 2] TILE_FACE_SET_MAPPING_1_face_set_mapping_8[16, 2] TILE_FACE_SET_MAPPING_1_face_set_mapping_9[18, 2] TILE_FACE_SET_MAPPING_1_face_set_mapping_10[20, 2] TILE_FACE_SET_MAPPING_1_face_set_mapping_11[22, 2] TILE_FACE_SET_MAPPING_1_face_set_mapping_12[24, 2] TILE_FACE_SET_MAPPING_1_face_set_mapping_13[26, 2] TILE_FACE_SET_MAPPING_1_face_set_mapping_14[28, 2] TILE_FACE_SET_MAPPING_1_face_set_mapping_15[30, 2] }
    @34 { TILE_FACE_SET_MAPPING_2_face_set_mapping_0[0, 2] TILE_FACE_SET_MAPPING_2_face_set_mapping_1[2, 2] TILE_FACE_SET_MAPPING_2_face_set_mapping_2[4, 2] TILE_FACE_SET_MAPPING_2_face_set_mapping_3[6, 2] TILE_FACE_SET_MAPPING_2_face_set_mapping_4[8, 2] TILE_FACE_SET_MAPPING_2_face_set_mapping_5[10, 2] TILE_FACE_SET_MAPPING_2_face_set_mapping_6[12, 2] TILE_FACE_SET_MAPPING_2_face_set_mapping_7[14, 2] TILE_FACE_SET_MAPPING_2_face_set_mapping_8[16, 2] TILE_FACE_SET_MAPPING_2_face_set_mapping_9[18, 2] TILE_FACE_SET_MAPPING_2_face_set_mapping_10[20, 2] TILE_FACE_SET_MAPPING_2_face_set_mapping_11[22, 2] TILE_FACE_SET_MAPPING_2_face_set_mapping_12[24, 2] TILE_FACE_SET_MAPPING_2_face_set_mapping_13[26, 2] TILE_FACE_SET_MAPPING_2_face_set_mapping_14[28, 2] TILE_FACE_SET_MAPPING_2_face_set_mapping_15[30, 2] }
    @35 { TILE_FACE_SET_MAPPING_3_face_set_mapping_0[0, 2] TILE_FACE_SET_MAPPING_3_face_set_mapping_1[2, 2] TILE_FACE_SET_MAPPING_3_face_set_mapping_2[4, 2] TILE_FACE_SET_MAPPING_3_face_set_mapping_3[6, 2] TILE_FACE_SET_MAPPING_3_face_set_mapping_4[8, 2] TILE_FACE_SET_MAPPING_3_face_set_mapping_5[10, 2] TILE_FACE_SET_MAPPING_3_face_set_mapping_6[12, 2] TILE_FACE_SET_MAPPING_3_face_set_mapping_7[14, 2] TILE_FACE_SET_MAPPING_3_face_set_mapping_8[16, 2] TILE_FACE_SET_MAPPING_3_face_set_mapping_9[18, 2] TILE_FACE_SET_MAPPING_3_face_set_mapping_10[20, 2] TILE_FACE_SET_MAPPING_3_face_set_mapping_11[22, 2] TILE_FACE_SET_MAPPING_3_face_set_mapping_12[24, 2] TILE_FACE_SET_MAPPING_3_face_set_mapping_13[26, 2] TILE_FACE_SET_MAPPING_3_face_set_mapping_14[28, 2] TILE_FACE_SET_MAPPING_3_face_set_mapping_15[30, 2] }
    @36 { UNP0_ADDR_CTRL_XY_REG_0_Xstride[0, 12] UNP0_ADDR_CTRL_XY_REG_0_Ystride[12, 12] }
    @37 { UNP0_ADDR_CTRL_ZW_REG_0_Zstride[0, 12] UNP0_ADDR_CTRL_ZW_REG_0_Wstride[12, 16] }
    @38 { UNP1_ADDR_CTRL_XY_REG_0_Xstride[0, 12] UNP1_ADDR_CTRL_XY_REG_0_Ystride[12, 12] }
    @39 { UNP1_ADDR_CTRL_ZW_REG_0_Zstride[0, 12] UNP1_ADDR_CTRL_ZW_REG_0_Wstride[12, 16] }
    @40 { UNP0_ADDR_BASE_REG_0_Base[0, 16] UNP0_ADDR_BASE_REG_1_Base[16, 16] }
    @41 { UNP0_FORCED_SHARED_EXP_shared_exp[0, 8] UNP0_ADD_DEST_ADDR_CNTR_add_dest_addr_cntr[8, 1] }
    @42 { UNP0_BLOBS_Y_START_CNTX_01_blobs_y_start[0, 32] }
    @43 { UNP0_BLOBS_Y_START_CNTX_23_blobs_y_start[0, 32] }
    @44 { UNP0_ADDR_CTRL_XY_REG_1_Xstride[0, 12] UNP0_ADDR_CTRL_XY_REG_1_Ystride[12, 12] }
    @45 { UNP0_ADDR_CTRL_ZW_REG_1_Zstride[0, 12] UNP0_ADDR_CTRL_ZW_REG_1_Wstride[12, 16] }
    @46 { UNP1_ADDR_CTRL_XY_REG_1_Xstride[0, 12] UNP1_ADDR_CTRL_XY_REG_1_Ystride[12, 12] }
    @47 { UNP1_ADDR_CTRL_ZW_REG_1_Zstride[0, 12] UNP1_ADDR_CTRL_ZW_REG_1_Wstride[12, 16] }
    @48 { UNP1_ADDR_BASE_REG_0_Base[0, 16] UNP1_ADDR_BASE_REG_1_Base[16, 16] }
    @49 { UNP1_FORCED_SHARED_EXP_shared_exp[0, 8] UNP1_ADD_DEST_ADDR_CNTR_add_dest_addr_cntr[8, 1] }
    @52 { THCON_SEC0_REG0_TileDescriptor[0, 32] }
    @56 { THCON_SEC0_REG1_Row_start_section_size[0, 16] THCON_SEC0_REG1_Exp_section_size[16, 16] }
    @57 { THCON_SEC0_REG1_L1_Dest_addr[0, 32] }
    @58 { THCON_SEC0_REG1_Disable_zero_compress[0, 1] THCON_SEC0_REG1_Add_l1_dest_addr_offset[1, 1] THCON_SEC0_REG1_Addr_cnt_context[2, 2] THCON_SEC0_REG1_Out_data_format[4, 4] THCON_SEC0_REG1_In_data_format[8, 4] THCON_SEC0_REG1_Dis_shared_exp_assembler[12, 1] THCON_SEC0_REG1_Force_pack_per_max_xy_plane[13, 1] THCON_SEC0_REG1_Enable_out_fifo[14, 1] THCON_SEC0_REG1_Sub_l1_tile_header_size[15, 1] THCON_SEC0_REG1_Source_interface_selection[16, 1] THCON_SEC0_REG1_All_pack_disable_zero_compress[17, 4] THCON_SEC0_REG1_All_pack_disable_zero_compress_ovrd[21, 1] THCON_SEC0_REG1_Add_tile_header_size[22, 1] THCON_SEC0_REG1_L1_source_addr[24, 8] }
    @59 { THCON_SEC0_REG1_Downsample_mask[0, 16] THCON_SEC0_REG1_Downsample_rate[16, 3] THCON_SEC0_REG1_Read_mode[19, 1] THCON_SEC0_REG1_Exp_threshold_en[20, 1] THCON_SEC0_REG1_Pack_L1_Acc[21, 1] THCON_SEC0_REG1_Disable_pack_zero_flags[22, 1] THCON_SEC0_REG1_Exp_threshold[24, 8] }
    @60 { THCON_SEC0_REG2_Out_data_format[0, 4] THCON_SEC0_REG2_Throttle_mode[4, 2] THCON_SEC0_REG2_Context_count[6, 2] THCON_SEC0_REG2_Haloize_mode[8, 1] THCON_SEC0_REG2_Tileize_mode[9, 1] THCON_SEC0_REG2_Unpack_Src_Reg_Set_Upd[10, 1] THCON_SEC0_REG2_Unpack_If_Sel[11, 1] THCON_SEC0_REG2_Upsample_rate[12, 2] THCON_SEC0_REG2_Ovrd_data_format[14, 1] THCON_SEC0_REG2_Upsample_and_interleave[15, 1] THCON_SEC0_REG2_Shift_amount_cntx0[16, 4] THCON_SEC0_REG2_Shift_amount_cntx1[20, 4] THCON_SEC0_REG2_Shift_amount_cntx2[24, 4] THCON_SEC0_REG2_Shift_amount_cntx3[28, 4] }
    @61 { THCON_SEC0_REG2_Disable_zero_compress_cntx0[0, 1] THCON_SEC0_REG2_Disable_zero_compress_cntx1[1, 1] THCON_SEC0_REG2_Disable_zero_compress_cntx2[2, 1] THCON_SEC0_REG2_Disable_zero_compress_cntx3[3, 1] THCON_SEC0_REG2_Unpack_if_sel_cntx0[4, 1] THCON_SEC0_REG2_Unpack_if_sel_cntx1[5, 1] THCON_SEC0_REG2_Unpack_if_sel_cntx2[6, 1] THCON_SEC0_REG2_Unpack_if_sel_cntx3[7, 1] THCON_SEC0_REG2_Force_shared_exp[8, 1] THCON_SEC0_REG2_Disable_zero_compress_cntx4[16, 1] THCON_SEC0_REG2_Disable_zero_compress_cntx5[17, 1] THCON_SEC0_REG2_Disable_zero_compress_cntx6[18, 1] THCON_SEC0_REG2_Disable_zero_compress_cntx7[19, 1] THCON_SEC0_REG2_Unpack_if_sel_cntx4[20, 1] THCON_SEC0_REG2_Unpack_if_sel_cntx5[21, 1] THCON_SEC0_REG2_Unpack_if_sel_cntx6[22, 1] THCON_SEC0_REG2_Unpack_if_sel_cntx7[23, 1] }
    @62 { THCON_SEC0_REG2_Unpack_limit_address[0, 17] }
    @63 { THCON_SEC0_REG2_Unpack_fifo_size[0, 17] }
    @64 { THCON_SEC0_REG3_Base_address[0, 32] }
    @65 { THCON_SEC0_REG3_Base_cntx1_address[0, 32] }
    @66 { THCON_SEC0_REG3_Base_cntx2_address[0, 32] }
    @67 { THCON_SEC0_REG3_Base_cntx3_address[0, 32] }
    @68 { THCON_SEC0_REG4_Base_cntx4_address[0, 32] }
    @69 { THCON_SEC0_REG4_Base_cntx5_address[0, 32] }
    @70 { THCON_SEC0_REG4_Base_cntx6_address[0, 32] }
    @71 { THCON_SEC0_REG4_Base_cntx7_address[0, 32] }
    @72 { THCON_SEC0_REG5_Dest_cntx0_address[0, 16] THCON_SEC0_REG5_Dest_cntx1_address[16, 16] }
    @73 { THCON_SEC0_REG5_Dest_cntx2_address[0, 16] THCON_SEC0_REG5_Dest_cntx3_address[16, 16] }
    @74 { THCON_SEC0_REG5_Tile_x_dim_cntx0[0, 16] THCON_SEC0_REG5_Tile_x_dim_cntx1[16, 16] }
    @75 { THCON_SEC0_REG5_Tile_x_dim_cntx2[0, 16] THCON_SEC0_REG5_Tile_x_dim_cntx3[16, 16] }
    @76 { THCON_SEC0_REG6_Source_address[0, 32] }
    @77 { THCON_SEC0_REG6_Destination_address[0, 32] }
    @78 { THCON_SEC0_REG6_Buffer_size[0, 30] THCON_SEC0_REG6_Transfer_direction[30, 2] }
    @80 { THCON_SEC0_REG7_Offset_address[0, 16] THCON_SEC0_REG7_Unpack_data_format_cntx0[16, 4] THCON_SEC0_REG7_Unpack_out_data_format_cntx0[20, 4] THCON_SEC0_REG7_Unpack_data_format_cntx4[24, 4] THCON_SEC0_REG7_Unpack_out_data_format_cntx4[28, 4] }
    @81 { THCON_SEC0_REG7_Offset_cntx1_address[0, 16] THCON_SEC0_REG7_Unpack_data_format_cntx1[16, 4] THCON_SEC0_REG7_Unpack_out_data_format_cntx1[20, 4] THCON_SEC0_REG7_Unpack_data_format_cntx5[24, 4] THCON_SEC0_REG7_Unpack_out_data_format_cntx5[28, 4] }
    @82 { THCON_SEC0_REG7_Offset_cntx2_address[0, 16] THCON_SEC0_REG7_Unpack_data_format_cntx2[16, 4] THCON_SEC0_REG7_Unpack_out_data_format_cntx2[20, 4] THCON_SEC0_REG7_Unpack_data_format_cntx6[24, 4] THCON_SEC0_REG7_Unpack_out_data_format_cntx6[28, 4] }
    @83 { THCON_SEC0_REG7_Offset_cntx3_address[0, 16] THCON_SEC0_REG7_Unpack_data_format_cntx3[16, 4] THCON_SEC0_REG7_Unpack_out_data_format_cntx3[20, 4] THCON_SEC0_REG7_Unpack_data_format_cntx7[24, 4] THCON_SEC0_REG7_Unpack_out_data_format_cntx7[28, 4] }
    @84 { THCON_SEC0_REG8_Row_start_section_size[0, 16] THCON_SEC0_REG8_Exp_section_size[16, 16] }
    @85 { THCON_SEC0_REG8_L1_Dest_addr[0, 32] }
    @86 { THCON_SEC0_REG8_Disable_zero_compress[0, 1] THCON_SEC0_REG8_Add_l1_dest_addr_offset[1, 1] THCON_SEC0_REG8_Addr_cnt_context[2, 2] THCON_SEC0_REG8_Out_data_format[4, 4] THCON_SEC0_REG8_In_data_format[8, 4] THCON_SEC0_REG8_Dis_shared_exp_assembler[12, 1] THCON_SEC0_REG8_Force_pack_per_max_xy_plane[13, 1] THCON_SEC0_REG8_Enable_out_fifo[14, 1] THCON_SEC0_REG8_Sub_l1_tile_header_size[15, 1] THCON_SEC0_REG8_Source_interface_selection[16, 1] THCON_SEC0_REG8_Add_tile_header_size[17, 1] THCON_SEC0_REG8_L1_source_addr[24, 8] }
    @87 { THCON_SEC0_REG8_Downsample_mask[0, 16] THCON_SEC0_REG8_Downsample_rate[16, 3] THCON_SEC0_REG8_Read_mode[19, 1] THCON_SEC0_REG8_Exp_threshold_en[20, 1] THCON_SEC0_REG8_Pack_L1_Acc[21, 1] THCON_SEC0_REG8_Disable_pack_zero_flags[22, 1] THCON_SEC0_REG8_Exp_threshold[24, 8] }
    @88 { THCON_SEC0_REG9_Pack_0_2_limit_address[0, 17] }
    @89 { THCON_SEC0_REG9_Pack_0_2_fifo_size[0, 17] }
    @90 { THCON_SEC0_REG9_Pack_1_3_limit_address[0, 17] }
    @91 { THCON_SEC0_REG9_Pack_1_3_fifo_size[0, 17] }
    @92 { THCON_SEC1_REG0_TileDescriptor[0, 32] }
    @96 { THCON_SEC1_REG1_Row_start_section_size[0, 16] THCON_SEC1_REG1_Exp_section_size[16, 16] }
    @97 { THCON_SEC1_REG1_L1_Dest_addr[0, 32] }
    @98 { THCON_SEC1_REG1_Disable_zero_compress[0, 1] THCON_SEC1_REG1_Add_l1_dest_addr_offset[1, 1] THCON_SEC1_REG1_Addr_cnt_context[2, 2] THCON_SEC1_REG1_Out_data_format[4, 4] THCON_SEC1_REG1_In_data_format[8, 4] THCON_SEC1_REG1_Dis_shared_exp_assembler[12, 1] THCON_SEC1_REG1_Force_pack_per_max_xy_plane[13, 1] THCON_SEC1_REG1_Enable_out_fifo[14, 1] THCON_SEC1_REG1_Sub_l1_tile_header_size[15, 1] THCON_SEC1_REG1_Source_interface_selection[16, 1] THCON_SEC1_REG1_All_pack_disable_zero_compress[17, 4] THCON_SEC1_REG1_All_pack_disable_zero_compress_ovrd[21, 1] THCON_SEC1_REG1_Add_tile_header_size[22, 1] THCON_SEC1_REG1_L1_source_addr[24, 8] }
    @99 { THCON_SEC1_REG1_Downsample_mask[0, 16] THCON_SEC1_REG1_Downsample_rate[16, 3] THCON_SEC1_REG1_Read_mode[19, 1] THCON_SEC1_REG1_Exp_threshold_en[20, 1] THCON_SEC1_REG1_Pack_L1_Acc[21, 1] THCON_SEC1_REG1_Disable_pack_zero_flags[22, 1] THCON_SEC1_REG1_Exp_threshold[24, 8] }
    @100 { THCON_SEC1_REG2_Out_data_format[0, 4] THCON_SEC1_REG2_Throttle_mode[4, 2] THCON_SEC1_REG2_Context_count[6, 2] THCON_SEC1_REG2_Haloize_mode[8, 1] THCON_SEC1_REG2_Tileize_mode[9, 1] THCON_SEC1_REG2_Unpack_Src_Reg_Set_Upd[10, 1] THCON_SEC1_REG2_Unpack_If_Sel[11, 1] THCON_SEC1_REG2_Upsample_rate[12, 2] THCON_SEC1_REG2_Ovrd_data_format[14, 1] THCON_SEC1_REG2_Upsample_and_interleave[15, 1] THCON_SEC1_REG2_Shift_amount_cntx0[16, 4] THCON_SEC1_REG2_Shift_amount_cntx1[20, 4] THCON_SEC1_REG2_Shift_amount_cntx2[24, 4] THCON_SEC1_REG2_Shift_amount_cntx3[28, 4] }
    @101 { THCON_SEC1_REG2_Disable_zero_compress_cntx0[0, 1] THCON_SEC1_REG2_Disable_zero_compress_cntx1[1, 1] THCON_SEC1_REG2_Disable_zero_compress_cntx2[2, 1] THCON_SEC1_REG2_Disable_zero_compress_cntx3[3, 1] THCON_SEC1_REG2_Unpack_if_sel_cntx0[4, 1] THCON_SEC1_REG2_Unpack_if_sel_cntx1[5, 1] THCON_SEC1_REG2_Unpack_if_sel_cntx2[6, 1] THCON_SEC1_REG2_Unpack_if_sel_cntx3[7, 1] THCON_SEC1_REG2_Force_shared_exp[8, 1] THCON_SEC1_REG2_Disable_zero_compress_cntx4[16, 1] THCON_SEC1_REG2_Disable_zero_compress_cntx5[17, 1] THCON_SEC1_REG2_Disable_zero_compress_cntx6[18, 1] THCON_SEC1_REG2_Disable_zero_compress_cntx7[19, 1] THCON_SEC1_REG2_Unpack_if_sel_cntx4[20, 1] THCON_SEC1_REG2_Unpack_if_sel_cntx5[21, 1] THCON_SEC1_REG2_Unpack_if_sel_cntx6[22, 1] THCON_SEC1_REG2_Unpack_if_sel_cntx7[23, 1] }
    @102 { THCON_SEC1_REG2_Unpack_limit_address[0, 17] }
    @103 { THCON_SEC1_REG2_Unpack_fifo_size[0, 17] }
    @104 { THCON_SEC1_REG3_Base_address[0, 32] }
    @105 { THCON_SEC1_REG3_Base_cntx1_address[0, 32] }
    @106 { THCON_SEC1_REG3_Base_cntx2_address[0, 32] }
    @107 { THCON_SEC1_REG3_Base_cntx3_address[0, 32] }
    @108 { THCON_SEC1_REG4_Base_cntx4_address[0, 32] }
    @109 { THCON_SEC1_REG4_Base_cntx5_address[0, 32] }
    @110 { THCON_SEC1_REG4_Base_cntx6_address[0, 32] }
    @111 { THCON_SEC1_REG4_Base_cntx7_address[0, 32] }
    @112 { THCON_SEC1_REG5_Dest_cntx0_address[0, 16] THCON_SEC1_REG5_Dest_cntx1_address[16, 16] }
    @113 { THCON_SEC1_REG5_Dest_cntx2_address[0, 16] THCON_SEC1_REG5_Dest_cntx3_address[16, 16] }
    @114 { THCON_SEC1_REG5_Tile_x_dim_cntx0[0, 16] THCON_SEC1_REG5_Tile_x_dim_cntx1[16, 16] }
    @115 { THCON_SEC1_REG5_Tile_x_dim_cntx2[0, 16] THCON_SEC1_REG5_Tile_x_dim_cntx3[16, 16] }
    @116 { THCON_SEC1_REG6_Source_address[0, 32] }
    @117 { THCON_SEC1_REG6_Destination_address[0, 32] }
    @118 { THCON_SEC1_REG6_Buffer_size[0, 30] THCON_SEC1_REG6_Transfer_direction[30, 2] }
    @120 { THCON_SEC1_REG7_Offset_address[0, 16] THCON_SEC1_REG7_Unpack_data_format_cntx0[16, 4] THCON_SEC1_REG7_Unpack_out_data_format_cntx0[20, 4] THCON_SEC1_REG7_Unpack_data_format_cntx4[24, 4] THCON_SEC1_REG7_Unpack_out_data_format_cntx4[28, 4] }
    @121 { THCON_SEC1_REG7_Offset_cntx1_address[0, 16] THCON_SEC1_REG7_Unpack_data_format_cntx1[16, 4] THCON_SEC1_REG7_Unpack_out_data_format_cntx1[20, 4] THCON_SEC1_REG7_Unpack_data_format_cntx5[24, 4] THCON_SEC1_REG7_Unpack_out_data_format_cntx5[28, 4] }
    @122 { THCON_SEC1_REG7_Offset_cntx2_address[0, 16] THCON_SEC1_REG7_Unpack_data_format_cntx2[16, 4] THCON_SEC1_REG7_Unpack_out_data_format_cntx2[20, 4] THCON_SEC1_REG7_Unpack_data_format_cntx6[24, 4] THCON_SEC1_REG7_Unpack_out_data_format_cntx6[28, 4] }
    @123 { THCON_SEC1_REG7_Offset_cntx3_address[0, 16] THCON_SEC1_REG7_Unpack_data_format_cntx3[16, 4] THCON_SEC1_REG7_Unpack_out_data_format_cntx3[20, 4] THCON_SEC1_REG7_Unpack_data_format_cntx7[24, 4] THCON_SEC1_REG7_Unpack_out_data_format_cntx7[28, 4] }
    @124 { THCON_SEC1_REG8_Row_start_section_size[0, 16] THCON_SEC1_REG8_Exp_section_size[16, 16] }
    @125 { THCON_SEC1_REG8_L1_Dest_addr[0, 32] }
    @126 { THCON_SEC1_REG8_Disable_zero_compress[0, 1] THCON_SEC1_REG8_Add_l1_dest_addr_offset[1, 1] THCON_SEC1_REG8_Addr_cnt_context[2, 2] THCON_SEC1_REG8_Out_data_format[4, 4] THCON_SEC1_REG8_In_data_format[8, 4] THCON_SEC1_REG8_Dis_shared_exp_assembler[12, 1] THCON_SEC1_REG8_Force_pack_per_max_xy_plane[13, 1] THCON_SEC1_REG8_Enable_out_fifo[14, 1] THCON_SEC1_REG8_Sub_l1_tile_header_size[15, 1] THCON_SEC1_REG8_Source_interface_selection[16, 1] THCON_SEC1_REG8_Add_tile_header_size[17, 1] THCON_SEC1_REG8_L1_source_addr[24, 8] }
    @127 { THCON_SEC1_REG8_Downsample_mask[0, 16] THCON_SEC1_REG8_Downsample_rate[16, 3] THCON_SEC1_REG8_Read_mode[19, 1] THCON_SEC1_REG8_Exp_threshold_en[20, 1] THCON_SEC1_REG8_Pack_L1_Acc[21, 1] THCON_SEC1_REG8_Disable_pack_zero_flags[22, 1] THCON_SEC1_REG8_Exp_threshold[24, 8] }
    @128 { THCON_SEC1_REG9_Pack_0_2_limit_address[0, 17] }
    @129 { THCON_SEC1_REG9_Pack_0_2_fifo_size[0, 17] }
    @130 { THCON_SEC1_REG9_Pack_1_3_limit_address[0, 17] }
    @131 { THCON_SEC1_REG9_Pack_1_3_fifo_size[0, 17] }
    @152 { DEST_TARGET_REG_CFG_PACK_SEC0_Offset[0, 12] DEST_TARGET_REG_CFG_PACK_SEC0_ZOffset[12, 6] }
    @153 { DEST_TARGET_REG_CFG_PACK_SEC1_Offset[0, 12] DEST_TARGET_REG_CFG_PACK_SEC1_ZOffset[12, 6] }
    @154 { DEST_TARGET_REG_CFG_PACK_SEC2_Offset[0, 12] DEST_TARGET_REG_CFG_PACK_SEC2_ZOffset[12, 6] }
    @155 { DEST_TARGET_REG_CFG_PACK_SEC3_Offset[0, 12] DEST_TARGET_REG_CFG_PACK_SEC3_ZOffset[12, 6] }
    @156 { CG_SRC_PIPELINE_GateSrcAPipeEn[0, 1] CG_SRC_PIPELINE_GateSrcBPipeEn[1, 1] }
    @157 { RISCV_IC_INVALIDATE_InvalidateAll[0, 5] }
    @158 { TRISC_RESET_PC_SEC0_PC[0, 32] }
    @159 { TRISC_RESET_PC_SEC1_PC[0, 32] }
    @160 { TRISC_RESET_PC_SEC2_PC[0, 32] }
    @161 { TRISC_RESET_PC_OVERRIDE_Reset_PC_Override_en[0, 3] }
    @162 { NCRISC_RESET_PC_PC[0, 32] }
    @163 { NCRISC_RESET_PC_OVERRIDE_Reset_PC_Override_en[0, 1] }
    @164 { PRNG_SEED_Seed_Val[0, 32] }
    @165 { INT_DESCALE_VALUES_SEC0_Value[0, 32] }
    @166 { INT_DESCALE_VALUES_SEC1_Value[0, 32] }
    @167 { INT_DESCALE_VALUES_SEC2_Value[0, 32] }
    @168 { INT_DESCALE_VALUES_SEC3_Value[0, 32] }
    @169 { INT_DESCALE_VALUES_SEC4_Value[0, 32] }
    @170 { INT_DESCALE_VALUES_SEC5_Value[0, 32] }
    @171 { INT_DESCALE_VALUES_SEC6_Value[0, 32] }
    @172 { INT_DESCALE_VALUES_SEC7_Value[0, 32] }
    @173 { INT_DESCALE_VALUES_SEC8_Value[0, 32] }
    @174 { INT_DESCALE_VALUES_SEC9_Value[0, 32] }
    @175 { INT_DESCALE_VALUES_SEC10_Value[0, 32] }
    @176 { INT_DESCALE_VALUES_SEC11_Value[0, 32] }
    @177 { INT_DESCALE_VALUES_SEC12_Value[0, 32] }
    @178 { INT_DESCALE_VALUES_SEC13_Value[0, 32] }
    @179 { INT_DESCALE_VALUES_SEC14_Value[0, 32] }
    @180 { INT_DESCALE_VALUES_SEC15_Value[0, 32] }
    @181 { TRISC_END_PC_SEC0_PC[0, 32] }
    @182 { TRISC_END_PC_SEC1_PC[0, 32] }
    @183 { TRISC_END_PC_SEC2_PC[0, 32] }
    @184 { BRISC_END_PC_PC[0, 32] }
    @185 { NOC_RISC_END_PC_PC[0, 32] }
    @186 { RISC_PREFETCH_CTRL_Enable_Trisc[0, 3] RISC_PREFETCH_CTRL_Enable_Brisc[3, 1] RISC_PREFETCH_CTRL_Enable_NocRisc[4, 1] RISC_PREFETCH_CTRL_Max_Req_Count[5, 8] }
}
