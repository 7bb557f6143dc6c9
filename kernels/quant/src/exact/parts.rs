//! Blocks of ggml's types, taken apart into the integers, words and outer factors of [`super`].
//!
//! What holds for every content of a block, where its half precision scales are finite:
//!
//! | type | value of ggml's `to_float` | why no part is rounded |
//! |---|---|---|
//! | `Q4_0 Q5_0 IQ4_NL Q8_0` | `word * integer` | 11 significant bits of the scale and at most 7 of the integer |
//! | `MXFP4` | `word * integer` | the scale is a power of two |
//! | `NVFP4` | `half * integer` | 4 bits and 4 bits; all scales are normal half precision numbers or zero |
//! | `Q3_K Q6_K IQ4_XS` | `outer0 * byte * integer` | 11, 5 to 7 and 2 to 7 bits: 24 at most |
//! | `Q4_1 Q5_1` | `low * integer + high` | 11 and 4 or 5 bits; the sum is `to_float`'s only rounding |
//! | `Q4_K Q5_K` | `outer0 * byte0 * integer + outer1 * byte1` | 11, 6 and 4 or 5 bits; 11 and 6 bits; the sum as above |
//! | `Q2_K` | `outer0 * integer + outer1 * nibble` | the integer is a factor of 4 bits times a code of 2; the sum as above |
//!
//! So products of single precision, and one sum, give the bits of `to_float`, in whatever order. There is one exception, [`rounded`]: -128 of
//! `Q8_0` becomes -127. ggml's own quantiser does not write it.
//!
//! Scales that are infinite or no numbers stay that in FP32. As halves of a word they are what [`super::half`] says. `MXFP4` has two scales
//! (codes 0 and 1) that are denormal in FP32: the words have them, the vector unit takes them for zero, as it does with all denormals.

use super::{Factors, GROUP_TILES, LARGEST};
use crate::arithmetic::Floats;
use crate::ggml_type::GgmlType;
use crate::iq::IQ4;
use crate::k::{q3_k_scales, scale_min};
use crate::small::{E2M1_TWICE, e8m0_half, ue4m3_half};
use crate::{f16_at, u16_at, u32_at};
use tt_kernel_numerics::num::f32_to_f16;

/// Values of a k-tile.
const TILE: usize = 32;
/// Values of a group.
const GROUP: usize = TILE * GROUP_TILES;

/// Sign bit of a datum. Alone it is -0, which the unpacker takes for -infinity: no integer is that.
const SIGN: u8 = 0x80;

/// The datum of an integer: sign and magnitude.
#[inline(always)]
const fn datum(integer: i8) -> u8 {
    integer.unsigned_abs() | integer.cast_unsigned() & SIGN
}

/// Datums of a table's integers.
const fn datums(integers: [i8; 16]) -> [u8; 16] {
    let mut datums = [0; 16];
    let mut i = 0;
    while i < 16 {
        datums[i] = datum(integers[i]);
        i += 1;
    }
    datums
}

const IQ4_DATUMS: [u8; 16] = datums(IQ4);
const E2M1_DATUMS: [u8; 16] = datums(E2M1_TWICE);

/// How bytes are looked up in a table of sixteen.
pub trait Lookup {
    /// Each code, less than 16, becomes its entry.
    fn look_up(table: &[u8; 16], codes: &mut [u8]);
}

impl Lookup for Floats {
    #[inline(always)]
    fn look_up(table: &[u8; 16], codes: &mut [u8]) {
        codes.iter_mut().for_each(|code| *code = table[usize::from(*code & 15)]);
    }
}

macro_rules! small_blocks {
    ($part:path, $bytes:literal => $len:literal, $blocks:ident, $integers:ident, $words:expr) => {{
        let blocks = $blocks.as_chunks::<$bytes>().0.iter();
        for ((block, integers), words) in blocks.zip($integers.as_chunks_mut::<$len>().0).zip($words) {
            *words = $part(block, integers);
        }
    }};
}

macro_rules! super_block {
    ($part:path, $bytes:literal, $blocks:ident, $integers:ident, $factors:ident) => {
        if let (Some(block), Some(integers)) =
            ($blocks.first_chunk::<$bytes>(), $integers.first_chunk_mut::<GROUP>())
        {
            $part(block, integers, $factors)
        }
    };
}

