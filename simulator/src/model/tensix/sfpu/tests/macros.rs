//! `SFPLOADMACRO`: what it schedules and when, and what is refused.

use tt_isa::insn::*;
use tt_isa::sfpu::{mod0_fmt as fmt, sfpconfig, sfploadmacro as bits};

use super::*;
use crate::model::tensix::dst;

/// A sub-unit's part of a sequence.
fn part(select: u32, delay: u32, flags: u32) -> u32 {
    select | delay << bits::DELAY_SHIFT | flags
}

/// A coprocessor with Dst rows of numbers, whose macro 1 schedules these parts (simple, MAD, round, store).
fn prepared(templates: [u32; 4], parts: [u32; 4], misc: u32) -> Tensix {
    let mut t = crate::model::tensix::testing::tensix();
    for row in 0..64 {
        t.dst.write32(row, &std::array::from_fn(|i| dst::encode32((row * 16 + i) as u32)));
    }
    for (template, word) in t.sfpu.load_macro.templates.iter_mut().zip(templates) {
        *template = [word; 8];
    }
    let sequence = parts.iter().rev().fold(0, |sequence, part| sequence << 8 | part);
    t.sfpu.load_macro.sequences[1] = [sequence; 8];
    t.sfpu.load_macro.misc = [misc; 8];
    t
}

/// Stores in the load's format, delays in instructions.
const MISC: u32 = 0xFF0;
const NOP_WORD: u32 = SFPNOP {}.word();
const FIRST: u32 = bits::SELECT_TEMPLATE;

/// Macro 1 on a register of integers at a Dst row.
fn load_macro(register: u32, row: u32) -> u32 {
    SFPLOADMACRO {
        lreg_ind: 1 << 2 | register & 3,
        instr_mod0: fmt::INT32,
        sfpu_addr_mode: 0,
        dest_reg_addr: row | register >> 2,
    }
    .word()
}

fn add(lreg_c: u32, lreg_dest: u32, immediate: u32) -> u32 {
    SFPIADD { imm12_math: immediate, lreg_c, lreg_dest, instr_mod1: 5 }.word()
}

/// Executes words of thread 1, one a step, and lets things settle.
fn run(t: &mut Tensix, words: &[u32]) -> Result<(), Fault> {
    let mut l1 = crate::model::tensix::testing::l1();
    for &word in words {
        t.push(1, word, true);
    }
    crate::model::tensix::testing::run(t, 1, &mut l1).map(|_| ())
}

fn datum(t: &Tensix, row: usize, column: usize) -> u32 {
    dst::decode32(t.dst.read32(row)[column])
}

#[test]
fn a_register_is_changed_and_stored() {
    // Loaded, 5 added in the next cycle, stored in the one after.
    let parts = [part(FIRST, 0, 0), 0, 0, part(bits::SELECT_STORE, 1, 0)];
    let mut t = prepared([add(0, 0, 5), 0, 0, 0], parts, MISC);
    run(&mut t, &[load_macro(5, 8), load_macro(2, 12), NOP_WORD, NOP_WORD]).unwrap();
    for (row, column) in [(8, 0), (11, 14), (12, 0), (15, 2)] {
        assert_eq!(datum(&t, row, column), (row * 16 + column) as u32 + 5);
        assert_eq!(datum(&t, row, column + 1), (row * 16 + column) as u32 + 1, "the other columns");
    }
    assert_eq!((t.sfpu.lreg[5][0], t.sfpu.lreg[2][0]), (8 * 16 + 5, 12 * 16 + 5));
}

#[test]
fn one_cycle_reads_what_was_before() {
    // Store and sum in the same cycle.
    let parts = [part(FIRST, 0, 0), 0, 0, part(bits::SELECT_STORE, 0, 0)];
    let mut t = prepared([add(0, 0, 5), 0, 0, 0], parts, MISC);
    t.cfg.set_thread(1, tt_isa::chip::wormhole::thread::DEST_TARGET_REG_CFG_MATH_Offset.index, 4).unwrap();
    run(&mut t, &[load_macro(3, 4), NOP_WORD]).unwrap();
    assert_eq!((datum(&t, 8, 0), t.sfpu.lreg[3][0]), (128, 133));
    // A regular instruction of another sub-unit, too.
    let mut t = prepared([add(0, 0, 5), 0, 0, 0], [part(FIRST, 0, 0), 0, 0, 0], MISC);
    let store = SFPSTORE { lreg_ind: 3, instr_mod0: fmt::INT32, sfpu_addr_mode: 0, dest_reg_addr: 32 }.word();
    run(&mut t, &[load_macro(3, 4), store, store | 4]).unwrap();
    assert_eq!((datum(&t, 32, 0), datum(&t, 36, 0)), (64, 69));
}

