//! Quantised types on the simulated card, byte for byte: decoded as on the host, encoded as on the host, copied as they are;
//! and rows that are too long for a core's memory in order.

use crate::common::{Rng, quantised, simulator};
use tt_kernel_abi::GgmlType;
use tt_kernel_quant::encode;
use tt_runtime::ops::rows::LONGEST_RUN;
use tt_runtime::ops::{argsort_long, copy};
use tt_runtime::{ElementType, TensorView};

#[test]
fn rows_of_every_type() {
    let (device, mut rng) = (simulator(), Rng::new(7));
    for ty in GgmlType::ALL {
        let outcome = quantised::gather(&device, &mut rng, ty).unwrap();
        assert!(outcome.is_right(), "{}", ty.name());
    }
}

#[test]
fn blocks_are_those_of_the_host() {
    let (device, mut rng) = (simulator(), Rng::new(8));
    for ty in GgmlType::ALL.into_iter().filter(|&ty| encode::is_known(ty)) {
        let outcome = quantised::encode(&device, &mut rng, ty).unwrap();
        assert!(outcome.is_right(), "{}", ty.name());
    }
}

#[test]
fn blocks_are_copied_as_they_are() {
    let (device, mut rng) = (simulator(), Rng::new(9));
    for ty in GgmlType::ALL {
        let outcome = quantised::permute(&device, &mut rng, ty).unwrap();
        assert!(outcome.is_right(), "{}", ty.name());
    }
}

#[test]
fn long_rows_in_order() {
    let (device, mut rng) = (simulator(), Rng::new(10));
    // One run; a last one of one element; windows that are full, and not; as many runs as there may be.
    let cases = [
        (64, [64, 2, 64]),
        (64, [65, 3, 10]),
        (700, [2000, 3, 2000]),
        (512, [1536, 1, 600]),
        (40, [2560, 5, 2560]),
        (LONGEST_RUN, [33_000, 1, 300]),
    ];
    for (longest, shape) in cases {
        let outcome = quantised::sort(&device, &mut rng, longest, shape).unwrap();
        assert!(outcome.is_right(), "{shape:?} in runs of {longest}");
    }
}

#[test]
fn what_the_kernels_cannot_do_has_a_reason() {
    let view = |ty, ne| TensorView::contiguous(ty, 1 << 24, ne);
    let x = view(ElementType::F32, [256, 1, 1, 1]);
    let searched = view(ElementType::Ggml(GgmlType::Q4_K), x.ne);
    assert!(copy(&x, &searched, 1).unwrap_err().0.contains("no encoder"));
    assert!(copy(&searched, &view(ElementType::I32, x.ne), 1).unwrap_err().0.contains("I32"));
    let long = view(ElementType::F32, [1 << 22, 1, 1, 1]);
    let order = view(ElementType::I32, long.ne);
    let sorted = argsort_long(false, LONGEST_RUN, &long, &order, 1, |_| unreachable!());
    assert!(sorted.unwrap_err().0.contains("can be sorted"));
}
