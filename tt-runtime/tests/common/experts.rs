//! `MUL_MAT_ID`: rows and the matrices that indices name for them.

use std::sync::Arc;

use super::{Rng, encode, upload, upload_weights};
use tt_runtime::layout::{GgmlType, WeightFormat, pack};
use tt_runtime::{Device, DramAddr, ElementType, Error, TensorView, ops};

/// Extents of a product.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub k: usize,
    pub n: usize,
    pub matrices: usize,
    pub used: usize,
    pub tokens: usize,
    /// A token's row serves all of its indices.
    pub shared: bool,
    /// Type of the matrices; BF16 tiles if there is none.
    pub plain: Option<ElementType>,
    /// How many of the matrices are named.
    pub named: usize,
}

impl Case {
    pub const fn new(k: usize, n: usize, [matrices, used, tokens]: [usize; 3]) -> Self {
        Self { k, n, matrices, used, tokens, shared: false, plain: None, named: matrices }
    }
}

pub struct Outcome {
    /// Bytes of the result.
    pub got: Vec<u8>,
    /// Mean squared error against FP64, normalised.
    pub error: f64,
}

/// Random rows and matrices; every token names `used` different matrices where there are enough.
pub fn run(device: &Arc<Device>, rng: &mut Rng, case: Case) -> Result<Outcome, Error> {
    let ids: Vec<u32> = (0..case.tokens)
        .flat_map(|_| {
            let first = rng.next();
            (0..case.used as u32).map(move |i| first.wrapping_add(i))
        })
        .map(|id| id % case.named as u32)
        .collect();
    run_ids(device, rng, case, &ids)
}

/// As [`run`], with given indices.
pub fn run_ids(device: &Arc<Device>, rng: &mut Rng, case: Case, ids: &[u32]) -> Result<Outcome, Error> {
    let Case { k, n, matrices, used, tokens, shared, plain, .. } = case;
    let w: Vec<f32> = (0..matrices * n * k).map(|_| rng.unit()).collect();
    let (bytes, w, ty) = match plain {
        Some(ty) => {
            let (bytes, w) = encode(ty, &w);
            (bytes, w, ty)
        }
        None => {
            let (raw, _) = encode(ElementType::F32, &w);
            let tiles = pack(WeightFormat::Bf16, GgmlType::F32, &raw, k, n, matrices).expect("tiles");
            (tiles, w, ElementType::TilesBf16)
        }
    };
    let (_m0, src0) = upload_weights(device, ty, [k as u32, n as u32, matrices as u32, 1], &bytes, 0);
    let rows = if shared { 1 } else { used };
    let x: Vec<f32> = (0..tokens * rows * k).map(|_| rng.unit()).collect();
    let (_m1, a1) = upload(device, &encode(ElementType::F32, &x).0, 4);
    let src1 = TensorView::contiguous(ElementType::F32, a1, [k as u32, rows as u32, tokens as u32, 1]);
    // Indices lie in rows of all matrices, as where they come from sorting.
    let pitch = matrices.max(used);
    let mut padded = vec![0xFF; tokens * pitch * 4];
    for (i, id) in ids.iter().enumerate() {
        padded[(i / used * pitch + i % used) * 4..][..4].copy_from_slice(&id.to_le_bytes());
    }
    let (_m2, a2) = upload(device, &padded, 12);
    let pitch = pitch as u64 * 4;
    let nb = [4, pitch, pitch * tokens as u64, pitch * tokens as u64];
    let indices = TensorView::new(ElementType::I32, a2, [used as u32, tokens as u32, 1, 1], nb);
    let mut got = vec![0xAB; tokens * used * n * 4];
    let (_m3, a3) = upload(device, &got, 8);
    let dst = TensorView::contiguous(ElementType::F32, a3, [n as u32, used as u32, tokens as u32, 1]);

    let workers = device.info()?.workers();
    let op = ops::matmul_id(&src0, &src1, &indices, &dst, workers).expect("supported");
    device.execute(&op)?;
    device.read(DramAddr(a3), &mut got)?;
    let (mut error, mut signal) = (0.0, 0.0);
    for (i, value) in got.as_chunks().0.iter().enumerate() {
        let (row, column) = (i / n, i % n);
        let x = &x[if shared { row / used } else { row } * k..][..k];
        let w = &w[(ids[row] as usize * n + column) * k..][..k];
        let want: f64 = x.iter().zip(w).map(|(&x, &w)| f64::from(x) * f64::from(w)).sum();
        error += (f64::from(f32::from_le_bytes(*value)) - want).powi(2);
        signal += want * want;
    }
    Ok(Outcome { got, error: error / signal })
}
