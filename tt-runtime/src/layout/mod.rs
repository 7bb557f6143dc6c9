//! Layouts: from ggml's row-major matrices to the weight tiles that the matmul kernel streams.
//!
//! ggml's `src0` is `W[n][k]`, k contiguous. The kernel multiplies with tiles of K x N: element (k, n) of a tile is
//! `W[n][k]`. Tiles follow one another in the order `for batch, for n-tile, for k-tile`, padded with zeros to 32;
//! inside a tile the order is that of [`tt_isa::format`].
//!
//! A strip is 32 rows of a matrix: one row of tiles. Strips are independent of one another, so that any number of threads
//! can pack them ([`Matrices::pack_strips`]). Within a strip a few hundred columns at a time are dequantised, transposed
//! and packed while they are in the cache: nothing is ever expanded to single precision as a whole.
//!
//! | module | what |
//! |---|---|
//! | [`tt_kernel_quant::ggml_type`] | ggml's types: numbers, names, block sizes |
//! | [`tt_kernel_quant`] | blocks to single precision |
//! | [`pack()`] | single precision to tiles: TF32, BF16, BFP8_b, BFP4_b, BFP2_b |
//! | [`form`] | either of the two that follow |
//! | [`exact`] | blocks to streams of integers and scales, without rounding |
//! | [`error`] | what that costs: squared errors |
//! | [`hot`] | both, compiled for several instruction sets |

use std::ops::Range;

use tt_isa::format::{DataFormat, TILE_DIM};
use tt_kernel_abi::ElementType;

pub mod error;
pub mod exact;
pub mod form;
pub mod hot;
pub mod pack;
#[cfg(target_arch = "x86_64")]
mod products;

pub use error::Squares;
pub use form::Form;
pub use hot::Isa;
pub use tt_kernel_abi::GgmlType;

/// Formats of weight tiles.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum WeightFormat {
    /// Single precision rounded to the ten significant bits that the matrix unit takes from SrcA, 4096 bytes a tile.
    Tf32,
    /// bfloat16, 2048 bytes a tile.
    Bf16,
    /// BFP8_b, 1088 bytes a tile.
    Bfp8,
    /// BFP4_b, 576 bytes a tile.
    Bfp4,
    /// BFP2_b, 320 bytes a tile.
    Bfp2,
}

impl WeightFormat {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Tf32, Self::Bf16, Self::Bfp8, Self::Bfp4, Self::Bfp2];
    /// Those that are bit for bit the vendor's.
    pub const VENDORS: [Self; 4] = [Self::Bf16, Self::Bfp8, Self::Bfp4, Self::Bfp2];

    /// The hardware's format in memory.
    pub const fn data_format(self) -> DataFormat {
        match self {
            WeightFormat::Tf32 => DataFormat::Fp32,
            WeightFormat::Bf16 => DataFormat::Bf16,
            WeightFormat::Bfp8 => DataFormat::Bfp8,
            WeightFormat::Bfp4 => DataFormat::Bfp4,
            WeightFormat::Bfp2 => DataFormat::Bfp2,
        }
    }

    /// The kernel's element type of such tiles, if the kernel can read them.
    pub const fn element_type(self) -> Option<ElementType> {
        match self {
            WeightFormat::Tf32 => Some(ElementType::TilesF32),
            WeightFormat::Bf16 => Some(ElementType::TilesBf16),
            WeightFormat::Bfp8 => Some(ElementType::TilesBfp8),
            WeightFormat::Bfp4 => Some(ElementType::TilesBfp4),
            WeightFormat::Bfp2 => None,
        }
    }

    /// Bytes of a tile.
    pub const fn tile_bytes(self) -> usize {
        self.data_format().tile_bytes()
    }

    /// The name, if there is one the vendor's.
    pub const fn name(self) -> &'static str {
        match self {
            WeightFormat::Tf32 => "TF32",
            WeightFormat::Bf16 => "BF16",
            WeightFormat::Bfp8 => "BFP8_b",
            WeightFormat::Bfp4 => "BFP4_b",
            WeightFormat::Bfp2 => "BFP2_b",
        }
    }
}

/// How block-float exponents are chosen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Rule {
    /// As the vendor's host software does ([`pack::bfp`]).
    #[default]
    Vendor,
    /// The one with the smallest squared error ([`pack::search`]).
    Search,
}

/// What is to become of values.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Packing {
    /// Format of the tiles.
    pub format: WeightFormat,
    /// Choice of exponents.
    pub rule: Rule,
}

impl From<WeightFormat> for Packing {
    fn from(format: WeightFormat) -> Self {
        Self { format, rule: Rule::Vendor }
    }
}

/// Bytes that `matrices` matrices of n rows of k elements become.
pub fn packed_bytes(form: impl Into<Form>, k: usize, n: usize, matrices: usize) -> usize {
    n.div_ceil(TILE_DIM) * matrices * form.into().strip_bytes(k)
}

