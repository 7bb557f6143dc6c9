//! Sums of experts times their weights, by one launch.

use std::sync::Arc;

use super::{Rng, upload};
use tt_runtime::{Device, DramAddr, ElementType, Error, TensorView, ops};

/// Extents of a sum.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub columns: u32,
    pub experts: u32,
    pub tokens: u32,
    /// Whether something else is added, in the place of the result.
    pub residual: bool,
}

impl Case {
    pub const fn new(columns: u32, experts: u32, tokens: u32) -> Self {
        Self { columns, experts, tokens, residual: false }
    }
}

/// Cases of all kinds: few columns, more units than tiles, larger units, weights that begin anywhere.
pub const CASES: [Case; 7] = [
    Case::new(64, 2, 1),
    Case { residual: true, ..Case::new(2048, 8, 1) },
    Case::new(2880, 4, 3),
    Case { residual: true, ..Case::new(320, 10, 40) },
    Case { residual: true, ..Case::new(1024, 15, 150) },
    Case::new(512, 3, 700),
    Case::new(256, 32, 2),
];

/// The result, and what single precision makes of it in the order of ggml's nodes.
pub fn run(device: &Arc<Device>, rng: &mut Rng, case: Case) -> Result<[Vec<f32>; 2], Error> {
    let Case { columns, experts, tokens, residual } = case;
    let mut random = |count: u32| -> Vec<f32> { (0..count).map(|_| rng.unit()).collect() };
    let (x, weights) = (random(columns * experts * tokens), random(experts * tokens));
    let (before, pitch) = (random(columns * tokens), experts + 3);
    let bytes = |values: &[f32]| -> Vec<u8> { values.iter().flat_map(|value| value.to_le_bytes()).collect() };
    // Weights of a token lie apart from those of the next one, as where they come from something larger.
    let mut padded = vec![f32::NAN; (pitch * tokens) as usize];
    for (to, from) in padded.chunks_mut(pitch as usize).zip(weights.chunks(experts as usize)) {
        to[..from.len()].copy_from_slice(from);
    }
    let (_x, x_at) = upload(device, &bytes(&x), 0);
    let (_weights, weights_at) = upload(device, &bytes(&padded), 4);
    let (_dst, dst_at) = upload(device, &bytes(&before), 0);
    let f32 = |addr, ne| TensorView::contiguous(ElementType::F32, addr, ne);
    let of_experts = f32(x_at, [columns, experts, tokens, 1]);
    let token = 4 * u64::from(pitch);
    let weights_view = TensorView {
        nb: [4, 4, token, token * u64::from(tokens)],
        ..f32(weights_at, [1, experts, tokens, 1])
    };
    let dst = f32(dst_at, [columns, tokens, 1, 1]);
    let workers = device.info()?.workers();
    let op = ops::expert_sum(&of_experts, &weights_view, residual.then_some(&dst), &dst, workers);
    device.execute(&op.expect("supported"))?;
    let mut found = vec![0; 4 * before.len()];
    device.read(DramAddr(dst_at), &mut found)?;
    let found = found.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value)).collect();
    let wanted = (0..tokens).flat_map(|token| (0..columns).map(move |column| (token, column)));
    let sum = |(token, column): (u32, u32)| {
        let product = |expert: u32| {
            let row = token * experts + expert;
            x[(row * columns + column) as usize] * weights[row as usize]
        };
        let sum = (1..experts).fold(product(0), |sum, expert| sum + product(expert));
        if residual { sum + before[(token * columns + column) as usize] } else { sum }
    };
    Ok([found, wanted.map(sum).collect()])
}
