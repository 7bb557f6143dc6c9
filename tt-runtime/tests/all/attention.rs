//! Attention of single tokens on the simulated card, against FP64 on the host; with the race detector; and on the vendor's simulator.

use std::sync::Arc;

use crate::common::attention::{Shape, assert_close, expected};
use crate::common::{Rng, encode, simulator, upload};
use tt_runtime::ops::{Attention, AttentionOperands};
use tt_runtime::{Device, ElementType, TensorView, parse_devices};

/// A cache of some positions, heads and elements, for sequences; rows of queries for each head; positions at the end of the first sequence that are masked, if
/// there is a mask.
#[derive(Clone, Copy, Debug)]
struct Case {
    positions: u32,
    heads: u32,
    key: u32,
    value: u32,
    rows: u32,
    batches: u32,
    masked: Option<u32>,
    cores: u32,
}

const SMALL: Case =
    Case { positions: 64, heads: 2, key: 64, value: 64, rows: 4, batches: 1, masked: None, cores: 8 };

const CASES: [Case; 7] = [
    SMALL,
    Case { masked: Some(9), ..SMALL },
    // Several tiles in a part, more than four; elements of keys and values that differ.
    Case { positions: 640, heads: 1, key: 96, value: 32, masked: Some(0), cores: 3, ..SMALL },
    // One row, five, eight; parts that are masked whole.
    Case { positions: 256, rows: 1, masked: Some(100), ..SMALL },
    Case { positions: 96, rows: 5, key: 128, masked: Some(33), ..SMALL },
    Case { rows: 8, heads: 3, ..SMALL },
    // More units than cores; a sequence in which everything is masked.
    Case { positions: 128, heads: 4, batches: 3, masked: Some(128), ..SMALL },
];

/// The result as bytes, and what it should be.
fn run(device: &Arc<Device>, rng: &mut Rng, case: Case) -> (Vec<u8>, Vec<f64>) {
    let Case { positions, heads, key, value, rows, batches, masked, cores } = case;
    let mut values = |n: u32, scale: f32| -> Vec<f32> { (0..n).map(|_| rng.unit() * scale).collect() };
    let of_q = rows * heads;
    let q = values(key * of_q * batches, 3.0);
    let (k, v) =
        (values(key * positions * heads * batches, 2.0), values(value * positions * heads * batches, 2.0));
    let (k_bytes, k) = encode(ElementType::F16, &k);
    let (v_bytes, v) = encode(ElementType::F16, &v);
    let (_q, q_addr) = upload(device, &encode(ElementType::F32, &q).0, 32);
    let (_k, k_addr) = upload(device, &k_bytes, 64);
    let (_v, v_addr) = upload(device, &v_bytes, 96);
    let q_view = TensorView::contiguous(ElementType::F32, q_addr, [key, 1, of_q, batches]);
    let cache = |addr, n: u32| {
        let [row, head] = [2 * u64::from(n * heads), 2 * u64::from(n)];
        let nb = [2, row, head, row * u64::from(positions)];
        TensorView::new(ElementType::F16, addr, [n, positions, heads, batches], nb)
    };
    // Some positions have a finite addend; of the first sequence the last ones are masked.
    let mask: Vec<f32> = (0..positions * batches)
        .map(|i| match i < positions && i + masked.unwrap_or(0) >= positions {
            true => f32::NEG_INFINITY,
            false => (i / 40 % 2) as f32 * -0.5,
        })
        .collect();
    let (_m, mask_addr) = upload(device, &encode(ElementType::F16, &mask).0, 32);
    let mask_view = TensorView::contiguous(ElementType::F16, mask_addr, [positions, 1, 1, batches]);
    let (k_view, v_view) = (cache(k_addr, key), cache(v_addr, value));
    let operands = AttentionOperands {
        q: &q_view,
        k: &k_view,
        v: &v_view,
        mask: masked.map(|_| &mask_view),
        scale: 0.125,
    };
    let cores = device.info().expect("it boots").workers().min(cores);
    let attention = Attention::new(operands, cores).expect("supported");
    let form = attention.between();
    let memory = device.alloc(form.span()).expect("memory");
    let between = TensorView { addr: memory.addr().0, ..form };
    let out = device.alloc(4 * u64::from(value * of_q * batches)).expect("memory");
    let dst = TensorView::contiguous(ElementType::F32, out.addr().0, [value, of_q, 1, batches]);
    for step in attention.steps(&between, &dst).expect("supported") {
        device.execute(&step).unwrap_or_else(|error| panic!("{case:?}: {error}"));
    }
    let mut bytes = vec![0; dst.span() as usize];
    device.read(out.addr(), &mut bytes).expect("a result");

    let shape = Shape { positions, heads, shared: rows, key, value, tokens: 1, batches };
    let addend = |batch: u32, i: u32| masked.map_or(0.0, |_| mask[(batch * positions + i) as usize]);
    let expected = expected(&shape, [&q, &k, &v], addend);
    (bytes, expected)
}

#[test]
fn attention_of_single_tokens() {
    let device = simulator();
    for case in CASES {
        assert_close(case, &run(&device, &mut Rng::new(5), case));
    }
}

#[test]
fn attention_with_the_race_detector() {
    for seed in 0..3 {
        let spec = parse_devices(Some(&format!("sim,rows=1,async={seed}"))).expect("a device");
        let device = Device::open(&spec[0]);
        for case in CASES {
            assert_close(case, &run(&device, &mut Rng::new(seed), case));
        }
    }
}

#[test]
fn attention_is_the_same_on_the_vendors_simulator() {
    let Some(path) = std::env::var("TTSIM_LIB").ok().filter(|path| !path.is_empty()) else {
        return println!("SKIPPED: TTSIM_LIB does not name a vendor simulator");
    };
    let vendor = Device::open(&parse_devices(Some(&format!("ttsim:{path}"))).expect("a device")[0]);
    let ours = simulator();
    for case in CASES {
        let [a, b] = [&ours, &vendor].map(|device| run(device, &mut Rng::new(9), case));
        assert_eq!(a.0, b.0, "{case:?}");
    }
}
