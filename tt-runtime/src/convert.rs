//! Orders and formats of tiles, as plain functions on slices. For buffers in DRAM [`on_device`] has what the device does itself, and [`by_host`]
//! the formats of tiles.
//!
//! A matrix is `rows` x `columns` elements, row by row. Its tiles have 32 x 32 elements; tiles follow one another row of tiles by row of tiles, and
//! what is beyond the matrix is zero. Within a tile the elements are in one of two orders ([`Order`]).
//!
//! | function | from | to |
//! |---|---|---|
//! | [`tilize`] | a matrix of any numbers | tiles of the same numbers |
//! | [`untilize`] | tiles | a matrix |
//! | [`encode`] | a matrix of FP32 | tiles of a format of the hardware |
//! | [`decode`] | such tiles | a matrix of FP32 |
//!
//! # Rounding
//! | format | bytes of a tile | how numbers are rounded |
//! |---|---|---|
//! | `Tf32` | 4,096 | FP32 with ten bits of mantissa as the matrix unit uses them: to nearest, ties to even |
//! | `Bf16` | 2,048 | to nearest, ties to even |
//! | `Bfp8`, `Bfp4`, `Bfp2` | 1,088, 576, 320 | 16 elements of a row of a face share the largest exponent among them; each has a sign and 7, 3 or 1 bits, rounded to nearest, ties to even, and saturates. Zero has no sign ([`crate::layout::pack::bfp`]). First the 64 exponents, then the elements |
//!
//! Integers and FP16 are not rounded: they are tilized as they are.

pub mod by_host;
pub mod on_device;

use tt_isa::format::{TILE_DATUMS, TILE_DIM, tile_index};

use crate::layout::{GgmlType, LayoutError, pack, pack::unpack_tile};

pub use crate::layout::WeightFormat as Format;

/// Elements of a tile.
pub const TILE: usize = TILE_DATUMS;
/// Rows, and columns, of a tile.
pub const SIDE: usize = TILE_DIM;

/// Rows of a group, in [`Order::Groups`].
const GROUP: usize = tt_kernel_abi::matmul::ROW_GROUP as usize;
/// Columns of a face.
const FACE: usize = tt_isa::format::FACE_DIM;

/// The order of the elements of a tile.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Order {
    /// Four faces of 16 x 16, each row by row: upper left, upper right, lower left, lower right. What SrcA takes, and all formats of tiles.
    Faces,
    /// Four groups of 8 rows; of each first columns 0 to 15, row by row, then columns 16 to 31. What SrcB takes, and what packers give of Dst.
    Groups,
}

impl Order {
    /// Where element (`row`, `column`) of a tile is.
    pub const fn index(self, row: usize, column: usize) -> usize {
        match self {
            Self::Faces => tile_index(row, column),
            Self::Groups => {
                row / GROUP * (GROUP * SIDE)
                    + column / FACE * (GROUP * FACE)
                    + row % GROUP * FACE
                    + column % FACE
            }
        }
    }
}

/// A number of elements that does not fit.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConvertError {
    /// Not a matrix of these extents.
    #[error("a matrix of {rows} x {columns} has {} elements, not {got}", rows * columns)]
    Matrix {
        /// Rows.
        rows: usize,
        /// Columns.
        columns: usize,
        /// Elements given.
        got: usize,
    },
    /// Not the tiles of a matrix of these extents.
    #[error("the tiles of a matrix of {rows} x {columns} are {want} elements or bytes, not {got}")]
    Tiles {
        /// Rows.
        rows: usize,
        /// Columns.
        columns: usize,
        /// Elements or bytes that its tiles have.
        want: usize,
        /// Elements or bytes given.
        got: usize,
    },
    /// The packing has refused it.
    #[error(transparent)]
    Layout(#[from] LayoutError),
}

/// Tiles of a matrix: rows and columns of tiles.
pub const fn tiles(rows: usize, columns: usize) -> (usize, usize) {
    (rows.div_ceil(SIDE), columns.div_ceil(SIDE))
}

fn check(rows: usize, columns: usize, got: usize) -> Result<(), ConvertError> {
    match rows.checked_mul(columns) == Some(got) {
        true => Ok(()),
        false => Err(ConvertError::Matrix { rows, columns, got }),
    }
}

/// Calls `f` for each element: where it is in the matrix, in which tile, and row and column in it.
fn each(rows: usize, columns: usize, mut f: impl FnMut(usize, usize, usize, usize)) {
    let across = tiles(rows, columns).1;
    for row in 0..rows {
        for column in 0..columns {
            let tile = row / SIDE * across + column / SIDE;
            f(row * columns + column, tile, row % SIDE, column % SIDE);
        }
    }
}

/// The tiles of a matrix of `rows` x `columns` numbers.
///
/// # Errors
/// Another number of elements.
pub fn tilize<T: Copy + Default>(
    matrix: &[T],
    rows: usize,
    columns: usize,
    order: Order,
) -> Result<Vec<T>, ConvertError> {
    check(rows, columns, matrix.len())?;
    let (down, across) = tiles(rows, columns);
    let mut out = vec![T::default(); down * across * TILE];
    each(rows, columns, |at, tile, row, column| out[tile * TILE + order.index(row, column)] = matrix[at]);
    Ok(out)
}