/// Why a matrix cannot be packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LayoutError {
    /// Rows are no whole blocks.
    #[error("rows of {k} elements are not whole blocks of {block}")]
    Blocks {
        /// Elements of a row.
        k: usize,
        /// Elements of a block.
        block: usize,
    },
    /// Too few or too many bytes.
    #[error("{got} bytes instead of {want}")]
    Size {
        /// Bytes given.
        got: usize,
        /// Bytes needed.
        want: usize,
    },
    /// The exact form of another type.
    #[error("matrices of type {} cannot be exact in this way", .0.name())]
    Kind(GgmlType),
}

/// Contiguous matrices of one type, row after row, matrix after matrix.
#[derive(Clone, Copy, Debug)]
pub struct Matrices<'a> {
    ty: GgmlType,
    bytes: &'a [u8],
    row_bytes: usize,
    k: usize,
    n: usize,
    matrices: usize,
}

impl<'a> Matrices<'a> {
    /// `matrices` matrices of `n` rows of `k` elements.
    ///
    /// # Errors
    /// Rows are no whole blocks, or the number of bytes is wrong.
    pub fn new(
        ty: GgmlType,
        bytes: &'a [u8],
        k: usize,
        n: usize,
        matrices: usize,
    ) -> Result<Self, LayoutError> {
        let row_bytes = ty.row_bytes(k).ok_or(LayoutError::Blocks { k, block: ty.block().0 })?;
        let want = row_bytes * n * matrices;
        if bytes.len() != want {
            return Err(LayoutError::Size { got: bytes.len(), want });
        }
        Ok(Self { ty, bytes, row_bytes, k, n, matrices })
    }

    /// Strips in all: rows of tiles.
    pub fn strips(&self) -> usize {
        if self.k == 0 { 0 } else { self.n.div_ceil(TILE_DIM) * self.matrices }
    }

    /// Bytes that a strip becomes.
    pub fn strip_bytes(&self, form: impl Into<Form>) -> usize {
        form.into().strip_bytes(self.k)
    }

    /// Packs some strips, one after the other, into `out`, which has just the size of what they become. How many values are not exact, where
    /// they are meant to be ([`exact`]).
    ///
    /// # Panics
    /// The form is the exact one of another type.
    pub fn pack_strips(
        &self,
        form: impl Into<Form>,
        isa: Isa,
        strips: Range<usize>,
        out: &mut [u8],
    ) -> usize {
        let packing = match form.into() {
            Form::Tiles(packing) => packing,
            Form::Exact(kind) => {
                assert_eq!(self.exact_kind(), Some(kind), "the exact form of {}", self.ty.name());
                return self.pack_exact_strips(isa, strips, out);
            }
        };
        let mut scratch = hot::scratch();
        let bytes = self.strip_bytes(packing);
        for (index, out) in strips.zip(out.chunks_exact_mut(bytes.max(1))) {
            isa.strip(packing, self, index, &mut scratch, out);
        }
        0
    }

    /// Rows of a strip, counted over all matrices.
    fn strip(&self, index: usize) -> Range<usize> {
        let per_matrix = self.n.div_ceil(TILE_DIM);
        let (matrix, first) = (index / per_matrix, index % per_matrix * TILE_DIM);
        matrix * self.n + first..matrix * self.n + self.n.min(first + TILE_DIM)
    }

    fn row(&self, index: usize) -> &'a [u8] {
        &self.bytes[index * self.row_bytes..(index + 1) * self.row_bytes]
    }
}

/// Work below this many elements is not worth another thread.
const ELEMENTS_PER_THREAD: usize = 1 << 18;

/// Packs whole matrices ([`Matrices::new`]), on as many threads as are worth it.
///
/// # Errors
/// Rows are no whole blocks, the number of bytes is wrong, or the form is the exact one of another type.
pub fn pack(
    form: impl Into<Form>,
    ty: GgmlType,
    bytes: &[u8],
    k: usize,
    n: usize,
    matrices: usize,
) -> Result<Vec<u8>, LayoutError> {
    let threads = (k * n * matrices / ELEMENTS_PER_THREAD)
        .clamp(1, std::thread::available_parallelism().map_or(1, usize::from));
    let source = Matrices::new(ty, bytes, k, n, matrices)?;
    let form = form.into();
    if matches!(form, Form::Exact(kind) if source.exact_kind() != Some(kind)) {
        return Err(LayoutError::Kind(ty));
    }
    let mut out = vec![0; packed_bytes(form, k, n, matrices)];
    pack_into(form, Isa::best(), &source, threads, &mut out);
    Ok(out)
}

