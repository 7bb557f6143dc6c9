//! BF16 tiles of weights that are not rounded a second time, and products of many rows with them.

use std::sync::Arc;

use half::bf16;
use tt_kernel_abi::exact::Kind;
use tt_runtime::layout::{Form, GgmlType, WeightFormat, pack};
use tt_runtime::{Device, ElementType, OpDescriptor, TensorView, ops};

use super::exact::{Matrix, Product, activations, error, floats, read};
use super::{Rng, upload, upload_weights};

/// Random blocks of a type: every scale, also denormal and infinite ones.
pub fn random_blocks(rng: &mut Rng, ty: GgmlType, k: usize, n: usize) -> Vec<u8> {
    let bytes = ty.row_bytes(k).expect("whole blocks") * n;
    (0..bytes).map(|_| rng.next() as u8).collect()
}

/// A matrix in its exact form, and the values of its rows.
pub struct Weights {
    pub kind: Kind,
    pub k: usize,
    pub n: usize,
    pub stream: Vec<u8>,
}

impl Weights {
    pub fn of_blocks(rng: &mut Rng, ty: GgmlType, k: usize, n: usize) -> Self {
        let (kind, form) = (Kind::of(ty).expect("a kind"), Form::exact(ty).expect("a form"));
        let stream = pack(form, ty, &random_blocks(rng, ty, k, n), k, n, 1).expect("whole blocks");
        Self { kind, k, n, stream }
    }

    /// Single precision values, row after row; rows are padded to whole tiles.
    pub fn values(&self) -> Vec<f32> {
        let form = Form::Exact(self.kind);
        self.stream
            .chunks(form.strip_bytes(self.k))
            .flat_map(|strip| form.unpack_strip(self.k, strip))
            .collect()
    }
}

/// The tiles that a device makes of `columns` columns from `first` on: their bytes.
pub fn tiles(device: &Arc<Device>, weights: &Weights, first: usize, columns: usize) -> Vec<u8> {
    let ne = [weights.k as u32, weights.n as u32, 1, 1];
    let (_w, src0) = upload_weights(device, ElementType::Exact(weights.kind), ne, &weights.stream, 0);
    let form = TensorView::tiles(ElementType::TilesBf16, 0, [weights.k as u32, columns as u32, 1, 1]);
    let (_t, at) = upload(device, &vec![0xAB; form.span() as usize], 0);
    let dst = TensorView { addr: at, ..form };
    let workers = device.info().expect("it boots").workers();
    let step = ops::exact_tiles(&src0, first as u32, &dst, workers).expect("supported");
    device.execute(&step).expect("no finding");
    let mut got = vec![0; form.span() as usize];
    device.read_tiles(&dst, 0, &mut got).expect("readable");
    got
}

/// The values of BF16 tiles, row after row of `k`.
pub fn values(k: usize, tiles: &[u8]) -> Vec<f32> {
    let form = Form::from(WeightFormat::Bf16);
    tiles.chunks(form.strip_bytes(k)).flat_map(|strip| form.unpack_strip(k, strip)).collect()
}

/// BF16 as the packers round to it: to the nearest, ties away from zero. What is denormal is zero.
pub fn rounded(x: f32) -> f32 {
    let rounded = f32::from_bits((x.to_bits() + 0x8000) & 0xFFFF_0000);
    if x.abs() < f32::MIN_POSITIVE { 0.0 } else { rounded }
}

/// Errors of a product against double precision, with activations as the kernel rounds them.
#[derive(Debug)]
pub struct Errors {
    /// Over the quantised weights.
    pub exact: f64,
    /// Over these rounded to BF16.
    pub of_tiles: f64,
}

/// A product of many rows by way of tiles, in parts of `columns` columns: the bytes, and the errors.
pub fn product(
    device: &Arc<Device>,
    rng: &mut Rng,
    kind: Kind,
    [k, n, rows]: [usize; 3],
    columns: usize,
) -> (Vec<u8>, Errors) {
    let mut matrix = Matrix::random(rng, kind, [k, n, 1]);
    let x = activations(rng, k * rows);
    let product = Product::new(device, &matrix, &x);
    let OpDescriptor { src0, src1, dst, cores, .. } = product.op;
    assert!(ops::worth_block_tiles(&product.op), "{kind:?} {k} x {n}, {rows} rows");
    let form = ops::block_form(&src1);
    let (_o, at) = upload(device, &vec![0; form.span() as usize], 0);
    let ordered = TensorView { addr: at, ..form };
    let form = |columns| TensorView::tiles(ElementType::TilesBf16, 0, [k as u32, columns, 1, 1]);
    let (_t, at) = upload(device, &vec![0xFF; form(columns as u32).span() as usize], 0);
    let mut stream = device.stream();
    stream
        .push(&ops::order_blocks(&src1, &ordered, ElementType::TilesBf16, cores).expect("supported"))
        .expect("open");
    for first in (0..n as u32).step_by(columns) {
        let tiles = TensorView { addr: at, ..form((columns as u32).min(n as u32 - first)) };
        stream.push(&ops::exact_tiles(&src0, first, &tiles, cores).expect("supported")).expect("open");
        let step = ops::blocks_of_tiles(&product.op, first, &tiles, &ordered).expect("supported");
        stream.push(&step).expect("open");
    }
    stream.finish().expect("no finding");
    let got = read(device, &dst);
    let near: Vec<f32> = x.iter().map(|&x| rounded(x)).collect();
    let products =
        |matrix: &Matrix| -> Vec<f64> { near.chunks(k).flat_map(|row| matrix.times(0, row)).collect() };
    let got_values = floats(&got);
    let exact = error(&got_values, &products(&matrix));
    matrix.weights.iter_mut().for_each(|weight| *weight = rounded(*weight as f32).into());
    let of_tiles = error(&got_values, &products(&matrix));
    (got, Errors { exact, of_tiles })
}

/// The largest error of tiles made of random integers and scales, in units of what BF16 and single precision may lose.
pub fn largest_error(device: &Arc<Device>, rng: &mut Rng, kind: Kind, [k, n]: [usize; 2]) -> f64 {
    let matrix = Matrix::random(rng, kind, [k, n, 1]);
    let weights = Weights { kind, k, n, stream: matrix.bytes.clone() };
    let got = values(k, &tiles(device, &weights, 0, n));
    let largest = matrix.weights.iter().fold(0f64, |largest, x| largest.max(x.abs()));
    let errors = matrix.weights.iter().zip(&got).map(|(&want, &got)| {
        let unit = f64::from(bf16::from_f64(want).to_f32()).abs() / 256.0 + largest / f64::from(1 << 22);
        (f64::from(got) - want).abs() / unit
    });
    errors.fold(0.0, |largest, error| if error.is_nan() { f64::INFINITY } else { largest.max(error) })
}

/// Bytes of what `tiles` gives for a random matrix.
pub fn bytes(device: &Arc<Device>, rng: &mut Rng, kind: Kind, [k, n]: [usize; 2]) -> Vec<u8> {
    let weights = Weights { kind, k, n, stream: Matrix::random(rng, kind, [k, n, 1]).bytes };
    tiles(device, &weights, 0, n)
}
