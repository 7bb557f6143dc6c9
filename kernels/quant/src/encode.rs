//! The blocks nearest to given values, byte for byte those of ggml's CPU backend (`ggml-quants.c`): for caches of keys and
//! values, and copies into quantised types.
//!
//! Cores without an FPU run this: what does not need a product is done on patterns of bits. Types whose blocks ggml
//! searches for (K-quants, most `IQ` types) are not here.

use super::iq::IQ4;
use super::small::{e8m0_half, ue4m3_half};
use crate::ggml_type::GgmlType;
use tt_kernel_numerics::num::f32_to_f16;

macro_rules! blocks {
    ($encode:path, $len:literal => $bytes:literal, $values:ident, $row:ident) => {{
        let blocks = $values.as_chunks::<$len>().0.iter();
        for (values, block) in blocks.zip($row.as_chunks_mut::<$bytes>().0) {
            $encode(values, block);
        }
    }};
}

/// Whether [`row`] writes blocks of this type.
pub const fn is_known(ty: GgmlType) -> bool {
    use GgmlType::*;
    matches!(ty, Q4_0 | Q4_1 | Q5_0 | Q5_1 | Q8_0 | IQ4_NL | Q1_0 | Q2_0 | TQ1_0 | TQ2_0 | MXFP4 | NVFP4)
}

/// The blocks nearest to `values`, whole blocks of a type that [`is_known`]; `row` has room for just them.
#[inline(never)]
pub fn row(ty: GgmlType, values: &[f32], row: &mut [u8]) {
    use GgmlType::*;
    match ty {
        Q4_0 => blocks!(q4_0, 32 => 18, values, row),
        Q4_1 => blocks!(q4_1, 32 => 20, values, row),
        Q5_0 => blocks!(q5_0, 32 => 22, values, row),
        Q5_1 => blocks!(q5_1, 32 => 24, values, row),
        Q8_0 => blocks!(q8_0, 32 => 34, values, row),
        IQ4_NL => blocks!(iq4_nl, 32 => 18, values, row),
        Q1_0 => blocks!(q1_0, 128 => 18, values, row),
        Q2_0 => blocks!(q2_0, 64 => 18, values, row),
        TQ1_0 => blocks!(tq1_0, 256 => 54, values, row),
        TQ2_0 => blocks!(tq2_0, 256 => 66, values, row),
        MXFP4 => blocks!(mxfp4, 32 => 17, values, row),
        NVFP4 => blocks!(nvfp4, 64 => 36, values, row),
        _ => {}
    }
}

/// Puts a half precision number in front of `bytes`.
fn put_half(bytes: &mut [u8], x: f32) {
    bytes[..2].copy_from_slice(&(f32_to_f16(x.to_bits()) as u16).to_le_bytes());
}

/// 1 / d, where nothing stands for the inverse of nothing.
fn inverse(d: f32) -> f32 {
    if d == 0.0 { 0.0 } else { 1.0 / d }
}

/// Magnitude.
fn abs(x: f32) -> f32 {
    f32::from_bits(x.to_bits() & 0x7FFF_FFFF)
}

/// The first value of the largest magnitude.
fn extreme(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |extreme, &x| if abs(x) > abs(extreme) { x } else { extreme })
}

/// The smallest and the largest value.
fn bounds(values: &[f32]) -> (f32, f32) {
    let widen =
        |(min, max): (f32, f32), &x: &f32| (if x < min { x } else { min }, if x > max { x } else { max });
    values.iter().fold((f32::MAX, f32::MIN), widen)
}

/// Codes of four bits: value j and the one half a block further share a byte.
fn put_nibbles(values: &[f32], bytes: &mut [u8], code: impl Fn(f32) -> u8) {
    let (low, high) = values.split_at(values.len() / 2);
    for ((byte, &low), &high) in bytes.iter_mut().zip(low).zip(high) {
        *byte = code(low) | code(high) << 4;
    }
}

/// Codes of five bits: the fifth ones are a word in front of the nibbles.
fn put_five_bits(values: &[f32; 32], bytes: &mut [u8], code: impl Fn(f32) -> u8) {
    let mut high = 0u32;
    bytes[4..].fill(0);
    for (j, &x) in values.iter().enumerate() {
        let code = code(x);
        bytes[4 + j % 16] |= (code & 15) << (j / 16 * 4);
        high |= u32::from(code >> 4 & 1) << j;
    }
    bytes[..4].copy_from_slice(&high.to_le_bytes());
}

