//! Fused descriptors give what separate ones give, bit for bit, and refuse what they cannot do safely.

use crate::common::fused::{Outcome, norms, products, ropes};
use crate::common::{Rng, simulator};
use tt_runtime::ops::rows::{NormFunction, Rope};
use tt_runtime::{Device, ElementType, TensorView, ops, parse_devices};

fn assert_equal(outcomes: Vec<Outcome>) {
    for Outcome { name, fused, separate } in outcomes {
        assert!(separate.iter().any(|&byte| byte != 0x5A), "{name}: nothing was written");
        let first = (0..fused.len()).find(|&i| fused[i] != separate[i]);
        assert!(first.is_none(), "{name}: byte {first:?} differs");
    }
}

#[test]
fn norms_times_factors() {
    assert_equal(norms(&simulator(), &mut Rng::new(3), 100));
    // Longer than a piece.
    assert_equal(norms(&simulator(), &mut Rng::new(4), 9000));
}

#[test]
fn rotations_into_a_cache() {
    assert_equal(ropes(&simulator(), &mut Rng::new(5)));
}

/// With random delays, and the race detector: three cores share a row.
#[test]
fn rotations_into_a_cache_do_not_race() {
    for seed in 0..3 {
        let spec = parse_devices(Some(&format!("sim,rows=1,async={seed}"))).expect("a device");
        assert_equal(ropes(&Device::open(&spec[0]), &mut Rng::new(seed)));
    }
}

#[test]
fn rotations_into_a_cache_are_the_same_on_the_vendors_simulator() {
    let Some(path) = std::env::var("TTSIM_LIB").ok().filter(|path| !path.is_empty()) else {
        return println!("SKIPPED: TTSIM_LIB does not name a vendor simulator");
    };
    let vendor = Device::open(&parse_devices(Some(&format!("ttsim:{path}"))).expect("a device")[0]);
    let [ours, theirs] = [simulator(), vendor].map(|device| ropes(&device, &mut Rng::new(5)));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours.fused, theirs.fused, "{}", ours.name);
    }
    assert_equal(theirs);
}

#[test]
fn products_with_sums_and_gated_units() {
    let device = simulator();
    // One and several row tiles, partial tiles, and a K of two chunks.
    for shape in [[64, 40, 1], [100, 2600, 8], [96, 75, 40], [33000, 33, 1]] {
        assert_equal(products(&device, &mut Rng::new(6), shape));
    }
}

#[test]
fn a_result_over_operands_is_refused() {
    let view = |addr, ne| TensorView::contiguous(ElementType::F32, addr, ne);
    let (x, w) = (view(0x1000, [64, 4, 1, 1]), view(0x8000, [64, 1, 1, 1]));
    let norm = |dst| ops::norm_mul(NormFunction::RmsNorm, 0.0, &x, &w, &dst, 8);
    assert!(norm(x).is_ok() && norm(view(0x2000, x.ne)).is_ok());
    for addr in [0x1100, 0x0F00, 0x7F00] {
        assert!(norm(view(addr, x.ne)).unwrap_err().0.contains("lies where"), "{addr:#x}");
    }
    let how = Rope { distance: 1, pairs: 32, ..Rope::default() };
    let (x, positions) =
        (view(0x1000, [64, 2, 3, 1]), TensorView::contiguous(ElementType::I32, 0, [3, 1, 1, 1]));
    let cells = TensorView::contiguous(ElementType::I64, 0x100, [3, 1, 1, 1]);
    let rope = |cache| ops::rope_set_rows(how, &x, &positions, None, &cells, &cache, 8);
    assert!(rope(view(0x10000, [128, 9, 1, 1])).is_ok());
    assert!(rope(view(0x1200, [128, 9, 1, 1])).is_err());
    assert!(rope(view(0x10000, [64, 9, 1, 1])).is_err());
}
