//! Matrix unit: products, element by element, pooling, moves, clears, counters and fidelity, on awkward numbers.
//!
//! Both banks of SrcA and SrcB are full at the start, so that one change of banks may happen. Dst's first 128 rows of 32
//! bits and, by way of Dst, SrcA and SrcB are the result.

use tt_isa::chip::wormhole::config as c;
use tt_isa::chip::wormhole::thread as tc;
use tt_isa::format::DataFormat::{self, *};
use tt_isa::insn::{
    ELWADD, ELWMUL, ELWSUB, GAPOOL, GATESRCRST, GMPOOL, INCRWC, MOVA2D, MOVB2A, MOVB2D, MOVD2A, MOVD2B,
    MVMUL, SETADCXX, SETC16, SETRWC, TRNSPSRCB, UNPACR, ZEROACC, ZEROSRC,
};

use super::build::{Builder, INPUT, Part};
use super::{Family, t_core};
use crate::case::{Case, Data};
use crate::random::Random;

/// Formats of SrcA and SrcB that go together: `ALU_FORMAT_SPEC`, the unpackers' format, the format in memory.
const KINDS: [(u32, [DataFormat; 2], [DataFormat; 2], Data); 11] = [
    (4, [Tf32, Tf32], [Fp32, Tf32], Data::Floats),
    (6, [Bf16, Bf16], [Bf16, Bf16], Data::Bfloats),
    (2, [Bf16, Tf32], [Fp32, Tf32], Data::Floats),
    (2, [Tf32, Bf16], [Fp32, Tf32], Data::Floats),
    (2, [Bfp8, Bfp8], [Bfp8, Bfp8], Data::Blocks),
    (1, [Bfp4, Bfp8], [Bfp4, Bfp4], Data::Blocks),
    (1, [Fp32, Fp32], [Bf16, Bf16], Data::Bfloats),
    (3, [Fp16, Fp16], [Fp16, Fp16], Data::Halves),
    (3, [Int8, Int8], [Int8, Int8], Data::Bits),
    (1, [Fp8, Fp8], [Fp8, Fp8], Data::Bits),
    (1, [Bfp2, Bfp2], [Bfp2, Bfp2], Data::Blocks),
];

/// What the generator keeps to.
struct Mode {
    wide: bool,
    integers: bool,
    halves: bool,
    tf32: bool,
    /// Of 8-bit floats only SrcA is moved.
    quarters: bool,
    /// Block floats of 2 bits have no products of rows and columns.
    by_element: bool,
    /// `ELWADD` and `ELWSUB` exist in phase 0 only.
    phases: bool,
    /// SrcB's denormals count. Then the vendor's simulator gets the sum of +0 and -0 wrong, which shows when it is added
    /// to Dst (a magnitude below 0, shifted as if it had no sign).
    keeps_denormals: bool,
    changes_left: u32,
    ones: bool,
}

