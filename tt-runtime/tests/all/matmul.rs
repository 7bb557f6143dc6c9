//! `MUL_MAT` on the built-in simulator against a double precision reference.

use std::sync::Arc;

use crate::common::{
    Rng, blocks, encode, gated, norm_order, open, ordered, simulator, upload, upload_weights,
};
use crate::common::{experts, halves};
use tt_kernel_abi::operators::kernel;
use tt_runtime::layout::{GgmlType, WeightFormat, pack};
use tt_runtime::ops::elementwise::Glu;
use tt_runtime::{Device, DramAddr, ElementType, TensorView, ops, parse_devices};

#[derive(Clone, Copy, Debug)]
enum Weights {
    Plain(ElementType),
    /// A transposed view.
    ByColumn(ElementType),
    /// Made into tiles before, by rows or by columns.
    Tilized(ElementType, bool),
    Tiles(WeightFormat),
}

#[derive(Clone, Copy, Debug)]
struct Case {
    weights: Weights,
    k: usize,
    n: usize,
    rows: usize,
    /// Matrices of the weights, and how often each is used (two dimensions each).
    batch: [usize; 4],
    /// Padded rows at odd addresses.
    odd: bool,
}

const TOLERANCE: f64 = 1e-5;
const BFP8_TOLERANCE: f64 = 2e-4;
const BFP4_TOLERANCE: f64 = 1e-2;

fn run(device: &Arc<Device>, rng: &mut Rng, case: Case) {
    let Case { weights, k, n, rows, batch: [b2, b3, r2, r3], odd } = case;
    let values: Vec<f32> = (0..b2 * b3 * n * k).map(|_| rng.unit()).collect();
    let ne0 = [k as u32, n as u32, b2 as u32, b3 as u32];
    let turn = |values: &[f32]| -> Vec<f32> {
        let at = |m: usize, c: usize, j: usize| values[(m * n + j) * k + c];
        (0..b2 * b3).flat_map(|m| (0..k).flat_map(move |c| (0..n).map(move |j| at(m, c, j)))).collect()
    };
    let turn_back = |values: &[f32]| -> Vec<f32> {
        let at = |m: usize, j: usize, c: usize| values[(m * k + c) * n + j];
        (0..b2 * b3).flat_map(|m| (0..n).flat_map(move |j| (0..k).map(move |c| at(m, j, c)))).collect()
    };
    let by_column = matches!(weights, Weights::ByColumn(_) | Weights::Tilized(_, true));
    let (bytes, decoded, ty) = match weights {
        Weights::ByColumn(ty) | Weights::Tilized(ty, true) => {
            let (bytes, decoded) = encode(ty, &turn(&values));
            (bytes, turn_back(&decoded), ty)
        }
        Weights::Plain(ty) | Weights::Tilized(ty, false) => {
            let (bytes, decoded) = encode(ty, &values);
            (bytes, decoded, ty)
        }
        Weights::Tiles(format) => {
            let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            let packed = pack(format, GgmlType::F32, &raw, k, n, b2 * b3).unwrap();
            (packed, values, format.element_type().unwrap())
        }
    };
    let align = if ty.block_bytes() % 4 == 0 { 4 } else { 2 };
    let ne_in_memory = if by_column { [ne0[1], ne0[0], ne0[2], ne0[3]] } else { ne0 };
    let (_m0, src0) = upload_weights(device, ty, ne_in_memory, &bytes, if odd { align } else { 0 });
    let src0 = match by_column {
        true => TensorView { ne: ne0, nb: [src0.nb[1], src0.nb[0], src0.nb[2], src0.nb[3]], ..src0 },
        false => src0,
    };

    let (ne12, ne13) = (b2 * r2, b3 * r3);
    let x: Vec<f32> = (0..ne12 * ne13 * rows * k).map(|_| rng.unit()).collect();
    let pitch = k + if odd { 5 } else { 0 };
    let mut padded = vec![0xFF; ne12 * ne13 * rows * pitch * 4];
    for (row, out) in x.chunks(k).zip(padded.chunks_mut(pitch * 4)) {
        out[..k * 4].copy_from_slice(&row.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>());
    }
    let (_m1, a1) = upload(device, &padded, if odd { 4 } else { 0 });
    let strides = |pitch: usize| {
        let nb1 = pitch as u64 * 4;
        [4, nb1, nb1 * rows as u64, nb1 * (rows * ne12) as u64]
    };
    let shape = |ne: usize| [ne as u32, rows as u32, ne12 as u32, ne13 as u32];
    let src1 = TensorView::new(ElementType::F32, a1, shape(k), strides(pitch));

    let out_pitch = n + if odd { 3 } else { 0 };
    let untouched = vec![0xAB; ne12 * ne13 * rows * out_pitch * 4];
    let (_m2, a2) = upload(device, &untouched, if odd { 12 } else { 0 });
    let dst = TensorView::new(ElementType::F32, a2, shape(n), strides(out_pitch));

    let workers = device.info().unwrap().workers();
    let (src0, _tiles) = match weights {
        Weights::Tilized(..) => {
            let tiles = TensorView::tiles(ElementType::TilesF32, 0, ne0);
            let memory = device.alloc(tiles.span()).unwrap();
            let tiles = TensorView { addr: memory.addr().0, ..tiles };
            device.execute(&ops::tilize(&src0, &tiles, workers).unwrap()).unwrap();
            (tiles, Some(memory))
        }
        _ => (src0, None),
    };
    device.execute(&ops::matmul(&src0, &src1, &dst, workers).unwrap()).unwrap();
    let mut got = untouched;
    device.read(DramAddr(a2), &mut got).unwrap();

    let (mut error, mut signal) = (0.0, 0.0);
    for (i, out) in got.chunks(out_pitch * 4).enumerate() {
        let (i2, i3) = (i / rows % ne12, i / rows / ne12);
        let w = &decoded[((i3 / r3) * b2 + i2 / r2) * n * k..][..n * k];
        for (j, value) in out.chunks(4).enumerate() {
            if j >= n {
                assert_eq!(value, [0xAB; 4], "{case:?} wrote behind row {i}");
                continue;
            }
            let want: f64 = (0..k).map(|c| f64::from(w[j * k + c]) * f64::from(x[i * k + c])).sum();
            let value = f64::from(f32::from_le_bytes(value.try_into().unwrap()));
            error += (value - want) * (value - want);
            signal += want * want;
        }
    }
    let limit = match ty {
        ElementType::TilesBfp8 => BFP8_TOLERANCE,
        ElementType::TilesBfp4 => BFP4_TOLERANCE,
        _ => TOLERANCE,
    };
    assert!(error / signal < limit, "{case:?}: error {:.2e}", error / signal);
}