/// The value of the largest magnitude becomes -8 scales.
fn q4_0(values: &[f32; 32], block: &mut [u8; 18]) {
    let d = extreme(values) / -8.0;
    let id = inverse(d);
    put_half(block, d);
    put_nibbles(values, &mut block[2..], |x| ((x * id + 8.5) as i32).min(15) as u8);
}

fn q4_1(values: &[f32; 32], block: &mut [u8; 20]) {
    let (min, max) = bounds(values);
    let d = (max - min) / 15.0;
    let id = inverse(d);
    put_half(block, d);
    put_half(&mut block[2..], min);
    put_nibbles(values, &mut block[4..], |x| (((x - min) * id + 0.5) as i32).min(15) as u8);
}

/// The value of the largest magnitude becomes -16 scales.
fn q5_0(values: &[f32; 32], block: &mut [u8; 22]) {
    let d = extreme(values) / -16.0;
    let id = inverse(d);
    put_half(block, d);
    put_five_bits(values, &mut block[2..], |x| ((x * id + 16.5) as i32).min(31) as u8);
}

fn q5_1(values: &[f32; 32], block: &mut [u8; 24]) {
    let (min, max) = bounds(values);
    let d = (max - min) / 31.0;
    let id = inverse(d);
    put_half(block, d);
    put_half(&mut block[2..], min);
    put_five_bits(values, &mut block[4..], |x| ((x - min) * id + 0.5) as i32 as u8);
}

/// Nearest integer, half to even, of a number of at most 2^22 in magnitude: the sum's last bit is worth one.
fn round(x: f32) -> i32 {
    const LAST_BIT_IS_ONE: f32 = 12_582_912.0;
    (x + LAST_BIT_IS_ONE).to_bits() as i32 - LAST_BIT_IS_ONE.to_bits() as i32
}

/// Rounded as ggml's vector code does it (its scalar code rounds ties away).
fn q8_0(values: &[f32; 32], block: &mut [u8; 34]) {
    let largest = abs(extreme(values));
    let inverse = if largest == 0.0 { 0.0 } else { 127.0 / largest };
    put_half(block, largest / 127.0);
    for (q, &x) in block[2..].iter_mut().zip(values) {
        *q = round(x * inverse) as i8 as u8;
    }
}

/// Mean magnitude, and signs.
fn q1_0(values: &[f32; 128], block: &mut [u8; 18]) {
    put_half(block, values.iter().fold(0.0, |sum, &x| sum + abs(x)) / 128.0);
    for (byte, values) in block[2..].iter_mut().zip(values.as_chunks::<8>().0) {
        *byte = values.iter().rev().fold(0, |bits, &x| bits << 1 | u8::from(x >= 0.0));
    }
}

/// -1, 0 or 1, plus one: a number of at most 1.5 in magnitude, rounded half away from zero.
fn ternary(x: f32) -> u8 {
    match abs(x) >= 0.5 {
        true if x > 0.0 => 2,
        true => 0,
        false => 1,
    }
}

/// Four ternary codes to a byte, of values `step` apart.
fn ternaries(values: &[f32], step: usize, id: f32) -> u8 {
    (0..4).rev().fold(0, |byte, n| byte << 2 | ternary(values[n * step] * id))
}

fn q2_0(values: &[f32; 64], block: &mut [u8; 18]) {
    let d = abs(extreme(values));
    let id = inverse(d);
    put_half(block, d);
    for (byte, values) in block[2..].iter_mut().zip(values.chunks_exact(4)) {
        *byte = ternaries(values, 1, id);
    }
}

/// Five ternary codes to a byte, of values as many apart as there are bytes; where there are but four, the fifth one is zero.
/// The digits in base 3 stand for a fraction, rounded up, so that products with powers of 3 bring each of them to the front.
fn trits(values: &[f32], bytes: &mut [u8], id: f32) {
    let step = bytes.len();
    for (m, byte) in bytes.iter_mut().enumerate() {
        let code = |n: usize| values.get(m + n * step).map_or(0, |&x| ternary(x * id));
        let digits = (0..5).fold(0, |digits, n| digits * 3 + u32::from(code(n)));
        *byte = (digits * 256).div_ceil(243) as u8;
    }
}

