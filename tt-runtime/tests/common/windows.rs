//! Windows over images: cases, and what the host makes of them.

use std::sync::Arc;

use super::{Rng, encode, upload};
use tt_runtime::ops::windows::{Images, Reduction, Windows};
use tt_runtime::ops::{im2col, reduce_windows};
use tt_runtime::{Device, DramAddr, ElementType, Error, TensorView};

/// Windows over random images.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// How they move.
    pub windows: Windows,
    /// Columns, rows, slices, channels of an image.
    pub ne: [u32; 4],
    /// Images.
    pub images: u32,
    /// Type of windows as rows.
    pub to: ElementType,
}

const fn windows(kernel: [u32; 3], stride: [u32; 3], pad: [i32; 3], dilation: [u32; 3]) -> Windows {
    Windows { kernel, stride, pad, dilation }
}

/// Small shapes: borders, gaps between windows and within them, a band that begins behind the first row, one column.
pub const CASES: [Case; 5] = [
    Case {
        windows: windows([3, 3, 1], [1; 3], [1, 1, 0], [1; 3]),
        ne: [9, 7, 1, 3],
        images: 2,
        to: ElementType::F32,
    },
    Case {
        windows: windows([3, 2, 2], [3, 1, 2], [4, 0, 3], [2, 3, 1]),
        ne: [11, 6, 5, 2],
        images: 3,
        to: ElementType::F16,
    },
    Case {
        windows: windows([5, 1, 1], [2, 1, 1], [7, 0, 0], [3, 1, 1]),
        ne: [1, 1, 1, 40],
        images: 1,
        to: ElementType::F32,
    },
    Case {
        windows: windows([2, 2, 1], [1; 3], [0, -3, 0], [1; 3]),
        ne: [300, 6, 1, 1],
        images: 1,
        to: ElementType::F32,
    },
    Case {
        windows: windows([1, 3, 1], [1, 2, 1], [0, 1, 0], [1, 1, 1]),
        ne: [5, 8, 1, 700],
        images: 1,
        to: ElementType::F16,
    },
];

impl Case {
    /// Windows in each dimension.
    pub fn out(&self) -> [u32; 3] {
        let Windows { kernel, stride, pad, dilation } = self.windows;
        std::array::from_fn(|dim| {
            let inner = self.ne[dim] as i32 + 2 * pad[dim].max(0) + pad[dim].min(0);
            let free = inner - (dilation[dim] * (kernel[dim] - 1)) as i32 - 1;
            (free / stride[dim] as i32 + 1).max(1) as u32
        })
    }

    fn count(&self) -> usize {
        (self.ne.iter().product::<u32>() * self.images) as usize
    }

    /// The element of `image` that element `k` of window `o` is.
    fn at(&self, values: &[f32], plane: u32, o: [u32; 3], k: [u32; 3]) -> Option<f32> {
        let mut index = plane as usize;
        for dim in (0..3).rev() {
            let Windows { stride, pad, dilation, .. } = self.windows;
            let i = (o[dim] * stride[dim] + k[dim] * dilation[dim]) as i32 - pad[dim];
            if i < 0 || i >= self.ne[dim] as i32 {
                return None;
            }
            index = index * self.ne[dim] as usize + i as usize;
        }
        Some(values[index])
    }

    /// The elements of a window of one plane (channel of an image), as far as they are inside.
    fn window(&self, values: &[f32], plane: u32, o: [u32; 3]) -> Vec<Option<f32>> {
        let [kw, kh, kd] = self.windows.kernel;
        (0..kw * kh * kd).map(|k| self.at(values, plane, o, [k % kw, k / kw % kh, k / kw / kh])).collect()
    }

    fn upload(&self, device: &Arc<Device>, values: &[f32]) -> (tt_runtime::Allocation, Images) {
        let (memory, addr) = upload(device, &encode(ElementType::F32, values).0, 12);
        let view = TensorView::contiguous(ElementType::F32, addr, self.ne);
        (memory, Images { view, count: self.images, stride: view.span() })
    }
}

fn random(rng: &mut Rng, count: usize) -> Vec<f32> {
    (0..count).map(|_| rng.unit()).collect()
}