/// Result of `x` times BFP8_b weights, where `x` lies `offset` bytes behind the beginning of a page.
fn row(device: &Arc<Device>, weights: &[u8], x: &[f32], n: u32, offset: u64) -> Vec<u8> {
    let k = x.len() as u32;
    let (_m0, src0) = upload_weights(device, ElementType::TilesBfp8, [k, n, 1, 1], weights, 0);
    let bytes: Vec<u8> = x.iter().flat_map(|v| v.to_le_bytes()).collect();
    let (_m1, a1) = upload(device, &bytes, offset);
    let mut got = vec![0; n as usize * 4];
    let (_m2, a2) = upload(device, &got, 0);
    let src1 = TensorView::contiguous(ElementType::F32, a1, [k, 1, 1, 1]);
    let dst = TensorView::contiguous(ElementType::F32, a2, [n, 1, 1, 1]);
    let op = ops::matmul(&src0, &src1, &dst, device.info().unwrap().workers()).unwrap();
    let is_row = op.params_of::<kernel::Matmul>().expect("a product").row;
    assert_eq!(is_row, u32::from(offset == 0));
    device.execute(&op).unwrap();
    device.read(DramAddr(a2), &mut got).unwrap();
    got
}

/// The vector unit rounds a row as RISC-V cores round rows that they gather: ties, and every exponent that does not overflow.
#[test]
fn a_row_for_all_gives_the_bytes_of_a_gathered_one() {
    let (device, mut rng) = (simulator(), Rng::new(5));
    for (k, n) in [(32, 32), (70, 40), (1024, 100), (4500, 3000)] {
        let values: Vec<u8> = (0..k * n).flat_map(|_| rng.unit().to_le_bytes()).collect();
        let weights = pack(WeightFormat::Bfp8, GgmlType::F32, &values, k, n, 1).unwrap();
        let x: Vec<f32> = (0..k)
            .map(|i| match i % 3 {
                0 => rng.unit(),
                1 => f32::from_bits(rng.unit().to_bits() & !0xFFF),
                _ => rng.unit() * 2f32.powi((rng.next() % 60) as i32 - 50),
            })
            .collect();
        let [one, other] = [0, 4].map(|offset| row(&device, &weights, &x, n as u32, offset));
        assert!(one == other, "{k} x {n}");
    }
}

