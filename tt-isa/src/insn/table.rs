//! The instruction table: mnemonic, opcode, operands as `name[hi, lo]`; unit, what a wait calls it, what it may read and
//! write, and `@ issue, latency` in clocks.
//!
//! Facts from the "Encoding" part of each instruction's page in `TensixTile/TensixCoprocessor/` and from the
//! vendor simulator's opcode list; clocks from `MatrixUnit.md`, `VectorUnit.md`, `ScalarUnit.md`, `ConfigurationUnit.md`,
//! `SyncUnit.md`, `MiscellaneousUnit.md`, `MOPExpander.md` and `UNPACR_Regular.md` (`UNPACR_NOP` has no page: as `UNPACR`). What
//! packers and unpackers need for data comes on top ([`crate::timing`]). `(documented)` marks opcodes that nothing
//! published issues but whose operands are documented, `(no_software)` those without either.
#![allow(non_camel_case_types)]

use super::effects::Operand::*;
use super::effects::{Columns, Cost, Effects, SubUnit, Unit, by_opcode, columns, effects, wait};
use super::{Field, InsnInfo};

impl Opcode {
    /// What one of Wormhole's instructions does to the machine; that of a chip's word is [`super::InsnSet::effects`].
    #[inline(always)]
    pub fn effects(self) -> &'static Effects {
        &EFFECTS[self as usize]
    }

    /// The unit that executes it.
    #[inline(always)]
    pub fn unit(self) -> Unit {
        EFFECTS[self as usize].unit
    }
}