/// Packs all strips of `source` into `out` on so many threads ([`Matrices::pack_strips`]).
pub fn pack_into(form: impl Into<Form>, isa: Isa, source: &Matrices<'_>, threads: usize, out: &mut [u8]) {
    let form = form.into();
    let per_thread = source.strips().div_ceil(threads).max(1);
    let bytes = per_thread * source.strip_bytes(form).max(1);
    std::thread::scope(|scope| {
        for (t, out) in out.chunks_mut(bytes).enumerate() {
            let first = t * per_thread;
            let mut work = move || {
                source.pack_strips(form, isa, first..first + per_thread, out);
            };
            if threads == 1 { work() } else { drop(scope.spawn(work)) }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_isa::format::tile_index;

    fn random(bytes: usize, mut x: u64) -> Vec<u8> {
        let mut next = || {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (x >> 56) as u8
        };
        (0..bytes).map(|_| next()).collect()
    }

    #[test]
    fn tiles_are_transposed_padded_and_in_order() {
        let (k, n) = (40, 35);
        let w = |n: usize, k: usize| (n * 100 + k) as f32 / 64.0;
        let rows: Vec<u8> = (0..n).flat_map(|i| (0..k).flat_map(move |j| w(i, j).to_le_bytes())).collect();
        let packed = pack(WeightFormat::Bf16, GgmlType::F32, &rows, k, n, 1).unwrap();
        assert_eq!(packed.len(), 4 * 2048);
        for nt in 0..2 {
            for kt in 0..2 {
                let tile = &packed[(nt * 2 + kt) * 2048..][..2048];
                for kk in 0..32 {
                    for nn in 0..32 {
                        let at = 2 * tile_index(kk, nn);
                        let got = half::bf16::from_le_bytes([tile[at], tile[at + 1]]);
                        let (i, j) = (nt * 32 + nn, kt * 32 + kk);
                        let want = if i < n && j < k { w(i, j) } else { 0.0 };
                        assert_eq!(got, half::bf16::from_f32(want), "n {i} k {j}");
                    }
                }
            }
        }
    }

    /// Every instruction set gives the same tiles for every type, format and rule; random bytes have infinite and NaN
    /// scales as well. (Which NaN an addition of two gives is open, so no two meet: minima are kept finite.)
    #[test]
    fn instruction_sets_agree() {
        // Miri runs a thousand times slower.
        let types = if cfg!(miri) { &[GgmlType::F32, GgmlType::Q8_0][..] } else { &GgmlType::ALL };
        for &ty in types {
            let (k, n) = if cfg!(miri) { (32, 33) } else { (ty.block().0.max(64) * 3, 45) };
            let mut bytes = random(ty.row_bytes(k).unwrap() * n * 2, 1 + ty as u64);
            if matches!(
                ty,
                GgmlType::Q4_1 | GgmlType::Q5_1 | GgmlType::Q2_K | GgmlType::Q4_K | GgmlType::Q5_K
            ) {
                let at = if ty == GgmlType::Q2_K { 83 } else { 3 };
                bytes.chunks_exact_mut(ty.block().1).for_each(|block| block[at] &= 0x3F);
            }
            let source = Matrices::new(ty, &bytes, k, n, 2).unwrap();
            for format in WeightFormat::ALL {
                for rule in if cfg!(miri) { &[Rule::Vendor][..] } else { &[Rule::Vendor, Rule::Search] } {
                    let packing = Packing { format, rule: *rule };
                    let tiles = Isa::available().into_iter().map(|isa| {
                        let mut out = vec![0; packed_bytes(format, k, n, 2)];
                        pack_into(packing, isa, &source, 1, &mut out);
                        (isa, out)
                    });
                    let tiles: Vec<_> = tiles.collect();
                    for (isa, other) in &tiles[1..] {
                        assert!(tiles[0].1 == *other, "{ty:?} {packing:?} {}", isa.name());
                    }
                }
            }
        }
    }

    #[test]
    fn threads_change_nothing() {
        let (k, n) = if cfg!(miri) { (64, 64) } else { (512, 2048) };
        let rows: Vec<u8> =
            (0..k * n).flat_map(|i| ((i * 7919 % 1000) as f32 - 500.0).to_le_bytes()).collect();
        let all = pack(WeightFormat::Bfp8, GgmlType::F32, &rows, k, n, 1).unwrap();
        let strip = 32 * k * 4;
        for i in [0, n / 120, n / 32 - 1] {
            let one = pack(WeightFormat::Bfp8, GgmlType::F32, &rows[i * strip..][..strip], k, 32, 1).unwrap();
            assert_eq!(all[i * one.len()..][..one.len()], one);
        }
    }

    #[test]
    fn wrong_sizes_are_errors() {
        assert!(matches!(
            pack(WeightFormat::Bf16, GgmlType::Q8_0, &[], 33, 1, 1),
            Err(LayoutError::Blocks { k: 33, block: 32 })
        ));
        assert!(matches!(
            pack(WeightFormat::Bf16, GgmlType::F32, &[0; 3], 1, 1, 1),
            Err(LayoutError::Size { .. })
        ));
        let exact = Form::exact(GgmlType::Q4_K).unwrap();
        assert_eq!(pack(exact, GgmlType::Q4_0, &[0; 18], 32, 1, 1), Err(LayoutError::Kind(GgmlType::Q4_0)));
        assert_eq!(pack(WeightFormat::Bfp8, GgmlType::F32, &[], 0, 0, 0), Ok(Vec::new()));
        assert_eq!(pack(exact, GgmlType::Q4_K, &[], 0, 7, 1), Ok(Vec::new()));
        assert_eq!(pack(WeightFormat::Bfp8, GgmlType::Q4_K, &[], 0, 7, 1), Ok(Vec::new()));
    }
}
