//! Row-major matrices to FP32 tiles as SrcA takes them, in integer arithmetic (the cores have no FPU).
//!
//! A row of the matrix becomes a column of K x N tiles: element k of the row goes to row k of the tile, so the transposition
//! that the matrix unit needs costs nothing. A matrix that is a transposed view is read by the rows that lie in memory: each brings 32
//! elements of a row of the tile. The number formats are in [`tt_kernel_numerics::num`].
#![allow(unsafe_code)]

use super::l1::{L1, Shared, fill, load, outside, store};
use super::noc::{Noc, Pieces};
use super::rows::decode;
use tt_isa::format::FACE_DIM;
use tt_kernel_abi::matmul::{
    HALVES_PIECE, HALVES_ROW, TILE, WEIGHT_STAGE_PIECE, WEIGHT_STAGE_ROW, block_tiles,
};
use tt_kernel_abi::target::{CONGRUENCE, offset};
use tt_kernel_abi::{DramAddr, ElementType, TensorView};
use tt_kernel_numerics::num::{Scale, f16_for_srca, round_for_srca};

/// A range of k-tiles.
#[derive(Clone, Copy)]
pub struct Tiles {
    /// First tile.
    pub first: u32,
    /// Number of tiles.
    pub count: u32,
}

impl Tiles {
    /// Cuts the range into pieces of at most `size`.
    pub fn pieces(self, size: u32) -> impl Iterator<Item = Tiles> {
        let end = self.first + self.count;
        (self.first..end)
            .step_by(size as usize)
            .map(move |first| Tiles { first, count: size.min(end - first) })
    }
}

/// A matrix whose rows, or columns, lie side by side.
pub struct Matrix<'a> {
    view: &'a TensorView,
    ty: ElementType,
    /// Elements and bytes of the type's blocks.
    len: u32,
    bytes: u32,
    by_column: bool,
    /// Bytes from a piece of a row, or of a column, to the next one in L1.
    pitches: [u32; 2],
}

/// Some tiles of 32 rows of a [`Matrix`].
#[derive(Clone, Copy)]
pub struct Block {
    tiles: Tiles,
    addr: u64,
    /// Rows, at most 32.
    rows: u32,
    /// Elements of a row that exist: the last tile of K may be partial.
    count: u32,
}

impl Block {
    /// Rows, at most 32.
    pub fn rows(&self) -> u32 {
        self.rows
    }
}

impl<'a> Matrix<'a> {
    /// The matrices of `view`, whose type is `ty`.
    pub fn new(view: &'a TensorView, ty: ElementType) -> Self {
        let (len, bytes) = (ty.block_len(), ty.block_bytes());
        let by_column = view.nb[0] != u64::from(bytes);
        Self { view, ty, len, bytes, by_column, pitches: [WEIGHT_STAGE_ROW, WEIGHT_STAGE_PIECE] }
    }

    /// The same, of half-precision matrices that the unpacker takes as they lie.
    pub fn of_halves(view: &'a TensorView, ty: ElementType) -> Self {
        Self { pitches: [HALVES_ROW, HALVES_PIECE], ..Self::new(view, ty) }
    }

    /// Tiles `tiles` of the rows of tile `n_tile` in the matrix `offset` bytes behind the first.
    pub fn block(&self, offset: u64, n_tile: u32, tiles: Tiles) -> Block {
        let (view, n, k) = (self.view, n_tile * TILE, tiles.first * TILE);
        // Strides between neighbours in memory are those of blocks.
        let (n_step, k_step) = match self.by_column {
            true => (n / self.len, k),
            false => (n, k / self.len),
        };
        Block {
            tiles,
            addr: view.addr + offset + u64::from(n_step) * view.nb[1] + u64::from(k_step) * view.nb[0],
            rows: TILE.min(view.ne[1] - n),
            count: (tiles.count * TILE).min(view.ne[0] - tiles.first * TILE),
        }
    }

    /// The pieces of memory that a block is.
    fn pieces(&self, block: &Block) -> Pieces {
        let (count, stride, elements, pitch) = match self.by_column {
            true => (block.count, self.view.nb[0], block.rows, self.pitches[1]),
            false => (block.rows, self.view.nb[1], block.count, self.pitches[0]),
        };
        Pieces { count, stride, bytes: elements / self.len * self.bytes, pitch }
    }

