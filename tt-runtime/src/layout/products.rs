//! Products of scales and quants with the vectors of AVX-512 and AVX2 ([`Arithmetic`]).
//!
//! Compilers find vectors in a loop of sixteen or not, as the code around it changes, and a table of sixteen levels becomes sixteen
//! loads at best. Here a table is a shuffle of bytes: sixteen codes to sixteen levels in one instruction.
//!
//! # Safety
//! As in [`super::pack`]'s vectors: the functions use instructions that not every processor has, and are only called by code
//! that is compiled for these instructions and runs only where [`super::Isa`] has found them.

#![allow(unsafe_code)]

use std::arch::x86_64::*;
use std::marker::PhantomData;

use tt_kernel_quant::arithmetic::{Arithmetic, Floats, codes};
use tt_kernel_quant::exact::parts::Lookup;

/// Values that are computed at a time.
const LANES: usize = 16;

/// Products of a whole vector.
pub trait Vector {
    /// `d * level` of signed bytes.
    fn scaled(levels: __m128i, d: f32) -> [f32; LANES];

    /// `d * code + m` of bytes.
    fn scaled_and(codes: __m128i, d: f32, m: f32) -> [f32; LANES];
}

/// AVX-512.
pub struct Avx512;

impl Vector for Avx512 {
    #[inline(always)]
    fn scaled(levels: __m128i, d: f32) -> [f32; LANES] {
        let mut out = [0.0; LANES];
        // SAFETY: code with these vectors runs only where `Isa` has found AVX-512, and there is room for sixteen values.
        unsafe {
            let values = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(levels));
            _mm512_storeu_ps(out.as_mut_ptr(), _mm512_mul_ps(_mm512_set1_ps(d), values));
        }
        out
    }

    #[inline(always)]
    fn scaled_and(codes: __m128i, d: f32, m: f32) -> [f32; LANES] {
        let mut out = [0.0; LANES];
        // SAFETY: code with these vectors runs only where `Isa` has found AVX-512, and there is room for sixteen values.
        unsafe {
            let values = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(codes));
            let values = _mm512_add_ps(_mm512_mul_ps(_mm512_set1_ps(d), values), _mm512_set1_ps(m));
            _mm512_storeu_ps(out.as_mut_ptr(), values);
        }
        out
    }
}

/// AVX2.
pub struct Avx2;

impl Vector for Avx2 {
    #[inline(always)]
    fn scaled(levels: __m128i, d: f32) -> [f32; LANES] {
        let mut out = [0.0; LANES];
        let (low, high) = out.split_at_mut(LANES / 2);
        // SAFETY: code with these vectors runs only where `Isa` has found AVX2, and there is room for eight values, twice.
        unsafe {
            let d = _mm256_set1_ps(d);
            let first = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(levels));
            let second = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128::<8>(levels)));
            _mm256_storeu_ps(low.as_mut_ptr(), _mm256_mul_ps(d, first));
            _mm256_storeu_ps(high.as_mut_ptr(), _mm256_mul_ps(d, second));
        }
        out
    }

    #[inline(always)]
    fn scaled_and(codes: __m128i, d: f32, m: f32) -> [f32; LANES] {
        let mut out = [0.0; LANES];
        let (low, high) = out.split_at_mut(LANES / 2);
        // SAFETY: code with these vectors runs only where `Isa` has found AVX2, and there is room for eight values, twice.
        unsafe {
            let (d, m) = (_mm256_set1_ps(d), _mm256_set1_ps(m));
            let first = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(codes));
            let second = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128::<8>(codes)));
            _mm256_storeu_ps(low.as_mut_ptr(), _mm256_add_ps(_mm256_mul_ps(d, first), m));
            _mm256_storeu_ps(high.as_mut_ptr(), _mm256_add_ps(_mm256_mul_ps(d, second), m));
        }
        out
    }
}