/// Clocks of a launch of K x N BFP8_b weights times a row that lies `offset` bytes behind the beginning of a page.
fn clocks(device: &Arc<Device>, [k, n]: [u32; 2], offset: u64) -> u64 {
    let bytes = TensorView::tiles(ElementType::TilesBfp8, 0, [k, n, 1, 1]).span() as usize;
    let (_m0, src0) = upload_weights(device, ElementType::TilesBfp8, [k, n, 1, 1], &vec![0x55; bytes], 0);
    let (_m1, a1) = upload(device, &1_f32.to_le_bytes().repeat(k as usize), offset);
    let (_m2, a2) = upload(device, &vec![0; n as usize * 4], 0);
    let src1 = TensorView::contiguous(ElementType::F32, a1, [k, 1, 1, 1]);
    let dst = TensorView::contiguous(ElementType::F32, a2, [n, 1, 1, 1]);
    let op = ops::matmul(&src0, &src1, &dst, device.info().unwrap().workers()).unwrap();
    // The first launch brings code to instruction caches.
    device.execute(&op).unwrap();
    let clock = || device.counters().clocks.expect("the timed mode counts clocks");
    let begin = clock();
    device.execute(&op).unwrap();
    clock() - begin
}

#[test]
fn a_row_for_all_takes_less_time_than_a_gathered_one() {
    let spec = parse_devices(Some("sim:n150,timed")).expect("a device");
    let device = Device::open(&spec[0]);
    for shape in [[2048, 2048], [8192, 512]] {
        let [one, gathered] = [0, 4].map(|offset| clocks(&device, shape, offset));
        println!("{shape:?}: {one} clocks, {gathered} where every tile gathers");
        assert!(one < gathered, "{shape:?}: {one} and {gathered} clocks");
    }
}

const ONE: [usize; 4] = [1, 1, 1, 1];

fn case(weights: Weights, k: usize, n: usize, rows: usize) -> Case {
    Case { weights, k, n, rows, batch: ONE, odd: false }
}

#[test]
fn weight_tiles() {
    let (device, mut rng) = (simulator(), Rng::new(1));
    for format in [WeightFormat::Tf32, WeightFormat::Bf16, WeightFormat::Bfp8, WeightFormat::Bfp4] {
        let w = Weights::Tiles(format);
        run(&device, &mut rng, case(w, 32, 32, 1));
        for rows in [1, 8, 9, 17, 33, 70] {
            for odd in [false, true] {
                run(&device, &mut rng, Case { odd, ..case(w, 100, 75, rows) });
            }
        }
        run(&device, &mut rng, case(w, 9000, 33, 3));
    }
}

#[test]
fn plain_matrices_of_every_type() {
    let (device, mut rng) = (simulator(), Rng::new(2));
    for ty in [ElementType::F32, ElementType::F16, ElementType::BF16, ElementType::Q8_0, ElementType::Q4_0] {
        for (k, n, rows) in [(32, 32, 1), (64, 33, 5), (288, 77, 3), (160, 50, 40)] {
            for odd in [false, true] {
                run(&device, &mut rng, Case { odd, ..case(Weights::Plain(ty), k, n, rows) });
            }
        }
    }
    for ty in [ElementType::F32, ElementType::F16, ElementType::BF16] {
        run(&device, &mut rng, Case { odd: true, ..case(Weights::Plain(ty), 77, 19, 4) });
        run(&device, &mut rng, Case { odd: true, ..case(Weights::Plain(ty), 1, 1, 1) });
    }
}

#[test]
fn transposed_matrices_and_tiles_of_others() {
    let (device, mut rng) = (simulator(), Rng::new(4));
    for ty in [ElementType::F32, ElementType::F16, ElementType::BF16] {
        for weights in [Weights::ByColumn(ty), Weights::Tilized(ty, false), Weights::Tilized(ty, true)] {
            for (k, n, rows) in [(2, 2, 1), (33, 19, 4), (300, 77, 3), (160, 64, 40)] {
                for odd in [false, true] {
                    run(&device, &mut rng, Case { odd, ..case(weights, k, n, rows) });
                }
            }
        }
    }
    for ty in [ElementType::Q8_0, ElementType::Q4_0] {
        for by_column in [false, true] {
            for (k, n, rows) in [(32, 64, 1), (160, 96, 40)] {
                for odd in [false, true] {
                    run(&device, &mut rng, Case { odd, ..case(Weights::Tilized(ty, by_column), k, n, rows) });
                }
            }
        }
    }
}

