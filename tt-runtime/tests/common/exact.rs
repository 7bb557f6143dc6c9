//! Products with weights that are not rounded a second time: random integers and scales, packed as `tt_kernel_quant::exact` says.

use std::sync::Arc;

use half::f16;
use tt_kernel_abi::exact::{GROUP_TILES, Kind};
use tt_runtime::layout::{GgmlType, WeightFormat, pack};
use tt_runtime::ops::elementwise::{Binary, Glu};
use tt_runtime::{Allocation, Device, DramAddr, ElementType, OpDescriptor, TensorView, ops};

use super::{Rng, upload, upload_weights};

const TILE: usize = 32;

/// Random matrices: the packed bytes, and what they stand for.
pub struct Matrix {
    pub kind: Kind,
    pub k: usize,
    pub n: usize,
    pub count: usize,
    pub bytes: Vec<u8>,
    /// Of matrix m, column j and element c of K: `weights[(m * n + j) * k + c]`.
    pub weights: Vec<f64>,
}

/// Words and outer factors of a column and a group.
struct Scales {
    words: [u32; GROUP_TILES],
    outer: [f32; 2],
}

impl Scales {
    /// Random ones; words and outer factors that are floats are `factor` times as large.
    fn random(rng: &mut Rng, kind: Kind, factor: f32) -> Self {
        let half = |rng: &mut Rng| {
            // Denormals, too.
            let scale = if rng.next().is_multiple_of(8) { 1e-6 } else { 1.0 };
            u32::from(f16::from_f32(rng.unit() * scale * factor).to_bits())
        };
        let words = std::array::from_fn(|_| match kind {
            Kind::Scale => (rng.unit() * factor).to_bits(),
            Kind::ScaleMin | Kind::TwoScales => half(rng) | half(rng) << 16,
            Kind::SuperMin | Kind::SuperTwo => rng.next() & 0xFFFF,
            Kind::SuperFour => rng.next() & 0xFF,
        });
        Self { words, outer: [rng.unit() * factor, rng.unit() * factor] }
    }

    /// The weight of an integer in element `element` of tile `tile`.
    fn weight(&self, kind: Kind, tile: usize, element: usize, integer: f64) -> f64 {
        let word = self.words[tile];
        let second = element >= TILE / 2;
        let half = |bits: u32| f64::from(f16::from_bits(bits as u16).to_f32());
        let [outer0, outer1] = self.outer.map(f64::from);
        match kind {
            Kind::Scale => f64::from(f32::from_bits(word)) * integer,
            Kind::ScaleMin => half(word) * integer + half(word >> 16),
            Kind::TwoScales => half(if second { word >> 16 } else { word }) * integer,
            Kind::SuperMin => {
                outer0 * f64::from(word & 0xFF) * integer + outer1 * f64::from(word >> 8 & 0xFF)
            }
            Kind::SuperTwo => outer0 * f64::from((word >> if second { 8 } else { 0 }) as i8) * integer,
            Kind::SuperFour => outer0 * integer + outer1 * f64::from(word >> if second { 4 } else { 0 } & 15),
        }
    }
}

impl Matrix {
    pub fn random(rng: &mut Rng, kind: Kind, shape: [usize; 3]) -> Self {
        Self::enlarged(rng, kind, shape, 1.0)
    }

    /// All weights are `factor` times as large.
    pub fn enlarged(rng: &mut Rng, kind: Kind, [k, n, count]: [usize; 3], factor: f32) -> Self {
        let mut matrix = Self { kind, k, n, count, bytes: Vec::new(), weights: vec![0.0; count * n * k] };
        for m in 0..count {
            for n_tile in 0..n.div_ceil(TILE) {
                for group in 0..(k / TILE).div_ceil(GROUP_TILES) {
                    matrix.group(rng, m, n_tile, group, factor);
                }
            }
        }
        matrix
    }

