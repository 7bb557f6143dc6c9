//! A product through every layer: the runtime boots its firmware on all tiles, and the host multiplies the same matrices.

use std::time::Duration;

use tt_runtime::{Device, DeviceSpec, ElementType, Error, TensorView, ops};

use crate::findings::{Finding, Outcome, Place};

/// Name of the check.
pub const CHECK: &str = "product through the runtime";
/// Rows of the weights, rows of the activations, and their common length: every tile has something to do.
const N: usize = 1024;
const M: usize = 32;
const K: usize = 64;
/// A launch that takes longer has hung.
const PATIENCE: Duration = Duration::from_secs(20);

/// Multiplies on the device, and compares with the host.
pub fn test(spec: &DeviceSpec) -> Finding {
    match multiply(spec) {
        Ok(what) => what,
        Err(error @ Error::Hung { .. }) => Finding::new(Place::Chip, CHECK, Outcome::Hung, error.to_string()),
        Err(error) => Finding::new(Place::Chip, CHECK, Outcome::Failed, error.to_string()),
    }
}

/// Small integers: all products and sums are exact.
fn number(n: usize, factor: usize) -> f32 {
    ((n * factor) % 7) as f32 - 3.0
}

fn multiply(spec: &DeviceSpec) -> Result<Finding, Error> {
    let weights: Vec<f32> = (0..N * K).map(|n| number(n, 3)).collect();
    let acts: Vec<f32> = (0..M * K).map(|n| number(n, 5)).collect();
    let device = Device::open(spec);
    device.set_patience(PATIENCE);
    let workers = device.info()?.workers();
    let matrix = |data: &[f32], rows: usize, columns: usize| -> Result<_, Error> {
        let place = device.alloc(4 * data.len() as u64)?;
        let bytes: Vec<u8> = data.iter().flat_map(|value| value.to_le_bytes()).collect();
        device.write(place.addr(), &bytes)?;
        let ne = [columns as u32, rows as u32, 1, 1];
        Ok((TensorView::contiguous(ElementType::F32, place.addr().0, ne), place))
    };
    let (w, _w) = matrix(&weights, N, K)?;
    let (a, _a) = matrix(&acts, M, K)?;
    let (d, place) = matrix(&vec![0.0; N * M], M, N)?;
    let op = ops::matmul(&w, &a, &d, workers).map_err(|error| Error::Kernels(error.to_string()))?;
    device.execute(&op)?;
    let mut bytes = vec![0; 4 * N * M];
    device.read(place.addr(), &mut bytes)?;
    let got: Vec<f32> = bytes.as_chunks().0.iter().map(|&word| f32::from_le_bytes(word)).collect();
    let dot = |m: usize, n: usize| (0..K).map(|k| weights[n * K + k] * acts[m * K + k]).sum::<f32>();
    let wrong = got.iter().enumerate().filter(|(at, value)| dot(at / N, at % N) != **value).count();
    let sum: f64 = got.iter().map(|&value| f64::from(value)).sum();
    let pushed = match device.is_pushed_to() {
        Some(true) => "completions are pushed to the host",
        _ => "completions are polled",
    };
    Ok(match wrong {
        0 => {
            let what = format!("{M} x {K} by {K} x {N} on {workers} tiles, sum {sum}; {pushed}");
            Finding::new(Place::Chip, CHECK, Outcome::Passed, what)
        }
        _ => {
            let what = format!("{wrong} of {} results are wrong", N * M);
            Finding::new(Place::Chip, CHECK, Outcome::Failed, what)
        }
    })
}
