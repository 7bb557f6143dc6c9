//! The built-in simulator against the vendor's: the same launches give the same bytes.
//!
//! `TTSIM_LIB` names the vendor's library; without it these tests are skipped. The vendor's chip has all its rows of
//! tiles and the built-in one two less, so that results must not depend on how work is spread either.

use std::path::PathBuf;
use std::sync::Arc;

use crate::common::set_rows::{self, SHAPES};
use crate::common::{
    Rng, blocks, elements, encode, experts, folds, fused, gated, lanes, norm_order, ordered, recurrent,
    simulator, upload, upload_weights, windows,
};
use crate::common::{columns, halves, norms, quantised, soft_max, sums, training, transfers};
use tt_isa::tlb::TlbTarget;
use tt_runtime::layout::{GgmlType, WeightFormat, pack};
use tt_runtime::ops::resample::Filter;
use tt_runtime::transport::ttsim::TtSim;
use tt_runtime::transport::{Simulated, Transport, TransportError};
use tt_runtime::{Device, DeviceSpec, DramAddr, ElementType, Error, TensorView, ops};

/// The vendor's library, or the reason why the test does nothing.
fn library() -> Option<PathBuf> {
    let library = std::env::var_os("TTSIM_LIB").filter(|path| !path.is_empty()).map(PathBuf::from);
    if library.is_none() {
        println!("SKIPPED: TTSIM_LIB is not set");
    }
    library
}

fn both() -> Option<[Arc<Device>; 2]> {
    let library = library()?;
    Some([simulator(), Device::open(&DeviceSpec::TtSim { library })])
}

struct Weights {
    ty: ElementType,
    bytes: Vec<u8>,
}

/// Result of `rows` rows of k elements times weights of n rows, as bytes.
fn matmul(device: &Arc<Device>, weights: &Weights, x: &[u8], [k, n, rows]: [u32; 3]) -> Vec<u8> {
    let (_m0, src0) = upload_weights(device, weights.ty, [k, n, 1, 1], &weights.bytes, 0);
    // A single row comes from one tile for all if it lies where a line of the NoC begins.
    let (_m1, a1) = upload(device, x, if rows == 1 { 0 } else { 4 });
    let src1 = TensorView::contiguous(ElementType::F32, a1, [k, rows, 1, 1]);
    let mut out = vec![0xAB; (n * rows * 4) as usize];
    let (_m2, a2) = upload(device, &out, 8);
    let dst = TensorView::contiguous(ElementType::F32, a2, [n, rows, 1, 1]);
    let workers = device.info().unwrap().workers();
    device.execute(&ops::matmul(&src0, &src1, &dst, workers).unwrap()).unwrap();
    device.read(DramAddr(a2), &mut out).unwrap();
    out
}

fn weights(kind: Result<WeightFormat, ElementType>, values: &[f32], k: u32, n: u32) -> Weights {
    match kind {
        Ok(format) => {
            let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            let bytes = pack(format, GgmlType::F32, &raw, k as usize, n as usize, 1).unwrap();
            Weights { ty: format.element_type().unwrap(), bytes }
        }
        Err(ty) => Weights { ty, bytes: encode(ty, values).0 },
    }
}

#[test]
fn products_by_indices_are_the_same_bytes() {
    let Some(devices) = both() else { return };
    let plain = experts::Case::new(64, 70, [5, 2, 33]);
    for case in [
        experts::Case::new(100, 75, [4, 2, 70]),
        experts::Case { shared: true, plain: Some(ElementType::Q8_0), ..plain },
        experts::Case { shared: true, ..experts::Case::new(320, 96, [9, 5, 1]) },
        experts::Case::new(96, 2560, [6, 6, 1]),
    ] {
        let [ours, vendors] = [0, 1].map(|i| experts::run(&devices[i], &mut Rng::new(12), case).unwrap().got);
        assert!(ours == vendors, "{case:?}: other bytes");
    }
}

