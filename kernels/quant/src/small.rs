//! Ternary types (`TQ1_0 TQ2_0`) and four-bit floats (`MXFP4 NVFP4`).

use super::arithmetic::Arithmetic;
use super::f16_at;
use super::simple::nibble;

/// Digit of a byte that holds base-3 digits as a fraction: the byte times a power of 3 (modulo 256) has the digit
/// wanted in front.
#[inline(always)]
fn trit(byte: u8, power: u8) -> usize {
    let q = byte.wrapping_mul(power);
    usize::from((u16::from(q) * 3) >> 8)
}

/// Five digits a byte (the first 32 bytes, then 16), and four a byte in the last four. 0, 1, 2 stand for -1, 0, 1 scales.
#[inline(always)]
pub fn tq1_0<A: Arithmetic>(block: &[u8; 54], out: &mut [f32; 256]) {
    const POWERS: [u8; 5] = [1, 3, 9, 27, 81];
    let d = f16_at(block, 52);
    let level = |level: usize| level as i32 - 1;
    let (most, last) = out.split_at_mut(240);
    let (first, second) = most.split_at_mut(160);
    for (out, power) in first.as_chunks_mut::<32>().0.iter_mut().zip(POWERS) {
        A::levels::<3, 32, _>(out, d, level, |_, m| trit(block[m], power));
    }
    for (out, power) in second.as_chunks_mut::<16>().0.iter_mut().zip(POWERS) {
        A::levels::<3, 16, _>(out, d, level, |_, m| trit(block[32 + m], power));
    }
    for (out, power) in last.as_chunks_mut::<4>().0.iter_mut().zip(POWERS) {
        A::levels::<3, 4, _>(out, d, level, |_, m| trit(block[48 + m], power));
    }
}

/// Two bits a value, in runs of 32; 3 stands for 2 scales.
#[inline(always)]
pub fn tq2_0<A: Arithmetic>(block: &[u8; 66], out: &mut [f32; 256]) {
    let d = f16_at(block, 64);
    for (run, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let index = |_, m: usize| usize::from(block[run / 4 * 32 + m] >> (run % 4 * 2) & 3);
        A::levels::<4, 32, 32>(out, d, |level| level as i32 - 1, index);
    }
}

/// Twice the values of E2M1; the scales below are half of what the formats say.
pub(super) const E2M1_TWICE: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/// Half of an E8M0 scale, `2^(x - 128)`. 255 is no NaN to ggml.
#[inline(always)]
pub(super) fn e8m0_half(x: u8) -> f32 {
    f32::from_bits(if x < 2 { 0x0020_0000 << x } else { u32::from(x - 1) << 23 })
}

/// Half of a UE4M3 scale: four exponent bits with bias 7, three mantissa bits. 0x7F is zero to ggml, and the top bit
/// plays no part but there.
#[inline(always)]
pub(super) fn ue4m3_half(x: u8) -> f32 {
    if x == 0x7F {
        return 0.0;
    }
    let (exponent, mantissa) = (u32::from(x >> 3 & 15), u32::from(x & 7));
    match exponent {
        // mantissa * 2^-9 * 0.5
        0 => mantissa as f32 * f32::from_bits((127 - 10) << 23),
        _ => f32::from_bits((exponent + 127 - 7 - 1) << 23 | mantissa << 20),
    }
}

#[inline(always)]
fn e2m1_twice(code: usize) -> i32 {
    E2M1_TWICE[code].into()
}

#[inline(always)]
pub fn mxfp4<A: Arithmetic>(block: &[u8; 17], out: &mut [f32; 32]) {
    A::levels::<16, 16, _>(out, e8m0_half(block[0]), e2m1_twice, |half, j| nibble(&block[1..], half, j));
}

/// Four sub-blocks of 16, each with a scale in front of the quants.
#[inline(always)]
pub fn nvfp4<A: Arithmetic>(block: &[u8; 36], out: &mut [f32; 64]) {
    for (sub, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let index = |half, j| nibble(&block[4 + 8 * sub..], half, j);
        A::levels::<16, 8, _>(out, ue4m3_half(block[sub]), e2m1_twice, index);
    }
}
