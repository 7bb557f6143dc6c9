//! Copies: which element of the source each element of the result is.
//!
//! The result's rows are cut into [`Pieces`]. Either every dimension has a rule of its own ([`DimMap`]), or elements
//! correspond in the order in which ggml counts them, whatever the shapes ([`Mode::Linear`]). Values keep their bits
//! unless the types differ.

use crate::descriptor::PARAM_WORDS;
use crate::elementwise::Pieces;

/// How elements correspond.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Mode {
    /// By dimension.
    ByDimension = 0,
    /// Element number n of the one is element number n of the other.
    Linear = 1,
    /// Equal indices, where the source's neighbours are in dimension 1: by blocks of [`BLOCK_ROWS`] rows, of at most
    /// [`BLOCK_COLUMNS`] elements each.
    Transposed = 2,
    /// Equal indices, between types with blocks and others: by value, through FP32.
    Convert = 3,
    /// A matrix as tiles ([`crate::ElementType::TilesF32`]): a row of tiles by pieces of whole tiles.
    Tiles = 4,
}

/// Rows of a block of [`Mode::Transposed`].
pub const BLOCK_ROWS: u32 = 32;
/// Most elements of its rows.
pub const BLOCK_COLUMNS: u32 = 256;

/// Which index of the source belongs to index `i` of the result, in one dimension of source extent `n`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DimMap {
    /// `(i + shift) mod n`: equal indices, repetition, rotation.
    Wrap {
        /// Less than n.
        shift: u32,
    },
    /// `i - before`; outside of the source the result is zero.
    Pad {
        /// Zeros in front.
        before: u32,
    },
    /// `i - before`, reflected at the first and last element.
    Reflect {
        /// Reflected elements in front, less than n.
        before: u32,
    },
}

impl DimMap {
    /// Equal indices, or repetition.
    pub const SAME: Self = DimMap::Wrap { shift: 0 };

    /// The source index, or `None` outside.
    pub const fn source(self, i: u32, n: u32) -> Option<u32> {
        match self {
            DimMap::Wrap { shift } => Some((i + shift) % n),
            DimMap::Pad { before } => {
                let s = i.wrapping_sub(before);
                if s < n { Some(s) } else { None }
            }
            DimMap::Reflect { before } => {
                let s = i.abs_diff(before);
                Some(if s < n { s } else { 2 * (n - 1) - s })
            }
        }
    }

    /// How many of up to `most` indices from `i` on have neighbouring sources, or all have none.
    pub const fn run(self, i: u32, n: u32, most: u32) -> u32 {
        let run = match self {
            DimMap::Wrap { shift } => n - (i + shift) % n,
            DimMap::Pad { before } if i < before => before - i,
            DimMap::Pad { before } if i - before < n => n - (i - before),
            DimMap::Pad { .. } => most,
            DimMap::Reflect { before } if i >= before && i - before < n => n - (i - before),
            DimMap::Reflect { .. } => 1,
        };
        if run < most { run } else { most }
    }

    const fn words(self) -> [u32; 2] {
        match self {
            DimMap::Wrap { shift } => [0, shift],
            DimMap::Pad { before } => [1, before],
            DimMap::Reflect { before } => [2, before],
        }
    }

    const fn from_words(kind: u32, value: u32) -> Self {
        match kind {
            0 => DimMap::Wrap { shift: value },
            1 => DimMap::Pad { before: value },
            _ => DimMap::Reflect { before: value },
        }
    }
}

/// Parameters of a copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CopyParams {
    /// The work; its function is the [`Mode`].
    pub pieces: Pieces,
    /// The rules, if by dimension.
    pub dims: [DimMap; 4],
}

/// First word of the rules.
const DIMS: usize = 4;

impl CopyParams {
    /// As descriptor parameters.
    pub fn to_words(&self) -> [u32; PARAM_WORDS] {
        let mut words = self.pieces.to_words(&[]);
        for (dim, map) in self.dims.iter().enumerate() {
            words[DIMS + 2 * dim..DIMS + 2 * dim + 2].copy_from_slice(&map.words());
        }
        words
    }

    /// From descriptor parameters.
    pub fn from_words(words: &[u32; PARAM_WORDS]) -> Self {
        let dims =
            core::array::from_fn(|dim| DimMap::from_words(words[DIMS + 2 * dim], words[DIMS + 2 * dim + 1]));
        Self { pieces: Pieces::from_words(words), dims }
    }

    /// The mode.
    pub const fn mode(&self) -> Mode {
        match self.pieces.function {
            1 => Mode::Linear,
            2 => Mode::Transposed,
            3 => Mode::Convert,
            4 => Mode::Tiles,
            _ => Mode::ByDimension,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_agree_with_single_indices() {
        let maps = [
            DimMap::SAME,
            DimMap::Wrap { shift: 3 },
            DimMap::Pad { before: 2 },
            DimMap::Reflect { before: 4 },
        ];
        for map in maps {
            let mut i = 0;
            while i < 9 {
                let run = map.run(i, 5, 9 - i);
                assert!(run > 0);
                let first = map.source(i, 5);
                for k in 0..run {
                    assert_eq!(map.source(i + k, 5), first.map(|s| s + k), "{map:?} {i} {k}");
                }
                i += run;
            }
        }
        assert_eq!(
            (0..9).map(|i| DimMap::Reflect { before: 2 }.source(i, 5).unwrap()).collect::<std::vec::Vec<_>>(),
            [2, 1, 0, 1, 2, 3, 4, 3, 2]
        );
    }

    #[test]
    fn parameters_survive_the_descriptor() {
        let pieces = Pieces::cut(Mode::Linear as u32, 100, 7, 128).unwrap();
        let dims = [DimMap::SAME, DimMap::Pad { before: 1 }, DimMap::Reflect { before: 9 }, DimMap::SAME];
        let params = CopyParams { pieces, dims };
        assert_eq!(CopyParams::from_words(&params.to_words()), params);
        assert_eq!(params.mode(), Mode::Linear);
    }
}
