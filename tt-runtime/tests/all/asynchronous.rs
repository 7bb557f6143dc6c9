//! The kernels in the simulator's asynchronous mode (`docs/simulator.md`): no finding and the right results, with
//! every seed.
//!
//! `TT_ASYNC_SEEDS=N` runs N seeds instead of a few.

use std::sync::Arc;

use crate::common::{
    self, Rng, blocks, columns, elements, encode, experts, folds, fused, gated, halves, lanes, norm_order,
    norms, ordered, quantised, recurrent, set_rows, soft_max, sums, training, transfers, upload,
    upload_weights, windows,
};
use tt_runtime::layout::{GgmlType, WeightFormat, pack};
use tt_runtime::{Device, DramAddr, ElementType, TensorView, ops, parse_devices};

/// Seeds of a run without `TT_ASYNC_SEEDS`.
const SEEDS: u64 = 4;

fn seeds() -> u64 {
    common::seeds(SEEDS)
}

/// Runs `test` on eight tiles, with every seed.
fn with_seeds(test: impl Fn(&Arc<Device>, &mut Rng)) {
    with_each_seed(|device, rng, _| test(device, rng));
}

/// The same for a test that needs to know which seed it is.
fn with_each_seed(test: impl Fn(&Arc<Device>, &mut Rng, usize)) {
    for seed in 0..seeds() {
        let spec = parse_devices(Some(&format!("sim,rows=1,async={seed}"))).expect("a device");
        test(&Device::open(&spec[0]), &mut Rng::new(seed + 1), seed as usize);
    }
}

/// `MUL_MAT` of random matrices.
fn matmul(device: &Arc<Device>, rng: &mut Rng, weights: ElementType, [k, n, rows]: [usize; 3]) {
    let w: Vec<f32> = (0..n * k).map(|_| rng.unit()).collect();
    let x: Vec<f32> = (0..rows * k).map(|_| rng.unit()).collect();
    let bytes = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let ne = |a: usize, b: usize| [a as u32, b as u32, 1, 1];
    let (packed, decoded) = match weights {
        ElementType::TilesBf16 => {
            let tiles = pack(WeightFormat::Bf16, GgmlType::F32, &bytes(&w), k, n, 1).expect("tiles");
            (tiles, w)
        }
        plain => encode(plain, &w),
    };
    let (_m0, src0) = upload_weights(device, weights, ne(k, n), &packed, 0);
    // A single row comes from one tile for all if it lies where a line of the NoC begins.
    let (_m1, a1) = upload(device, &bytes(&x), if rows == 1 { 0 } else { 4 });
    let (_m2, a2) = upload(device, &vec![0; rows * n * 4], 12);
    let src1 = TensorView::contiguous(ElementType::F32, a1, ne(k, rows));
    let dst = TensorView::contiguous(ElementType::F32, a2, ne(n, rows));
    let workers = device.info().expect("it boots").workers();
    device.execute(&ops::matmul(&src0, &src1, &dst, workers).expect("supported")).expect("no finding");
    let mut got = vec![0; rows * n * 4];
    device.read(DramAddr(a2), &mut got).expect("a result");
    let (mut error, mut signal) = (0.0, 0.0);
    for (i, value) in got.chunks(4).enumerate() {
        let (row, column) = (i / n, i % n);
        let want: f64 = (0..k).map(|c| f64::from(decoded[column * k + c]) * f64::from(x[row * k + c])).sum();
        let value = f64::from(f32::from_le_bytes(value.try_into().expect("four bytes")));
        error += (value - want) * (value - want);
        signal += want * want;
    }
    assert!(error / signal < 1e-4, "{weights:?}: error {:.2e}", error / signal);
}

#[test]
fn matmul_of_rows() {
    with_seeds(|device, rng| {
        matmul(device, rng, ElementType::F32, [64, 40, 9]);
        matmul(device, rng, ElementType::Q8_0, [64, 70, 3]);
    });
}

/// Transposed operands, and tiles made of them before.
#[test]
fn matmul_of_columns() {
    with_seeds(|device, rng| {
        for ty in [ElementType::F16, ElementType::Q4_0] {
            for outcome in columns::run(device, rng, ty, [90, 64, 9]) {
                assert!(outcome.is_right(), "{outcome:?}");
            }
        }
    });
}

#[test]
fn matmul_of_tiles() {
    with_seeds(|device, rng| {
        matmul(device, rng, ElementType::TilesBf16, [100, 300, 9]);
        matmul(device, rng, ElementType::TilesBf16, [64, 75, 40]);
        // More blocks than the ring has slots.
        matmul(device, rng, ElementType::TilesBf16, [1500, 40, 2]);
    });
}