#[test]
fn halves_as_they_lie() {
    let device = simulator();
    for case in halves::CASES {
        let (_, error) = halves::run(&device, &mut Rng::new(7), case);
        assert!(error < halves::ALLOWED, "{case:?}: error {error:.2e}");
    }
}

/// What is none of F16 makes its row no number, and no other.
#[test]
fn activations_that_are_none_of_f16() {
    let device = simulator();
    for value in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, -f32::NAN, 65536.0, f32::MAX, 3.4e38] {
        assert!(halves::special(&device, value).iter().all(|x| x.is_nan()), "{value}");
    }
    // The matrix unit aligns the products of 16 elements to the largest one and cuts them off: hence 1e-4.
    for (value, wanted) in [(65472.0, 65487.5), (-65472.0, -65456.5), (1e-40, 15.5), (0.25, 15.75)] {
        let results = halves::special(&device, value);
        assert!(results.iter().all(|x| (x - wanted).abs() <= 1e-4 * wanted.abs()), "{value}: {results:?}");
    }
}

#[test]
fn batches_are_broadcast() {
    let (device, mut rng) = (simulator(), Rng::new(3));
    for weights in [
        Weights::ByColumn(ElementType::F16),
        Weights::Tilized(ElementType::F16, false),
        Weights::Tilized(ElementType::Q8_0, true),
        Weights::Tiles(WeightFormat::Bf16),
        Weights::Plain(ElementType::F16),
        Weights::Plain(ElementType::Q8_0),
    ] {
        for batch in [[2, 1, 3, 1], [1, 2, 2, 3], [3, 2, 1, 1]] {
            run(&device, &mut rng, Case { batch, ..case(weights, 64, 64, 10) });
        }
    }
}

#[test]
fn rows_meet_the_matrices_that_indices_name() {
    let (device, mut rng) = (simulator(), Rng::new(4));
    let plain = experts::Case::new(64, 70, [5, 2, 33]);
    for case in [
        experts::Case::new(100, 75, [4, 2, 129]),
        experts::Case { shared: true, ..experts::Case::new(64, 40, [40, 6, 9]) },
        experts::Case::new(64, 40, [3, 3, 1]),
        // A product for each index: of one row for all, of rows of their own, of more columns than tiles, of one matrix for all.
        experts::Case { shared: true, ..experts::Case::new(320, 96, [9, 5, 1]) },
        experts::Case::new(96, 2560, [6, 6, 1]),
        experts::Case { plain: Some(ElementType::Q8_0), ..experts::Case::new(320, 64, [40, 32, 1]) },
        experts::Case { named: 1, ..experts::Case::new(64, 64, [8, 3, 1]) },
        experts::Case { shared: true, ..experts::Case::new(2048, 32, [4, 1, 1]) },
        // More row tiles than rows in one: all rows have the same matrix.
        experts::Case { named: 1, ..experts::Case::new(64, 40, [8, 1, 100]) },
        experts::Case { plain: Some(ElementType::Q8_0), ..plain },
        experts::Case { plain: Some(ElementType::F16), shared: true, ..plain },
        // K in chunks.
        experts::Case { plain: Some(ElementType::BF16), ..experts::Case::new(9000, 33, [2, 1, 40]) },
    ] {
        let error = experts::run(&device, &mut rng, case).unwrap().error;
        assert!(error < TOLERANCE, "{case:?}: error {error:.2e}");
    }
}

#[test]
fn an_index_of_no_matrix_is_an_error() {
    let (device, mut rng) = (simulator(), Rng::new(5));
    let case = experts::Case::new(32, 32, [3, 2, 2]);
    let error = experts::run_ids(&device, &mut rng, case, &[0, 1, 2, 3]).err().expect("no matrix 3");
    assert!(error.to_string().contains("row index 3 of source row 1"), "{error}");
    // The device goes on.
    assert!(experts::run_ids(&device, &mut rng, case, &[0, 1, 2, 1]).unwrap().error < TOLERANCE);
    // With a product for each index.
    let case = experts::Case { tokens: 1, ..case };
    let error = experts::run_ids(&device, &mut rng, case, &[2, 9]).err().expect("no matrix 9");
    assert!(error.to_string().contains("row index 9 of source row 0"), "{error}");
    assert!(experts::run_ids(&device, &mut rng, case, &[2, 0]).unwrap().error < TOLERANCE);
}

