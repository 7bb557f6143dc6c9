//! Blocks of 32 with one scale: `Q4_0 Q4_1 Q5_0 Q5_1 Q8_0`; and the one and two bit types `Q1_0 Q2_0`.
//!
//! Four-bit types keep the first half of the block in the low nibbles and the second half in the high ones. The
//! fifth bits of `Q5` are one little-endian word, bit j for value j.

use super::arithmetic::Arithmetic;
use super::{f16_at, u32_at};

/// Nibble `j` of half `half`.
#[inline(always)]
pub(super) fn nibble(bytes: &[u8], half: usize, j: usize) -> usize {
    usize::from(bytes[j] >> (half * 4) & 15)
}

#[inline(always)]
pub fn q4_0<A: Arithmetic>(block: &[u8; 18], out: &mut [f32; 32]) {
    A::levels::<16, 16, _>(
        out,
        f16_at(block, 0),
        |level| level as i32 - 8,
        |half, j| nibble(&block[2..], half, j),
    );
}

#[inline(always)]
pub fn q4_1<A: Arithmetic>(block: &[u8; 20], out: &mut [f32; 32]) {
    A::levels_and::<16, 16, _>(out, f16_at(block, 0), f16_at(block, 2), |half, j| {
        nibble(&block[4..], half, j)
    });
}

#[inline(always)]
pub fn q5_0<A: Arithmetic>(block: &[u8; 22], out: &mut [f32; 32]) {
    let (d, high) = (f16_at(block, 0), u32_at(block, 2));
    for j in 0..16 {
        let q = u32::from(block[6 + j]);
        let low = (q & 15 | (high >> j & 1) << 4) as i32 - 16;
        let top = (q >> 4 | (high >> (j + 16) & 1) << 4) as i32 - 16;
        out[j] = A::times(d, low);
        out[j + 16] = A::times(d, top);
    }
}

#[inline(always)]
pub fn q5_1<A: Arithmetic>(block: &[u8; 24], out: &mut [f32; 32]) {
    let (d, m, high) = (f16_at(block, 0), f16_at(block, 2), u32_at(block, 4));
    for j in 0..16 {
        let q = u32::from(block[8 + j]);
        let low = (q & 15 | (high >> j & 1) << 4) as i32;
        let top = (q >> 4 | (high >> (j + 16) & 1) << 4) as i32;
        out[j] = A::times(d, low) + m;
        out[j + 16] = A::times(d, top) + m;
    }
}

#[inline(always)]
pub fn q8_0<A: Arithmetic>(block: &[u8; 34], out: &mut [f32; 32]) {
    let d = f16_at(block, 0);
    for j in 0..32 {
        out[j] = A::times(d, i32::from(block[2 + j] as i8));
    }
}

/// Bit 1 is the scale, bit 0 its negative.
#[inline(always)]
pub fn q1_0(block: &[u8; 18], out: &mut [f32; 128]) {
    let d = f16_at(block, 0);
    for j in 0..128 {
        out[j] = if block[2 + j / 8] >> (j % 8) & 1 == 1 { d } else { -d };
    }
}

/// 0, 1, 2, 3 stand for -1, 0, 1, 2 scales.
#[inline(always)]
pub fn q2_0<A: Arithmetic>(block: &[u8; 18], out: &mut [f32; 64]) {
    let d = f16_at(block, 0);
    for j in 0..64 {
        out[j] = A::times(d, i32::from(block[2 + j / 4] >> (2 * (j % 4)) & 3) - 1);
    }
}
