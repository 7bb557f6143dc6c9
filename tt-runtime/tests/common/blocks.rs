//! Products of many rows in blocks of the result: near to what the product of 32 x 32 tiles gives, which rounds activations to more bits.

use std::sync::Arc;

use tt_kernel_abi::matmul_block::ACT_TILE_BYTES;
use tt_kernel_abi::order::OrderParams;
use tt_runtime::layout::{GgmlType, WeightFormat, pack};
use tt_runtime::ops::elementwise::Binary;
use tt_runtime::{Device, DramAddr, ElementType, OpDescriptor, TensorView, ops};

use super::{Rng, upload, upload_weights};

/// `K`, columns and rows: few rows, which all tiles have, less than a group of them, a column of the grid with one tile of rows, with two; not all full; several passes; more blocks than there are
/// slots, and fewer columns than rows of the grid.
pub const SHAPES: &[[u32; 3]] =
    &[[288, 128, 3], [256, 160, 17], [320, 2560, 70], [1600, 96, 200], [224, 1024, 300], [64, 352, 600]];

/// Mean square of the difference by that of the values: a number of seven significant bits is off by at most 2^-7 of itself, and the mean square is a twelfth of the square of the
/// last bit's worth, 1.1e-5 where mantissas are spread as magnitudes are. The other side rounds to TF32.
const LIMIT: f64 = 1.5e-5;

/// Checks the order of activations, bit by bit in seven significant ones: of a tile's four groups of eight rows the first 16 elements, then the others.
fn check_order(values: &[f32], [k, rows]: [u32; 2], found: &[u8]) {
    let params = OrderParams::of([k, rows]);
    for (row_tile, k_tile) in (0..params.row_tiles).flat_map(|row| (0..params.k_tiles).map(move |k| (row, k)))
    {
        let tile = &found[params.offset(row_tile, k_tile) as usize..][..ACT_TILE_BYTES as usize];
        for (place, bits) in (0..).zip(tile.chunks_exact(2)) {
            let (group, half, row, column) = (place / 256, place / 128 % 2, place / 16 % 8, place % 16);
            let (row, column) = (row_tile * 32 + group * 8 + row, k_tile * 32 + half * 16 + column);
            let value = if row < rows { values[(row * k + column) as usize] } else { 0.0 };
            let nearest = (value.to_bits() + 0x1_0000) >> 17;
            let found = u16::from_le_bytes([bits[0], bits[1]]) >> 1;
            assert_eq!(u32::from(found), nearest, "row {row}, column {column} of {k}: {value}");
        }
    }
}

/// Numbers of single precision.
fn singles(bytes: &[u8]) -> Vec<f32> {
    let words = bytes.chunks_exact(4);
    words.map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect()
}

/// The sums of a product in blocks and of as many rows, in the place of these, and of a row that repeats: each in one launch and in two. Gives the bytes.
///
/// # Panics
/// They differ.
fn sums(device: &Arc<Device>, rng: &mut Rng, product: &OpDescriptor) -> Vec<u8> {
    let [n, rows, ..] = product.dst.ne;
    let mut all = Vec::new();
    for count in [rows, 1] {
        let values: Vec<u8> = (0..n * count).flat_map(|_| rng.unit().to_le_bytes()).collect();
        let (_a, at) = upload(device, &values, 64);
        let addend = TensorView::contiguous(ElementType::F32, at, [n, count, 1, 1]);
        let (_s, at) = upload(device, &vec![0xFF; product.dst.span() as usize], 16);
        let dst = if count == rows { addend } else { TensorView { addr: at, ..product.dst } };
        let result = |view: &TensorView| {
            let mut found = vec![0; view.span() as usize];
            device.read(DramAddr(view.addr), &mut found).expect("a result");
            found
        };
        let fused = ops::matmul_add(product, &addend, &dst).expect("supported");
        device.execute(&fused).expect("no finding");
        let found = result(&dst);
        device.write(DramAddr(addend.addr), &values).expect("open");
        device.execute(product).expect("no finding");
        let sum = ops::binary(Binary::Add, &product.dst, &addend, &product.dst, product.cores);
        device.execute(&sum.expect("supported")).expect("no finding");
        assert!(found == result(&product.dst), "{count} rows added to {rows} rows of {n}: other bytes");
        all.extend(found);
    }
    all
}

/// A product both ways; gives the bytes of the one in blocks, and of its sums.
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
    let activations = floats(k * rows);
    let (_x, at) = upload(device, &activations, 16);
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
    stream.push(&ops::order_blocks(&src1, &ordered, ty, workers).expect("supported")).expect("open");
    let in_blocks = ops::blocks(&product, &ordered).expect("supported");
    stream.push(&in_blocks).expect("open");
    stream.finish().expect("no finding");
    let found = result();
    let mut order = vec![0; form.span() as usize];
    device.read(DramAddr(ordered.addr), &mut order).expect("an order");
    check_order(&singles(&activations), [k, rows], &order);
    device.execute(&product).expect("no finding");
    let floats = |bytes: &[u8]| -> Vec<f64> { singles(bytes).into_iter().map(f64::from).collect() };
    let (expected, values) = (floats(&result()), floats(&found));
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
    let off = square(&mut expected.iter().zip(&values).map(|(a, b)| a - b));
    let error = off / square(&mut expected.iter().copied());
    assert!(error < LIMIT, "{format:?} {k} x {n}, {rows} rows: error {error:.2e}");
    [found, sums(device, rng, &in_blocks)].concat()
}
