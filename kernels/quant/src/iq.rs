//! IQ types: groups of values are points of a grid ([`super::grids`]), with separate signs, or come from a table.
//!
//! `IQ2` and `IQ3` take 8 values at a time: a point (two points of four values in `IQ3`) and a byte of signs. Where
//! only seven signs are kept the eighth makes their number even.

use super::arithmetic::Arithmetic;
use super::grids;
use super::simple::nibble;
use super::{f16, f16_at, u16_at, u32_at};

/// Values of the four-bit codes of `IQ4_NL` and `IQ4_XS`.
pub(super) const IQ4: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];
/// Distance of the `IQ1` grid from zero: one of this many parts.
const IQ1_PARTS: i32 = 8;

/// Eight signs from seven.
#[inline(always)]
fn even_signs(seven: u32) -> u32 {
    let seven = seven & 127;
    seven | (seven.count_ones() & 1) << 7
}

/// Two points of four values as one of eight.
#[inline(always)]
fn join(a: [u8; 4], b: [u8; 4]) -> [u8; 8] {
    [a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3]]
}

/// `d * (scale + 1/2) / 2^n`, all of it exact: half-integer scales.
#[inline(always)]
fn half_scale<A: Arithmetic>(d: f32, scale: u32, n: u32) -> f32 {
    A::times(d * f32::from_bits((127 - 1 - n) << 23), 2 * scale as i32 + 1)
}

#[inline(always)]
pub fn iq2_xxs<A: Arithmetic>(block: &[u8; 66], out: &mut [f32; 256]) {
    let d = f16_at(block, 0);
    for (ib, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let at = 2 + 8 * ib;
        let signs = u32_at(block, at + 4);
        let scale = half_scale::<A>(d, signs >> 28, 2);
        for (l, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            let point = grids::iq2_xxs(block[at + l].into());
            A::signed(out, scale, point, even_signs(signs >> (7 * l)));
        }
    }
}

#[inline(always)]
pub fn iq2_xs<A: Arithmetic>(block: &[u8; 74], out: &mut [f32; 256]) {
    let d = f16_at(block, 0);
    for (ib, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let scales = u32::from(block[66 + ib]);
        for (l, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            let code = u16_at(block, 2 + 8 * ib + 2 * l);
            let scale = half_scale::<A>(d, scales >> (l / 2 * 4) & 15, 2);
            let point = grids::iq2_xs((code & 511).into());
            A::signed(out, scale, point, even_signs(u32::from(code >> 9)));
        }
    }
}

#[inline(always)]
pub fn iq2_s<A: Arithmetic>(block: &[u8; 82], out: &mut [f32; 256]) {
    let d = f16_at(block, 0);
    for (ib, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let (high, scales) = (usize::from(block[66 + ib]), u32::from(block[74 + ib]));
        for (l, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            let index = usize::from(block[2 + 4 * ib + l]) | (high >> (2 * l) & 3) << 8;
            let scale = half_scale::<A>(d, scales >> (l / 2 * 4) & 15, 2);
            A::signed(out, scale, grids::iq2_s(index), block[34 + 4 * ib + l].into());
        }
    }
}

#[inline(always)]
pub fn iq3_xxs<A: Arithmetic>(block: &[u8; 98], out: &mut [f32; 256]) {
    let d = f16_at(block, 0);
    for (ib, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let signs = u32_at(block, 66 + 4 * ib);
        let scale = half_scale::<A>(d, signs >> 28, 1);
        for (l, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            let at = 2 + 8 * ib + 2 * l;
            let point = join(grids::iq3_xxs(block[at].into()), grids::iq3_xxs(block[at + 1].into()));
            A::signed(out, scale, point, even_signs(signs >> (7 * l)));
        }
    }
}

#[inline(always)]
pub fn iq3_s<A: Arithmetic>(block: &[u8; 110], out: &mut [f32; 256]) {
    let d = f16_at(block, 0);
    for (ib, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let scale = A::times(d, i32::from(1 + 2 * (block[106 + ib / 2] >> (ib % 2 * 4) & 15)));
        let high = usize::from(block[66 + ib]);
        let index = |i: usize| usize::from(block[2 + 8 * ib + i]) | (high >> i & 1) << 8;
        for (l, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            let point = join(grids::iq3_s(index(2 * l)), grids::iq3_s(index(2 * l + 1)));
            A::signed(out, scale, point, block[74 + 4 * ib + l].into());
        }
    }
}

/// Distance of an `IQ1` point from the grid's, in [`IQ1_PARTS`].
#[inline(always)]
fn delta(down: bool) -> i32 {
    if down { -1 } else { 1 }
}

#[inline(always)]
pub fn iq1_s<A: Arithmetic>(block: &[u8; 50], out: &mut [f32; 256]) {
    let d = f16_at(block, 0) * (1.0 / IQ1_PARTS as f32);
    for (ib, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let high = u16_at(block, 34 + 2 * ib);
        let scale = A::times(d, i32::from(2 * (high >> 12 & 7) + 1));
        for (l, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            let index = usize::from(block[2 + 4 * ib + l]) | usize::from(high >> (3 * l) & 7) << 8;
            A::shifted(out, scale, grids::iq1(index), IQ1_PARTS, delta(high & 0x8000 != 0));
        }
    }
}

/// The scale's four nibbles are the top nibbles of the four words of sub-block scales.
#[inline(always)]
pub fn iq1_m<A: Arithmetic>(block: &[u8; 56], out: &mut [f32; 256]) {
    let words: [u16; 4] = core::array::from_fn(|i| u16_at(block, 48 + 2 * i));
    let d = f16(words[0] >> 12 | words[1] >> 8 & 0x00F0 | words[2] >> 4 & 0x0F00 | words[3] & 0xF000)
        * (1.0 / IQ1_PARTS as f32);
    for (ib, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let scales = words[ib / 2] >> (6 * (ib % 2));
        for (l, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            let scale = A::times(d, i32::from(2 * (scales >> (l / 2 * 3) & 7) + 1));
            let high = block[32 + 2 * ib + l / 2] >> (l % 2 * 4);
            let index = usize::from(block[4 * ib + l]) | usize::from(high & 7) << 8;
            A::shifted(out, scale, grids::iq1(index), IQ1_PARTS, delta(high & 8 != 0));
        }
    }
}

#[inline(always)]
fn iq4(code: usize) -> i32 {
    IQ4[code].into()
}

#[inline(always)]
pub fn iq4_nl<A: Arithmetic>(block: &[u8; 18], out: &mut [f32; 32]) {
    A::levels::<16, 16, _>(out, f16_at(block, 0), iq4, |half, j| nibble(&block[2..], half, j));
}

/// Sub-blocks of 32 with 6-bit scales: low nibbles in bytes, high pairs of bits in one word.
#[inline(always)]
pub fn iq4_xs<A: Arithmetic>(block: &[u8; 136], out: &mut [f32; 256]) {
    let (d, high) = (f16_at(block, 0), u16_at(block, 2));
    for (ib, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let low = i32::from(block[4 + ib / 2] >> (ib % 2 * 4) & 15);
        let scale = A::times(d, low + i32::from(high >> (2 * ib) & 3) * 16 - 32);
        A::levels::<16, 16, _>(out, scale, iq4, |half, j| nibble(&block[8 + 16 * ib..], half, j));
    }
}
