//! NCRISC: queries from DRAM to L1, a token's at a time, and sums of values from L1 to DRAM, over NoC 1.

use super::{Places, units};
use crate::rt::l1::fill;
use crate::rt::launch::TileLaunch;
use crate::rt::noc::{Noc, Pairs, Pieces};
use crate::rt::sync::{ACTS_READY, OUT_FREE, OUT_READY};
use tt_isa::format::FACE_DIM;
use tt_kernel_abi::DramAddr;
use tt_kernel_abi::attention_rows::{AttentionRowsParams, IDENTITY, Unit};
use tt_kernel_abi::matmul::{F16_BIAS, GROUP_FACE_BYTES, GROUP_TILE_BYTES, HALF_ROW_BYTES, ROW_GROUP, TILE};
use tt_kernel_abi::sfpu::BLOCK_BYTES;

/// 2^[`F16_BIAS`] as a pattern.
const BIASED_ONE: u32 = (F16_BIAS + 127) << 23;

/// Runs NCRISC's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &AttentionRowsParams) {
    let mut queue = Queue { places: Places { launch, params }, noc: Noc::new(1), fetched: 0 };
    let mut before = None;
    let mut written = 0;
    for unit in units(launch, params) {
        for head in unit.head..unit.head + params.heads {
            queue.fetch(&unit, head);
            if let Some((unit, head)) = before.replace((unit, head)) {
                queue.write(&unit, head, written);
                written += 1;
            }
        }
    }
    if let Some((unit, head)) = before {
        queue.write(&unit, head, written);
    }
}

/// What masks are multiplied with.
fn identity(launch: &TileLaunch) {
    let tile = launch.l1(IDENTITY, BLOCK_BYTES);
    fill(tile.words(), 0);
    for i in 0..TILE {
        let column = i % FACE_DIM as u32;
        let face = i / FACE_DIM as u32;
        tile.part(row_of_tile(i) + face * GROUP_FACE_BYTES + 4 * column, 4).words()[0].store(BIASED_ONE);
    }
}

/// Where the first half of a row of a tile is, in SrcB's order, which is Dst's, too.
fn row_of_tile(row: u32) -> u32 {
    row / ROW_GROUP * GROUP_TILE_BYTES + row % ROW_GROUP * HALF_ROW_BYTES
}

/// Queries on their way in, and results on their way out.
struct Queue<'a> {
    places: Places<'a>,
    noc: Noc,
    /// Walks whose queries are there.
    fetched: u32,
}

impl Queue<'_> {
    /// Brings a head's queries. The walk two before, which had them in the same place, is written.
    #[inline(never)]
    fn fetch(&mut self, unit: &Unit, head: u32) {
        let q = &self.places.launch.op.src0;
        self.places.launch.progress(self.fetched);
        let at = q.addr
            + u64::from(unit.token) * q.nb[1]
            + u64::from(head) * q.nb[2]
            + u64::from(unit.batch) * q.nb[3];
        let bytes = self.places.params.query_row();
        let to = self.places.queries_in(self.fetched);
        let pieces = Pieces { count: unit.tokens, stride: q.nb[1], bytes, pitch: bytes };
        self.noc.read_pieces(DramAddr(at), &pieces, to);
        // Missing tokens are the last one once more: the unpacker takes whole tiles.
        let last = at + u64::from(unit.tokens - 1) * q.nb[1];
        let pieces = Pieces { count: TILE - unit.tokens, stride: 0, ..pieces };
        self.noc.read_pieces(DramAddr(last), &pieces, to.skip(unit.tokens * bytes));
        if self.fetched == 0 {
            // While the first queries are on their way.
            identity(self.places.launch);
        }
        self.noc.wait_reads();
        self.fetched += 1;
        ACTS_READY.publish(self.fetched);
    }

    /// Writes the result of walk `walk`.
    #[inline(never)]
    fn write(&mut self, unit: &Unit, head: u32, walk: u32) {
        let (dst, params) = (&self.places.launch.op.dst, self.places.params);
        let pairs = Pairs {
            count: params.value_tiles,
            pitch: BLOCK_BYTES,
            second: GROUP_FACE_BYTES,
            bytes: HALF_ROW_BYTES,
        };
        let mut to = dst.addr
            + u64::from(unit.part * params.value_tiles * 2 * HALF_ROW_BYTES)
            + u64::from(head) * dst.nb[1]
            + u64::from(unit.token) * dst.nb[2]
            + u64::from(unit.batch) * dst.nb[3];
        OUT_READY.wait(walk + 1);
        let sums = self.places.all_sums();
        for row in 0..unit.tokens {
            self.noc.write_pairs(sums.skip(row_of_tile(row)), &pairs, DramAddr(to));
            to += dst.nb[2];
        }
        self.noc.wait_writes();
        OUT_FREE.publish(walk + 1);
    }
}
