//! The vector unit against recorded results of the vendor's simulator.
//!
//! Each case's result is in `vectors/sfpu_<case>.hex`, recorded from the vendor's library (release_wh build
//! of ttsim 1.10, November 2026) as `support/vectors.rs` says. A case is a mode of an instruction; what it
//! consists of is in `support/sfpu.rs`.

use crate::support::sfpu::{LANEWISE, Trials, modes};
use crate::support::{Program, vectors};
use tt_isa::chip::wormhole::thread as tc;
use tt_isa::insn::Opcode::{self, *};
use tt_isa::insn::{SETRWC, SFPLOAD, SFPSTORE};
use tt_isa::sfpu::mod0_fmt;

#[test]
fn results_are_the_vendors() {
    vectors::check(cases());
}

fn cases() -> Vec<(String, Program)> {
    let of = |opcode: Opcode| {
        modes(opcode)
            .iter()
            .map(move |&mode| (format!("sfpu_{opcode:?}_{mode}").to_lowercase(), case(opcode, mode)))
    };
    let sequences = (0..4).map(|seed| (format!("sfpu_sequence_{seed}"), sequences(seed)));
    let more = [("sfpu_addressing".to_string(), addressing())];
    LANEWISE.iter().copied().flat_map(of).chain(sequences).chain(more).collect()
}

/// Instructions one after another, with `SFPPUSHC`, `SFPPOPC` and `SFPCOMPC`.
fn sequences(seed: u64) -> Program {
    let mut trials = Trials::new(0xC0_FFEE + seed, 1);
    while trials.room() >= 9 {
        trials.sequence();
    }
    trials.finish()
}

/// Loads and stores that go on by address modifiers, from a base and an offset, and around Dst's end.
fn addressing() -> Program {
    let mut trials = Trials::new(0xADD2, 1);
    for (field, value) in [
        (tc::DEST_TARGET_REG_CFG_MATH_Offset, 32),
        (tc::ADDR_MOD_DST_SEC1_DestIncr, 2),
        (tc::ADDR_MOD_DST_SEC2_DestIncr, 6),
        (tc::ADDR_MOD_DST_SEC2_DestCR, 1),
        (tc::ADDR_MOD_DST_SEC3_DestIncr, 10),
        (tc::ADDR_MOD_DST_SEC3_DestCToCR, 1),
        (tc::ADDR_MOD_DST_SEC6_DestIncr, 4),
        (tc::ADDR_MOD_DST_SEC0_DestClear, 1),
        (tc::ADDR_MOD_BIAS_SEC3_BiasIncr, 1),
        (tc::ADDR_MOD_BIAS_SEC6_BiasIncr, 1),
    ] {
        trials.p.set(field, value);
    }
    trials.push(SETRWC { rwc_d: 4, bit_mask: 4, ..SETRWC::ZERO }.word());
    let load = |lreg_ind, sfpu_addr_mode, dest_reg_addr| {
        self::SFPLOAD { lreg_ind, instr_mod0: mod0_fmt::INT32, sfpu_addr_mode, dest_reg_addr }.word()
    };
    let store = |lreg_ind, sfpu_addr_mode, dest_reg_addr| {
        self::SFPSTORE { lreg_ind, instr_mod0: mod0_fmt::INT32, sfpu_addr_mode, dest_reg_addr }.word()
    };
    // Base 4 and offset 32: 988 more is the first row again.
    for (register, mode) in [(0, 1), (1, 1), (2, 2), (3, 1), (4, 3), (5, 2), (6, 1), (7, 2)] {
        trials.push(load(register, mode, if register < 4 { 988 } else { 0 }));
    }
    for (register, mode) in [(0, 1), (1, 2), (2, 1), (3, 3), (4, 2), (5, 1), (6, 2), (7, 0)] {
        trials.push(store(register, mode, 32));
    }
    trials.push(store(0, 0, 90));
    trials.p.set(tc::DEST_TARGET_REG_CFG_MATH_Offset, 0);
    trials.finish()
}

/// As many trials of a mode as one group of results has room for.
fn case(opcode: Opcode, mode: u32) -> Program {
    let mut trials = Trials::new(u64::from(opcode as u8) << 8 | u64::from(mode), 1);
    // Stores write over results of other trials; a few are enough.
    let most = if opcode == SFPSTORE { 10 } else { u32::MAX };
    for _ in 0..most {
        let word = trials.legal_mode(opcode, mode);
        let registers = results(opcode, word);
        if trials.room() <= registers.len() as u32 {
            break;
        }
        trials.trial(word, &registers);
    }
    trials.finish()
}

/// Registers that an instruction may have changed.
fn results(opcode: Opcode, word: u32) -> Vec<u32> {
    let (vc, vd) = (word >> 8 & 15, word >> 4 & 15);
    match opcode {
        SFPLOAD | SFPLOADI | SFPLUT => vec![(word >> 20 & 15).min(7)],
        SFPSTORE | SFPSETCC | SFPENCC => vec![],
        SFPTRANSP => (0..8).collect(),
        SFPSWAP => vec![vc.min(7), vd.min(7), 4 + (vc & 3)],
        SFPCONFIG => vec![0],
        _ => vec![vd],
    }
}
