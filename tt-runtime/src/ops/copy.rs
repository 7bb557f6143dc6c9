//! Copies: `CPY`, `CONT`, `DUP`, `REPEAT`, `CONCAT`, `PAD`, `ROLL` and their kin.
//!
//! Byte for byte between tensors of one type; among F32, F16 and BF16 rounded to nearest even; between F32 and I32
//! by value; to and from quantised types through FP32.

use super::{Unsupported, check};
pub use tt_kernel_abi::copy::DimMap;
use tt_kernel_abi::copy::{BLOCK_COLUMNS, BLOCK_ROWS, CopyParams, Mode, ORDERED_TILES};
use tt_kernel_abi::elementwise::{MAX_PIECE, PIECE_STEP, Pieces};
use tt_kernel_abi::launch::LANES;
use tt_kernel_abi::matmul::{TILE, block_tiles};
use tt_kernel_abi::operators::kernel;
use tt_kernel_abi::target::CONGRUENCE;
use tt_kernel_abi::{ElementType, OpDescriptor, TensorView};

const ALL: &[ElementType] = &[
    ElementType::F32,
    ElementType::F16,
    ElementType::BF16,
    ElementType::I8,
    ElementType::I16,
    ElementType::I32,
    ElementType::I64,
];

/// Descriptor for copying `src` to `dst`, element number n to element number n, on up to `cores` workers; shapes may
/// differ if the numbers of elements agree.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn copy(src: &TensorView, dst: &TensorView, cores: u32) -> Result<OpDescriptor, Unsupported> {
    if has_blocks(src) || has_blocks(dst) {
        return convert(src, dst, cores);
    }
    if src.ne == dst.ne {
        return remap(src, dst, [DimMap::SAME; 4], cores);
    }
    types(src, dst)?;
    let (from, to) = (check::count("elements", &src.ne)?, check::count("elements", &dst.ne)?);
    if from != to {
        return Err(format!("shapes {:?} -> {:?}", src.ne, dst.ne).into());
    }
    build(Mode::Linear, *src, *dst, [DimMap::SAME; 4], cores)
}

/// Whether a type is quantised.
fn has_blocks(view: &TensorView) -> bool {
    view.element_type().is_some_and(|ty| ty.quantised().is_some())
}

/// Between a block type and another one: rows of whole blocks, by value. Between two of one type: as they are.
fn convert(src: &TensorView, dst: &TensorView, cores: u32) -> Result<OpDescriptor, Unsupported> {
    let (mut src, mut dst) = (*src, *dst);
    for (what, view) in [("src0", &src), ("dst", &dst)] {
        let ty = check::decoded(what, view)?;
        match ty.block_len() {
            1 => check::elements(what, view, ty)?,
            _ => check::rows(what, view, ty)?,
        }
    }
    if src.ty == dst.ty {
        return same_blocks(&src, &dst, cores);
    }
    let (from, to) = (check::count("elements", &src.ne)?, check::count("elements", &dst.ne)?);
    if src.ne != dst.ne {
        if from != to || !check::is_contiguous(&src) || !check::is_contiguous(&dst) {
            return Err(format!("shapes {:?} -> {:?} of block types", src.ne, dst.ne).into());
        }
        for view in [&mut src, &mut dst] {
            let ty = check::decoded("operand", view)?;
            *view = TensorView::contiguous(ty, view.addr, [from, 1, 1, 1]);
        }
    }
    check::encoded("dst", &dst)?;
    build(Mode::Convert, src, dst, [DimMap::SAME; 4], cores)
}