/// Takes the blocks of a row's part in a group apart: up to 256 values, whole blocks and whole k-tiles of a type that has a [`Kind`](super::Kind).
/// `integers` has a datum of BFP8_b for each of the values. Words of k-tiles beyond the values, and outer factors that the kind has not, are
/// left as they are.
#[inline(always)]
pub fn take_apart<L: Lookup>(ty: GgmlType, blocks: &[u8], integers: &mut [u8], factors: &mut Factors) {
    use GgmlType::*;
    let words = &mut factors.words;
    match ty {
        Q4_0 => small_blocks!(q4_0, 18 => 32, blocks, integers, words),
        Q4_1 => small_blocks!(q4_1, 20 => 32, blocks, integers, words),
        Q5_0 => small_blocks!(q5_0, 22 => 32, blocks, integers, words),
        Q5_1 => small_blocks!(q5_1, 24 => 32, blocks, integers, words),
        Q8_0 => small_blocks!(q8_0, 34 => 32, blocks, integers, words),
        IQ4_NL => {
            small_blocks!(iq4_nl, 18 => 32, blocks, integers, words);
            L::look_up(&IQ4_DATUMS, integers);
        }
        MXFP4 => {
            small_blocks!(mxfp4, 17 => 32, blocks, integers, words);
            L::look_up(&E2M1_DATUMS, integers);
        }
        NVFP4 => {
            small_blocks!(nvfp4, 36 => 64, blocks, integers, words.as_chunks_mut::<2>().0);
            L::look_up(&E2M1_DATUMS, integers);
        }
        Q2_K => super_block!(q2_k, 84, blocks, integers, factors),
        Q3_K => super_block!(q3_k, 110, blocks, integers, factors),
        Q4_K => super_block!(q4_k, 144, blocks, integers, factors),
        Q5_K => super_block!(q5_k, 176, blocks, integers, factors),
        Q6_K => super_block!(q6_k, 210, blocks, integers, factors),
        IQ4_XS => {
            super_block!(iq4_xs, 136, blocks, integers, factors);
            L::look_up(&IQ4_DATUMS, integers);
        }
        _ => {}
    }
}

/// No magnitude of a type is larger than these times the largest magnitude of its scales and of its minima. Scales are words, or outer factors: factors of these that are words
/// are taken for as large as they can be.
pub const fn largest(ty: GgmlType) -> [f32; 2] {
    use GgmlType::*;
    match ty {
        Q4_0 => [8.0, 0.0],
        Q4_1 => [15.0, 1.0],
        Q5_0 => [16.0, 0.0],
        Q5_1 => [31.0, 1.0],
        MXFP4 | NVFP4 => [12.0, 0.0],
        Q2_K => [15.0 * 3.0, 15.0],
        Q3_K => [32.0 * 4.0, 0.0],
        Q4_K => [63.0 * 15.0, 63.0],
        Q5_K => [63.0 * 31.0, 63.0],
        Q6_K => [128.0 * 32.0, 0.0],
        IQ4_XS => [32.0 * 127.0, 0.0],
        _ => [LARGEST as f32, 0.0],
    }
}

/// How many values in whole blocks of a type are not what their integers say: -128 of `Q8_0`, for which its neighbour -127 stands.
pub fn rounded(ty: GgmlType, blocks: &[u8]) -> usize {
    match ty {
        GgmlType::Q8_0 => blocks.as_chunks::<34>().0.iter().map(rounded_of_q8_0).sum(),
        _ => 0,
    }
}

/// Bytes 0x80 among the codes of a block, eight at a time: a byte is 0 where it is 0x80, and adding 0x7F to seven bits carries where they are not 0.
#[inline(always)]
fn rounded_of_q8_0(block: &[u8; 34]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const LOW: u64 = ONES * LARGEST as u64;
    let mut found = 0;
    for codes in block[2..].as_chunks().0 {
        let codes = u64::from_le_bytes(*codes) ^ !LOW;
        let others = ((codes & LOW) + LOW) | codes;
        found += !others >> 7 & ONES;
    }
    (found.wrapping_mul(ONES) >> 56) as usize
}

/// Two halves of a word.
#[inline(always)]
fn halves(low: u16, high: u16) -> u32 {
    u32::from(low) | u32::from(high) << 16
}

/// Two bytes of a word.
#[inline(always)]
fn bytes(low: i32, high: i32) -> u32 {
    u32::from(low as u8) | u32::from(high as u8) << 8
}

/// Four-bit codes: the first half of a block in low nibbles.
#[inline(always)]
fn nibbles(bytes: &[u8], codes: &mut [u8; 32]) {
    let (low, high) = codes.split_at_mut(16);
    for j in 0..16 {
        low[j] = bytes[j] & 15;
        high[j] = bytes[j] >> 4;
    }
}

