//! Gradients, the loss and steps of optimisers.

use std::sync::Arc;

use tt_runtime::ops::training::{self, OptStep};
use tt_runtime::ops::{self, elementwise::Unary};
use tt_runtime::{Allocation, Device, DramAddr, ElementType, OpDescriptor, TensorView};

use super::{Rng, encode, upload};

/// Rows of one segment and of several, whole vector registers and not, more rows than segments that fit Dst.
pub const SHAPES: [[u32; 4]; 4] = [[100, 5, 3, 1], [36, 11, 1, 2], [4500, 3, 1, 1], [2048, 2, 1, 1]];

/// What a launch gave, and what it should have given.
pub struct Outcome {
    pub name: String,
    pub bytes: Vec<u8>,
    pub expected: Vec<f64>,
    /// What errors are measured by: the magnitude of what was added up.
    pub scale: f64,
}

impl Outcome {
    /// The largest error, in units of the scale.
    pub fn error(&self) -> f64 {
        let got = self.bytes.as_chunks().0.iter().map(|&bytes| f64::from(f32::from_le_bytes(bytes)));
        let errors = got.zip(&self.expected).map(|(got, want)| match (got - want).abs() / self.scale {
            error if error.is_nan() => f64::INFINITY,
            error => error,
        });
        assert_eq!(self.bytes.len(), 4 * self.expected.len(), "{}", self.name);
        errors.fold(0.0, f64::max)
    }
}

/// Tensors of a device, as long as they are needed.
struct Tensors<'a> {
    device: &'a Arc<Device>,
    memory: Vec<Allocation>,
}

impl Tensors<'_> {
    fn place(&mut self, ty: ElementType, bytes: &[u8], ne: [u32; 4], offset: u64) -> TensorView {
        let (memory, addr) = upload(self.device, bytes, offset);
        self.memory.push(memory);
        TensorView::contiguous(ty, addr, ne)
    }

    fn floats(&mut self, values: &[f32], ne: [u32; 4], offset: u64) -> TensorView {
        self.place(ElementType::F32, &encode(ElementType::F32, values).0, ne, offset)
    }

    fn indices(&mut self, values: &[u32]) -> TensorView {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.place(ElementType::I32, &bytes, [values.len() as u32, 1, 1, 1], 4)
    }

    fn run(&self, name: &str, op: Result<OpDescriptor, ops::Unsupported>) -> Vec<u8> {
        let op = op.unwrap_or_else(|why| panic!("{name}: {why}"));
        self.device.execute(&op).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut bytes = vec![0; op.dst.span() as usize];
        self.device.read(DramAddr(op.dst.addr), &mut bytes).expect("a result");
        bytes
    }
}

fn tensors(device: &Arc<Device>) -> Tensors<'_> {
    Tensors { device, memory: Vec::new() }
}