    fn group(&mut self, rng: &mut Rng, m: usize, n_tile: usize, group: usize, factor: f32) {
        let kind = self.kind;
        let tiles = GROUP_TILES.min(self.k / TILE - group * GROUP_TILES);
        let scales: Vec<Scales> = (0..TILE).map(|_| Scales::random(rng, kind, factor)).collect();
        for tile in 0..tiles {
            for at in 0..TILE * TILE {
                let (face, row, column) = (at / 256, at / 16 % 16, at % 16);
                let (element, column) = (face / 2 * 16 + row, face % 2 * 16 + column);
                let magnitude = (rng.next() % 128) as u8;
                // There is no -0: the unpacker takes it for -infinity.
                let negative = magnitude > 0 && rng.next().is_multiple_of(2);
                self.bytes.push(magnitude | if negative { 0x80 } else { 0 });
                let integer = f64::from(magnitude) * if negative { -1.0 } else { 1.0 };
                let j = n_tile * TILE + column;
                if j < self.n {
                    let c = (group * GROUP_TILES + tile) * TILE + element;
                    let weight = scales[column].weight(kind, tile, element, integer);
                    self.weights[(m * self.n + j) * self.k + c] = weight;
                }
            }
        }
        // Sixteen columns of k-tiles 0 to 3, the other sixteen, and both of k-tiles 4 to 7, a word of each in sixteen rows; the later rows are above
        // the earlier ones where words are shorter than cells.
        let rows = 4 * kind.word_bytes();
        let word = |row: usize, column: usize| {
            let tile = row / 8 * 4 + row % 4;
            if tile < tiles { scales[row / 4 % 2 * 16 + column].words[tile] } else { 0 }
        };
        for row in 0..rows {
            for column in 0..16 {
                let words = (row..16).step_by(rows).enumerate();
                let cell =
                    words.fold(0, |cell, (i, row)| cell | word(row, column) << (8 * kind.word_bytes() * i));
                self.bytes.extend(cell.to_le_bytes());
            }
        }
        for i in 0..kind.outer() {
            scales.iter().for_each(|scales| self.bytes.extend(scales.outer[i].to_le_bytes()));
        }
    }

    /// Columns of one k-tile whose words are these, as many as whole n-tiles have; the integers of elements 0 and 16 are 1, the others 0.
    pub fn of_words(kind: Kind, words: &[u32]) -> Self {
        let mut integers = [0; TILE * TILE];
        for face in integers.chunks_exact_mut(TILE * TILE / 4) {
            face[..TILE / 2].fill(1);
        }
        let mut bytes = Vec::new();
        for words in words.chunks_exact(TILE) {
            bytes.extend(integers);
            // The first of four rows is the k-tile that there is.
            for half in words.chunks_exact(TILE / 2) {
                half.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
                bytes.extend([0; 3 * 4 * TILE / 2]);
            }
            bytes.extend([0; 8 * 4 * TILE / 2]);
        }
        Self { kind, k: TILE, n: words.len(), count: 1, bytes, weights: Vec::new() }
    }

    pub fn upload(&self, device: &Arc<Device>) -> (Allocation, TensorView) {
        let ne = [self.k as u32, self.n as u32, self.count as u32, 1];
        upload_weights(device, ElementType::Exact(self.kind), ne, &self.bytes, 0)
    }

    /// The product of matrix `m` with a row of activations that are rounded as the kernel rounds them.
    pub fn times(&self, m: usize, row: &[f32]) -> Vec<f64> {
        let row: Vec<f64> = row.iter().map(|&x| f64::from(tf32(x))).collect();
        let columns = self.weights[m * self.n * self.k..][..self.n * self.k].chunks(self.k);
        columns.map(|w| w.iter().zip(&row).map(|(w, x)| w * x).sum()).collect()
    }
}

fn tf32(x: f32) -> f32 {
    f32::from_bits(x.to_bits().wrapping_add(0x1000) & !0x1FFF)
}

pub fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks(4).map(|b| f32::from_le_bytes(b.try_into().expect("four bytes"))).collect()
}

pub fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// Normalised mean squared error.
pub fn error(got: &[f32], want: &[f64]) -> f64 {
    assert_eq!(got.len(), want.len());
    let error: f64 = got.iter().zip(want).map(|(&got, want)| (f64::from(got) - want).powi(2)).sum();
    let error = error / want.iter().map(|want| want * want).sum::<f64>();
    if error.is_nan() { f64::INFINITY } else { error }
}

/// Operands and result of a product on a device.
pub struct Product {
    pub op: OpDescriptor,
    _memory: [Allocation; 3],
}