pub fn generate(random: &mut Random) -> Case {
    let mut b = Builder::new(Family::Matrix, t_core(random));
    let weights: Vec<(u32, usize)> = KINDS.iter().enumerate().map(|(i, kind)| (kind.0, i)).collect();
    let (_, alu, unpack, data) = KINDS[random.weighted(&weights)];
    let integers = alu[0] == Int8;
    let halves = matches!(alu[0], Fp16 | Fp8);
    let ones = !integers && !halves && alu[0] != Bfp2 && random.chance(40);
    let mode = Mode {
        wide: integers || random.chance(160),
        integers,
        halves,
        tf32: alu[0] == Tf32,
        quarters: alu[0] == Fp8,
        by_element: alu[0] == Bfp2,
        phases: random.chance(140),
        keeps_denormals: random.chance(12),
        changes_left: 1,
        ones,
    };
    let in_dst =
        if integers { Data::Integers } else { random.weighted(&[(4, Data::Floats), (1, Data::Bits)]) };
    b.load_dst(64, in_dst, random);
    load_sources(&mut b, unpack, data, ones, random);
    b.set(c::ALU_FORMAT_SPEC_REG0_SrcA, alu[0] as u32);
    b.set(c::ALU_FORMAT_SPEC_REG1_SrcB, alu[1] as u32);
    b.set(c::ALU_ACC_CTRL_Fp32_enabled, (mode.wide && !integers).into());
    b.set(c::ALU_ACC_CTRL_INT8_math_enabled, integers.into());
    if mode.keeps_denormals {
        b.set(c::ALU_ACC_CTRL_Zero_Flag_disabled_src, 1);
    }
    address_modifiers(&mut b, mode.phases, random);
    b.sync();
    body(&mut b, mode, random);
    b.part(Part::Dump);
    // Where the counter of Dst is, and its copy. Integers clear no single rows.
    b.sync();
    b.set(c::ALU_ACC_CTRL_INT8_math_enabled, 0);
    b.push(ZEROACC::ZERO.word());
    b.push(SETRWC { rwc_cr: 4, bit_mask: 4, ..SETRWC::ZERO }.word());
    b.push(ZEROACC::ZERO.word());
    b.dump_dst(256);
    b.dump_sources(true, true);
    b.case
}

fn load_sources(b: &mut Builder, formats: [DataFormat; 2], data: Data, ones: bool, random: &mut Random) {
    b.fill(INPUT[1], 1152, data, random);
    let (in_b, out_b, data_b) = if ones { (Fp32, Tf32, Data::Ones) } else { (formats[0], formats[1], data) };
    b.fill(INPUT[2], 1152, data_b, random);
    b.unpacker0(formats[0], formats[1], false);
    b.unpacker1(in_b, out_b);
    b.push(SETADCXX { cnt_set_mask: 3, x_start: 0, x_end2: 1023 }.word());
    for bank in 0..2 {
        for unpack_block_selection in 0..2 {
            let unpack = UNPACR {
                unpack_block_selection,
                ovrd_thread_id: 1,
                last: 1,
                set_dat_valid: 1,
                ..UNPACR::ZERO
            };
            b.push(unpack.word());
        }
        b.sync();
        if bank == 0 && !ones {
            // Other datums for the second bank.
            b.set(c::THCON_SEC0_REG3_Base_address, (INPUT[1] >> 4) + 1);
            b.set(c::THCON_SEC1_REG3_Base_address, (INPUT[2] >> 4) + 1);
        }
    }
}

/// Distance from a modifier of the first set to that of the second.
const SECOND_AB: u32 = tc::ADDR_MOD_AB_SEC4_SrcAIncr.index - tc::ADDR_MOD_AB_SEC0_SrcAIncr.index;
const SECOND_DST: u32 = tc::ADDR_MOD_DST_SEC4_DestIncr.index - tc::ADDR_MOD_DST_SEC0_DestIncr.index;

