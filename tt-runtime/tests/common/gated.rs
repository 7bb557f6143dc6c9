//! Gated units whose results are what products in blocks multiply with: the same bytes as their rows brought to that order.

use std::sync::Arc;

use tt_runtime::ops::elementwise::Glu;
use tt_runtime::{Device, DramAddr, ElementType, TensorView, ops};

use super::{Rng, upload};

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
    for weights in [ElementType::TilesBfp8, ElementType::TilesBf16] {
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
