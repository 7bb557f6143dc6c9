//! Descriptors for two of ggml's nodes, beside descriptors for one each: the results have to be the same bytes.

use std::sync::Arc;

use tt_runtime::layout::{GgmlType, WeightFormat, pack};
use tt_runtime::ops::elementwise::{Binary, Glu};
use tt_runtime::ops::rows::{NormFunction, Rope};
use tt_runtime::ops::{self, Unsupported};
use tt_runtime::{Device, DramAddr, ElementType, OpDescriptor, TensorView};

use super::{Rng, encode, upload, upload_weights};

/// What one case gave.
pub struct Outcome {
    pub name: String,
    /// By the fused descriptor.
    pub fused: Vec<u8>,
    /// By one descriptor after the other.
    pub separate: Vec<u8>,
}

type Memory = Vec<tt_runtime::Allocation>;

/// A tensor of random values.
fn tensor(
    device: &Arc<Device>,
    rng: &mut Rng,
    keep: &mut Memory,
    ty: ElementType,
    ne: [u32; 4],
) -> TensorView {
    tensor_at(device, rng, keep, (ty, 4), ne)
}

/// The same, so many bytes behind a line of the NoC.
fn tensor_at(
    device: &Arc<Device>,
    rng: &mut Rng,
    keep: &mut Memory,
    (ty, offset): (ElementType, u64),
    ne: [u32; 4],
) -> TensorView {
    let count: u32 = ne.iter().product();
    let values: Vec<f32> = (0..count).map(|_| rng.unit() * 4.0).collect();
    let (memory, addr) = upload(device, &encode(ty, &values).0, offset);
    keep.push(memory);
    TensorView::contiguous(ty, addr, ne)
}

fn indices(device: &Arc<Device>, keep: &mut Memory, values: &[u32], ty: ElementType) -> TensorView {
    let bytes: Vec<u8> = match ty {
        ElementType::I64 => values.iter().flat_map(|&v| u64::from(v).to_le_bytes()).collect(),
        _ => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
    };
    let (memory, addr) = upload(device, &bytes, 0);
    keep.push(memory);
    TensorView::contiguous(ty, addr, [values.len() as u32, 1, 1, 1])
}

/// Runs steps whose last one writes to `dst`, which has the same bytes before every run.
fn run(device: &Arc<Device>, dst: &TensorView, steps: &[Result<OpDescriptor, Unsupported>]) -> Vec<u8> {
    let mut bytes = vec![0x5A; dst.span() as usize];
    device.write(DramAddr(dst.addr), &bytes).expect("write");
    for step in steps {
        device.execute(step.as_ref().expect("supported")).expect("no error");
    }
    device.read(DramAddr(dst.addr), &mut bytes).expect("read");
    bytes
}

/// `RMS_NORM` and `NORM` with `MUL`.
pub fn norms(device: &Arc<Device>, rng: &mut Rng, len: u32) -> Vec<Outcome> {
    let cores = device.info().expect("it boots").workers();
    let mut outcomes = Vec::new();
    for function in [NormFunction::RmsNorm, NormFunction::Norm] {
        for factors in [[len, 1, 1, 1], [len, 1, 2, 1]] {
            let keep = &mut Memory::new();
            let [x, between, dst] =
                [(); 3].map(|()| tensor(device, rng, keep, ElementType::F32, [len, 3, 4, 1]));
            let w = tensor(device, rng, keep, ElementType::F32, factors);
            let fused = run(device, &dst, &[ops::norm_mul(function, 1e-5, &x, &w, &dst, cores)]);
            let separate = run(
                device,
                &dst,
                &[
                    ops::norm(function, 1e-5, &x, &between, cores),
                    ops::binary(Binary::Mul, &between, &w, &dst, cores),
                ],
            );
            outcomes.push(Outcome { name: format!("{function:?} x {factors:?}"), fused, separate });
        }
    }
    outcomes
}

