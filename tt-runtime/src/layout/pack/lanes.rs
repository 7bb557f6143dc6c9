//! Sixteen 32-bit lanes: what packing needs of a vector, and the portable one.

use tt_isa::format::{FACE_DATUMS, FACE_DIM};
use tt_kernel_quant::arithmetic::{Arithmetic, Floats};
use tt_kernel_quant::exact::parts::Lookup;

/// Sixteen neighbouring columns of ggml's matrix, one in each 32-bit lane.
pub trait Lanes: Copy {
    /// How values are dequantised with the same instructions.
    type Products: Arithmetic + Lookup;

    /// The bit patterns of the first sixteen values.
    fn load(values: &[f32]) -> Self;
    /// The first sixteen words, little-endian, at any address.
    fn load_bytes(bytes: &[u8]) -> Self;
    /// The same number in every lane.
    fn splat(x: u32) -> Self;
    /// `self & other`
    fn and(self, other: Self) -> Self;
    /// `self | other`
    fn or(self, other: Self) -> Self;
    /// `self + other`, modulo 2^32.
    fn add(self, other: Self) -> Self;
    /// `self - other`, modulo 2^32.
    fn sub(self, other: Self) -> Self;
    /// The smaller number.
    fn min(self, other: Self) -> Self;
    /// The larger number.
    fn max(self, other: Self) -> Self;
    /// Shift right by a constant.
    fn shr<const BITS: u32>(self) -> Self;
    /// Shift left by a constant.
    fn shl<const BITS: u32>(self) -> Self;
    /// Shift right by a number for each lane; 32 and more give 0.
    fn shr_by(self, bits: Self) -> Self;
    /// `self` where `test` is not zero, 0 elsewhere.
    fn where_set(self, test: Self) -> Self;
    /// Bits of the float `self + magic`, where `self` is an integer of at most 24 bits and a sign.
    fn plus_float(self, magic: f32) -> Self;
    /// The product of two floats, below 2^31, as an integer: what is behind the point is dropped.
    fn whole_product(self, other: Self) -> Self;
    /// Four integers in a word of each lane, a byte each from the lowest on: what is no signed byte becomes the nearest one.
    fn signed_bytes(words: [Self; 4]) -> Self;
    /// Magnitudes of signed bytes.
    fn abs_bytes(self) -> Self;
    /// Whether any lane is not zero.
    fn any(self) -> bool;
    /// The smaller number, byte by byte.
    fn min_bytes(self, other: Self) -> Self;
    /// `self` where `test` is not zero, 0 elsewhere, byte by byte.
    fn where_set_bytes(self, test: Self) -> Self;
    /// The lowest byte of every lane.
    fn low_bytes(self) -> [u8; FACE_DIM];
    /// Transposes: a cell is the four words of one lane. Result j has the cells of lanes 4 j to 4 j + 3.
    fn cells(words: [Self; 4]) -> [Self; 4];
    /// Cells of two vectors in turn: a0 b0 a1 b1 and a2 b2 a3 b3.
    fn zip_cells(a: Self, b: Self) -> [Self; 2];
    /// Words of two vectors in turn: a0 b0 .. a7 b7 and a8 b8 .. a15 b15.
    fn zip_words(a: Self, b: Self) -> [Self; 2];
    /// Writes all lanes, little-endian.
    fn store(self, out: &mut [u8; 64]);
    /// Writes sixteen rows of bytes as columns.
    fn transpose_bytes<'a>(row: impl Fn(usize) -> &'a [u8; FACE_DIM], out: &mut [u8; FACE_DATUMS]);
}

/// Lanes as an array: for every processor.
pub type Portable = [u32; FACE_DIM];

impl Lanes for Portable {
    type Products = Floats;

    #[inline(always)]
    fn load(values: &[f32]) -> Self {
        std::array::from_fn(|i| values[i].to_bits())
    }

    #[inline(always)]
    fn load_bytes(bytes: &[u8]) -> Self {
        let words = bytes[..4 * FACE_DIM].as_chunks().0;
        std::array::from_fn(|i| u32::from_le_bytes(words[i]))
    }

