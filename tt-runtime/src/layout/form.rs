//! What becomes of a matrix: tiles of a format, or a stream of exact weights.
//!
//! Both follow one another n-tile by n-tile, and what an n-tile has depends on k alone. So whoever brings a matrix to the card needs to know no more than bytes.

use tt_isa::format::TILE_DIM;
use tt_kernel_abi::ElementType;
use tt_kernel_quant::GgmlType;
use tt_kernel_quant::exact::Kind;

use super::pack::unpack_tile;
use super::{Packing, WeightFormat, exact};

/// What is to become of matrices.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Form {
    /// Tiles: values are rounded to their format.
    Tiles(Packing),
    /// Integers and scales as the type has them ([`exact`]).
    Exact(Kind),
}

impl<P: Into<Packing>> From<P> for Form {
    fn from(packing: P) -> Self {
        Self::Tiles(packing.into())
    }
}

impl Form {
    /// The exact form of a type, if it has one.
    pub fn exact(ty: GgmlType) -> Option<Self> {
        Kind::of(ty).map(Self::Exact)
    }

    /// The kernel's element type, if the kernel can read it.
    pub const fn element_type(self) -> Option<ElementType> {
        match self {
            Self::Tiles(packing) => packing.format.element_type(),
            Self::Exact(kind) => Some(ElementType::Exact(kind)),
        }
    }

    /// Its name in logs: that of the tiles' format, or `exact`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tiles(packing) => packing.format.name(),
            Self::Exact(_) => "exact",
        }
    }

    /// Bytes of an n-tile, for rows of `k` elements.
    pub const fn strip_bytes(self, k: usize) -> usize {
        let k_tiles = k.div_ceil(TILE_DIM);
        match self {
            Self::Tiles(packing) => k_tiles * packing.format.tile_bytes(),
            Self::Exact(kind) => kind.column_bytes(k_tiles),
        }
    }

    /// Single precision values of an n-tile's bytes, row after row of `k`; all 32 rows.
    ///
    /// # Panics
    /// Another number of bytes than [`strip_bytes`](Self::strip_bytes).
    pub fn unpack_strip(self, k: usize, bytes: &[u8]) -> Vec<f32> {
        match self {
            Self::Tiles(packing) => unpack_tiles(packing.format, k, bytes),
            Self::Exact(kind) => exact::unpack_exact(kind, k, bytes),
        }
    }
}

fn unpack_tiles(format: WeightFormat, k: usize, tiles: &[u8]) -> Vec<f32> {
    assert_eq!(tiles.len(), k.div_ceil(TILE_DIM) * format.tile_bytes(), "bytes of a strip");
    let mut unpacked = vec![0.0; TILE_DIM * k];
    let mut tile = [[0.0; TILE_DIM]; TILE_DIM];
    for (i, bytes) in tiles.chunks_exact(format.tile_bytes()).enumerate() {
        unpack_tile(format, bytes, &mut tile);
        let first = i * TILE_DIM;
        for (k_at, values) in (first..k).zip(&tile) {
            for (n, &value) in values.iter().enumerate() {
                unpacked[n * k + k_at] = value;
            }
        }
    }
    unpacked
}
