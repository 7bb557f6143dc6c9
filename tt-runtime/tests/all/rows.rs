//! Row operators on the simulated card, against FP64 on the host.

use std::sync::Arc;

use crate::common::{Rng, encode, norms, simulator, upload};
use tt_runtime::ops::rows::{NormFunction, Rope, SoftMax, Triangle};
use tt_runtime::ops::{
    self, argmax, argsort, cumsum, get_rows, norm, rope, soft_max, sum, sum_rows, triangle,
};
use tt_runtime::{Allocation, Device, ElementType, Error, OpDescriptor, TensorView};

const CORES: u32 = 64;

fn f32s(device: &Arc<Device>, values: &[f32], ne: [u32; 4]) -> (Allocation, TensorView) {
    let (memory, addr) = upload(device, &encode(ElementType::F32, values).0, 4);
    (memory, TensorView::contiguous(ElementType::F32, addr, ne))
}

fn i32s(device: &Arc<Device>, values: &[i32], ne: [u32; 4]) -> (Allocation, TensorView) {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let (memory, addr) = upload(device, &bytes, 8);
    (memory, TensorView::contiguous(ElementType::I32, addr, ne))
}

/// Runs what `build` makes for a result of this type and shape; gives its words.
fn run(
    device: &Arc<Device>,
    ty: ElementType,
    ne: [u32; 4],
    build: impl FnOnce(&TensorView) -> OpDescriptor,
) -> Result<Vec<u32>, Error> {
    let bytes = TensorView::contiguous(ty, 0, ne).span();
    let out = device.alloc(bytes)?;
    device.execute(&build(&TensorView::contiguous(ty, out.addr().0, ne)))?;
    let mut data = vec![0; bytes as usize];
    device.read(out.addr(), &mut data)?;
    Ok(data.as_chunks().0.iter().map(|&b| u32::from_le_bytes(b)).collect())
}

fn close(ours: &[u32], expected: &[f64]) {
    assert_eq!(ours.len(), expected.len());
    for (i, (&ours, &expected)) in ours.iter().zip(expected).enumerate() {
        let ours = f64::from(f32::from_bits(ours));
        assert!((ours - expected).abs() <= 2e-6 * expected.abs().max(1.0), "{i}: {ours}, not {expected}");
    }
}

#[test]
fn norms_of_short_and_long_rows() {
    let device = simulator();
    for n in [1u32, 33, 9000] {
        let mut rng = Rng::new(9);
        let values: Vec<f32> = (0..n * 3).map(|_| rng.unit() + 0.5).collect();
        let ne = [n, 3, 1, 1];
        let (_x, x) = f32s(&device, &values, ne);
        for function in [NormFunction::RmsNorm, NormFunction::Norm, NormFunction::L2Norm] {
            let expected: Vec<f64> = values
                .chunks(n as usize)
                .flat_map(|row| {
                    let row: Vec<f64> = row.iter().map(|&x| f64::from(x)).collect();
                    let count = row.len() as f64;
                    let mean = match function {
                        NormFunction::Norm => row.iter().sum::<f64>() / count,
                        _ => 0.0,
                    };
                    let squares: f64 = row.iter().map(|x| (x - mean).powi(2)).sum();
                    let scale = match function {
                        NormFunction::L2Norm => 1.0 / squares.sqrt().max(1e-2),
                        _ => 1.0 / (squares / count + 1e-2).sqrt(),
                    };
                    row.into_iter().map(move |x| (x - mean) * scale)
                })
                .collect();
            let ours =
                run(&device, ElementType::F32, ne, |dst| norm(function, 1e-2, &x, dst, CORES).unwrap());
            close(&ours.unwrap(), &expected);
        }
    }
}

#[test]
fn norms_on_the_vector_unit() {
    let device = simulator();
    for case in norms::CASES {
        let (bytes, expected) = norms::run(&device, &mut Rng::new(5), case);
        norms::assert_close(case, &bytes, &expected);
    }
}

#[test]
fn reductions() {
    let device = simulator();
    let values = [3.0, -1.0, 4.0, 1.0, -5.0, 9.0, 2.0, 9.0];
    let (_x, x) = f32s(&device, &values, [4, 2, 1, 1]);
    let f32 = ElementType::F32;
    let sums = run(&device, f32, [1, 2, 1, 1], |dst| sum_rows(0.5, &x, dst, CORES).unwrap()).unwrap();
    close(&sums, &[3.5, 7.5]);
    close(&run(&device, f32, [1; 4], |dst| sum(&x, dst, CORES).unwrap()).unwrap(), &[22.0]);
    let running = run(&device, f32, [4, 2, 1, 1], |dst| cumsum(&x, dst, CORES).unwrap()).unwrap();
    close(&running, &[3.0, 2.0, 6.0, 7.0, -5.0, 4.0, 6.0, 15.0]);
    // The last of equals, as ggml's CPU backend.
    let largest = run(&device, ElementType::I32, [2, 1, 1, 1], |dst| argmax(&x, dst, CORES).unwrap());
    assert_eq!(largest.unwrap(), [2, 3]);
    let causal = Triangle::Causal { past: 1, fill: 0 };
    let masked = run(&device, f32, [4, 2, 1, 1], |dst| triangle(causal, &x, dst, CORES).unwrap()).unwrap();
    close(&masked, &[3.0, -1.0, 0.0, 0.0, -5.0, 9.0, 2.0, 0.0]);
}