/// `ROPE` with `SET_ROWS`, into caches of several types.
pub fn ropes(device: &Arc<Device>, rng: &mut Rng) -> Vec<Outcome> {
    let cores = device.info().expect("it boots").workers();
    let (ne0, heads, tokens, cells) = (64, 3, 5, 9);
    let how = Rope {
        distance: 32,
        pairs: 32,
        theta_scale: 0.8,
        freq_scale: 1.0,
        mscale: 1.0,
        sin_sign: 1.0,
        ..Rope::default()
    };
    let types = [ElementType::F32, ElementType::F16, ElementType::Q8_0];
    let mut outcomes: Vec<Outcome> = types
        .into_iter()
        .map(|ty| {
            let keep = &mut Memory::new();
            let [x, between] =
                [(); 2].map(|()| tensor(device, rng, keep, ElementType::F32, [ne0, heads, tokens, 1]));
            let rows = TensorView::contiguous(ElementType::F32, between.addr, [ne0 * heads, tokens, 1, 1]);
            let cache = tensor(device, rng, keep, ty, [ne0 * heads, cells, 1, 1]);
            let positions = indices(device, keep, &[7, 0, 1, 300, 2], ElementType::I32);
            let cells = indices(device, keep, &[8, 0, 3, 1, 6], ElementType::I64);
            let fused =
                run(device, &cache, &[ops::rope_set_rows(how, &x, &positions, None, &cells, &cache, cores)]);
            let separate = run(
                device,
                &cache,
                &[
                    ops::rope(how, &x, &positions, None, &between, cores),
                    ops::set_rows(&rows, &cells, &cache, cores),
                ],
            );
            Outcome { name: format!("ROPE into {ty:?}"), fused, separate }
        })
        .collect();
    outcomes.extend(by_table(device, rng, how));
    for (distance, pairs) in [(1, 32), (1, 20), (32, 32), (64, 64)] {
        let how = Rope { distance, pairs, flags: Rope::FLOATS, ..how };
        for ty in [ElementType::F32, ElementType::F16] {
            outcomes.push(on_vector_unit(device, rng, how, ty));
        }
    }
    outcomes
}

/// So few that the heads of a token are rotated together.
const FEW_CORES: u32 = 2;

/// `ROPE` on the vector unit, into a cache and with `SET_ROWS`: the heads of a token together, and each by itself.
fn on_vector_unit(device: &Arc<Device>, rng: &mut Rng, how: Rope, ty: ElementType) -> Outcome {
    let cores = device.info().expect("it boots").workers();
    let keep = &mut Memory::new();
    let (ne0, heads, tokens) = (2 * how.distance.max(32), 3, 5);
    let [x, between] =
        [(); 2].map(|()| tensor_at(device, rng, keep, (ElementType::F32, 16), [ne0, heads, tokens, 1]));
    let rows = TensorView::contiguous(ElementType::F32, between.addr, [ne0 * heads, tokens, 1, 1]);
    let cache = tensor_at(device, rng, keep, (ty, 16), [ne0 * heads, 9, 1, 1]);
    let positions = indices(device, keep, &[7, 0, 1, 300, 2], ElementType::I32);
    let cells = indices(device, keep, &[8, 0, 3, 1, 6], ElementType::I64);
    let form = ops::rotations(&how, [ne0, tokens]);
    let memory = device.alloc(form.span()).expect("memory");
    let table = TensorView { addr: memory.addr().0, ..form };
    keep.push(memory);
    let make = ops::rope_table(&how, &positions, None, &table, cores);
    let how = ops::prepared(&how);
    let fused = run(
        device,
        &cache,
        &[make.clone(), ops::rope_set_rows(how, &x, &table, None, &cells, &cache, FEW_CORES)],
    );
    let separate = run(
        device,
        &cache,
        &[
            make,
            ops::rope(how, &x, &table, None, &between, cores),
            ops::set_rows(&rows, &cells, &cache, cores),
        ],
    );
    Outcome { name: format!("ROPE on the vector unit, {} apart, into {ty:?}", how.distance), fused, separate }
}

/// `ROPE` by a table of rotations, for positions and for four ids a token with factors, and without a table.
fn by_table(device: &Arc<Device>, rng: &mut Rng, how: Rope) -> Vec<Outcome> {
    let cores = device.info().expect("it boots").workers();
    let multi = Rope { flags: Rope::MULTI, sections: [8, 8, 8, 8], ext_factor: 0.5, freq_scale: 0.5, ..how };
    let multi = Rope { corr: [4.0, 20.0], mscale: 0.9, ..multi };
    [how, multi]
        .into_iter()
        .map(|how| {
            let keep = &mut Memory::new();
            let [x, dst, factors] = [[64, 3, 5, 1], [64, 3, 5, 1], [32, 1, 1, 1]]
                .map(|ne| tensor(device, rng, keep, ElementType::F32, ne));
            let factors = (how.flags != 0).then_some(&factors);
            let ids: Vec<u32> = (0..20).map(|i| i * i % 37).collect();
            let positions = indices(device, keep, &ids, ElementType::I32);
            let form = ops::rotations(&how, [64, 5]);
            let memory = device.alloc(form.span()).expect("memory");
            let table = TensorView { addr: memory.addr().0, ..form };
            keep.push(memory);
            let fused = run(
                device,
                &dst,
                &[
                    ops::rope_table(&how, &positions, factors, &table, cores),
                    ops::rope(ops::prepared(&how), &x, &table, None, &dst, cores),
                ],
            );
            let separate = run(device, &dst, &[ops::rope(how, &x, &positions, factors, &dst, cores)]);
            Outcome { name: format!("ROPE by a table, flags {}", how.flags), fused, separate }
        })
        .collect()
}

