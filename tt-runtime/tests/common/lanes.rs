//! What the data-movement cores compute by themselves: each family of elementwise operators, copies and functions of rows once.

use std::sync::Arc;

use tt_runtime::ops::copy::DimMap;
use tt_runtime::ops::elementwise::{Binary, Glu, Unary};
use tt_runtime::ops::rows::{NormFunction, SoftMax, Triangle};
use tt_runtime::ops::{self, Unsupported};
use tt_runtime::{Allocation, Device, DramAddr, ElementType, OpDescriptor, TensorView};

use super::{Rng, encode, upload};

/// Workers that take part.
const CORES: u32 = 8;
/// Shape of most operands: rows that are neither whole pieces nor whole lines.
const SHAPE: [u32; 4] = [40, 5, 3, 1];

type Step = Result<OpDescriptor, Unsupported>;

/// Operands. Steps write `result`, of the type and shape that they need, or `a` in its place.
struct Operands {
    a: TensorView,
    /// Repeated along dimension 1.
    b: TensorView,
    /// Half precision.
    halves: TensorView,
    /// The transposed view of a matrix; it has `a`'s shape.
    turned: TensorView,
    square: TensorView,
    indices: TensorView,
    result: u64,
    _memory: Vec<Allocation>,
}

/// Room for every result.
const RESULT_BYTES: usize = 16 * 1024;

impl Operands {
    fn new(device: &Arc<Device>, rng: &mut Rng) -> Self {
        let mut memory = Vec::new();
        let mut place = |bytes: &[u8], offset: u64| {
            let (allocation, addr) = upload(device, bytes, offset);
            memory.push(allocation);
            addr
        };
        let mut tensor = |ty: ElementType, ne: [u32; 4]| {
            let values: Vec<f32> = (0..ne.iter().product()).map(|_| rng.unit()).collect();
            TensorView::contiguous(ty, place(&encode(ty, &values).0, 4), ne)
        };
        let [n0, n1, n2, _] = SHAPE;
        let a = tensor(ElementType::F32, SHAPE);
        let b = tensor(ElementType::F32, [n0, 1, n2, 1]);
        let halves = tensor(ElementType::F16, SHAPE);
        let matrix = tensor(ElementType::F32, [n1, n0, n2, 1]);
        let square = tensor(ElementType::F32, [n0, n0, 1, 1]);
        let indices: Vec<u8> = [2u32, 0, 4].iter().flat_map(|i| i.to_le_bytes()).collect();
        let indices = TensorView::contiguous(ElementType::I32, place(&indices, 0), [1, 3, 1, 1]);
        let result = place(&[0; RESULT_BYTES], 12);
        let [nb0, nb1, nb2, nb3] = matrix.nb;
        let turned = TensorView { ne: SHAPE, nb: [nb1, nb0, nb2, nb3], ..matrix };
        Self { a, b, halves, turned, square, indices, result, _memory: memory }
    }

    fn to(&self, ty: ElementType, ne: [u32; 4]) -> TensorView {
        TensorView::contiguous(ty, self.result, ne)
    }

    fn elements(&self) -> Vec<(&'static str, Step)> {
        let (a, dst) = (&self.a, &self.to(ElementType::F32, SHAPE));
        let halves = &self.to(ElementType::F16, SHAPE);
        vec![
            ("SILU", ops::unary(Unary::Silu, &[], a, dst, CORES)),
            ("SIN", ops::unary(Unary::Sin, &[], a, dst, CORES)),
            ("EXP of F16", ops::unary(Unary::Exp, &[], &self.halves, halves, CORES)),
            ("ADD", ops::binary(Binary::Add, a, &self.b, dst, CORES)),
            ("DIV of F16", ops::binary(Binary::Div, &self.halves, &self.halves, halves, CORES)),
            ("SWIGLU", ops::glu(Glu::Swiglu, false, &[], a, Some(a), dst, CORES)),
        ]
    }

    fn copies(&self) -> Vec<(&'static str, Step)> {
        let dst = |ty| self.to(ty, SHAPE);
        let [n0, n1, n2, _] = SHAPE;
        vec![
            ("CPY of a transposed view", ops::copy(&self.turned, &dst(ElementType::F32), CORES)),
            ("CPY to another shape", ops::copy(&self.a, &self.to(ElementType::F32, [n1, n0, n2, 1]), CORES)),
            ("CPY to BF16", ops::copy(&self.a, &dst(ElementType::BF16), CORES)),
            ("CPY to I32", ops::copy(&self.a, &dst(ElementType::I32), CORES)),
            (
                "CPY to Q8_0",
                ops::copy(&self.square_rows(), &self.to(ElementType::Q8_0, [32, 40, 1, 1]), CORES),
            ),
            ("DUP", ops::remap(&self.a, &dst(ElementType::F32), [DimMap::SAME; 4], CORES)),
            ("REPEAT", ops::repeat(&self.b, &self.to(ElementType::F32, [2 * n0, 4, n2, 1]), CORES)),
            (
                "GET_ROWS",
                ops::get_rows(&self.a, &self.indices, &self.to(ElementType::F32, [n0, 1, 3, 1]), CORES),
            ),
        ]
    }

