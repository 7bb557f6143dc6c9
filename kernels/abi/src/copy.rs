//! Copies: which element of the source each element of the result is.
//!
//! The result's rows are cut into [`Pieces`]. Either every dimension has a rule of its own ([`DimMap`]), or elements
//! correspond in the order in which ggml counts them, whatever the shapes ([`Mode::Linear`]). Values keep their bits
//! unless the types differ.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::elementwise::Pieces;
use crate::numbered::numbered;

numbered! {
    /// How elements correspond.
    Mode {
        /// By dimension.
        ByDimension,
        /// Element number n of the one is element number n of the other.
        Linear,
        /// Equal indices, where the source's neighbours are in dimension 1: by blocks of [`BLOCK_ROWS`] rows, of at most
        /// [`BLOCK_COLUMNS`] elements each.
        Transposed,
        /// Equal indices, between types with blocks and others: by value, through FP32.
        Convert,
        /// A matrix as tiles ([`crate::ElementType::TilesF32`]): a row of tiles by pieces of whole tiles.
        Tiles,
        /// Rows of activations in SrcB's order, rounded to TF32 ([`crate::matmul::MatmulParams::ordered`]): a tile of 32 rows by pieces of whole tiles.
        Activations,
    }
}

/// Most tiles of a piece of [`Mode::Activations`].
pub const ORDERED_TILES: u32 = 8;

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

    /// The rule as it stands in a descriptor.
    const fn encoded(self) -> DimRule {
        match self {
            DimMap::Wrap { shift } => DimRule { kind: 0, value: shift },
            DimMap::Pad { before } => DimRule { kind: 1, value: before },
            DimMap::Reflect { before } => DimRule { kind: 2, value: before },
        }
    }
}

/// A [`DimMap`] in a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct DimRule {
    kind: u32,
    value: u32,
}

impl DimRule {
    const fn map(self) -> DimMap {
        match self {
            DimRule { kind: 0, value } => DimMap::Wrap { shift: value },
            DimRule { kind: 1, value } => DimMap::Pad { before: value },
            DimRule { value, .. } => DimMap::Reflect { before: value },
        }
    }
}

/// Parameters of a copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CopyParams {
    /// The work; its function is the [`Mode`].
    pub pieces: Pieces,
    dims: [DimRule; 4],
}

impl CopyParams {
    /// Parameters with a rule for each dimension, which matter by dimension only.
    pub const fn new(pieces: Pieces, [a, b, c, d]: [DimMap; 4]) -> Self {
        Self { pieces, dims: [a.encoded(), b.encoded(), c.encoded(), d.encoded()] }
    }

    /// The rule of a dimension.
    pub const fn dim(&self, dim: usize) -> DimMap {
        self.dims[dim].map()
    }

    /// The mode.
    pub const fn mode(&self) -> Mode {
        match Mode::from_code(self.pieces.function) {
            Some(mode) => mode,
            None => Mode::ByDimension,
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
    fn rules_survive_the_descriptor() {
        let pieces = Pieces::cut(Mode::Linear as u32, 100, 7, 128).unwrap();
        let dims = [DimMap::SAME, DimMap::Pad { before: 1 }, DimMap::Reflect { before: 9 }, DimMap::SAME];
        let params = CopyParams::new(pieces, dims);
        assert_eq!(core::array::from_fn(|dim| params.dim(dim)), dims);
        assert_eq!(params.mode(), Mode::Linear);
    }
}