#[inline(always)]
fn load(bytes: &[u8; LANES]) -> __m128i {
    // SAFETY: sixteen bytes, at any address.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

/// `d * quant` of eight.
#[inline(always)]
fn put8(out: &mut [f32; 8], d: f32, quants: __m256i) {
    // SAFETY: code with these vectors runs only where `Isa` has found AVX2 or AVX-512, and there is room for eight values.
    unsafe {
        let values = _mm256_mul_ps(_mm256_set1_ps(d), _mm256_cvtepi32_ps(quants));
        _mm256_storeu_ps(out.as_mut_ptr(), values);
    }
}

/// Arithmetic with such vectors.
pub struct Vectors<V>(PhantomData<V>);

impl<V: Vector> Arithmetic for Vectors<V> {
    #[inline(always)]
    fn times(d: f32, q: i32) -> f32 {
        Floats::times(d, q)
    }

    #[inline(always)]
    fn signed(out: &mut [f32; 8], d: f32, point: [u8; 8], signs: u32) {
        // SAFETY: code with these vectors runs only where `Isa` has found AVX2 or AVX-512, and there is room for eight values.
        unsafe {
            let point = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(i64::from_le_bytes(point)));
            // Bit j at the top of lane j, then all over it.
            let tops = _mm256_setr_epi32(31, 30, 29, 28, 27, 26, 25, 24);
            let negative = _mm256_sllv_epi32(_mm256_set1_epi32(signs.cast_signed()), tops);
            let negative = _mm256_srai_epi32::<31>(negative);
            let quants = _mm256_sub_epi32(_mm256_xor_si256(point, negative), negative);
            put8(out, d, quants);
        }
    }

    #[inline(always)]
    fn shifted(out: &mut [f32; 8], d: f32, point: [i8; 8], parts: i32, shift: i32) {
        // SAFETY: code with these vectors runs only where `Isa` has found AVX2 or AVX-512, and there is room for eight values.
        unsafe {
            let point = i64::from_le_bytes(point.map(i8::cast_unsigned));
            let point = _mm256_cvtepi8_epi32(_mm_cvtsi64_si128(point));
            let parts = _mm256_mullo_epi32(point, _mm256_set1_epi32(parts));
            put8(out, d, _mm256_add_epi32(parts, _mm256_set1_epi32(shift)));
        }
    }

    #[inline(always)]
    fn levels<const L: usize, const R: usize, const N: usize>(
        out: &mut [f32; N],
        d: f32,
        level: impl Fn(usize) -> i32,
        index: impl Fn(usize, usize) -> usize,
    ) {
        const { assert!(L <= LANES) };
        let table = load(&std::array::from_fn(|i| if i < L { level(i) as u8 } else { 0 }));
        let codes = codes::<R, N>(index);
        let (vectors, rest) = out.as_chunks_mut::<LANES>();
        let (codes, last) = codes.as_chunks::<LANES>();
        for (out, codes) in vectors.iter_mut().zip(codes) {
            // SAFETY: code with these vectors runs only where `Isa` has found AVX2 or AVX-512; no memory is accessed.
            *out = V::scaled(unsafe { _mm_shuffle_epi8(table, load(codes)) }, d);
        }
        for (x, code) in rest.iter_mut().zip(last) {
            *x = Self::times(d, level(usize::from(*code)));
        }
    }

    #[inline(always)]
    fn levels_and<const L: usize, const R: usize, const N: usize>(
        out: &mut [f32; N],
        d: f32,
        m: f32,
        q: impl Fn(usize, usize) -> usize,
    ) {
        const { assert!(N.is_multiple_of(LANES)) };
        let codes = codes::<R, N>(q);
        for (out, codes) in out.as_chunks_mut::<LANES>().0.iter_mut().zip(codes.as_chunks().0) {
            *out = V::scaled_and(load(codes), d, m);
        }
    }
}

impl<V: Vector> Lookup for Vectors<V> {
    #[inline(always)]
    fn look_up(table: &[u8; LANES], codes: &mut [u8]) {
        let entries = load(table);
        let (vectors, rest) = codes.as_chunks_mut::<LANES>();
        for codes in vectors {
            // SAFETY: code with these vectors runs only where `Isa` has found AVX2 or AVX-512; sixteen bytes are written.
            unsafe { _mm_storeu_si128(codes.as_mut_ptr().cast(), _mm_shuffle_epi8(entries, load(codes))) };
        }
        Floats::look_up(table, rest);
    }
}
