//! Packing: from 32 rows of single precision numbers to the bytes of a tile.
//!
//! A tile of K x N is made face by face. A face takes sixteen rows n and sixteen columns k of ggml's matrix; its own
//! rows are the columns. Datums are computed lane by lane (a lane is a k), four rows of ggml's matrix at a time into
//! one word of each lane; writing the words of a lane side by side is then the transposition.

pub mod bfp;
mod lanes;
mod rows;
pub mod search;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::array;

use bfp::{face_datums, shared_exponents};
use tt_isa::format::{FACE_DATUMS, FACE_DIM, TILE_DIM, TILE_EXPONENTS};
use tt_kernel_numerics::num::round_for_srca;

use super::{Rule, WeightFormat};
pub(super) use lanes::{Lanes, Portable};
pub(super) use rows::{Bytes, Floats, Rows};
#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, Avx512};

/// Packs one half of a tile, whose sixteen rows n are `rows`: the half with n below 16, or the other one. `out` is the whole
/// tile.
#[inline(always)]
pub fn half_tile<L: Lanes>(format: WeightFormat, rule: Rule, rows: impl Rows, half: usize, out: &mut [u8]) {
    match (format, rule) {
        (WeightFormat::Tf32, _) => tf32_half::<L>(rows, half, out),
        (WeightFormat::Bf16, _) => bf16_half::<L>(rows, half, out),
        (WeightFormat::Bfp8, Rule::Vendor) => bfp_half::<L, 7>(rows, half, out),
        (WeightFormat::Bfp4, Rule::Vendor) => bfp_half::<L, 3>(rows, half, out),
        (WeightFormat::Bfp2, Rule::Vendor) => bfp_half::<L, 1>(rows, half, out),
        (WeightFormat::Bfp8, Rule::Search) => search::half_tile::<7>(rows, half, out),
        (WeightFormat::Bfp4, Rule::Search) => search::half_tile::<3>(rows, half, out),
        (WeightFormat::Bfp2, Rule::Search) => search::half_tile::<1>(rows, half, out),
    }
}

/// Packs the tile whose 32 rows start at `values`, `pitch` values apart.
#[cfg(test)]
pub fn tile<L: Lanes>(format: WeightFormat, rule: Rule, values: &[f32], pitch: usize, out: &mut [u8]) {
    for half in 0..2 {
        let rows = Floats { values: &values[half * FACE_DIM * pitch..], pitch };
        half_tile::<L>(format, rule, rows, half, out);
    }
}

/// The source of a face: row n after row n, a lane for each k from `k` on.
#[inline(always)]
fn face<L: Lanes>(rows: impl Rows, k: usize) -> [L; FACE_DIM] {
    let mut face = [L::splat(0); FACE_DIM];
    for (i, row) in face.iter_mut().enumerate() {
        *row = rows.lanes(i, k);
    }
    face
}

/// The two faces of a half tile: first k, and number in the tile (k below 16 and n below 16, then n from 16 on, then k
/// from 16 on).
fn faces(half: usize) -> [(usize, usize); 2] {
    [(0, half), (FACE_DIM, 2 + half)]
}

#[inline(always)]
fn bfp_half<L: Lanes, const MAGNITUDE: u32>(rows: impl Rows, half: usize, out: &mut [u8]) {
    for (k, index) in faces(half) {
        let rows = face::<L>(rows, k);
        let shared = shared_exponents(&rows);
        let words = face_datums::<L, MAGNITUDE>(&rows, shared);
        put_face::<L, MAGNITUDE>(shared, words, index, out);
    }
}

/// Writes face `index` of a tile: its exponents, and its datums, four rows' in a word.
#[inline(always)]
fn put_face<L: Lanes, const MAGNITUDE: u32>(shared: L, words: [L; 4], index: usize, out: &mut [u8]) {
    let (exponents, out) = out.split_at_mut(TILE_EXPONENTS);
    exponents[index * FACE_DIM..(index + 1) * FACE_DIM].copy_from_slice(&shared.shr::<23>().low_bytes());
    let [a, b, c, d] = words;
    let bytes = FACE_DATUMS * (MAGNITUDE as usize + 1) / 8;
    let (cells, _) = out[index * bytes..(index + 1) * bytes].as_chunks_mut::<64>();
    match MAGNITUDE {
        7 => put(L::cells(words), cells),
        3 => put(L::zip_words(nibbles(a, b), nibbles(c, d)), cells),
        _ => put([pairs(nibbles(a, b), nibbles(c, d))], cells),
    }
}

#[inline(always)]
fn put<L: Lanes, const N: usize>(lanes: [L; N], out: &mut [[u8; 64]]) {
    for i in 0..N {
        lanes[i].store(&mut out[i]);
    }
}

