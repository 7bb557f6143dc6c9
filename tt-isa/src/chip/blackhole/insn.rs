//! Blackhole's instructions: Wormhole's, but for the rows below.
//!
//! Twelve instructions have an address mode of three bits, or one at another place; eight have other operands; two read more;
//! nine are new. Everything else is Wormhole's, the types of operands and what an instruction does included: the names of
//! this module are those of [`crate::insn`], and the ones below take the place of what is there.
//!
//! Encodings from the vendor simulator's opcode list for Blackhole, from `BlackholeA0/` pages of the ISA documents, and for
//! instructions that neither has the operands of (`MOVDBGA2D`, `DOTPV`, `SHIFTXB`, `RESOURCEDECL`, `MOVDBGB2D`,
//! `STREAMWAIT`, `STREAMWRCFG`) from the vendor's low-level kernels. What new instructions do is from their pages; units and
//! waits from `ConfigurationUnit.md`, `VectorUnit.md` and `STALLWAIT.md` there. `MOVDBGB2D` has no page: as `MOVB2D`, as
//! `MOVDBGA2D` is to `MOVA2D`.
#![allow(non_camel_case_types)]

pub use crate::insn::*;

use crate::insn::Operand::*;
use crate::insn::{Columns, WORMHOLE as BASE, by_opcode, columns, effects, fields, operands, row_of, wait};

macro_rules! differences {
    (
        operands { $( $changed:ident { $($field:ident[$hi:literal, $lo:literal]);* } )* }
        effects { $( $other:ident
            $unit:ident $wait:ident [$($read:expr),*] -> [$($write:expr),*] $(@ $issue:literal, $latency:literal)? )* }
        added { $( $added:ident = $opcode:literal { $($operand:ident[$high:literal, $low:literal]);* }
            $in:ident $held:ident [$($reads:expr),*] -> [$($writes:expr),*] $(@ $every:literal, $until:literal)? )* }
    ) => {
        $( operands! { $changed = crate::insn::Opcode::$changed; { $($field[$hi, $lo]);* } } )*
        $( operands! { $added = $opcode; { $($operand[$high, $low]);* } } )*

        /// Each of these instructions' word, taken apart into operands and put together again.
        #[cfg(test)]
        const ROUND_TRIPS_HERE: &[(&str, fn(u32) -> u32)] = &[
            $( (stringify!($changed), |word| $changed::decode(word).word()), )*
            $( (stringify!($added), |word| $added::decode(word).word()), )*
        ];

        /// Rows that take the place of Wormhole's: the same instruction with other operands.
        pub const CHANGED: &[InsnInfo] = &[ $( {
            const FIELDS: &[Field] = fields![$($field[$hi, $lo]);*];
            let effects = effects!(crate::insn::$changed::COLUMNS, FIELDS);
            InsnInfo { fields: FIELDS, effects, ..wormhole(stringify!($changed)) }
        }, )* ];

        /// Rows that take the place of Wormhole's: the same operands, and other effects.
        pub const OTHER_EFFECTS: &[InsnInfo] = &[ $( {
            const ROW: InsnInfo = wormhole(stringify!($other));
            const COLUMNS: Columns =
                columns!($unit $wait [$($read),*] -> [$($write),*] $(@ $issue, $latency)?);
            InsnInfo { effects: effects!(COLUMNS, ROW.fields), ..ROW }
        }, )* ];

        /// Rows that Wormhole does not have.
        pub const ADDED: &[InsnInfo] = &[ $( {
            const FIELDS: &[Field] = fields![$($operand[$high, $low]);*];
            const COLUMNS: Columns =
                columns!($in $held [$($reads),*] -> [$($writes),*] $(@ $every, $until)?);
            InsnInfo {
                name: stringify!($added),
                opcode: $opcode,
                fields: FIELDS,
                used_by_software: true,
                effects: effects!(COLUMNS, FIELDS),
            }
        }, )* ];
    };
}

