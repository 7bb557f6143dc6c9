//! Products with keys and values of a cache in half precision, which the unpacker takes as they lie.

use std::sync::Arc;

use tt_kernel_abi::matmul::Halves;
use tt_kernel_abi::operators::kernel;
use tt_runtime::{Device, DramAddr, ElementType, TensorView, ops};

use super::{Rng, encode, upload};

/// Extents that are no whole tiles, more tiles than a block and more blocks than the ring has slots, more rows than a group.
pub const CASES: [Case; 8] = [
    Case { ty: ElementType::F16, columns: false, elements: 80, positions: 70, rows: 5, offset: 16 },
    Case { ty: ElementType::F16, columns: false, elements: 208, positions: 33, rows: 9, offset: 0 },
    Case { ty: ElementType::BF16, columns: false, elements: 64, positions: 40, rows: 1, offset: 32 },
    Case { ty: ElementType::F16, columns: true, elements: 80, positions: 70, rows: 5, offset: 0 },
    Case { ty: ElementType::F16, columns: true, elements: 48, positions: 700, rows: 4, offset: 16 },
    Case { ty: ElementType::F16, columns: true, elements: 32, positions: 1, rows: 40, offset: 0 },
    Case { ty: ElementType::BF16, columns: true, elements: 64, positions: 150, rows: 3, offset: 48 },
    Case { ty: ElementType::F16, columns: false, elements: 32, positions: 300, rows: 2, offset: 48 },
];

/// A cache of positions with the elements of three heads side by side.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    ty: ElementType,
    /// Multiplied along positions, not along a head's elements.
    columns: bool,
    elements: u32,
    positions: u32,
    rows: u32,
    /// Of the cache's address.
    offset: u64,
}

impl Case {
    /// K and N of the product.
    const fn extents(self) -> (u32, u32) {
        match self.columns {
            true => (self.positions, self.elements),
            false => (self.elements, self.positions),
        }
    }
}

const HEADS: u32 = 3;

/// Result as bytes, and its error: sum of squares over that of the values. The unpacker must have been chosen.
pub fn run(device: &Arc<Device>, rng: &mut Rng, case: Case) -> (Vec<u8>, f64) {
    let Case { ty, columns, elements, positions, rows, .. } = case;
    let (k, n) = case.extents();
    let width = HEADS * elements;
    let cache: Vec<f32> = (0..width * positions).map(|_| rng.unit()).collect();
    // Probabilities may be small and scores large.
    let x: Vec<f32> =
        (0..k * rows * HEADS).map(|i| rng.unit() * [1e-9, 0.01, 2e4][(i / k % rows % 3) as usize]).collect();
    let (bytes, halves) = product(device, case, &cache, &x);
    let wanted = if columns { Halves::Columns } else { Halves::Rows };
    assert_eq!(halves, wanted as u32, "{case:?}");
    let cache = encode(ty, &cache).1;

    let weight = |head: u32, n: u32, k: u32| {
        let (position, element) = if columns { (k, n) } else { (n, k) };
        f64::from(cache[(position * width + head * elements + element) as usize])
    };
    let mut worst = 0f64;
    for row in 0..rows * HEADS {
        let (mut error, mut signal) = (0.0, 0.0);
        for column in 0..n {
            let want: f64 =
                (0..k).map(|i| weight(row / rows, column, i) * f64::from(x[(row * k + i) as usize])).sum();
            let at = 4 * (row * n + column) as usize;
            let got = f64::from(f32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")));
            error += (got - want) * (got - want);
            signal += want * want;
        }
        worst = worst.max(error / signal);
    }
    (bytes, worst)
}

/// What the precision of SrcA and SrcB allows, in every row.
pub const ALLOWED: f64 = 1e-5;

/// The product of a case's cache and rows: the result as bytes, and how the operands come to SrcA ([`Halves`]).
fn product(device: &Arc<Device>, case: Case, cache: &[f32], x: &[f32]) -> (Vec<u8>, u32) {
    let Case { ty, columns, elements, positions, rows, offset } = case;
    let (k, n) = case.extents();
    let (_c, addr) = upload(device, &encode(ty, cache).0, offset);
    let memory = TensorView::contiguous(ty, addr, [HEADS * elements, positions, 1, 1]);
    let head = memory.nb[0] * u64::from(elements);
    let (across, along) = (memory.nb[1], memory.nb[0]);
    let src0 = match columns {
        true => TensorView { ne: [k, n, HEADS, 1], nb: [across, along, head, across], ..memory },
        false => TensorView { ne: [k, n, HEADS, 1], nb: [along, across, head, across], ..memory },
    };
    let (_x, addr) = upload(device, &encode(ElementType::F32, x).0, 4);
    let src1 = TensorView::contiguous(ElementType::F32, addr, [k, rows, HEADS, 1]);
    let mut bytes = vec![0; (4 * n * rows * HEADS) as usize];
    let (_d, addr) = upload(device, &bytes, 12);
    let dst = TensorView::contiguous(ElementType::F32, addr, [n, rows, HEADS, 1]);
    let cores = device.info().expect("it boots").workers();
    let op = ops::matmul(&src0, &src1, &dst, cores).expect("supported");
    device.execute(&op).unwrap_or_else(|error| panic!("{case:?}: {error}"));
    device.read(DramAddr(dst.addr), &mut bytes).expect("a result");
    (bytes, op.params_of::<kernel::Matmul>().expect("a product").halves)
}

/// Results of the row of the second head, which has 31 activations of 0.5 and `value`, all weights being 1. Rows of other heads must be 16 in all columns.
pub fn special(device: &Arc<Device>, value: f32) -> Vec<f32> {
    let case = Case { ty: ElementType::F16, columns: false, elements: 32, positions: 32, rows: 1, offset: 0 };
    let mut x = vec![0.5; (32 * HEADS) as usize];
    x[32 + 3] = value;
    let (bytes, halves) = product(device, case, &vec![1.0; (HEADS * 32 * 32) as usize], &x);
    assert_eq!(halves, Halves::Rows as u32);
    let results: Vec<f32> = bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    assert!(results[..32].iter().chain(&results[64..]).all(|&result| result == 16.0), "{results:?}");
    results[32..64].to_vec()
}
