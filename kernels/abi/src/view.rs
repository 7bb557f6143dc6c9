//! Tensors as ggml describes them: element type, four extents, four byte strides, and a DRAM address.

use core::fmt;

use tt_isa::format::{DataFormat, TILE_DATUMS, TILE_DIM};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use tt_kernel_quant::GgmlType;
use tt_kernel_quant::exact::{GROUP_TILES, Kind};

/// Element types that a view can have. Block types as in ggml: a stride `nb[0]` is that of one block.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum ElementType {
    /// Floats and quantised types.
    Ggml(GgmlType),
    /// 8-bit signed integer.
    I8,
    /// 16-bit signed integer.
    I16,
    /// 32-bit signed integer.
    I32,
    /// 64-bit signed integer.
    I64,
    /// Our weight tiles of 2048 bytes ([`tt_isa::format`], BF16), not a row-major type.
    TilesBf16,
    /// Our weight tiles of 1088 bytes (BFP8_b: 64 exponents, then mantissas), not a row-major type.
    TilesBfp8,
    /// Our weight tiles of 576 bytes (BFP4_b), not a row-major type.
    TilesBfp4,
    /// Tiles of 4096 bytes, FP32 rounded as SrcA holds it (ten mantissa bits): weights of F32, and operands that are no weights.
    TilesF32,
    /// Weights without a second rounding: integers, and the scales of blocks beside them ([`tt_kernel_quant::exact`]). A block is a whole group.
    Exact(Kind),
    /// Tiles of 2048 bytes that the device makes of exact weights: FP16 as Tensix units have it, of numbers 2^[`WEIGHTS_UP`](crate::held::WEIGHTS_UP) as large.
    TilesF16,
}

impl ElementType {
    /// IEEE binary32.
    pub const F32: Self = Self::Ggml(GgmlType::F32);
    /// IEEE binary16.
    pub const F16: Self = Self::Ggml(GgmlType::F16);
    /// bfloat16.
    pub const BF16: Self = Self::Ggml(GgmlType::BF16);
    /// 32 values in 34 bytes: F16 scale, 32 signed bytes.
    pub const Q8_0: Self = Self::Ggml(GgmlType::Q8_0);
    /// 32 values in 18 bytes: F16 scale, 16 bytes of two 4-bit values (low half of the block in the low nibbles).
    pub const Q4_0: Self = Self::Ggml(GgmlType::Q4_0);

    /// The type's number in a [`TensorView`]: ggml's (`enum ggml_type`), and numbers from 256 on for tiles.
    pub const fn code(self) -> u32 {
        use ElementType::*;
        match self {
            Ggml(ty) => ty.number(),
            I8 => 24,
            I16 => 25,
            I32 => 26,
            I64 => 27,
            TilesBf16 => 256,
            TilesBfp8 => 257,
            TilesBfp4 => 258,
            TilesF32 => 259,
            Exact(kind) => EXACT + kind as u32,
            TilesF16 => EXACT_END,
        }
    }

    /// The type with this number.
    pub const fn from_code(code: u32) -> Option<Self> {
        use ElementType::*;
        Some(match code {
            24 => I8,
            25 => I16,
            26 => I32,
            27 => I64,
            256 => TilesBf16,
            257 => TilesBfp8,
            258 => TilesBfp4,
            259 => TilesF32,
            EXACT..EXACT_END => Exact(Kind::ALL[(code - EXACT) as usize]),
            EXACT_END => TilesF16,
            _ => match GgmlType::from_number(code) {
                Some(ty) => Ggml(ty),
                None => return None,
            },
        })
    }

    /// Values in a block: as ggml has it, 1024 for tiles, those of a group for exact weights, 1 otherwise.
    pub const fn block_len(self) -> u32 {
        use ElementType::*;
        match self {
            Ggml(ty) => ty.block().0 as u32,
            TilesBf16 | TilesF16 | TilesBfp8 | TilesBfp4 | TilesF32 => TILE_DATUMS as u32,
            Exact(_) => (GROUP_TILES * TILE_DATUMS) as u32,
            I8 | I16 | I32 | I64 => 1,
        }
    }

    /// Bytes of a block.
    pub const fn block_bytes(self) -> u32 {
        use ElementType::*;
        match self {
            Ggml(ty) => ty.block().1 as u32,
            I8 => 1,
            I16 => 2,
            I32 => 4,
            I64 => 8,
            TilesBf16 | TilesF16 | TilesBfp8 | TilesBfp4 | TilesF32 => match self.tile_format() {
                Some(format) => format.tile_bytes() as u32,
                None => 0,
            },
            Exact(kind) => kind.group_bytes(GROUP_TILES) as u32,
        }
    }

    /// What the unpackers call the datums of our tile layouts.
    pub const fn tile_format(self) -> Option<DataFormat> {
        Some(match self {
            ElementType::TilesBf16 => DataFormat::Bf16,
            ElementType::TilesF16 => DataFormat::Fp16,
            ElementType::TilesBfp8 | ElementType::Exact(_) => DataFormat::Bfp8,
            ElementType::TilesBfp4 => DataFormat::Bfp4,
            ElementType::TilesF32 => DataFormat::Fp32,
            _ => return None,
        })
    }

    /// The type, if its values share scales.
    pub const fn quantised(self) -> Option<GgmlType> {
        match self {
            ElementType::Ggml(ty) if ty.is_quantised() => Some(ty),
            _ => None,
        }
    }

    /// The kind of weights that are not rounded a second time.
    pub const fn exact(self) -> Option<Kind> {
        match self {
            ElementType::Exact(kind) => Some(kind),
            _ => None,
        }
    }

