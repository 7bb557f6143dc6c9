//! Streams of every type, against `to_float`.

use super::*;
use crate::layout::{Form, GgmlType, WeightFormat, packed_bytes};

/// Rows of random blocks. Half precision numbers are kept finite where that makes a difference: where they are added, and where -128 is another value.
fn random_rows(ty: GgmlType, k: usize, rows: usize) -> Vec<u8> {
    let mut x = 1 + ty as u64;
    let mut bytes = vec![0; ty.row_bytes(k).unwrap() * rows];
    for byte in &mut bytes {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *byte = (x >> 56) as u8;
    }
    let scales: &[usize] = match ty {
        GgmlType::Q4_1 | GgmlType::Q5_1 => &[1, 3],
        GgmlType::Q8_0 => &[1],
        _ => &[],
    };
    for block in bytes.chunks_exact_mut(ty.block().1) {
        scales.iter().for_each(|&at| block[at] &= 0xBF);
    }
    bytes
}

/// Shapes: whole groups, a group that is not whole, and rows that do not fill a strip.
fn shapes(ty: GgmlType) -> [(usize, usize, usize); 3] {
    let block = ty.block().0.max(64);
    [(512, 64, 1), (block * 5, 33, 2), (block, 7, 1)]
}

fn types() -> impl Iterator<Item = (GgmlType, Kind)> {
    // Miri runs a thousand times slower.
    let tried = |ty: &GgmlType| !cfg!(miri) || *ty == GgmlType::Q4_1;
    GgmlType::ALL.into_iter().filter(tried).filter_map(|ty| Some((ty, Kind::of(ty)?)))
}

#[test]
fn streams_are_what_ggml_has() {
    for (ty, kind) in types() {
        let mut all_rounded = 0;
        for (k, n, count) in shapes(ty) {
            let bytes = random_rows(ty, k, n * count);
            let source = Matrices::new(ty, &bytes, k, n, count).unwrap();
            let strip = source.strip_bytes(Form::Exact(kind));
            let mut stream = vec![0xA5; strip * source.strips()];
            let rounded = source.pack_strips(Form::Exact(kind), Isa::best(), 0..source.strips(), &mut stream);
            let mut different = 0;
            for (index, stream) in stream.chunks_exact(strip).enumerate() {
                let got = unpack_exact(kind, k, stream);
                let rows = source.strip(index);
                assert!(got[rows.len() * k..].iter().all(|x| x.to_bits() == 0), "{ty:?}: padding");
                for (row, got) in rows.zip(got.chunks_exact(k)) {
                    let mut want = vec![0.0; k];
                    Isa::PORTABLE.dequantise(ty, source.row(row), &mut want);
                    let same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
                    different += got.iter().zip(&want).filter(|pair| !same(*pair)).count();
                }
            }
            assert_eq!(different, rounded, "{ty:?} {k} x {n}: values that are others");
            all_rounded += rounded;
        }
        assert_eq!(all_rounded > 0, ty == GgmlType::Q8_0, "{ty:?}: random bytes have -128");
    }
}

#[test]
fn instruction_sets_agree() {
    for (ty, kind) in types() {
        for (k, n, count) in shapes(ty) {
            let bytes = random_rows(ty, k, n * count);
            let source = Matrices::new(ty, &bytes, k, n, count).unwrap();
            let streams: Vec<_> = Isa::available()
                .into_iter()
                .map(|isa| {
                    let mut out = vec![0; source.strip_bytes(Form::Exact(kind)) * source.strips()];
                    source.pack_strips(Form::Exact(kind), isa, 0..source.strips(), &mut out);
                    out
                })
                .collect();
            assert!(streams.iter().all(|stream| *stream == streams[0]), "{ty:?} {k} x {n}");
        }
    }
}

/// Bytes that do not belong to the last group's k-tiles are zeros, whatever was there.
#[test]
fn words_of_tiles_that_are_not_there_are_zeros() {
    let kind = Kind::Scale;
    let bytes = random_rows(GgmlType::Q4_0, 32 * 9, 32);
    let source = Matrices::new(GgmlType::Q4_0, &bytes, 32 * 9, 32, 1).unwrap();
    let mut stream = vec![0xFF; source.strip_bytes(Form::Exact(kind))];
    source.pack_strips(Form::Exact(kind), Isa::best(), 0..1, &mut stream);
    let last = &stream[Kind::Scale.group_bytes(GROUP_TILES)..];
    assert_eq!(last.len(), Kind::Scale.group_bytes(1));
    let rows = last[INTEGER_BYTES..].chunks_exact(CELLS * CELL);
    let has_words: Vec<bool> = rows.map(|row| row.iter().any(|&byte| byte != 0)).collect();
    let want: Vec<bool> = (0..16).map(|row| row == 0 || row == 4).collect();
    assert_eq!(has_words, want, "the first of four k-tiles' words, of both halves of the columns");
}

/// A place for exact weights has room for BFP8_b tiles as well.
#[test]
fn block_float_tiles_are_never_larger() {
    for (ty, kind) in types() {
        for k in (ty.block().0..4096).step_by(ty.block().0) {
            let tiles = packed_bytes(WeightFormat::Bfp8, k, COLUMNS, 1);
            assert!(tiles <= kind.column_bytes(k.div_ceil(TILE_DIM)), "{ty:?} {k}");
        }
    }
}

/// Every magnitude is within the bound, which is some times as large at most: where scales have factors, these are taken for the largest that there are.
#[test]
fn no_magnitude_is_larger_than_the_bound() {
    for (ty, kind) in types() {
        let form = Form::Exact(kind);
        for (k, n, count) in shapes(ty) {
            let bytes = random_rows(ty, k, n * count);
            let source = Matrices::new(ty, &bytes, k, n, count).unwrap();
            let mut stream = vec![0; source.strip_bytes(form) * source.strips()];
            source.pack_strips(form, Isa::best(), 0..source.strips(), &mut stream);
            let bound = source.largest(form, &stream);
            let values =
                stream.chunks(source.strip_bytes(form)).flat_map(|strip| form.unpack_strip(k, strip));
            let largest = values.fold(0f32, |largest, x| largest.max(x.abs()));
            println!("{ty:?} {k} x {n}: {largest:e} of {bound:e}");
            assert!(
                bound >= largest || bound.is_nan(),
                "{ty:?} {k} x {n}: {largest:e} is more than {bound:e}"
            );
        }
    }
    let tiles = Matrices::new(GgmlType::F32, &[0; 128], 32, 1, 1).unwrap();
    assert_eq!(tiles.largest(WeightFormat::Bf16, &[0; 2048]), f32::INFINITY);
}