    /// Starts to read a block to `stage`. The NoC wants the offset modulo 32 to be that of the source.
    pub fn fetch(&self, noc: &mut Noc, block: &Block, stage: L1) {
        let pieces = self.pieces(block);
        match pieces.stride.is_multiple_of(u64::from(CONGRUENCE)) {
            true => noc.read_pieces(DramAddr(block.addr), &pieces, stage.skip(offset(block.addr))),
            false => pieces.each(block.addr, stage, |_, addr, to| noc.read_dram(DramAddr(addr), to)),
        }
    }

    /// Zeroes what a block of halves lacks to whole tiles, where it is fetched to.
    #[inline(never)]
    pub fn complete(&self, block: &Block, stage: L1) {
        let pieces = self.pieces(block);
        let padded = block.tiles.count * TILE;
        let (count, bytes) = if self.by_column { (padded, 2 * TILE) } else { (TILE, 2 * padded) };
        let piece = |i: u32| stage.part(i * pieces.pitch + offset(block.addr), bytes);
        if pieces.bytes < bytes {
            (0..pieces.count).for_each(|i| fill(piece(i).skip(pieces.bytes).elements::<u16>(), 0));
        }
        (pieces.count..count).for_each(|i| fill(piece(i).words(), 0));
    }

    /// Makes FP32 tiles in `to` of the block in `stage`. Columns of tiles for which there is no row stay what they are.
    pub fn convert(&self, block: &Block, stage: L1, to: L1) {
        let pieces = self.pieces(block);
        let tiles = Tiled::new(to, block.tiles.count);
        let padded = block.tiles.count * TILE;
        pieces.each(block.addr, stage, |i, _, piece| match self.by_column {
            true => convert_columns(self.ty, piece, tiles.row(i), block.rows),
            false => convert_row(self.ty, piece, tiles.column(i), block.count, padded),
        });
        if self.by_column {
            (pieces.count..padded).for_each(|k| convert_columns(self.ty, L1::EMPTY, tiles.row(k), 0));
        }
    }
}

/// Rows and columns of a face.
const FACE: u32 = FACE_DIM as u32;
/// Bytes of a row of a face.
const ROW_BYTES: u32 = 4 * FACE;
/// Bytes of a face.
const FACE_BYTES: u32 = FACE * ROW_BYTES;
/// Bytes of a tile: two faces with k below 16, and two with the others.
const TILE_BYTES: u32 = ElementType::TilesF32.block_bytes();

/// Whole FP32 tiles, side by side. Their rows and columns are those of a [`Block`], which has no more elements than its tiles.
struct Tiled {
    at: u32,
}

impl Tiled {
    fn new(range: L1, count: u32) -> Self {
        let range = range.part(0, count * TILE_BYTES);
        if !range.address().is_multiple_of(4) {
            outside();
        }
        Self { at: range.address() }
    }

    /// Row `k`.
    #[inline(always)]
    fn row(&self, k: u32) -> Row {
        let at = self.at + k / TILE * TILE_BYTES + k % TILE / FACE * (2 * FACE_BYTES) + k % FACE * ROW_BYTES;
        Row { at, column: 0 }
    }

    /// Column `i` of the first tile, and of those that follow.
    #[inline(always)]
    fn column(&self, i: u32) -> Column {
        Column { at: self.at + i / FACE * FACE_BYTES + i % FACE * 4, k: 0 }
    }
}

/// Walks down a column of tiles, 16 floats from row to row, face after face.
struct Column {
    at: u32,
    k: u32,
}

impl Column {
    #[inline(always)]
    fn put(&mut self, value: u32) {
        // SAFETY: the tiles are there as a whole, and a row of a block has no more elements than they.
        unsafe { store(self.at, value) };
        self.k += 1;
        // Rows 0..15 are in one face, 16..31 two faces further, then comes the next tile.
        self.at += if self.k.is_multiple_of(FACE) { ROW_BYTES + FACE_BYTES } else { ROW_BYTES };
    }
}

/// Converts a row, the `count` elements in `from`, into a column of tiles and fills up with zeros to `padded` elements. Quantised rows consist
/// of whole blocks.
#[inline(never)]
fn convert_row(ty: ElementType, from: L1, mut column: Column, count: u32, padded: u32) {
    match ty {
        ElementType::F32 => from.words().iter().for_each(|word| column.put(round_for_srca(word.load()))),
        ElementType::F16 => each_half(from, |half| column.put(f16_for_srca(half))),
        ElementType::BF16 => each_half(from, |half| column.put(half << 16)),
        ElementType::Q8_0 => each_block(from, ty, |scale, quants| q8_0(&mut column, scale, quants)),
        ElementType::Q4_0 => each_block(from, ty, |scale, quants| q4_0(&mut column, scale, quants)),
        _ => decoded(ty, from, count, |value| column.put(value)),
    }
    for _ in count..padded {
        column.put(0);
    }
}