fn tq1_0(values: &[f32; 256], block: &mut [u8; 54]) {
    let d = abs(extreme(values));
    let id = inverse(d);
    put_half(&mut block[52..], d);
    trits(&values[..160], &mut block[..32], id);
    trits(&values[160..240], &mut block[32..48], id);
    trits(&values[240..], &mut block[48..52], id);
}

fn tq2_0(values: &[f32; 256], block: &mut [u8; 66]) {
    let d = abs(extreme(values));
    let id = inverse(d);
    put_half(&mut block[64..], d);
    for (bytes, values) in block.chunks_exact_mut(32).zip(values.as_chunks::<128>().0) {
        for (m, byte) in bytes.iter_mut().enumerate() {
            *byte = ternaries(&values[m..], 32, id);
        }
    }
}

/// The E2M1 code whose value is nearest, in units of `d`, which is twice the format's unit; of two equally near ones that of
/// the smaller magnitude.
fn e2m1(x: f32, d: f32) -> u8 {
    /// Where two neighbouring values are equally near.
    const MIDDLES: [f32; 7] = [0.5, 1.5, 2.5, 3.5, 5.0, 7.0, 10.0];
    if d == 0.0 {
        return 0;
    }
    let code = MIDDLES.iter().filter(|&&middle| abs(x) > middle * d).count() as u8;
    if code > 0 && x < 0.0 { code | 8 } else { code }
}

/// The scale is the largest magnitude's power of two. (ggml's logarithm may round up to the next one for a magnitude less
/// than 2^-18 of it below; this does not.)
fn mxfp4(values: &[f32; 32], block: &mut [u8; 17]) {
    let largest = abs(extreme(values)).to_bits() >> 23;
    block[0] = largest.saturating_sub(2) as u8;
    let d = e8m0_half(block[0]);
    put_nibbles(values, &mut block[1..], |x| e2m1(x, d));
}

/// A UE4M3 number near x, as ggml rounds: up if the first bit that is cut off is set.
fn ue4m3(x: f32) -> u8 {
    /// Largest finite number, and its code.
    const LARGEST: (f32, u8) = (448.0, 0x7E);
    /// Difference of the exponents' biases.
    const BIAS: i32 = 127 - 7;
    let bits = x.to_bits();
    let exponent = (bits >> 23) as i32 - BIAS;
    if x <= 0.0 {
        0
    } else if exponent <= 0 {
        ((x * 512.0 + 0.5) as u8).min(7)
    } else if x > LARGEST.0 || exponent >= 15 {
        LARGEST.1
    } else {
        let rounded = (exponent << 3) as u32 + (bits >> 20 & 7) + (bits >> 19 & 1);
        if rounded < 15 << 3 { rounded as u8 } else { LARGEST.1 }
    }
}

fn nvfp4(values: &[f32; 64], block: &mut [u8; 36]) {
    let (scales, quants) = block.split_at_mut(4);
    for ((values, scale), bytes) in values.chunks_exact(16).zip(scales).zip(quants.chunks_exact_mut(8)) {
        *scale = ue4m3(abs(extreme(values)) / 6.0);
        let d = ue4m3_half(*scale);
        put_nibbles(values, bytes, |x| e2m1(x, d));
    }
}

/// The code of [`IQ4`] nearest to x; of two equally near ones the larger.
fn iq4(x: f32) -> u8 {
    let level = |code: usize| f32::from(IQ4[code]);
    let above = (1..16).find(|&code| x < level(code)).unwrap_or(16);
    match above {
        16 => 15,
        1 if x <= level(0) => 0,
        _ if x - level(above - 1) < level(above) - x => above as u8 - 1,
        _ => above as u8,
    }
}