#[test]
fn matmul_of_ordered_activations() {
    with_seeds(|device, rng| {
        for shape in [[256, 160, 17, 1, 1], [40, 1024, 130, 1, 1]] {
            ordered::product(device, rng, &shape);
        }
    });
}

#[test]
fn matmul_in_blocks() {
    for seed in 0..seeds() {
        // Tiles share rows and columns of the grid.
        let spec = parse_devices(Some(&format!("sim,rows=3,async={seed}"))).expect("a device");
        let (device, mut rng) = (Device::open(&spec[0]), Rng::new(seed + 1));
        // More blocks than there are slots, with few rows and with many.
        for shape in [[1696, 96, 40], [512, 160, 170]] {
            blocks::product(&device, &mut rng, WeightFormat::Bfp8, &shape);
        }
    }
}

#[test]
fn gated_units_in_the_order_of_blocks() {
    with_seeds(|device, rng| {
        for case in gated::CASES.iter().filter(|(_, _, rows, _)| *rows < 100) {
            gated::blocks(device, rng, case);
        }
        // Few rows, which all tiles have: as much as a seed's time allows.
        for case in gated::PRODUCTS.iter().filter(|(_, [_, _, rows])| *rows <= 40) {
            gated::products(device, rng, WeightFormat::Bfp8, case);
        }
    });
}

#[test]
fn norms_in_the_order_of_blocks() {
    with_seeds(|device, rng| {
        // And several groups of rows for a tile.
        for case in norm_order::CASES.iter().filter(|[k, rows]| *k < 4096 && *rows < 100).chain(&[[128, 420]])
        {
            norm_order::blocks(device, rng, case);
        }
    });
}

#[test]
fn matmul_of_a_single_row() {
    with_seeds(|device, rng| {
        matmul(device, rng, ElementType::TilesBf16, [100, 300, 1]);
        // More blocks than Dst has slots, the last one short, and tiles that have nothing to do.
        matmul(device, rng, ElementType::TilesBf16, [5000, 40, 1]);
        matmul(device, rng, ElementType::BF16, [128, 70, 1]);
        matmul(device, rng, ElementType::Q8_0, [64, 70, 1]);
    });
}

#[test]
fn matmul_by_indices() {
    with_seeds(|device, rng| {
        let tiles = experts::Case::new(100, 75, [3, 2, 40]);
        let rows = experts::Case {
            shared: true,
            plain: Some(ElementType::Q8_0),
            ..experts::Case::new(64, 40, [9, 3, 5])
        };
        let own_rows = experts::Case::new(96, 320, [6, 5, 1]);
        for case in [tiles, rows, own_rows, experts::Case { shared: true, ..own_rows }] {
            let error = experts::run(device, rng, case).expect("no finding").error;
            assert!(error < 1e-4, "{case:?}: error {error:.2e}");
        }
    });
}

#[test]
fn rows_go_where_the_indices_say() {
    with_seeds(|device, rng| {
        for dst in [ElementType::F32, ElementType::F16] {
            let (ne, index_ne) = set_rows::SHAPES[2];
            let case = set_rows::Case { dst, index: ElementType::I64, ne, index_ne, off: 1, outside: false };
            let outcome = set_rows::run(device, rng, case);
            outcome.result.expect("no finding");
            assert!(outcome.got == outcome.want, "{case:?}: other bytes");
        }
    });
}

#[test]
fn fused_products() {
    with_seeds(|device, rng| {
        for shape in [[64, 300, 3], [64, 75, 40]] {
            for outcome in fused::products(device, rng, shape) {
                assert!(outcome.fused == outcome.separate, "{}: other bytes", outcome.name);
            }
        }
    });
}

#[test]
fn fused_rows() {
    with_seeds(|device, rng| {
        for outcome in fused::norms(device, rng, 40).into_iter().chain(fused::ropes(device, rng)) {
            assert!(outcome.fused == outcome.separate, "{}: other bytes", outcome.name);
        }
    });
}

/// Delays depend on the seed alone, not on the host's threads or clock.
#[test]
fn a_seed_gives_the_same_run_every_time() {
    let instructions = |seed: u64| {
        let spec = parse_devices(Some(&format!("sim,rows=1,async={seed}"))).expect("a device");
        let device = Device::open(&spec[0]);
        matmul(&device, &mut Rng::new(1), ElementType::F32, [64, 40, 9]);
        let counters = device.counters();
        (counters.riscv_instructions, counters.tensix_instructions)
    };
    let first = instructions(5);
    assert_eq!(instructions(5), first);
    assert_ne!(instructions(6), first);
}

