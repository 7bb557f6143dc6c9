//! Products with transposed operands: as they lie, and as tiles that are made before.

use std::sync::Arc;

use tt_runtime::{Allocation, Device, DramAddr, ElementType, TensorView, ops};

use super::{Rng, encode, upload};

/// What came out of one way to multiply.
#[derive(Debug)]
pub struct Outcome {
    /// Type of the operand.
    pub ty: ElementType,
    /// Made into tiles before.
    pub tiles: bool,
    /// The result.
    pub bytes: Vec<u8>,
    /// Sum of squared errors over that of squares.
    error: f64,
}

impl Outcome {
    /// Within what SrcA's and SrcB's precision allows.
    pub fn is_right(&self) -> bool {
        self.error < 1e-5
    }
}

/// Multiplies rows of F32 with a `k` x `n` matrix in which the n elements of a k lie side by side, in every way there is.
pub fn run(device: &Arc<Device>, rng: &mut Rng, ty: ElementType, [k, n, rows]: [u32; 3]) -> Vec<Outcome> {
    let mut values = |count: u32| -> Vec<f32> { (0..count).map(|_| rng.unit()).collect() };
    let (w, x) = (values(k * n), values(k * rows));
    let (bytes, decoded) = encode(ty, &w);
    let (_w, addr) = upload(device, &bytes, 4);
    let memory = TensorView::contiguous(ty, addr, [n, k, 1, 1]);
    let columns = TensorView {
        ne: [k, n, 1, 1],
        nb: [memory.nb[1], memory.nb[0], memory.nb[2], memory.nb[3]],
        ..memory
    };
    let (_x, addr) = upload(device, &encode(ElementType::F32, &x).0, 4);
    let src1 = TensorView::contiguous(ElementType::F32, addr, [k, rows, 1, 1]);
    let (_d, addr) = upload(device, &vec![0; (4 * n * rows) as usize], 12);
    let dst = TensorView::contiguous(ElementType::F32, addr, [n, rows, 1, 1]);
    let cores = device.info().expect("it boots").workers();

    let (_tiles, tiles) = tilized(device, &columns, cores);
    let mut ways = vec![(true, tiles)];
    if ops::multiplies_by_column(&columns) {
        ways.push((false, columns));
    }
    let multiply = |(tiles, src0): (bool, TensorView)| {
        let op = ops::matmul(&src0, &src1, &dst, cores).expect("supported");
        device.execute(&op).unwrap_or_else(|error| panic!("{ty:?}, tiles {tiles}: {error}"));
        let mut bytes = vec![0; (4 * n * rows) as usize];
        device.read(DramAddr(dst.addr), &mut bytes).expect("a result");
        let error = error(&bytes, &decoded, &x, [k, n]);
        Outcome { ty, tiles, bytes, error }
    };
    ways.into_iter().map(multiply).collect()
}

fn tilized(device: &Arc<Device>, src: &TensorView, cores: u32) -> (Allocation, TensorView) {
    let tiles = TensorView::tiles(ElementType::TilesF32, 0, src.ne);
    let memory = device.alloc(tiles.span()).expect("memory");
    let tiles = TensorView { addr: memory.addr().0, ..tiles };
    device.execute(&ops::tilize(src, &tiles, cores).expect("supported")).expect("tiles");
    (memory, tiles)
}

fn error(bytes: &[u8], w: &[f32], x: &[f32], [k, n]: [u32; 2]) -> f64 {
    let (k, n) = (k as usize, n as usize);
    let (mut error, mut signal) = (0.0, 0.0);
    for (i, got) in bytes.chunks(4).enumerate() {
        let (row, column) = (i / n, i % n);
        let want: f64 = (0..k).map(|c| f64::from(w[c * n + column]) * f64::from(x[row * k + c])).sum();
        let got = f64::from(f32::from_le_bytes(got.try_into().expect("four bytes")));
        error += (got - want) * (got - want);
        signal += want * want;
    }
    error / signal
}
