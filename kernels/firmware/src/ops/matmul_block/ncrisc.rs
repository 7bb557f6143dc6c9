//! NCRISC: blocks of activations, from DRAM or from the tile that reads them for others; addends to where results will be; and results to DRAM.

use super::{addend, plan, results};
use crate::rt::handout::{self, Handout, MOST_IN_FLIGHT, Members, Ring};
use crate::rt::launch::TileLaunch;
use crate::rt::noc::Noc;
use crate::rt::sync::{ACTS_FREE, ACTS_READY, ADDENDS_READY, OUT_FREE, OUT_READY};
use tt_kernel_abi::dram::DRAM_PAGE;
use tt_kernel_abi::launch::ErrorCode;
use tt_kernel_abi::matmul::{ROW_GROUP, TILE, row_block_tiles};
use tt_kernel_abi::matmul_block::{
    ACT_TILE_BYTES, ACTS_CREDITS, ACTS_FLAGS, ACTS_SCRATCH, Block, BlockParams, OUT_ROW_BYTES, OUT_SLOTS,
    Plan, is_spread,
};
use tt_kernel_abi::order::OrderParams;
use tt_kernel_abi::{DramAddr, ElementType, TensorView};

/// Transaction id of reads of addends. (Those before it are [`Handout`]'s.)
const ADDENDS: u32 = MOST_IN_FLIGHT + 1;

/// Blocks of activations that are on their way from DRAM at the same time, if they are longer than [`SHORT_SLOT`].
const IN_FLIGHT: u32 = 3;
/// Bytes of a short block: one tile of rows, as much of K as a slot of the ring of weights has.
const SHORT_SLOT: u32 = row_block_tiles(ElementType::TilesBfp4) * ACT_TILE_BYTES;

/// Blocks of activations.
pub fn ring(plan: &Plan) -> Ring {
    Ring {
        first: plan.acts(),
        bytes: plan.acts_slot(),
        slots: plan.acts_slots(),
        in_flight: if plan.acts_slot() <= SHORT_SLOT { MOST_IN_FLIGHT } else { IN_FLIGHT },
        credits: ACTS_CREDITS,
        flags: ACTS_FLAGS,
        scratch: ACTS_SCRATCH,
        ready: ACTS_READY,
        free: ACTS_FREE,
    }
}

/// Runs NCRISC's part.
pub fn run(launch: &TileLaunch, params: &BlockParams) {
    let Some(plan) = plan(launch, params) else {
        return launch.fail(ErrorCode::BadDescriptor, launch.op.cores, 0);
    };
    let mut noc = Noc::new(1);
    let members = if is_spread(params.row_tiles) { Members::column() } else { Members::all() };
    let blocks = match params.kept {
        0 => plan.acts_blocks(),
        _ => {
            ACTS_READY.publish(plan.acts_blocks());
            0
        }
    };
    let mut stream = Handout::new(&noc, ring(&plan), members, blocks);
    let [columns, rows, ..] = launch.op.dst.ne;
    let order = (params.sides() == 2).then(|| OrderParams::of([columns, rows]));
    let (first, turn) = (first_row(launch), Turn { first: 0, rows: 0 });
    let mut results = Results { launch, plan, number: 0, written: 0, row: 0, first, turn, order };
    let addends = addend(launch);
    let mut addends =
        addends.map(|view| Addends { launch, plan, view, number: 0, there: 0, row: 0, first, turn });
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
            if let Some(addends) = &mut addends {
                addends.step(&mut noc, results.written);
            }
            results.step(&mut noc);
        }
    }
    if addends.is_some() {
        noc.set_read_id(0);
    }
    stream.finish(&mut noc);
}

/// Place in DRAM of a row of a block, of the result or of what it is added to: this has one row for all, or as many as the result.
fn row_of(view: &TensorView, block: &Block, row: u32) -> u64 {
    let first = view.addr + u64::from(block.column * OUT_ROW_BYTES);
    if view.ne[1] == 1 { first } else { first + u64::from(block.row * TILE + row) * view.nb[1] }
}

