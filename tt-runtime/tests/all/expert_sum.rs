//! Sums of what a token's experts have made: the bits of single precision, on every simulator.

use crate::common::expert_sum::{CASES, Case, run};
use crate::common::{Rng, open, seeds, simulator};

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn every_product_and_sum_is_rounded_as_by_itself() {
    let (device, mut rng) = (simulator(), Rng::new(1));
    for case in CASES {
        let [found, wanted] = run(&device, &mut rng, case).expect("no finding");
        assert!(bits(&found) == bits(&wanted), "{case:?}: other bits");
    }
}

#[test]
fn it_does_not_race() {
    for seed in 0..seeds(2) {
        let (device, mut rng) = (open(&format!("sim,rows=1,async={seed}")), Rng::new(seed + 1));
        for case in [Case { residual: true, ..Case::new(320, 5, 9) }, Case::new(1024, 3, 20)] {
            let [found, wanted] = run(&device, &mut rng, case).expect("no finding");
            assert!(bits(&found) == bits(&wanted), "seed {seed}: {case:?}: other bits");
        }
    }
}

#[test]
fn the_vendors_simulator_gives_the_same_bytes() {
    let Some(library) = std::env::var_os("TTSIM_LIB") else {
        println!("SKIPPED: TTSIM_LIB is not set");
        return;
    };
    let device = open(&format!("ttsim:{}", library.to_string_lossy()));
    for case in CASES {
        let [found, wanted] = run(&device, &mut Rng::new(2), case).expect("no finding");
        assert!(bits(&found) == bits(&wanted), "{case:?}: other bits");
    }
}
