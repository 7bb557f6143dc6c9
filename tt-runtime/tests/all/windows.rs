//! Windows over images on the simulated card: those that become rows bit for bit, reduced ones against FP64 on the host.

use crate::common::windows::{CASES, Kind, run_im2col, run_reduce};
use crate::common::{Rng, folds, simulator};
use tt_runtime::ops::resample::Filter;

#[test]
fn windows_become_rows() {
    let device = simulator();
    for case in CASES {
        let [got, want] = run_im2col(&device, &mut Rng::new(3), case).unwrap();
        assert!(got == want, "{case:?}: byte {:?} differs", (0..got.len()).find(|&i| got[i] != want[i]));
    }
}

#[test]
fn windows_become_numbers() {
    let device = simulator();
    for case in CASES.into_iter().filter(|case| case.ne[2] == 1) {
        for kind in [Kind::Average, Kind::AverageInside, Kind::Maximum, Kind::WeightedSum] {
            let (got, want) = run_reduce(&device, &mut Rng::new(7), case, kind).unwrap();
            assert_eq!(got.len(), want.len());
            for (i, (&got, &want)) in got.iter().zip(&want).enumerate() {
                let error = (f64::from(got) - want).abs();
                assert!(error <= 2e-6 * want.abs().max(1.0), "{case:?} {kind:?} {i}: {got}, not {want}");
            }
        }
    }
}

#[test]
fn windows_are_put_back() {
    let device = simulator();
    for run in [folds::run_windows, folds::run_products] {
        let (got, want) = run(&device, &mut Rng::new(19)).unwrap();
        for (i, (&got, &want)) in got.iter().zip(&want).enumerate() {
            assert!((f64::from(got) - want).abs() <= 2e-6 * want.abs().max(1.0), "{i}: {got}, not {want}");
        }
    }
}

#[test]
fn images_are_made_larger() {
    let device = simulator();
    let nearest = folds::run_resample(&device, Filter::Nearest).unwrap();
    assert_eq!(nearest[8..16], [0.0, 0.0, 4.0, 4.0, 8.0, 8.0, 12.0, 12.0]);
    // Columns are at -1/4, 1/4, 3/4, 5/4 of the source's, rows at -1/3, 0, 1/3 and on.
    let linear = folds::run_resample(&device, Filter::Linear).unwrap();
    for (row, down) in [0.0, 0.0, 8.0 / 3.0, 16.0 / 3.0, 8.0, 8.0].into_iter().enumerate() {
        for (column, across) in [0.0, 1.0, 3.0, 4.0].into_iter().enumerate() {
            let (got, want) = (linear[4 * row + column], down + across);
            assert!((got - want).abs() < 1e-5f32, "{row} {column}: {got}, not {want}");
        }
    }
}