/// Four bytes with a nibble each, twice, to eight nibbles.
#[inline(always)]
fn nibbles<L: Lanes>(a: L, b: L) -> L {
    squeeze4(a).or(squeeze4(b).shl::<16>())
}

/// Eight nibbles with two bits each, twice, to sixteen pairs of bits.
#[inline(always)]
fn pairs<L: Lanes>(a: L, b: L) -> L {
    squeeze2(a).or(squeeze2(b).shl::<16>())
}

/// The low nibbles of four bytes, side by side.
#[inline(always)]
fn squeeze4<L: Lanes>(x: L) -> L {
    let x = x.or(x.shr::<4>()).and(L::splat(0x00FF_00FF));
    x.or(x.shr::<8>()).and(L::splat(0xFFFF))
}

/// The low pairs of bits of eight nibbles, side by side.
#[inline(always)]
fn squeeze2<L: Lanes>(x: L) -> L {
    squeeze4(x.or(x.shr::<2>()).and(L::splat(0x0F0F_0F0F)))
}

/// Exponent field of a single precision number.
const EXPONENT_FIELD: u32 = 0x7F80_0000;
/// The NaN.
const BF16_NAN: u32 = 0x7FC0;

/// Rounds to bfloat16: nearest, ties to even. Every NaN becomes the same one.
///
/// That is the vendor's `fp32_to_bf16_bits_round_to_nearest_even`.
#[inline(always)]
fn bf16<L: Lanes>(bits: L) -> L {
    let rounded = bits.add(L::splat(0x7FFF)).add(bits.shr::<16>().and(L::splat(1))).shr::<16>();
    let (nan, is_number) = nan_or_number(bits);
    rounded.where_set(is_number).or(L::splat(BF16_NAN).where_set(nan))
}

/// What is not zero for NaNs, and what is not zero for all others.
#[inline(always)]
fn nan_or_number<L: Lanes>(bits: L) -> (L, L) {
    let magnitude = bits.and(L::splat(0x7FFF_FFFF));
    // Zero but for NaNs, and then at most 23 bits.
    let nan = magnitude.max(L::splat(EXPONENT_FIELD)).sub(L::splat(EXPONENT_FIELD));
    (nan, L::splat(1).sub(nan.min(L::splat(1))))
}

#[inline(always)]
fn bf16_half<L: Lanes>(rows: impl Rows, half: usize, out: &mut [u8]) {
    for (k, index) in faces(half) {
        let rows = face::<L>(rows, k);
        let mut words = [L::splat(0); FACE_DIM / 2];
        for (word, rows) in words.iter_mut().zip(rows.as_chunks::<2>().0) {
            *word = bf16(rows[0]).or(bf16(rows[1]).shl::<16>());
        }
        let [a, b, c, d, e, f, g, h] = words;
        let (left, right) = (L::cells([a, b, c, d]), L::cells([e, f, g, h]));
        let (out, _) = out[index * 2 * FACE_DATUMS..(index + 1) * 2 * FACE_DATUMS].as_chunks_mut::<64>();
        for i in 0..4 {
            put(L::zip_cells(left[i], right[i]), &mut out[2 * i..]);
        }
    }
}

/// Rounds as the kernels do ([`round_for_srca`]). Every NaN becomes the same one.
#[inline(always)]
fn tf32<L: Lanes>(bits: L) -> L {
    const UNIT: u32 = round_for_srca(0x2000);
    const KEPT: u32 = !(UNIT - 1);
    const HALF: u32 = UNIT / 2;
    let rounded = bits.add(L::splat(HALF)).and(L::splat(KEPT));
    let (nan, is_number) = nan_or_number(bits);
    rounded.where_set(is_number).or(L::splat(BF16_NAN << 16).where_set(nan))
}

#[inline(always)]
fn tf32_half<L: Lanes>(rows: impl Rows, half: usize, out: &mut [u8]) {
    for (k, index) in faces(half) {
        let rows = face::<L>(rows, k).map(tf32);
        let (out, _) = out[index * 4 * FACE_DATUMS..(index + 1) * 4 * FACE_DATUMS].as_chunks_mut::<64>();
        // Cells of four rows n each; a row of the face is four of them, one from each quarter.
        let quarters: [[L; 4]; 4] = array::from_fn(|q| L::cells(array::from_fn(|i| rows[4 * q + i])));
        for (j, out) in out.chunks_exact_mut(4).enumerate() {
            let [even, odd] = [[0, 2], [1, 3]].map(|[a, b]| L::zip_cells(quarters[a][j], quarters[b][j]));
            for (i, out) in out.chunks_exact_mut(2).enumerate() {
                put(L::zip_cells(even[i], odd[i]), out);
            }
        }
    }
}

