//! Rows of activations to the order that SrcB has them in, rounded to TF32, for a product whose tiles would each do the same for all of these rows.
//!
//! A lane waits for its own requests only.

use crate::rt::activations::{Place, place_row};
use crate::rt::heap;
use crate::rt::l1::{L1, fill};
use crate::rt::lane::Lane;
use crate::rt::mmio::order;
use crate::rt::tilize::Tiles;
use tt_kernel_abi::copy::{CopyParams, ORDERED_TILES};
use tt_kernel_abi::matmul::{GROUP_TILE_BYTES, HALF_ROW_BYTES, ROW_GROUP, TILE};
use tt_kernel_abi::target::{CONGRUENCE, offset};
use tt_kernel_abi::{DramAddr, TensorView};

/// Bytes of a tile.
const TILE_BYTES: u32 = TILE / ROW_GROUP * GROUP_TILE_BYTES;
/// Bytes of a staged row, with its alignment offset.
const STAGE: u32 = ORDERED_TILES * TILE * 4 + 2 * CONGRUENCE;

// It leaves the ring of weights alone.
const _: () = assert!(TILE * STAGE + ORDERED_TILES * TILE_BYTES + CONGRUENCE <= heap::KEPT_BYTES);

/// A piece of a row of tiles.
struct Piece {
    /// Matrix, row of tiles, tiles of K.
    batch: u32,
    row_tile: u32,
    tiles: Tiles,
    /// Rows that exist.
    rows: u32,
}

impl Piece {
    fn of(params: &CopyParams, src: &TensorView, number: u32) -> Self {
        let (k_tiles, row_tiles) = (src.ne[0].div_ceil(TILE), src.ne[1].div_ceil(TILE));
        let (row, piece) = (number / params.pieces.per_row, number % params.pieces.per_row);
        let (batch, row_tile) = (row / row_tiles, row % row_tiles);
        let first = piece * params.pieces.len;
        let tiles = Tiles { first, count: params.pieces.len.min(k_tiles - first) };
        Self { batch, row_tile, tiles, rows: TILE.min(src.ne[1] - row_tile * TILE) }
    }

    fn of_batch(&self, src: &TensorView, nb: &[u64; 4]) -> u64 {
        u64::from(self.batch % src.ne[2]) * nb[2] + u64::from(self.batch / src.ne[2]) * nb[3]
    }

    /// Where row `r` is in DRAM, and where it is staged.
    fn row<'a>(&self, src: &TensorView, stage: L1<'a>, r: u32) -> (u64, L1<'a>) {
        let elements = (self.tiles.count * TILE).min(src.ne[0] - self.tiles.first * TILE);
        let at = src.addr
            + self.of_batch(src, &src.nb)
            + u64::from(self.row_tile * TILE + r) * src.nb[1]
            + u64::from(self.tiles.first * TILE * 4);
        (at, stage.part(r * STAGE + offset(at), 4 * elements))
    }

    /// Brings the rows to L1, and zeroes `made` if some do not exist.
    fn fetch(&self, lane: &mut Lane, src: &TensorView, stage: L1, made: L1) {
        for r in 0..self.rows {
            let (at, to) = self.row(src, stage, r);
            lane.noc.read_dram(DramAddr(at), to);
        }
        if self.rows < TILE {
            fill(made.words(), 0);
        }
        lane.noc.wait_reads();
    }
}

/// Runs one lane: pieces of rows of tiles.
pub fn run(lane: &mut Lane, params: &CopyParams) {
    let (src, dst) = (&lane.launch.op.src0, &lane.launch.op.dst);
    let stage = lane.heap.take(TILE * STAGE);
    let room = lane.heap.take(ORDERED_TILES * TILE_BYTES);
    let (first, end) = lane.share(params.pieces.count);
    for number in first..end {
        lane.launch.progress(number);
        let piece = Piece::of(params, src, number);
        let made = room.part(0, piece.tiles.count * TILE_BYTES);
        piece.fetch(lane, src, stage, made);
        for r in 0..piece.rows {
            let first = r / ROW_GROUP * GROUP_TILE_BYTES + r % ROW_GROUP * HALF_ROW_BYTES;
            let to = Place { range: made, first, tiles: piece.tiles.count, tile_bytes: TILE_BYTES };
            place_row(piece.row(src, stage, r).1, &to);
        }
        order();
        let to = dst.addr
            + piece.of_batch(src, &dst.nb)
            + u64::from(piece.row_tile) * dst.nb[1]
            + u64::from(piece.tiles.first) * dst.nb[0];
        lane.noc.write_dram(made, DramAddr(to));
        lane.noc.wait_writes();
    }
}
