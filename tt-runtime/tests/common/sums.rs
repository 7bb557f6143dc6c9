//! Weighted sums of rows, balanced matrices and triangular systems: cases, and what the host makes of them in FP64.

use std::sync::Arc;

use super::{Rng, encode, upload};
use tt_runtime::ops::rows::WeightedSum;
use tt_runtime::{Allocation, Device, DramAddr, ElementType, Error, OpDescriptor, TensorView, ops};

/// What came out, in the tensor's order, and what should have.
pub type Outcome = Result<(Vec<f32>, Vec<f64>), Error>;

/// An F32 tensor on the device, with gaps of `gap` elements behind its rows.
struct Tensor {
    _memory: Allocation,
    view: TensorView,
    values: Vec<f32>,
}

impl Tensor {
    fn new(device: &Arc<Device>, ne: [u32; 4], gap: u32, value: impl FnMut() -> f32) -> Self {
        let whole = TensorView::contiguous(ElementType::F32, 0, [ne[0] + gap, ne[1], ne[2], ne[3]]);
        let len = whole.ne.iter().product::<u32>() as usize;
        let values: Vec<f32> = std::iter::repeat_with(value).take(len).collect();
        let (memory, addr) = upload(device, &encode(ElementType::F32, &values).0, 4);
        Self { _memory: memory, view: TensorView { addr, ne, ..whole }, values }
    }

    fn random(device: &Arc<Device>, rng: &mut Rng, ne: [u32; 4], gap: u32) -> Self {
        Self::new(device, ne, gap, || rng.unit())
    }

    fn index(&self, at: [u32; 4]) -> usize {
        at.iter().zip(self.view.nb).map(|(&i, nb)| u64::from(i) * nb).sum::<u64>() as usize / 4
    }

    fn at(&self, at: [u32; 4]) -> f64 {
        self.values[self.index(at)].into()
    }
}

/// All indices of a shape, the first dimension fastest.
fn indices(ne: [u32; 4]) -> impl Iterator<Item = [u32; 4]> {
    let [n0, n1, n2, n3] = ne;
    let last = move |i3| {
        (0..n2).flat_map(move |i2| (0..n1).flat_map(move |i1| (0..n0).map(move |i0| [i0, i1, i2, i3])))
    };
    (0..n3).flat_map(last)
}

/// Executes a descriptor, and reads what it wrote to `dst`; every element outside is still what it was.
fn execute(device: &Arc<Device>, op: &OpDescriptor, dst: &Tensor) -> Result<Vec<f32>, Error> {
    device.execute(op)?;
    let mut bytes = vec![0; 4 * dst.values.len()];
    device.read(DramAddr(dst.view.addr), &mut bytes)?;
    let all: Vec<f32> = bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
    let mut rest = all.clone();
    let results = indices(dst.view.ne).map(|at| {
        rest[dst.index(at)] = dst.values[dst.index(at)];
        all[dst.index(at)]
    });
    let results = results.collect();
    assert!(rest == dst.values, "an element between the rows was overwritten");
    Ok(results)
}

/// Random rows to be summed.
#[derive(Clone, Copy, Debug)]
pub struct Sum {
    /// Elements, rows that are summed, rows of the result, dimensions 2 and 3.
    pub extents: [u32; 5],
    /// Factor of every weight.
    pub scale: f32,
    /// Negative elements count as zero.
    pub only_positive: bool,
    /// There are weights, or all are one.
    pub weighted: bool,
    /// Type of an addend that has a single index in dimension 3.
    pub addend: Option<ElementType>,
    /// An element is infinite.
    pub infinite: bool,
}

impl Sum {
    const PLAIN: Self = Self {
        extents: [1; 5],
        scale: 1.0,
        only_positive: false,
        weighted: true,
        addend: None,
        infinite: false,
    };
}

/// Streams and heads.
pub const SUMS: [Sum; 5] = [
    Sum { extents: [300, 4, 1, 3, 1], ..Sum::PLAIN },
    Sum { extents: [70, 5, 4, 2, 2], addend: Some(ElementType::F32), ..Sum::PLAIN },
    Sum { extents: [31, 64, 1, 3, 2], only_positive: true, addend: Some(ElementType::F16), ..Sum::PLAIN },
    Sum { extents: [9000, 4, 1, 1, 1], scale: 0.25, weighted: false, ..Sum::PLAIN },
    Sum { extents: [40, 3, 2, 1, 2], infinite: true, scale: 0.5, ..Sum::PLAIN },
];