differences! {
    operands {
        MOVD2A { dest_32b_lo[23, 23]; src[22, 17]; addr_mode[16, 14]; instr_mod[13, 12]; dst[9, 0] }
        MOVDBGA2D { dest_32b_lo[23, 23]; src[22, 17]; addr_mode[16, 14]; instr_mod[13, 12]; dst[9, 0] }
        MOVD2B { dest_32b_lo[23, 23]; src[22, 17]; addr_mode[16, 14]; instr_mod[13, 12]; dst[9, 0] }
        MOVB2A { srca[22, 17]; addr_mode[16, 14]; instr_mod[13, 12]; srcb[5, 0] }
        ZEROACC { clear_mode[20, 19]; use_32_bit_mode[18, 18]; clear_zero_flags[17, 17]; addr_mode[16, 14]; dst[9, 0] }
        MOVA2D { dest_32b_lo[23, 23]; src[22, 17]; addr_mode[16, 14]; instr_mod[13, 12]; dst[9, 0] }
        MOVB2D { dest_32b_lo[23, 23]; src[22, 17]; addr_mode[16, 14]; instr_mod[13, 11]; dst[9, 0] }
        SHIFTXB { addr_mode[16, 14]; shift_in_zero[10, 10]; src[5, 0] }
        MVMUL { clear_dvalid[23, 22]; instr_mod19[19, 19]; addr_mode[16, 14]; dst[9, 0] }
        ELWMUL { clear_dvalid[23, 22]; dest_accum_en[21, 21]; instr_mod19[20, 19]; addr_mode[16, 14]; dst[9, 0] }
        ELWADD { clear_dvalid[23, 22]; dest_accum_en[21, 21]; instr_mod19[20, 19]; addr_mode[16, 14]; dst[9, 0] }
        DOTPV { clear_dvalid[23, 22]; dest_accum_en[21, 21]; instr_mod19[20, 19]; addr_mode[16, 14]; dst[9, 0] }
        ELWSUB { clear_dvalid[23, 22]; dest_accum_en[21, 21]; instr_mod19[20, 19]; addr_mode[16, 14]; dst[9, 0] }
        GMPOOL { clear_dvalid[23, 22]; instr_mod19[19, 19]; addr_mode[17, 15]; max_pool_index_en[14, 14]; dst[9, 0] }
        GAPOOL { clear_dvalid[23, 22]; instr_mod19[19, 19]; addr_mode[17, 15]; max_pool_index_en[14, 14]; dst[9, 0] }
        PACR { cfg_context[22, 21]; row_pad_zero[20, 18]; dst_access_mode[17, 17]; addr_mode[16, 15]; addr_cnt_context[14, 13]; zero_write[12, 12]; read_intf_sel[11, 8]; ovrd_thread_id[7, 7]; concat[4, 4]; ctxt_ctrl[3, 2]; flush[1, 1]; last[0, 0] }
        UNPACR { unpack_block_selection[23, 23]; addr_mode[22, 15]; cfg_context_cnt_inc[13, 13]; cfg_context_id[12, 10]; addr_cnt_context_id[9, 8]; ovrd_thread_id[7, 7]; set_dat_valid[6, 6]; srcb_bcast[5, 5]; zero_write2[4, 4]; auto_inc_context_id[3, 3]; row_search[2, 2]; search_cache_flush[1, 1]; last[0, 0] }
        UNPACR_NOP { unpacker_select[23, 23]; stream_id[21, 16]; msg_clr_cnt[14, 12]; set_dvalid[8, 8]; clr_to1_fmt_ctrl[7, 6]; stall_clr_cntrl[5, 5]; bank_clr_ctrl[4, 4]; src_clr_val_ctrl[3, 2]; unpack_pop[1, 0] }
        SFPLOAD { lreg_ind[23, 20]; instr_mod0[19, 16]; sfpu_addr_mode[15, 13]; dest_reg_addr[9, 0] }
        SFPSTORE { lreg_ind[23, 20]; instr_mod0[19, 16]; sfpu_addr_mode[15, 13]; dest_reg_addr[9, 0] }
        SFP_STOCH_RND { rnd_mode[22, 21]; imm8_math[20, 16]; lreg_src_b[15, 12]; lreg_src_c[11, 8]; lreg_dest[7, 4]; instr_mod1[3, 0] }
        SFPLOADMACRO { lreg_ind[23, 20]; instr_mod0[19, 16]; sfpu_addr_mode[15, 13]; dest_reg_addr[9, 0] }
        STALLWAIT { stall_res[23, 15]; wait_res[12, 0] }
    }
    effects {
        // Their second source may be another register than the result.
        SFPAND Simple SFPU [LReg("imm12_math"), LReg("lreg_c"), LReg("lreg_dest")] -> [LReg("lreg_dest")] @ 1, 1
        SFPOR Simple SFPU [LReg("imm12_math"), LReg("lreg_c"), LReg("lreg_dest")] -> [LReg("lreg_dest")] @ 1, 1
    }
    added {
        RESOURCEDECL = 0x05 { linger_time[23, 13]; resources[12, 4]; op_class[3, 0] } Frontend NONE [] -> []
        MOVDBGB2D = 0x0c { dest_32b_lo[23, 23]; src[22, 17]; addr_mode[16, 14]; instr_mod[13, 11]; dst[9, 0] } Matrix MATH [SrcB, DstIf("dest_32b_lo"), Rwc, Config] -> [Dst, Rwc] @ 1, 1
        SFPLE = 0x96 { lreg_c[11, 8]; lreg_dest[7, 4]; instr_mod1[3, 0] } Simple SFPU [LReg("lreg_c"), LReg("lreg_dest"), LaneFlags] -> [LReg("lreg_dest"), LaneFlags] @ 1, 1
        SFPGT = 0x97 { lreg_c[11, 8]; lreg_dest[7, 4]; instr_mod1[3, 0] } Simple SFPU [LReg("lreg_c"), LReg("lreg_dest"), LaneFlags] -> [LReg("lreg_dest"), LaneFlags] @ 1, 1
        SFPMUL24 = 0x98 { lreg_src_a[19, 16]; lreg_src_b[15, 12]; lreg_src_c[11, 8]; lreg_dest[7, 4]; instr_mod1[3, 0] } Mad SFPU [LReg("lreg_src_a"), LReg("lreg_src_b"), LReg("lreg_src_c")] -> [LReg("lreg_dest")] @ 1, 2
        SFPARECIP = 0x99 { imm12_math[15, 12]; lreg_c[11, 8]; lreg_dest[7, 4]; instr_mod1[3, 0] } Simple SFPU [LReg("imm12_math"), LReg("lreg_c")] -> [LReg("lreg_dest")] @ 1, 1
        STREAMWAIT = 0xa7 { stall_res[23, 15]; target_value[14, 4]; target_sel[3, 3]; wait_stream_sel[2, 0] } Sync SYNC [Registers, ThreadConfig] -> []
        STREAMWRCFG = 0xb7 { stream_id_sel[23, 21]; stream_reg_addr[20, 11]; cfg_reg[10, 0] } Config CFG [Registers, ThreadConfig] -> [Config]
        CFGSHIFTMASK = 0xb8 { disable_mask_on_old_val[23, 23]; operation[22, 20]; mask_width[19, 15]; right_cshift_amt[14, 10]; scratch_sel[9, 8]; cfg_reg[7, 0] } Config CFG [Config] -> [Config]
    }
}