/// Codes by a first scale, then the scale that fits them best.
fn iq4_nl(values: &[f32; 32], block: &mut [u8; 18]) {
    /// Blocks of smaller values are zero.
    const LEAST: f32 = 1e-15;
    let extreme = extreme(values);
    if abs(extreme) < LEAST {
        put_half(block, 0.0);
        // ggml leaves the codes of its temporary; those of zero decode to zero as well.
        return block[2..].fill(0);
    }
    let id = 1.0 / (extreme / f32::from(IQ4[0]));
    let (mut fit, mut square) = (0.0, 0.0);
    for &x in values {
        let q = f32::from(IQ4[usize::from(iq4(id * x))]);
        let wq = x * x * q;
        fit += wq * x;
        square += wq * q;
    }
    put_half(block, if square > 0.0 { fit / square } else { 0.0 });
    put_nibbles(values, &mut block[2..], |x| iq4(id * x));
}

#[cfg(test)]
mod tests {
    use super::super::arithmetic::Floats;
    use super::super::row as decode;
    use super::*;
    use rand_xoshiro::SplitMix64;
    use rand_xoshiro::rand_core::{Rng, SeedableRng};

    fn values(seed: u32) -> [f32; 256] {
        let mut random = SplitMix64::seed_from_u64(seed.into());
        core::array::from_fn(|_| random.next_u32() as i32 as f32 / (1u32 << 29) as f32)
    }

    #[test]
    fn what_is_encoded_comes_back_within_a_step() {
        use GgmlType::*;
        // Steps of the coarsest part of the scale, as parts of the largest magnitude. A value of the other sign than the
        // largest one may lie a whole step beyond the last.
        let steps = [
            (Q4_0, 0.13),
            (Q4_1, 0.08),
            (Q5_0, 0.07),
            (Q5_1, 0.04),
            (Q8_0, 0.005),
            (IQ4_NL, 0.13),
            (MXFP4, 0.4),
        ];
        for (ty, step) in steps {
            let (len, bytes) = ty.block();
            for seed in 0..200 {
                let x = values(seed);
                let largest = x.iter().fold(0f32, |m, x| m.max(x.abs()));
                let mut blocks = std::vec![0; 256 / len * bytes];
                let mut out = [0.0; 256];
                row(ty, &x, &mut blocks);
                decode::<Floats>(ty, &blocks, &mut out);
                assert!(x.iter().zip(out).all(|(x, y)| (x - y).abs() <= largest * step), "{}", ty.name());
            }
        }
    }

    #[test]
    fn known_blocks() {
        let mut block = [0; 34];
        q8_0(&core::array::from_fn(|i| i as f32 * 127.0 / 31.0), &mut block);
        assert_eq!((block[0], block[1], block[2], block[33], block[3]), (0x00, 0x3C, 0, 127, 4));
        let mut block = [0; 18];
        q4_0(&core::array::from_fn(|i| i as f32 - 16.0), &mut block);
        // -16 is -8 scales of 2: nibble 0; 15 is rounded to 8 and cut to 15.
        assert_eq!((block[0], block[1], block[2], block[17]), (0x00, 0x40, 0x80, 0xF8));
        let mut block = [1; 18];
        q4_0(&[0.0; 32], &mut block);
        assert_eq!(block[..3], [0x00, 0x80, 0x88]);
    }

    #[test]
    fn ternary_digits_come_back() {
        for ty in [GgmlType::TQ1_0, GgmlType::TQ2_0] {
            for seed in 0..200 {
                let mut x = values(seed).map(|x| f32::from(x as i8 % 2));
                x[seed as usize] = -1.0;
                let mut blocks = std::vec![0; ty.block().1];
                let mut out = [0.0; 256];
                row(ty, &x, &mut blocks);
                decode::<Floats>(ty, &blocks, &mut out);
                assert_eq!(out, x, "{}", ty.name());
            }
        }
        let mut block = [0; 54];
        tq1_0(&[1.0; 256], &mut block);
        // 22222 in base 3 is 242 of 243; 22220 is 240.
        assert_eq!((block[0], block[47], block[48], block[53]), (255, 255, 253, 0x3C));
    }

    #[test]
    fn scales_of_four_bit_floats() {
        assert_eq!(
            [0.0, 1.0 / 512.0, 1.0, 1.07, 448.0, 252.0, 1e9].map(ue4m3),
            [0, 1, 0x38, 0x39, 0x7E, 0x7E, 0x7E]
        );
    }
}
