//! Matrices without a second rounding: from ggml's blocks to the stream of integers and scales that [`tt_kernel_quant::exact`] describes.
//!
//! A strip, 32 rows of ggml's matrix, is an n-tile. Its groups are made one after the other: each row's part of a group is taken apart, the integers
//! of 32 rows are transposed tile by tile, 16 x 16 bytes at a time, and words and outer factors get their places behind them. The integers of a group,
//! 8 KiB, stay in the cache in between. There is no single precision number on the way but scales.

use std::ops::Range;

use tt_isa::format::{FACE_DATUMS, FACE_DIM, TILE_DIM, tile_index};
use tt_kernel_quant::exact::parts::{self, take_apart};
use tt_kernel_quant::exact::{CELLS, COLUMNS, Factors, GROUP_TILES, INTEGER_BYTES, Kind, half, value};

use super::hot::{Products, prefetch};
use super::{Form, Isa, Matrices, pack::Lanes};

/// Columns of ggml's matrix in a group.
const GROUP: usize = GROUP_TILES * TILE_DIM;

/// Bytes of a word's cell.
const CELL: usize = size_of::<u32>();

/// What a group's rows are taken apart into.
pub(super) struct Scratch {
    integers: Box<[[u8; GROUP]; COLUMNS]>,
    words: [[u32; COLUMNS]; GROUP_TILES],
    outer: [[f32; COLUMNS]; 2],
}

impl Scratch {
    pub(super) fn new() -> Self {
        Self {
            integers: Box::new([[0; GROUP]; COLUMNS]),
            words: [[0; COLUMNS]; GROUP_TILES],
            outer: [[0.0; COLUMNS]; 2],
        }
    }

    /// Zeros, for rows and k-tiles that there are none of.
    fn clear(&mut self) {
        self.integers.fill([0; GROUP]);
        self.words.fill([0; COLUMNS]);
        self.outer.fill([0.0; COLUMNS]);
    }
}

impl Matrices<'_> {
    /// What the words of its stream are; `None` if its type cannot be exact.
    pub const fn exact_kind(&self) -> Option<Kind> {
        Kind::of(self.ty)
    }

    /// A number that no magnitude is larger than in strips that have become `packed`: infinity for tiles, no number where a scale is none. It is made of the largest scale and the largest minimum,
    /// so it may be some times as large as need be.
    pub fn largest(&self, form: impl Into<Form>, packed: &[u8]) -> f32 {
        let Form::Exact(kind) = form.into() else { return f32::INFINITY };
        let [of_scale, of_min] = parts::largest(self.ty);
        let strips = packed.chunks(kind.column_bytes(self.k.div_ceil(TILE_DIM)).max(1));
        let groups = strips.flat_map(|strip| strip.chunks(kind.group_bytes(GROUP_TILES)));
        let factors = groups.map(|group| &group[group.len() - kind.group_bytes(0)..]);
        factors.fold(0.0, |largest, factors| {
            let [scale, min] = largest_factors(kind, factors);
            let of_group = scale * of_scale + min * of_min;
            // (What is no number stays.)
            if of_group <= largest || largest.is_nan() { largest } else { of_group }
        })
    }

    /// Packs some strips, one after the other, into `out`, which has just the size of their streams. How many of their values are
    /// not exact: -128 of `Q8_0`, which becomes -127.
    pub(super) fn pack_exact_strips(&self, isa: Isa, strips: Range<usize>, out: &mut [u8]) -> usize {
        let mut scratch = Scratch::new();
        let Some(kind) = self.exact_kind() else { return 0 };
        let bytes = kind.column_bytes(self.k.div_ceil(TILE_DIM));
        let mut rounded = 0;
        for (index, out) in strips.zip(out.chunks_exact_mut(bytes.max(1))) {
            isa.exact_strip(self, index, &mut scratch, out);
            let rows = self.strip(index);
            let bytes = &self.bytes[rows.start * self.row_bytes..rows.end * self.row_bytes];
            rounded += parts::rounded(self.ty, bytes);
        }
        rounded
    }
}

/// The largest magnitudes of scales and of minima in a group's words and outer factors.
fn largest_factors(kind: Kind, factors: &[u8]) -> [f32; 2] {
    let cells = factors.as_chunks::<CELL>().0;
    let (words, outer) = cells.split_at(kind.word_rows() * CELLS);
    // Magnitudes are in the order of their bits, numbers that are none behind all others.
    let largest = |cells: &[[u8; CELL]], shift: u32, bits: u32| {
        cells.iter().fold(0, |largest, cell| (u32::from_le_bytes(*cell) >> shift & bits).max(largest))
    };
    let single = |cells| f32::from_bits(largest(cells, 0, u32::MAX >> 1));
    let halves = || [0, 16].map(|shift| half(largest(words, shift, u32::from(u16::MAX >> 1)) as u16));
    match kind {
        Kind::Scale => [single(words), 0.0],
        Kind::ScaleMin => halves(),
        Kind::TwoScales => [halves()[0].max(halves()[1]), 0.0],
        Kind::SuperTwo => [single(outer), 0.0],
        Kind::SuperMin | Kind::SuperFour => [single(&outer[..COLUMNS]), single(&outer[COLUMNS..])],
    }
}

