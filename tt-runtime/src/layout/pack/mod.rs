//! Packing: from 32 rows of single precision numbers to the bytes of a tile.
//!
//! A tile of K x N is made face by face. A face takes sixteen rows n and sixteen columns k of ggml's matrix; its own
//! rows are the columns. Datums are computed lane by lane (a lane is a k), four rows of ggml's matrix at a time into
//! one word of each lane; writing the words of a lane side by side is then the transposition.

pub mod bfp;
pub mod search;

use bfp::{Lanes, datum, shared_exponents};
use tt_isa::format::{FACE_DATUMS, FACE_DIM, TILE_DIM, TILE_EXPONENTS};

use super::{Rule, WeightFormat};

/// Rows of a face's source: `rows[n][k]`, as bit patterns.
type Face = [Lanes; FACE_DIM];

/// Packs the tile whose 32 rows start at `values`, `pitch` values apart.
#[inline(always)]
pub fn tile(format: WeightFormat, rule: Rule, values: &[f32], pitch: usize, out: &mut [u8]) {
    match (format, rule) {
        (WeightFormat::Bf16, _) => bf16_tile(values, pitch, out),
        (WeightFormat::Bfp8, Rule::Vendor) => bfp_tile::<7>(values, pitch, out),
        (WeightFormat::Bfp4, Rule::Vendor) => bfp_tile::<3>(values, pitch, out),
        (WeightFormat::Bfp2, Rule::Vendor) => bfp_tile::<1>(values, pitch, out),
        (WeightFormat::Bfp8, Rule::Search) => search::tile::<7>(values, pitch, out),
        (WeightFormat::Bfp4, Rule::Search) => search::tile::<3>(values, pitch, out),
        (WeightFormat::Bfp2, Rule::Search) => search::tile::<1>(values, pitch, out),
    }
}

/// The source of face `index` of a tile (faces: k below 16 and n below 16, then n from 16 on, then k from 16 on).
#[inline(always)]
fn face(values: &[f32], pitch: usize, index: usize) -> Face {
    let (k, n) = (index / 2 * FACE_DIM, index % 2 * FACE_DIM);
    let mut rows = [[0; FACE_DIM]; FACE_DIM];
    for (i, row) in rows.iter_mut().enumerate() {
        let at = (n + i) * pitch + k;
        for (bits, x) in row.iter_mut().zip(&values[at..at + FACE_DIM]) {
            *bits = x.to_bits();
        }
    }
    rows
}

#[inline(always)]
fn bfp_tile<const MAGNITUDE: u32>(values: &[f32], pitch: usize, out: &mut [u8]) {
    for index in 0..4 {
        let rows = face(values, pitch, index);
        put_face::<MAGNITUDE>(&rows, &shared_exponents(&rows), datum::<MAGNITUDE>, index, out);
    }
}

/// Writes face `index` of a tile: its exponents, and its datums as `datum` makes them.
#[inline(always)]
fn put_face<const MAGNITUDE: u32>(
    rows: &Face,
    shared: &Lanes,
    datum: impl Fn(u32, u32) -> u32,
    index: usize,
    out: &mut [u8],
) {
    let (exponents, datums) = out.split_at_mut(TILE_EXPONENTS);
    for (to, from) in exponents[index * FACE_DIM..(index + 1) * FACE_DIM].iter_mut().zip(shared) {
        *to = (from >> 23) as u8;
    }
    let mut words = [[0u32; FACE_DIM]; 4];
    for (g, word) in words.iter_mut().enumerate() {
        for j in 0..4 {
            let row = &rows[4 * g + j];
            for k in 0..FACE_DIM {
                word[k] |= datum(row[k], shared[k]) << (8 * j);
            }
        }
    }
    let bytes = FACE_DATUMS * (MAGNITUDE as usize + 1) / 8;
    let out = &mut datums[index * bytes..(index + 1) * bytes];
    match MAGNITUDE {
        7 => put_words(&words, out),
        3 => put_words(&[nibbles(&words[0], &words[1]), nibbles(&words[2], &words[3])], out),
        _ => {
            let (low, high) = (nibbles(&words[0], &words[1]), nibbles(&words[2], &words[3]));
            put_words(&[pairs(&low, &high)], out);
        }
    }
}