/// Wormhole's row of a name.
const fn wormhole(name: &str) -> InsnInfo {
    match BASE.named(name) {
        Some(row) => *row,
        None => panic!("Wormhole has no instruction of this name"),
    }
}

const ROWS: usize = BASE.rows.len() + ADDED.len();

/// Every instruction, by rising opcode.
pub const INSTRUCTIONS: &[InsnInfo] = &rows();

static EFFECTS: [Effects; 256] = by_opcode(INSTRUCTIONS);

/// The whole of it.
pub const BLACKHOLE: InsnSet = InsnSet { rows: INSTRUCTIONS, by_opcode: &EFFECTS };

const fn rows() -> [InsnInfo; ROWS] {
    let mut rows = [BASE.rows[0]; ROWS];
    let (mut n, mut opcode) = (0, 0);
    while opcode <= 0xFF {
        if let Some(row) = row(opcode << 24) {
            rows[n] = *row;
            n += 1;
        }
        opcode += 1;
    }
    assert!(n == ROWS, "an added row has the opcode of another");
    rows
}

/// The row of a word's opcode: the first that has it.
const fn row(word: u32) -> Option<&'static InsnInfo> {
    let tables = [CHANGED, OTHER_EFFECTS, ADDED, BASE.rows];
    let mut i = 0;
    while i < tables.len() {
        if let Some(row) = row_of(tables[i], word) {
            return Some(row);
        }
        i += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::format;
    use std::string::ToString;

    const EQUAL: usize = 128 - CHANGED.len();

    #[test]
    fn rows_are_wormholes_but_for_those_listed() {
        assert_eq!((BASE.rows.len(), INSTRUCTIONS.len(), ADDED.len()), (128, 137, 9));
        let same = |row: &&InsnInfo| BASE.named(row.name).is_some_and(|other| other.fields == row.fields);
        assert_eq!(INSTRUCTIONS.iter().filter(same).count(), EQUAL);
        for row in CHANGED {
            let other = BASE.named(row.name).expect("Wormhole has it");
            assert_eq!(row.opcode, other.opcode, "{}", row.name);
            assert_ne!(row.fields, other.fields, "{} is listed and the same", row.name);
        }
        assert!(ADDED.iter().all(|row| BASE.named(row.name).is_none()));
        assert!(INSTRUCTIONS.windows(2).all(|pair| pair[0].opcode < pair[1].opcode));
    }

    /// Every field of every row, at its largest value and alone, and all of them.
    #[test]
    fn words_encode_decode_and_print_on_both_chips() {
        let wormhole = crate::insn::ROUND_TRIPS.iter().copied();
        let here = ROUND_TRIPS_HERE.iter().copied();
        let inherited = wormhole.clone().filter(|(name, _)| CHANGED.iter().all(|row| row.name != *name));
        let (mut of_wormhole, mut of_blackhole) = (0, 0);
        wormhole.for_each(|(name, trip)| of_wormhole += round_trip(&BASE, name, trip));
        here.chain(inherited).for_each(|(name, trip)| of_blackhole += round_trip(&BLACKHOLE, name, trip));
        assert_eq!((of_wormhole, of_blackhole), (128, 137));
    }

    fn round_trip(set: &InsnSet, name: &str, trip: fn(u32) -> u32) -> usize {
        let row = set.named(name).expect("a row");
        let opcode = u32::from(row.opcode) << 24;
        let alone = row.fields.iter().map(|field| field.mask());
        for operands in alone.chain([0, 0x00FF_FFFF & !row.reserved_mask()]) {
            let word = opcode | operands;
            assert_eq!(trip(word), word, "{name} {word:#010x}");
            let text = set.disassemble(word).to_string();
            assert_eq!(text.split(' ').next(), Some(name));
            assert!(!text.contains("reserved"), "{text}");
            if row.used_by_software {
                for field in row.fields {
                    let operand = format!("{}={:#x}", field.name, field.get(word));
                    assert!(text.split(' ').any(|part| part == operand), "{text} has no {operand}");
                }
            }
        }
        let unused = row.reserved_mask();
        if unused != 0 && row.used_by_software {
            assert!(set.disassemble(opcode | unused).to_string().contains("reserved bits"), "{name}");
        }
        1
    }

    /// Operands by name, wherever a chip has their fields.
    fn named(operands: &[Operand]) -> std::vec::Vec<std::string::String> {
        let name = |operand: &Operand| match *operand {
            DstIf(field) => format!("DstIf {}", field.name),
            operand => operand.field().map_or_else(|| format!("{operand:?}"), |field| field.name.to_string()),
        };
        operands.iter().map(name).collect()
    }

    #[test]
    fn effects_are_wormholes_but_for_those_listed() {
        for row in INSTRUCTIONS {
            let (here, Some(base)) = (row.effects, BASE.named(row.name)) else { continue };
            let there = base.effects;
            assert_eq!(
                (here.unit, here.wait, here.cost),
                (there.unit, there.wait, there.cost),
                "{}",
                row.name
            );
            let listed = OTHER_EFFECTS.iter().any(|other| other.name == row.name);
            assert_eq!(!listed, named(here.reads) == named(there.reads), "{}", row.name);
            assert_eq!(named(here.writes), named(there.writes), "{}", row.name);
            if CHANGED.iter().all(|other| other.name != row.name) {
                assert_eq!(row.fields, base.fields, "{}", row.name);
                assert!(listed || (here.reads, here.writes) == (there.reads, there.writes), "{}", row.name);
            }
        }
    }

    /// An operand that a field names has the field of this chip's row.
    #[test]
    fn effects_name_fields_of_their_row() {
        for row in INSTRUCTIONS {
            let operands = row.effects.reads.iter().chain(row.effects.writes);
            for field in operands.filter_map(|operand| operand.field()) {
                assert!(row.fields.contains(&field), "{} {field:?}", row.name);
            }
            assert_eq!(BLACKHOLE.effects(u32::from(row.opcode) << 24).unit, row.effects.unit, "{}", row.name);
        }
        assert_eq!(BLACKHOLE.effects(0xFF00_0000).unit, Unit::Unknown);
        let word = MOVA2D { dest_32b_lo: 1, ..MOVA2D::ZERO }.word();
        assert!(BLACKHOLE.effects(word).reads_dst(word));
        assert_eq!(
            format!("{:#}", BLACKHOLE.disassemble(0x9801_2340)),
            "SFPMUL24 lreg_src_a=0x1 lreg_src_b=0x2 lreg_src_c=0x3 lreg_dest=0x4 instr_mod1=0x0 ; vector MAD: LReg[1], LReg[2], \
             LReg[3] -> LReg[4]"
        );
    }

    #[test]
    fn a_wormhole_word_is_not_always_a_blackhole_word() {
        let word = crate::insn::MVMUL { addr_mode: 2, dst: 0x38, ..crate::insn::MVMUL::ZERO }.word();
        assert_eq!(MVMUL::decode(word).addr_mode, 4);
        assert_eq!(MVMUL { addr_mode: 5, ..MVMUL::ZERO }.word(), 0x2601_4000);
        // Its condition for the packers waits for the matrix unit and the banks of SrcA and SrcB here.
        let (wormhole, here) = (crate::chip::WORMHOLE.until, crate::chip::BLACKHOLE.until);
        assert_eq!(wormhole.pack, here.pack | here.math | here.srca_clear | here.srcb_clear);
        assert_eq!(SFPMUL24 { lreg_src_a: 1, lreg_dest: 2, ..SFPMUL24::ZERO }.word(), 0x9801_0020);
        assert_eq!(
            BLACKHOLE.disassemble(0x9600_0321).to_string(),
            "SFPLE lreg_c=0x3 lreg_dest=0x2 instr_mod1=0x1"
        );
        assert!(BASE.info(0x9600_0000).is_none());
    }
}
