//! [`Lanes`] of AVX-512 (one register) and AVX2 (two).
//!
//! # Safety
//! Every function here uses instructions that not every processor has. They are only called by code that is compiled
//! for these instructions and runs only where [`crate::layout::Isa`] has found them; the types are of no use to
//! anyone else and are not public outside of the layouts.

#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::lanes::Lanes;
use crate::layout::products;
use tt_isa::format::{FACE_DATUMS, FACE_DIM};

/// Where the bytes of a transposed matrix of 4 x 4 bytes come from.
#[inline(always)]
fn transposed() -> __m128i {
    // SAFETY: SSE2, which every x86-64 has; no memory is accessed.
    unsafe { _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15) }
}

/// Transposes 16 x 16 bytes: four times, bytes of rows i and i + 8 in turn become rows 2 i and 2 i + 1.
#[inline(always)]
fn transpose_bytes<'a>(row: impl Fn(usize) -> &'a [u8; FACE_DIM], out: &mut [u8; FACE_DATUMS]) {
    // SAFETY: SSE2, which every x86-64 has; what is loaded and stored are rows of sixteen bytes.
    unsafe {
        let mut rows = [_mm_setzero_si128(); FACE_DIM];
        for (i, vector) in rows.iter_mut().enumerate() {
            *vector = _mm_loadu_si128(row(i).as_ptr().cast());
        }
        for _ in 0..FACE_DIM.ilog2() {
            let mut next = rows;
            for (i, pair) in next.as_chunks_mut::<2>().0.iter_mut().enumerate() {
                let (a, b) = (rows[i], rows[i + FACE_DIM / 2]);
                *pair = [_mm_unpacklo_epi8(a, b), _mm_unpackhi_epi8(a, b)];
            }
            rows = next;
        }
        for (vector, out) in rows.iter().zip(out.as_chunks_mut::<FACE_DIM>().0) {
            _mm_storeu_si128(out.as_mut_ptr().cast(), *vector);
        }
    }
}

/// Sixteen lanes in a register.
#[derive(Clone, Copy)]
pub struct Avx512(__m512i);

impl Lanes for Avx512 {
    type Products = products::Vectors<products::Avx512>;

    #[inline(always)]
    fn load(values: &[f32]) -> Self {
        let values = &values[..FACE_DIM];
        // SAFETY: 64 bytes of values.
        Self(unsafe { _mm512_loadu_si512(values.as_ptr().cast()) })
    }

