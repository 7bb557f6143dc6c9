//! A row-major matrix to tiles, once for all products with it.
//!
//! ```text
//! DRAM -> rows of a block in L1 -> FP32 tiles in L1 -> their places in the DRAM banks' shards
//! ```

use crate::rt::l1::fill;
use crate::rt::lane::Lane;
use crate::rt::mmio::order;
use crate::rt::tilize::{Matrix, Tiles};
use tt_kernel_abi::copy::CopyParams;
use tt_kernel_abi::elementwise::Piece;
use tt_kernel_abi::matmul::{TILE, WEIGHT_STAGE_BYTES, block_tiles};
use tt_kernel_abi::{ElementType, Shard, Shards};

/// Runs one lane: blocks of tiles, each from rows of its own.
pub fn run(lane: &mut Lane, params: &CopyParams, from: ElementType) {
    let (src, dst) = (&lane.launch.op.src0, &lane.launch.op.dst);
    let tile_bytes = dst.nb[0] as u32;
    let stage = lane.heap.take(WEIGHT_STAGE_BYTES);
    let room = lane.heap.take(block_tiles(from) * tile_bytes);
    let matrix = Matrix::new(src, from);
    let (first, end) = lane.share(params.pieces.count);
    for number in first..end {
        lane.launch.progress(number);
        // A row of pieces is a row of tiles.
        let (row, piece) = (number / params.pieces.per_row, number % params.pieces.per_row);
        let n_tiles = dst.ne[1].div_ceil(TILE);
        let (batch, n_tile) = (row / n_tiles, row % n_tiles);
        let at = Piece {
            row: [0, batch % dst.ne[2], batch / dst.ne[2]],
            first: piece * params.pieces.len,
            len: 0,
        };
        let k_tiles = dst.ne[0].div_ceil(TILE);
        let tiles = Tiles { first: at.first, count: params.pieces.len.min(k_tiles - at.first) };
        let offset = |nb: &[u64; 4]| u64::from(at.row[1]) * nb[2] + u64::from(at.row[2]) * nb[3];
        let block = matrix.block(offset(&src.nb), n_tile, tiles);
        matrix.fetch(&mut lane.noc, &block, stage);
        let made = room.part(0, tiles.count * tile_bytes);
        if block.rows() < TILE {
            fill(made.words(), 0);
        }
        lane.noc.wait_reads();
        matrix.convert(&block, stage, made);
        order();
        let shards = Shards::of_matrix(dst, offset(&dst.nb), lane.noc.banks());
        let to = u64::from(n_tile) * dst.nb[1] + u64::from(tiles.first) * dst.nb[0];
        lane.noc.write_shards(&shards, &mut Shard::default(), to, made);
        lane.noc.wait_writes();
    }
}
