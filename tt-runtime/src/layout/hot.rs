//! The hot path: strips of 32 rows to tiles, compiled once for each instruction set.
//!
//! There is one implementation: decoders are plain loops ([`tt_kernel_quant`]), packers are written over sixteen lanes
//! ([`super::pack()`]). The functions here compile it with other instruction sets enabled; which one runs is decided by
//! what the processor says. Lane by lane integer and single precision arithmetic without fused operations gives
//! the same bits everywhere, and a test holds them to that.

#![allow(unsafe_code)]

use std::ops::Range;

use tt_isa::format::{FACE_DIM, TILE_DIM};
use tt_kernel_quant as quant;

use super::{GgmlType, Matrices, Packing, exact, pack};

/// Values of a row that are dequantised before they are packed: with 16 rows they fill 16 KiB, half a level 1 cache.
pub const CHUNK: usize = 256;

/// How an instruction set multiplies.
pub(super) type Products<L> = <L as pack::Lanes>::Products;

/// An instruction set that this processor has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Isa(Kind);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Isa {
    /// What every processor has.
    pub const PORTABLE: Self = Self(Kind::Portable);

    /// All that this processor has, best first.
    pub fn available() -> Vec<Self> {
        let mut found = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi2");
            let avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            if avx2 && avx512 {
                found.push(Self(Kind::Avx512));
            }
            if avx2 {
                found.push(Self(Kind::Avx2));
            }
        }
        found.push(Self::PORTABLE);
        found
    }

    /// The best one that this processor has.
    pub fn best() -> Self {
        static BEST: std::sync::OnceLock<Isa> = std::sync::OnceLock::new();
        *BEST.get_or_init(|| Self::available()[0])
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "AVX2",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "AVX-512",
        }
    }

    /// Single precision values of a row; `out` has as many elements as `row` encodes.
    pub fn dequantise(self, ty: GgmlType, row: &[u8], out: &mut [f32]) {
        match self.0 {
            Kind::Portable => quant::row::<Products<pack::Portable>>(ty, row, out),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: this value exists only where `available` has found these instructions.
            Kind::Avx2 => unsafe { row_avx2(ty, row, out) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Kind::Avx512 => unsafe { row_avx512(ty, row, out) },
        }
    }

    /// Packs strip `index`; `scratch` is [`scratch`], `out` has room for the strip's tiles.
    pub(super) fn strip(
        self,
        packing: Packing,
        source: &Matrices<'_>,
        index: usize,
        scratch: &mut [f32],
        out: &mut [u8],
    ) {
        match self.0 {
            Kind::Portable => strip_inline::<pack::Portable>(packing, source, index, scratch, out),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: this value exists only where `available` has found these instructions.
            Kind::Avx2 => unsafe { strip_avx2(packing, source, index, scratch, out) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Kind::Avx512 => unsafe { strip_avx512(packing, source, index, scratch, out) },
        }
    }
}

impl Isa {
    /// Packs strip `index` into `out`, which has room for the strip's stream ([`exact`]).
    pub(super) fn exact_strip(
        self,
        source: &Matrices<'_>,
        index: usize,
        scratch: &mut exact::Scratch,
        out: &mut [u8],
    ) {
        match self.0 {
            Kind::Portable => exact::strip_inline::<pack::Portable>(source, index, scratch, out),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: this value exists only where `available` has found these instructions.
            Kind::Avx2 => unsafe { exact_strip_avx2(source, index, scratch, out) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Kind::Avx512 => unsafe { exact_strip_avx512(source, index, scratch, out) },
        }
    }
}

/// Rows whose next chunk is fetched with each half tile of this one.
const ROWS_AHEAD: usize = FACE_DIM / (CHUNK / TILE_DIM);
/// Asks for the first `len` bytes.
#[inline(always)]
pub(super) fn prefetch(bytes: &[u8], len: usize) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    for at in (0..len.min(bytes.len())).step_by(64) {
        use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};
        /// What is longer goes to the level 2 cache only: the level 1 cache is in use.
        const SHORT: usize = 512;
        let line = bytes.as_ptr().wrapping_add(at).cast();
        // SAFETY: a hint; every x86-64 has it, and the address is of a byte that exists.
        unsafe {
            if len <= SHORT { _mm_prefetch::<_MM_HINT_T0>(line) } else { _mm_prefetch::<_MM_HINT_T1>(line) }
        };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = (bytes, len);
}

/// Room for a chunk of 16 rows.
pub(super) fn scratch() -> Vec<f32> {
    vec![0.0; FACE_DIM * CHUNK]
}

/// A chunk of a strip: up to [`CHUNK`] columns of its rows.
struct Chunk<'a> {
    source: &'a Matrices<'a>,
    rows: Range<usize>,
    columns: usize,
    /// Bytes of a row that they are.
    bytes: Range<usize>,
}

