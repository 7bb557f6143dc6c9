//! F16 and BF16 tiles of weights that are not rounded a second time, and products of many rows with them.

use std::sync::Arc;

use tt_kernel_abi::exact::Kind;
use tt_kernel_abi::held::{ColumnPart, LARGEST_F16, WEIGHTS_UP};
use tt_runtime::layout::{Form, GgmlType, pack};
use tt_runtime::ops::elementwise::Glu;
use tt_runtime::{Allocation, Device, ElementType, Error, OpDescriptor, TensorView, ops};

use super::exact::{Matrix, Product, activations, error, floats, read};
use super::{Rng, upload};

/// What tiles can be.
pub const TILES: [ElementType; 2] = [ElementType::TilesF16, ElementType::TilesBf16];

/// A random matrix whose weights can become such tiles.
fn matrix(rng: &mut Rng, kind: Kind, [k, n]: [usize; 2], tiles: ElementType) -> Matrix {
    // Of factors and scales up to 1.
    let largest = match kind {
        Kind::Scale | Kind::TwoScales => 127.0,
        Kind::ScaleMin => 127.0 + 1.0,
        Kind::SuperMin => 255.0 * 127.0 + 255.0,
        Kind::SuperTwo => 128.0 * 127.0,
        Kind::SuperFour => 127.0 + 15.0,
    };
    match tiles {
        ElementType::TilesF16 => {
            // (Halves are rounded.)
            let factor = 0.99 * LARGEST_F16 / largest;
            let matrix = Matrix::enlarged(rng, kind, [k, n, 1], factor);
            assert!(matrix.weights.iter().all(|weight| weight.abs() <= LARGEST_F16.into()), "{kind:?}");
            matrix
        }
        _ => Matrix::random(rng, kind, [k, n, 1]),
    }
}

/// Random blocks of a type: every scale, also denormal and infinite ones.
pub fn random_blocks(rng: &mut Rng, ty: GgmlType, k: usize, n: usize) -> Vec<u8> {
    let bytes = ty.row_bytes(k).expect("whole blocks") * n;
    (0..bytes).map(|_| rng.next() as u8).collect()
}

/// A matrix of random blocks in its exact form, and the values of its columns one after the other.
pub fn of_blocks(rng: &mut Rng, ty: GgmlType, k: usize, n: usize) -> (Matrix, Vec<f32>) {
    let (kind, form) = (Kind::of(ty).expect("a kind"), Form::exact(ty).expect("a form"));
    let bytes = pack(form, ty, &random_blocks(rng, ty, k, n), k, n, 1).expect("whole blocks");
    let values = bytes.chunks(form.strip_bytes(k)).flat_map(|strip| form.unpack_strip(k, strip)).collect();
    (Matrix { kind, k, n, count: 1, bytes, weights: Vec::new() }, values)
}

/// Steps of a product by way of tiles, in [parts].
fn steps(
    device: &Arc<Device>,
    product: &OpDescriptor,
    ordered: &TensorView,
    cut: Option<[u32; 2]>,
    tiles: ElementType,
) -> Vec<[OpDescriptor; 2]> {
    let (width, height) = device.info().expect("it boots").grid;
    let grid = [width, height];
    assert!(ops::worth_block_tiles(product, grid), "{:?}, rows {:?}", product.src0, product.src1.ne);
    let part = |part| ops::blocks_of_tiles(product, part, tiles, ordered, grid).expect("supported");
    parts(product, 1, grid, cut).into_iter().map(part).collect()
}

/// The parts by columns of so many products: so many, of runs of so many columns (`cut`), or as L1 has room.
fn parts(product: &OpDescriptor, sides: u32, grid: [u32; 2], cut: Option<[u32; 2]>) -> Vec<ColumnPart> {
    match cut {
        None => ops::block_tiles(product, sides, grid).collect(),
        Some([parts, run]) => (0..parts).map(|number| ColumnPart { number, parts, run }).collect(),
    }
}

/// Runs a product by way of tiles: the result's bytes.
fn run(device: &Arc<Device>, product: &OpDescriptor, cut: Option<[u32; 2]>, tiles: ElementType) -> Vec<u8> {
    let form = ops::block_form(&product.src1);
    let (_o, at) = upload(device, &vec![0; form.span() as usize], 0);
    let ordered = TensorView { addr: at, ..form };
    let mut stream = device.stream();
    let order = ops::order_blocks(&product.src1, &ordered, tiles, product.cores).expect("supported");
    stream.push(&order).expect("open");
    for steps in steps(device, product, &ordered, cut, tiles) {
        assert!(ops::needs_next(&steps[0]) && !ops::needs_next(&steps[1]));
        stream.push_together(&steps).expect("open");
    }
    stream.finish().expect("no finding");
    read(device, &product.dst)
}

