//! Matrices for the matrix unit, by `tt_runtime::convert`: cut into blocks of 32 x 32, in the order of numbers that each factor has. Matrices are
//! given row by row; rows and columns are multiples of 32.

use tt_runtime::convert::{ConvertError, Order, tilize, untilize};

/// What `tt_kernel::program::compute::Matrix` leaves out of a product of two numbers, at most, as a part of it.
pub const ACCURACY: f64 = 1.0 / 4096.0;
/// Rows and columns of a block.
pub const SIDE: usize = tt_runtime::convert::SIDE;
/// Numbers of a block.
pub const BLOCK: usize = tt_runtime::convert::TILE;

/// Blocks of a left factor with so many columns.
///
/// # Errors
/// It is none.
pub fn left(matrix: &[f32], columns: usize) -> Result<Vec<f32>, ConvertError> {
    tilize(matrix, matrix.len() / columns, columns, Order::Groups)
}

/// Blocks of a right factor with so many columns.
///
/// # Errors
/// It is none.
pub fn right(matrix: &[f32], columns: usize) -> Result<Vec<f32>, ConvertError> {
    tilize(matrix, matrix.len() / columns, columns, Order::Faces)
}

/// The matrix with so many columns whose blocks a program has computed.
///
/// # Errors
/// It is none.
pub fn result(blocks: &[f32], columns: usize) -> Result<Vec<f32>, ConvertError> {
    untilize(blocks, blocks.len() / columns, columns, Order::Groups)
}

/// Numbers of so many blocks, from -2 to 2, that TF32 has.
pub fn numbers(blocks: usize, seed: u32) -> Vec<f32> {
    let number = |n: u32| (n.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 24) as f32 / 64.0 - 2.0;
    (0..(blocks * BLOCK) as u32).map(number).collect()
}

/// The largest difference of `c`, with so many columns, from the product of `a` and `b`, as a part of the sum of all terms' magnitudes.
pub fn largest_error(a: &[f32], b: &[f32], c: &[f32], columns: usize) -> f64 {
    let length = b.len() / columns;
    let error = |(n, &c): (usize, &f32)| {
        let (row, column) = (n / columns, n % columns);
        let terms = (0..length).map(|k| f64::from(a[row * length + k]) * f64::from(b[k * columns + column]));
        let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term.abs()));
        (f64::from(c) - sum).abs() / size
    };
    c.iter().enumerate().map(error).fold(0.0, f64::max)
}