/// Four bytes with a nibble each, twice, to eight nibbles.
#[inline(always)]
fn nibbles(a: &Lanes, b: &Lanes) -> Lanes {
    let squeeze = |x: u32| {
        let x = (x | x >> 4) & 0x00FF_00FF;
        (x | x >> 8) & 0xFFFF
    };
    std::array::from_fn(|k| squeeze(a[k]) | squeeze(b[k]) << 16)
}

/// Eight nibbles with two bits each, twice, to sixteen pairs of bits.
#[inline(always)]
fn pairs(a: &Lanes, b: &Lanes) -> Lanes {
    let squeeze = |x: u32| {
        let x = (x | x >> 2) & 0x0F0F_0F0F;
        let x = (x | x >> 4) & 0x00FF_00FF;
        (x | x >> 8) & 0xFFFF
    };
    std::array::from_fn(|k| squeeze(a[k]) | squeeze(b[k]) << 16)
}

/// Writes the words of each lane side by side: `WORDS` words for k = 0, then for k = 1, and so on.
#[inline(always)]
fn put_words<const WORDS: usize>(words: &[Lanes; WORDS], out: &mut [u8]) {
    let (cells, _) = out.as_chunks_mut::<4>();
    for (k, cell) in cells.chunks_exact_mut(WORDS).enumerate() {
        for w in 0..WORDS {
            cell[w] = words[w][k].to_le_bytes();
        }
    }
}

/// Rounds to bfloat16: nearest, ties to even. Every NaN becomes the same one.
///
/// That is the vendor's `fp32_to_bf16_bits_round_to_nearest_even`.
#[inline(always)]
pub fn bf16(bits: u32) -> u32 {
    let rounded = bits.wrapping_add(0x7FFF + (bits >> 16 & 1)) >> 16;
    if bits & 0x7FFF_FFFF > EXPONENT_FIELD { BF16_NAN } else { rounded }
}

const EXPONENT_FIELD: u32 = 0x7F80_0000;
const BF16_NAN: u32 = 0x7FC0;

#[inline(always)]
fn bf16_tile(values: &[f32], pitch: usize, out: &mut [u8]) {
    for (index, out) in out.chunks_exact_mut(2 * FACE_DATUMS).take(4).enumerate() {
        let rows = face(values, pitch, index);
        let mut words = [[0u32; FACE_DIM]; 8];
        for (g, word) in words.iter_mut().enumerate() {
            for k in 0..FACE_DIM {
                word[k] = bf16(rows[2 * g][k]) | bf16(rows[2 * g + 1][k]) << 16;
            }
        }
        put_words(&words, out);
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
            let values: Vec<f32> = (0..1024).map(|_| {
                x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f32::from_bits(x & 0x83FF_FFFF | 0x3C00_0000)
            }).collect();
            for (format, magnitude) in
                [(WeightFormat::Bfp8, 7), (WeightFormat::Bfp4, 3), (WeightFormat::Bfp2, 1)]
            {
                let mut got = vec![0; format.tile_bytes()];
                tile(format, Rule::Vendor, &values, TILE_DIM, &mut got);
                prop_assert_eq!(&got, &by_hand(magnitude, &values), "{:?}", format);
            }
        }
    }

    #[test]
    fn bf16_is_that_of_the_half_crate() {
        for i in 0..1u32 << 20 {
            let bits = i.wrapping_mul(0x9E37_79B9);
            let value = f32::from_bits(bits);
            let want = if value.is_nan() { BF16_NAN } else { half::bf16::from_f32(value).to_bits().into() };
            assert_eq!(bf16(bits), want, "{bits:#010x}");
        }
    }
}