/// `WeightedSum` of random rows.
pub fn sum(device: &Arc<Device>, rng: &mut Rng, case: Sum) -> Outcome {
    let [n, count, d, ne2, ne3] = case.extents;
    let mut rows = Tensor::random(device, rng, [n, count, ne2, ne3], 3);
    if case.infinite {
        rows.values[n as usize / 2] = f32::INFINITY;
        device.write(DramAddr(rows.view.addr), &encode(ElementType::F32, &rows.values).0)?;
    }
    let weights = Tensor::random(device, rng, [count, d, ne2, ne3], 1);
    let dst = Tensor::random(device, rng, [n, d, ne2, ne3], 5);
    let ty = case.addend.unwrap_or(ElementType::F32);
    let values: Vec<f32> = (0..n * d * ne2).map(|_| rng.unit()).collect();
    let (bytes, values) = encode(ty, &values);
    let (_memory, addr) = upload(device, &bytes, 2 * u64::from(ty.block_bytes()));
    let addend = TensorView::contiguous(ty, addr, [n, d, ne2, 1]);
    let what = WeightedSum {
        scale: case.scale,
        only_positive: case.only_positive,
        rows: &rows.view,
        weights: case.weighted.then_some(&weights.view),
        addend: case.addend.map(|_| &addend),
    };
    let workers = device.info()?.workers();
    let got = execute(device, &ops::weighted_sum(what, &dst.view, workers).expect("supported"), &dst)?;
    let want = indices(dst.view.ne).map(|[i0, i1, i2, i3]| {
        let products = (0..count).map(|s| {
            let x = rows.at([i0, s, i2, i3]);
            let x = if case.only_positive { x.max(0.0) } else { x };
            let weight = if case.weighted { weights.at([s, i1, i2, i3]) } else { 1.0 };
            f64::from(case.scale) * weight * x
        });
        let addend = case.addend.map_or(0.0, |_| f64::from(values[((i2 * d + i1) * n + i0) as usize]));
        products.sum::<f64>() + addend
    });
    Ok((got, want.collect()))
}

/// Random matrices, softmax and 20 times columns.
pub fn balance(device: &Arc<Device>, rng: &mut Rng, count: u32) -> Outcome {
    const EPS: f32 = 1e-6;
    const TIMES: u32 = 20;
    let src = Tensor::new(device, [16, count, 1, 1], 8, || 8.0 * rng.unit());
    let scale = Tensor::random(device, rng, [1; 4], 0);
    let base = Tensor::random(device, rng, [16, 1, 1, 1], 0);
    let dst = Tensor::random(device, rng, [16, count, 1, 1], 1);
    let views = [&src.view, &scale.view, &base.view];
    let workers = device.info()?.workers();
    let op = ops::balance(views, &dst.view, EPS, TIMES, workers).expect("supported");
    let got = execute(device, &op, &dst)?;
    let mut want = Vec::new();
    for row in 0..count {
        let logit =
            |i: usize| src.at([i as u32, row, 0, 0]) * scale.at([0; 4]) + base.at([i as u32, 0, 0, 0]);
        let mut m: [f64; 16] = std::array::from_fn(|i| logit(i).exp());
        for row in m.chunks_exact_mut(4) {
            let sum: f64 = row.iter().sum();
            row.iter_mut().for_each(|x| *x = *x / sum + f64::from(EPS));
        }
        for pass in 0..2 * TIMES - 1 {
            let at = |line: usize, i: usize| if pass % 2 == 0 { line + 4 * i } else { 4 * line + i };
            for line in 0..4 {
                let sum = f64::from(EPS) + (0..4).map(|i| m[at(line, i)]).sum::<f64>();
                (0..4).for_each(|i| m[at(line, i)] /= sum);
            }
        }
        want.extend(m);
    }
    Ok((got, want))
}

