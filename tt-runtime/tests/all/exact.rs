//! Products with weights that are not rounded a second time, against double precision over the activations as the kernel rounds them.

use crate::common::exact::{
    Matrix, Product, by_indices, floats, full_tiles, product, read, stream, together,
};
use crate::common::{Rng, open, seeds, simulator};
use tt_kernel_abi::exact::Kind;
use tt_kernel_quant::exact::half;

/// What the matrix unit's sums of eight products lose.
const TOLERANCE: f64 = 1e-6;

#[test]
fn single_rows() {
    let device = simulator();
    for kind in Kind::ALL {
        for [k, n] in [[32, 32], [96, 75], [256, 40], [576, 200], [2048, 2400]] {
            let (_, error) = product(&device, &mut Rng::new((k + n) as u64), kind, [k, n, 1]);
            println!("{kind:?} {k} x {n}: {error:.2e}");
            assert!(error < TOLERANCE, "{kind:?} {k} x {n}: error {error:.2e}");
        }
    }
}

/// With one row of activations, and with two.
#[test]
fn every_half_precision_scale_is_its_number() {
    let device = simulator();
    for (element, shift) in [(0, 0), (16, 16)] {
        let words: Vec<u32> =
            (0..=0xFFFF).map(|bits| bits << shift | (bits ^ 0xFFFF) << (16 - shift)).collect();
        let matrix = Matrix::of_words(Kind::TwoScales, &words);
        for rows in [1, 2] {
            let mut x = vec![0.0; 32 * rows];
            x.iter_mut().skip(element).step_by(32).for_each(|x| *x = 1.0);
            let product = Product::new(&device, &matrix, &x);
            device.execute(&product.op).expect("no finding");
            let got = floats(&read(&device, &product.op.dst));
            for (bits, got) in (0..=u16::MAX).cycle().zip(got) {
                assert_eq!(got, half(bits), "{bits:#06x} of element {element}, {rows} rows");
            }
        }
    }
}

/// The last group of k-tiles has one to seven.
#[test]
fn single_rows_of_any_length() {
    let device = simulator();
    for kind in Kind::ALL {
        for tiles in 1..8 {
            for k in [32 * tiles, 512 + 32 * tiles] {
                let (_, error) = product(&device, &mut Rng::new(k as u64), kind, [k, 75, 1]);
                assert!(error < TOLERANCE, "{kind:?} {k}: error {error:.2e}");
            }
        }
    }
}

/// A single row is multiplied with rows of zeros beside it, whatever the launches before have left there, and whichever bank they ended with.
#[test]
fn other_launches_leave_nothing() {
    let device = open("sim,rows=1");
    for kind in Kind::ALL {
        for (number, k) in [32, 160, 288, 544, 96].into_iter().enumerate() {
            let again = || product(&device, &mut Rng::new(k as u64), kind, [k, 400, 1]);
            let (first, error) = again();
            assert!(error < TOLERANCE, "{kind:?} {k}: error {error:.2e}");
            // One tile of K after the other changes banks.
            full_tiles(&device, &mut Rng::new(11), 32 * (1 + number));
            assert!(again().0 == first, "{kind:?} {k}: other bytes after another launch");
        }
    }
}

#[test]
fn several_rows() {
    let device = simulator();
    for kind in Kind::ALL {
        for rows in [2, 3, 4, 5, 7, 8, 9, 33] {
            let (_, error) = product(&device, &mut Rng::new(rows as u64), kind, [576, 75, rows]);
            println!("{kind:?} {rows} rows: {error:.2e}");
            assert!(error < TOLERANCE, "{kind:?} {rows} rows: error {error:.2e}");
        }
    }
}

/// Sums, gated units and products with the same row are one launch, and give what launches by themselves give.
#[test]
fn one_launch_gives_the_same_bytes() {
    let device = simulator();
    for kind in Kind::ALL {
        for rows in [1, 3, 8] {
            for (i, [one, several]) in together(&device, &mut Rng::new(5), kind, rows).iter().enumerate() {
                assert!(one == several, "{kind:?}, {rows} rows, {i}: other bytes");
            }
        }
    }
}

#[test]
fn matrices_by_index() {
    let device = simulator();
    for kind in Kind::ALL {
        for tokens in [1, 6, 30] {
            let (_, error) = by_indices(&device, &mut Rng::new(7), kind, tokens);
            assert!(error < TOLERANCE, "{kind:?} {tokens} tokens: error {error:.2e}");
        }
    }
}

/// The ring has fewer slots than a tile has groups of one product.
#[test]
fn a_stream_gives_the_same_bytes() {
    let device = open("sim,rows=1");
    let [alone, in_stream] = [false, true].map(|way| stream(&device, &mut Rng::new(9), [2048, 2400], way));
    assert!(alone == in_stream, "other bytes");
}

/// With random delays, and the race detector.
#[test]
fn it_does_not_race() {
    for seed in 0..seeds(1) {
        let device = open(&format!("sim,rows=1,async={seed}"));
        for kind in Kind::ALL {
            for shape in [[576, 300, 1], [288, 40, 6], [96, 40, 11]] {
                let (_, error) = product(&device, &mut Rng::new(seed), kind, shape);
                assert!(error < TOLERANCE, "seed {seed}: {kind:?} {shape:?}: error {error:.2e}");
            }
            for tokens in [1, 12] {
                let (_, error) = by_indices(&device, &mut Rng::new(seed), kind, tokens);
                assert!(error < TOLERANCE, "seed {seed}: {kind:?} by index: error {error:.2e}");
            }
            let rows = if seed.is_multiple_of(2) { 1 } else { 6 };
            for (i, [one, several]) in together(&device, &mut Rng::new(seed), kind, rows).iter().enumerate() {
                assert!(one == several, "seed {seed}: {kind:?}, {rows} rows, {i}: other bytes");
            }
        }
        let [alone, in_stream] =
            [false, true].map(|way| stream(&device, &mut Rng::new(seed), [544, 500], way));
        assert!(alone == in_stream, "seed {seed}: other bytes");
    }
}

/// The same of single rows alone, and what is around them.
#[test]
fn single_rows_do_not_race() {
    for seed in 0..seeds(1) {
        let device = open(&format!("sim,rows=1,async={seed}"));
        for kind in Kind::ALL {
            let k = 32 * (1 + seed as usize % 17);
            full_tiles(&device, &mut Rng::new(seed), 32 * (1 + seed as usize % 3));
            let (_, error) = product(&device, &mut Rng::new(seed), kind, [k, 340, 1]);
            assert!(error < TOLERANCE, "seed {seed}: {kind:?} {k}: error {error:.2e}");
        }
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
        for shape in [[32, 32, 1], [2048, 77, 1], [544, 77, 5], [288, 40, 12]] {
            let [ours, theirs] =
                devices.each_ref().map(|device| product(device, &mut Rng::new(3), kind, shape).0);
            assert!(ours == theirs, "{kind:?} {shape:?}: other bytes");
        }
        let [ours, theirs] =
            devices.each_ref().map(|device| by_indices(device, &mut Rng::new(4), kind, 12).0);
        assert!(ours == theirs, "{kind:?} by index: other bytes");
        for rows in [1, 5] {
            let [ours, theirs] =
                devices.each_ref().map(|device| together(device, &mut Rng::new(6), kind, rows));
            assert!(ours == theirs, "{kind:?}, one launch of {rows} rows: other bytes");
        }
    }
    let [ours, theirs] = devices.each_ref().map(|device| stream(device, &mut Rng::new(8), [544, 700], true));
    assert!(ours == theirs, "a stream: other bytes");
}