/// Single precision values of a tile, `out[k][n]`.
pub fn unpack_tile(format: WeightFormat, tile: &[u8], out: &mut [[f32; TILE_DIM]; TILE_DIM]) {
    for (k, row) in out.iter_mut().enumerate() {
        for (n, x) in row.iter_mut().enumerate() {
            let at = tt_isa::format::tile_index(k, n);
            let bits = |bits: usize| tile[TILE_EXPONENTS + at * bits / 8] >> (at * bits % 8);
            let exponent = tile[at / FACE_DIM];
            *x = match format {
                WeightFormat::Tf32 => f32::from_le_bytes(tile[4 * at..][..4].try_into().expect("four bytes")),
                WeightFormat::Bf16 => half::bf16::from_le_bytes([tile[2 * at], tile[2 * at + 1]]).to_f32(),
                WeightFormat::Bfp8 => bfp::value::<7>(bits(8), exponent),
                WeightFormat::Bfp4 => bfp::value::<3>(bits(4) & 15, exponent),
                WeightFormat::Bfp2 => bfp::value::<1>(bits(2) & 3, exponent),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::bfp::datum;
    use super::*;
    use proptest::prelude::*;

    /// The tile, one datum after another, as section 3 of the formats' description has it.
    fn by_hand(magnitude: u32, values: &[f32]) -> Vec<u8> {
        let bits = magnitude as usize + 1;
        let mut tile = vec![0; TILE_EXPONENTS + 1024 * bits / 8];
        for k in 0..TILE_DIM {
            for half in 0..2 {
                let value = |i: usize| values[(half * FACE_DIM + i) * TILE_DIM + k].to_bits();
                let shared = (0..FACE_DIM).map(|i| value(i) & EXPONENT_FIELD).max().unwrap();
                let first = tt_isa::format::tile_index(k, half * FACE_DIM);
                tile[first / FACE_DIM] = (shared >> 23) as u8;
                for i in 0..FACE_DIM {
                    let datum = match magnitude {
                        7 => datum::<7>(value(i), shared),
                        3 => datum::<3>(value(i), shared),
                        _ => datum::<1>(value(i), shared),
                    } as u8;
                    let at = first + i;
                    tile[TILE_EXPONENTS + at * bits / 8] |= datum << (at * bits % 8);
                }
            }
        }
        tile
    }

    proptest! {
        #[test]
        fn faces_and_bits_are_where_they_belong(seed: u32) {
            let mut x = seed;
            let formats: &[(WeightFormat, u32)] = match cfg!(miri) {
                true => &[(WeightFormat::Bfp8, 7)],
                false => &[(WeightFormat::Bfp8, 7), (WeightFormat::Bfp4, 3), (WeightFormat::Bfp2, 1)],
            };
            let values: Vec<f32> = (0..1024).map(|_| {
                x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f32::from_bits(x & 0x83FF_FFFF | 0x3C00_0000)
            }).collect();
            for &(format, magnitude) in formats {
                let mut got = vec![0; format.tile_bytes()];
                tile::<Portable>(format, Rule::Vendor, &values, TILE_DIM, &mut got);
                prop_assert_eq!(&got, &by_hand(magnitude, &values), "{:?}", format);
            }
        }
    }

    #[test]
    fn tf32_is_rounded_as_on_the_card() {
        for i in 0..1u32 << if cfg!(miri) { 8 } else { 20 } {
            let bits = i.wrapping_mul(0x9E37_79B9);
            let want = if f32::from_bits(bits).is_nan() { BF16_NAN << 16 } else { round_for_srca(bits) };
            assert_eq!(tf32::<Portable>([bits; FACE_DIM])[0], want, "{bits:#010x}");
        }
    }

    #[test]
    fn tf32_tiles_come_back_in_order() {
        let values: Vec<f32> = (0..1024).map(|i| i as f32 * if i % 3 == 0 { -0.5 } else { 0.25 }).collect();
        let mut out = vec![0; WeightFormat::Tf32.tile_bytes()];
        tile::<Portable>(WeightFormat::Tf32, Rule::Vendor, &values, TILE_DIM, &mut out);
        let mut got = [[0.0; TILE_DIM]; TILE_DIM];
        unpack_tile(WeightFormat::Tf32, &out, &mut got);
        for (i, want) in values.into_iter().enumerate() {
            let want = f32::from_bits(round_for_srca(want.to_bits()));
            assert_eq!(got[i % TILE_DIM][i / TILE_DIM], want, "row {} k {}", i / TILE_DIM, i % TILE_DIM);
        }
    }

    #[test]
    fn bf16_is_that_of_the_half_crate() {
        for i in 0..1u32 << if cfg!(miri) { 10 } else { 20 } {
            let bits = i.wrapping_mul(0x9E37_79B9);
            let value = f32::from_bits(bits);
            let want = if value.is_nan() { BF16_NAN } else { half::bf16::from_f32(value).to_bits().into() };
            assert_eq!(bf16::<Portable>([bits; FACE_DIM])[0], want, "{bits:#010x}");
        }
    }
}
