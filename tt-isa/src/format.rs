//! Data formats and tiles (`TensixTile/TensixCoprocessor/FloatBitPatterns.md`, `Packers/FormatConversion.md`).
//!
//! A tile is 32x32 datums in four 16x16 faces, top left, top right, bottom left, bottom right, each row-major.
//! Block-float tiles start with one shared exponent for each face row of 16 datums.

/// Rows of Dst, 16 bits wide (`Dst.md`).
pub const DST_ROWS: usize = 1024;
/// The same, 32 bits wide.
pub const DST_ROWS_32: usize = DST_ROWS / 2;

/// Datums in a face row, and rows in a face.
pub const FACE_DIM: usize = 16;
/// Rows and columns of a tile.
pub const TILE_DIM: usize = 32;
/// Datums of a face.
pub const FACE_DATUMS: usize = FACE_DIM * FACE_DIM;
/// Datums of a tile.
pub const TILE_DATUMS: usize = TILE_DIM * TILE_DIM;
/// Shared exponents (bytes) of a block-float tile.
pub const TILE_EXPONENTS: usize = TILE_DATUMS / FACE_DIM;

/// A data format as the unpackers and packers number it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum DataFormat {
    /// IEEE single precision.
    Fp32 = 0,
    /// IEEE half precision (no infinities inside the coprocessor).
    Fp16 = 1,
    /// Block float, 5-bit exponent, 8-bit datums.
    Bfp8a = 2,
    /// Block float, 5-bit exponent, 4-bit datums.
    Bfp4a = 3,
    /// 19 significant bits in a 32-bit word.
    Tf32 = 4,
    /// bfloat16.
    Bf16 = 5,
    /// Block float, 8-bit exponent, 8-bit datums (`BFP8_b` in the vendor's software).
    Bfp8 = 6,
    /// Block float, 8-bit exponent, 4-bit datums (`BFP4_b`).
    Bfp4 = 7,
    /// Sign-magnitude 32-bit integer.
    Int32 = 8,
    /// 16-bit integer.
    Int16 = 9,
    /// 8-bit float, 5-bit exponent.
    Fp8 = 10,
    /// Block float, 5-bit exponent, 2-bit datums.
    Bfp2a = 11,
    /// 8-bit integer.
    Int8 = 14,
    /// Block float, 8-bit exponent, 2-bit datums (`BFP2_b`).
    Bfp2 = 15,
}

impl DataFormat {
    /// The format with this number.
    pub const fn from_code(code: u32) -> Option<Self> {
        use DataFormat::*;
        Some(match code {
            0 => Fp32,
            1 => Fp16,
            2 => Bfp8a,
            3 => Bfp4a,
            4 => Tf32,
            5 => Bf16,
            6 => Bfp8,
            7 => Bfp4,
            8 => Int32,
            9 => Int16,
            10 => Fp8,
            11 => Bfp2a,
            14 => Int8,
            15 => Bfp2,
            _ => return None,
        })
    }

    /// Bits of one datum in L1, shared exponents excluded.
    pub const fn datum_bits(self) -> usize {
        use DataFormat::*;
        match self {
            Fp32 | Tf32 | Int32 => 32,
            Fp16 | Bf16 | Int16 => 16,
            Bfp8a | Bfp8 | Fp8 | Int8 => 8,
            Bfp4a | Bfp4 => 4,
            Bfp2a | Bfp2 => 2,
        }
    }

    /// Whether 16 datums share an exponent byte.
    pub const fn is_block_float(self) -> bool {
        use DataFormat::*;
        matches!(self, Bfp8a | Bfp8 | Bfp4a | Bfp4 | Bfp2a | Bfp2)
    }

    /// Bytes of a 32x32 tile in L1 or DRAM.
    pub const fn tile_bytes(self) -> usize {
        TILE_DATUMS * self.datum_bits() / 8 + if self.is_block_float() { TILE_EXPONENTS } else { 0 }
    }
}

/// Index of element (`row`, `col`) of a tile among the tile's datums.
pub const fn tile_index(row: usize, col: usize) -> usize {
    let face = (row / FACE_DIM) * 2 + col / FACE_DIM;
    face * FACE_DATUMS + (row % FACE_DIM) * FACE_DIM + col % FACE_DIM
}

/// Fields of an FP32 pattern (IEEE 754 binary32).
pub mod fp32 {
    /// Sign bit.
    pub const SIGN: u32 = 1 << 31;
    /// Exponent bits; alone, the pattern of infinity.
    pub const EXPONENT: u32 = 0x7F80_0000;
    /// Mantissa bits that are stored.
    pub const MANTISSA: u32 = 0x7F_FFFF;
}