/// The matrix of `rows` x `columns` numbers that tiles have; what is beyond it is left out.
///
/// # Errors
/// Another number of elements.
pub fn untilize<T: Copy + Default>(
    data: &[T],
    rows: usize,
    columns: usize,
    order: Order,
) -> Result<Vec<T>, ConvertError> {
    let (down, across) = tiles(rows, columns);
    let want = down * across * TILE;
    if data.len() != want {
        return Err(ConvertError::Tiles { rows, columns, want, got: data.len() });
    }
    let mut out = vec![T::default(); rows * columns];
    each(rows, columns, |at, tile, row, column| out[at] = data[tile * TILE + order.index(row, column)]);
    Ok(out)
}

/// The tiles of a matrix of `rows` x `columns` in a format of the hardware, in [`Order::Faces`].
///
/// # Errors
/// Another number of elements.
pub fn encode(matrix: &[f32], rows: usize, columns: usize, format: Format) -> Result<Vec<u8>, ConvertError> {
    check(rows, columns, matrix.len())?;
    let (down, across) = tiles(rows, columns);
    // Packing is for weights, whose rows are the columns of tiles: each tile is a matrix of its own, turned round.
    let mut turned = vec![0u8; down * across * TILE * size_of::<f32>()];
    each(rows, columns, |at, tile, row, column| {
        let to = (tile * TILE + column * SIDE + row) * size_of::<f32>();
        turned[to..to + size_of::<f32>()].copy_from_slice(&matrix[at].to_le_bytes());
    });
    Ok(pack(format, GgmlType::F32, &turned, SIDE, SIDE, down * across)?)
}

/// The numbers of tiles in a format of the hardware, as a matrix of `rows` x `columns`.
///
/// # Errors
/// Another number of bytes.
pub fn decode(bytes: &[u8], rows: usize, columns: usize, format: Format) -> Result<Vec<f32>, ConvertError> {
    let (down, across) = tiles(rows, columns);
    let want = down * across * format.tile_bytes();
    if bytes.len() != want {
        return Err(ConvertError::Tiles { rows, columns, want, got: bytes.len() });
    }
    let mut values = Vec::with_capacity(down * across);
    for tile in bytes.chunks_exact(format.tile_bytes()) {
        let mut out = [[0.0; SIDE]; SIDE];
        unpack_tile(format, tile, &mut out);
        values.push(out);
    }
    let mut out = vec![0.0; rows * columns];
    each(rows, columns, |at, tile, row, column| out[at] = values[tile][row][column]);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn elements_are_where_the_units_expect_them() {
        assert_eq!(
            [(0, 0), (0, 16), (16, 0), (31, 31)].map(|(r, c)| Order::Faces.index(r, c)),
            [0, 256, 512, 1023]
        );
        assert_eq!(
            [(0, 0), (0, 16), (8, 0), (7, 15)].map(|(r, c)| Order::Groups.index(r, c)),
            [0, 128, 256, 127]
        );
        for order in [Order::Faces, Order::Groups] {
            let mut seen = [false; TILE];
            (0..TILE).for_each(|n| seen[order.index(n / SIDE, n % SIDE)] = true);
            assert!(seen.iter().all(|&is| is));
        }
    }

    /// Steps of the sixteenth with the largest exponent, by format.
    #[test]
    fn numbers_that_a_format_has_come_back() {
        let matrix: Vec<f32> = (0..40 * 70).map(|n| if n % 3 == 0 { 1.0 } else { -1.0 }).collect();
        for format in Format::ALL {
            let tiles = encode(&matrix, 40, 70, format).unwrap();
            assert_eq!(tiles.len(), 2 * 3 * format.tile_bytes());
            assert_eq!(decode(&tiles, 40, 70, format).unwrap(), matrix, "{format:?}");
        }
        let one = encode(&[1.0 + 1.0 / 512.0, 1.0 + 3.0 / 256.0], 1, 2, Format::Bf16).unwrap();
        // Ties to even: down, and up.
        assert_eq!(decode(&one, 1, 2, Format::Bf16).unwrap(), [1.0, 1.0 + 4.0 / 256.0]);
    }

    #[test]
    fn other_numbers_of_elements_are_refused() {
        let error = tilize(&[0u8; 5], 2, 3, Order::Faces).unwrap_err();
        assert_eq!(error, ConvertError::Matrix { rows: 2, columns: 3, got: 5 });
        assert!(matches!(
            untilize(&[0u8; 5], 2, 3, Order::Groups),
            Err(ConvertError::Tiles { want: 1024, .. })
        ));
        assert!(matches!(decode(&[0; 5], 2, 3, Format::Bfp8), Err(ConvertError::Tiles { want: 1088, .. })));
    }

    proptest! {
        #[test]
        fn tiles_become_the_matrix_again(rows in 0usize..80, columns in 0usize..80, groups: bool) {
            let order = if groups { Order::Groups } else { Order::Faces };
            let matrix: Vec<u16> = (0..rows * columns).map(|n| n as u16).collect();
            let tiles = tilize(&matrix, rows, columns, order).unwrap();
            prop_assert_eq!(untilize(&tiles, rows, columns, order).unwrap(), matrix);
        }
    }
}
