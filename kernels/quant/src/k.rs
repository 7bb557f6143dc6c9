//! K-quants: super-blocks of 256 values whose sub-blocks of 16 or 32 have quantised scales.
//!
//! Two- and three-bit quants lie in two halves of 128 values, each of 32 bytes that hold four runs of 32 values, two
//! bits each. Four- and five-bit quants lie in four runs of 64, the first 32 values in the low nibbles.

use super::arithmetic::Arithmetic;
use super::f16_at;

/// Scales and minima of 16 sub-blocks are nibbles: `d * scale * q - dmin * min`.
#[inline(always)]
pub fn q2_k<A: Arithmetic>(block: &[u8; 84], out: &mut [f32; 256]) {
    let (d, min) = (f16_at(block, 80), f16_at(block, 82));
    for (i, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let (run, sub) = (i / 2, i % 2);
        let (half, shift) = (run / 4, run % 4 * 2);
        let scale = i32::from(block[i]);
        let (dl, ml) = (A::times(d, scale & 15), A::times(min, scale >> 4));
        A::levels_and::<4, 16, _>(out, dl, -ml, |_, l| {
            usize::from(block[16 + half * 32 + sub * 16 + l] >> shift & 3)
        });
    }
}

/// The sixteen 6-bit scales of `Q3_K`: low nibbles in 8 bytes, high pairs of bits in 4.
#[inline(always)]
pub(super) fn q3_k_scales(packed: &[u8; 12]) -> [i8; 16] {
    let mut scales = [0; 16];
    for (i, scale) in scales.iter_mut().enumerate() {
        let low = packed[i % 8] >> (i / 8 * 4) & 15;
        let high = packed[8 + i % 4] >> (i / 4 * 2) & 3;
        *scale = (low | high << 4) as i8 - 32;
    }
    scales
}

/// The third bit is in a mask of its own; a bit that is not set takes 4 off.
#[inline(always)]
pub fn q3_k<A: Arithmetic>(block: &[u8; 110], out: &mut [f32; 256]) {
    let d = f16_at(block, 108);
    let mut packed = [0; 12];
    packed.copy_from_slice(&block[96..108]);
    let scales = q3_k_scales(&packed);
    for run in 0..8 {
        let (half, shift) = (run / 4, run % 4 * 2);
        for sub in 0..2 {
            let dl = A::times(d, scales[2 * run + sub].into());
            for l in 0..16 {
                let at = sub * 16 + l;
                let low = (block[32 + half * 32 + at] >> shift & 3) as i8;
                let high = (block[at] >> run & 1) as i8;
                out[run * 32 + at] = A::times(dl, (low + 4 * high - 4).into());
            }
        }
    }
}

/// Scale and minimum of sub-block `j` of `Q4_K` and `Q5_K`: 6 bits each, in 12 bytes.
#[inline(always)]
pub(super) fn scale_min(j: usize, packed: &[u8]) -> (i32, i32) {
    let (scale, min) = if j < 4 {
        (packed[j] & 63, packed[j + 4] & 63)
    } else {
        (packed[j + 4] & 15 | packed[j - 4] >> 6 << 4, packed[j + 4] >> 4 | packed[j] >> 6 << 4)
    };
    (scale.into(), min.into())
}

#[inline(always)]
pub fn q4_k<A: Arithmetic>(block: &[u8; 144], out: &mut [f32; 256]) {
    let (d, min) = (f16_at(block, 0), f16_at(block, 2));
    for run in 0..4 {
        let (scale1, min1) = scale_min(2 * run, &block[4..16]);
        let (scale2, min2) = scale_min(2 * run + 1, &block[4..16]);
        let (d1, m1) = (A::times(d, scale1), A::times(min, min1));
        let (d2, m2) = (A::times(d, scale2), A::times(min, min2));
        for l in 0..32 {
            let q = block[16 + run * 32 + l];
            out[run * 64 + l] = A::times(d1, i32::from(q & 15)) - m1;
            out[run * 64 + 32 + l] = A::times(d2, i32::from(q >> 4)) - m2;
        }
    }
}

#[inline(always)]
pub fn q5_k<A: Arithmetic>(block: &[u8; 176], out: &mut [f32; 256]) {
    let (d, min) = (f16_at(block, 0), f16_at(block, 2));
    for (i, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let (scale, ml) = scale_min(i, &block[4..16]);
        let (run, shift) = (i / 2, i % 2 * 4);
        let index = |_, l: usize| {
            let low = block[48 + run * 32 + l] >> shift & 15;
            usize::from(low | (block[16 + l] >> i & 1) << 4)
        };
        A::levels_and::<32, 32, _>(out, A::times(d, scale), -A::times(min, ml), index);
    }
}

/// Sixteen signed 8-bit scales; quants are 4 low bits and 2 high ones, minus 32.
#[inline(always)]
pub fn q6_k<A: Arithmetic>(block: &[u8; 210], out: &mut [f32; 256]) {
    let d = f16_at(block, 208);
    for half in 0..2 {
        for run in 0..4 {
            for sub in 0..2 {
                let dl = A::times(d, i32::from(block[192 + half * 8 + run * 2 + sub] as i8));
                for l in 0..16 {
                    let at = sub * 16 + l;
                    let low = block[half * 64 + run % 2 * 32 + at] >> (run / 2 * 4) & 15;
                    let high = block[128 + half * 32 + at] >> (2 * run) & 3;
                    out[half * 128 + run * 32 + at] = A::times(dl, ((low | high << 4) as i8 - 32).into());
                }
            }
        }
    }
}