    #[inline(always)]
    fn splat(x: u32) -> Self {
        [x; FACE_DIM]
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] & other[i])
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] | other[i])
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i].wrapping_add(other[i]))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i].wrapping_sub(other[i]))
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i].min(other[i]))
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i].max(other[i]))
    }

    #[inline(always)]
    fn shr<const BITS: u32>(self) -> Self {
        self.map(|x| x >> BITS)
    }

    #[inline(always)]
    fn shl<const BITS: u32>(self) -> Self {
        self.map(|x| x << BITS)
    }

    #[inline(always)]
    fn shr_by(self, bits: Self) -> Self {
        std::array::from_fn(|i| if bits[i] < 32 { self[i] >> bits[i] } else { 0 })
    }

    #[inline(always)]
    fn where_set(self, test: Self) -> Self {
        std::array::from_fn(|i| if test[i] != 0 { self[i] } else { 0 })
    }

    #[inline(always)]
    fn plus_float(self, magic: f32) -> Self {
        self.map(|x| (x.cast_signed() as f32 + magic).to_bits())
    }

    #[inline(always)]
    fn whole_product(self, other: Self) -> Self {
        let product = |i: usize| f32::from_bits(self[i]) * f32::from_bits(other[i]);
        std::array::from_fn(|i| (product(i) as i32).cast_unsigned())
    }

    #[inline(always)]
    fn signed_bytes(words: [Self; 4]) -> Self {
        let byte = |word: u32| word.cast_signed().clamp(i8::MIN.into(), i8::MAX.into()) as u8;
        std::array::from_fn(|i| u32::from_le_bytes(std::array::from_fn(|j| byte(words[j][i]))))
    }

    #[inline(always)]
    fn abs_bytes(self) -> Self {
        self.map(|x| u32::from_le_bytes(x.to_le_bytes().map(|byte| byte.cast_signed().unsigned_abs())))
    }

    #[inline(always)]
    fn any(self) -> bool {
        self.iter().fold(0, |any, lane| any | lane) != 0
    }

    #[inline(always)]
    fn min_bytes(self, other: Self) -> Self {
        std::array::from_fn(|i| {
            let (a, b) = (self[i].to_le_bytes(), other[i].to_le_bytes());
            u32::from_le_bytes(std::array::from_fn(|j| a[j].min(b[j])))
        })
    }

    #[inline(always)]
    fn where_set_bytes(self, test: Self) -> Self {
        std::array::from_fn(|i| {
            let (a, b) = (self[i].to_le_bytes(), test[i].to_le_bytes());
            u32::from_le_bytes(std::array::from_fn(|j| if b[j] != 0 { a[j] } else { 0 }))
        })
    }

    #[inline(always)]
    fn low_bytes(self) -> [u8; FACE_DIM] {
        self.map(|x| x as u8)
    }

    #[inline(always)]
    fn cells(words: [Self; 4]) -> [Self; 4] {
        std::array::from_fn(|j| std::array::from_fn(|i| words[i % 4][4 * j + i / 4]))
    }

    #[inline(always)]
    fn zip_cells(a: Self, b: Self) -> [Self; 2] {
        let from = |i: usize| if (i / 4).is_multiple_of(2) { a } else { b };
        std::array::from_fn(|j| std::array::from_fn(|i| from(i)[8 * j + i / 8 * 4 + i % 4]))
    }

    #[inline(always)]
    fn zip_words(a: Self, b: Self) -> [Self; 2] {
        let from = |i: usize| if i.is_multiple_of(2) { a } else { b };
        std::array::from_fn(|j| std::array::from_fn(|i| from(i)[8 * j + i / 2]))
    }

    #[inline(always)]
    fn store(self, out: &mut [u8; 64]) {
        for (to, from) in out.as_chunks_mut().0.iter_mut().zip(self) {
            *to = from.to_le_bytes();
        }
    }

    #[inline(always)]
    fn transpose_bytes<'a>(row: impl Fn(usize) -> &'a [u8; FACE_DIM], out: &mut [u8; FACE_DATUMS]) {
        for n in 0..FACE_DIM {
            for (k, &byte) in row(n).iter().enumerate() {
                out[k * FACE_DIM + n] = byte;
            }
        }
    }
}