    /// Steps whose result is one of their operands.
    fn in_place(&self) -> Vec<(&'static str, Step)> {
        let a = &self.a;
        let soft_max = SoftMax { scale: 1.0, max_bias: 0.0, masked_rows_are_zero: false };
        vec![
            ("SILU in place", ops::unary(Unary::Silu, &[], a, a, CORES)),
            ("ADD in place", ops::binary(Binary::Add, a, &self.b, a, CORES)),
            ("SWIGLU in place", ops::glu(Glu::Swiglu, false, &[], a, Some(a), a, CORES)),
            ("DUP in place", ops::remap(a, a, [DimMap::SAME; 4], CORES)),
            ("RMS_NORM in place", ops::norm(NormFunction::RmsNorm, 1e-5, a, a, CORES)),
            ("SOFT_MAX in place", ops::soft_max(soft_max, a, None, None, a, CORES)),
        ]
    }

    /// The first columns of the square: whole blocks, with gaps between the rows.
    fn square_rows(&self) -> TensorView {
        TensorView { ne: [32, 40, 1, 1], ..self.square }
    }

    fn rows(&self) -> Vec<(&'static str, Step)> {
        let (a, dst) = (&self.a, &self.to(ElementType::F32, SHAPE));
        let [n0, n1, n2, _] = SHAPE;
        let square = &self.to(ElementType::F32, self.square.ne);
        let soft_max = SoftMax { scale: 1.0, max_bias: 0.0, masked_rows_are_zero: false };
        let causal = Triangle::Causal { past: 1, fill: f32::NEG_INFINITY.to_bits() };
        let indices = self.to(ElementType::I32, SHAPE);
        let largest = self.to(ElementType::I32, [n1 * n2, 1, 1, 1]);
        let diagonal = TensorView { ne: [n0, 1, 1, 1], ..self.square };
        vec![
            ("RMS_NORM", ops::norm(NormFunction::RmsNorm, 1e-5, a, dst, CORES)),
            ("NORM", ops::norm(NormFunction::Norm, 1e-5, a, dst, CORES)),
            ("L2_NORM", ops::norm(NormFunction::L2Norm, 1e-5, a, dst, CORES)),
            ("GROUP_NORM", ops::group_norm(3, 1e-5, a, dst, CORES)),
            ("SUM_ROWS", ops::sum_rows(1.0, a, &self.to(ElementType::F32, [1, n1, n2, 1]), CORES)),
            ("SUM", ops::sum(a, &self.to(ElementType::F32, [1; 4]), CORES)),
            ("CUMSUM", ops::cumsum(a, dst, CORES)),
            ("ARGMAX", ops::argmax(&TensorView { ne: [n0, n1 * n2, 1, 1], ..*a }, &largest, CORES)),
            ("ARGSORT", ops::argsort(true, a, &indices, CORES)),
            ("SOFT_MAX", ops::soft_max(soft_max, a, None, None, dst, CORES)),
            ("DIAG_MASK_INF", ops::triangle(causal, &self.square, square, CORES)),
            ("TRI", ops::triangle(Triangle::Tri(0), &self.square, square, CORES)),
            ("DIAG", ops::diag(&diagonal, square, CORES)),
        ]
    }
}

/// Runs every step; gives their names and results, as bytes.
///
/// # Panics
/// A step is refused or fails.
pub fn run(device: &Arc<Device>, rng: &mut Rng) -> Vec<(&'static str, Vec<u8>)> {
    let operands = Operands::new(device, rng);
    let steps = [operands.elements(), operands.copies(), operands.rows(), operands.in_place()];
    let run = |(name, step): (&'static str, Step)| {
        let step = step.unwrap_or_else(|why| panic!("{name}: {why}"));
        device.execute(&step).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut bytes = vec![0; step.dst.span() as usize];
        device.read(DramAddr(step.dst.addr), &mut bytes).expect("a result");
        (name, bytes)
    };
    steps.into_iter().flatten().map(run).collect()
}
