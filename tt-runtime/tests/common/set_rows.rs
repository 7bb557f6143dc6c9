//! A case of `SET_ROWS`: random rows to random places.

use std::sync::Arc;

use half::f16;
use tt_runtime::{Device, DramAddr, ElementType, Error, TensorView, ops};

use super::{Rng, upload};

/// Byte of the destination that no row covers.
const UNTOUCHED: u8 = 0x5A;

#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// F32 or F16.
    pub dst: ElementType,
    /// I32 or I64.
    pub index: ElementType,
    /// Elements of a row, rows, and two dimensions of batches.
    pub ne: [u32; 4],
    /// The indices' batches.
    pub index_ne: [u32; 2],
    /// Addresses are this many elements off.
    pub off: u64,
    /// One index lies outside.
    pub outside: bool,
}

/// What a case gave: the launch's result, the destination, and what it should be.
pub struct Outcome {
    pub result: Result<(), Error>,
    pub got: Vec<u8>,
    pub want: Vec<u8>,
}

/// Rows with large, tiny, subnormal and infinite values; no NaN, whose payload a conversion may change.
fn values(rng: &mut Rng, count: usize) -> Vec<f32> {
    let value = |i: usize| match i % 9 {
        0 => rng.unit() * 1e-6,
        1 => f32::from_bits(rng.next() << 12 ^ rng.next()),
        2 => rng.unit() * 70000.0,
        _ => rng.unit(),
    };
    let no_nan = |v: f32| if v.is_nan() { f32::INFINITY.copysign(v) } else { v };
    (0..count).map(value).map(no_nan).collect()
}

/// For each batch of indices different rows of `places`.
fn indices(rng: &mut Rng, batches: u32, rows: u32, places: u32) -> Vec<u32> {
    let mut all = Vec::new();
    for _ in 0..batches {
        let mut order: Vec<u32> = (0..places).collect();
        for i in 0..rows {
            order.swap(i as usize, (i + rng.next() % (places - i)) as usize);
        }
        all.extend_from_slice(&order[..rows as usize]);
    }
    all
}

fn strides(element: u64, pitch: u64, ne1: u32, ne2: u32) -> [u64; 4] {
    let nb1 = element * pitch;
    [element, nb1, nb1 * u64::from(ne1), nb1 * u64::from(ne1) * u64::from(ne2)]
}

pub fn run(device: &Arc<Device>, rng: &mut Rng, case: Case) -> Outcome {
    let Case { dst: ty, index, ne: [ne0, ne1, ne2, ne3], index_ne: [ne11, ne12], off, outside } = case;
    let (pitch, places) = (u64::from(ne0) + 3, ne1 + 20);
    let rows = values(rng, pitch as usize * (ne1 * ne2 * ne3) as usize);
    let bytes: Vec<u8> = rows.iter().flat_map(|v| v.to_le_bytes()).collect();
    let (_m0, a0) = upload(device, &bytes, 4 * off);
    let src0 = TensorView::new(ElementType::F32, a0, case.ne, strides(4, pitch, ne1, ne2));

    let mut to = indices(rng, ne11 * ne12, ne1, places);
    let bad = outside.then_some(to.len() / 2);
    if let Some(bad) = bad {
        to[bad] = places + 5;
    }
    let bytes: Vec<u8> = match index {
        ElementType::I64 => to.iter().flat_map(|&i| u64::from(i).to_le_bytes()).collect(),
        _ => to.iter().flat_map(|&i| i.to_le_bytes()).collect(),
    };
    let (_m1, a1) = upload(device, &bytes, 8 * off);
    let src1 = TensorView::contiguous(index, a1, [ne1, ne11, ne12, 1]);

    let element = ty.block_bytes() as usize;
    let out_pitch = ne0 as usize + 1;
    let mut want = vec![UNTOUCHED; out_pitch * element * (places * ne2 * ne3) as usize];
    let (_m2, a2) = upload(device, &want, off * element as u64);
    let out_strides = strides(element as u64, out_pitch as u64, places, ne2);
    let dst = TensorView::new(ty, a2, [ne0, places, ne2, ne3], out_strides);

    for (row, from) in rows.chunks(pitch as usize).enumerate() {
        let (i1, i2, i3) = (row as u32 % ne1, row as u32 / ne1 % ne2, row as u32 / ne1 / ne2);
        let at = (((i3 % ne12) * ne11 + i2 % ne11) * ne1 + i1) as usize;
        if Some(at) == bad {
            continue;
        }
        let place = ((i3 * ne2 + i2) * places + to[at]) as usize * out_pitch * element;
        let out = want[place..].chunks_mut(element);
        for (out, &v) in out.zip(&from[..ne0 as usize]) {
            match ty {
                ElementType::F16 => out.copy_from_slice(&f16::from_f32(v).to_le_bytes()),
                _ => out.copy_from_slice(&v.to_le_bytes()),
            }
        }
    }
    let workers = device.info().unwrap().workers();
    let result = device.execute(&ops::set_rows(&src0, &src1, &dst, workers).unwrap());
    let mut got = vec![0; want.len()];
    device.read(DramAddr(a2), &mut got).unwrap();
    Outcome { result, got, want }
}

/// Shapes: elements, rows, batches; batches of indices.
pub const SHAPES: [([u32; 4], [u32; 2]); 5] = [
    ([1, 1, 1, 1], [1, 1]),
    ([1, 70, 2, 1], [1, 1]),
    ([32, 5, 2, 3], [2, 3]),
    ([77, 40, 4, 2], [2, 1]),
    ([5000, 3, 1, 2], [1, 2]),
];