fn cores(device: &Arc<Device>) -> u32 {
    device.info().expect("it boots").workers().min(4)
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Powers over their sum, and the logarithm of the sum.
fn soft_max(x: &[f64]) -> (Vec<f64>, f64) {
    let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = x.iter().map(|x| (x - max).exp()).sum();
    (x.iter().map(|x| (x - max).exp() / sum).collect(), max + sum.ln())
}

/// `f` of the rows of two tensors, one after the other.
fn each(n: usize, a: &[f32], b: &[f32], f: impl Fn(&[f64], &[f64]) -> Vec<f64>) -> Vec<f64> {
    let (a, b) = (wide(a), wide(b));
    a.chunks(n).zip(b.chunks(n)).flat_map(|(a, b)| f(a, b)).collect()
}

/// Functions of the rows of two tensors of a shape; the last one writes to its second source.
pub fn rows(device: &Arc<Device>, rng: &mut Rng, ne: [u32; 4]) -> Vec<Outcome> {
    let (mut all, cores) = (tensors(device), cores(device));
    let n = ne[0] as usize;
    let count = ne.iter().product::<u32>() as usize;
    let a: Vec<f32> = (0..count).map(|_| 3.0 * rng.unit()).collect();
    // Labels: of every row two elements, and of the first row none; results of a softmax are as good.
    let b: Vec<f32> = (0..count)
        .map(|i| match (i / n, i % n) {
            (0, _) => 0.0,
            (row, at) if at == row * 7 % n || at == n - 1 => 0.5,
            _ => 0.0,
        })
        .collect();
    let x: Vec<f32> = (0..count).map(|_| rng.unit()).collect();
    let grad = 0.75f32;
    let (va, vb, vx) = (all.floats(&a, ne, 16), all.floats(&b, ne, 0), all.floats(&x, ne, 32));
    let factor = all.floats(&[grad], [1; 4], 4);
    let dst = all.floats(&vec![0.0; count], ne, 48);
    let rows = (count / n) as f64;
    let (eps, scale) = (1e-3f32, 0.3f32);

    let back = each(n, &a, &x, |dy, y| {
        let sum = dot(dy, y);
        dy.iter().zip(y).map(|(dy, y)| f64::from(scale) * y * (dy - sum)).collect()
    });
    let norm = each(n, &a, &x, |dz, x| {
        let m = dot(x, x) / n as f64 + f64::from(eps);
        let mean = dot(x, dz) / n as f64;
        dz.iter().zip(x).map(|(dz, x)| (dz - x * mean / m) / m.sqrt()).collect()
    });
    let loss = each(n, &a, &b, |x, labels| {
        let (_, log) = soft_max(x);
        x.iter().zip(labels).map(|(x, label)| label * (x - log)).collect()
    });
    let loss_back = each(n, &a, &b, |x, labels| {
        let (p, _) = soft_max(x);
        p.iter().zip(labels).map(|(p, label)| (p - label) * f64::from(grad) / rows).collect()
    });
    let root = (n as f64).sqrt();
    let steps = [
        ("SOFT_MAX_BACK", training::soft_max_back(scale, &va, &vx, &dst, cores), back, root),
        ("RMS_NORM_BACK", training::rms_norm_back(eps, &va, &vx, &dst, cores), norm.clone(), 3.0),
        ("CROSS_ENTROPY_LOSS", training::cross_entropy(&va, &vb, &dst, cores), loss, 10.0),
        (
            "CROSS_ENTROPY_LOSS_BACK",
            training::cross_entropy_back(&factor, &va, &vb, &dst, cores),
            loss_back,
            1.0 / rows,
        ),
        ("RMS_NORM_BACK in place", training::rms_norm_back(eps, &va, &vx, &vx, cores), norm, 3.0),
    ];
    steps
        .into_iter()
        .map(|(name, op, expected, scale)| {
            let name = format!("{name} {ne:?}");
            Outcome { bytes: all.run(&name, op), name, expected, scale }
        })
        .collect()
}

/// Two steps of AdamW and one of gradient descent for a weight of `n` elements: the weight, and both momenta.
pub fn optimisers(device: &Arc<Device>, rng: &mut Rng, n: u32) -> Vec<Outcome> {
    let (mut all, cores) = (tensors(device), cores(device));
    let ne = [n, 1, 1, 1];
    let w: Vec<f32> = (0..n).map(|_| rng.unit()).collect();
    let g: Vec<f32> = (0..n).map(|_| rng.unit() * 2f32.powi((rng.next() % 20) as i32 - 16)).collect();
    // alpha, beta1, beta2, eps, decay, corrections
    let p = [1e-2f32, 0.9, 0.999, 1e-8, 0.01, 1.0 / (1.0 - 0.9), 1.0 / (1.0 - 0.999)];
    let (vw, vg) = (all.floats(&w, ne, 0), all.floats(&g, ne, 16));
    let [m, v, u] = [32, 0, 48].map(|offset| all.floats(&vec![0.0; n as usize], ne, offset));
    let vp = all.floats(&p, [7, 1, 1, 1], 20);
    let step =
        |step, views, which: &[u32]| all.run("a step", training::opt_step(step, views, &vp, which, cores));
    let (mut on_m, mut on_v, mut on_w) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..2 {
        on_m = step(OptStep::Momentum, [&m, &vg, &m], &[1]);
        on_v = step(OptStep::SquaredMomentum, [&v, &vg, &v], &[2]);
        step(OptStep::Direction, [&m, &v, &u], &[5, 6, 3]);
        on_w = step(OptStep::Descent, [&vw, &u, &vw], &[0, 4]);
    }
    let descended = step(OptStep::Descent, [&vw, &vg, &u], &[0, 4]);

    let [alpha, beta1, beta2, eps, decay, h1, h2] = p.map(f64::from);
    let (mut em, mut ev, mut ew) = (vec![0.0; n as usize], vec![0.0; n as usize], wide(&w));
    for _ in 0..2 {
        for (i, &g) in g.iter().enumerate() {
            let g = f64::from(g);
            em[i] = em[i] * beta1 + g * (1.0 - beta1);
            ev[i] = ev[i] * beta2 + g * g * (1.0 - beta2);
            ew[i] = ew[i] * (1.0 - alpha * decay) - alpha * em[i] * h1 / ((ev[i] * h2).sqrt() + eps);
        }
    }
    let es = ew.iter().zip(&g).map(|(w, &g)| w * (1.0 - alpha * decay) - alpha * f64::from(g)).collect();
    let outcome = |name: &str, bytes, expected, scale| Outcome {
        name: format!("{name} of {n} elements"),
        bytes,
        expected,
        scale,
    };
    vec![
        outcome("momentum", on_m, em, 1.0),
        outcome("squared momentum", on_v, ev, 0.1),
        outcome("AdamW", on_w, ew, 1.0),
        outcome("gradient descent", descended, es, 1.0),
    ]
}

/// Rows of `ty` added to the rows of zeros that indices name, several times the same.
pub fn add_rows(device: &Arc<Device>, rng: &mut Rng, ty: ElementType, [n, m, count]: [u32; 3]) -> Outcome {
    let (mut all, cores) = (tensors(device), cores(device));
    let values: Vec<f32> = (0..n * count).map(|_| rng.unit()).collect();
    let (bytes, values) = encode(ty, &values);
    let names: Vec<u32> = (0..count).map(|_| rng.next() % m).collect();
    let rows = all.place(ty, &bytes, [n, count, 1, 1], 4);
    let indices = all.indices(&names);
    let dst = all.floats(&vec![9.0; (n * m) as usize], [n, m, 1, 1], 12);
    all.run("FILL", ops::fill(Unary::Fill, &[0.0], &dst, cores));
    let bytes = all.run("GET_ROWS_BACK", training::add_rows(&rows, &indices, &dst, cores));
    let mut expected = vec![0.0; (n * m) as usize];
    for (row, &name) in values.chunks(n as usize).zip(&names) {
        for (sum, &x) in expected[(name * n) as usize..].iter_mut().zip(row) {
            *sum += f64::from(x);
        }
    }
    Outcome { name: format!("GET_ROWS_BACK of {ty:?} {n} {m} {count}"), bytes, expected, scale: 1.0 }
}

/// Equal elements of two tensors, as the device counts them and as they are.
pub fn count_equal(device: &Arc<Device>, rng: &mut Rng, n: u32) -> [u64; 2] {
    let mut all = tensors(device);
    let [a, b] = [0, 1].map(|_| (0..n).map(|_| rng.next() % 3).collect::<Vec<_>>());
    let (va, vb) = (all.indices(&a), all.indices(&b));
    let dst = all.place(ElementType::I64, &[0xFF; 8], [1; 4], 8);
    let bytes = all.run("COUNT_EQUAL", training::count_equal(&va, &vb, &dst, cores(device)));
    let counted = bytes.first_chunk().map_or(u64::MAX, |&bytes| u64::from_le_bytes(bytes));
    [counted, a.iter().zip(&b).filter(|(a, b)| a == b).count() as u64]
}