    #[inline(always)]
    fn load_bytes(bytes: &[u8]) -> Self {
        let bytes = &bytes[..4 * FACE_DIM];
        // SAFETY: 64 bytes, at any address.
        Self(unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) })
    }

    #[inline(always)]
    fn splat(x: u32) -> Self {
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX-512.
        Self(unsafe { _mm512_set1_epi32(x.cast_signed()) })
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX-512.
        Self(unsafe { _mm512_and_si512(self.0, other.0) })
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX-512.
        Self(unsafe { _mm512_or_si512(self.0, other.0) })
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX-512.
        Self(unsafe { _mm512_add_epi32(self.0, other.0) })
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX-512.
        Self(unsafe { _mm512_sub_epi32(self.0, other.0) })
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX-512.
        Self(unsafe { _mm512_min_epu32(self.0, other.0) })
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX-512.
        Self(unsafe { _mm512_max_epu32(self.0, other.0) })
    }

    #[inline(always)]
    fn shr<const BITS: u32>(self) -> Self {
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX-512.
        Self(unsafe { _mm512_srli_epi32::<BITS>(self.0) })
    }

    #[inline(always)]
    fn shl<const BITS: u32>(self) -> Self {
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX-512.
        Self(unsafe { _mm512_slli_epi32::<BITS>(self.0) })
    }

    #[inline(always)]
    fn shr_by(self, bits: Self) -> Self {
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX-512.
        Self(unsafe { _mm512_srlv_epi32(self.0, bits.0) })
    }

    #[inline(always)]
    fn where_set(self, test: Self) -> Self {
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX-512.
        Self(unsafe { _mm512_maskz_mov_epi32(_mm512_test_epi32_mask(test.0, test.0), self.0) })
    }

    #[inline(always)]
    fn plus_float(self, magic: f32) -> Self {
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX-512.
        Self(unsafe { _mm512_castps_si512(_mm512_add_ps(_mm512_cvtepi32_ps(self.0), _mm512_set1_ps(magic))) })
    }

    #[inline(always)]
    fn whole_product(self, other: Self) -> Self {
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX-512.
        unsafe {
            let product = _mm512_mul_ps(_mm512_castsi512_ps(self.0), _mm512_castsi512_ps(other.0));
            Self(_mm512_cvttps_epi32(product))
        }
    }

    #[inline(always)]
    fn signed_bytes(words: [Self; 4]) -> Self {
        let [Self(a), Self(b), Self(c), Self(d)] = words;
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX-512.
        unsafe {
            // In each 128 bits: four bytes of a, of b, of c, of d.
            let bytes = _mm512_packs_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
            Self(_mm512_shuffle_epi8(bytes, _mm512_broadcast_i32x4(transposed())))
        }
    }

    #[inline(always)]
    fn abs_bytes(self) -> Self {
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX-512.
        Self(unsafe { _mm512_abs_epi8(self.0) })
    }

    #[inline(always)]
    fn any(self) -> bool {
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX-512.
        unsafe { _mm512_test_epi32_mask(self.0, self.0) != 0 }
    }

    #[inline(always)]
    fn min_bytes(self, other: Self) -> Self {
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX-512.
        Self(unsafe { _mm512_min_epu8(self.0, other.0) })
    }

    #[inline(always)]
    fn where_set_bytes(self, test: Self) -> Self {
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX-512.
        Self(unsafe { _mm512_maskz_mov_epi8(_mm512_test_epi8_mask(test.0, test.0), self.0) })
    }

    #[inline(always)]
    fn low_bytes(self) -> [u8; FACE_DIM] {
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX-512.
        let bytes = unsafe { _mm512_cvtepi32_epi8(self.0) };
        let mut out = [0; FACE_DIM];
        // SAFETY: 16 bytes of room.
        unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), bytes) };
        out
    }

    #[inline(always)]
    fn cells(words: [Self; 4]) -> [Self; 4] {
        let [Self(a), Self(b), Self(c), Self(d)] = words;
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX-512.
        unsafe {
            let (ab, cd) = (_mm512_unpacklo_epi32(a, b), _mm512_unpacklo_epi32(c, d));
            let (ab_high, cd_high) = (_mm512_unpackhi_epi32(a, b), _mm512_unpackhi_epi32(c, d));
            // Cells of lanes 0 4 8 12, of lanes 1 5 9 13, and so on.
            let cells0 = _mm512_unpacklo_epi64(ab, cd);
            let cells1 = _mm512_unpackhi_epi64(ab, cd);
            let cells2 = _mm512_unpacklo_epi64(ab_high, cd_high);
            let cells3 = _mm512_unpackhi_epi64(ab_high, cd_high);
            // A transposition of 4 x 4 cells puts them in order.
            let low01 = _mm512_shuffle_i32x4::<0x44>(cells0, cells1);
            let low23 = _mm512_shuffle_i32x4::<0x44>(cells2, cells3);
            let high01 = _mm512_shuffle_i32x4::<0xEE>(cells0, cells1);
            let high23 = _mm512_shuffle_i32x4::<0xEE>(cells2, cells3);
            [
                Self(_mm512_shuffle_i32x4::<0x88>(low01, low23)),
                Self(_mm512_shuffle_i32x4::<0xDD>(low01, low23)),
                Self(_mm512_shuffle_i32x4::<0x88>(high01, high23)),
                Self(_mm512_shuffle_i32x4::<0xDD>(high01, high23)),
            ]
        }
    }

    #[inline(always)]
    fn zip_cells(a: Self, b: Self) -> [Self; 2] {
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX-512.
        unsafe {
            let low = _mm512_shuffle_i32x4::<0x44>(a.0, b.0);
            let high = _mm512_shuffle_i32x4::<0xEE>(a.0, b.0);
            [Self(_mm512_shuffle_i32x4::<0xD8>(low, low)), Self(_mm512_shuffle_i32x4::<0xD8>(high, high))]
        }
    }

    #[inline(always)]
    fn zip_words(a: Self, b: Self) -> [Self; 2] {
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX-512.
        unsafe {
            // Pairs 0 1, 4 5, 8 9, 12 13 and pairs 2 3, 6 7, 10 11, 14 15.
            let (low, high) = (_mm512_unpacklo_epi32(a.0, b.0), _mm512_unpackhi_epi32(a.0, b.0));
            Self::zip_cells(Self(low), Self(high))
        }
    }

    #[inline(always)]
    fn store(self, out: &mut [u8; 64]) {
        // SAFETY: 64 bytes of room.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), self.0) }
    }

    #[inline(always)]
    fn transpose_bytes<'a>(row: impl Fn(usize) -> &'a [u8; FACE_DIM], out: &mut [u8; FACE_DATUMS]) {
        transpose_bytes(row, out);
    }
}