fn address_modifiers(b: &mut Builder, phases: bool, random: &mut Random) {
    let ab = [
        tc::ADDR_MOD_AB_SEC0_SrcAIncr,
        tc::ADDR_MOD_AB_SEC1_SrcAIncr,
        tc::ADDR_MOD_AB_SEC2_SrcAIncr,
        tc::ADDR_MOD_AB_SEC3_SrcAIncr,
    ];
    let dst = [
        tc::ADDR_MOD_DST_SEC0_DestIncr,
        tc::ADDR_MOD_DST_SEC1_DestIncr,
        tc::ADDR_MOD_DST_SEC2_DestIncr,
        tc::ADDR_MOD_DST_SEC3_DestIncr,
    ];
    let flag = |random: &mut Random, n| u32::from(random.chance(n));
    let bias = [
        tc::ADDR_MOD_BIAS_SEC0_BiasIncr,
        tc::ADDR_MOD_BIAS_SEC1_BiasIncr,
        tc::ADDR_MOD_BIAS_SEC2_BiasIncr,
        tc::ADDR_MOD_BIAS_SEC3_BiasIncr,
    ];
    for ((ab, dst), bias) in ab.into_iter().zip(dst).zip(bias).skip(1) {
        let a = random.pick(&[0, 0, 0, 16]);
        let b_incr = random.pick(&[0, 0, 8, 8]);
        let word = a | flag(random, 30) << 6 | flag(random, 80) << 7;
        // The second set of modifiers is the one that the base or the bias selects.
        let word = word | b_incr << 8 | flag(random, 30) << 14 | flag(random, 80) << 15;
        b.thread_word(ab.index, word);
        b.thread_word(ab.index + SECOND_AB, word & !0x3F | random.pick(&[0, 16]));
        let to_copy = flag(random, 20);
        let (cr, clear) = if to_copy == 1 { (0, 0) } else { (flag(random, 30), flag(random, 30)) };
        let word = random.pick(&[0, 0, 8, 8, 8, 16]) | cr << 10 | clear << 11 | to_copy << 12;
        let phase = u32::from(phases) * flag(random, 80) * random.below(4);
        let word = word | phase << 13 | flag(random, 30) << 15;
        b.thread_word(dst.index, word);
        b.thread_word(dst.index + SECOND_DST, word & !0x3FF | random.pick(&[0, 8, 16]));
        b.thread_word(bias.index, flag(random, 16));
    }
    if random.chance(32) {
        b.set(tc::ADDR_MOD_SET_Base, 1);
    }
    if random.chance(32) {
        b.set(tc::DEST_TARGET_REG_CFG_MATH_Offset, 8 * random.below(8));
    }
    if phases && random.chance(32) {
        b.set(tc::FIDELITY_BASE_Phase, random.below(4));
    }
    if random.chance(16) {
        b.set(tc::CLR_DVALID_SrcA_Disable, 1);
    }
}

fn body(b: &mut Builder, mut mode: Mode, random: &mut Random) {
    b.part(Part::Body);
    for _ in 0..random.range(1, 32) {
        let word = instruction(&mut mode, random);
        b.push(word);
    }
}

fn instruction(mode: &mut Mode, random: &mut Random) -> u32 {
    let addr_mode = random.weighted(&[(4, 0), (2, 1), (2, 2), (1, 3)]);
    let dst = 8 * random.below(8);
    let clear_dvalid = if mode.changes_left > 0 && random.chance(8) {
        mode.changes_left -= 1;
        random.weighted(&[(4, 3), (1, 1), (1, 2)])
    } else {
        0
    };
    match random.below(32) {
        0..=4 if !mode.by_element => MVMUL { clear_dvalid, instr_mod19: 0, addr_mode, dst }.word(),
        5..=7 => {
            ELWMUL { clear_dvalid, dest_accum_en: 0, instr_mod19: random.below(4), addr_mode, dst }.word()
        }
        8 | 9 if !mode.phases => ELWADD {
            clear_dvalid,
            dest_accum_en: if mode.keeps_denormals { 0 } else { random.below(2) },
            instr_mod19: random.below(4),
            addr_mode,
            dst,
        }
        .word(),
        10 | 11 if !mode.phases => ELWSUB {
            clear_dvalid,
            dest_accum_en: if mode.keeps_denormals { 0 } else { random.below(2) },
            instr_mod19: random.below(4),
            addr_mode,
            dst,
        }
        .word(),
        12 if !mode.by_element => GAPOOL {
            clear_dvalid,
            instr_mod19: 1,
            addr_mode,
            max_pool_index_en: 0,
            dst: 4 * random.below(16),
        }
        .word(),
        13 if mode.ones => GMPOOL {
            clear_dvalid,
            instr_mod19: 1,
            addr_mode,
            max_pool_index_en: 0,
            dst: 4 * random.below(16),
        }
        .word(),
        14..=19 => move_(mode, addr_mode, random),
        20 => TRNSPSRCB {}.word(),
        21 if !mode.integers => zeroacc(addr_mode, random),
        22 => random
            .pick(&[
                ZEROSRC { bank_mask: 1, src_mask: 3, ..ZEROSRC::ZERO },
                ZEROSRC { write_mode: 1, src_mask: 1, ..ZEROSRC::ZERO },
                ZEROSRC { write_mode: 1, src_mask: 2, ..ZEROSRC::ZERO },
            ])
            .word(),
        23 => {
            GATESRCRST { reset_srcb_gate_control: random.below(2), reset_srca_gate_control: random.below(2) }
                .word()
        }
        24 => INCRWC {
            rwc_cr: random.pick(&[0, 4]),
            rwc_d: 8 * random.below(2),
            rwc_b: 8 * random.below(2),
            rwc_a: 0,
        }
        .word(),
        25 if mode.phases => {
            SETC16 { setc16_reg: tc::FIDELITY_BASE_Phase.index, setc16_value: random.below(4) }.word()
        }
        26 => SETC16 {
            setc16_reg: tc::DEST_TARGET_REG_CFG_MATH_Offset.index,
            setc16_value: 8 * random.below(8),
        }
        .word(),
        _ => {
            let rwc_cr = random.below(8);
            SETRWC {
                clear_ab_vld: clear_dvalid,
                rwc_cr,
                rwc_d: 8 * random.below(2),
                rwc_b: 8 * random.below(2),
                rwc_a: 0,
                bit_mask: random.below(16) | rwc_cr,
            }
            .word()
        }
    }
}

