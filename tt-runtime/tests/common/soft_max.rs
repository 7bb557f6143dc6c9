//! Softmax on the vector unit.

use std::sync::Arc;

use tt_kernel_abi::sfpu::ON_SFPU;
use tt_runtime::ops::rows::SoftMax;
use tt_runtime::{Device, DramAddr, ElementType, TensorView, ops};

use super::{Rng, encode, upload};

/// Rows of one segment, of more than Dst has room for at once, of several segments; with and without mask and sinks.
pub const CASES: [Case; 5] = [
    Case { n: 100, rows: 5, masked: false, sinks: false },
    Case { n: 2048, rows: 2, masked: true, sinks: true },
    Case { n: 36, rows: 11, masked: true, sinks: false },
    Case { n: 4500, rows: 3, masked: true, sinks: true },
    Case { n: 4096, rows: 3, masked: true, sinks: false },
];

/// A tensor: rows of `n` elements, `rows` for each of three heads.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    n: u32,
    rows: u32,
    masked: bool,
    sinks: bool,
}

/// Result as bytes, and what it should be. The vector unit must have been chosen.
pub fn run(device: &Arc<Device>, rng: &mut Rng, case: Case) -> (Vec<u8>, Vec<f64>) {
    const HEADS: u32 = 3;
    let Case { n, rows, masked, sinks } = case;
    let cores = device.info().expect("it boots").workers().min(4);
    let how = SoftMax { scale: 0.5, max_bias: if masked { 8.0 } else { 0.0 }, masked_rows_are_zero: true };
    let mut values = |n: u32| -> Vec<f32> { (0..n).map(|_| rng.unit() * 6.0).collect() };
    let (x, mut mask, sink) = (values(n * rows * HEADS), values(n * rows), values(HEADS));
    mask.iter_mut().skip(1).step_by(3).for_each(|m| *m = f32::NEG_INFINITY);
    let tensor = |values: &[f32], ne, offset| {
        let (memory, addr) = upload(device, &encode(ElementType::F32, values).0, offset);
        (memory, TensorView::contiguous(ElementType::F32, addr, ne))
    };
    let ne = [n, rows, HEADS, 1];
    let (_x, src) = tensor(&x, ne, 16);
    let (_m, mask_view) = tensor(&mask, [n, rows, 1, 1], 0);
    let (_s, sink_view) = tensor(&sink, [HEADS, 1, 1, 1], 4);
    let (_d, dst) = tensor(&vec![0.0; x.len()], ne, 48);
    let (mask_view, sink_view) = (masked.then_some(&mask_view), sinks.then_some(&sink_view));
    let op = ops::soft_max(how, &src, mask_view, sink_view, &dst, cores).expect("supported");
    assert_eq!(op.flags, ON_SFPU, "{case:?}");
    device.execute(&op).unwrap_or_else(|error| panic!("{case:?}: {error}"));
    let mut bytes = vec![0; 4 * x.len()];
    device.read(DramAddr(dst.addr), &mut bytes).expect("a result");

    // ALiBi with three heads: two lower ones.
    let slopes = [2f64.powf(-4.0), 2f64.powf(-8.0), 2f64.powf(-2.0)];
    let expected = x.chunks(n as usize).enumerate().flat_map(|(row, x)| {
        let (head, at) = (row / rows as usize, row % rows as usize * n as usize);
        let bias = |i: usize| if masked { slopes[head] * f64::from(mask[at + i]) } else { 0.0 };
        let powers: Vec<f64> =
            x.iter().enumerate().map(|(i, &x)| (0.5 * f64::from(x) + bias(i)).exp()).collect();
        let sink = if sinks { f64::from(sink[head]).exp() } else { 0.0 };
        let total = powers.iter().sum::<f64>() + sink;
        powers.into_iter().map(move |power| power / total)
    });
    (bytes, expected.collect())
}