/// Every worker reads just its n-tiles, in the packets that shards allow: the NIUs' counters against the pure functions.
#[test]
fn weights_come_in_the_largest_packets() {
    use tt_isa::chip::WORMHOLE;
    use tt_kernel_abi::Shards;
    use tt_kernel_abi::matmul::{row_block_tiles, share};

    let device = simulator();
    let (workers, k, n, ty) = (device.info().unwrap().workers(), 2000, 5000, ElementType::TilesBfp8);
    let (k_tiles, n_tiles) = (63, 157);
    let memory = device.alloc(u64::from(k_tiles * n_tiles * ty.block_bytes()) + 4096).unwrap();
    let src0 = TensorView::tiles(ty, memory.addr().0 + 4096, [k, n, 1, 1]);
    device.fill(memory.addr(), memory.len(), 0x3F).unwrap();
    let (x, y) = (device.alloc(u64::from(4 * k)).unwrap(), device.alloc(u64::from(4 * n)).unwrap());
    device.fill(x.addr(), x.len(), 0x3F).unwrap();
    let src1 = TensorView::contiguous(ElementType::F32, x.addr().0, [k, 1, 1, 1]);
    let dst = TensorView::contiguous(ElementType::F32, y.addr().0, [n, 1, 1, 1]);
    let op = ops::matmul(&src0, &src1, &dst, workers).unwrap();
    let before = device.reads().unwrap();
    device.execute(&op).unwrap();
    let after = device.reads().unwrap();

    let shards = Shards::of_matrix(&src0, 0, 12);
    let (mut packets, mut blocks) = (0, 0);
    for index in 0..workers {
        let (first, count) = share(n_tiles, index, workers);
        let (mut requests, mut bytes, mut banks) = (0, 0, Vec::new());
        for n_tile in first..first + count {
            for k_tile in (0..k_tiles).step_by(row_block_tiles(ty) as usize) {
                let tiles = row_block_tiles(ty).min(k_tiles - k_tile);
                let mut at = u64::from((n_tile * k_tiles + k_tile) * ty.block_bytes());
                let end = at + u64::from(tiles * ty.block_bytes());
                blocks += 1;
                bytes += end - at;
                while at < end {
                    let shard = shards.find(at);
                    at += shard.locate(at).unwrap().1.min(u64::from(WORMHOLE.noc.max_packet)).min(end - at);
                    requests += 1;
                    banks.push(shard.bank);
                }
            }
        }
        banks.dedup();
        assert!(banks.len() <= 2, "worker {index} reads from banks {banks:?}");
        let [before, after] = [before[index as usize], after[index as usize]];
        assert_eq!(after.requests - before.requests, requests, "worker {index}");
        assert_eq!(after.bytes - before.bytes, bytes, "worker {index}");
        packets += requests;
    }
    // Blocks are a packet; a shard that ends in a block makes it two.
    assert!(packets <= blocks + 11, "{packets} packets for {blocks} blocks");
}

#[test]
fn activations_in_srcbs_order_give_the_same_bytes() {
    let (device, mut rng) = (simulator(), Rng::new(11));
    // And one that is larger than the buffer for activations with two tiles of rows.
    for shape in ordered::SHAPES.iter().chain(&[[6144, 128, 70, 1, 1]]) {
        ordered::product(&device, &mut rng, shape);
    }
}

#[test]
fn gated_units_are_brought_to_the_order_of_blocks() {
    let (device, mut rng) = (simulator(), Rng::new(17));
    for case in gated::CASES {
        gated::blocks(&device, &mut rng, case);
    }
    for (case, format) in gated::PRODUCTS
        .iter()
        .flat_map(|case| [WeightFormat::Bfp8, WeightFormat::Bfp4].map(|format| (case, format)))
    {
        gated::products(&device, &mut rng, format, case);
    }
    // Rows that the Tensix units cannot bring.
    let view = |k| TensorView::contiguous(ElementType::F32, 0, [k, 40, 1, 1]);
    for k in [96, 72] {
        let (x, form) = (view(k), ops::block_form(&view(k)));
        let refused = ops::glu_blocks(Glu::Swiglu, false, &[], [&x, &x], &form, ElementType::TilesBfp8, 64);
        assert!(refused.unwrap_err().0.contains("40"), "{k}");
    }
}