/// Converts a row in memory, the `count` elements in `from`, into a row of 32 columns of a tile, zeros behind them.
#[inline(never)]
fn convert_columns(ty: ElementType, from: L1, mut row: Row, count: u32) {
    match ty {
        ElementType::F16 => each_half(from, |half| row.put(f16_for_srca(half))),
        ElementType::BF16 => each_half(from, |half| row.put(half << 16)),
        ElementType::F32 => from.words().iter().for_each(|word| row.put(round_for_srca(word.load()))),
        _ => decoded(ty, from, count, |value| row.put(value)),
    }
    (count..TILE).for_each(|_| row.put(0));
}

/// Walks along a row of a tile: 16 floats in one face, 16 in the next.
struct Row {
    at: u32,
    column: u32,
}

impl Row {
    #[inline(always)]
    fn put(&mut self, value: u32) {
        // SAFETY: the tile is there as a whole, and a block has no more rows than it.
        unsafe { store(self.at, value) };
        self.column += 1;
        self.at += if self.column == FACE { FACE_BYTES - ROW_BYTES + 4 } else { 4 };
    }
}

/// Most elements of quantised rows that are decoded at once: those of a block of tiles.
const DECODED: usize = (BLOCK_TILES * TILE) as usize;
/// k-tiles of a block of FP32 tiles.
const BLOCK_TILES: u32 = block_tiles(ElementType::F32);

/// Gives the values of whole blocks of a quantised type to `f`, rounded for SrcA.
fn decoded(ty: ElementType, from: L1, count: u32, mut f: impl FnMut(u32)) {
    let Some(ty) = ty.quantised() else { return };
    let mut values = [0.0; DECODED];
    let Some(values) = values.get_mut(..count as usize) else { return };
    decode(ty, from, values);
    values.iter().for_each(|value| f(round_for_srca(value.to_bits())));
}

/// Gives the half words of a range to `f`; two come with one load.
#[inline(always)]
fn each_half(from: L1, mut f: impl FnMut(u32)) {
    let (mut at, end) = (from.address(), from.address() + (from.len() & !1));
    if !at.is_multiple_of(2) {
        outside();
    }
    // SAFETY: what is loaded lies between `at` and `end`, inside of the range: half words at even addresses.
    let half = |at: u32| -> u32 { unsafe { load::<u16>(at) }.into() };
    if at & 2 != 0 && at < end {
        f(half(at));
        at += 2;
    }
    while at + 2 < end {
        // SAFETY: as above; words at multiples of 4.
        let two: u32 = unsafe { load(at) };
        f(two & 0xFFFF);
        f(two >> 16);
        at += 4;
    }
    if at < end {
        f(half(at));
    }
}

/// Gives scale and quants of each block to `f`: an F16, and bytes.
#[inline(always)]
fn each_block(from: L1, ty: ElementType, mut f: impl FnMut(Scale, &[Shared<u8>])) {
    const SCALE_BYTES: u32 = 2;
    let bytes = ty.block_bytes();
    for block in 0..from.len() / bytes {
        let block = from.part(block * bytes, bytes);
        let scale = block.part(0, SCALE_BYTES).elements::<u16>();
        f(Scale::new(scale[0].load().into()), block.skip(SCALE_BYTES).elements());
    }
}

fn q8_0(column: &mut Column, scale: Scale, quants: &[Shared<u8>]) {
    for quant in quants {
        column.put(scale.times(i32::from(quant.load() as i8)));
    }
}

/// Not in line: sixteen copies would be what the compiler made of the loop.
#[inline(never)]
fn times(scale: Scale, quant: i32) -> u32 {
    scale.times(quant)
}

fn q4_0(column: &mut Column, scale: Scale, quants: &[Shared<u8>]) {
    let mut values = [0; 16];
    for (quant, value) in (-8..).zip(values.iter_mut()) {
        *value = times(scale, quant);
    }
    for shift in [0, 4] {
        for pair in quants {
            column.put(values[usize::from(pair.load() >> shift) & 15]);
        }
    }
}
