//! Gradients, the loss and steps of optimisers on the simulated card, against FP64 on the host.

use crate::common::training::{self, SHAPES};
use crate::common::{Rng, encode, simulator, upload};
use tt_runtime::ops::training::{add_rows, silu_back};
use tt_runtime::{DramAddr, ElementType, Error, TensorView};

#[test]
fn gradients_of_rows() {
    let device = simulator();
    for ne in SHAPES {
        for outcome in training::rows(&device, &mut Rng::new(5), ne) {
            let error = outcome.error();
            assert!(error < 1e-6, "{}: error {error:.2e}", outcome.name);
        }
    }
}

#[test]
fn optimisers_read_their_parameters_from_memory() {
    let device = simulator();
    for n in [1, 70, 30_000] {
        for outcome in training::optimisers(&device, &mut Rng::new(6), n) {
            let error = outcome.error();
            assert!(error < 3e-7, "{}: error {error:.2e}", outcome.name);
        }
    }
}

#[test]
fn rows_are_added_to_the_rows_that_indices_name() {
    let device = simulator();
    let shapes = [[40, 7, 50], [1, 700, 30], [9000, 3, 5]];
    for (ty, shape) in [ElementType::F32, ElementType::F16, ElementType::BF16].into_iter().zip(shapes) {
        let outcome = training::add_rows(&device, &mut Rng::new(7), ty, shape);
        assert!(outcome.error() < 3e-6, "{}: error {:.2e}", outcome.name, outcome.error());
    }
    // More indices than a core has at once.
    let outcome = training::add_rows(&device, &mut Rng::new(8), ElementType::F32, [1, 5, 9000]);
    assert!(outcome.error() < 1e-2, "{}: error {:.2e}", outcome.name, outcome.error());
}

#[test]
fn an_index_outside_is_an_error() {
    let device = simulator();
    let (_r, rows) = upload(&device, &[0; 64], 0);
    let (_i, indices) = upload(&device, &[0, 0, 0, 0, 9, 0, 0, 0], 0);
    let (_d, dst) = upload(&device, &[0; 8 * 9 * 4], 0);
    let rows = TensorView::contiguous(ElementType::F32, rows, [8, 2, 1, 1]);
    let indices = TensorView::contiguous(ElementType::I32, indices, [2, 1, 1, 1]);
    let dst = TensorView::contiguous(ElementType::F32, dst, [8, 9, 1, 1]);
    let result = device.execute(&add_rows(&rows, &indices, &dst, 4).unwrap());
    assert!(matches!(result, Err(Error::Kernel { .. })), "{result:?}");
}

#[test]
fn equal_elements_are_counted_once() {
    let device = simulator();
    for n in [1, 500, 20_000] {
        let [counted, equal] = training::count_equal(&device, &mut Rng::new(9), n);
        assert_eq!(counted, equal, "of {n}");
    }
}

/// On the vector unit, and on lanes: half precision.
#[test]
fn gradient_of_silu() {
    let device = simulator();
    let mut rng = Rng::new(10);
    for (ty, bound) in [(ElementType::F32, 1e-6), (ElementType::F16, 1e-3)] {
        let n = 3000;
        let [x, g] = [8.0, 1.0].map(|scale| (0..n).map(|_| rng.unit() * scale).collect::<Vec<f32>>());
        let ((x_bytes, x), (g_bytes, g)) = (encode(ty, &x), encode(ty, &g));
        let (_x, vx) = upload(&device, &x_bytes, 0);
        let (_g, vg) = upload(&device, &g_bytes, 16);
        let (_d, vd) = upload(&device, &vec![0; x_bytes.len()], 32);
        let [vx, vg, dst] = [vx, vg, vd].map(|addr| TensorView::contiguous(ty, addr, [n, 1, 1, 1]));
        device.execute(&silu_back(&vg, &vx, &dst, 64).unwrap()).unwrap();
        let mut bytes = vec![0; x_bytes.len()];
        device.read(DramAddr(dst.addr), &mut bytes).unwrap();
        for (i, (x, g)) in x.iter().zip(&g).enumerate() {
            let (x, g) = (f64::from(*x), f64::from(*g));
            let s = 1.0 / (1.0 + (-x).exp());
            let want = g * s * (1.0 + x * (1.0 - s));
            let got = match ty {
                ElementType::F32 => f32::from_le_bytes(bytes.as_chunks().0[i]),
                _ => half::f16::from_le_bytes(bytes.as_chunks().0[i]).to_f32(),
            };
            assert!((f64::from(got) - want).abs() <= bound, "{ty:?}: {got} instead of {want} at {x}, {g}");
        }
    }
}