/// A triangular system.
#[derive(Clone, Copy, Debug)]
pub struct Triangular {
    /// Rows, columns of the solution, dimensions 2 and 3.
    pub extents: [u32; 4],
    /// Elements of the matrices are as large as those of their diagonals: the solution grows by orders of magnitude.
    pub growing: bool,
    /// What the first matrix has in the middle of its diagonal.
    pub diagonal: Option<f32>,
}

/// Small ones, growing ones, and one whose solution is not finite.
pub const TRIANGULAR: [Triangular; 5] = [
    Triangular { extents: [64, 20, 2, 2], growing: false, diagonal: None },
    Triangular { extents: [33, 217, 3, 1], growing: true, diagonal: None },
    Triangular { extents: [20, 7, 2, 1], growing: true, diagonal: None },
    Triangular { extents: [1, 5, 1, 2], growing: false, diagonal: None },
    Triangular { extents: [11, 3, 2, 1], growing: false, diagonal: Some(0.0) },
];

/// `SOLVE_TRI` of random matrices; what is above their diagonals is not a number.
pub fn solve(device: &Arc<Device>, rng: &mut Rng, case: Triangular) -> Outcome {
    let [n, k, ne2, ne3] = case.extents;
    let mut a = Tensor::random(device, rng, [n, n, ne2, ne3], 2);
    for [i0, i1, i2, i3] in indices([n, n, ne2, ne3]) {
        let at = a.index([i0, i1, i2, i3]);
        match (i0.cmp(&i1), case.growing) {
            (std::cmp::Ordering::Greater, _) => a.values[at] = f32::NAN,
            (std::cmp::Ordering::Equal, _) => a.values[at] = 1.0 + 0.5 * a.values[at],
            (_, true) => a.values[at] = 0.1 + 0.9 * a.values[at].abs(),
            _ => a.values[at] *= 0.2,
        }
    }
    if let Some(value) = case.diagonal {
        let at = a.index([n / 2, n / 2, 0, 0]);
        a.values[at] = value;
    }
    device.write(DramAddr(a.view.addr), &encode(ElementType::F32, &a.values).0)?;
    let b = Tensor::random(device, rng, [k, n, ne2, ne3], 0);
    let x = Tensor::random(device, rng, [k, n, ne2, ne3], 1);
    let workers = device.info()?.workers();
    let op = ops::solve_tri(&a.view, &b.view, &x.view, workers).expect("supported");
    let got = execute(device, &op, &x)?;
    let mut want = vec![0.0; got.len()];
    let place = |[i0, i1, i2, i3]: [u32; 4]| (((i3 * ne2 + i2) * n + i1) * k + i0) as usize;
    for [column, i1, i2, i3] in indices([k, n, ne2, ne3]) {
        let sum: f64 = (0..i1).map(|t| a.at([t, i1, i2, i3]) * want[place([column, t, i2, i3])]).sum();
        want[place([column, i1, i2, i3])] = (b.at([column, i1, i2, i3]) - sum) / a.at([i1, i1, i2, i3]);
    }
    Ok((got, want))
}

/// Whether every element is within `bound` of the largest one, and what is not finite stands where it should.
pub fn check(what: &str, outcome: Outcome, bound: f64) {
    let (got, want) = outcome.expect("no finding");
    assert_eq!(got.len(), want.len());
    let largest = want.iter().filter(|x| x.is_finite()).fold(0f64, |max, x| max.max(x.abs()));
    for (i, (&got, &want)) in got.iter().zip(&want).enumerate() {
        let right = match want.is_finite() {
            true => (f64::from(got) - want).abs() <= bound * largest,
            false => !got.is_finite(),
        };
        assert!(right, "{what}: {got} instead of {want} at {i}");
    }
}

/// The small ones of all cases.
pub fn run(device: &Arc<Device>, rng: &mut Rng) {
    for case in SUMS.into_iter().filter(|case| case.extents[0] * case.extents[1] < 2500) {
        check(&format!("{case:?}"), sum(device, rng, case), 1e-6);
    }
    check("balance", balance(device, rng, 9), 1e-6);
    for case in TRIANGULAR.into_iter().filter(|case| case.extents[0] < 30) {
        check(&format!("{case:?}"), solve(device, rng, case), if case.growing { 1e-4 } else { 1e-6 });
    }
}
