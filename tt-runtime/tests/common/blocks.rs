//! Products of many rows in blocks of the result: near to what the product of 32 x 32 tiles gives, which rounds activations to more bits.

use std::sync::Arc;

use tt_runtime::layout::{GgmlType, WeightFormat, pack};
use tt_runtime::{Device, DramAddr, ElementType, TensorView, ops};

use super::{Rng, upload, upload_weights};

/// `K`, columns and rows: few rows, which all tiles have, a column of the grid with one tile of rows, with two; not all full; several passes; more blocks than there are
/// slots, and fewer columns than rows of the grid.
pub const SHAPES: &[[u32; 3]] =
    &[[256, 160, 17], [320, 2560, 70], [1600, 96, 200], [224, 1024, 300], [64, 352, 600]];

/// Mean square of the difference by that of the values, of BF16's and TF32's rounding.
const LIMIT: f64 = 1e-5;

/// A product both ways; gives the bytes of the one in blocks.
///
/// # Panics
/// They differ by more than rounding, or the product is none for which blocks are worth it.
pub fn product(
    device: &Arc<Device>,
    rng: &mut Rng,
    format: WeightFormat,
    &[k, n, rows]: &[u32; 3],
) -> Vec<u8> {
    let workers = device.info().expect("it boots").workers();
    let mut floats = |count: u32| -> Vec<u8> { (0..count).flat_map(|_| rng.unit().to_le_bytes()).collect() };
    let values = floats(k * n);
    let ty = if format == WeightFormat::Bfp4 { ElementType::TilesBfp4 } else { ElementType::TilesBfp8 };
    let tiles = pack(format, GgmlType::F32, &values, k as usize, n as usize, 1).expect("tiles");
    let (_w, weights) = upload_weights(device, ty, [k, n, 1, 1], &tiles, 0);
    // Not at a line of the NoC.
    let (_x, at) = upload(device, &floats(k * rows), 16);
    let src1 = TensorView::contiguous(ElementType::F32, at, [k, rows, 1, 1]);
    let bytes = 4 * (n * rows) as usize;
    let (_y, at) = upload(device, &vec![0xFF; bytes], 0);
    let dst = TensorView::contiguous(ElementType::F32, at, [n, rows, 1, 1]);
    let product = ops::matmul(&weights, &src1, &dst, workers).expect("supported");
    assert!(ops::worth_blocks(&product), "{k} x {n}, {rows} rows");
    let form = ops::block_form(&src1);
    let (_o, at) = upload(device, &vec![0; form.span() as usize], 0);
    let ordered = TensorView { addr: at, ..form };
    let result = || {
        let mut found = vec![0; bytes];
        device.read(DramAddr(dst.addr), &mut found).expect("a result");
        found
    };
    let mut stream = device.stream();
    stream.push(&ops::order_blocks(&src1, &ordered, workers).expect("supported")).expect("open");
    stream.push(&ops::blocks(&product, &ordered).expect("supported")).expect("open");
    stream.finish().expect("no finding");
    let found = result();
    device.execute(&product).expect("no finding");
    let floats = |bytes: &[u8]| -> Vec<f64> {
        bytes
            .chunks_exact(4)
            .map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]]).into())
            .collect()
    };
    let (expected, values) = (floats(&result()), floats(&found));
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
    let off = square(&mut expected.iter().zip(&values).map(|(a, b)| a - b));
    let error = off / square(&mut expected.iter().copied());
    assert!(error < LIMIT, "{format:?} {k} x {n}, {rows} rows: error {error:.2e}");
    found
}
