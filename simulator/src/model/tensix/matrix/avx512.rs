//! [`multiply`](super::product::multiply) with AVX-512, chosen at run time: 16 columns of both groups in a vector.
//!
//! # Safety
//! The only unsafe code calls a function compiled for AVX-512 after the machine was asked whether it has it, and
//! loads and stores vectors from and to arrays of their size.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::accumulate::Term;
use super::operand::{BlockB, FaceA, GROUP};
use super::product::{Groups, Operation, Rows, rows_with};
use crate::model::tensix::src::COLS;

/// Multiplies if the machine has AVX-512; `false` if it has not.
#[inline]
pub fn multiply(op: &Operation, a: &FaceA, b: &BlockB, rows: &mut Rows) -> bool {
    let present = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512cd")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    if present {
        // SAFETY: the machine has these features.
        unsafe { multiply_avx512(op, a, b, rows) };
    }
    present
}

#[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl")]
fn multiply_avx512(op: &Operation, a: &FaceA, b: &BlockB, rows: &mut Rows) {
    let face = Face::new(op, a);
    match rows {
        Rows::Wide([high, low]) => {
            for (r, (high, low)) in high.iter_mut().zip(low.iter_mut()).enumerate() {
                let old = [load_row(high), load_row(low)];
                let both = _mm512_or_si512(old[0], old[1]);
                if !b.live[r] && _mm512_test_epi32_mask(both, both) == 0 {
                    continue;
                }
                let (sums, exponents) = face.groups(b, r);
                let [new_high, new_low] = accumulate(old, sums, exponents);
                store_row(high, new_high);
                store_row(low, new_low);
            }
        }
        Rows::Narrow(_) => rows_with(op, b, rows, |row| {
            let (sums, exponents) = face.groups(b, row);
            unpacked(sums, exponents)
        }),
    }
}

/// The sixteen rows of SrcA and what else is the same for all rows of SrcB.
struct Face<'a> {
    a: &'a FaceA,
    slice_a: usize,
    slice_b: usize,
    /// Exponent of a sum whose products are all below it, and what makes a sum's exponent of a product's.
    least: __m512i,
    offset: __m512i,
}

impl<'a> Face<'a> {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn new(op: &Operation, a: &'a FaceA) -> Self {
        let [slice_a, slice_b] = op.slices();
        let offset = op.exponent_offset();
        Self {
            a,
            slice_a,
            slice_b,
            least: _mm512_set1_epi16((op.least_exponent() - offset) as i16),
            offset: _mm512_set1_epi16(offset as i16),
        }
    }

    /// Sums and exponents of a row's groups: in each word the first group's in the low half, the second's in the high.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn groups(&self, b: &BlockB, row: usize) -> (__m512i, __m512i) {
        let mut exponents = [_mm512_setzero_si512(); GROUP];
        let mut top = self.least;
        for k in 0..GROUP {
            let of_b = _mm512_set1_epi32(b.exponents[row][k] as i32);
            exponents[k] = _mm512_add_epi16(load(&self.a.exponents[k]), of_b);
            top = _mm512_max_epi16(top, exponents[k]);
        }
        let mut sum = _mm512_setzero_si512();
        for k in 0..GROUP {
            let of_b = _mm512_set1_epi32(b.slices[self.slice_b][row][k] as i32);
            let product = _mm512_mullo_epi16(load(&self.a.slices[self.slice_a][k]), of_b);
            // The rounding multiplication shifts right by 15 and rounds half up. One less makes that half away
            // from zero for negative products; their last bit is zero, SrcB's slices being doubled.
            let product = _mm512_add_epi16(product, _mm512_srai_epi16::<15>(product));
            let shift = _mm512_sub_epi16(top, exponents[k]);
            let scale = _mm512_srlv_epi16(_mm512_set1_epi16(1 << 14), shift);
            sum = _mm512_add_epi16(sum, _mm512_mulhrs_epi16(product, scale));
        }
        let exponent = _mm512_add_epi16(top, self.offset);
        let live = _mm512_test_epi16_mask(exponent, exponent);
        (_mm512_maskz_mov_epi16(live, sum), exponent)
    }
}

/// Low halves of each word and high halves, with sign.
#[inline]
#[target_feature(enable = "avx512f")]
fn halves(x: __m512i) -> [__m512i; 2] {
    [_mm512_srai_epi32::<16>(_mm512_slli_epi32::<16>(x)), _mm512_srai_epi32::<16>(x)]
}