#[test]
fn products_are_a_cycle_late() {
    let double = SFPADD { lreg_src_a: 10, lreg_src_b: 4, lreg_src_c: 4, ..SFPADD::ZERO }.word();
    for (delay, expected) in [(1, 3f32), (2, 6f32)] {
        // 1.0 * LReg[4] + the loaded register.
        let parts = [0, part(FIRST + 1, 0, 0), 0, part(bits::SELECT_STORE, delay, 0)];
        let mut t = prepared([0, double, 0, 0], parts, MISC);
        t.dst.write32(8, &[dst::encode32(3f32.to_bits()); dst::COLS]);
        t.sfpu.lreg[4] = [3f32.to_bits(); LANES];
        run(&mut t, &[load_macro(0, 8), NOP_WORD, NOP_WORD, NOP_WORD]).unwrap();
        assert_eq!(f32::from_bits(datum(&t, 8, 0)), expected, "delay {delay}");
        assert_eq!(f32::from_bits(t.sfpu.lreg[0][0]), 6.0);
    }
}

#[test]
fn the_macros_register_takes_results() {
    // Simple sub-unit: register 16 = 7 - loaded (VB); store of 16.
    let subtract = SFPIADD { imm12_math: 0, lreg_c: 6, lreg_dest: 0, instr_mod1: 6 }.word();
    let flags = bits::USE_MACRO_REGISTER | bits::REPLACE_VB;
    let parts = [part(FIRST, 0, flags), 0, 0, part(bits::SELECT_STORE, 1, bits::USE_MACRO_REGISTER)];
    let mut t = prepared([subtract, 0, 0, 0], parts, MISC);
    t.sfpu.lreg[6] = [1_000; LANES];
    run(&mut t, &[load_macro(1, 20), NOP_WORD, NOP_WORD]).unwrap();
    assert_eq!((datum(&t, 20, 4), t.sfpu.lreg[1][2]), (1_000 - 324, 324));
    // A store of its own register, in its own format.
    let store = SFPSTORE { lreg_ind: 6, instr_mod0: 0, ..SFPSTORE::ZERO }.word();
    let parts = [0, 0, 0, part(FIRST, 0, bits::REPLACE_VB)];
    let mut t = prepared([store, 0, 0, 0], parts, fmt::UINT16);
    t.sfpu.lreg[6] = [0x1_2345; LANES];
    run(&mut t, &[load_macro(1, 20), NOP_WORD]).unwrap();
    assert_eq!(t.dst.read16(20)[0], 0x2345);
}

#[test]
fn other_instructions_are_cycles_but_do_not_count() {
    let parts = [0, 0, 0, part(bits::SELECT_STORE, 1, 0)];
    let mut t = prepared([0; 4], parts, MISC);
    let other = NOP {}.word();
    // The store goes elsewhere than the load came from: what it writes is what it reads.
    run(&mut t, &[load_macro(1, 20), other, other]).unwrap();
    assert!(t.sfpu.has_scheduled(), "one more instruction of the vector unit has to come");
    run(&mut t, &[add(1, 1, 1), other]).unwrap();
    assert!(!t.sfpu.has_scheduled());
    assert_eq!(datum(&t, 20, 0), 321);
}

#[test]
fn an_instruction_of_the_same_time_is_forgotten() {
    let parts = [part(FIRST, 1, 0), 0, 0, 0];
    let mut t = prepared([add(0, 0, 5), add(0, 0, 9), 0, 0], parts, MISC);
    // Macro 0 schedules for the cycle after it: the same.
    t.sfpu.load_macro.sequences[0] = [part(FIRST + 1, 0, 0); 8];
    let other = load_macro(2, 12) & !(1 << 22);
    run(&mut t, &[load_macro(1, 8), other, NOP_WORD, NOP_WORD]).unwrap();
    assert_eq!((t.sfpu.lreg[1][0], t.sfpu.lreg[2][0]), (128, 192 + 9));
}