/// In which order a tile goes through the rows of a block. Many tiles have the same rows, of other columns, and one row after the other in step would all ask one bank at a time: each begins
/// with another row, a page or more further on.
#[derive(Clone, Copy)]
struct Turn {
    first: u32,
    rows: u32,
}

impl Turn {
    /// Of `rows` rows, from what [`first_row`] gives on. (Cores take tens of clocks for a division: once for a block.)
    fn new(first: u32, rows: u32) -> Self {
        Self { first: first % rows, rows }
    }

    fn row(self, number: u32) -> u32 {
        let row = self.first + number;
        if row < self.rows { row } else { row - self.rows }
    }
}

/// How many rows further than others this tile begins.
fn first_row(launch: &TileLaunch) -> u32 {
    let [[x, y], _] = handout::place();
    let of_page = DRAM_PAGE / (launch.op.dst.nb[1] as u32).max(1);
    (x + y) * of_page.max(1)
}

/// Rows of a block that the result has, of tiles that may have more.
fn rows_of(launch: &TileLaunch, block: &Block) -> u32 {
    (block.rows * TILE).min(launch.op.dst.ne[1] - block.row * TILE)
}

/// Addends on their way from DRAM to the slot of their block of results, a group of rows at a time. The next group is asked for when that one is there: weights and activations, which the
/// matrix unit waits for, share the banks with them.
struct Addends<'a> {
    launch: &'a TileLaunch<'a>,
    plan: Plan,
    view: &'a TensorView,
    /// Number of the block.
    number: u32,
    /// Blocks before it whose addends are there.
    there: u32,
    /// Its next row, by number in its turn.
    row: u32,
    /// Where this tile's turns begin, and that of the block.
    first: u32,
    turn: Turn,
}

impl Addends<'_> {
    /// Goes on, if there is something to go on with; so many blocks of results have been written.
    #[inline(never)]
    fn step(&mut self, noc: &mut Noc, written: u32) {
        if self.number == self.plan.blocks() || self.there == written + OUT_SLOTS {
            return;
        }
        let block = self.plan.block(self.number);
        if block.rows == 0 || block.columns == 0 {
            self.number += 1;
            return;
        }
        if !noc.has_read_id(ADDENDS) {
            return;
        }
        let rows = rows_of(self.launch, &block);
        if self.row == rows {
            self.there += 1;
            ADDENDS_READY.publish(self.there);
            (self.row, self.number) = (0, self.number + 1);
            return;
        }
        if self.row == 0 {
            self.turn = Turn::new(self.first, rows);
        }
        let (end, turn) = (rows.min(self.row + ROW_GROUP), self.turn);
        let (to, bytes) = (results(self.launch, self.there), block.columns * OUT_ROW_BYTES);
        noc.set_read_id(ADDENDS);
        for row in (self.row..end).map(|number| turn.row(number)) {
            noc.read_dram(DramAddr(row_of(self.view, &block, row)), to.part(row * bytes, bytes));
        }
        self.row = end;
    }
}

/// Results on their way to DRAM, a group of rows at a time. They lie in L1 row by row ([`crate::rt::pack::pack_rows`]).
struct Results<'a> {
    launch: &'a TileLaunch<'a>,
    plan: Plan,
    /// Number of the block.
    number: u32,
    /// Blocks written before it.
    written: u32,
    /// Its next row, by number in its turn.
    row: u32,
    /// Where this tile's turns begin, and that of the block.
    first: u32,
    turn: Turn,
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
            None => rows_of(self.launch, &block),
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
            if self.row == 0 {
                self.turn = Turn::new(self.first, rows);
            }
            let turn = self.turn;
            for row in (self.row..end).map(|number| turn.row(number)) {
                noc.write_dram(from.part(row * bytes, bytes), DramAddr(row_of(dst, &block, row)));
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
