//! Random matrix unit instructions give equal Dst, SrcA and SrcB here and on the vendor's simulator.
//!
//! Needs `TTSIM_LIB`. `MATRIX_RANDOM_PROGRAMS` is how many programs of each kind run (default 2); a program has about
//! a thousand instructions. The tests print the numbers of instructions.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::matrix::{Kind, Numbers, Size, Trials, numbers};
use crate::support::{run_here, run_vendor, vectors, vendor_library};

#[test]
fn matrices() {
    compare_all(Kind::Matrices);
}

#[test]
fn products() {
    compare_all(Kind::Products);
}

#[test]
fn sums() {
    compare_all(Kind::Sums);
}

#[test]
fn maxima() {
    compare_all(Kind::Maxima);
}

#[test]
fn moves() {
    compare_all(Kind::Moves);
}

fn compare_all(kind: Kind) {
    let Some(library) = vendor_library() else { return };
    let programs = std::env::var("MATRIX_RANDOM_PROGRAMS").ok().and_then(|n| n.parse().ok()).unwrap_or(2);
    let mut counts = BTreeMap::new();
    for &numbers in numbers(kind) {
        for seed in 0..programs {
            compare(&library, kind, numbers, seed, &mut counts);
        }
    }
    println!("instructions: {counts:?}");
}

fn compare(library: &Path, kind: Kind, numbers: Numbers, seed: u64, counts: &mut BTreeMap<&str, u64>) {
    let name = format!("matrix_random_{kind:?}_{numbers:?}_{seed}");
    let number = seed << 8 | (kind as u64) << 4 | numbers as u64;
    let mut trials = Trials::new(number + 1, Size::ALL, Size::ALL.most_rounds());
    for _ in 0..Size::ALL.most_rounds() {
        let wide = trials.any_width();
        trials.round(kind, numbers, wide, None);
    }
    for (name, count) in &trials.counts {
        *counts.entry(name).or_default() += count;
    }
    let program = trials.finish();
    let theirs = run_vendor(library, &program, &name).unwrap_or_else(|text| panic!("{name}: vendor: {text}"));
    let ours = run_here(&program).unwrap_or_else(|text| panic!("{name}: {text}"));
    if let Some(difference) = vectors::difference(&name, &ours, &theirs) {
        panic!("{difference}");
    }
}
