//! Windows over images on the simulated card: unrolled ones bit for bit, reduced ones against FP64 on the host.

mod common;

use common::windows::{CASES, Kind, run_reduce, run_unroll};
use common::{Rng, simulator};

#[test]
fn windows_become_rows() {
    let device = simulator();
    for case in CASES {
        let [got, want] = run_unroll(&device, &mut Rng(3), case).unwrap();
        assert!(got == want, "{case:?}: byte {:?} differs", (0..got.len()).find(|&i| got[i] != want[i]));
    }
}

#[test]
fn windows_become_numbers() {
    let device = simulator();
    for case in CASES.into_iter().filter(|case| case.ne[2] == 1) {
        for kind in [Kind::Average, Kind::AverageInside, Kind::Maximum, Kind::WeightedSum] {
            let (got, want) = run_reduce(&device, &mut Rng(7), case, kind).unwrap();
            assert_eq!(got.len(), want.len());
            for (i, (&got, &want)) in got.iter().zip(&want).enumerate() {
                let error = (f64::from(got) - want).abs();
                assert!(error <= 2e-6 * want.abs().max(1.0), "{case:?} {kind:?} {i}: {got}, not {want}");
            }
        }
    }
}
