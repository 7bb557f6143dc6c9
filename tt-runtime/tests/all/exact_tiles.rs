//! F16 and BF16 tiles that the device makes of weights without a second rounding, and products of many rows with them.

use crate::common::exact::full_tiles;
use crate::common::exact_tiles::{
    Errors, GATED, TILES, gated, gated_steps_apart, largest_error, of_blocks, product, rounded, seen,
    steps_apart,
};
use crate::common::{Rng, open, seeds, simulator};
use tt_kernel_abi::exact::Kind;
use tt_runtime::ElementType;
use tt_runtime::layout::GgmlType;

/// What the matrix unit's sums of products lose.
const TOLERANCE: f64 = 1e-6;
/// With what rounding weights loses. To BF16: an error of up to 2^-8 of a weight's power of two, 2.4e-6 of the mean square if mantissas are evenly spread.
const WITH_ROUNDING: f64 = 3.5e-6;
/// To F16, nine bits of which are multiplied: a sixteenth of that is a small part of this.
const WITH_F16: f64 = 1e-6;

/// Bit for bit, but for the sign of zeros and for scales that are no numbers. Each tile holds what it multiplies with, or a row of the grid does.
#[test]
fn weights_of_every_type_are_rounded_once() {
    let device = simulator();
    for ty in GgmlType::ALL.iter().copied().filter(|&ty| Kind::of(ty).is_some()) {
        for ([k, n], rows) in [([256, 32], 256), ([512, 96], 512), ([2048, 2400], 96), ([2048, 320], 512)] {
            let (matrix, want) = of_blocks(&mut Rng::new(k as u64), ty, k, n);
            // All of K, or elements far apart.
            let picks: Vec<_> = (0..rows).map(|row| row * (k / rows) + row % (k / rows)).collect();
            // (These have every scale, and so are not in F16's range.)
            let got = seen(&device, &matrix, &picks, ElementType::TilesBf16);
            let finite = want.iter().filter(|want| want.is_finite()).count();
            assert!(4 * finite > 3 * want.len(), "{ty:?}: {finite} numbers");
            for (row, &pick) in picks.iter().enumerate() {
                for column in 0..n {
                    let (got, want) = (got[row * n + column], want[column * k + pick]);
                    assert!(
                        !want.is_finite() || is_lost(ty, want) || got == rounded(want),
                        "{ty:?} {k} x {n}, column {column} element {pick}: {got:e} instead of {want:e}"
                    );
                }
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
            for ([k, n], rows) in [([32 * k_tiles, 32], 64), ([512 + 32 * k_tiles, 320], 160)] {
                let picks: Vec<_> = (0..rows).map(|row| row * 7 % k).collect();
                for tiles in TILES {
                    let mut rng = Rng::new(k as u64);
                    let error = largest_error(&device, &mut rng, kind, [k, n], &picks, tiles);
                    assert!(error <= 1.0, "{kind:?} {k} x {n} {tiles:?}: {error}");
                }
            }
        }
    }
}

/// A row of a matrix gives the same sums whatever other columns are computed with it.
#[test]
fn parts_are_what_they_are_in_the_whole() {
    let device = simulator();
    for (kind, tiles) in [Kind::Scale, Kind::SuperMin].into_iter().zip(TILES) {
        for rows in [64, 192] {
            let of = |cut| product(&device, &mut Rng::new(1), kind, [320, 9216, rows], cut, tiles).0;
            let whole = of(None);
            assert!(
                [[2, 1], [4, 1], [2, 2]].into_iter().all(|cut| of(Some(cut)) == whole),
                "{kind:?}, {rows} rows"
            );
        }
    }
}

/// The product looks for tiles of the step right before it.
#[test]
fn tiles_of_another_step_are_refused() {
    let device = simulator();
    for rows in [64, 192] {
        let [left, other] = steps_apart(&device, &mut Rng::new(1), [512, 256, rows]);
        assert!(left.is_ok(), "{rows} rows: {left:?}");
        let error = other.expect_err("something was between them").to_string();
        assert!(error.contains("tiles in L1 of launch"), "{error}");
    }
}

/// A gated unit looks for both matrices' tiles, each in its place.
#[test]
fn gated_units_refuse_tiles_of_another_step() {
    let [left, between, swapped] = gated_steps_apart(&simulator(), &mut Rng::new(1), [512, 256, 192]);
    assert!(left.is_ok(), "{left:?}");
    for other in [between, swapped] {
        let error = other.expect_err("tiles of another step").to_string();
        assert!(error.contains("tiles in L1 of launch"), "{error}");
    }
}

#[test]
fn gated_units_in_one_launch_are_the_same_bytes() {
    let device = simulator();
    for kind in Kind::ALL {
        for (case, tiles) in GATED.iter().flat_map(|case| TILES.map(|tiles| (case, tiles))) {
            gated(&device, &mut Rng::new(5), kind, case, tiles);
        }
    }
}

fn check(errors: &Errors, tiles: ElementType, what: &str) {
    let Errors { exact, of_tiles } = errors;
    let bound = if tiles == ElementType::TilesF16 { WITH_F16 } else { WITH_ROUNDING };
    assert!(*of_tiles < TOLERANCE, "{what} {tiles:?}: error {of_tiles:.2e} over tiles");
    assert!(*exact < bound, "{what} {tiles:?}: error {exact:.2e}");
}

#[test]
fn products_of_many_rows() {
    let device = simulator();
    for kind in Kind::ALL {
        for ([k, n, rows], cut) in [
            ([576, 96, 33], None),
            ([288, 4160, 64], Some([2, 1])),
            ([1024, 320, 130], None),
            ([256, 1024, 512], None),
            ([800, 608, 300], Some([2, 1])),
        ] {
            for tiles in TILES {
                let mut rng = Rng::new(rows as u64);
                let (_, errors) = product(&device, &mut rng, kind, [k, n, rows], cut, tiles);
                println!("{kind:?} {k} x {n}, {rows} rows, {tiles:?}: {errors:?}");
                check(&errors, tiles, &format!("{kind:?} {k} x {n}, {rows} rows"));
            }
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
            let picks: Vec<_> = (0..40).map(|row| row * 19 % k).collect();
            // (Both after the other.)
            for tiles in TILES {
                let error = largest_error(&device, &mut Rng::new(seed), kind, [k, 544], &picks, tiles);
                assert!(error <= 1.0, "seed {seed}: {kind:?} {k} {tiles:?}: {error}");
            }
        }
        // The same bytes as without delays. (Among so many sums there may be one that the matrix unit gets wrong: it cancels to -1 in the last bit, `accumulate.rs` of the simulator.)
        let (kind, at_once) = (Kind::ALL[seed as usize % Kind::ALL.len()], open("sim,rows=1"));
        for (n, rows, cut) in [(544, 70, Some([2, 1])), (160, 140, None), (160, 300, Some([2, 2]))] {
            let of = |device| {
                product(device, &mut Rng::new(seed), kind, [1184, n, rows], cut, ElementType::TilesF16).0
            };
            assert!(of(&device) == of(&at_once), "seed {seed}: {kind:?}, {rows} rows: other bytes");
        }
        // Columns of the grid, too, have several tiles.
        let device = open(&format!("sim,rows=3,async={seed}"));
        let case = &GATED[seed as usize % GATED.len()];
        gated(&device, &mut Rng::new(seed), kind, case, TILES[seed as usize / GATED.len() % 2]);
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
        for (([k, n, rows], cut), tiles) in [([96, 2592, 40], Some([2, 1])), ([800, 64, 140], None)]
            .into_iter()
            .flat_map(|case| TILES.map(|tiles| (case, tiles)))
        {
            let [ours, theirs] = devices
                .each_ref()
                .map(|device| product(device, &mut Rng::new(3), kind, [k, n, rows], cut, tiles).0);
            assert!(ours == theirs, "{kind:?}, {rows} rows, {tiles:?}: other bytes");
        }
        for tiles in TILES {
            let [ours, theirs] =
                devices.each_ref().map(|device| gated(device, &mut Rng::new(3), kind, &GATED[1], tiles));
            assert!(ours == theirs, "{kind:?}, gated, {tiles:?}: other bytes");
        }
    }
}