impl Chunk<'_> {
    /// The rows that half `half` of its tiles take.
    fn half(&self, half: usize) -> Range<usize> {
        let first = self.rows.end.min(self.rows.start + half * FACE_DIM);
        first..self.rows.end.min(first + FACE_DIM)
    }

    /// Rows are far apart: what the next chunk wants of some of them is fetched while this one's tile number `tile` is packed.
    #[inline(always)]
    fn prefetch_next(&self, half: usize, tile: usize) {
        for row in self.half(half).skip(tile * ROWS_AHEAD).take(ROWS_AHEAD) {
            prefetch(&self.source.row(row)[self.bytes.end..], self.bytes.len());
        }
    }

    /// Packs from the values that ggml has, if they are single precision and need no padding.
    #[inline(always)]
    fn pack_as_it_is<L: pack::Lanes>(&self, packing: Packing, out: &mut [u8]) {
        let pitch = self.source.row_bytes;
        let halves =
            [0, 1].map(|half| &self.source.bytes[self.half(half).start * pitch + self.bytes.start..]);
        for (i, out) in out.chunks_exact_mut(packing.format.tile_bytes()).enumerate() {
            for (half, bytes) in halves.into_iter().enumerate() {
                self.prefetch_next(half, i);
                let rows = pack::Bytes { bytes: &bytes[4 * i * TILE_DIM..], pitch };
                pack::half_tile::<L>(packing.format, packing.rule, rows, half, out);
            }
        }
    }

    /// Dequantises sixteen rows, and packs the halves of tiles that they are.
    #[inline(always)]
    fn pack_half<L: pack::Lanes>(&self, packing: Packing, half: usize, scratch: &mut [f32], out: &mut [u8]) {
        let rows = self.half(half);
        if self.columns < CHUNK || rows.len() < FACE_DIM {
            // Padding: columns beyond k, rows beyond n.
            scratch.fill(0.0);
        }
        for (row, values) in rows.zip(scratch.chunks_exact_mut(CHUNK)) {
            let bytes = &self.source.row(row)[self.bytes.clone()];
            quant::row::<Products<L>>(self.source.ty, bytes, &mut values[..self.columns]);
        }
        for (i, out) in out.chunks_exact_mut(packing.format.tile_bytes()).enumerate() {
            self.prefetch_next(half, i);
            let rows = pack::Floats { values: &scratch[i * TILE_DIM..], pitch: CHUNK };
            pack::half_tile::<L>(packing.format, packing.rule, rows, half, out);
        }
    }
}

#[inline(always)]
fn strip_inline<L: pack::Lanes>(
    packing: Packing,
    source: &Matrices<'_>,
    index: usize,
    scratch: &mut [f32],
    out: &mut [u8],
) {
    let rows = source.strip(index);
    let (len, bytes) = source.ty.block();
    let tiles_per_chunk = CHUNK / TILE_DIM;
    for (chunk, out) in out.chunks_mut(tiles_per_chunk * packing.format.tile_bytes()).enumerate() {
        let first = chunk * CHUNK;
        let columns = CHUNK.min(source.k - first);
        let bytes = first / len * bytes..(first + columns) / len * bytes;
        let chunk = Chunk { source, rows: rows.clone(), columns, bytes };
        let whole = columns.is_multiple_of(TILE_DIM) && rows.len() == TILE_DIM;
        if source.ty == GgmlType::F32 && whole {
            chunk.pack_as_it_is::<L>(packing, out);
            continue;
        }
        for half in 0..2 {
            chunk.pack_half::<L>(packing, half, scratch, out);
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi2")]
fn row_avx2(ty: GgmlType, row: &[u8], out: &mut [f32]) {
    quant::row::<Products<pack::Avx2>>(ty, row, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi2,avx512f,avx512bw,avx512dq,avx512vl")]
fn row_avx512(ty: GgmlType, row: &[u8], out: &mut [f32]) {
    quant::row::<Products<pack::Avx512>>(ty, row, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi2")]
fn strip_avx2(packing: Packing, source: &Matrices<'_>, index: usize, scratch: &mut [f32], out: &mut [u8]) {
    strip_inline::<pack::Avx2>(packing, source, index, scratch, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi2,avx512f,avx512bw,avx512dq,avx512vl")]
fn strip_avx512(packing: Packing, source: &Matrices<'_>, index: usize, scratch: &mut [f32], out: &mut [u8]) {
    strip_inline::<pack::Avx512>(packing, source, index, scratch, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi2")]
fn exact_strip_avx2(source: &Matrices<'_>, index: usize, scratch: &mut exact::Scratch, out: &mut [u8]) {
    exact::strip_inline::<pack::Avx2>(source, index, scratch, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi2,avx512f,avx512bw,avx512dq,avx512vl")]
fn exact_strip_avx512(source: &Matrices<'_>, index: usize, scratch: &mut exact::Scratch, out: &mut [u8]) {
    exact::strip_inline::<pack::Avx512>(source, index, scratch, out);
}
