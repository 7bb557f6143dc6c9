//! Layouts: from ggml's row-major matrices to the weight tiles that the matmul kernel streams.
//!
//! ggml's `src0` is `W[n][k]`, k contiguous. The kernel multiplies with tiles of K x N: element (k, n) of a tile is
//! `W[n][k]`. Tiles follow one another in the order `for batch, for n-tile, for k-tile`, padded with zeros to 32;
//! inside a tile the order is that of [`tt_isa::format`].
//!
//! [`pack`] works on 32 rows at a time: it dequantises them, rounds, and writes the tiles of that n-tile. Nothing
//! is ever expanded to single precision as a whole.

use half::f16;
use tt_isa::format::{FACE_DIM, TILE_DIM, tile_index};
use tt_kernel_abi::ElementType;

pub mod bfp;
pub mod dequant;

/// Formats of weight tiles.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum WeightFormat {
    /// bfloat16, 2048 bytes a tile.
    Bf16,
    /// BFP8_b, 1088 bytes a tile.
    Bfp8,
}

impl WeightFormat {
    /// The kernel's element type of such tiles.
    pub const fn element_type(self) -> ElementType {
        match self {
            WeightFormat::Bf16 => ElementType::TilesBf16,
            WeightFormat::Bfp8 => ElementType::TilesBfp8,
        }
    }

    /// Bytes of a tile.
    pub const fn tile_bytes(self) -> usize {
        self.element_type().block_bytes() as usize
    }
}

/// Bytes of the tiles of `matrices` matrices of n rows of k elements.
pub const fn packed_bytes(format: WeightFormat, k: usize, n: usize, matrices: usize) -> usize {
    k.div_ceil(TILE_DIM) * n.div_ceil(TILE_DIM) * matrices * format.tile_bytes()
}

/// Why a matrix cannot be packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LayoutError {
    /// The element type has no values to pack.
    #[error("{0:?} cannot be packed into weight tiles")]
    Type(ElementType),
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
}

/// Work below this many elements is not worth another thread.
const ELEMENTS_PER_THREAD: usize = 1 << 18;

/// Packs `matrices` contiguous matrices of `n` rows of `k` elements of type `ty`.
///
/// # Errors
/// The type cannot be packed, rows are no whole blocks, or the number of bytes is wrong.
pub fn pack(
    format: WeightFormat,
    ty: ElementType,
    rows: &[u8],
    k: usize,
    n: usize,
    matrices: usize,
) -> Result<Vec<u8>, LayoutError> {
    let block = ty.block_len() as usize;
    if ty.is_tiles() || matches!(ty, ElementType::I32 | ElementType::I64) {
        return Err(LayoutError::Type(ty));
    }
    if !k.is_multiple_of(block) {
        return Err(LayoutError::Blocks { k, block });
    }
    let row_bytes = k / block * ty.block_bytes() as usize;
    let want = row_bytes * n * matrices;
    if rows.len() != want {
        return Err(LayoutError::Size { got: rows.len(), want });
    }
    let mut out = vec![0; packed_bytes(format, k, n, matrices)];
    if out.is_empty() {
        return Ok(out);
    }
    let strip = k.div_ceil(TILE_DIM) * format.tile_bytes();
    let strips_per_matrix = n.div_ceil(TILE_DIM);
    // Strip i: up to 32 rows of one matrix.
    let source = |i: usize| {
        let (matrix, nt) = (i / strips_per_matrix, i % strips_per_matrix);
        let (first, last) = (nt * TILE_DIM, n.min((nt + 1) * TILE_DIM));
        &rows[(matrix * n + first) * row_bytes..(matrix * n + last) * row_bytes]
    };
    let threads = (k * n * matrices / ELEMENTS_PER_THREAD)
        .clamp(1, std::thread::available_parallelism().map_or(1, usize::from));
    let per_thread = (out.len() / strip).div_ceil(threads);
    std::thread::scope(|scope| {
        for (t, chunk) in out.chunks_mut(per_thread * strip).enumerate() {
            let mut work = move || {
                let mut values = vec![0.0; TILE_DIM * k.next_multiple_of(TILE_DIM)];
                for (i, tiles) in chunk.chunks_mut(strip).enumerate() {
                    pack_strip(format, ty, source(t * per_thread + i), k, &mut values, tiles);
                }
            };
            if threads == 1 { work() } else { drop(scope.spawn(work)) }
        }
    });
    Ok(out)
}

