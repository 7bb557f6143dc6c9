//! The formats of tiles for buffers in DRAM: what is there is read, converted in this process, and written to another buffer. The shared exponents
//! of block floats are found here; what the device does itself is in [`on_device`](super::on_device).
//!
//! Shapes and rounding are those of [`encode`](super::encode()) and [`decode`](super::decode()).

use super::{ConvertError, Format};
use crate::error::Error;
use crate::program::DramBuffer;
use crate::report::BufferError;

/// The tiles of a matrix of `rows` x `columns` FP32, in `format`.
///
/// # Errors
/// `matrix` has other than `rows` x `columns` elements, or `tiles` other than the bytes of its tiles; the chip does not answer.
pub fn encode(
    matrix: &DramBuffer<f32>,
    tiles: &DramBuffer<u8>,
    rows: usize,
    columns: usize,
    format: Format,
) -> Result<(), Error> {
    let encoded = super::encode(&matrix.read()?, rows, columns, format).map_err(refused)?;
    if encoded.len() != tiles.len() {
        let (want, got) = (encoded.len(), tiles.len());
        return Err(refused(ConvertError::Tiles { rows, columns, want, got }));
    }
    tiles.write(0, &encoded)
}

/// The matrix of `rows` x `columns` FP32 that tiles of `format` have.
///
/// # Errors
/// As [`encode`].
pub fn decode(
    tiles: &DramBuffer<u8>,
    matrix: &DramBuffer<f32>,
    rows: usize,
    columns: usize,
    format: Format,
) -> Result<(), Error> {
    let decoded = super::decode(&tiles.read()?, rows, columns, format).map_err(refused)?;
    if decoded.len() != matrix.len() {
        return Err(BufferError::Matrix { rows, columns, got: matrix.len() }.into());
    }
    matrix.write(0, &decoded)
}

fn refused(why: ConvertError) -> Error {
    match why {
        ConvertError::Matrix { rows, columns, got } => BufferError::Matrix { rows, columns, got }.into(),
        other => Error::Unsupported(other.to_string()),
    }
}