impl Product {
    /// Rows of activations are dense; a single one is where one tile reads it for all.
    pub fn new(device: &Arc<Device>, matrix: &Matrix, x: &[f32]) -> Self {
        let rows = (x.len() / matrix.k) as u32;
        let (m0, src0) = matrix.upload(device);
        let (m1, a1) = upload(device, &bytes(x), 0);
        let (m2, a2) = upload(device, &vec![0xAB; matrix.n * rows as usize * 4], 0);
        let src1 = TensorView::contiguous(ElementType::F32, a1, [matrix.k as u32, rows, 1, 1]);
        let dst = TensorView::contiguous(ElementType::F32, a2, [matrix.n as u32, rows, 1, 1]);
        let workers = device.info().expect("it boots").workers();
        let op = ops::matmul(&src0, &src1, &dst, workers).expect("supported");
        Self { op, _memory: [m0, m1, m2] }
    }
}

/// The bytes of a tensor of F32.
pub fn read(device: &Arc<Device>, view: &TensorView) -> Vec<u8> {
    let mut got = vec![0; view.span() as usize];
    device.read(DramAddr(view.addr), &mut got).expect("readable");
    got
}

/// Random activations, magnitudes far apart.
pub fn activations(rng: &mut Rng, len: usize) -> Vec<f32> {
    (0..len).map(|_| rng.unit() * 2f32.powi((rng.next() % 6) as i32 - 3)).collect()
}

/// A product of a random matrix with `rows` rows: the result's bytes, and the error against double precision.
pub fn product(device: &Arc<Device>, rng: &mut Rng, kind: Kind, [k, n, rows]: [usize; 3]) -> (Vec<u8>, f64) {
    let matrix = Matrix::random(rng, kind, [k, n, 1]);
    let x = activations(rng, k * rows);
    let product = Product::new(device, &matrix, &x);
    device.execute(&product.op).expect("no finding");
    let got = read(device, &product.op.dst);
    let want: Vec<f64> = x.chunks(k).flat_map(|row| matrix.times(0, row)).collect();
    let error = error(&floats(&got), &want);
    (got, error)
}

/// A tensor of F32: random numbers, on a line of the NoC.
pub fn row(device: &Arc<Device>, rng: &mut Rng, ne: [u32; 2]) -> (Allocation, TensorView) {
    let values = activations(rng, (ne[0] * ne[1]) as usize);
    let (memory, addr) = upload(device, &bytes(&values), 0);
    (memory, TensorView::contiguous(ElementType::F32, addr, [ne[0], ne[1], 1, 1]))
}

/// Products that are one launch with something else: what that gives, and what launches by themselves give.
pub fn together(device: &Arc<Device>, rng: &mut Rng, kind: Kind, rows: u32) -> Vec<[Vec<u8>; 2]> {
    let (k, n) = (416, 256);
    let workers = device.info().expect("it boots").workers();
    let (memory, weights): (Vec<_>, Vec<_>) =
        (0..3).map(|_| Matrix::random(rng, kind, [k, n, 1]).upload(device)).unzip();
    let (_x, x) = row(device, rng, [k as u32, rows]);
    let results: Vec<_> = (0..5).map(|_| row(device, rng, [n as u32, rows])).collect();
    let result = |i: usize| results[i].1;
    let products: Vec<_> =
        (0..3).map(|i| ops::matmul(&weights[i], &x, &result(i), workers).expect("supported")).collect();
    let run = |steps: &[OpDescriptor], to: &[TensorView]| {
        steps.iter().for_each(|step| device.execute(step).expect("no finding"));
        to.iter().flat_map(|view| read(device, view)).collect::<Vec<u8>>()
    };
    let gated = |function| {
        let one =
            ops::matmul_glu(function, [0.0; 2], &products[0], &products[1], &result(3)).expect("supported");
        let glu = ops::glu(function, false, &[], &result(0), Some(&result(1)), &result(4), workers);
        let all = [products[0], products[1], glu.expect("supported")];
        [run(&[one], &[result(3)]), run(&all, &[result(4)])]
    };
    let sum = ops::matmul_add(&products[0], &result(2), &result(3)).expect("supported");
    let add = ops::binary(Binary::Add, &result(0), &result(2), &result(4), workers).expect("supported");
    let mut pairs = vec![
        [run(&[sum], &[result(3)]), run(&[products[0], add], &[result(4)])],
        gated(Glu::Swiglu),
        gated(Glu::Reglu),
    ];
    if rows == 1 {
        let all = [result(0), result(1), result(2)];
        let separate = run(&products, &all);
        all.iter().for_each(|view| {
            device.write(DramAddr(view.addr), &vec![0x5A; view.span() as usize]).expect("writable");
        });
        let one = ops::matmul_together(&products).expect("supported");
        pairs.push([run(&[one], &all), separate]);
    }
    drop(memory);
    pairs
}

