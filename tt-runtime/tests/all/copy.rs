//! Copies on the simulated card, byte for byte against the rules on the host.

use crate::common::{Rng, encode, simulator, upload};
use tt_runtime::ops::copy::DimMap;
use tt_runtime::ops::{copy, remap, repeat};
use tt_runtime::{DramAddr, ElementType, TensorView};

const CORES: u32 = 64;

/// Bytes of the element of `view` at `i`, in memory that begins at `view.addr`.
fn element(view: &TensorView, bytes: &[u8], i: [u32; 4]) -> Vec<u8> {
    let at: u64 = i.iter().zip(view.nb).map(|(&i, nb)| u64::from(i) * nb).sum();
    let size = u64::from(view.element_type().unwrap().block_bytes());
    bytes[at as usize..(at + size) as usize].to_vec()
}

fn indices(ne: [u32; 4]) -> impl Iterator<Item = [u32; 4]> {
    let [n0, n1, n2, n3] = ne;
    (0..n3).flat_map(move |i3| {
        (0..n2).flat_map(move |i2| (0..n1).flat_map(move |i1| (0..n0).map(move |i0| [i0, i1, i2, i3])))
    })
}

#[test]
fn random_rules_and_strides() {
    let device = simulator();
    let mut rng = Rng::new(77);
    for round in 0..40 {
        let ty = [ElementType::I16, ElementType::F32, ElementType::I64][round % 3];
        let size = u64::from(ty.block_bytes());
        let ne: [u32; 4] = std::array::from_fn(|_| 1 + rng.next() % 9);
        let dims: [DimMap; 4] = std::array::from_fn(|dim| match rng.next() % 3 {
            0 => DimMap::Wrap { shift: rng.next() % ne[dim] },
            1 => DimMap::Pad { before: rng.next() % 4 },
            _ => DimMap::Reflect { before: rng.next() % ne[dim] },
        });
        let to: [u32; 4] = std::array::from_fn(|dim| match dims[dim] {
            DimMap::Reflect { before } => before + 1 + rng.next() % ne[dim].max(1),
            _ => 1 + rng.next() % 20,
        });
        let to: [u32; 4] = std::array::from_fn(|dim| match dims[dim] {
            DimMap::Reflect { before } => to[dim].min(before + 2 * ne[dim] - 1).max(before),
            _ => to[dim],
        });
        if to.contains(&0) {
            continue;
        }
        // The source's dimensions lie in memory in a random order.
        let mut nb = [0; 4];
        let (mut order, mut stride) = ([0, 1, 2, 3], size);
        order.swap(rng.next() as usize % 4, rng.next() as usize % 4);
        for dim in order {
            nb[dim] = stride;
            stride *= u64::from(ne[dim]);
        }
        let bytes: Vec<u8> = (0..stride).map(|_| rng.next() as u8).collect();
        let (_src, addr) = upload(&device, &bytes, size);
        let src = TensorView::new(ty, addr, ne, nb);
        let before = vec![0xAB; (to.iter().product::<u32>() as u64 * size + 64) as usize];
        let (_dst, out) = upload(&device, &before, 0);
        let dst = TensorView::contiguous(ty, out + 32, to);
        device.execute(&remap(&src, &dst, dims, CORES).unwrap()).unwrap();
        let mut after = vec![0; before.len()];
        device.read(DramAddr(out), &mut after).unwrap();
        assert!(after[..32].iter().chain(&after[after.len() - 32..]).all(|&b| b == 0xAB), "neighbours");
        for i in indices(to) {
            let from: Option<Vec<u32>> = (0..4).map(|dim| dims[dim].source(i[dim], ne[dim])).collect();
            let expected = match from {
                Some(from) => element(&src, &bytes, [from[0], from[1], from[2], from[3]]),
                None => vec![0; size as usize],
            };
            assert_eq!(element(&dst, &after[32..], i), expected, "{ty:?} {ne:?} {dims:?} -> {to:?} at {i:?}");
        }
    }
}

#[test]
fn other_shapes_and_types() {
    let device = simulator();
    let mut rng = Rng::new(3);
    let values: Vec<f32> = (0..840).map(|_| rng.unit() * 100.0).collect();
    let (_src, addr) = upload(&device, &encode(ElementType::F32, &values).0, 0);
    let src = TensorView::contiguous(ElementType::F32, addr, [7, 5, 24, 1]);
    for ty in [ElementType::F16, ElementType::BF16, ElementType::F32] {
        let out = device.alloc(4 * 840).unwrap();
        let dst = TensorView::contiguous(ty, out.addr().0, [40, 21, 1, 1]);
        device.execute(&copy(&src, &dst, CORES).unwrap()).unwrap();
        let mut bytes = vec![0; dst.span() as usize];
        device.read(out.addr(), &mut bytes).unwrap();
        assert_eq!(bytes, encode(ty, &values).0, "{ty:?}");
    }
}

#[test]
fn what_the_kernel_cannot_do_has_a_reason() {
    let view = |ty, ne| TensorView::contiguous(ty, 1 << 24, ne);
    let x = view(ElementType::F32, [4, 4, 1, 1]);
    assert!(copy(&x, &view(ElementType::F32, [4, 5, 1, 1]), 1).unwrap_err().0.contains("shapes"));
    assert!(copy(&x, &view(ElementType::I64, [4, 4, 1, 1]), 1).unwrap_err().0.contains("I64"));
    assert!(repeat(&x, &view(ElementType::F32, [6, 4, 1, 1]), 1).unwrap_err().0.contains("repeated"));
    let reflect = [DimMap::Reflect { before: 4 }, DimMap::SAME, DimMap::SAME, DimMap::SAME];
    assert!(remap(&x, &view(ElementType::F32, [8, 4, 1, 1]), reflect, 1).is_err());
}