#[test]
fn a_swap_needs_two_cycles() {
    let swap = SFPSWAP { lreg_dest: 2, instr_mod1: 0, ..SFPSWAP::ZERO }.word();
    let parts = [part(FIRST, 0, bits::REPLACE_VB), part(bits::SELECT_NOP, 0, 0), 0, 0];
    let mut t = prepared([swap, 0, 0, 0], parts, MISC);
    t.sfpu.lreg[0] = [7; LANES];
    run(&mut t, &[load_macro(1, 8), NOP_WORD, NOP_WORD]).unwrap();
    assert_eq!((t.sfpu.lreg[0][0], t.sfpu.lreg[1][0]), (128, 7));
}

#[test]
fn what_is_refused() {
    let found = |t: &mut Tensix, words: &[u32], text: &str| {
        let fault = run(t, words).expect_err(text).to_string();
        assert!(fault.contains(text) && fault.contains("SFPLOADMACRO.md"), "{fault}");
    };
    let simple = [part(FIRST, 0, 0), 0, 0, 0];
    let template = [add(0, 0, 5), 0, 0, 0];
    found(&mut prepared(template, simple, MISC), &[load_macro(1, 8), add(2, 2, 1)], "is lost");
    let later = [part(FIRST, 2, 0), 0, 0, 0];
    found(&mut prepared(template, later, 0), &[load_macro(1, 8)], "depend on stalls");
    let mut uneven = prepared(template, simple, MISC);
    uneven.sfpu.load_macro.templates[0][3] = 0;
    found(&mut uneven, &[load_macro(1, 8)], "in each lane");
    found(&mut prepared(template, [1, 0, 0, 0], MISC), &[load_macro(1, 8)], "schedules 1");
    found(&mut prepared(template, [0, 0, 0, FIRST], MISC), &[load_macro(1, 8)], "Store sub-unit");
    let round = SFP_STOCH_RND { instr_mod1: 1, ..SFP_STOCH_RND::ZERO }.word();
    let both = [part(FIRST, 0, 0), 0, part(FIRST + 1, 0, 0), 0];
    let mut crowded = prepared([add(0, 0, 5), round, 0, 0], both, MISC);
    found(&mut crowded, &[load_macro(1, 8), NOP_WORD], "in one cycle");
    let swap = SFPSWAP { instr_mod1: 1, ..SFPSWAP::ZERO }.word();
    let mut alone = prepared([swap, 0, 0, 0], simple, MISC);
    found(&mut alone, &[load_macro(1, 8), NOP_WORD], "without SFPNOP");
    let with_nop = [part(FIRST, 0, 0), part(bits::SELECT_NOP, 0, 0), part(FIRST + 1, 1, 0), 0];
    let mut next = prepared([swap, round, 0, 0], with_nop, MISC);
    found(&mut next, &[load_macro(1, 8), NOP_WORD, NOP_WORD], "after a scheduled SFPSWAP");
}

/// Tables written as software does it: templates by their own words, sequences and Misc by `SFPCONFIG`.
#[test]
fn tables_are_written_by_programs() {
    let mut t = prepared([0; 4], [0; 4], 0);
    let sequence = part(FIRST, 0, 0) | part(bits::SELECT_STORE, 1, 0) << 24;
    let immediate = |lreg_ind, instr_mod0, imm16| SFPLOADI { lreg_ind, instr_mod0, imm16 }.word();
    let config =
        |config_dest, imm16_math, instr_mod1| SFPCONFIG { imm16_math, config_dest, instr_mod1 }.word();
    run(
        &mut t,
        &[
            add(0, 12, 7),
            immediate(0, 0, sequence >> 16),
            immediate(0, 10, sequence & 0xFFFF),
            config(sfpconfig::SEQUENCE + 1, 0, 0),
            config(sfpconfig::MISC, MISC, sfpconfig::IMM16_IS_VALUE),
            load_macro(4, 40),
            NOP_WORD,
            NOP_WORD,
        ],
    )
    .unwrap();
    assert_eq!(datum(&t, 43, 14), 43 * 16 + 14 + 7);
}
