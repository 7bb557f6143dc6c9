//! Blackhole's thread configuration registers: Wormhole's ([`crate::chip::wormhole::thread`]), most of them at another
//! index.
//!
//! `@index { field[shift, width] .. }` defines a register of Blackhole's own. `@index from n {}` takes the fields of Wormhole's
//! register n, except those whose bits a listed field uses, and those listed in this register or the one before. Source: the
//! vendor simulator's list of Blackhole's registers.
#![allow(non_upper_case_globals)]

crate::cfg::cfg_differences! { Thread, crate::chip::wormhole::thread::FIELDS, 223
    @0..=1 from 0 {}
    @2 { DISABLE_IMPLIED_SRCA_FMT_Base[0, 1] }
    @3 { DISABLE_IMPLIED_SRCB_FMT_Base[0, 1] }
    @4 { SFPU_DEST_FMT_Enable[0, 1] SFPU_DEST_FMT_Base[1, 4] }
    @5..=7 from 3 {}
    @8 { SCBD_BANK_MASK_32b_Enable[0, 1] }
    @9 { PACK_SCBD_BANK_MASK_32b_Enable[0, 1] }
    @10 { UNPACK_SCBD_BANK_MASK_32b_Enable[0, 1] }
    @11..=12 from 6 {}
    @13 from 9 {}
    @14 from 11 {}
    @15 from 13 {}
    @16 from 15 {}
    @17 from 17 {}
    @18 from 19 {}
    @19 from 21 {}
    @20 { ADDR_MOD_AB2_SEC0_SrcAIncr[0, 1] ADDR_MOD_AB2_SEC0_SrcBIncr[1, 1] }
    @21 { ADDR_MOD_AB2_SEC1_SrcAIncr[0, 1] ADDR_MOD_AB2_SEC1_SrcBIncr[1, 1] }
    @22 { ADDR_MOD_AB2_SEC2_SrcAIncr[0, 1] ADDR_MOD_AB2_SEC2_SrcBIncr[1, 1] }
    @23 { ADDR_MOD_AB2_SEC3_SrcAIncr[0, 1] ADDR_MOD_AB2_SEC3_SrcBIncr[1, 1] }
    @24 { ADDR_MOD_AB2_SEC4_SrcAIncr[0, 1] ADDR_MOD_AB2_SEC4_SrcBIncr[1, 1] }
    @25 { ADDR_MOD_AB2_SEC5_SrcAIncr[0, 1] ADDR_MOD_AB2_SEC5_SrcBIncr[1, 1] }
    @26 { ADDR_MOD_AB2_SEC6_SrcAIncr[0, 1] ADDR_MOD_AB2_SEC6_SrcBIncr[1, 1] }
    @27 { ADDR_MOD_AB2_SEC7_SrcAIncr[0, 1] ADDR_MOD_AB2_SEC7_SrcBIncr[1, 1] }
    @28..=35 from 23 {}
    @36 { SFPU_STACK_Incr[0, 10] }
    @37..=40 from 31 {}
    @41 from 39 { UNPACK_MISC_CFG_CfgContextCntReset_metadata[14, 1] UNPACK_MISC_CFG_CfgContextCntReset_metadata_zstart[15, 1] }
    @42..=43 from 40 {}
    @44..=55 from 45 {}
    @56 { TENSIX_TRISC_SYNC_TrackGlobalCfg[0, 1] TENSIX_TRISC_SYNC_EnSubdividedCfgForUnpacr[1, 1] TENSIX_TRISC_SYNC_TrackGPR[2, 1] TENSIX_TRISC_SYNC_TrackTDMARegs[3, 1] TENSIX_TRISC_SYNC_TrackTensixInstructions[4, 1] }
    @57 { STREAMWAIT_PHASE_HI_Val[0, 10] }
    @58 { STREAMWAIT_NUM_MSGS_HI_Val[0, 7] }
    @59 { STREAM_ID_SYNC_SEC0_BankSel[0, 6] }
    @60 { STREAM_ID_SYNC_SEC1_BankSel[0, 6] }
    @61 { STREAM_ID_SYNC_SEC2_BankSel[0, 6] }
    @62 { STREAM_ID_SYNC_SEC3_BankSel[0, 6] }
    @63 { STREAM_ID_TRISC_SEC0_BankSel[0, 6] }
    @64 { STREAM_ID_TRISC_SEC1_BankSel[0, 6] }
    @65 { STREAM_ID_TRISC_SEC2_BankSel[0, 6] }
    @66 { STREAM_ID_TRISC_SEC3_BankSel[0, 6] }
    @67 { TENSIX_CSR_CONFIG_RawBusyStatus[0, 1] }
}
