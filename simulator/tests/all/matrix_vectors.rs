//! The matrix unit against recorded results of the vendor's simulator.
//!
//! Each case's result is in `vectors/matrix_<case>.hex`, recorded from the vendor's library (release_wh build of
//! ttsim 1.10, November 2026) as `support/vectors.rs` says. A case is an instruction with a number system and a width
//! of Dst: a round of `support/matrix.rs`, which has it in all fidelity phases, broadcasts and row modes.

use crate::support::matrix::{Kind, Numbers, Size, Trials};
use crate::support::{Program, vectors};
use tt_isa::insn::Opcode::{self, *};

#[test]
fn results_are_the_vendors() {
    vectors::check(cases());
}

fn cases() -> Vec<(String, Program)> {
    use Numbers::{Float, Half, Int8};
    let arithmetic = [(Float, true), (Float, false), (Half, true), (Half, false), (Int8, true)];
    let floats = [(Float, true), (Float, false)];
    let mut cases = Vec::new();
    for (kind, opcode) in [
        (Kind::Matrices, MVMUL),
        (Kind::Matrices, GAPOOL),
        (Kind::Products, ELWMUL),
        (Kind::Sums, ELWADD),
        (Kind::Sums, ELWSUB),
    ] {
        cases.extend(arithmetic.map(|(numbers, wide)| case(kind, opcode, numbers, wide)));
    }
    cases.extend(floats.map(|(numbers, wide)| case(Kind::Maxima, GMPOOL, numbers, wide)));
    for opcode in [MOVA2D, MOVB2D, MOVD2A, MOVD2B, MOVB2A, TRNSPSRCB, ZEROSRC] {
        cases.extend(floats.map(|(numbers, wide)| case(Kind::Moves, opcode, numbers, wide)));
    }
    for opcode in [MOVA2D, MOVB2D, MOVD2A, MOVD2B] {
        cases.push(case(Kind::Moves, opcode, Half, false));
    }
    cases
}

fn case(kind: Kind, opcode: Opcode, numbers: Numbers, wide: bool) -> (String, Program) {
    let width = if wide { 32 } else { 16 };
    let name = format!("matrix_{opcode:?}_{numbers:?}_{width}").to_lowercase();
    let seed = u64::from(opcode as u8) << 8 | (numbers as u64) << 4 | u64::from(wide);
    let mut trials = Trials::new(seed, Size { rows: 64, banks: kind == Kind::Moves }, 1);
    trials.round(kind, numbers, wide, Some(opcode));
    (name, trials.finish())
}