/// Blocks as they are: rows of the widest integers that every block is a whole number of.
fn same_blocks(src: &TensorView, dst: &TensorView, cores: u32) -> Result<OpDescriptor, Unsupported> {
    let integer = [ElementType::I32, ElementType::I16]
        .into_iter()
        .find(|integer| {
            let fits = |bytes: &u64| bytes.is_multiple_of(integer.block_bytes().into());
            [src, dst].iter().all(|view| fits(&view.addr) && view.nb.iter().all(fits))
        })
        .unwrap_or(ElementType::I8);
    let size = integer.block_bytes();
    let integers = |view: &TensorView| {
        let ty = view.element_type().unwrap_or(integer);
        let mut ne = view.ne;
        ne[0] = ne[0] / ty.block_len() * ty.block_bytes() / size;
        TensorView::new(integer, view.addr, ne, [size.into(), view.nb[1], view.nb[2], view.nb[3]])
    };
    copy(&integers(src), &integers(dst), cores)
}

/// Descriptor for `dst[i] = src[map(i)]` with a rule for each dimension, on up to `cores` workers.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn remap(
    src: &TensorView,
    dst: &TensorView,
    dims: [DimMap; 4],
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    types(src, dst)?;
    for (dim, map) in dims.iter().enumerate() {
        let (n, m) = (src.ne[dim], dst.ne[dim]);
        let fits = match *map {
            DimMap::Wrap { shift } => shift < n,
            DimMap::Pad { .. } => true,
            DimMap::Reflect { before } => before < n && m >= before && m - before < 2 * n,
        };
        if !fits {
            return Err(format!("{map:?} of {n} elements to {m} in dimension {dim}").into());
        }
    }
    let flat = src.ne == dst.ne
        && dims == [DimMap::SAME; 4]
        && check::is_contiguous(src)
        && check::is_contiguous(dst);
    let (mut src, mut dst) = (*src, *dst);
    if flat {
        let total = check::count("elements", &dst.ne)?;
        for view in [&mut src, &mut dst] {
            let ty = check::element_type("operand", view, ALL)?;
            *view = TensorView::contiguous(ty, view.addr, [total, 1, 1, 1]);
        }
    }
    let same = src.ne == dst.ne && dims == [DimMap::SAME; 4];
    match same && is_transposed(&src) {
        true => build(Mode::Transposed, src, dst, dims, cores),
        false => build(Mode::ByDimension, src, dst, dims, cores),
    }
}

/// Descriptor for repeating `src` until it fills `dst`.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn repeat(src: &TensorView, dst: &TensorView, cores: u32) -> Result<OpDescriptor, Unsupported> {
    match (0..4).all(|dim| src.ne[dim] != 0 && dst.ne[dim].is_multiple_of(src.ne[dim])) {
        true => remap(src, dst, [DimMap::SAME; 4], cores),
        false => Err(format!("{:?} cannot be repeated to {:?}", src.ne, dst.ne).into()),
    }
}

/// Descriptor for making tiles (`TilesF32`) of the matrices of `src`, which can be all that [`super::matmul`] multiplies with, and
/// blocks of 32 elements of any type, by rows or by columns.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn tilize(src: &TensorView, dst: &TensorView, cores: u32) -> Result<OpDescriptor, Unsupported> {
    check::cores(cores)?;
    let from = super::matmul::check_tilize(src)?;
    super::matmul::check_src0(dst)?;
    if from.is_tiles() || dst.element_type() != Some(ElementType::TilesF32) || src.ne != dst.ne {
        return Err(format!("tiles {:?} of {from:?} {:?}", dst.ne, src.ne).into());
    }
    let k_tiles = dst.ne[0].div_ceil(TILE);
    let rows = check::count("rows of tiles", &[dst.ne[1].div_ceil(TILE), dst.ne[2], dst.ne[3]])?;
    let len = block_tiles(from);
    let per_row = k_tiles.div_ceil(len);
    let count = check::count("blocks of tiles", &[per_row, rows])?;
    let pieces = Pieces { function: Mode::Tiles as u32, len, per_row, count };
    Ok(descriptor(pieces, [DimMap::SAME; 4], src, dst, cores))
}