#[test]
fn sorting() {
    let device = simulator();
    let mut rng = Rng::new(21);
    let values: Vec<f32> = (0..2 * 1000).map(|_| rng.unit() * 1e3).collect();
    let (_x, x) = f32s(&device, &values, [1000, 2, 1, 1]);
    for (descending, count) in [(false, 1000u32), (true, 1000), (true, 7)] {
        let ours = run(&device, ElementType::I32, [count, 2, 1, 1], |dst| {
            argsort(descending, &x, dst, CORES).unwrap()
        })
        .unwrap();
        for (row, ours) in values.chunks(1000).zip(ours.chunks(count as usize)) {
            let mut expected: Vec<u32> = (0..1000).collect();
            expected.sort_by(|&a, &b| {
                let order = row[a as usize].total_cmp(&row[b as usize]);
                if descending { order.reverse() } else { order }
            });
            assert_eq!(ours, &expected[..count as usize]);
        }
    }
}

#[test]
fn softmax_with_mask_slopes_and_sinks() {
    let device = simulator();
    let mut rng = Rng::new(31);
    // On lanes, in one segment of the vector unit, in several.
    for n in [5usize, 100, 2048, 2052, 8500] {
        let heads = 3u32;
        let how = SoftMax { scale: 0.5, max_bias: 8.0, masked_rows_are_zero: false };
        let values: Vec<f32> = (0..n * 2 * heads as usize).map(|_| rng.unit() * 5.0).collect();
        let mask: Vec<f32> =
            (0..n * 2).map(|i| if i % 4 == 3 { f32::NEG_INFINITY } else { rng.unit() }).collect();
        let ne = [n as u32, 2, heads, 1];
        let (_x, x) = f32s(&device, &values, ne);
        let (_m, m) = f32s(&device, &mask, [n as u32, 2, 1, 1]);
        let (_s, s) = f32s(&device, &[0.5, -0.5, 2.0], [3, 1, 1, 1]);
        let ours = run(&device, ElementType::F32, ne, |dst| {
            soft_max(how, &x, Some(&m), Some(&s), dst, CORES).unwrap()
        })
        .unwrap();
        // ALiBi with 3 heads: 2 lower ones.
        let slopes = [2f64.powf(-4.0), 2f64.powf(-8.0), 2f64.powf(-2.0)];
        let expected: Vec<f64> = values
            .chunks(n)
            .enumerate()
            .flat_map(|(row, x)| {
                let head = row / 2;
                let powers: Vec<f64> = (0..n)
                    .map(|i| (0.5 * f64::from(x[i]) + slopes[head] * f64::from(mask[row % 2 * n + i])).exp())
                    .collect();
                let total = powers.iter().sum::<f64>() + [0.5f64, -0.5, 2.0][head].exp();
                powers.into_iter().map(move |p| p / total)
            })
            .collect();
        close(&ours, &expected);
    }
}

#[test]
fn rows_that_are_masked_as_a_whole() {
    let device = simulator();
    // On lanes, in one segment of the vector unit, in several.
    for n in [4, 64, 4096] {
        let ne = [n as u32, 2, 1, 1];
        let (_x, x) = f32s(&device, &vec![1.0; 2 * n], ne);
        let mut mask = vec![f32::NEG_INFINITY; 2 * n];
        mask[2 * n - 2..].fill(0.0);
        let (_m, m) = f32s(&device, &mask, ne);
        let ours = |masked_rows_are_zero| {
            let how = SoftMax { scale: 1.0, max_bias: 0.0, masked_rows_are_zero };
            let one = |dst: &_| soft_max(how, &x, Some(&m), None, dst, CORES).unwrap();
            let result = run(&device, ElementType::F32, ne, one);
            result.unwrap().into_iter().map(f32::from_bits).collect::<Vec<_>>()
        };
        let mut expected = vec![0.0; 2 * n];
        expected[2 * n - 2..].fill(0.5);
        assert_eq!(ours(true), expected, "{n}");
        assert!(ours(false)[..n].iter().all(|x| x.is_nan()), "{n}");
    }
}