/// `MUL_MAT_ID`: the result's bytes, and the error.
pub fn by_indices(device: &Arc<Device>, rng: &mut Rng, kind: Kind, tokens: usize) -> (Vec<u8>, f64) {
    // With one token each index has a product of its own, of whole tiles.
    let (k, n, matrices, used) = (352, if tokens == 1 { 96 } else { 75 }, 3, 2);
    let matrix = Matrix::random(rng, kind, [k, n, matrices]);
    let (_m0, src0) = matrix.upload(device);
    let x = activations(rng, tokens * used * k);
    let ids: Vec<u32> = (0..tokens)
        .flat_map(|_| {
            let first = rng.next() % 5 % 3;
            [first, (first + 1) % 3]
        })
        .collect();
    let (_m1, a1) = upload(device, &bytes(&x), 0);
    let index_bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
    let (_m2, a2) = upload(device, &index_bytes, 0);
    let (_m3, a3) = upload(device, &vec![0xAB; tokens * used * n * 4], 0);
    let of = |addr, ty, ne0: usize, ne1: usize, ne2: usize| {
        TensorView::contiguous(ty, addr, [ne0 as u32, ne1 as u32, ne2 as u32, 1])
    };
    let src1 = of(a1, ElementType::F32, k, used, tokens);
    let indices = of(a2, ElementType::I32, used, tokens, 1);
    let dst = of(a3, ElementType::F32, n, used, tokens);
    let workers = device.info().expect("it boots").workers();
    let op = ops::matmul_id(&src0, &src1, &indices, &dst, workers).expect("supported");
    device.execute(&op).expect("no finding");
    let got = read(device, &dst);
    let rows = x.chunks(k).zip(&ids);
    let want: Vec<f64> = rows.flat_map(|(row, &id)| matrix.times(id as usize, row)).collect();
    let error = error(&floats(&got), &want);
    (got, error)
}

/// A product of BFP8_b tiles with 32 rows, none of whose elements is zero: it leaves something in all rows of both operands' registers.
pub fn full_tiles(device: &Arc<Device>, rng: &mut Rng, k: usize) {
    let (n, rows) = (384, TILE);
    let workers = device.info().expect("it boots").workers();
    let values: Vec<f32> = activations(rng, k * n).iter().map(|x| x + x.signum()).collect();
    let tiles = pack(WeightFormat::Bfp8, GgmlType::F32, &bytes(&values), k, n, 1).expect("tiles");
    let (_w, weights) = upload_weights(device, ElementType::TilesBfp8, [k as u32, n as u32, 1, 1], &tiles, 0);
    let (_x, x) = row(device, rng, [k as u32, rows as u32]);
    let (_result, result) = row(device, rng, [n as u32, rows as u32]);
    device.execute(&ops::matmul(&weights, &x, &result, workers).expect("supported")).expect("no finding");
}

/// Products of all kinds, and one with BFP8_b tiles between them, in one stream or each by itself: the bytes of all results.
pub fn stream(device: &Arc<Device>, rng: &mut Rng, [k, n]: [usize; 2], in_stream: bool) -> Vec<u8> {
    let workers = device.info().expect("it boots").workers();
    let (_x, x) = row(device, rng, [k as u32, 1]);
    let values = bytes(&activations(rng, k * n));
    let tiles = pack(WeightFormat::Bfp8, GgmlType::F32, &values, k, n, 1).expect("tiles");
    let ne = [k as u32, n as u32, 1, 1];
    let mut weights = vec![upload_weights(device, ElementType::TilesBfp8, ne, &tiles, 0)];
    weights.extend(Kind::ALL.map(|kind| Matrix::random(rng, kind, [k, n, 1]).upload(device)));
    weights.swap(0, 3);
    let results: Vec<_> = weights.iter().map(|_| row(device, rng, [n as u32, 1])).collect();
    let mut stream = device.stream();
    for ((_, weights), (_, result)) in weights.iter().zip(&results) {
        stream.push(&ops::matmul(weights, &x, result, workers).expect("supported")).expect("it boots");
        if !in_stream {
            stream.finish().expect("no finding");
        }
    }
    stream.finish().expect("no finding");
    results.iter().flat_map(|(_, result)| read(device, result)).collect()
}
