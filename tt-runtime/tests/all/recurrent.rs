//! State that is carried from token to token, on the simulated card, against FP64 on the host.

use crate::common::recurrent::{CASES, Case, run};
use crate::common::{Rng, simulator};

#[test]
fn states_and_results() {
    let device = simulator();
    for case in CASES {
        let (got, want) = run(&device, &mut Rng::new(13), case).unwrap();
        assert_eq!(got.len(), want.len());
        for (i, (&got, &want)) in got.iter().zip(&want).enumerate() {
            let error = (f64::from(got) - want).abs();
            assert!(error <= 5e-6 * want.abs().max(1.0), "{case:?} {i}: {got}, not {want}");
        }
    }
}

/// What is not finite stays in its line, and the others are what they are without it.
#[test]
fn an_infinite_value() {
    let device = simulator();
    for case in CASES {
        let case = Case { infinite: true, ..case };
        let (got, want) = run(&device, &mut Rng::new(14), case).unwrap();
        assert!(want.iter().any(|value| !value.is_finite()) && want.iter().any(|value| value.is_finite()));
        for (i, (&got, &want)) in got.iter().zip(&want).enumerate() {
            let error = (f64::from(got) - want).abs();
            let right = if want.is_finite() { error <= 5e-6 * want.abs().max(1.0) } else { !got.is_finite() };
            assert!(right, "{case:?} {i}: {got}, not {want}");
        }
    }
}