#[test]
fn products_are_the_same_bytes() {
    let Some([ours, vendor]) = both() else { return };
    let mut rng = Rng::new(11);
    let kinds = [
        Ok(WeightFormat::Tf32),
        Ok(WeightFormat::Bf16),
        Ok(WeightFormat::Bfp8),
        Ok(WeightFormat::Bfp4),
        Err(ElementType::F32),
        Err(ElementType::F16),
        Err(ElementType::BF16),
        Err(ElementType::Q8_0),
        Err(ElementType::Q4_0),
    ];
    for kind in kinds {
        for shape @ [k, n, rows] in [[32, 32, 1], [5024, 77, 1], [288, 77, 3], [96, 2600, 40]] {
            // Magnitudes far apart: sums are aligned and cancel.
            let values: Vec<f32> =
                (0..k * n).map(|_| rng.unit() * 2f32.powi((rng.next() % 24) as i32 - 12)).collect();
            let x: Vec<u8> = (0..k * rows).flat_map(|_| rng.unit().to_le_bytes()).collect();
            let weights = weights(kind, &values, k, n);
            let [a, b] = [&ours, &vendor].map(|device| matmul(device, &weights, &x, shape));
            let first = (0..a.len()).find(|&i| a[i] != b[i]);
            assert!(first.is_none(), "{kind:?} {shape:?}: byte {first:?} differs");
        }
    }
}

#[test]
fn products_of_ordered_activations_are_the_same_bytes() {
    let Some([ours, vendor]) = both() else { return };
    for shape in ordered::SHAPES {
        let [ours, vendor] =
            [&ours, &vendor].map(|device| ordered::product(device, &mut Rng::new(13), shape));
        assert!(ours == vendor, "{shape:?}: other bytes");
    }
}

#[test]
fn products_in_blocks_are_the_same_bytes() {
    let Some([ours, vendor]) = both() else { return };
    for shape in blocks::SHAPES {
        let [ours, vendor] = [&ours, &vendor]
            .map(|device| blocks::product(device, &mut Rng::new(14), WeightFormat::Bfp8, shape));
        assert!(ours == vendor, "{shape:?}: other bytes");
    }
}

#[test]
fn norms_in_the_order_of_blocks_are_the_same_bytes() {
    let Some([ours, vendor]) = both() else { return };
    for case in norm_order::CASES {
        let [ours, vendor] =
            [&ours, &vendor].map(|device| norm_order::blocks(device, &mut Rng::new(16), case));
        assert!(ours == vendor, "{case:?}: other bytes");
    }
}

#[test]
fn gated_units_in_the_order_of_blocks_are_the_same_bytes() {
    let Some([ours, vendor]) = both() else { return };
    for case in gated::CASES {
        let [ours, vendor] = [&ours, &vendor].map(|device| gated::blocks(device, &mut Rng::new(15), case));
        assert!(ours == vendor, "{case:?}: other bytes");
    }
    for case in gated::PRODUCTS {
        let [ours, vendor] = [&ours, &vendor]
            .map(|device| gated::products(device, &mut Rng::new(16), WeightFormat::Bfp8, case));
        assert!(ours == vendor, "{case:?}: other bytes");
    }
}

#[test]
fn products_of_columns_are_the_same_bytes() {
    let Some(devices) = both() else { return };
    for ty in [ElementType::F32, ElementType::F16, ElementType::BF16, ElementType::Q8_0, ElementType::Q4_0] {
        let [ours, vendor] =
            devices.each_ref().map(|device| columns::run(device, &mut Rng::new(12), ty, [90, 96, 40]));
        for (a, b) in ours.iter().zip(&vendor) {
            assert!(a.is_right() && a.bytes == b.bytes, "{ty:?}, tiles {}: other bytes", a.tiles);
        }
    }
}

#[test]
fn softmax_is_the_same_bytes() {
    let Some(devices) = both() else { return };
    for case in soft_max::CASES {
        let [ours, vendor] =
            devices.each_ref().map(|device| soft_max::run(device, &mut Rng::new(13), case).0);
        assert!(ours == vendor, "{case:?}: other bytes");
    }
}

#[test]
fn products_with_halves_as_they_lie_are_the_same_bytes() {
    let Some(devices) = both() else { return };
    for case in halves::CASES {
        let [ours, vendor] = devices.each_ref().map(|device| halves::run(device, &mut Rng::new(15), case).0);
        assert!(ours == vendor, "{case:?}: other bytes");
    }
}

#[test]
fn norms_on_the_vector_unit_are_the_same_bytes() {
    let Some(devices) = both() else { return };
    for case in norms::CASES {
        let [ours, vendor] = devices.each_ref().map(|device| norms::run(device, &mut Rng::new(14), case).0);
        assert!(ours == vendor, "{case:?}: other bytes");
    }
}