/// Adds the fifth bits: bit j for value j.
#[inline(always)]
fn fifth_bits(high: u32, codes: &mut [u8; 32]) {
    for (j, code) in codes.iter_mut().enumerate() {
        *code |= ((high >> j & 1) as u8) << 4;
    }
}

/// Codes to datums, where code `zero` stands for 0.
#[inline(always)]
fn centre(codes: &mut [u8], zero: u8) {
    codes.iter_mut().for_each(|code| *code = datum(code.wrapping_sub(zero).cast_signed()));
}

#[inline(always)]
fn q4_0(block: &[u8; 18], integers: &mut [u8; 32]) -> u32 {
    nibbles(&block[2..], integers);
    centre(integers, 8);
    f16_at(block, 0).to_bits()
}

#[inline(always)]
fn q4_1(block: &[u8; 20], integers: &mut [u8; 32]) -> u32 {
    nibbles(&block[4..], integers);
    u32_at(block, 0)
}

#[inline(always)]
fn q5_0(block: &[u8; 22], integers: &mut [u8; 32]) -> u32 {
    nibbles(&block[6..], integers);
    fifth_bits(u32_at(block, 2), integers);
    centre(integers, 16);
    f16_at(block, 0).to_bits()
}

#[inline(always)]
fn q5_1(block: &[u8; 24], integers: &mut [u8; 32]) -> u32 {
    nibbles(&block[8..], integers);
    fifth_bits(u32_at(block, 4), integers);
    u32_at(block, 0)
}

#[inline(always)]
fn q8_0(block: &[u8; 34], integers: &mut [u8; 32]) -> u32 {
    for (integer, code) in integers.iter_mut().zip(&block[2..]) {
        *integer = code.cast_signed().unsigned_abs().min(LARGEST) | code & SIGN;
    }
    f16_at(block, 0).to_bits()
}

#[inline(always)]
fn iq4_nl(block: &[u8; 18], integers: &mut [u8; 32]) -> u32 {
    nibbles(&block[2..], integers);
    f16_at(block, 0).to_bits()
}

#[inline(always)]
fn mxfp4(block: &[u8; 17], integers: &mut [u8; 32]) -> u32 {
    nibbles(&block[1..], integers);
    e8m0_half(block[0]).to_bits()
}

#[inline(always)]
fn nvfp4(block: &[u8; 36], integers: &mut [u8; 64]) -> [u32; 2] {
    for (sub, integers) in integers.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        for j in 0..8 {
            let codes = block[4 + 8 * sub + j];
            integers[j] = codes & 15;
            integers[j + 8] = codes >> 4;
        }
    }
    let half = |sub: usize| f32_to_f16(ue4m3_half(block[sub]).to_bits()) as u16;
    [halves(half(0), half(1)), halves(half(2), half(3))]
}

#[inline(always)]
fn q2_k(block: &[u8; 84], integers: &mut [u8; 256], factors: &mut Factors) {
    factors.outer = [f16_at(block, 80), -f16_at(block, 82)];
    for (i, integers) in integers.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let (run, sub) = (i / 2, i % 2);
        let (half, shift) = (run / 4, run % 4 * 2);
        let codes = &block[16 + half * 32 + sub * 16..][..16];
        for (integer, code) in integers.iter_mut().zip(codes) {
            *integer = (block[i] & 15) * (code >> shift & 3);
        }
    }
    for (i, word) in factors.words.iter_mut().enumerate() {
        *word = u32::from(block[2 * i] >> 4 | block[2 * i + 1] >> 4 << 4);
    }
}

#[inline(always)]
fn q3_k(block: &[u8; 110], integers: &mut [u8; 256], factors: &mut Factors) {
    factors.outer[0] = f16_at(block, 108);
    let mut packed = [0; 12];
    packed.copy_from_slice(&block[96..108]);
    let scales = q3_k_scales(&packed);
    for (run, integers) in integers.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let (half, shift) = (run / 4, run % 4 * 2);
        for (at, integer) in integers.iter_mut().enumerate() {
            *integer = block[32 + half * 32 + at] >> shift & 3 | (block[at] >> run & 1) << 2;
        }
        centre(integers, 4);
        factors.words[run] = bytes(scales[2 * run].into(), scales[2 * run + 1].into());
    }
}

/// Factors of `Q4_K` and `Q5_K`.
#[inline(always)]
fn scales_and_minima(block: &[u8], factors: &mut Factors) {
    factors.outer = [f16_at(block, 0), -f16_at(block, 2)];
    for (j, word) in factors.words.iter_mut().enumerate() {
        let (scale, min) = scale_min(j, &block[4..16]);
        *word = bytes(scale, min);
    }
}

