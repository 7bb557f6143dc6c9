//! Ternary types (`TQ1_0 TQ2_0`) and four-bit floats (`MXFP4 NVFP4`).

use super::f16_at;

/// Digit of a byte that holds base-3 digits as a fraction: the byte times a power of 3 (modulo 256) has the digit
/// wanted in front.
#[inline(always)]
fn trit(byte: u8, power: u8) -> f32 {
    let q = byte.wrapping_mul(power);
    f32::from(((u16::from(q) * 3) >> 8) as i8 - 1)
}

/// Five digits a byte (the first 32 bytes, then 16), and four a byte in the last four.
#[inline(always)]
pub fn tq1_0(block: &[u8; 54], out: &mut [f32; 256]) {
    let d = f16_at(block, 52);
    let powers: [u8; 5] = [1, 3, 9, 27, 81];
    for (n, power) in powers.into_iter().enumerate() {
        for m in 0..32 {
            out[n * 32 + m] = trit(block[m], power) * d;
        }
        for m in 0..16 {
            out[160 + n * 16 + m] = trit(block[32 + m], power) * d;
        }
        if n < 4 {
            for m in 0..4 {
                out[240 + n * 4 + m] = trit(block[48 + m], power) * d;
            }
        }
    }
}

/// Two bits a value, in runs of 32; 3 stands for 2 scales.
#[inline(always)]
pub fn tq2_0(block: &[u8; 66], out: &mut [f32; 256]) {
    let d = f16_at(block, 64);
    for run in 0..8 {
        for m in 0..32 {
            let q = block[run / 4 * 32 + m] >> (run % 4 * 2) & 3;
            out[run * 32 + m] = f32::from(q as i8 - 1) * d;
        }
    }
}

/// Twice the values of E2M1; the scales below are half of what the formats say.
const E2M1_TWICE: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/// Half of an E8M0 scale, `2^(x - 128)`. 255 is no NaN to ggml.
#[inline(always)]
fn e8m0_half(x: u8) -> f32 {
    f32::from_bits(if x < 2 { 0x0020_0000 << x } else { u32::from(x - 1) << 23 })
}

/// Half of a UE4M3 scale: four exponent bits with bias 7, three mantissa bits. 0x7F is zero to ggml, and the top bit
/// plays no part but there.
#[inline(always)]
fn ue4m3_half(x: u8) -> f32 {
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
pub fn mxfp4(block: &[u8; 17], out: &mut [f32; 32]) {
    let d = e8m0_half(block[0]);
    for j in 0..16 {
        let q = usize::from(block[1 + j]);
        out[j] = f32::from(E2M1_TWICE[q & 15]) * d;
        out[j + 16] = f32::from(E2M1_TWICE[q >> 4]) * d;
    }
}

/// Four sub-blocks of 16, each with a scale in front of the quants.
#[inline(always)]
pub fn nvfp4(block: &[u8; 36], out: &mut [f32; 64]) {
    for sub in 0..4 {
        let d = ue4m3_half(block[sub]);
        for j in 0..8 {
            let q = usize::from(block[4 + 8 * sub + j]);
            out[16 * sub + j] = f32::from(E2M1_TWICE[q & 15]) * d;
            out[16 * sub + 8 + j] = f32::from(E2M1_TWICE[q >> 4]) * d;
        }
    }
}