#[test]
fn elements_copies_and_rows() {
    with_seeds(|device, rng| {
        let steps = lanes::run(device, rng);
        assert!(steps.len() > 20, "only {} steps", steps.len());
    });
}

#[test]
fn windows_over_images() {
    with_seeds(|device, rng| {
        for &case in &windows::CASES[..3] {
            let [got, want] = windows::run_im2col(device, rng, case).expect("no finding");
            assert!(got == want, "{case:?}: other bytes");
        }
        let kind = windows::Kind::WeightedSum;
        windows::run_reduce(device, rng, windows::CASES[0], kind).expect("no finding");
    });
}

#[test]
fn quantised_types() {
    with_seeds(|device, rng| {
        for ty in [GgmlType::Q4_K, GgmlType::IQ2_S, GgmlType::Q5_1, GgmlType::MXFP4] {
            assert!(quantised::gather(device, rng, ty).expect("no finding").is_right(), "{}", ty.name());
            assert!(quantised::permute(device, rng, ty).expect("no finding").is_right(), "{}", ty.name());
        }
        for ty in [GgmlType::IQ4_NL, GgmlType::TQ1_0, GgmlType::MXFP4] {
            assert!(quantised::encode(device, rng, ty).expect("no finding").is_right(), "{}", ty.name());
        }
    });
}

#[test]
fn long_rows_are_sorted_in_runs() {
    with_seeds(|device, rng| {
        assert!(quantised::sort(device, rng, 300, [1000, 2, 700]).expect("no finding").is_right());
    });
}

#[test]
fn sums_of_windows_and_carried_state() {
    with_seeds(|device, rng| {
        folds::run_windows(device, rng).expect("no finding");
        folds::run_products(device, rng).expect("no finding");
        folds::run_resample(device, ops::resample::Filter::Cubic).expect("no finding");
        for case in [recurrent::CASES[0], recurrent::CASES[3]] {
            recurrent::run(device, rng, case).expect("no finding");
        }
    });
}

#[test]
fn weighted_sums_and_triangular_systems() {
    with_seeds(sums::run);
}

#[test]
fn softmax_on_the_vector_unit() {
    with_seeds(|device, rng| {
        for case in soft_max::CASES {
            let (bytes, expected) = soft_max::run(device, rng, case);
            for (i, (got, want)) in bytes.chunks(4).zip(expected).enumerate() {
                let got = f64::from(f32::from_le_bytes(got.try_into().expect("four bytes")));
                assert!(
                    (got - want).abs() <= 1e-5 * want + 1e-30,
                    "{case:?}: {got} instead of {want} at {i}"
                );
            }
        }
    });
}

#[test]
fn halves_as_they_lie() {
    with_seeds(|device, rng| {
        for case in halves::CASES {
            let (_, error) = halves::run(device, rng, case);
            assert!(error < halves::ALLOWED, "{case:?}: error {error:.2e}");
        }
    });
}

#[test]
fn norms_on_the_vector_unit() {
    with_seeds(|device, rng| {
        for case in norms::CASES {
            let (bytes, expected) = norms::run(device, rng, case);
            norms::assert_close(case, &bytes, &expected);
        }
    });
}

/// Blocks of the vector unit: whole ones in more rings than there are slots, and rows that fill none.
#[test]
fn elements_on_the_vector_unit() {
    with_each_seed(|device, rng, seed| {
        elements::run(device, rng, [28_000, 1, 1], |number| number % 16 == seed % 16);
        elements::run(device, rng, [300, 3, 2], |number| number % 4 == seed % 4);
    });
}

#[test]
fn training_steps() {
    with_seeds(|device, rng| {
        let small = [[100, 5, 1, 1], [36, 11, 1, 1], [2100, 2, 1, 1]];
        let mut all: Vec<_> = small.iter().flat_map(|&ne| training::rows(device, rng, ne)).collect();
        all.extend(training::optimisers(device, rng, 20_000));
        all.extend(training::optimisers(device, rng, 5));
        for ty in [ElementType::F32, ElementType::F16] {
            all.push(training::add_rows(device, rng, ty, [40, 7, 20]));
        }
        for outcome in all {
            assert!(outcome.error() < 1e-6, "{}: error {:.2e}", outcome.name, outcome.error());
        }
        let [counted, equal] = training::count_equal(device, rng, 300);
        assert_eq!(counted, equal);
    });
}

/// What the chip pushes is there when the host has seen the count.
#[test]
fn results_reach_the_host_whole() {
    with_seeds(|device, rng| transfers::run(device, rng, 200_000).expect("no finding"));
}

#[test]
fn bytes_are_moved_on_the_chip() {
    with_seeds(|device, rng| transfers::on_the_chip(device, rng, 20_000).expect("no finding"));
}
