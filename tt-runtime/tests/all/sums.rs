//! Weighted sums of rows, balanced matrices and triangular systems on the simulated card, against FP64 on the host.

use crate::common::sums::{SUMS, TRIANGULAR, balance, check, solve, sum};
use crate::common::{Rng, simulator};

#[test]
fn weighted_sums() {
    let device = simulator();
    for case in SUMS {
        check(&format!("{case:?}"), sum(&device, &mut Rng::new(21), case), 1e-6);
    }
}

#[test]
fn balanced_matrices() {
    check("balance", balance(&simulator(), &mut Rng::new(22), 300), 1e-6);
}

#[test]
fn triangular_systems() {
    let device = simulator();
    for case in TRIANGULAR {
        // A solution that grows takes the errors of its first rows along.
        let bound = if case.growing { 1e-4 } else { 1e-6 };
        check(&format!("{case:?}"), solve(&device, &mut Rng::new(23), case), bound);
    }
}
