//! NCRISC: blocks of activations, from DRAM or from the tile that reads them for others; and results to DRAM.

use super::{plan, results};
use crate::rt::handout::{Handout, Members, Ring};
use crate::rt::launch::TileLaunch;
use crate::rt::noc::Noc;
use crate::rt::sync::{ACTS_FREE, ACTS_READY, OUT_FREE, OUT_READY};
use tt_kernel_abi::DramAddr;
use tt_kernel_abi::matmul::{ROW_GROUP, TILE};
use tt_kernel_abi::matmul_block::{
    ACT_TILE_BYTES, ACTS_CREDITS, ACTS_FLAG, ACTS_SCRATCH, Block, BlockParams, OUT_ROW_BYTES, Plan, is_spread,
};
use tt_kernel_abi::order::OrderParams;

/// Blocks of activations.
pub fn ring(plan: &Plan) -> Ring {
    Ring {
        first: plan.acts(),
        bytes: plan.acts_slot(),
        slots: plan.acts_slots(),
        credits: ACTS_CREDITS,
        flag: ACTS_FLAG,
        scratch: ACTS_SCRATCH,
        ready: ACTS_READY,
        free: ACTS_FREE,
    }
}

/// Runs NCRISC's part.
pub fn run(launch: &TileLaunch, params: &BlockParams) {
    let Some(plan) = plan(launch, params) else { return };
    let mut noc = Noc::new(1);
    let members = if is_spread(params.row_tiles) { Members::column() } else { Members::all() };
    let mut stream = Handout::new(&noc, ring(&plan), members, plan.acts_blocks());
    let [columns, rows, ..] = launch.op.dst.ne;
    let order = (params.sides() == 2).then(|| OrderParams::of([columns, rows]));
    let mut results = Results { launch, plan, number: 0, written: 0, row: 0, order };
    let src1 = &launch.op.src1;
    while !(stream.is_done() && results.is_done()) {
        let did = stream.step(&mut noc, &mut |noc, number, slot| {
            launch.progress(number);
            let (of, slice) = plan.of_acts_block(number);
            let (block, (first, count)) = (plan.block(of), plan.slice(slice));
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

/// Results on their way to DRAM, a group of rows at a time. They lie in L1 row by row ([`crate::rt::pack::pack_rows`]).
struct Results<'a> {
    launch: &'a TileLaunch<'a>,
    plan: Plan,
    /// Number of the block.
    number: u32,
    /// Blocks written before it.
    written: u32,
    /// Its next row.
    row: u32,
    /// Of gated units: where the tiles go, among the activations of the product that comes next.
    order: Option<OrderParams>,
}

impl Results<'_> {
    fn is_done(&self) -> bool {
        self.number == self.plan.blocks()
    }

    /// Sends the tiles of a block of gated units.
    fn send_tiles(&self, noc: &mut Noc, block: &Block, order: &OrderParams) {
        let from = results(self.launch, self.written);
        for tile in 0..block.rows * block.columns {
            let (row, column) = (tile / block.columns, tile % block.columns);
            let to = order.offset(block.row + row, block.column + column);
            let dst = DramAddr(self.launch.op.dst.addr + u64::from(to));
            noc.write_dram(from.part(tile * ACT_TILE_BYTES, ACT_TILE_BYTES), dst);
        }
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
        let rows = match self.order {
            Some(_) => block.rows * TILE,
            None => (block.rows * TILE).min(self.launch.op.dst.ne[1] - block.row * TILE),
        };
        if let Some(order) = &self.order
            && self.row < rows
        {
            self.send_tiles(noc, &block, order);
            self.row = rows;
            return;
        }
        let dst = &self.launch.op.dst;
        if self.row < rows {
            // Not all at once: activations that others wait for go first.
            let end = rows.min(self.row + ROW_GROUP);
            let (from, bytes) = (results(self.launch, self.written), block.columns * OUT_ROW_BYTES);
            let mut to = dst.addr
                + u64::from(block.row * TILE + self.row) * dst.nb[1]
                + u64::from(block.column * OUT_ROW_BYTES);
            for row in self.row..end {
                noc.write_dram(from.part(row * bytes, bytes), DramAddr(to));
                to += dst.nb[1];
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
