//! How fast a simulator's matrix units are: `MVMUL`s per second of wall time, in a whole launch of the matmul kernel.
//!
//! The time includes the work of unpackers, packers and cores for the product: this is the rate that a user gets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tt_runtime::{Device, ElementType, TensorView, ops};

/// Elements of a tile's side; also the rows that are multiplied: a unit's whole height.
const SIDE: u32 = 32;
/// A launch gives each of 64 and more workers some tiles.
const K: u32 = 512;
const N: u32 = 4608;
/// `MVMUL`s for a tile of weights: three fidelity phases, each of 2 faces of k, 2 faces of n, 4 groups of 8 rows.
const MVMULS_PER_TILE: u64 = 3 * 2 * 2 * 4;

/// `MVMUL`s per second, measured over at least `time`.
pub fn mvmul_rate(device: &Arc<Device>, time: Duration) -> Result<f64> {
    let tiles = u64::from(K / SIDE * (N / SIDE));
    let bytes = tiles * u64::from(ElementType::TilesBf16.block_bytes());
    let (weights, x) = (device.alloc(bytes)?, device.alloc(u64::from(K * SIDE * 4))?);
    let out = device.alloc(u64::from(N * SIDE * 4))?;
    // 0.74609375 as BF16, and a value like it as F32: neither is a case that a simulator could have a short cut for.
    device.fill(weights.addr(), bytes, 0x3F)?;
    device.fill(x.addr(), x.len(), 0x3F)?;
    let src0 = TensorView::tiles(ElementType::TilesBf16, weights.addr().0, [K, N, 1, 1]);
    let src1 = TensorView::contiguous(ElementType::F32, x.addr().0, [K, SIDE, 1, 1]);
    let dst = TensorView::contiguous(ElementType::F32, out.addr().0, [N, SIDE, 1, 1]);
    let op = ops::matmul(&src0, &src1, &dst, device.info()?.workers())
        .map_err(|reason| anyhow::anyhow!("no descriptor: {reason:?}"))?;
    device.execute(&op)?;
    let before = device.counters();
    let begin = Instant::now();
    let mut count = 0;
    while begin.elapsed() < time {
        device.execute(&op)?;
        count += tiles * MVMULS_PER_TILE;
    }
    let seconds = begin.elapsed().as_secs_f64();
    if let (Some(before), Some(after)) = (before.tensix_instructions, device.counters().tensix_instructions) {
        ensure!(
            after - before >= count,
            "fewer Tensix instructions than MVMULs: {} of {count}",
            after - before
        );
    }
    Ok(count as f64 / seconds)
}
