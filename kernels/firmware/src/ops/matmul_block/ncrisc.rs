//! NCRISC: blocks of activations, from DRAM or from the tile that reads them for others; and results to DRAM.

use super::{plan, results};
use crate::rt::handout::{Handout, Members, Ring};
use crate::rt::launch::TileLaunch;
use crate::rt::noc::{Noc, Pairs};
use crate::rt::sync::{ACTS_FREE, ACTS_READY, OUT_FREE, OUT_READY};
use tt_kernel_abi::DramAddr;
use tt_kernel_abi::matmul::{GROUP_FACE_BYTES, GROUP_TILE_BYTES, HALF_ROW_BYTES, ROW_GROUP, TILE};
use tt_kernel_abi::matmul_block::{
    ACT_TILE_BYTES, ACTS, ACTS_CREDITS, ACTS_FLAG, ACTS_SCRATCH, ACTS_SLOT, ACTS_SLOTS, BlockParams,
    OUT_TILE_BYTES, Plan, is_spread,
};

/// Blocks of activations.
pub const RING: Ring = Ring {
    first: ACTS,
    bytes: ACTS_SLOT,
    slots: ACTS_SLOTS,
    credits: ACTS_CREDITS,
    flag: ACTS_FLAG,
    scratch: ACTS_SCRATCH,
    ready: ACTS_READY,
    free: ACTS_FREE,
};

/// Runs NCRISC's part.
pub fn run(launch: &TileLaunch, params: &BlockParams) {
    let Some(plan) = plan(launch, params) else { return };
    let mut noc = Noc::new(1);
    let members = if is_spread(params.row_tiles) { Members::column() } else { Members::all() };
    let total = plan.blocks_with_rows() * plan.depths();
    let mut stream = Handout::new(&noc, &RING, members, total);
    let mut results = Results { launch, plan, number: 0, written: 0, row: 0 };
    let src1 = &launch.op.src1;
    while !(stream.is_done() && results.is_done()) {
        let did = stream.step(&mut noc, &mut |noc, number, slot| {
            launch.progress(number);
            let block = plan.block(number / plan.depths());
            let (first, count) = plan.slice(number % plan.depths());
            let bytes = count * block.rows * ACT_TILE_BYTES;
            noc.read_dram(DramAddr(src1.addr + plan.activations(&block, first)), slot.part(0, bytes));
            bytes
        });
        if !did {
            results.step(&mut noc);
        }
    }
    stream.finish(&mut noc);
}

/// Results on their way to DRAM, a group of rows at a time.
struct Results<'a> {
    launch: &'a TileLaunch<'a>,
    plan: Plan,
    /// Number of the block.
    number: u32,
    /// Blocks written before it.
    written: u32,
    /// Its next row.
    row: u32,
}

impl Results<'_> {
    fn is_done(&self) -> bool {
        self.number == self.plan.blocks()
    }

    /// Goes on, if there is something to go on with.
    #[inline(never)]
    fn step(&mut self, noc: &mut Noc) {
        if self.is_done() {
            return;
        }
        let block = self.plan.block(self.number);
        if block.rows == 0 || block.columns == 0 {
            self.number += 1;
            return;
        }
        if !OUT_READY.has_reached(self.written + 1) {
            return;
        }
        let dst = &self.launch.op.dst;
        let rows = (block.rows * TILE).min(dst.ne[1] - block.row * TILE);
        if self.row < rows {
            // Rows of a group at once: what is called in turn does not fit into the instruction cache.
            let end = rows.min(self.row + ROW_GROUP);
            let from = results(self.launch, self.written);
            let pairs = Pairs {
                count: block.columns,
                pitch: OUT_TILE_BYTES,
                second: GROUP_FACE_BYTES,
                bytes: HALF_ROW_BYTES,
            };
            let (tile, group) = (self.row / TILE, self.row % TILE / ROW_GROUP);
            let mut at = tile * block.columns * OUT_TILE_BYTES + group * GROUP_TILE_BYTES;
            let mut to = dst.addr
                + u64::from(block.row * TILE + self.row) * dst.nb[1]
                + u64::from(block.column * TILE) * 4;
            for _ in self.row..end {
                noc.write_pairs(from.skip(at), &pairs, DramAddr(to));
                (at, to) = (at + HALF_ROW_BYTES, to + dst.nb[1]);
            }
            self.row = end;
            return;
        }
        if noc.are_writes_there() {
            self.written += 1;
            OUT_FREE.publish(self.written);
            (self.row, self.number) = (0, self.number + 1);
        }
    }
}