/// What the device makes of windows, and what it should.
pub fn run_im2col(device: &Arc<Device>, rng: &mut Rng, case: Case) -> Result<[Vec<u8>; 2], Error> {
    let values = random(rng, case.count());
    let (_memory, images) = case.upload(device, &values);
    let ([ow, oh, od], channels) = (case.out(), case.ne[3]);
    let elements = case.windows.kernel.iter().product::<u32>() * channels;
    let ne = [elements, ow, oh, od * case.images];
    let mut got = vec![0xAB; TensorView::contiguous(case.to, 0, ne).span() as usize];
    let (_out, addr) = upload(device, &got, 4);
    let dst = TensorView::contiguous(case.to, addr, ne);
    let workers = device.info()?.workers();
    device.execute(&im2col(case.windows, &images, &dst, workers).expect("supported"))?;
    device.read(DramAddr(addr), &mut got)?;
    let mut expected = Vec::new();
    for number in 0..ow * oh * od * case.images {
        let o = [number % ow, number / ow % oh, number / ow / oh % od];
        for channel in 0..channels {
            let plane = number / (ow * oh * od) * channels + channel;
            let window = case.window(&values, plane, o);
            expected.extend(window.into_iter().map(|x| x.unwrap_or(0.0)));
        }
    }
    Ok([got, encode(case.to, &expected).0])
}

/// Which reduction to run.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    /// Over the whole window.
    Average,
    /// Over what is inside.
    AverageInside,
    /// The largest.
    Maximum,
    /// With random weights.
    WeightedSum,
}

/// What the device makes of windows in one slice, with channels side by side, and what it should.
pub fn run_reduce(
    device: &Arc<Device>,
    rng: &mut Rng,
    case: Case,
    kind: Kind,
) -> Result<(Vec<f32>, Vec<f64>), Error> {
    let values = random(rng, case.count());
    let (_memory, images) = case.upload(device, &values);
    let ([ow, oh, _], channels) = (case.out(), case.ne[3]);
    let area: u32 = case.windows.kernel.iter().product();
    let weights = random(rng, (area * channels) as usize);
    let (_weights, factors) = upload(device, &encode(ElementType::F32, &weights).0, 8);
    let factors = TensorView::contiguous(ElementType::F32, factors, [area, channels, 1, 1]);
    let reduction = match kind {
        Kind::Average => Reduction::Average { area },
        Kind::AverageInside => Reduction::Average { area: 0 },
        Kind::Maximum => Reduction::Maximum,
        Kind::WeightedSum => Reduction::WeightedSum(&factors),
    };
    // The result has its channels side by side.
    let dense = TensorView::contiguous(ElementType::F32, 0, [channels, ow, oh, case.images]);
    let mut bytes = vec![0xAB; dense.span() as usize];
    let (_out, addr) = upload(device, &bytes, 4);
    let [nb0, nb1, nb2, nb3] = dense.nb;
    let ne = [ow, oh, channels, case.images];
    let dst = TensorView::new(ElementType::F32, addr, ne, [nb1, nb2, nb0, nb3]);
    let workers = device.info()?.workers();
    let op = reduce_windows(reduction, case.windows, &images, &dst, workers).expect("supported");
    device.execute(&op)?;
    device.read(DramAddr(addr), &mut bytes)?;
    let mut expected = Vec::new();
    for number in 0..ow * oh * channels * case.images {
        let (rest, channel) = (number / channels, number % channels);
        let plane = rest / (ow * oh) * channels + channel;
        let window = case.window(&values, plane, [rest % ow, rest / ow % oh, 0]);
        let inside = || window.iter().enumerate().filter_map(|(k, x)| Some((k, f64::from((*x)?))));
        let sum: f64 = inside().map(|(_, x)| x).sum();
        expected.push(match kind {
            Kind::Average => sum / f64::from(area),
            Kind::AverageInside => sum / (inside().count() as f64).max(1.0),
            Kind::Maximum => inside().map(|(_, x)| x).fold(f64::from(f32::MIN), f64::max),
            Kind::WeightedSum => {
                let weight = |k: usize| f64::from(weights[(channel * area) as usize + k]);
                inside().map(|(k, x)| weight(k) * x).sum()
            }
        });
    }
    let got = bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
    Ok((got, expected))
}