/// [`Lanes::cells`] of eight lanes: cells 0 and 1, 2 and 3; 4 and 5, 6 and 7.
#[inline(always)]
fn cells_of_half(a: __m256i, b: __m256i, c: __m256i, d: __m256i) -> [[__m256i; 2]; 2] {
    // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX2.
    unsafe {
        let (ab, cd) = (_mm256_unpacklo_epi32(a, b), _mm256_unpacklo_epi32(c, d));
        let (ab_high, cd_high) = (_mm256_unpackhi_epi32(a, b), _mm256_unpackhi_epi32(c, d));
        // Cells of lanes 0 4, 1 5, 2 6, 3 7.
        let cells0 = _mm256_unpacklo_epi64(ab, cd);
        let cells1 = _mm256_unpackhi_epi64(ab, cd);
        let cells2 = _mm256_unpacklo_epi64(ab_high, cd_high);
        let cells3 = _mm256_unpackhi_epi64(ab_high, cd_high);
        let (Avx2(first), Avx2(second)) = (halves_in_turn(cells0, cells1), halves_in_turn(cells2, cells3));
        [[first[0], second[0]], [first[1], second[1]]]
    }
}

/// Low halves of two registers, then their high halves.
#[inline(always)]
fn halves_in_turn(a: __m256i, b: __m256i) -> Avx2 {
    // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX2.
    Avx2(unsafe { [_mm256_permute2x128_si256::<0x20>(a, b), _mm256_permute2x128_si256::<0x31>(a, b)] })
}

/// Eight lanes in each of two registers.
#[derive(Clone, Copy)]
pub struct Avx2([__m256i; 2]);

/// An instruction on both halves. (A closure would be compiled without these instructions.)
macro_rules! halves {
    ($f:expr, $a:expr) => {
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX2.
        Self(unsafe { [$f($a.0[0]), $f($a.0[1])] })
    };
    ($f:expr, $a:expr, $b:expr) => {
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX2.
        Self(unsafe { [$f($a.0[0], $b.0[0]), $f($a.0[1], $b.0[1])] })
    };
}

impl Lanes for Avx2 {
    type Products = products::Vectors<products::Avx2>;

    #[inline(always)]
    fn load(values: &[f32]) -> Self {
        let values = &values[..FACE_DIM];
        // SAFETY: twice 32 bytes of values.
        unsafe {
            Self([
                _mm256_loadu_si256(values.as_ptr().cast()),
                _mm256_loadu_si256(values[8..].as_ptr().cast()),
            ])
        }
    }

    #[inline(always)]
    fn load_bytes(bytes: &[u8]) -> Self {
        let bytes = &bytes[..4 * FACE_DIM];
        // SAFETY: twice 32 bytes, at any address.
        unsafe {
            Self([_mm256_loadu_si256(bytes.as_ptr().cast()), _mm256_loadu_si256(bytes[32..].as_ptr().cast())])
        }
    }

    #[inline(always)]
    fn splat(x: u32) -> Self {
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX2.
        Self([unsafe { _mm256_set1_epi32(x.cast_signed()) }; 2])
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        halves!(_mm256_and_si256, self, other)
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        halves!(_mm256_or_si256, self, other)
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        halves!(_mm256_add_epi32, self, other)
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        halves!(_mm256_sub_epi32, self, other)
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        halves!(_mm256_min_epu32, self, other)
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        halves!(_mm256_max_epu32, self, other)
    }

    #[inline(always)]
    fn shr<const BITS: u32>(self) -> Self {
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX2.
        let bits = Self([unsafe { _mm256_set1_epi32(BITS.cast_signed()) }; 2]);
        halves!(_mm256_srlv_epi32, self, bits)
    }

    #[inline(always)]
    fn shl<const BITS: u32>(self) -> Self {
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX2.
        let bits = Self([unsafe { _mm256_set1_epi32(BITS.cast_signed()) }; 2]);
        halves!(_mm256_sllv_epi32, self, bits)
    }

    #[inline(always)]
    fn shr_by(self, bits: Self) -> Self {
        halves!(_mm256_srlv_epi32, self, bits)
    }

    #[inline(always)]
    fn where_set(self, test: Self) -> Self {
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX2.
        let zero = Self([unsafe { _mm256_setzero_si256() }; 2]);
        let is_zero: Self = halves!(_mm256_cmpeq_epi32, test, zero);
        halves!(_mm256_andnot_si256, is_zero, self)
    }

