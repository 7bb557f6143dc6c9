//! Attention of many tokens on the simulated card, against FP64 on the host; with the race detector; and on the vendor's simulator.

use std::sync::Arc;

use crate::common::attention::{Shape, assert_close, expected};
use crate::common::{Rng, encode, simulator, upload};
use tt_runtime::ops::{AttentionOperands, attention_rows};
use tt_runtime::{Device, ElementType, TensorView, parse_devices};

/// What a mask leaves.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mask {
    None,
    /// Of token t the positions up to t and so many.
    Causal(u32),
    /// Finite addends, and every other tile of positions masked for tokens that are not multiples of 7; token 3 sees nothing.
    Mixed,
    /// Nothing.
    All,
}

/// A cache of some positions, heads and elements, for sequences; heads of queries for each of its heads, and tokens.
#[derive(Clone, Copy, Debug)]
struct Case {
    positions: u32,
    heads: u32,
    shared: u32,
    key: u32,
    value: u32,
    tokens: u32,
    batches: u32,
    mask: Mask,
    cores: u32,
}

const SMALL: Case = Case {
    positions: 128,
    heads: 2,
    shared: 2,
    key: 64,
    value: 64,
    tokens: 40,
    batches: 1,
    mask: Mask::None,
    cores: 8,
};

const CASES: [Case; 8] = [
    SMALL,
    Case { mask: Mask::Causal(88), ..SMALL },
    // One core has all units; tiles of positions that are left out.
    Case { positions: 96, heads: 1, tokens: 96, mask: Mask::Causal(0), cores: 1, ..SMALL },
    Case { positions: 224, heads: 1, shared: 3, mask: Mask::Mixed, ..SMALL },
    // Elements of keys and values that differ; parts of the values' elements.
    Case { key: 96, value: 32, tokens: 2, heads: 1, shared: 1, ..SMALL },
    Case { positions: 64, key: 128, value: 256, heads: 1, shared: 1, mask: Mask::Causal(30), ..SMALL },
    // Sequences; one core has several heads of several units.
    Case { batches: 2, mask: Mask::Mixed, tokens: 33, cores: 3, ..SMALL },
    Case { mask: Mask::All, tokens: 8, heads: 1, ..SMALL },
];

impl Case {
    /// The mask, tokens of all sequences one after the other.
    fn mask(&self) -> Vec<f32> {
        let of = |batch: u32, token: u32, position: u32| match self.mask {
            Mask::None => 0.0,
            Mask::Causal(before) if position <= token + before => 0.0,
            Mask::Mixed
                if token != 3 && (token.is_multiple_of(7) || (position / 32 + batch).is_multiple_of(2)) =>
            {
                (position % 5) as f32 * -0.25
            }
            _ => f32::NEG_INFINITY,
        };
        let of = &of;
        let rows = (0..self.batches).flat_map(|batch| (0..self.tokens).map(move |token| (batch, token)));
        rows.flat_map(|(batch, token)| (0..self.positions).map(move |i| of(batch, token, i))).collect()
    }
}

/// The result as bytes, and what it should be.
fn run(device: &Arc<Device>, rng: &mut Rng, case: Case) -> (Vec<u8>, Vec<f64>) {
    let Case { positions, heads, shared, key, value, tokens, batches, cores, .. } = case;
    let mut values = |n: u32, scale: f32| -> Vec<f32> { (0..n).map(|_| rng.unit() * scale).collect() };
    let of_q = shared * heads;
    let q = values(key * of_q * tokens * batches, 3.0);
    let (k, v) =
        (values(key * positions * heads * batches, 2.0), values(value * positions * heads * batches, 2.0));
    let (k_bytes, k) = encode(ElementType::F16, &k);
    let (v_bytes, v) = encode(ElementType::F16, &v);
    let (_q, q_addr) = upload(device, &encode(ElementType::F32, &q).0, 32);
    let (_k, k_addr) = upload(device, &k_bytes, 64);
    let (_v, v_addr) = upload(device, &v_bytes, 96);
    // Queries and caches have heads side by side for each token or position.
    let heads_last = |ty, addr, n: u32, rows: u32, of: u32, size: u64| {
        let [row, head] = [size * u64::from(n * of), size * u64::from(n)];
        TensorView::new(ty, addr, [n, rows, of, batches], [size, row, head, row * u64::from(rows)])
    };
    let q_view = heads_last(ElementType::F32, q_addr, key, tokens, of_q, 4);
    let k_view = heads_last(ElementType::F16, k_addr, key, positions, heads, 2);
    let v_view = heads_last(ElementType::F16, v_addr, value, positions, heads, 2);
    let mask = case.mask();
    let (_m, mask_addr) = upload(device, &encode(ElementType::F16, &mask).0, 32);
    let mask_view = TensorView::contiguous(ElementType::F16, mask_addr, [positions, tokens, 1, batches]);
    let operands = AttentionOperands {
        q: &q_view,
        k: &k_view,
        v: &v_view,
        mask: (case.mask != Mask::None).then_some(&mask_view),
        scale: 0.125,
    };
    let cores = device.info().expect("it boots").workers().min(cores);
    let out = device.alloc(4 * u64::from(value * of_q * tokens * batches)).expect("memory");
    let dst = TensorView::contiguous(ElementType::F32, out.addr().0, [value, of_q, tokens, batches]);
    let step = attention_rows(operands, &dst, cores).expect("supported");
    device.execute(&step).unwrap_or_else(|error| panic!("{case:?}: {error}"));
    let mut bytes = vec![0; dst.span() as usize];
    device.read(out.addr(), &mut bytes).expect("a result");

    let shape = Shape { positions, heads, shared, key, value, tokens, batches };
    let addend = |token: u32, i: u32| mask[(token * positions + i) as usize];
    let expected = expected(&shape, [&q, &k, &v], addend);
    (bytes, expected)
}

#[test]
fn attention_of_many_tokens() {
    let device = simulator();
    for case in CASES {
        assert_close(case, &run(&device, &mut Rng::new(5), case));
    }
}

#[test]
fn more_positions_than_l1_has_room_for() {
    let device = simulator();
    let case = Case { positions: 1 << 12, heads: 1, shared: 2, key: 256, tokens: 3, ..SMALL };
    let masked = Case { mask: Mask::Causal(2000), ..case };
    for case in [case, masked] {
        assert_close(case, &run(&device, &mut Rng::new(6), case));
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