#[inline]
#[target_feature(enable = "avx512f")]
fn unpacked(sums: __m512i, exponents: __m512i) -> Groups {
    let (sums, exponents) = (halves(sums), halves(exponents));
    std::array::from_fn(|g| {
        let (mut sum, mut exponent) = ([0; COLS], [0; COLS]);
        store(&mut sum, sums[g]);
        store(&mut exponent, exponents[g]);
        std::array::from_fn(|c| Term { sum: sum[c] as i32, exponent: exponent[c] as i32 })
    })
}

/// [`accumulate`](super::accumulate::accumulate) of single precision numbers in Dst's storage form.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq")]
fn accumulate([high, low]: [__m512i; 2], sums: __m512i, exponents: __m512i) -> [__m512i; 2] {
    let (sums, exponents) = (halves(sums), halves(exponents));
    let one = _mm512_set1_epi32(1);
    let byte = _mm512_set1_epi32(0xFF);

    let exponent_old = _mm512_and_si512(high, byte);
    let mantissa = _mm512_slli_epi32::<8>(_mm512_and_si512(high, _mm512_set1_epi32(0x7F00)));
    let significand = _mm512_or_si512(_mm512_or_si512(mantissa, low), _mm512_set1_epi32(0x80_0000));
    let significand = _mm512_maskz_mov_epi32(_mm512_test_epi32_mask(exponent_old, exponent_old), significand);
    let exponent = _mm512_max_epi32(_mm512_max_epi32(exponents[0], exponents[1]), exponent_old);

    let align = |value: __m512i, of: __m512i| {
        let shift = _mm512_min_epi32(_mm512_sub_epi32(exponent, of), _mm512_set1_epi32(31));
        let half = _mm512_srli_epi32::<1>(_mm512_sllv_epi32(one, shift));
        _mm512_srav_epi32(_mm512_add_epi32(value, half), shift)
    };
    let parts = [0, 1].map(|g| align(_mm512_slli_epi32::<13>(sums[g]), exponents[g]));
    let old = align(significand, exponent_old);
    let negative = _mm512_test_epi32_mask(high, _mm512_set1_epi32(0x8000));
    let old = _mm512_mask_sub_epi32(old, negative, _mm512_setzero_si512(), old);
    let total = _mm512_add_epi32(old, _mm512_add_epi32(parts[0], parts[1]));

    let magnitude = _mm512_abs_epi32(total);
    let zeros = _mm512_lzcnt_epi32(magnitude);
    let aligned = _mm512_sllv_epi32(magnitude, zeros);
    let round = _mm512_and_si512(_mm512_srli_epi32::<7>(aligned), one);
    let rounded = _mm512_add_epi32(_mm512_srli_epi32::<8>(aligned), round);
    let carry = _mm512_srli_epi32::<24>(rounded);
    let exponent = _mm512_sub_epi32(_mm512_add_epi32(exponent, _mm512_set1_epi32(8)), zeros);
    let exponent = _mm512_add_epi32(exponent, carry);
    let miscounted = _mm512_cmpeq_epi32_mask(total, _mm512_set1_epi32(-1));
    let exponent = _mm512_mask_add_epi32(exponent, miscounted, exponent, _mm512_set1_epi32(27));

    let above_zero = _mm512_cmpgt_epi32_mask(exponent, _mm512_setzero_si512());
    let finite = _mm512_cmplt_epi32_mask(exponent, byte);
    let number = _mm512_test_epi32_mask(total, total) & above_zero;
    let mantissa = _mm512_maskz_mov_epi32(number & finite, rounded);
    let sign = _mm512_and_si512(_mm512_srli_epi32::<16>(total), _mm512_set1_epi32(0x8000));
    let front = _mm512_and_si512(_mm512_srli_epi32::<8>(mantissa), _mm512_set1_epi32(0x7F00));
    let new = _mm512_or_si512(_mm512_or_si512(sign, front), _mm512_min_epi32(exponent, byte));
    [_mm512_maskz_mov_epi32(number, new), mantissa]
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(words: &[u32; COLS]) -> __m512i {
    // SAFETY: sixteen words are 64 bytes.
    unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(words: &mut [u32; COLS], x: __m512i) {
    // SAFETY: sixteen words are 64 bytes.
    unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), x) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_row(row: &[u16; COLS]) -> __m512i {
    // SAFETY: sixteen halves are 32 bytes.
    _mm512_cvtepu16_epi32(unsafe { _mm256_loadu_si256(row.as_ptr().cast()) })
}

/// Stores the low halves of the words.
#[inline]
#[target_feature(enable = "avx512f")]
fn store_row(row: &mut [u16; COLS], x: __m512i) {
    // SAFETY: sixteen halves are 32 bytes.
    unsafe { _mm256_storeu_si256(row.as_mut_ptr().cast(), _mm512_cvtepi32_epi16(x)) }
}
