//! Multiplies two rows of activations with a weight matrix by the built-in operators, without ggml.

use anyhow::Result;
use tt_runtime::layout::{GgmlType, WeightFormat, pack};
use tt_runtime::{ElementType, TensorView, ops};

/// Elements of a row, rows of the weights, rows of the activations.
const K: u32 = 64;
const N: u32 = 48;
const M: u32 = 2;

fn main() -> Result<()> {
    let device = tt_examples::device()?;

    // Row n of the weights is n at every place; the kernel wants tiles.
    let weights: Vec<u8> = (0..N).flat_map(|n| vec![(n as f32).to_le_bytes(); K as usize].concat()).collect();
    let tiles = pack(WeightFormat::Bf16, GgmlType::F32, &weights, K as usize, N as usize, 1)?;
    let w = device.alloc(tiles.len() as u64)?;
    let w_view = TensorView::tiles(ElementType::TilesBf16, w.addr().0, [K, N, 1, 1]);
    device.write_tiles(&w_view, 0, &tiles)?;

    // Row m of the activations is m + 1 at every place.
    let rows: Vec<u8> = (1..=M).flat_map(|m| vec![(m as f32).to_le_bytes(); K as usize].concat()).collect();
    let x = device.alloc(rows.len() as u64)?;
    device.write(x.addr(), &rows)?;

    let y = device.alloc(u64::from(4 * N * M))?;
    let op = ops::matmul(
        &w_view,
        &TensorView::contiguous(ElementType::F32, x.addr().0, [K, M, 1, 1]),
        &TensorView::contiguous(ElementType::F32, y.addr().0, [N, M, 1, 1]),
        device.info()?.workers(),
    )?;
    device.execute(&op)?;

    let mut out = vec![0; (4 * N * M) as usize];
    device.read(y.addr(), &mut out)?;
    for (m, row) in out.chunks((4 * N) as usize).enumerate() {
        let last = f32::from_le_bytes(row[row.len() - 4..].try_into()?);
        println!("row {m}: last element {last} (expected {})", (N - 1) * K * (m as u32 + 1));
    }
    println!("{:?}", device.counters());
    Ok(())
}
