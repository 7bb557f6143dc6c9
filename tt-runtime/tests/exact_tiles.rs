//! BF16 tiles that the device makes of weights without a second rounding, and products of many rows with them.

mod common;

use common::exact::full_tiles;
use common::exact_tiles::{Errors, Weights, bytes, largest_error, product, rounded, tiles, values};
use common::{Rng, open, seeds, simulator};
use tt_kernel_abi::exact::Kind;
use tt_runtime::layout::GgmlType;

/// What the matrix unit's sums of products lose.
const TOLERANCE: f64 = 1e-6;
/// With what rounding weights to BF16 loses: an error of up to 2^-8 of a weight's power of two, 2.4e-6 of the mean square if mantissas are evenly spread.
const WITH_ROUNDING: f64 = 3.5e-6;

/// Bit for bit, but for the sign of zeros and for scales that are no numbers.
#[test]
fn weights_of_every_type_are_rounded_once() {
    let device = simulator();
    for ty in GgmlType::ALL.iter().copied().filter(|&ty| Kind::of(ty).is_some()) {
        for [k, n] in [[256, 32], [512, 75], [2048, 96]] {
            let weights = Weights::of_blocks(&mut Rng::new(k as u64), ty, k, n);
            let got = values(k, &tiles(&device, &weights, 0, n));
            let want = weights.values();
            assert_eq!(got.len(), want.len());
            let finite = want.iter().filter(|want| want.is_finite()).count();
            assert!(4 * finite > 3 * want.len(), "{ty:?}: {finite} numbers");
            for (at, (&got, &want)) in got.iter().zip(&want).enumerate() {
                assert!(
                    !want.is_finite() || is_lost(ty, want) || got == rounded(want),
                    "{ty:?} {k} x {n}, column {} element {}: {got:e} instead of {want:e}",
                    at / k,
                    at % k
                );
            }
        }
    }
}

/// Whether a value may have one of `MXFP4`'s two smallest scales, 2^-128 and 2^-127, which are denormal and zero to the vector unit: integers have magnitudes up to 12.
fn is_lost(ty: GgmlType, value: f32) -> bool {
    ty == GgmlType::MXFP4 && value.abs() <= 12.0 * f32::MIN_POSITIVE / 2.0
}

/// Single tiles, groups of one to eight tiles, and fewer groups than there are workers.
#[test]
fn groups_of_any_length() {
    let device = simulator();
    for kind in Kind::ALL {
        for k_tiles in 1..=8 {
            for [k, n] in [[32 * k_tiles, 32], [512 + 32 * k_tiles, 300]] {
                let error = largest_error(&device, &mut Rng::new(k as u64), kind, [k, n]);
                assert!(error <= 1.0, "{kind:?} {k} x {n}: {error}");
            }
        }
    }
}

#[test]
fn a_part_of_the_columns_is_what_it_is_in_the_whole() {
    let device = simulator();
    for ty in [GgmlType::Q8_0, GgmlType::Q4_K] {
        let (k, n) = (768, 320);
        let weights = Weights::of_blocks(&mut Rng::new(1), ty, k, n);
        let whole = tiles(&device, &weights, 0, n);
        for (first, columns) in [(0, 32), (64, 224), (288, 32)] {
            let part = tiles(&device, &weights, first, columns);
            assert!(part[..] == whole[first * k * 2..][..part.len()], "{ty:?}: columns {first} and on");
        }
    }
}

fn check(errors: &Errors, what: &str) {
    let Errors { exact, of_tiles } = errors;
    assert!(*of_tiles < TOLERANCE, "{what}: error {of_tiles:.2e} over tiles");
    assert!(*exact < WITH_ROUNDING, "{what}: error {exact:.2e}");
}

#[test]
fn products_of_many_rows() {
    let device = simulator();
    for kind in Kind::ALL {
        for ([k, n, rows], columns) in
            [([576, 96, 33], 96), ([288, 416, 64], 160), ([1024, 320, 130], 320), ([256, 1024, 512], 1024)]
        {
            let (_, errors) = product(&device, &mut Rng::new(rows as u64), kind, [k, n, rows], columns);
            println!("{kind:?} {k} x {n}, {rows} rows: {errors:?}");
            check(&errors, &format!("{kind:?} {k} x {n}, {rows} rows"));
        }
    }
}

/// With random delays, and the race detector.
#[test]
fn it_does_not_race() {
    for seed in 0..seeds(1) {
        let device = open(&format!("sim,rows=1,async={seed}"));
        for kind in Kind::ALL {
            // More groups than there are slots, and what launches before have left.
            full_tiles(&device, &mut Rng::new(seed), 32 * (1 + seed as usize % 3));
            let k = 32 * (25 + seed as usize % 8);
            let error = largest_error(&device, &mut Rng::new(seed), kind, [k, 544]);
            assert!(error <= 1.0, "seed {seed}: {kind:?} {k}: {error}");
        }
        let kind = Kind::ALL[seed as usize % Kind::ALL.len()];
        let (_, errors) = product(&device, &mut Rng::new(seed), kind, [1184, 160, 70], 96);
        check(&errors, &format!("seed {seed}: {kind:?}"));
    }
}

#[test]
fn the_vendors_simulator_gives_the_same_bytes() {
    let Some(library) = std::env::var_os("TTSIM_LIB") else {
        println!("SKIPPED: TTSIM_LIB is not set");
        return;
    };
    let devices = [simulator(), open(&format!("ttsim:{}", library.to_string_lossy()))];
    for kind in Kind::ALL {
        for shape in [[32, 32], [800, 75]] {
            let [ours, theirs] =
                devices.each_ref().map(|device| bytes(device, &mut Rng::new(2), kind, shape));
            assert!(ours == theirs, "{kind:?} {shape:?}: other bytes");
        }
        let [ours, theirs] =
            devices.each_ref().map(|device| product(device, &mut Rng::new(3), kind, [416, 160, 40], 96).0);
        assert!(ours == theirs, "a product with {kind:?}: other bytes");
    }
}