/// Packs a strip with the instruction set of the caller.
#[inline(always)]
pub(super) fn strip_inline<L: Lanes>(
    source: &Matrices<'_>,
    index: usize,
    scratch: &mut Scratch,
    out: &mut [u8],
) {
    let Some(kind) = source.exact_kind() else { return };
    let rows = source.strip(index);
    let (len, block) = source.ty.block();
    let whole_groups = source.k.is_multiple_of(GROUP) && rows.len() == COLUMNS;
    for (group, out) in out.chunks_mut(kind.group_bytes(GROUP_TILES)).enumerate() {
        let first = group * GROUP;
        let columns = GROUP.min(source.k - first);
        if !whole_groups {
            scratch.clear();
        }
        let bytes = first / len * block..(first + columns) / len * block;
        for (column, row) in rows.clone().enumerate() {
            let blocks = source.row(row);
            prefetch(&blocks[bytes.end..], bytes.len());
            take_row_apart::<L>(source, &blocks[bytes.clone()], columns, column, scratch);
        }
        let (integers, factors) = out.split_at_mut(columns.div_ceil(TILE_DIM) * INTEGER_BYTES);
        for (tile, out) in integers.chunks_exact_mut(INTEGER_BYTES).enumerate() {
            put_integers::<L>(&scratch.integers, tile, out);
        }
        put_factors(kind, scratch, factors);
    }
}

/// Takes a row's part of a group apart: column `column` of the group.
#[inline(always)]
fn take_row_apart<L: Lanes>(
    source: &Matrices<'_>,
    blocks: &[u8],
    columns: usize,
    column: usize,
    scratch: &mut Scratch,
) {
    let mut factors = Factors::default();
    let integers = &mut scratch.integers[column];
    match columns {
        // A length that the compiler knows.
        GROUP => take_apart::<Products<L>>(source.ty, blocks, integers, &mut factors),
        _ => take_apart::<Products<L>>(source.ty, blocks, &mut integers[..columns], &mut factors),
    }
    for (words, word) in scratch.words.iter_mut().zip(factors.words) {
        words[column] = word;
    }
    for (outer, factor) in scratch.outer.iter_mut().zip(factors.outer) {
        outer[column] = factor;
    }
}

/// Integers of a k-tile, face by face: rows of a face are columns of ggml's matrix.
#[inline(always)]
fn put_integers<L: Lanes>(integers: &[[u8; GROUP]; COLUMNS], tile: usize, out: &mut [u8]) {
    for (face, out) in out.as_chunks_mut::<FACE_DATUMS>().0.iter_mut().enumerate() {
        let (k, n) = (tile * TILE_DIM + face / 2 * FACE_DIM, face % 2 * FACE_DIM);
        let (columns, at) = (&integers[n..n + FACE_DIM], k / FACE_DIM);
        L::transpose_bytes(|row| &columns[row].as_chunks().0[at], out);
    }
}

/// Words in their cells, and outer factors.
#[inline(always)]
fn put_factors(kind: Kind, scratch: &Scratch, out: &mut [u8]) {
    let (cells, outer) = out.split_at_mut(kind.word_rows() * CELLS * CELL);
    cells.fill(0);
    let cells = cells.as_chunks_mut::<CELL>().0;
    for (tile, words) in scratch.words.iter().enumerate() {
        for (half, words) in words.as_chunks::<CELLS>().0.iter().enumerate() {
            let (first, above) = kind.place(tile, half * CELLS);
            for (cell, word) in cells[first..first + CELLS].iter_mut().zip(words) {
                *cell = (u32::from_le_bytes(*cell) | word << (8 * kind.word_bytes() * above)).to_le_bytes();
            }
        }
    }
    let factors = scratch.outer.as_flattened();
    for (out, factor) in outer.as_chunks_mut().0.iter_mut().zip(factors) {
        *out = f32::to_le_bytes(*factor);
    }
}

/// Single precision values of a strip of `k` columns, row after row, from its stream: bit for bit ggml's `to_float`, but for the values that
/// [`Matrices::pack_strips`] counts.
///
/// # Panics
/// `stream` is not [`Kind::column_bytes`] long.
pub fn unpack_exact(kind: Kind, k: usize, stream: &[u8]) -> Vec<f32> {
    assert_eq!(stream.len(), kind.column_bytes(k.div_ceil(TILE_DIM)), "bytes of a strip");
    let mut out = vec![0.0; COLUMNS * k];
    for (group, bytes) in stream.chunks(kind.group_bytes(GROUP_TILES)).enumerate() {
        let first = group * GROUP;
        let columns = GROUP.min(k - first);
        let (integers, rest) = bytes.split_at(columns.div_ceil(TILE_DIM) * INTEGER_BYTES);
        for n in 0..COLUMNS {
            let factors = factors_at(kind, rest, n);
            for at in 0..columns {
                let datum = integers[at / TILE_DIM * INTEGER_BYTES + tile_index(at % TILE_DIM, n)];
                out[n * k + first + at] = value(kind, &factors, at, datum);
            }
        }
    }
    out
}

/// Factors of column `n` of a group, from what is behind its integers.
fn factors_at(kind: Kind, bytes: &[u8], n: usize) -> Factors {
    let cells = bytes.as_chunks::<CELL>().0;
    let width = 8 * kind.word_bytes();
    let mut factors = Factors::default();
    for (tile, word) in factors.words.iter_mut().enumerate() {
        let (cell, above) = kind.place(tile, n);
        *word = (u32::from_le_bytes(cells[cell]) >> (width * above)) & u32::MAX >> (32 - width);
    }
    for (i, outer) in factors.outer.iter_mut().take(kind.outer()).enumerate() {
        *outer = f32::from_le_bytes(cells[kind.word_rows() * CELLS + i * COLUMNS + n]);
    }
    factors
}

#[cfg(test)]
mod tests;