/// Tiles of random weights.
fn weights(device: &Arc<Device>, rng: &mut Rng, keep: &mut Memory, [k, n]: [u32; 2]) -> TensorView {
    let values: Vec<u8> = (0..k * n).flat_map(|_| rng.unit().to_le_bytes()).collect();
    let tiles = pack(WeightFormat::Bf16, GgmlType::F32, &values, k as usize, n as usize, 1).expect("tiles");
    let (memory, view) = upload_weights(device, ElementType::TilesBf16, [k, n, 1, 1], &tiles, 0);
    keep.push(memory);
    view
}

/// Several `MUL_MAT` with one row.
fn together(device: &Arc<Device>, rng: &mut Rng, k: u32, count: usize) -> Outcome {
    let cores = device.info().expect("it boots").workers();
    let keep = &mut Memory::new();
    let x = tensor_at(device, rng, keep, (ElementType::F32, 0), [k, 1, 1, 1]);
    // More tiles than cores, one, a few; one behind the other.
    let columns = &[32 * (cores + 3), 32, 160][..count];
    let all = tensor_at(device, rng, keep, (ElementType::F32, 16), [columns.iter().sum(), 1, 1, 1]);
    let mut at = all.addr;
    let products = columns.iter().map(|&n| {
        let dst = TensorView::contiguous(ElementType::F32, at, [n, 1, 1, 1]);
        at += 4 * u64::from(n);
        ops::matmul(&weights(device, rng, keep, [k, n]), &x, &dst, cores)
    });
    let products: Vec<_> = products.collect();
    let fused = products.iter().cloned().collect::<Result<Vec<_>, _>>();
    let fused = fused.and_then(|products| ops::matmul_together(&products));
    Outcome {
        name: format!("{count} products with {k} elements"),
        fused: run(device, &all, &[fused]),
        separate: run(device, &all, &products),
    }
}

/// `MUL_MAT` with `ADD` of a bias and of a residual, and two of them with `GLU`.
pub fn products(device: &Arc<Device>, rng: &mut Rng, [k, n, rows]: [u32; 3]) -> Vec<Outcome> {
    let cores = device.info().expect("it boots").workers();
    let keep = &mut Memory::new();
    let [first, second] = [(); 2].map(|()| weights(device, rng, keep, [k, n]));
    let x = tensor(device, rng, keep, ElementType::F32, [k, rows, 1, 1]);
    let [between, gate, dst] = [(); 3].map(|()| tensor(device, rng, keep, ElementType::F32, [n, rows, 1, 1]));
    // Where the vector unit reaches them.
    let [x_there, gate_there, dst_there] =
        [(); 3].map(|()| tensor_at(device, rng, keep, (ElementType::F32, 16), [n, rows, 1, 1]));
    let product = ops::matmul(&first, &x, &between, cores);
    let mut outcomes = Vec::new();
    for repeated in [1, rows] {
        let addend = tensor(device, rng, keep, ElementType::F32, [n, repeated, 1, 1]);
        let fused = product.clone().and_then(|product| ops::matmul_add(&product, &addend, &dst));
        if rows > 8 {
            assert!(fused.is_err(), "{rows} rows are no work for one core");
            continue;
        }
        let separate = [product.clone(), ops::binary(Binary::Add, &between, &addend, &dst, cores)];
        outcomes.push(Outcome {
            name: format!("{n} x {k} x {rows} + {repeated} rows"),
            fused: run(device, &dst, &[fused]),
            separate: run(device, &dst, &separate),
        });
    }
    if rows == 1 {
        outcomes.extend([2, 3].map(|count| together(device, rng, k, count)));
    }
    if rows <= 8 {
        let other = ops::matmul(&second, &x, &gate, cores);
        let both = product.clone().and_then(|product| Ok((product, other.clone()?)));
        let fused = both.and_then(|(x, gate)| ops::matmul_glu(Glu::Swiglu, [0.0; 2], &x, &gate, &dst));
        let glu = ops::glu(Glu::Swiglu, false, &[], &between, Some(&gate), &dst, cores);
        outcomes.push(Outcome {
            name: format!("SWIGLU of {n} x {k} x {rows}"),
            fused: run(device, &dst, &[fused]),
            separate: run(device, &dst, &[product, other, glu]),
        });
        let product = ops::matmul(&first, &x, &x_there, cores);
        let other = ops::matmul(&second, &x, &gate_there, cores);
        let both = product.clone().and_then(|product| Ok((product, other.clone()?)));
        let fused = both.and_then(|(x, gate)| ops::matmul_glu(Glu::Swiglu, [0.0; 2], &x, &gate, &dst_there));
        let glu = ops::glu(Glu::Swiglu, false, &[], &x_there, Some(&gate_there), &dst_there, cores);
        outcomes.push(Outcome {
            name: format!("SWIGLU of {n} x {k} x {rows} on the vector unit, if it is large enough"),
            fused: run(device, &dst_there, &[fused]),
            separate: run(device, &dst_there, &[product, other, glu]),
        });
    }
    outcomes
}