fn zeroacc(addr_mode: u32, random: &mut Random) -> u32 {
    match random.below(8) {
        0..=3 => ZEROACC { clear_mode: 0, addr_mode, dst: random.below(64) }.word(),
        4..=6 => ZEROACC { clear_mode: 1, addr_mode, dst: random.below(8) }.word(),
        _ => ZEROACC { clear_mode: random.pick(&[2, 3, 6, 7]), addr_mode, dst: 0 }.word(),
    }
}

fn move_(mode: &Mode, addr_mode: u32, random: &mut Random) -> u32 {
    let low = |random: &mut Random| u32::from(mode.wide && !mode.tf32 && !mode.halves && random.chance(48));
    // Counters are added to these, and the sum has to stay below 64.
    let (src, dst) = (4 * random.below(6), 4 * random.below(16));
    let eights = (src & !7, dst & !7);
    // Half precision and wide Dst do not go together.
    let moves_from_dst = if mode.wide { !mode.halves } else { !mode.tf32 && !mode.quarters };
    let kind = match mode {
        Mode { integers: true, .. } => 5,
        Mode { quarters: true, .. } => random.pick(&[0, 3, 5]),
        Mode { by_element: true, .. } => random.pick(&[0, 5]),
        _ => random.below(6),
    };
    match kind {
        0 => {
            MOVA2D { dest_32b_lo: low(random), src: eights.0, addr_mode, instr_mod: 2, dst: eights.1 }.word()
        }
        1 => MOVB2D { dest_32b_lo: low(random), src, addr_mode, instr_mod: random.pick(&[4, 5]), dst }.word(),
        2 => MOVB2D {
            dest_32b_lo: low(random),
            src: eights.0,
            addr_mode,
            instr_mod: random.pick(&[2, 3]),
            dst: eights.1,
        }
        .word(),
        3 if moves_from_dst => MOVD2A { dest_32b_lo: 0, src, addr_mode, instr_mod: 2, dst }.word(),
        4 if moves_from_dst => {
            MOVD2B { dest_32b_lo: low(random), src, addr_mode, instr_mod: random.pick(&[0, 2]), dst }.word()
        }
        _ => MOVB2A { srca: src, addr_mode, instr_mod: 2, srcb: 4 * random.below(6) }.word(),
    }
}