#[test]
fn rows_by_index() {
    let device = simulator();
    let values: Vec<f32> = (0..40).map(|i| i as f32).collect();
    let (_x, x) = f32s(&device, &values, [10, 4, 1, 1]);
    let (_i, indices) = i32s(&device, &[3, 0, 3], [3, 1, 1, 1]);
    let gather = |indices: &TensorView| {
        run(&device, ElementType::F32, [10, 3, 1, 1], |dst| get_rows(&x, indices, dst, CORES).unwrap())
    };
    let expected: Vec<f64> =
        [3, 0, 3].iter().flat_map(|r| (0..10).map(move |i| f64::from(r * 10 + i))).collect();
    close(&gather(&indices).unwrap(), &expected);
    let (_i, outside) = i32s(&device, &[1, 4, -1], [3, 1, 1, 1]);
    assert!(matches!(gather(&outside), Err(Error::Kernel { .. })));
    close(&gather(&indices).unwrap(), &expected);
}

#[test]
fn rotations_on_the_vector_unit() {
    let device = simulator();
    let mut rng = Rng::new(43);
    let positions = [3, 0, 71];
    let (_p, p) = i32s(&device, &positions, [3, 1, 1, 1]);
    // Halves that are whole registers and that are not, more than one register, pairs before the row's end.
    let cases = [(64, 1, 32), (64, 32, 32), (80, 40, 40), (256, 128, 128), (96, 1, 40), (128, 1, 50)];
    for (n, distance, pairs) in cases {
        let ne = [n, 4, 3, 1];
        let values: Vec<f32> = (0..n * 12).map(|_| rng.unit()).collect();
        let (_x, addr) = upload(&device, &encode(ElementType::F32, &values).0, 16);
        let x = TensorView::contiguous(ElementType::F32, addr, ne);
        let how = Rope {
            distance,
            pairs,
            flags: Rope::FLOATS,
            theta_scale: 0.5,
            freq_scale: 1.0,
            mscale: 1.0,
            sin_sign: 1.0,
            ..Rope::default()
        };
        let form = ops::rotations(&how, [n, 3]);
        let memory = device.alloc(form.span()).unwrap();
        let table = TensorView { addr: memory.addr().0, ..form };
        device.execute(&ops::rope_table(&how, &p, None, &table, CORES).unwrap()).unwrap();
        let how = ops::prepared(&how);
        // Each head by itself, and those of a token together.
        let ours = [CORES, 2].map(|cores| {
            run(&device, ElementType::F32, ne, |dst| rope(how, &x, &table, None, dst, cores).unwrap())
                .unwrap()
        });
        let mut expected: Vec<f64> = values.iter().map(|&x| f64::from(x)).collect();
        for (row, values) in expected.chunks_mut(n as usize).enumerate() {
            for pair in 0..pairs as usize {
                let first = if distance == 1 { 2 * pair } else { pair };
                let second = first + distance as usize;
                let angle = f64::from(positions[row / 4]) * 0.5f64.powi(pair as i32);
                let (a, b) = (values[first], values[second]);
                values[first] = a * angle.cos() - b * angle.sin();
                values[second] = a * angle.sin() + b * angle.cos();
            }
        }
        assert_eq!(ours[0], ours[1], "{n} elements, pairs {distance} apart");
        close(&ours[0], &expected);
    }
}

#[test]
fn rotations_of_neighbours_and_halves() {
    let device = simulator();
    let mut rng = Rng::new(41);
    let (n, heads, tokens) = (20u32, 2u32, 3u32);
    let values: Vec<f32> = (0..n * heads * tokens).map(|_| rng.unit()).collect();
    let ne = [n, heads, tokens, 1];
    let (_x, x) = f32s(&device, &values, ne);
    let positions = [0, 7, 1234];
    let (_p, p) = i32s(&device, &positions, [tokens, 1, 1, 1]);
    for distance in [1u32, 8] {
        let how = Rope {
            offset: 2,
            distance,
            pairs: 8,
            theta_scale: 0.5,
            freq_scale: 1.0,
            mscale: 1.0,
            sin_sign: 1.0,
            ..Rope::default()
        };
        let ours =
            run(&device, ElementType::F32, ne, |dst| rope(how, &x, &p, None, dst, CORES).unwrap()).unwrap();
        let mut expected: Vec<f64> = values.iter().map(|&x| f64::from(x)).collect();
        for (row, values) in expected.chunks_mut(n as usize).enumerate() {
            for pair in 0..8 {
                let first = 2 + if distance == 1 { 2 * pair } else { pair };
                let second = first + distance as usize;
                let angle = f64::from(positions[row / heads as usize]) * 0.5f64.powi(pair as i32);
                let (a, b) = (values[first], values[second]);
                values[first] = a * angle.cos() - b * angle.sin();
                values[second] = a * angle.sin() + b * angle.cos();
            }
        }
        close(&ours, &expected);
    }
    let long = Rope { pairs: 11, distance: 1, ..Rope::default() };
    assert!(rope(long, &x, &p, None, &x, CORES).is_err());
}
