//! Gated units whose results are what products in blocks multiply with: the same bytes as their rows brought to that order.

use std::sync::Arc;

use tt_runtime::layout::{GgmlType, WeightFormat, pack};
use tt_runtime::ops::elementwise::Glu;
use tt_runtime::{Device, DramAddr, ElementType, TensorView, ops};

use super::{Rng, upload, upload_weights};

/// Function, elements of a row of the result, and rows; whether value and gate are the halves of one row. A tile of rows that is not full, by less and by more than half
/// of it, and several groups of rows.
pub const CASES: &[(Glu, u32, u32, bool)] = &[
    (Glu::Swiglu, 192, 40, false),
    (Glu::Geglu, 64, 17, true),
    (Glu::SwigluOai, 320, 300, true),
    (Glu::Reglu, 64, 1, false),
];

/// The functions' own parameters.
const PARAMS: [f32; 2] = [1.5, 0.75];

/// A gated unit both ways; gives the bytes.
///
/// # Panics
/// They differ.
pub fn blocks(
    device: &Arc<Device>,
    rng: &mut Rng,
    &(function, k, rows, halves): &(Glu, u32, u32, bool),
) -> Vec<u8> {
    let workers = device.info().expect("it boots").workers();
    let mut floats = |count: u32| -> Vec<u8> { (0..count).flat_map(|_| rng.unit().to_le_bytes()).collect() };
    let width = if halves { 2 * k } else { k };
    // Not at a line of the NoC.
    let (_x, at) = upload(device, &floats(width * rows), 16);
    let src0 = TensorView::contiguous(ElementType::F32, at, [width, rows, 1, 1]);
    let (_g, at) = upload(device, &floats(k * rows), 32);
    let gate = TensorView::contiguous(ElementType::F32, at, [k, rows, 1, 1]);
    let src1 = (!halves).then_some(&gate);
    let (_y, at) = upload(device, &vec![0; 4 * (k * rows) as usize], 0);
    let dst = TensorView::contiguous(ElementType::F32, at, [k, rows, 1, 1]);
    let form = ops::block_form(&dst);
    let bytes = form.span() as usize;
    let (_o, at) = upload(device, &vec![0xFF; bytes], 0);
    let ordered = TensorView { addr: at, ..form };
    let result = || {
        let mut found = vec![0; bytes];
        device.read(DramAddr(ordered.addr), &mut found).expect("a result");
        found
    };
    let none = TensorView::NONE;
    let operands = [&src0, src1.unwrap_or(&none)];
    let rows_first = ops::glu(function, false, &PARAMS, &src0, src1, &dst, workers).expect("supported");
    device.execute(&rows_first).expect("no finding");
    let mut all = Vec::new();
    for weights in [ElementType::TilesBfp8, ElementType::TilesBf16, ElementType::TilesF16] {
        let at_once = ops::glu_blocks(function, false, &PARAMS, operands, &ordered, weights, workers);
        device.execute(&at_once.expect("supported")).expect("no finding");
        let found = result();
        device.write(DramAddr(ordered.addr), &vec![0xFF; bytes]).expect("open");
        let order = ops::order_blocks(&dst, &ordered, weights, workers).expect("supported");
        device.execute(&order).expect("no finding");
        assert!(found == result(), "{function:?} of {rows} rows of {k} for {weights:?}: other bytes");
        all.extend(found);
    }
    all
}

/// Function, K, columns and rows of two products: few rows, which all tiles have, with all columns of a block, two and one; a column of the grid with one tile of rows, with two; not
/// all full; several passes.
pub const PRODUCTS: &[(Glu, [u32; 3])] = &[
    (Glu::Swiglu, [256, 640, 20]),
    (Glu::Geglu, [320, 192, 40]),
    (Glu::Swiglu, [96, 1600, 100]),
    (Glu::Geglu, [224, 1024, 200]),
    (Glu::Swiglu, [64, 320, 600]),
];

/// Two products and their gated unit in one launch and one by one; gives the bytes.
///
/// # Panics
/// They differ.
pub fn products(
    device: &Arc<Device>,
    rng: &mut Rng,
    format: WeightFormat,
    &(function, [k, n, rows]): &(Glu, [u32; 3]),
) -> Vec<u8> {
    let workers = device.info().expect("it boots").workers();
    let mut floats = |count: u32| -> Vec<u8> { (0..count).flat_map(|_| rng.unit().to_le_bytes()).collect() };
    let ty = if format == WeightFormat::Bfp4 { ElementType::TilesBfp4 } else { ElementType::TilesBfp8 };
    let mut weights = || {
        let tiles = pack(format, GgmlType::F32, &floats(k * n), k as usize, n as usize, 1).expect("tiles");
        upload_weights(device, ty, [k, n, 1, 1], &tiles, 0)
    };
    let ((_w, of_x), (_v, of_gate)) = (weights(), weights());
    let (_a, at) = upload(device, &floats(k * rows), 16);
    let src1 = TensorView::contiguous(ElementType::F32, at, [k, rows, 1, 1]);
    let results = || {
        let (memory, at) = upload(device, &vec![0; 4 * (n * rows) as usize], 0);
        (memory, TensorView::contiguous(ElementType::F32, at, [n, rows, 1, 1]))
    };
    let ((_x, x), (_g, gate)) = (results(), results());
    let in_order = |view: &TensorView| {
        let form = ops::block_form(view);
        let (memory, at) = upload(device, &vec![0xFF; form.span() as usize], 0);
        (memory, TensorView { addr: at, ..form })
    };
    let ((_o, ordered), (_p, alone), (_q, together)) = (in_order(&src1), in_order(&x), in_order(&x));
    let product = |weights, dst| ops::matmul(weights, &src1, dst, workers).expect("supported");
    let (of_x, of_gate) = (product(&of_x, &x), product(&of_gate, &gate));
    let fused = ops::blocks_gated(function, [&of_x, &of_gate], &ordered, &together, ty);
    let mut stream = device.stream();
    for step in [
        ops::order_blocks(&src1, &ordered, ty, workers),
        ops::blocks(&of_x, &ordered),
        ops::blocks(&of_gate, &ordered),
        ops::glu_blocks(function, false, &[], [&x, &gate], &alone, ty, workers),
        fused,
    ] {
        stream.push(&step.expect("supported")).expect("open");
    }
    stream.finish().expect("no finding");
    let [alone, together] = [&alone, &together].map(|view| {
        let mut found = vec![0; view.span() as usize];
        device.read(DramAddr(view.addr), &mut found).expect("a result");
        found
    });
    assert!(alone == together, "{function:?} of {k} x {n}, {rows} rows: other bytes");
    assert!(alone.iter().any(|&byte| byte != 0), "{function:?} of {k} x {n}, {rows} rows: nothing");
    alone
}
