//! Norms on the vector unit.

use std::sync::Arc;

use tt_kernel_abi::sfpu::ON_SFPU;
use tt_runtime::ops::rows::NormFunction::{self, L2Norm, Norm, RmsNorm};
use tt_runtime::{Device, DramAddr, ElementType, OpDescriptor, TensorView, ops};

use super::{Rng, encode, upload};

/// Rows of one segment and of several, that end within a vector register and at its end; more rows than Dst and L1 have room for at once.
pub const CASES: [Case; 9] = [
    Case { function: RmsNorm, n: 128, rows: 11, weighted: true },
    Case { function: RmsNorm, n: 2048, rows: 2, weighted: true },
    Case { function: RmsNorm, n: 2880, rows: 3, weighted: true },
    Case { function: RmsNorm, n: 36, rows: 7, weighted: false },
    Case { function: Norm, n: 100, rows: 5, weighted: true },
    Case { function: Norm, n: 4132, rows: 2, weighted: false },
    Case { function: Norm, n: 576, rows: 3, weighted: false },
    Case { function: L2Norm, n: 132, rows: 3, weighted: false },
    Case { function: L2Norm, n: 6148, rows: 2, weighted: true },
];

/// Rows of `n` elements in each of three matrices.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub function: NormFunction,
    pub n: u32,
    pub rows: u32,
    /// Times weights, which repeat in dimension 1.
    pub weighted: bool,
}

const EPS: f32 = 1e-5;
const MATRICES: u32 = 3;

/// Result as bytes, and what it should be. The vector unit must have been chosen.
pub fn run(device: &Arc<Device>, rng: &mut Rng, case: Case) -> (Vec<u8>, Vec<f64>) {
    let Case { function, n, rows, weighted } = case;
    let cores = device.info().expect("it boots").workers().min(4);
    // Far from zero: what is not a part of a row would show in its mean and its deviations.
    let x: Vec<f32> = (0..n * rows * MATRICES).map(|_| rng.unit() + 2.5).collect();
    let weights: Vec<f32> = (0..n * MATRICES).map(|_| rng.unit() * 3.0).collect();
    let tensor = |values: &[f32], ne, offset| {
        let (memory, addr) = upload(device, &encode(ElementType::F32, values).0, offset);
        (memory, TensorView::contiguous(ElementType::F32, addr, ne))
    };
    let ne = [n, rows, MATRICES, 1];
    let (_x, src) = tensor(&x, ne, 16);
    let (_w, weights_view) = tensor(&weights, [n, 1, MATRICES, 1], 48);
    let (_d, dst) = tensor(&vec![0.0; x.len()], ne, 32);
    let op: OpDescriptor = match weighted {
        true => ops::norm_mul(function, EPS, &src, &weights_view, &dst, cores),
        false => ops::norm(function, EPS, &src, &dst, cores),
    }
    .expect("supported");
    assert_eq!(op.flags, ON_SFPU, "{case:?}");
    device.execute(&op).unwrap_or_else(|error| panic!("{case:?}: {error}"));
    let mut bytes = vec![0; 4 * x.len()];
    device.read(DramAddr(dst.addr), &mut bytes).expect("a result");

    let expected = x.chunks(n as usize).enumerate().flat_map(|(row, x)| {
        let matrix = row / rows as usize * n as usize;
        let weight = |i: usize| if weighted { f64::from(weights[matrix + i]) } else { 1.0 };
        let (mean, factor) = statistics(function, x);
        x.iter().enumerate().map(|(i, &x)| (f64::from(x) - mean) * factor * weight(i)).collect::<Vec<_>>()
    });
    (bytes, expected.collect())
}

fn statistics(function: NormFunction, x: &[f32]) -> (f64, f64) {
    let (n, eps) = (x.len() as f64, f64::from(EPS));
    let mean = if function == Norm { x.iter().map(|&x| f64::from(x)).sum::<f64>() / n } else { 0.0 };
    let squares: f64 = x.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum();
    let factor = match function {
        L2Norm => 1.0 / squares.sqrt().max(eps),
        _ => 1.0 / (squares / n + eps).sqrt(),
    };
    (mean, factor)
}

/// Fails unless every element is within a few units of the last place of what it should be.
pub fn assert_close(case: Case, bytes: &[u8], expected: &[f64]) {
    for (i, (got, want)) in bytes.chunks(4).zip(expected).enumerate() {
        let got = f64::from(f32::from_le_bytes(got.try_into().expect("four bytes")));
        // A mean is 2.5, rounded; what is left of an element is divided by 0.6 and multiplied with up to 3.
        let bound = 1e-6 * (want.abs() + if case.function == Norm { 4.0 } else { 0.0 });
        assert!((got - want).abs() <= bound, "{case:?}: {got} instead of {want} at {i}");
    }
}