macro_rules! instructions {
    ($( $(#[$doc:meta])* $name:ident = $opcode:literal ($use:ident) { $($field:ident[$hi:literal, $lo:literal]);* }
        $unit:ident $wait:ident [$($read:expr),*] -> [$($write:expr),*] $(@ $issue:literal, $latency:literal)? )*) => {
        /// Opcode, bits 31:24 of an instruction word.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        pub enum Opcode { $(
            #[doc = concat!("`", stringify!($name), "`")]
            $name = $opcode,
        )* }

        impl Opcode {
            /// Opcode of an instruction word.
            pub const fn of(word: u32) -> Option<Opcode> {
                match word >> 24 { $( $opcode => Some(Opcode::$name), )* _ => None }
            }
        }

        $(
            operands! { $(#[$doc])* $name = $opcode; { $($field[$hi, $lo]);* } }

            impl $name {
                /// The columns of its row, for a chip that gives it other operands.
                pub(crate) const COLUMNS: Columns =
                    columns!($unit $wait [$($read),*] -> [$($write),*] $(@ $issue, $latency)?);
            }
        )*

        /// Each instruction's word, taken apart into operands and put together again.
        #[cfg(test)]
        pub(crate) const ROUND_TRIPS: &[(&str, fn(u32) -> u32)] =
            &[ $( (stringify!($name), |word| $name::decode(word).word()), )* ];

        /// Every instruction, by rising opcode.
        pub const INSTRUCTIONS: &[InsnInfo] = &[ $( {
            const FIELDS: &[Field] = fields![$($field[$hi, $lo]);*];
            InsnInfo {
                name: stringify!($name),
                opcode: $opcode,
                fields: FIELDS,
                used_by_software: instructions!(@use $use),
                effects: effects!($name::COLUMNS, FIELDS),
            }
        }, )* ];
    };
    (@use ok) => { true };
    (@use documented) => { true };
    (@use no_software) => { false };
}

/// [`Effects`] by opcode.
pub(super) static EFFECTS: [Effects; 256] = by_opcode(INSTRUCTIONS);

instructions! {
    MOP = 0x01 (ok) { mop_type[23, 23]; loop_count[22, 16]; zmask_lo16[15, 0] } Frontend NONE [] -> [] @ 1, 1
    NOP = 0x02 (ok) {} Misc MISC [] -> [] @ 1, 1
    MOP_CFG = 0x03 (ok) { zmask_hi16[23, 0] } Frontend NONE [] -> [] @ 1, 1
    REPLAY = 0x04 (ok) { start_idx[18, 14]; len[9, 4]; execute_while_loading[1, 1]; load_mode[0, 0] } Frontend NONE [] -> [] @ 1, 1
    MOVD2A = 0x08 (ok) { dest_32b_lo[23, 23]; src[22, 17]; addr_mode[16, 15]; instr_mod[13, 12]; dst[9, 0] } Matrix MATH [Dst, Rwc, Config] -> [SrcA, Rwc] @ 1, 2
    MOVDBGA2D = 0x09 (documented) { dest_32b_lo[23, 23]; src[22, 17]; addr_mode[16, 15]; instr_mod[13, 12]; dst[9, 0] } Matrix MATH [SrcA, DstIf("dest_32b_lo"), Rwc, Config] -> [Dst, Rwc] @ 1, 4
    MOVD2B = 0x0a (ok) { dest_32b_lo[23, 23]; src[22, 17]; addr_mode[16, 15]; instr_mod[13, 12]; dst[9, 0] } Matrix MATH [Dst, Rwc, Config] -> [SrcB, Rwc] @ 1, 4
    MOVB2A = 0x0b (ok) { srca[22, 17]; addr_mode[16, 15]; instr_mod[13, 12]; srcb[5, 0] } Matrix MATH [SrcB, Rwc, Config] -> [SrcA, Rwc] @ 1, 4
    ZEROACC = 0x10 (ok) { clear_mode[21, 19]; addr_mode[16, 15]; dst[9, 0] } Matrix MATH [Rwc, Config] -> [DstFlags, Rwc] @ 1, 1
    ZEROSRC = 0x11 (ok) { zero_val[4, 4]; write_mode[3, 3]; bank_mask[2, 2]; src_mask[1, 0] } Matrix MATH [] -> [SrcA, SrcB] @ 1, 1
    MOVA2D = 0x12 (ok) { dest_32b_lo[23, 23]; src[22, 17]; addr_mode[16, 15]; instr_mod[13, 12]; dst[9, 0] } Matrix MATH [SrcA, DstIf("dest_32b_lo"), Rwc, Config] -> [Dst, Rwc] @ 1, 4
    MOVB2D = 0x13 (ok) { dest_32b_lo[23, 23]; src[22, 17]; addr_mode[16, 15]; instr_mod[14, 12]; dst[9, 0] } Matrix MATH [SrcB, DstIf("dest_32b_lo"), Rwc, Config] -> [Dst, Rwc] @ 1, 4
    TRNSPSRCA = 0x14 (no_software) {} Unknown NONE [] -> []
    RAREB = 0x15 (no_software) {} Unknown NONE [] -> []
    TRNSPSRCB = 0x16 (ok) {} Matrix MATH [SrcB] -> [SrcB] @ 1, 1
    SHIFTXA = 0x17 (documented) { direction[1, 0] } Matrix MATH [SrcA] -> [SrcA] @ 1, 1
    SHIFTXB = 0x18 (documented) { addr_mode[16, 15]; shift_in_zero[10, 10]; src[5, 0] } Matrix MATH [SrcB, Rwc, Config] -> [SrcB, Rwc] @ 2, 2
    SETASHRMH0 = 0x1a (no_software) {} Unknown NONE [] -> []
    SETASHRMH1 = 0x1b (no_software) {} Unknown NONE [] -> []
    SETASHRMV = 0x1c (no_software) {} Unknown NONE [] -> []
    SETPKEDGOF = 0x1d (no_software) {} Unknown NONE [] -> []
    SETASHRMH = 0x1e (no_software) {} Unknown NONE [] -> []
    CLREXPHIST = 0x21 (ok) {} Packers MATH [] -> [Statistics] @ 1, 1
    CONV3S1 = 0x22 (no_software) {} Unknown NONE [] -> []
    CONV3S2 = 0x23 (no_software) {} Unknown NONE [] -> []
    MPOOL3S1 = 0x24 (no_software) {} Unknown NONE [] -> []
    APOOL3S1 = 0x25 (no_software) {} Unknown NONE [] -> []
    MVMUL = 0x26 (ok) { clear_dvalid[23, 22]; instr_mod19[19, 19]; addr_mode[16, 15]; dst[9, 0] } Matrix MATH [SrcA, SrcB, Dst, Rwc, Config] -> [Dst, Rwc, Owners] @ 1, 5
    ELWMUL = 0x27 (ok) { clear_dvalid[23, 22]; dest_accum_en[21, 21]; instr_mod19[20, 19]; addr_mode[16, 15]; dst[9, 0] } Matrix MATH [SrcA, SrcB, Dst, Rwc, Config] -> [Dst, Rwc, Owners] @ 1, 5
    ELWADD = 0x28 (ok) { clear_dvalid[23, 22]; dest_accum_en[21, 21]; instr_mod19[20, 19]; addr_mode[16, 15]; dst[9, 0] } Matrix MATH [SrcA, SrcB, DstIf("dest_accum_en"), Rwc, Config] -> [Dst, Rwc, Owners] @ 1, 5
    DOTPV = 0x29 (documented) { clear_dvalid[23, 22]; dest_accum_en[21, 21]; instr_mod19[20, 19]; addr_mode[16, 15]; dst[9, 0] } Matrix MATH [SrcA, SrcB, Dst, Rwc, Config] -> [Dst, Rwc, Owners] @ 1, 5
    ELWSUB = 0x30 (ok) { clear_dvalid[23, 22]; dest_accum_en[21, 21]; instr_mod19[20, 19]; addr_mode[16, 15]; dst[9, 0] } Matrix MATH [SrcA, SrcB, DstIf("dest_accum_en"), Rwc, Config] -> [Dst, Rwc, Owners] @ 1, 5
    MPOOL3S2 = 0x31 (no_software) {} Unknown NONE [] -> []
    APOOL3S2 = 0x32 (no_software) {} Unknown NONE [] -> []
    GMPOOL = 0x33 (ok) { clear_dvalid[23, 22]; instr_mod19[19, 19]; addr_mode[16, 15]; max_pool_index_en[14, 14]; dst[9, 0] } Matrix MATH [SrcA, SrcB, Dst, Rwc, Config] -> [Dst, Rwc, Owners] @ 1, 5
    GAPOOL = 0x34 (ok) { clear_dvalid[23, 22]; instr_mod19[19, 19]; addr_mode[16, 15]; max_pool_index_en[14, 14]; dst[9, 0] } Matrix MATH [SrcA, SrcB, Dst, Rwc, Config] -> [Dst, Rwc, Owners] @ 1, 5
    GATESRCRST = 0x35 (ok) { reset_srcb_gate_control[1, 1]; reset_srca_gate_control[0, 0] } Matrix MATH [] -> [] @ 1, 1
    CLEARDVALID = 0x36 (ok) { cleardvalid[23, 22]; reset[1, 0] } Matrix MATH [] -> [Owners] @ 1, 1
    SETRWC = 0x37 (ok) { clear_ab_vld[23, 22]; rwc_cr[21, 18]; rwc_d[17, 14]; rwc_b[13, 10]; rwc_a[9, 6]; bit_mask[3, 0] } Matrix MATH [Rwc] -> [Rwc, Owners] @ 1, 1
    INCRWC = 0x38 (ok) { rwc_cr[20, 18]; rwc_d[17, 14]; rwc_b[13, 10]; rwc_a[9, 6] } Matrix MATH [Rwc] -> [Rwc] @ 1, 1
    SETIBRWC = 0x39 (no_software) {} Unknown NONE [] -> []
    MFCONV3S1 = 0x3a (no_software) {} Unknown NONE [] -> []
    XMOV = 0x40 (ok) {} Mover XMOV [Config, L1] -> [L1, Config] @ 1, 1
    PACR = 0x41 (ok) { addr_mode[16, 15]; zero_write[12, 12]; pack_sel[11, 8]; ovrd_thread_id[7, 7]; concat[4, 4]; flush[1, 1]; last[0, 0] } Packers PACK [Dst, L1, Adc, Config] -> [L1, Adc, Statistics] @ 1, 1
    UNPACR = 0x42 (ok) { unpack_block_selection[23, 23]; addr_mode[22, 15]; cfg_context_cnt_inc[13, 13]; cfg_context_id[12, 10]; addr_cnt_context_id[9, 8]; ovrd_thread_id[7, 7]; set_dat_valid[6, 6]; rareb_en[5, 5]; zero_write2[4, 4]; auto_inc_context_id[3, 3]; row_search[2, 2]; search_cache_flush[1, 1]; last[0, 0] } Unpackers UNPACK [L1, Adc, Config] -> [SrcA, SrcB, Dst, Adc, Owners] @ 2, 2
    UNPACR_NOP = 0x43 (ok) { unpack_block_selection[23, 23]; no_op[4, 0] } Unpackers UNPACK [Config] -> [SrcA, SrcB, Owners, Registers] @ 2, 2
    RSTDMA = 0x44 (no_software) {} Unknown NONE [] -> []
    SETDMAREG = 0x45 (ok) { payload_sig_sel_size[23, 22]; payload_sig_sel[21, 8]; set_signals_mode[7, 7]; reg_index_16b[6, 0] } Scalar THCON [Statistics] -> [GprSignals("reg_index_16b")] @ 1, 1
    FLUSHDMA = 0x46 (ok) { flush_spec[3, 0] } Scalar THCON [] -> [] @ 2, 2
    REG2FLOP = 0x48 (ok) { size_sel[23, 22]; target_sel[21, 20]; byte_offset[19, 18]; context_id_2[17, 16]; flop_index[12, 6]; reg_index[5, 0] } Scalar THCON [Gpr("reg_index")] -> [Config, Adc] @ 2, 2
    LOADIND = 0x49 (ok) { size_sel[23, 22]; offset_index[20, 14]; auto_inc_spec[13, 12]; data_reg_index[11, 6]; addr_reg_index[5, 0] } Scalar THCON [Gpr("addr_reg_index"), GprHalf("offset_index"), L1] -> [GprsIfZero("data_reg_index", "size_sel"), GprHalf("offset_index")] @ 3, 3
    PACR_SETREG = 0x4a (ok) { push[23, 23]; addr_sel[22, 22]; wr_data[21, 12]; pack_sel[11, 8]; stream_id[7, 2]; flush[1, 1]; last[0, 0] } Packers PACK [Config] -> [Registers] @ 1, 1
    TBUFCMD = 0x4b (no_software) {} Unknown NONE [] -> []
    SETADC = 0x50 (ok) { cnt_set_mask[23, 21]; channel_index[20, 20]; dimension_index[19, 18]; value[17, 0] } Misc MISC [] -> [Adc] @ 1, 1
    SETADCXY = 0x51 (ok) { cnt_set_mask[23, 21]; thread_override[19, 18]; ch1_y[17, 15]; ch1_x[14, 12]; ch0_y[11, 9]; ch0_x[8, 6]; bit_mask[3, 0] } Misc MISC [] -> [Adc] @ 1, 1
    INCADCXY = 0x52 (ok) { cnt_set_mask[23, 21]; thread_override[19, 18]; ch1_y[17, 15]; ch1_x[14, 12]; ch0_y[11, 9]; ch0_x[8, 6] } Misc MISC [Adc] -> [Adc] @ 1, 1
    ADDRCRXY = 0x53 (ok) { cnt_set_mask[23, 21]; thread_override[19, 18]; ch1_y[17, 15]; ch1_x[14, 12]; ch0_y[11, 9]; ch0_x[8, 6]; bit_mask[3, 0] } Misc MISC [Adc] -> [Adc] @ 1, 1
    SETADCZW = 0x54 (ok) { cnt_set_mask[23, 21]; thread_override[19, 18]; ch1_y[17, 15]; ch1_x[14, 12]; ch0_y[11, 9]; ch0_x[8, 6]; bit_mask[3, 0] } Misc MISC [] -> [Adc] @ 1, 1
    INCADCZW = 0x55 (ok) { cnt_set_mask[23, 21]; thread_override[19, 18]; ch1_y[17, 15]; ch1_x[14, 12]; ch0_y[11, 9]; ch0_x[8, 6] } Misc MISC [Adc] -> [Adc] @ 1, 1
    ADDRCRZW = 0x56 (ok) { cnt_set_mask[23, 21]; thread_override[19, 18]; ch1_y[17, 15]; ch1_x[14, 12]; ch0_y[11, 9]; ch0_x[8, 6]; bit_mask[3, 0] } Misc MISC [Adc] -> [Adc] @ 1, 1
    SETDVALID = 0x57 (ok) { setvalid[1, 0] } Misc MISC [] -> [Owners] @ 1, 1
    ADDDMAREG = 0x58 (ok) { op_b_is_const[23, 23]; result_reg_index[17, 12]; op_b_reg_index[11, 6]; op_a_reg_index[5, 0] } Scalar THCON [Gpr("op_a_reg_index"), GprUnless("op_b_reg_index", "op_b_is_const")] -> [Gpr("result_reg_index")] @ 3, 3
    SUBDMAREG = 0x59 (ok) { op_b_is_const[23, 23]; result_reg_index[17, 12]; op_b_reg_index[11, 6]; op_a_reg_index[5, 0] } Scalar THCON [Gpr("op_a_reg_index"), GprUnless("op_b_reg_index", "op_b_is_const")] -> [Gpr("result_reg_index")] @ 3, 3
    MULDMAREG = 0x5a (ok) { op_b_is_const[23, 23]; result_reg_index[17, 12]; op_b_reg_index[11, 6]; op_a_reg_index[5, 0] } Scalar THCON [Gpr("op_a_reg_index"), GprUnless("op_b_reg_index", "op_b_is_const")] -> [Gpr("result_reg_index")] @ 3, 3
    BITWOPDMAREG = 0x5b (ok) { op_b_is_const[23, 23]; op_sel[20, 18]; result_reg_index[17, 12]; op_b_reg_index[11, 6]; op_a_reg_index[5, 0] } Scalar THCON [Gpr("op_a_reg_index"), GprUnless("op_b_reg_index", "op_b_is_const")] -> [Gpr("result_reg_index")] @ 3, 3
    SHIFTDMAREG = 0x5c (ok) { op_b_is_const[23, 23]; op_sel[20, 18]; result_reg_index[17, 12]; op_b_reg_index[11, 6]; op_a_reg_index[5, 0] } Scalar THCON [Gpr("op_a_reg_index"), GprUnless("op_b_reg_index", "op_b_is_const")] -> [Gpr("result_reg_index")] @ 3, 3
    CMPDMAREG = 0x5d (ok) { op_b_is_const[23, 23]; op_sel[20, 18]; result_reg_index[17, 12]; op_b_reg_index[11, 6]; op_a_reg_index[5, 0] } Scalar THCON [Gpr("op_a_reg_index"), GprUnless("op_b_reg_index", "op_b_is_const")] -> [Gpr("result_reg_index")] @ 3, 3
    SETADCXX = 0x5e (ok) { cnt_set_mask[23, 21]; x_end2[19, 10]; x_start[9, 0] } Misc MISC [] -> [Adc] @ 1, 1
    DMANOP = 0x60 (ok) {} Scalar THCON [] -> [] @ 1, 1
    ATINCGET = 0x61 (ok) { wrap_val[18, 14]; sel32b[13, 12]; data_reg_index[11, 6]; addr_reg_index[5, 0] } Scalar THCON [Gpr("addr_reg_index"), Gpr("data_reg_index"), L1] -> [L1, Gpr("data_reg_index")] @ 3, 12
    ATINCGETPTR = 0x62 (ok) { no_incr[22, 22]; incr_val[21, 18]; wrap_val[17, 14]; sel32b[13, 12]; data_reg_index[11, 6]; addr_reg_index[5, 0] } Scalar THCON [Gpr("addr_reg_index"), L1] -> [L1, Gpr("data_reg_index")] @ 15, 15
    ATSWAP = 0x63 (ok) { single_data_reg[22, 22]; swap_mask[21, 14]; data_reg_index[11, 6]; addr_reg_index[5, 0] } Scalar THCON [Gpr("addr_reg_index"), GprsIfZero("data_reg_index", "single_data_reg"), L1] -> [L1] @ 3, 12
    ATCAS = 0x64 (ok) { swap_val[21, 18]; cmp_val[17, 14]; sel32b[13, 12]; addr_reg_index[5, 0] } Scalar THCON [Gpr("addr_reg_index"), L1] -> [L1] @ 15, 15
    STOREIND = 0x66 (ok) { mem_hier_sel[23, 23]; size_sel[22, 22]; reg_size_sel[21, 21]; offset_index[20, 14]; auto_inc_spec[13, 12]; data_reg_index[11, 6]; addr_reg_index[5, 0] } Scalar THCON [Gpr("addr_reg_index"), GprHalf("offset_index"), GprsStored("data_reg_index")] -> [L1, Registers, SrcA, SrcB, GprHalf("offset_index")] @ 3, 3
    STOREREG = 0x67 (ok) { tdma_data_reg_index[23, 18]; reg_addr[17, 0] } Scalar THCON [Gpr("tdma_data_reg_index")] -> [Registers] @ 3, 3
    LOADREG = 0x68 (ok) { tdma_data_reg_index[23, 18]; reg_addr[17, 0] } Scalar THCON [Registers] -> [Gpr("tdma_data_reg_index")] @ 3, 3
    SFPLOAD = 0x70 (ok) { lreg_ind[23, 20]; instr_mod0[19, 16]; sfpu_addr_mode[15, 14]; dest_reg_addr[9, 0] } Load SFPU [LReg("lreg_ind"), Dst, Rwc, Config] -> [LReg("lreg_ind"), Rwc] @ 1, 1
    SFPLOADI = 0x71 (ok) { lreg_ind[23, 20]; instr_mod0[19, 16]; imm16[15, 0] } Load SFPU [LReg("lreg_ind")] -> [LReg("lreg_ind")] @ 1, 1
    SFPSTORE = 0x72 (ok) { lreg_ind[23, 20]; instr_mod0[19, 16]; sfpu_addr_mode[15, 14]; dest_reg_addr[9, 0] } Store SFPU [LReg("lreg_ind"), Rwc, Config] -> [Dst, Rwc] @ 1, 1
    SFPLUT = 0x73 (ok) { lreg_ind[23, 20]; instr_mod0[19, 16] } Mad SFPU [LRegs] -> [LReg("lreg_ind")] @ 1, 2
    SFPMULI = 0x74 (ok) { imm16_math[23, 8]; lreg_dest[7, 4]; instr_mod1[3, 0] } Mad SFPU [LReg("lreg_dest")] -> [LReg("lreg_dest")] @ 1, 2
    SFPADDI = 0x75 (ok) { imm16_math[23, 8]; lreg_dest[7, 4]; instr_mod1[3, 0] } Mad SFPU [LReg("lreg_dest")] -> [LReg("lreg_dest")] @ 1, 2
    SFPDIVP2 = 0x76 (ok) { imm12_math[23, 12]; lreg_c[11, 8]; lreg_dest[7, 4]; instr_mod1[3, 0] } Simple SFPU [LReg("lreg_c")] -> [LReg("lreg_dest")] @ 1, 1
    SFPEXEXP = 0x77 (ok) { lreg_c[11, 8]; lreg_dest[7, 4]; instr_mod1[3, 0] } Simple SFPU [LReg("lreg_c")] -> [LReg("lreg_dest"), LaneFlags] @ 1, 1
    SFPEXMAN = 0x78 (ok) { lreg_c[11, 8]; lreg_dest[7, 4]; instr_mod1[3, 0] } Simple SFPU [LReg("lreg_c")] -> [LReg("lreg_dest")] @ 1, 1
    SFPIADD = 0x79 (ok) { imm12_math[23, 12]; lreg_c[11, 8]; lreg_dest[7, 4]; instr_mod1[3, 0] } Simple SFPU [LReg("lreg_c"), LReg("lreg_dest")] -> [LReg("lreg_dest"), LaneFlags] @ 1, 1
    SFPSHFT = 0x7a (ok) { imm12_math[23, 12]; lreg_c[11, 8]; lreg_dest[7, 4]; instr_mod1[3, 0] } Simple SFPU [LReg("lreg_c"), LReg("lreg_dest")] -> [LReg("lreg_dest")] @ 1, 1
    SFPSETCC = 0x7b (ok) { imm12_math[12, 12]; lreg_c[11, 8]; lreg_dest[7, 4]; instr_mod1[3, 0] } Simple SFPU [LReg("lreg_c"), LaneFlags] -> [LaneFlags] @ 1, 1
    SFPMOV = 0x7c (ok) { lreg_c[11, 8]; lreg_dest[7, 4]; instr_mod1[3, 0] } Simple SFPU [LReg("lreg_c")] -> [LReg("lreg_dest")] @ 1, 1
    SFPABS = 0x7d (ok) { lreg_c[11, 8]; lreg_dest[7, 4]; instr_mod1[3, 0] } Simple SFPU [LReg("lreg_c")] -> [LReg("lreg_dest")] @ 1, 1
    SFPAND = 0x7e (ok) { imm12_math[15, 12]; lreg_c[11, 8]; lreg_dest[7, 4]; instr_mod1[3, 0] } Simple SFPU [LReg("lreg_c"), LReg("lreg_dest")] -> [LReg("lreg_dest")] @ 1, 1
    SFPOR = 0x7f (ok) { imm12_math[15, 12]; lreg_c[11, 8]; lreg_dest[7, 4]; instr_mod1[3, 0] } Simple SFPU [LReg("lreg_c"), LReg("lreg_dest")] -> [LReg("lreg_dest")] @ 1, 1
    SFPNOT = 0x80 (ok) { lreg_c[11, 8]; lreg_dest[7, 4] } Simple SFPU [LReg("lreg_c")] -> [LReg("lreg_dest")] @ 1, 1
    SFPLZ = 0x81 (ok) { lreg_c[11, 8]; lreg_dest[7, 4]; instr_mod1[3, 0] } Simple SFPU [LReg("lreg_c")] -> [LReg("lreg_dest"), LaneFlags] @ 1, 1
    SFPSETEXP = 0x82 (ok) { imm12_math[19, 12]; lreg_c[11, 8]; lreg_dest[7, 4]; instr_mod1[3, 0] } Simple SFPU [LReg("lreg_c"), LReg("lreg_dest")] -> [LReg("lreg_dest")] @ 1, 1
    SFPSETMAN = 0x83 (ok) { imm12_math[23, 12]; lreg_c[11, 8]; lreg_dest[7, 4]; instr_mod1[3, 0] } Simple SFPU [LReg("lreg_c"), LReg("lreg_dest")] -> [LReg("lreg_dest")] @ 1, 1
    SFPMAD = 0x84 (ok) { lreg_src_a[19, 16]; lreg_src_b[15, 12]; lreg_src_c[11, 8]; lreg_dest[7, 4]; instr_mod1[3, 0] } Mad SFPU [LReg("lreg_src_a"), LReg("lreg_src_b"), LReg("lreg_src_c")] -> [LReg("lreg_dest")] @ 1, 2
    SFPADD = 0x85 (ok) { lreg_src_a[19, 16]; lreg_src_b[15, 12]; lreg_src_c[11, 8]; lreg_dest[7, 4]; instr_mod1[3, 0] } Mad SFPU [LReg("lreg_src_a"), LReg("lreg_src_b"), LReg("lreg_src_c")] -> [LReg("lreg_dest")] @ 1, 2
    SFPMUL = 0x86 (ok) { lreg_src_a[19, 16]; lreg_src_b[15, 12]; lreg_src_c[11, 8]; lreg_dest[7, 4]; instr_mod1[3, 0] } Mad SFPU [LReg("lreg_src_a"), LReg("lreg_src_b"), LReg("lreg_src_c")] -> [LReg("lreg_dest")] @ 1, 2
    SFPPUSHC = 0x87 (ok) { lreg_dest[7, 4]; instr_mod1[3, 0] } Simple SFPU [LaneFlags] -> [LaneFlags] @ 1, 1
    SFPPOPC = 0x88 (ok) { lreg_dest[7, 4]; instr_mod1[3, 0] } Simple SFPU [LaneFlags] -> [LaneFlags] @ 1, 1
    SFPSETSGN = 0x89 (ok) { imm12_math[12, 12]; lreg_c[11, 8]; lreg_dest[7, 4]; instr_mod1[3, 0] } Simple SFPU [LReg("lreg_c"), LReg("lreg_dest")] -> [LReg("lreg_dest")] @ 1, 1
    SFPENCC = 0x8a (ok) { imm12_math[13, 12]; lreg_dest[7, 4]; instr_mod1[3, 0] } Simple SFPU [LaneFlags] -> [LaneFlags] @ 1, 1
    SFPCOMPC = 0x8b (ok) { lreg_dest[7, 4] } Simple SFPU [LaneFlags] -> [LaneFlags] @ 1, 1
    SFPTRANSP = 0x8c (ok) { lreg_dest[7, 4] } Simple SFPU [LRegs] -> [LRegs] @ 1, 1
    SFPXOR = 0x8d (ok) { lreg_c[11, 8]; lreg_dest[7, 4] } Simple SFPU [LReg("lreg_c"), LReg("lreg_dest")] -> [LReg("lreg_dest")] @ 1, 1
    SFP_STOCH_RND = 0x8e (ok) { rnd_mode[21, 21]; imm8_math[20, 16]; lreg_src_b[15, 12]; lreg_src_c[11, 8]; lreg_dest[7, 4]; instr_mod1[3, 0] } Round SFPU [LReg("lreg_src_b"), LReg("lreg_src_c")] -> [LReg("lreg_dest")] @ 1, 1
    SFPNOP = 0x8f (ok) {} Load SFPU [] -> [] @ 1, 1
    SFPCAST = 0x90 (ok) { lreg_src_c[11, 8]; lreg_dest[7, 4]; instr_mod1[3, 0] } Simple SFPU [LReg("lreg_src_c")] -> [LReg("lreg_dest")] @ 1, 1
    SFPCONFIG = 0x91 (ok) { imm16_math[23, 8]; config_dest[7, 4]; instr_mod1[3, 0] } Simple SFPU [LRegs] -> [LRegs, LaneFlags] @ 1, 1
    SFPSWAP = 0x92 (ok) { lreg_src_c[11, 8]; lreg_dest[7, 4]; instr_mod1[3, 0] } Simple SFPU [LReg("lreg_src_c"), LReg("lreg_dest")] -> [LReg("lreg_src_c"), LReg("lreg_dest")] @ 2, 2
    SFPLOADMACRO = 0x93 (ok) { lreg_ind[23, 20]; instr_mod0[19, 16]; sfpu_addr_mode[15, 14]; dest_reg_addr[9, 0] } Load SFPU [Dst, Rwc, Config, LRegs] -> [LRegs, Dst, Rwc] @ 1, 1
    SFPSHFT2 = 0x94 (ok) { imm12_math[23, 12]; lreg_src_c[11, 8]; lreg_dest[7, 4]; instr_mod1[3, 0] } Round SFPU [LRegs] -> [LRegs] @ 1, 1
    SFPLUTFP32 = 0x95 (ok) { lreg_dest[7, 4]; instr_mod1[3, 0] } Mad SFPU [LRegs] -> [LReg("lreg_dest")] @ 1, 2
    ATGETM = 0xa0 (ok) { mutex_index[15, 0] } Sync SYNC [Mutex("mutex_index")] -> [Mutex("mutex_index")] @ 1, 1
    ATRELM = 0xa1 (ok) { mutex_index[15, 0] } Sync SYNC [Mutex("mutex_index")] -> [Mutex("mutex_index")] @ 1, 1
    STALLWAIT = 0xa2 (ok) { stall_res[23, 15]; wait_res[14, 0] } Sync SYNC [Owners] -> [] @ 1, 1
    SEMINIT = 0xa3 (ok) { max_value[23, 20]; init_value[19, 16]; sem_sel[9, 2] } Sync SYNC [] -> [Semaphores("sem_sel")] @ 1, 1
    SEMPOST = 0xa4 (ok) { sem_sel[9, 2] } Sync SYNC [Semaphores("sem_sel")] -> [Semaphores("sem_sel")] @ 1, 1
    SEMGET = 0xa5 (ok) { sem_sel[9, 2] } Sync SYNC [Semaphores("sem_sel")] -> [Semaphores("sem_sel")] @ 1, 1
    SEMWAIT = 0xa6 (ok) { stall_res[23, 15]; sem_sel[9, 2]; wait_sem_cond[1, 0] } Sync SYNC [Semaphores("sem_sel")] -> [] @ 1, 1
    WRCFG = 0xb0 (ok) { gpr_address[21, 16]; wr128b[15, 15]; cfg_reg[10, 0] } Config CFG [GprsIf("gpr_address", "wr128b")] -> [Config] @ 1, 2
    RDCFG = 0xb1 (ok) { gpr_address[21, 16]; cfg_reg[10, 0] } Config CFG [Config] -> [Gpr("gpr_address")] @ 1, 2
    SETC16 = 0xb2 (ok) { setc16_reg[23, 16]; setc16_value[15, 0] } Config CFG [] -> [ThreadConfig] @ 1, 1
    RMWCIB0 = 0xb3 (ok) { mask[23, 16]; data[15, 8]; cfg_reg_addr[7, 0] } Config CFG [Config] -> [Config] @ 1, 1
    RMWCIB1 = 0xb4 (ok) { mask[23, 16]; data[15, 8]; cfg_reg_addr[7, 0] } Config CFG [Config] -> [Config] @ 1, 1
    RMWCIB2 = 0xb5 (ok) { mask[23, 16]; data[15, 8]; cfg_reg_addr[7, 0] } Config CFG [Config] -> [Config] @ 1, 1
    RMWCIB3 = 0xb6 (ok) { mask[23, 16]; data[15, 8]; cfg_reg_addr[7, 0] } Config CFG [Config] -> [Config] @ 1, 1
}
