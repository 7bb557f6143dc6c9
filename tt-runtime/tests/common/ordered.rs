//! Products whose activations are brought to SrcB's order before: the same bytes as when each tile does that by itself.

use std::sync::Arc;

use tt_runtime::layout::{GgmlType, WeightFormat, pack};
use tt_runtime::{Device, DramAddr, ElementType, TensorView, ops};

use super::{Rng, upload, upload_weights};

/// `K`, columns, and rows with two dimensions of batches: few and many rows, several tiles of them with one that is not full, K with a part of a tile, and
/// more of it than L1 has room for with several tiles of rows.
pub const SHAPES: &[[u32; 5]] = &[
    [1024, 128, 4, 1, 1],
    [256, 160, 17, 1, 1],
    [200, 1024, 33, 1, 1],
    [64, 2048, 130, 1, 1],
    [96, 1024, 65, 2, 2],
];

/// A product both ways; gives the bytes.
///
/// # Panics
/// They differ, or the product is none for which the order is worth it.
pub fn product(device: &Arc<Device>, rng: &mut Rng, &[k, n, rows, ne2, ne3]: &[u32; 5]) -> Vec<u8> {
    let workers = device.info().expect("it boots").workers();
    let mut floats = |count: u32| -> Vec<u8> { (0..count).flat_map(|_| rng.unit().to_le_bytes()).collect() };
    let values = floats(k * n);
    let tiles = pack(WeightFormat::Bfp8, GgmlType::F32, &values, k as usize, n as usize, 1).expect("tiles");
    let (_w, weights) = upload_weights(device, ElementType::TilesBfp8, [k, n, 1, 1], &tiles, 0);
    // Rows lie where they like.
    let (_x, at) = upload(device, &floats(k * rows * ne2 * ne3), 4);
    let src1 = TensorView::contiguous(ElementType::F32, at, [k, rows, ne2, ne3]);
    let ne = [n, rows, ne2, ne3];
    let bytes = 4 * ne.iter().product::<u32>() as usize;
    let (_y, at) = upload(device, &vec![0; bytes], 0);
    let dst = TensorView::contiguous(ElementType::F32, at, ne);
    let product = ops::matmul(&weights, &src1, &dst, workers).expect("supported");
    assert!(ops::worth_order(&product), "{k} x {n}, {rows} rows");
    let form = ops::ordered(&src1);
    let (_o, at) = upload(device, &vec![0; form.span() as usize], 0);
    let ordered = TensorView { addr: at, ..form };
    let result = || {
        let mut found = vec![0; bytes];
        device.read(DramAddr(dst.addr), &mut found).expect("a result");
        found
    };
    device.execute(&product).expect("no finding");
    let by_each = result();
    device.write(DramAddr(dst.addr), &vec![0xFF; bytes]).expect("open");
    let mut stream = device.stream();
    stream.push(&ops::order(&src1, &ordered, workers).expect("supported")).expect("open");
    stream.push(&ops::with_ordered(&product, &ordered).expect("supported")).expect("open");
    stream.finish().expect("no finding");
    let found = result();
    assert!(found == by_each, "{k} x {n}, {rows} rows: other bytes");
    found
}