/// The weights as the matrix unit sees them: products with rows that have a single one, for each of `picks` at that element of K.
pub fn seen(device: &Arc<Device>, matrix: &Matrix, picks: &[usize], tiles: ElementType) -> Vec<f32> {
    let mut x = vec![0.0; picks.len() * matrix.k];
    picks.iter().enumerate().for_each(|(row, pick)| x[row * matrix.k + pick] = 1.0);
    let product = Product::new(device, matrix, &x);
    floats(&run(device, &product.op, None, tiles))
}

/// BF16 as the packers round to it: to the nearest, ties away from zero. What is denormal is zero.
pub fn rounded(x: f32) -> f32 {
    let rounded = f32::from_bits((x.to_bits() + 0x8000) & 0xFFFF_0000);
    if x.abs() < f32::MIN_POSITIVE { 0.0 } else { rounded }
}

/// A weight in such tiles. Of F16 nine bits behind the first are multiplied, rounded the same way; magnitudes have to be less than 32.
fn in_tiles(x: f32, tiles: ElementType) -> f32 {
    if tiles != ElementType::TilesF16 {
        return rounded(x);
    }
    let rounded = f32::from_bits((x.to_bits() + (1 << 13)) & !0x3FFF);
    let least = 2f32.powi(-14 - WEIGHTS_UP as i32);
    if rounded.abs() < least { 0.0 } else { rounded }
}

/// Errors of a product against double precision, with activations as the kernel rounds them.
#[derive(Debug)]
pub struct Errors {
    /// Over the quantised weights.
    pub exact: f64,
    /// Over these in tiles.
    pub of_tiles: f64,
}

/// A product of many rows by way of tiles, in [parts]: the bytes, and the errors.
pub fn product(
    device: &Arc<Device>,
    rng: &mut Rng,
    kind: Kind,
    [k, n, rows]: [usize; 3],
    cut: Option<[u32; 2]>,
    tiles: ElementType,
) -> (Vec<u8>, Errors) {
    let mut matrix = matrix(rng, kind, [k, n], tiles);
    let x = activations(rng, k * rows);
    let product = Product::new(device, &matrix, &x);
    let got = run(device, &product.op, cut, tiles);
    let near: Vec<f32> = x.iter().map(|&x| rounded(x)).collect();
    let products =
        |matrix: &Matrix| -> Vec<f64> { near.chunks(k).flat_map(|row| matrix.times(0, row)).collect() };
    let got_values = floats(&got);
    let exact = error(&got_values, &products(&matrix));
    matrix.weights.iter_mut().for_each(|weight| *weight = in_tiles(*weight as f32, tiles).into());
    let of_tiles = error(&got_values, &products(&matrix));
    (got, Errors { exact, of_tiles })
}

/// The largest error of weights as the matrix unit sees them, of random integers and scales, in units of what tiles and single precision may lose.
pub fn largest_error(
    device: &Arc<Device>,
    rng: &mut Rng,
    kind: Kind,
    [k, n]: [usize; 2],
    picks: &[usize],
    tiles: ElementType,
) -> f64 {
    let matrix = matrix(rng, kind, [k, n], tiles);
    let got = seen(device, &matrix, picks, tiles);
    let bits = if tiles == ElementType::TilesF16 { 9 } else { 7 };
    let largest = matrix.weights.iter().fold(0f64, |largest, x| largest.max(x.abs()));
    let want = picks.iter().flat_map(|&pick| (0..n).map(move |column| (column, pick)));
    let errors = want.zip(&got).map(|((column, pick), &got)| {
        let want = matrix.weights[column * k + pick];
        let unit = want.abs() / f64::from(2 << bits) + largest / f64::from(1 << 22);
        (f64::from(got) - want).abs() / unit
    });
    errors.fold(0.0, |largest, error| if error.is_nan() { f64::INFINITY } else { largest.max(error) })
}

/// Function, K, columns and rows of two products, and their [parts].
pub type Gated = (Glu, [usize; 3], Option<[u32; 2]>);

/// Such products: each tile of the grid's columns has one tile of rows or several; not all full; blocks of one
/// column and of several; several groups of K.
pub const GATED: &[Gated] = &[
    (Glu::Swiglu, [576, 320, 140], None),
    (Glu::Geglu, [288, 1024, 300], Some([3, 1])),
    (Glu::Swiglu, [1056, 1024, 200], Some([2, 1])),
    (Glu::Geglu, [64, 640, 160], Some([2, 2])),
];

/// Two products of one shape with the same activations.
fn two_products(
    device: &Arc<Device>,
    rng: &mut Rng,
    kind: Kind,
    [k, n, rows]: [usize; 3],
    tiles: ElementType,
) -> [Product; 2] {
    let x = activations(rng, k * rows);
    let [first, mut second] =
        std::array::from_fn(|_| Product::new(device, &matrix(rng, kind, [k, n], tiles), &x));
    second.op.src1 = first.op.src1;
    [first, second]
}