/// Packs up to 32 rows; `values` holds 32 rows of k elements, rounded up to tiles.
fn pack_strip(
    format: WeightFormat,
    ty: ElementType,
    rows: &[u8],
    k: usize,
    values: &mut [f32],
    tiles: &mut [u8],
) {
    let pitch = values.len() / TILE_DIM;
    values.fill(0.0);
    let row_bytes = k / ty.block_len() as usize * ty.block_bytes() as usize;
    if row_bytes > 0 {
        for (row, out) in rows.chunks_exact(row_bytes).zip(values.chunks_exact_mut(pitch)) {
            dequant::row(ty, row, &mut out[..k]);
        }
    }
    let mut tile = [0.0; TILE_DIM * TILE_DIM];
    for (kt, out) in tiles.chunks_exact_mut(format.tile_bytes()).enumerate() {
        for kk in 0..TILE_DIM {
            for half in 0..2 {
                let to = tile_index(kk, half * FACE_DIM);
                for c in 0..FACE_DIM {
                    tile[to + c] = values[(half * FACE_DIM + c) * pitch + kt * TILE_DIM + kk];
                }
            }
        }
        match format {
            WeightFormat::Bf16 => {
                for (b, x) in out.chunks_exact_mut(2).zip(tile) {
                    b.copy_from_slice(&half::bf16::from_f32(x).to_le_bytes());
                }
            }
            WeightFormat::Bfp8 => bfp::pack_bfp8_tile(&tile, out),
        }
    }
}

/// A half precision scale at the start of a quantised block.
fn scale(block: &[u8]) -> f32 {
    f16::from_le_bytes([block[0], block[1]]).to_f32()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_are_transposed_padded_and_in_order() {
        let (k, n) = (40, 35);
        let w = |n: usize, k: usize| (n * 100 + k) as f32 / 64.0;
        let rows: Vec<u8> = (0..n).flat_map(|i| (0..k).flat_map(move |j| w(i, j).to_le_bytes())).collect();
        let packed = pack(WeightFormat::Bf16, ElementType::F32, &rows, k, n, 1).unwrap();
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

    #[test]
    fn threads_change_nothing() {
        let (k, n) = (512, 2048);
        let rows: Vec<u8> =
            (0..k * n).flat_map(|i| ((i * 7919 % 1000) as f32 - 500.0).to_le_bytes()).collect();
        let all = pack(WeightFormat::Bfp8, ElementType::F32, &rows, k, n, 1).unwrap();
        let strip = 32 * k * 4;
        for i in [0, 17, 63] {
            let one =
                pack(WeightFormat::Bfp8, ElementType::F32, &rows[i * strip..][..strip], k, 32, 1).unwrap();
            assert_eq!(all[i * one.len()..][..one.len()], one);
        }
    }

    #[test]
    fn wrong_sizes_are_errors() {
        assert!(matches!(
            pack(WeightFormat::Bf16, ElementType::Q8_0, &[], 33, 1, 1),
            Err(LayoutError::Blocks { k: 33, block: 32 })
        ));
        assert!(matches!(
            pack(WeightFormat::Bf16, ElementType::F32, &[0; 3], 1, 1, 1),
            Err(LayoutError::Size { .. })
        ));
        assert!(matches!(
            pack(WeightFormat::Bf16, ElementType::I32, &[], 0, 0, 0),
            Err(LayoutError::Type(_))
        ));
    }
}