#[inline(always)]
fn q4_k(block: &[u8; 144], integers: &mut [u8; 256], factors: &mut Factors) {
    scales_and_minima(block, factors);
    for (run, integers) in integers.as_chunks_mut::<64>().0.iter_mut().enumerate() {
        let (low, high) = integers.split_at_mut(32);
        for l in 0..32 {
            let q = block[16 + run * 32 + l];
            low[l] = q & 15;
            high[l] = q >> 4;
        }
    }
}

#[inline(always)]
fn q5_k(block: &[u8; 176], integers: &mut [u8; 256], factors: &mut Factors) {
    scales_and_minima(block, factors);
    for (i, integers) in integers.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let (run, shift) = (i / 2, i % 2 * 4);
        for (l, integer) in integers.iter_mut().enumerate() {
            *integer = block[48 + run * 32 + l] >> shift & 15 | (block[16 + l] >> i & 1) << 4;
        }
    }
}

#[inline(always)]
fn q6_k(block: &[u8; 210], integers: &mut [u8; 256], factors: &mut Factors) {
    factors.outer[0] = f16_at(block, 208);
    for (i, integers) in integers.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let (half, run) = (i / 4, i % 4);
        let low = &block[half * 64 + run % 2 * 32..][..32];
        let high = &block[128 + half * 32..][..32];
        for ((integer, low), high) in integers.iter_mut().zip(low).zip(high) {
            *integer = low >> (run / 2 * 4) & 15 | (high >> (2 * run) & 3) << 4;
        }
        centre(integers, 32);
        factors.words[i] = u16_at(block, 192 + 2 * i).into();
    }
}

