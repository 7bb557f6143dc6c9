//! Devices, random numbers and ggml's types for the tests of operators.
#![allow(dead_code)]

pub mod attention;
pub mod blocks;
pub mod columns;
pub mod elements;
pub mod exact;
pub mod exact_tiles;
pub mod expert_sum;
pub mod experts;
pub mod folds;
pub mod fused;
pub mod gated;
pub mod halves;
pub mod lanes;
pub mod norm_order;
pub mod norms;
pub mod ordered;
pub mod quantised;
pub mod recurrent;
pub mod set_rows;
pub mod soft_max;
pub mod sums;
pub mod training;
pub mod transfers;
pub mod windows;

use std::sync::Arc;

use half::{bf16, f16};
use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng};
use tt_runtime::{Allocation, Device, DeviceSpec, ElementType, TensorView, parse_devices};

/// The built-in simulator, as `TT_TEST_DEVICE` says: `sim,rows=1,async=7` runs the operators' tests asynchronously.
pub fn simulator() -> Arc<Device> {
    let device = std::env::var("TT_TEST_DEVICE").unwrap_or_else(|_| "sim".into());
    Device::open(&parse_devices(Some(&device)).expect("TT_TEST_DEVICE names a device")[0])
}

/// The device that `spec` names.
pub fn open(spec: &str) -> Arc<Device> {
    Device::open(&parse_devices(Some(spec)).expect("a device")[0])
}

/// Seeds of random delays that a test runs: as many as `TT_ASYNC_SEEDS` says, or `few`.
pub fn seeds(few: u64) -> u64 {
    std::env::var("TT_ASYNC_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(few)
}

/// A device that computes nothing: for what needs no results.
pub fn null() -> Arc<Device> {
    Device::open(&DeviceSpec::null(None))
}

/// Reproducible numbers.
pub struct Rng(SplitMix64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(SplitMix64::seed_from_u64(seed))
    }

    pub fn next(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Uniform in -1..1.
    pub fn unit(&mut self) -> f32 {
        (self.next() % 20001) as f32 / 10000.0 - 1.0
    }
}

pub fn upload(device: &Arc<Device>, data: &[u8], offset: u64) -> (Allocation, u64) {
    let memory = device.alloc(data.len() as u64 + 256).expect("memory");
    let addr = memory.addr().offset(offset);
    device.write(addr, data).expect("write");
    (memory, addr.0)
}

/// Weights of these extents: tiles, or rows with an offset from the allocation's address.
pub fn upload_weights(
    device: &Arc<Device>,
    ty: ElementType,
    ne: [u32; 4],
    data: &[u8],
    offset: u64,
) -> (Allocation, TensorView) {
    if !ty.is_tiles() {
        let (memory, addr) = upload(device, data, offset);
        return (memory, TensorView::contiguous(ty, addr, ne));
    }
    let memory = device.alloc(data.len() as u64).expect("memory");
    let view = TensorView::tiles(ty, memory.addr().0, ne);
    device.write_tiles(&view, 0, data).expect("write");
    (memory, view)
}

/// Bytes of `values` in a type, and the values that those bytes stand for.
pub fn encode(ty: ElementType, values: &[f32]) -> (Vec<u8>, Vec<f32>) {
    match ty {
        ElementType::F32 => (values.iter().flat_map(|v| v.to_le_bytes()).collect(), values.to_vec()),
        ElementType::F16 => {
            let h: Vec<f16> = values.iter().map(|&v| f16::from_f32(v)).collect();
            (h.iter().flat_map(|v| v.to_le_bytes()).collect(), h.iter().map(|v| v.to_f32()).collect())
        }
        ElementType::BF16 => {
            let h: Vec<bf16> = values.iter().map(|&v| bf16::from_f32(v)).collect();
            (h.iter().flat_map(|v| v.to_le_bytes()).collect(), h.iter().map(|v| v.to_f32()).collect())
        }
        ElementType::Q8_0 => blocks(values, |b, bytes| {
            let max = b.iter().fold(0f32, |a, x| a.max(x.abs()));
            let d = f16::from_f32(max / 127.0);
            bytes.extend(d.to_le_bytes());
            let q = |x: f32| if max > 0.0 { (x / d.to_f32()).round().clamp(-127.0, 127.0) } else { 0.0 };
            bytes.extend(b.iter().map(|&x| q(x) as i8 as u8));
            b.iter().map(|&x| q(x) * d.to_f32()).collect()
        }),
        ElementType::Q4_0 => blocks(values, |b, bytes| {
            let max = b.iter().fold(0f32, |a, &x| if x.abs() > a.abs() { x } else { a });
            let d = f16::from_f32(max / -8.0);
            bytes.extend(d.to_le_bytes());
            let q = |x: f32| (x / d.to_f32() + 8.5).clamp(0.0, 15.0) as u8;
            bytes.extend((0..16).map(|i| q(b[i]) | q(b[i + 16]) << 4));
            b.iter().map(|&x| (f32::from(q(x)) - 8.0) * d.to_f32()).collect()
        }),
        _ => panic!("no values in {ty:?}"),
    }
}

fn blocks(values: &[f32], mut block: impl FnMut(&[f32], &mut Vec<u8>) -> Vec<f32>) -> (Vec<u8>, Vec<f32>) {
    let mut bytes = Vec::new();
    let decoded = values.chunks(32).flat_map(|b| block(b, &mut bytes)).collect();
    (bytes, decoded)
}