#[test]
fn functions_on_the_vector_unit_are_the_same_bytes() {
    let Some([ours, vendor]) = both() else { return };
    for shape in [[30_000, 1, 1], [300, 3, 2]] {
        let [a, b] = [&ours, &vendor].map(|device| elements::run(device, &mut Rng::new(3), shape, |_| true));
        let first = (0..a.len()).find(|&i| a[i] != b[i]);
        assert!(first.is_none(), "{shape:?}: byte {first:?} of {} differs", a.len());
    }
}

#[test]
fn elements_copies_and_rows_are_the_same_bytes() {
    let Some([ours, vendor]) = both() else { return };
    let [a, b] = [&ours, &vendor].map(|device| lanes::run(device, &mut Rng::new(4)));
    assert!(a.len() > 20 && a.len() == b.len());
    for ((name, ours), (_, vendors)) in a.iter().zip(&b) {
        assert!(ours == vendors, "{name}: other bytes");
    }
}

/// Filled and copied by kernels, with what is around it.
#[test]
fn bytes_are_moved_the_same() {
    let Some(devices) = both() else { return };
    for device in &devices {
        transfers::on_the_chip(device, &mut Rng::new(3), u64::MAX).unwrap();
        assert!(device.counters().moves >= 11);
    }
}

#[test]
fn scattered_rows_are_the_same_bytes() {
    let Some([ours, vendor]) = both() else { return };
    for dst in [ElementType::F32, ElementType::F16] {
        for (ne, index_ne) in SHAPES {
            for outside in [false, true] {
                let index = ElementType::I64;
                let case = set_rows::Case { dst, index, ne, index_ne, off: 1, outside };
                let [a, b] = [&ours, &vendor].map(|device| set_rows::run(device, &mut Rng::new(5), case));
                assert!(a.got == b.got && b.got == b.want, "{case:?}: other bytes");
                for result in [&a.result, &b.result] {
                    match result {
                        Err(Error::Kernel { .. }) => assert!(outside, "{case:?}: {result:?}"),
                        _ => assert!(!outside && result.is_ok(), "{case:?}: {result:?}"),
                    }
                }
            }
        }
    }
}

#[test]
fn windows_are_the_same_bytes() {
    let Some([ours, vendor]) = both() else { return };
    for case in windows::CASES {
        let [a, b] =
            [&ours, &vendor].map(|device| windows::run_im2col(device, &mut Rng::new(5), case).unwrap());
        assert!(a == b && a[0] == a[1], "{case:?}: other bytes");
    }
    for kind in [windows::Kind::AverageInside, windows::Kind::Maximum, windows::Kind::WeightedSum] {
        let run = |device| windows::run_reduce(device, &mut Rng::new(5), windows::CASES[0], kind).unwrap().0;
        assert_eq!(run(&ours), run(&vendor), "{kind:?}");
    }
}

#[test]
fn quantised_types_are_the_same_bytes() {
    let Some(devices) = both() else { return };
    for device in &devices {
        for ty in GgmlType::ALL {
            assert!(
                quantised::gather(device, &mut Rng::new(5), ty).unwrap().is_right(),
                "rows of {}",
                ty.name()
            );
        }
        for ty in [GgmlType::Q4_1, GgmlType::Q5_0, GgmlType::IQ4_NL, GgmlType::MXFP4] {
            assert!(
                quantised::encode(device, &mut Rng::new(6), ty).unwrap().is_right(),
                "{} encoded",
                ty.name()
            );
            assert!(
                quantised::permute(device, &mut Rng::new(7), ty).unwrap().is_right(),
                "{} copied",
                ty.name()
            );
        }
    }
}

#[test]
fn long_rows_are_sorted_the_same() {
    let Some(devices) = both() else { return };
    for device in &devices {
        let outcome = quantised::sort(device, &mut Rng::new(8), 300, [1000, 3, 700]).unwrap();
        assert!(outcome.is_right());
    }
}

#[test]
fn fused_steps_are_the_same_bytes() {
    let Some(devices) = both() else { return };
    let [ours, vendor] = devices.map(|device| {
        let mut outcomes = fused::norms(&device, &mut Rng::new(7), 100);
        outcomes.extend(fused::ropes(&device, &mut Rng::new(8)));
        for shape in [[100, 300, 8], [96, 75, 40]] {
            outcomes.extend(fused::products(&device, &mut Rng::new(9), shape));
        }
        outcomes
    });
    for (a, b) in ours.into_iter().zip(vendor) {
        assert!(a.fused == b.fused && b.fused == b.separate, "{}: other bytes", a.name);
    }
}