#[test]
fn norms_are_brought_to_the_order_of_blocks() {
    let (device, mut rng) = (simulator(), Rng::new(18));
    for case in norm_order::CASES {
        norm_order::blocks(&device, &mut rng, case);
    }
    // Rows that are no whole registers of the vector unit, rows that L1 has no room for, and weights of each row.
    let view = |ne| TensorView::contiguous(ElementType::F32, 0, ne);
    for (k, weights) in [(96, [96, 1, 1, 1]), (1 << 15, [1 << 15, 1, 1, 1]), (64, [64, 40, 1, 1])] {
        let x = view([k, 40, 1, 1]);
        let refused = ops::rms_norm_blocks(
            1e-5,
            [&x, &view(weights)],
            &ops::block_form(&x),
            ElementType::TilesBfp8,
            64,
        );
        assert!(refused.unwrap_err().0.contains(&k.to_string()), "{k}");
    }
}

#[test]
fn many_rows_in_blocks() {
    let (device, mut rng) = (simulator(), Rng::new(12));
    for shape in blocks::SHAPES {
        blocks::product(&device, &mut rng, WeightFormat::Bfp8, shape);
    }
    blocks::product(&device, &mut rng, WeightFormat::Bfp4, &blocks::SHAPES[3]);
}

/// A board that does not bear all matrix units at once: products in blocks take longer, and give the same bytes.
#[test]
fn products_in_blocks_rest_where_few_matrix_units_may_work() {
    let device = open("sim,rows=1,timed");
    let workers = device.info().expect("it boots").workers();
    let (mut rng, [k, n, rows]) = (Rng::new(9), [512, 512, 512]);
    let mut floats = |count: u32| -> Vec<u8> { (0..count).flat_map(|_| rng.unit().to_le_bytes()).collect() };
    let tiles = pack(WeightFormat::Bfp8, GgmlType::F32, &floats(k * n), k as usize, n as usize, 1);
    let (ty, tiles) = (ElementType::TilesBfp8, tiles.expect("tiles"));
    let (_w, weights) = upload_weights(&device, ty, [k, n, 1, 1], &tiles, 0);
    let (_x, at) = upload(&device, &floats(k * rows), 0);
    let src1 = TensorView::contiguous(ElementType::F32, at, [k, rows, 1, 1]);
    let (_y, at) = upload(&device, &vec![0; 4 * (n * rows) as usize], 0);
    let dst = TensorView::contiguous(ElementType::F32, at, [n, rows, 1, 1]);
    let product = ops::matmul(&weights, &src1, &dst, workers).expect("supported");
    let form = ops::block_form(&src1);
    let (_o, at) = upload(&device, &vec![0; form.span() as usize], 0);
    let ordered = TensorView { addr: at, ..form };
    device.execute(&ops::order_blocks(&src1, &ordered, ty, workers).expect("supported")).expect("no finding");
    let blocks = ops::blocks(&product, &ordered).expect("supported");
    device.keep_times(true).expect("it boots");
    let run = |most| {
        device.write(DramAddr(dst.addr), &vec![0xFF; dst.span() as usize]).expect("open");
        device.execute(&ops::with_matrix_units(blocks, most)).expect("no finding");
        let times = device.take_times();
        let mut found = vec![0; dst.span() as usize];
        device.read(DramAddr(dst.addr), &mut found).expect("readable");
        let last = times.iter().rfind(|step| step.operator == "MUL_MAT_BLOCK").expect("times");
        (last.end - last.begin, found)
    };
    // The first launch brings code to the cores' caches.
    run(workers);
    let ((all, expected), (few, found)) = (run(workers), run(1));
    assert!(found == expected, "other bytes");
    assert_eq!(ops::with_matrix_units(blocks, workers), blocks);
    assert!(2 * few > 3 * all, "{few} clocks with one matrix unit, {all} with all");
    // One tile of rows waits for DRAM: it is left alone.
    let few_rows = |view: TensorView| TensorView { ne: [view.ne[0], 32, 1, 1], ..view };
    let product = ops::matmul(&weights, &few_rows(src1), &few_rows(dst), workers).expect("supported");
    let form = TensorView { addr: ordered.addr, ..ops::block_form(&few_rows(src1)) };
    let one = ops::blocks(&product, &form).expect("supported");
    assert_eq!(ops::with_matrix_units(one, 1), one);
}