    /// Whether the type is one of our tile layouts.
    pub const fn is_tiles(self) -> bool {
        self.tile_format().is_some()
    }
}

/// Number of the first kind of exact weights, and the one behind the last, which is that of F16 tiles.
const EXACT: u32 = 260;
const EXACT_END: u32 = EXACT + Kind::ALL.len() as u32;

impl fmt::Debug for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ElementType::*;
        f.write_str(match self {
            Ggml(ty) => return ty.fmt(f),
            I8 => "I8",
            I16 => "I16",
            I32 => "I32",
            I64 => "I64",
            TilesBf16 => "TilesBf16",
            TilesF16 => "TilesF16",
            TilesBfp8 => "TilesBfp8",
            TilesBfp4 => "TilesBfp4",
            TilesF32 => "TilesF32",
            Exact(kind) => return write!(f, "Exact{kind:?}"),
        })
    }
}

/// A tensor in the linear DRAM space of one chip.
///
/// For row-major types `ne` and `nb` are ggml's. For tile types `ne` is ggml's logical shape (`ne[0]` = k,
/// `ne[1]` = n, two batch extents), `nb[0]` the bytes of a tile (of exact weights those of a whole group), `nb[1]` those of a row of tiles (all k of one
/// n-tile), `nb[2]` those of a matrix and `nb[3]` those of `ne[2]` matrices.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TensorView {
    /// Linear DRAM address of element 0 ([`crate::DramAddr`]).
    pub addr: u64,
    /// Extents in elements.
    pub ne: [u32; 4],
    /// Strides in bytes.
    pub nb: [u64; 4],
    /// An [`ElementType`] as a number: what comes from another processor is checked before it is believed.
    pub ty: u32,
    /// Zero.
    pub reserved: u32,
}

impl TensorView {
    /// No tensor.
    pub const NONE: Self = Self { addr: 0, ne: [0; 4], nb: [0; 4], ty: 0, reserved: 0 };

    /// A view with the given geometry.
    pub const fn new(ty: ElementType, addr: u64, ne: [u32; 4], nb: [u64; 4]) -> Self {
        Self { addr, ne, nb, ty: ty.code(), reserved: 0 }
    }

    /// A contiguous row-major tensor: ggml's default strides. Rows of block types must be whole blocks.
    pub const fn contiguous(ty: ElementType, addr: u64, ne: [u32; 4]) -> Self {
        let nb0 = ty.block_bytes() as u64;
        let nb1 = nb0 * (ne[0] / ty.block_len()) as u64;
        let nb2 = nb1 * ne[1] as u64;
        Self::new(ty, addr, ne, [nb0, nb1, nb2, nb2 * ne[2] as u64])
    }

    /// Weight tiles of a (k, n) matrix with batch extents, in the order `for batch, for nt, for kt`; where the tiles of a
    /// matrix are in its place is said by [`crate::Shards`].
    pub const fn tiles(ty: ElementType, addr: u64, ne: [u32; 4]) -> Self {
        let nb0 = ty.block_bytes() as u64;
        let k_tiles = ne[0].div_ceil(TILE_DIM as u32);
        let nb1 = match ty.exact() {
            Some(kind) => kind.column_bytes(k_tiles as usize) as u64,
            None => nb0 * k_tiles as u64,
        };
        let nb2 = nb1 * ne[1].div_ceil(TILE_DIM as u32) as u64;
        Self::new(ty, addr, ne, [nb0, nb1, nb2, nb2 * ne[2] as u64])
    }

    /// The element type, if the number is one.
    pub const fn element_type(&self) -> Option<ElementType> {
        ElementType::from_code(self.ty)
    }

    /// Bytes from element 0 up to the end of the last element; 0 for an empty tensor.
    pub fn span(&self) -> u64 {
        let Some(ty) = self.element_type() else { return 0 };
        if self.ne.contains(&0) {
            return 0;
        }
        let (n0, n1) = match ty.is_tiles() {
            true => (self.ne[0].div_ceil(TILE_DIM as u32), self.ne[1].div_ceil(TILE_DIM as u32)),
            false => (self.ne[0] / ty.block_len(), self.ne[1]),
        };
        let last = [n0, n1, self.ne[2], self.ne[3]];
        let offsets = last.iter().zip(self.nb).map(|(&n, nb)| u64::from(n).saturating_sub(1) * nb);
        match ty.exact() {
            // The last group of a row of tiles may be shorter than others.
            Some(_) => offsets.skip(1).sum::<u64>() + self.nb[1],
            None => offsets.sum::<u64>() + u64::from(ty.block_bytes()),
        }
    }
}

const _: () = assert!(size_of::<TensorView>() == 64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lead_back_to_types() {
        for ty in (0..300).filter_map(ElementType::from_code) {
            assert_eq!(ElementType::from_code(ty.code()), Some(ty));
        }
        assert_eq!(
            (0..300).filter_map(ElementType::from_code).count(),
            GgmlType::ALL.len() + 9 + Kind::ALL.len()
        );
        assert_eq!(std::format!("{:?} {:?}", ElementType::Q8_0, ElementType::I32), "Q8_0 I32");
    }

    #[test]
    fn a_matrix_of_exact_weights_has_its_groups_and_no_more() {
        for kind in Kind::ALL {
            for (k, k_tiles) in [(32, 1), (256, 8), (576, 18), (2048, 64)] {
                let view = TensorView::tiles(ElementType::Exact(kind), 0, [k, 75, 3, 1]);
                assert_eq!(view.span(), 9 * kind.column_bytes(k_tiles) as u64, "{kind:?} {k}");
            }
        }
    }
}
