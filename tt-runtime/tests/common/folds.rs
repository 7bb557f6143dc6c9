//! Windows put back where they overlap, images made larger: what the device and the host make of them.

use std::sync::Arc;

use super::{Rng, encode, upload};
use tt_runtime::ops::fold::Folds;
use tt_runtime::ops::resample::Filter;
use tt_runtime::ops::{conv_transpose_1d, fold, resample};
use tt_runtime::{Allocation, Device, DramAddr, ElementType, Error, OpDescriptor, TensorView};

type Outcome = Result<(Vec<f32>, Vec<f64>), Error>;

fn tensor(device: &Arc<Device>, values: &[f32], ne: [u32; 4]) -> (Allocation, TensorView) {
    let (memory, addr) = upload(device, &encode(ElementType::F32, values).0, 4);
    (memory, TensorView::contiguous(ElementType::F32, addr, ne))
}

fn random(rng: &mut Rng, ne: [u32; 4]) -> Vec<f32> {
    (0..ne.iter().product::<u32>()).map(|_| rng.unit()).collect()
}

fn result(
    device: &Arc<Device>,
    ne: [u32; 4],
    build: impl FnOnce(&TensorView, u32) -> OpDescriptor,
) -> Result<Vec<f32>, Error> {
    let (_memory, dst) = tensor(device, &vec![-1.5; ne.iter().product::<u32>() as usize], ne);
    device.execute(&build(&dst, device.info()?.workers()))?;
    let mut bytes = vec![0; dst.span() as usize];
    device.read(DramAddr(dst.addr), &mut bytes)?;
    Ok(bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect())
}

/// Two images of three channels; windows of 3 x 2 at strides 2 and 1, a column cut off.
pub fn run_windows(device: &Arc<Device>, rng: &mut Rng) -> Outcome {
    let [w, h, channels, images] = [9u32, 4, 3, 2];
    let folds = Folds { kernel: [3, 2], stride: [2, 1], pad: [1, 0] };
    let values = random(rng, [w, h, 6 * channels, images]);
    let (_memory, all) = tensor(device, &values, [w, h, 6 * channels, images]);
    let src = TensorView::contiguous(ElementType::F32, all.addr, [w, h, 6, channels]);
    let ne = [(w - 1) * 2 + 3 - 2, h + 1, channels, images];
    let got = result(device, ne, |dst, cores| fold(folds, &src, src.span(), dst, cores).expect("supported"))?;
    let mut want = vec![0.0; got.len()];
    for (number, &x) in (0u32..).zip(&values) {
        let (x0, y0, k, plane) = (number % w, number / w % h, number / w / h % 6, number / w / h / 6);
        let (x1, y1) = (x0 * 2 + k % 3, y0 + k / 3);
        if (1..=ne[0]).contains(&x1) {
            want[((plane * ne[1] + y1) * ne[0] + x1 - 1) as usize] += f64::from(x);
        }
    }
    Ok((got, want))
}

/// A transposed convolution in one dimension.
pub fn run_products(device: &Arc<Device>, rng: &mut Rng) -> Outcome {
    let [len, taps, outputs, inputs, stride] = [70u32, 5, 4, 3, 2];
    let (k, x) = (random(rng, [taps, outputs, inputs, 1]), random(rng, [len, inputs, 1, 1]));
    let (_k, kernel) = tensor(device, &k, [taps, outputs, inputs, 1]);
    let (_x, src) = tensor(device, &x, [len, inputs, 1, 1]);
    let ne = [(len - 1) * stride + taps, outputs, 1, 1];
    let got = result(device, ne, |dst, cores| {
        conv_transpose_1d(stride, &kernel, &src, dst, cores).expect("supported")
    })?;
    let mut want = vec![0.0; got.len()];
    for number in 0..len * taps * outputs * inputs {
        let (i, tap) = (number % len, number / len % taps);
        let (output, input) = (number / len / taps % outputs, number / len / taps / outputs);
        let factor = f64::from(k[((input * outputs + output) * taps + tap) as usize]);
        want[(output * ne[0] + i * stride + tap) as usize] +=
            factor * f64::from(x[(input * len + i) as usize]);
    }
    Ok((got, want))
}

/// Two by two elements made four by six.
pub fn run_resample(device: &Arc<Device>, filter: Filter) -> Result<Vec<f32>, Error> {
    let (_memory, src) = tensor(device, &[0.0, 4.0, 8.0, 12.0], [2, 2, 1, 1]);
    result(device, [4, 6, 1, 1], |dst, cores| resample(filter, false, &src, dst, cores).expect("supported"))
}
