//! Orders and types of elements, changed by the device itself: from one DRAM buffer to another one of the same device.
//!
//! | function | what | on the device |
//! |---|---|---|
//! | [`tilize`], [`untilize`] | a matrix to tiles and back, of elements of any size | copies of 16 elements by the cores: one step for each row of faces (16 rows), or of groups (8 rows) |
//! | [`cast`] | F32, F16, BF16, I32, and ggml's quantised types, to one another as `CPY` does | one step |
//!
//! They are built-in operators, so they need all of L1: [`Error::Taken`] while a program runs or somebody has a buffer there. What the device does not do
//! is an error ([`Error::Unsupported`]): matrices that are not whole tiles, and the block-float formats of tiles, whose shared exponents are found on the host
//! ([`by_host`](super::by_host)).

use std::sync::Arc;

use super::{FACE, GROUP, Order, SIDE, TILE};
use crate::device::Device;
use crate::error::Error;
use crate::ops;
use crate::program::{DramBuffer, Element};
use crate::report::BufferError;
use crate::{ElementType, OpDescriptor, TensorView};

impl Order {
    /// Rows that are together in a tile: of a face, or of a group.
    const fn height(self) -> usize {
        match self {
            Self::Faces => FACE,
            Self::Groups => GROUP,
        }
    }
}

/// Which way a matrix goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    ToTiles,
    FromTiles,
}

/// The tiles of a matrix of `rows` x `columns` (multiples of 32), as [`super::tilize`] makes them.
///
/// # Errors
/// The buffers have other than `rows` x `columns` elements; rows or columns that are not whole tiles; the operator is refused; the chip does not answer.
pub fn tilize<T: Element>(
    matrix: &DramBuffer<T>,
    tiles: &DramBuffer<T>,
    rows: usize,
    columns: usize,
    order: Order,
) -> Result<(), Error> {
    reorder(matrix, tiles, (rows, columns), order, Way::ToTiles)
}

/// The matrix of `rows` x `columns` (multiples of 32) that tiles have, as [`super::untilize`] makes it.
///
/// # Errors
/// As [`tilize`].
pub fn untilize<T: Element>(
    tiles: &DramBuffer<T>,
    matrix: &DramBuffer<T>,
    rows: usize,
    columns: usize,
    order: Order,
) -> Result<(), Error> {
    reorder(tiles, matrix, (rows, columns), order, Way::FromTiles)
}

/// All elements of a buffer as another type, in order: `from` of type `from_type` to `to` of type `to_type`. Floats are rounded to nearest, ties to even; F32 to I32 cuts the
/// fraction off.
///
/// # Errors
/// The buffers have not the same number of elements, or not whole blocks of a quantised type; the device does not convert these types.
pub fn cast<A: Element, B: Element>(
    from: &DramBuffer<A>,
    from_type: ElementType,
    to: &DramBuffer<B>,
    to_type: ElementType,
) -> Result<(), Error> {
    let source = whole(from, from_type)?;
    let target = whole(to, to_type)?;
    if source.ne != target.ne {
        let (rows, columns) = (1, source.ne[0] as usize);
        return Err(BufferError::Matrix { rows, columns, got: target.ne[0] as usize }.into());
    }
    let device = common(from, to)?;
    let op = ops::copy(&source, &target, device.info()?.workers()).map_err(unsupported)?;
    device.execute(&op)
}

fn unsupported(why: ops::Unsupported) -> Error {
    Error::Unsupported(format!("the device does not convert that: {why}"))
}

/// The device that has both.
fn common<A: Element, B: Element>(one: &DramBuffer<A>, other: &DramBuffer<B>) -> Result<Arc<Device>, Error> {
    match Arc::ptr_eq(one.device(), other.device()) {
        true => Ok(Arc::clone(one.device())),
        false => Err(BufferError::OtherMemory { at: other.address().0 }.into()),
    }
}

/// A buffer as one row of elements of a type.
fn whole<T: Element>(buffer: &DramBuffer<T>, ty: ElementType) -> Result<TensorView, Error> {
    let (bytes, block) = (buffer.len() * size_of::<T>(), ty.block_bytes() as usize);
    let elements = bytes / block.max(1) * ty.block_len() as usize;
    match u32::try_from(elements) {
        Ok(elements) if bytes.is_multiple_of(block.max(1)) => {
            Ok(TensorView::contiguous(ty, buffer.address().0, [elements, 1, 1, 1]))
        }
        _ => Err(Error::Unsupported(format!(
            "{bytes} bytes are not elements of {ty:?}, {block} bytes a block"
        ))),
    }
}

/// An integer of the size of an element: such are copied as they are.
fn integer<T>() -> Result<ElementType, Error> {
    match size_of::<T>() {
        1 => Ok(ElementType::I8),
        2 => Ok(ElementType::I16),
        4 => Ok(ElementType::I32),
        size => Err(Error::Unsupported(format!("the device copies no elements of {size} bytes"))),
    }
}

fn reorder<T: Element>(
    from: &DramBuffer<T>,
    to: &DramBuffer<T>,
    (rows, columns): (usize, usize),
    order: Order,
    way: Way,
) -> Result<(), Error> {
    let device = common(from, to)?;
    if !rows.is_multiple_of(SIDE) || !columns.is_multiple_of(SIDE) {
        let why = format!("a matrix of {rows} x {columns} is not whole tiles of {SIDE} x {SIDE}");
        return Err(Error::Unsupported(format!("{why}: pad it, or tilize it on the host")));
    }
    for buffer in [from, to] {
        if rows.checked_mul(columns) != Some(buffer.len()) {
            return Err(BufferError::Matrix { rows, columns, got: buffer.len() }.into());
        }
    }
    if rows == 0 || columns == 0 {
        return Ok(());
    }
    let workers = device.info()?.workers();
    let (matrix, tiles) = match way {
        Way::ToTiles => (from.address().0, to.address().0),
        Way::FromTiles => (to.address().0, from.address().0),
    };
    let ty = integer::<T>()?;
    let steps = (0..rows / order.height()).map(|band| {
        let (in_matrix, in_tiles) = views(ty, (matrix, tiles), band, columns, order);
        let (source, target) = match way {
            Way::ToTiles => (in_matrix, in_tiles),
            Way::FromTiles => (in_tiles, in_matrix),
        };
        ops::copy(&source, &target, workers).map_err(unsupported)
    });
    let steps = steps.collect::<Result<Vec<OpDescriptor>, Error>>()?;
    let mut stream = device.stream();
    steps.iter().try_for_each(|step| stream.push(step))?;
    Ok(stream.finish()?)
}

/// The rows of a band, which are together in their tiles, in the matrix and in the tiles: 16 columns of a face, the rows, the two halves of a tile's columns, the tiles.
fn views(
    ty: ElementType,
    (matrix, tiles): (u64, u64),
    band: usize,
    columns: usize,
    order: Order,
) -> (TensorView, TensorView) {
    let (size, height, across) = (u64::from(ty.block_bytes()), order.height(), columns / SIDE);
    let ne = [FACE as u32, height as u32, (SIDE / FACE) as u32, across as u32];
    let bytes = |elements: usize| elements as u64 * size;
    let in_matrix = [1, columns, FACE, SIDE].map(bytes);
    let in_tiles = [1, FACE, order.index(0, FACE), TILE].map(bytes);
    let row = band * height;
    let tile = row / SIDE * across * TILE + order.index(row % SIDE, 0);
    (
        TensorView::new(ty, matrix + bytes(row * columns), ne, in_matrix),
        TensorView::new(ty, tiles + bytes(tile), ne, in_tiles),
    )
}