/// Descriptor for bringing F32 rows to SrcB's order, as [`super::ordered`] says, on up to `cores` workers.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn order(src: &TensorView, dst: &TensorView, cores: u32) -> Result<OpDescriptor, Unsupported> {
    check::cores(cores)?;
    check::rows("src0", src, check::element_type("src0", src, &[ElementType::F32])?)?;
    let form = TensorView { addr: dst.addr, ..super::ordered(src) };
    if form != *dst || !dst.addr.is_multiple_of(CONGRUENCE.into()) {
        return Err(format!("rows {:?} to the order of {:?}", src.ne, dst.ne).into());
    }
    ordered(Mode::Activations, src, dst, cores)
}

/// Descriptor of a mode that brings F32 rows to tiles of activations, piece by piece of whole tiles.
pub(super) fn ordered(
    mode: Mode,
    src: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    check::cores(cores)?;
    check::rows("src0", src, check::element_type("src0", src, &[ElementType::F32])?)?;
    let k_tiles = src.ne[0].div_ceil(TILE);
    let rows = check::count("rows of tiles", &[src.ne[1].div_ceil(TILE), src.ne[2], src.ne[3]])?;
    let tiles = check::count("tiles", &[rows, k_tiles])?;
    // A piece for each lane, where that is long enough: a lane with two short ones would keep the others waiting.
    let len = tiles.div_ceil(cores * LANES).clamp(1, ORDERED_TILES);
    let per_row = k_tiles.div_ceil(len);
    let pieces = Pieces { function: mode as u32, len, per_row, count: per_row * rows };
    Ok(descriptor(pieces, [DimMap::SAME; 4], src, dst, cores))
}

/// Whether neighbours in memory are neighbours in dimension 1.
fn is_transposed(view: &TensorView) -> bool {
    let size = view.element_type().map_or(0, |ty| u64::from(ty.block_bytes()));
    view.nb[1] == size && view.nb[0] != size && view.ne[0] > 1 && view.ne[1] > 1
}

fn types(src: &TensorView, dst: &TensorView) -> Result<(), Unsupported> {
    let from = check::element_type("src0", src, ALL)?;
    let to = check::element_type("dst", dst, ALL)?;
    check::elements("src0", src, from)?;
    check::elements("dst", dst, to)?;
    let float = |ty| matches!(ty, ElementType::F32 | ElementType::F16 | ElementType::BF16);
    let ok = from == to
        || (float(from) && float(to))
        || (from == ElementType::I32 && to == ElementType::F32)
        || (from == ElementType::F32 && to == ElementType::I32);
    if ok { Ok(()) } else { Err(format!("copies from {from:?} to {to:?}").into()) }
}

fn build(
    mode: Mode,
    src: TensorView,
    dst: TensorView,
    dims: [DimMap; 4],
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    check::cores(cores)?;
    let [ne0, ne1, ne2, ne3] = dst.ne;
    let (down, longest) = match mode {
        Mode::Transposed => (ne1.div_ceil(BLOCK_ROWS), BLOCK_COLUMNS),
        _ => (ne1, MAX_PIECE),
    };
    let rows = check::count("rows", &[down, ne2, ne3])?;
    let block = |view: &TensorView| view.element_type().map_or(1, ElementType::block_len);
    let step = match mode {
        Mode::Convert => PIECE_STEP.max(block(&src)).max(block(&dst)),
        _ => PIECE_STEP,
    };
    let pieces = Pieces::cut_short(mode as u32, ne0, rows, cores * LANES, (step, longest))
        .ok_or_else(|| Unsupported(format!("too many elements: {:?}", dst.ne).into()))?;
    Ok(descriptor(pieces, dims, &src, &dst, cores))
}

fn descriptor(
    pieces: Pieces,
    dims: [DimMap; 4],
    src: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> OpDescriptor {
    let params = CopyParams::new(pieces, dims);
    let op = OpDescriptor::of::<kernel::Copy>(&params, cores.min(pieces.count.div_ceil(LANES)));
    OpDescriptor { src0: *src, dst: *dst, ..op }
}
