//! The vector unit against recorded results of the vendor's simulator.
//!
//! Each case's result is in `vectors/sfpu_<case>.hex`, recorded from the vendor's library (release_wh build of
//! ttsim 1.10, November 2026) as `support/vectors.rs` says. A case is a mode of an instruction; what it consists of
//! is in `support/sfpu.rs`.

mod support;

use support::sfpu::{LANEWISE, Trials, modes};
use support::{Program, vectors};
use tt_isa::insn::Opcode::{self, *};

#[test]
fn vendor_child() {
    support::vendor_child();
}

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
    LANEWISE.iter().copied().flat_map(of).collect()
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