    #[inline(always)]
    fn plus_float(self, magic: f32) -> Self {
        let [low, high] = self.0;
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX2.
        unsafe {
            let magic = _mm256_set1_ps(magic);
            let (low, high) = (_mm256_cvtepi32_ps(low), _mm256_cvtepi32_ps(high));
            let (low, high) = (_mm256_add_ps(low, magic), _mm256_add_ps(high, magic));
            Self([_mm256_castps_si256(low), _mm256_castps_si256(high)])
        }
    }

    #[inline(always)]
    fn whole_product(self, other: Self) -> Self {
        let ([a, b], [c, d]) = (self.0, other.0);
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX2.
        unsafe {
            let low = _mm256_mul_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(c));
            let high = _mm256_mul_ps(_mm256_castsi256_ps(b), _mm256_castsi256_ps(d));
            Self([_mm256_cvttps_epi32(low), _mm256_cvttps_epi32(high)])
        }
    }

    #[inline(always)]
    fn signed_bytes(words: [Self; 4]) -> Self {
        let [a, b, c, d] = words;
        let (ab, cd): (Self, Self) = (halves!(_mm256_packs_epi32, a, b), halves!(_mm256_packs_epi32, c, d));
        // In each 128 bits: four bytes of a, of b, of c, of d.
        let bytes: Self = halves!(_mm256_packs_epi16, ab, cd);
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX2.
        let order = Self([unsafe { _mm256_broadcastsi128_si256(transposed()) }; 2]);
        halves!(_mm256_shuffle_epi8, bytes, order)
    }

    #[inline(always)]
    fn abs_bytes(self) -> Self {
        halves!(_mm256_abs_epi8, self)
    }

    #[inline(always)]
    fn any(self) -> bool {
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX2.
        unsafe {
            let lanes = _mm256_or_si256(self.0[0], self.0[1]);
            _mm256_testz_si256(lanes, lanes) == 0
        }
    }

    #[inline(always)]
    fn min_bytes(self, other: Self) -> Self {
        halves!(_mm256_min_epu8, self, other)
    }

    #[inline(always)]
    fn where_set_bytes(self, test: Self) -> Self {
        // SAFETY: no memory is accessed, and code with these lanes runs only where `Isa` has found AVX2.
        let zero = Self([unsafe { _mm256_setzero_si256() }; 2]);
        let is_zero: Self = halves!(_mm256_cmpeq_epi8, test, zero);
        halves!(_mm256_andnot_si256, is_zero, self)
    }

    #[inline(always)]
    fn low_bytes(self) -> [u8; FACE_DIM] {
        let mut words = [0; 64];
        self.store(&mut words);
        let mut out = [0; FACE_DIM];
        for (to, from) in out.iter_mut().zip(words.chunks_exact(4)) {
            *to = from[0];
        }
        out
    }

    #[inline(always)]
    fn cells(words: [Self; 4]) -> [Self; 4] {
        let [Self(a), Self(b), Self(c), Self(d)] = words;
        let [x, y] = cells_of_half(a[0], b[0], c[0], d[0]);
        let [z, w] = cells_of_half(a[1], b[1], c[1], d[1]);
        [Self(x), Self(y), Self(z), Self(w)]
    }

    #[inline(always)]
    fn zip_cells(a: Self, b: Self) -> [Self; 2] {
        [halves_in_turn(a.0[0], b.0[0]), halves_in_turn(a.0[1], b.0[1])]
    }

    #[inline(always)]
    fn zip_words(a: Self, b: Self) -> [Self; 2] {
        let low: Self = halves!(_mm256_unpacklo_epi32, a, b);
        let high: Self = halves!(_mm256_unpackhi_epi32, a, b);
        Self::zip_cells(low, high)
    }

    #[inline(always)]
    fn store(self, out: &mut [u8; 64]) {
        let (low, high) = out.split_at_mut(32);
        // SAFETY: 32 bytes of room, twice.
        unsafe {
            _mm256_storeu_si256(low.as_mut_ptr().cast(), self.0[0]);
            _mm256_storeu_si256(high.as_mut_ptr().cast(), self.0[1]);
        }
    }

    #[inline(always)]
    fn transpose_bytes<'a>(row: impl Fn(usize) -> &'a [u8; FACE_DIM], out: &mut [u8; FACE_DATUMS]) {
        transpose_bytes(row, out);
    }
}