#[test]
fn sums_of_windows_and_carried_state_are_the_same_bytes() {
    let Some([ours, vendor]) = both() else { return };
    for run in [folds::run_windows, folds::run_products] {
        let [a, b] = [&ours, &vendor].map(|device| run(device, &mut Rng::new(5)).unwrap().0);
        assert_eq!(a, b);
    }
    for filter in [Filter::Linear, Filter::Cubic, Filter::Triangle] {
        let [a, b] = [&ours, &vendor].map(|device| folds::run_resample(device, filter).unwrap());
        assert_eq!(a, b, "{filter:?}");
    }
    for case in recurrent::CASES {
        let [a, b] = [&ours, &vendor].map(|device| recurrent::run(device, &mut Rng::new(5), case).unwrap().0);
        assert_eq!(a, b, "{case:?}");
    }
}

#[test]
fn training_steps_are_the_same_bytes() {
    let Some([ours, vendor]) = both() else { return };
    let run = |device: &Arc<Device>| {
        let mut all: Vec<_> =
            training::SHAPES.iter().flat_map(|&ne| training::rows(device, &mut Rng::new(14), ne)).collect();
        for n in [5, 20_000] {
            all.extend(training::optimisers(device, &mut Rng::new(15), n));
        }
        for ty in [ElementType::F32, ElementType::F16] {
            all.push(training::add_rows(device, &mut Rng::new(16), ty, [40, 7, 50]));
        }
        let [counted, equal] = training::count_equal(device, &mut Rng::new(17), 500);
        assert_eq!(counted, equal);
        all
    };
    for (ours, vendors) in run(&ours).into_iter().zip(run(&vendor)) {
        assert!(ours.bytes == vendors.bytes, "{}: other bytes", ours.name);
    }
}

#[test]
fn weighted_sums_and_triangular_systems_are_the_same_bytes() {
    let Some([ours, vendor]) = both() else { return };
    let same = |what: &str, run: &dyn Fn(&Arc<Device>) -> sums::Outcome| {
        let [a, b] = [&ours, &vendor].map(|device| run(device).unwrap().0);
        assert!(a.iter().map(|x| x.to_bits()).eq(b.iter().map(|x| x.to_bits())), "{what}");
    };
    for case in sums::SUMS {
        same(&format!("{case:?}"), &|device| sums::sum(device, &mut Rng::new(5), case));
    }
    same("balance", &|device| sums::balance(device, &mut Rng::new(5), 70));
    for case in sums::TRIANGULAR {
        same(&format!("{case:?}"), &|device| sums::solve(device, &mut Rng::new(5), case));
    }
}

#[test]
fn what_the_vendor_refuses_is_an_error_that_says_so() {
    let Some(library) = library() else { return };
    let mut chip = TtSim::new(&library).unwrap();
    let tile = tt_isa::noc::NocXy::new(18, 18);
    chip.configure_window(0, &TlbTarget::unicast(tile, 0xFF00_0000)).unwrap();
    // Nothing is mapped there in a Tensix tile.
    let error = chip.read(0, 0x80_0000, &mut [0; 4]).unwrap_err();
    assert!(matches!(&error, TransportError::TtSim(why) if why.contains("ERROR")), "{error}");
    let error = chip.advance(1).unwrap_err();
    assert!(matches!(error, TransportError::TtSim(_)), "{error}");
    // The process lives, and another chip can be powered on.
    assert_eq!(TtSim::new(&library).unwrap().pci_id().unwrap(), tt_isa::chip::WORMHOLE.pci_id);
}

#[test]
fn a_killed_simulator_is_an_error() {
    let Some(library) = library() else { return };
    let mut chip = TtSim::new(&library).unwrap();
    let killed = std::process::Command::new("kill").args(["-KILL", &chip.pid().to_string()]).status();
    assert!(killed.unwrap().success());
    let error = chip.advance(1).unwrap_err();
    assert!(error.to_string().contains("signal 9"), "{error}");
}

#[test]
fn a_library_of_something_else_is_an_error() {
    let device = Device::open(&DeviceSpec::TtSim { library: "libc.so.6".into() });
    let error = device.info().unwrap_err();
    assert!(error.to_string().contains("libttsim_init"), "{error}");
}
