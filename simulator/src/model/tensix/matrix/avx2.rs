//! [`multiply`](super::product::multiply) with AVX2, chosen at run time: eight columns of both groups in a vector.
//!
//! # Safety
//! The only unsafe code calls functions compiled for AVX2 after the machine was asked whether it has it, and loads
//! vectors from arrays of twice their size.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::accumulate::Term;
use super::operand::{BLOCK_ROWS, BlockB, FaceA, GROUP, INNER, Style};
use super::product::{Operation, Rows, rows_with};
use crate::model::tensix::src::{COLS, Row};

/// Multiplies if the machine has AVX2; `false` if it has not.
#[inline]
pub fn multiply(op: &Operation, a: &FaceA, b: &BlockB, rows: &mut Rows) -> bool {
    let present = is_x86_feature_detected!("avx2");
    if present {
        // SAFETY: the machine has AVX2.
        unsafe { multiply_avx2(op, a, b, rows) };
    }
    present
}

/// [`FaceA::take_apart`] if the machine has AVX2; `false` if it has not.
#[inline]
pub fn take_apart_face(face: &mut FaceA, rows: &[Row; INNER], style: Style) -> bool {
    #[target_feature(enable = "avx2")]
    fn avx2(face: &mut FaceA, rows: &[Row; INNER], style: Style) {
        face.take_apart(rows, style);
    }
    let present = is_x86_feature_detected!("avx2");
    if present {
        // SAFETY: the machine has AVX2.
        unsafe { avx2(face, rows, style) };
    }
    present
}

/// [`BlockB::take_apart`] if the machine has AVX2; `false` if it has not.
#[inline]
pub fn take_apart_block(block: &mut BlockB, rows: &[Row; BLOCK_ROWS], style: Style) -> bool {
    #[target_feature(enable = "avx2")]
    fn avx2(block: &mut BlockB, rows: &[Row; BLOCK_ROWS], style: Style) {
        block.take_apart(rows, style);
    }
    let present = is_x86_feature_detected!("avx2");
    if present {
        // SAFETY: the machine has AVX2.
        unsafe { avx2(block, rows, style) };
    }
    present
}

#[target_feature(enable = "avx2")]
fn multiply_avx2(op: &Operation, a: &FaceA, b: &BlockB, rows: &mut Rows) {
    rows_with(op, b, rows, |row| {
        let (left, right) = (groups(op, a, b, row, 0), groups(op, a, b, row, 1));
        std::array::from_fn(|g| {
            std::array::from_fn(|c| {
                let [sums, exponents] = if c < COLS / 2 { left } else { right };
                let half = |word: u32| i32::from((word >> (16 * g)) as i16);
                Term { sum: half(sums[c % 8]), exponent: half(exponents[c % 8]) }
            })
        })
    });
}

/// Sums and exponents of the groups in eight columns, left or right ones: in each word the first group's in the low
/// half, the second's in the high.
#[inline]
#[target_feature(enable = "avx2")]
fn groups(op: &Operation, a: &FaceA, b: &BlockB, row: usize, side: usize) -> [[u32; 8]; 2] {
    let [slice_a, slice_b] = op.slices();
    let offset = op.exponent_offset();
    let mut exponents = [_mm256_setzero_si256(); GROUP];
    let mut top = _mm256_set1_epi16((op.least_exponent() - offset) as i16);
    for k in 0..GROUP {
        let of_b = _mm256_set1_epi32(b.exponents[row][k] as i32);
        exponents[k] = _mm256_add_epi16(load(&a.exponents[k], side), of_b);
        top = _mm256_max_epi16(top, exponents[k]);
    }
    let mut sum = _mm256_setzero_si256();
    for k in 0..GROUP {
        let of_b = _mm256_set1_epi32(b.slices[slice_b][row][k] as i32);
        let product = _mm256_mullo_epi16(load(&a.slices[slice_a][k], side), of_b);
        // The rounding multiplication shifts right by 15 and rounds half up. One less makes that half away from
        // zero for negative products; their last bit is zero, SrcB's slices being doubled.
        let product = _mm256_add_epi16(product, _mm256_srai_epi16::<15>(product));
        let scale = scale(_mm256_sub_epi16(top, exponents[k]));
        sum = _mm256_add_epi16(sum, _mm256_mulhrs_epi16(product, scale));
    }
    let exponent = _mm256_add_epi16(top, _mm256_set1_epi16(offset as i16));
    let dead = _mm256_cmpeq_epi16(exponent, _mm256_setzero_si256());
    [_mm256_andnot_si256(dead, sum), exponent].map(|x| {
        let mut words = [0; 8];
        // SAFETY: eight words are 32 bytes.
        unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), x) };
        words
    })
}

/// `2^(14 - shift)` in 16-bit lanes, zero for shifts above 14: by table, a byte at a time.
#[inline]
#[target_feature(enable = "avx2")]
fn scale(shift: __m256i) -> __m256i {
    // The low byte is not zero for shifts 7 to 14, the high byte for 0 to 6. Adding -7 and 0x79 makes the other
    // bytes negative, for which the shuffle gives zero, and has the nibbles of both in one table.
    const TABLE: [i8; 16] = [-128, 64, 32, 16, 8, 4, 2, 1, 0, 64, 32, 16, 8, 4, 2, 1];
    // SAFETY: sixteen bytes are a half vector.
    let table = _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(TABLE.as_ptr().cast()) });
    let shift = _mm256_min_epi16(shift, _mm256_set1_epi16(15));
    let both = _mm256_mullo_epi16(shift, _mm256_set1_epi16(0x0101));
    _mm256_shuffle_epi8(table, _mm256_add_epi8(both, _mm256_set1_epi16(0x79F9)))
}

/// The left or right eight words.
#[inline]
#[target_feature(enable = "avx2")]
fn load(words: &[u32; COLS], side: usize) -> __m256i {
    // SAFETY: eight words are 32 bytes.
    unsafe { _mm256_loadu_si256(words[8 * side..8 * side + 8].as_ptr().cast()) }
}
