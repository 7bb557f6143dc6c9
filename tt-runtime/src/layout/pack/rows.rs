//! Where sixteen rows of ggml's matrix are read from when they are packed.

use super::lanes::Lanes;

/// Sixteen rows of single precision numbers.
pub trait Rows: Copy {
    /// Sixteen values of a row, from column `k` on.
    fn lanes<L: Lanes>(&self, row: usize, k: usize) -> L;
}

/// Values that have been dequantised.
#[derive(Clone, Copy)]
pub struct Floats<'a> {
    /// The first row, and all after it.
    pub values: &'a [f32],
    /// Values from row to row.
    pub pitch: usize,
}

impl Rows for Floats<'_> {
    #[inline(always)]
    fn lanes<L: Lanes>(&self, row: usize, k: usize) -> L {
        L::load(&self.values[row * self.pitch + k..])
    }
}

/// A matrix of type F32 as ggml has it.
#[derive(Clone, Copy)]
pub struct Bytes<'a> {
    /// The first row, and all after it.
    pub bytes: &'a [u8],
    /// Bytes from row to row.
    pub pitch: usize,
}

impl Rows for Bytes<'_> {
    #[inline(always)]
    fn lanes<L: Lanes>(&self, row: usize, k: usize) -> L {
        L::load_bytes(&self.bytes[row * self.pitch + 4 * k..])
    }
}