/// Room for rows in the order of blocks.
fn in_order(device: &Arc<Device>, rows: &TensorView) -> (Allocation, TensorView) {
    let form = ops::block_form(rows);
    let (memory, addr) = upload(device, &vec![0xFF; form.span() as usize], 0);
    (memory, TensorView { addr, ..form })
}

/// Two products and their gated unit, in one launch for each part by columns, and one by one; gives the bytes.
///
/// # Panics
/// They differ.
pub fn gated(
    device: &Arc<Device>,
    rng: &mut Rng,
    kind: Kind,
    &(function, shape, cut): &Gated,
    tiles: ElementType,
) -> Vec<u8> {
    let (width, height) = device.info().expect("it boots").grid;
    let (grid, workers) = ([width, height], width * height);
    let products = two_products(device, rng, kind, shape, tiles);
    let [x, gate] = products.each_ref().map(|product| &product.op);
    let (_o, ordered) = in_order(device, &x.src1);
    let [(_p, alone), (_q, together)] = std::array::from_fn(|_| in_order(device, &x.dst));
    let mut stream = device.stream();
    let order = ops::order_blocks(&x.src1, &ordered, tiles, workers).expect("supported");
    stream.push(&order).expect("open");
    for product in [x, gate] {
        for steps in steps(device, product, &ordered, None, tiles) {
            stream.push_together(&steps).expect("open");
        }
    }
    let unit = ops::glu_blocks(function, false, &[], [&x.dst, &gate.dst], &alone, tiles, workers);
    stream.push(&unit.expect("supported")).expect("open");
    assert!(ops::worth_gated_tiles(x, grid), "{shape:?}");
    for part in parts(x, 2, grid, cut) {
        let steps =
            ops::blocks_gated_of_tiles(function, [x, gate], part, tiles, &ordered, &together, tiles, grid);
        let steps = steps.expect("supported");
        assert_eq!(steps.each_ref().map(ops::needs_next), [true, true, false]);
        stream.push_together(&steps).expect("open");
    }
    stream.finish().expect("no finding");
    let [alone, together] = [&alone, &together].map(|view| read(device, view));
    assert!(alone == together, "{kind:?} {function:?} of {shape:?}, {tiles:?}: other bytes");
    assert!(alone.iter().any(|&byte| byte != 0), "{kind:?} {function:?} of {shape:?}, {tiles:?}: nothing");
    alone
}

/// The three steps of a gated unit right after each other, with another one between the first two, and with the weights of the two products in each other's place.
pub fn gated_steps_apart(device: &Arc<Device>, rng: &mut Rng, shape: [usize; 3]) -> [Result<(), Error>; 3] {
    let (width, height) = device.info().expect("it boots").grid;
    let (grid, tiles) = ([width, height], ElementType::TilesBf16);
    let products = two_products(device, rng, Kind::Scale, shape, tiles);
    let [x, gate] = products.each_ref().map(|product| &product.op);
    let [(_o, ordered), (_p, result)] = [&x.src1, &x.dst].map(|rows| in_order(device, rows));
    let part = parts(x, 2, grid, None)[0];
    let glu = Glu::Swiglu;
    let steps = ops::blocks_gated_of_tiles(glu, [x, gate], part, tiles, &ordered, &result, tiles, grid);
    let [x, gate, product] = steps.expect("supported");
    let run = |steps: &[OpDescriptor]| -> Result<(), Error> {
        let mut stream = device.stream();
        stream.push_together(steps)?;
        Ok(stream.finish()?)
    };
    [run(&[x, gate, product]), run(&[x, OpDescriptor::NOP, gate, product]), run(&[gate, x, product])]
}

/// The two steps of a product right after each other, and with another one between them.
pub fn steps_apart(device: &Arc<Device>, rng: &mut Rng, [k, n, rows]: [usize; 3]) -> [Result<(), Error>; 2] {
    let matrix = Matrix::random(rng, Kind::Scale, [k, n, 1]);
    let product = Product::new(device, &matrix, &activations(rng, k * rows));
    let form = ops::block_form(&product.op.src1);
    let (_o, at) = upload(device, &vec![0; form.span() as usize], 0);
    let ordered = TensorView { addr: at, ..form };
    let steps = steps(device, &product.op, &ordered, None, ElementType::TilesBf16);
    let run = |steps: &[OpDescriptor]| -> Result<(), Error> {
        let mut stream = device.stream();
        stream.push_together(steps)?;
        Ok(stream.finish()?)
    };
    [run(&steps[0]), run(&[steps[0][0], OpDescriptor::NOP, steps[0][1]])]
}
