//! Norms whose results are what products in blocks multiply with: the same bytes as their rows brought to that order.

use std::sync::Arc;

use tt_runtime::ops::rows::NormFunction::RmsNorm;
use tt_runtime::{Device, DramAddr, ElementType, TensorView, ops};

use super::{Rng, upload};

/// Elements of a row, and rows: a group of rows that is not full, groups that have none, rows of several segments and strips of which the last one is short, several groups for a
/// tile.
pub const CASES: &[[u32; 2]] = &[[64, 3], [320, 40], [2112, 17], [4096, 9], [256, 700]];

const EPS: f32 = 1e-5;

/// A norm both ways; gives the bytes.
///
/// # Panics
/// They differ.
pub fn blocks(device: &Arc<Device>, rng: &mut Rng, &[k, rows]: &[u32; 2]) -> Vec<u8> {
    let workers = device.info().expect("it boots").workers();
    let mut floats = |count: u32| -> Vec<u8> { (0..count).flat_map(|_| rng.unit().to_le_bytes()).collect() };
    // Neither is at a line of the NoC.
    let (_x, at) = upload(device, &floats(k * rows), 16);
    let src = TensorView::contiguous(ElementType::F32, at, [k, rows, 1, 1]);
    let (_w, at) = upload(device, &floats(k), 48);
    let weights = TensorView::contiguous(ElementType::F32, at, [k, 1, 1, 1]);
    let (_y, at) = upload(device, &vec![0; 4 * (k * rows) as usize], 0);
    let dst = TensorView::contiguous(ElementType::F32, at, src.ne);
    let form = ops::block_form(&src);
    let bytes = form.span() as usize;
    let (_o, at) = upload(device, &vec![0xFF; bytes], 0);
    let ordered = TensorView { addr: at, ..form };
    let result = || {
        let mut found = vec![0; bytes];
        device.read(DramAddr(ordered.addr), &mut found).expect("a result");
        found
    };
    let rows_first = ops::norm_mul(RmsNorm, EPS, &src, &weights, &dst, workers).expect("supported");
    device.execute(&rows_first).expect("no finding");
    let mut all = Vec::new();
    for of in [ElementType::TilesBfp8, ElementType::TilesBf16, ElementType::TilesF16] {
        let at_once = ops::rms_norm_blocks(EPS, [&src, &weights], &ordered, of, workers);
        device.execute(&at_once.expect("supported")).expect("no finding");
        let found = result();
        device.write(DramAddr(ordered.addr), &vec![0xFF; bytes]).expect("open");
        let order = ops::order_blocks(&dst, &ordered, of, workers).expect("supported");
        device.execute(&order).expect("no finding");
        assert!(found == result(), "{rows} rows of {k} for {of:?}: other bytes");
        all.extend(found);
    }
    all
}
