//! Products of scales and quants: with an FPU, or in integers for cores that have none.
//!
//! Both give the same bits. Decoders say which products they want; how many are computed is decided here: where a block
//! has fewer levels than values a core computes each level once, while vector code is faster without the table.

/// How products are computed.
pub trait Arithmetic {
    /// `d * q`; |q| is at most 255.
    fn times(d: f32, q: i32) -> f32;

    /// Value j is `d * point[j]`, with the sign turned where bit j of `signs` is set.
    #[inline(always)]
    fn signed(out: &mut [f32; 8], d: f32, point: [u8; 8], signs: u32) {
        for j in 0..8 {
            let negative = -((signs >> j & 1) as i32);
            out[j] = Self::times(d, (i32::from(point[j]) ^ negative) - negative);
        }
    }

    /// Value j is `d * (point[j] * parts + shift)`; the factor is at most 255, with or without a sign.
    #[inline(always)]
    fn shifted(out: &mut [f32; 8], d: f32, point: [i8; 8], parts: i32, shift: i32) {
        for j in 0..8 {
            out[j] = Self::times(d, i32::from(point[j]) * parts + shift);
        }
    }

    /// Value j of run r is `d * level(index(r, j))`, where `index` is less than L, at most 16, and the level fits a signed byte.
    /// Runs have R values.
    fn levels<const L: usize, const R: usize, const N: usize>(
        out: &mut [f32; N],
        d: f32,
        level: impl Fn(usize) -> i32,
        index: impl Fn(usize, usize) -> usize,
    );

    /// Value j of run r is `d * q(r, j) + m`, where `q` is less than L, at most 256. Runs have R values.
    fn levels_and<const L: usize, const R: usize, const N: usize>(
        out: &mut [f32; N],
        d: f32,
        m: f32,
        q: impl Fn(usize, usize) -> usize,
    );
}

/// Value j of each run r of R values.
#[inline(always)]
fn runs<const R: usize>(out: &mut [f32], value: impl Fn(usize, usize) -> f32) {
    for (run, out) in out.as_chunks_mut::<R>().0.iter_mut().enumerate() {
        for j in 0..R {
            out[j] = value(run, j);
        }
    }
}

/// What `index` gives for every value, a byte each: a first loop for vector code, without any number in it.
#[inline(always)]
pub fn codes<const R: usize, const N: usize>(index: impl Fn(usize, usize) -> usize) -> [u8; N] {
    let mut codes = [0; N];
    for (run, codes) in codes.as_chunks_mut::<R>().0.iter_mut().enumerate() {
        for j in 0..R {
            codes[j] = index(run, j) as u8;
        }
    }
    codes
}

/// With an FPU.
pub struct Floats;

impl Arithmetic for Floats {
    #[inline(always)]
    fn times(d: f32, q: i32) -> f32 {
        d * q as f32
    }

    #[inline(always)]
    fn levels<const L: usize, const R: usize, const N: usize>(
        out: &mut [f32; N],
        d: f32,
        level: impl Fn(usize) -> i32,
        index: impl Fn(usize, usize) -> usize,
    ) {
        runs::<R>(out, |run, j| d * level(index(run, j)) as f32);
    }

    #[inline(always)]
    fn levels_and<const L: usize, const R: usize, const N: usize>(
        out: &mut [f32; N],
        d: f32,
        m: f32,
        q: impl Fn(usize, usize) -> usize,
    ) {
        runs::<R>(out, |run, j| d * q(run, j) as i32 as f32 + m);
    }
}

/// Without.
pub struct Integers;

impl Arithmetic for Integers {
    #[inline(always)]
    fn times(d: f32, q: i32) -> f32 {
        product(d, q)
    }

    #[inline(always)]
    fn levels<const L: usize, const R: usize, const N: usize>(
        out: &mut [f32; N],
        d: f32,
        level: impl Fn(usize) -> i32,
        index: impl Fn(usize, usize) -> usize,
    ) {
        let mut table = [0.0; L];
        for (i, entry) in table.iter_mut().enumerate() {
            *entry = product(d, level(i));
        }
        runs::<R>(out, |run, j| table[index(run, j)]);
    }

    #[inline(always)]
    fn levels_and<const L: usize, const R: usize, const N: usize>(
        out: &mut [f32; N],
        d: f32,
        m: f32,
        q: impl Fn(usize, usize) -> usize,
    ) {
        if L > out.len() {
            return runs::<R>(out, |run, j| product(d, q(run, j) as i32) + m);
        }
        let mut table = [0.0; L];
        for (i, entry) in table.iter_mut().enumerate() {
            *entry = product(d, i as i32) + m;
        }
        runs::<R>(out, |run, j| table[q(run, j)]);
    }
}

/// Exponent field of an FP32 pattern.
const EXPONENT: u32 = 0xFF;

/// `d * q`, rounded to nearest even.
#[inline(never)]
fn product(d: f32, q: i32) -> f32 {
    let bits = d.to_bits();
    let exponent = bits >> 23 & EXPONENT;
    let sign = (bits ^ q as u32) & 0x8000_0000;
    if q == 0 || exponent == 0 || exponent == EXPONENT {
        // No hidden bit, no number, or a zero whose sign is that of d.
        return d * q as f32;
    }
    // At least 2^23, less than 2^32.
    let product = (bits & 0x7F_FFFF | 0x80_0000) * q.unsigned_abs();
    let mut shift = 0;
    while product >> shift >= 1 << 24 {
        shift += 1;
    }
    let rounded = match shift {
        0 => product,
        _ => {
            let odd = product >> shift & 1;
            // A carry out of the mantissa is right as it is: the next exponent, mantissa zero.
            ((u64::from(product) + u64::from((1 << (shift - 1)) - 1 + odd)) >> shift) as u32
        }
    };
    let magnitude = ((exponent + shift - 1) << 23) + rounded;
    f32::from_bits(sign | magnitude.min(0x7F80_0000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_xoshiro::SplitMix64;
    use rand_xoshiro::rand_core::{Rng, SeedableRng};

    #[test]
    fn integers_give_the_same_bits_as_floats() {
        let mut random = SplitMix64::seed_from_u64(1);
        for round in 0..2_000_000 {
            let state = random.next_u32();
            // All patterns, and mantissas with few bits, where products are ties.
            let bits = if round % 2 == 0 { state } else { state & 0xFFFF_F000 | 0x800 };
            let (d, q) = (f32::from_bits(bits), (state >> 9) as i32 % 511 - 255);
            let (ours, host) = (product(d, q), d * q as f32);
            assert!(
                ours.to_bits() == host.to_bits() || ours.is_nan() && host.is_nan(),
                "{bits:#010x} * {q}: {ours:e} instead of {host:e}"
            );
        }
    }
}