#[inline(always)]
fn iq4_xs(block: &[u8; 136], integers: &mut [u8; 256], factors: &mut Factors) {
    factors.outer[0] = f16_at(block, 0);
    let high = u16_at(block, 2);
    for (i, integers) in integers.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        nibbles(&block[8 + 16 * i..], integers);
        let low = i32::from(block[4 + i / 2] >> (i % 2 * 4) & 15);
        let scale = low + i32::from(high >> (2 * i) & 3) * 16 - 32;
        factors.words[i] = bytes(scale, scale);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, half, value};
    use super::*;
    use rand_xoshiro::SplitMix64;
    use rand_xoshiro::rand_core::{Rng, SeedableRng};
    use std::vec;
    use std::vec::Vec;

    /// Where blocks have half precision numbers, and how many pairs of a scale's code and an integer there are.
    const TYPES: [(GgmlType, &[usize], usize); 14] = [
        (GgmlType::Q4_0, &[0], 16),
        (GgmlType::Q4_1, &[0, 2], 16),
        (GgmlType::Q5_0, &[0], 32),
        (GgmlType::Q5_1, &[0, 2], 32),
        (GgmlType::Q8_0, &[0], 255),
        (GgmlType::IQ4_NL, &[0], 16),
        // 256 codes of a scale; integers are 0 (twice), and seven of each sign.
        (GgmlType::MXFP4, &[], 256 * 15),
        // 127 codes that are not zero, 0, and 0x7F; the top bit plays no part but in 0xFF.
        (GgmlType::NVFP4, &[], 128 * 15),
        // 16 factors of minima, and what products of 0 to 15 and 0 to 3 there are: to 15 all, to 30 the even ones, and 21, 27, 33, .. 45.
        (GgmlType::Q2_K, &[80, 82], 16 * 31),
        (GgmlType::Q3_K, &[108], 64 * 8),
        (GgmlType::Q4_K, &[0, 2], 64 * 16),
        (GgmlType::Q5_K, &[0, 2], 64 * 32),
        (GgmlType::Q6_K, &[208], 256 * 64),
        (GgmlType::IQ4_XS, &[0], 64 * 16),
    ];

    /// Pairs of a scale's code and a datum that there were.
    type Seen = Vec<bool>;
    /// How many codes of scales there are at most.
    const CODES: usize = 1024;

    /// Code of the scale of element `k`: what a type has beside half precision numbers.
    fn scale_code(ty: GgmlType, factors: &Factors, k: usize) -> u32 {
        let (word, second) = (factors.words[k / 32], k % 32 / 16);
        match ty {
            // A power of two, denormal ones included; and a half with three bits of mantissa.
            GgmlType::MXFP4 => word >> 21,
            GgmlType::NVFP4 => word >> (16 * second + 7) & 0x1FF,
            GgmlType::Q4_K | GgmlType::Q5_K => word & 0xFF,
            GgmlType::Q3_K | GgmlType::Q6_K | GgmlType::IQ4_XS => word >> (8 * second) & 0xFF,
            GgmlType::Q2_K => word >> (4 * second) & 15,
            _ => 0,
        }
    }

    /// Takes `blocks` apart, compares with `to_float`, and notes which pairs of codes there were.
    fn compare(ty: GgmlType, blocks: &[u8], seen: &mut Seen) {
        let kind = Kind::of(ty).unwrap();
        let mut want = vec![0.0; blocks.len() / ty.block().1 * ty.block().0];
        crate::row::<Floats>(ty, blocks, &mut want);
        let mut integers = vec![0; want.len()];
        let mut factors = Factors::default();
        take_apart::<Floats>(ty, blocks, &mut integers, &mut factors);
        for (k, (&datum, want)) in integers.iter().zip(want).enumerate() {
            let got = value(kind, &factors, k, datum);
            let is_rounded = ty == GgmlType::Q8_0 && blocks[k / 32 * 34 + 2 + k % 32] == 0x80;
            let same = got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan();
            assert!(same || is_rounded, "{ty:?} element {k}: {got:e} instead of {want:e}, {blocks:x?}");
            assert!(!is_rounded || datum == 0xFF);
            assert_ne!(datum, SIGN, "the unpacker takes -0 for -infinity");
            seen[scale_code(ty, &factors, k) as usize * 256 + usize::from(datum)] = true;
        }
    }

    #[test]
    fn every_half_precision_scale_with_every_code() {
        let mut random = SplitMix64::seed_from_u64(1);
        for (ty, halves, pairs) in TYPES {
            let (len, bytes) = ty.block();
            let mut blocks = vec![0; 256 / len * bytes];
            let mut seen = vec![false; CODES * 256];
            // Minima are added: their own patterns, against a scale that is not far from them, or is zero.
            let others = [0x0000, 0x0001, 0x8400, 0x2E66, 0x7BFF];
            for (i, &at) in halves.iter().enumerate() {
                for bits in 0..=u16::MAX {
                    if !half::f16::from_bits(bits).is_finite() && Kind::of(ty) == Some(Kind::ScaleMin) {
                        continue;
                    }
                    random.fill_bytes(&mut blocks);
                    let other = others[usize::from(bits) % others.len()];
                    for block in blocks.chunks_exact_mut(bytes) {
                        if let Some(&at) = halves.get(1 - i).filter(|_| halves.len() == 2) {
                            block[at..at + 2].copy_from_slice(&u16::to_le_bytes(other));
                        }
                        block[at..at + 2].copy_from_slice(&bits.to_le_bytes());
                    }
                    compare(ty, &blocks, &mut seen);
                }
            }
            // Scales that are bytes.
            for _ in 0..if halves.is_empty() { 1 << 14 } else { 0 } {
                random.fill_bytes(&mut blocks);
                compare(ty, &blocks, &mut seen);
            }
            assert_eq!(seen.iter().filter(|&&is| is).count(), pairs, "{ty:?}: pairs of codes");
        }
    }

    #[test]
    fn every_type_with_a_kind_is_tried() {
        let tried: Vec<GgmlType> = TYPES.iter().map(|ty| ty.0).collect();
        for ty in GgmlType::ALL {
            assert_eq!(tried.contains(&ty), Kind::of(ty).is_some(), "{ty:?}");
        }
    }

    #[test]
    fn halves_are_half_precision_numbers() {
        for bits in 0..=u16::MAX {
            let want = half::f16::from_bits(bits);
            match want.is_finite() {
                true => assert_eq!(half(bits).to_bits(), want.to_f32().to_bits(), "{bits:#06x}"),
                false => assert!((65536.0..131_072.0).contains(&half(bits).abs()), "{bits:#06x}"),
            }
        }
    }

    #[test]
    fn one_code_is_rounded_and_counted() {
        let mut block = [0x80u8; 2 * 34];
        assert_eq!(rounded(GgmlType::Q8_0, &block), 64);
        block[2 + 5] = 0x81;
        // Not codes, but scales; and each of the other codes at each place.
        block[34..36].fill(0x80);
        for code in (0..=u8::MAX).filter(|&code| code != 0x80) {
            for at in 0..32 {
                let mut other = [0u8; 34];
                other[2 + at] = code;
                assert_eq!(rounded(GgmlType::Q8_0, &other), 0, "{code:#x}");
            }
        }
        assert_eq!(rounded(GgmlType::Q8_0, &block), 63);
        assert_eq!(rounded(GgmlType::Q4_0, &[0x80; 18]), 0);
    }
}
