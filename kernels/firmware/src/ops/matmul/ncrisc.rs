//! NCRISC: activations from DRAM to L1, results from L1 to DRAM, over NoC 1.
//!
//! A row of src1 is read as it lies (any 4-byte aligned address, the NoC takes the offset modulo 32 along into
//! staging) and copied word by word into SrcB's order, rounded to TF32 on the way. Rows of a group of 8 that do
//! not exist are left as they are: rows of Dst do not influence each other, and theirs is never written out.

use super::finish::{FACE, Finish, HALF_ROW, columns};
use super::group;
use super::plan::{Plan, Unit};
use crate::rt::launch::Launch;
use crate::rt::mmio::{load, store};
use crate::rt::noc::Noc;
use crate::rt::sync::{ACTS_FREE, ACTS_READY, OUT_FREE, OUT_READY};
use crate::rt::tilize::Tiles;
use tt_kernel_abi::matmul::{
    ACT, ACT_STAGE, ACT_STAGE_BYTES, ACT_STAGE_TILES, GROUP_TILE_BYTES, Groups, MatmulParams, OUT_STAGE,
    OUT_STAGE_ROW, ROW_GROUP, TILE,
};
use tt_kernel_abi::target::{offset, write_offset};
use tt_kernel_abi::{DramAddr, OpDescriptor};

/// Runs NCRISC's part.
pub fn run(launch: &Launch, params: &MatmulParams) {
    let mut noc = Noc::new(1);
    if params.ids > 0 {
        group::sort(&mut noc, launch, Groups::new(params.ids, launch.op.src0.ne[2]));
    }
    let Some(mut plan) = Plan::new(launch, params) else { return };
    // The host checks functions.
    let finish = Finish::of(launch.op, params).unwrap_or(Finish::Copy);
    let mut loads = 0;
    while let Some(unit) = plan.next() {
        launch.progress(unit.number);
        if plan.loads(&unit) {
            for chunk in plan.chunks() {
                ACTS_FREE.wait(loads);
                gather(&mut noc, launch.op, &unit, chunk);
                loads += 1;
                ACTS_READY.publish(loads);
            }
        }
        if !unit.is_last_side {
            continue;
        }
        finish.prepare(&mut noc, launch.op, &unit);
        OUT_READY.wait(unit.number + 1);
        noc.wait_reads();
        write_result(&mut noc, launch.op, &unit, finish);
    }
    noc.wait_writes();
}

/// A piece of a row of src1 on its way to L1.
#[derive(Clone, Copy)]
struct Piece {
    row: u32,
    tiles: Tiles,
    from: u32,
}

fn gather(noc: &mut Noc, op: &OpDescriptor, unit: &Unit, chunk: Tiles) {
    let mut pending: Option<Piece> = None;
    let mut stage = 0;
    for row in 0..unit.rows {
        let addr = unit.address(&op.src1, row);
        for tiles in chunk.pieces(ACT_STAGE_TILES) {
            let at = addr + u64::from(tiles.first * TILE * 4);
            let from = ACT_STAGE + stage * ACT_STAGE_BYTES + offset(at);
            noc.wait_reads();
            noc.read_dram(DramAddr(at), from, 4 * elements(op, tiles));
            stage ^= 1;
            if let Some(piece) = pending.replace(Piece { row, tiles, from }) {
                copy_piece(op, unit, chunk, &piece);
            }
        }
    }
    noc.wait_reads();
    if let Some(piece) = pending {
        copy_piece(op, unit, chunk, &piece);
    }
}

/// Elements of the tiles that exist: the last tile of K may be partial.
fn elements(op: &OpDescriptor, tiles: Tiles) -> u32 {
    (tiles.count * TILE).min(op.src1.ne[0] - tiles.first * TILE)
}

fn copy_piece(op: &OpDescriptor, unit: &Unit, chunk: Tiles, piece: &Piece) {
    let tile_bytes = unit.groups() * GROUP_TILE_BYTES;
    let mut to = ACT
        + (piece.tiles.first - chunk.first) * tile_bytes
        + piece.row / ROW_GROUP * GROUP_TILE_BYTES
        + piece.row % ROW_GROUP * HALF_ROW;
    let mut from = piece.from;
    let mut left = elements(op, piece.tiles);
    for _ in 0..piece.tiles.count {
        for face in [to, to + FACE] {
            let count = left.min(16);
            copy_rounded(from, face, count);
            from += 4 * count;
            left -= count;
        }
        to += tile_bytes;
    }
}

/// Copies up to 16 floats, rounded to TF32 (the unpacker cuts the low 13 bits off), and zeroes up to 16.
#[inline(always)]
fn copy_rounded(from: u32, to: u32, count: u32) {
    const ROUND: u32 = 0x1000;
    if count == 16 {
        // All but the ends of rows. Four at a time, so that no load is waited for.
        for at in (0..64).step_by(16) {
            let four: [u32; 4] = core::array::from_fn(|i| load(from + at + 4 * i as u32));
            for (i, value) in (0..).zip(four) {
                store(to + at + 4 * i, value.wrapping_add(ROUND));
            }
        }
        return;
    }
    for i in 0..count {
        store(to + 4 * i, load(from + 4 * i).wrapping_add(ROUND));
    }
    for i in count..16 {
        store(to + 4 * i, 0);
    }
}

/// Brings a result from its slot, row by row, to where the NoC can take it from, and sends it off.
fn write_result(noc: &mut Noc, op: &OpDescriptor, unit: &Unit, finish: Finish) {
    let columns = columns(op, unit);
    // The rows of the unit before have left their staging buffers.
    noc.wait_writes();
    for row in 0..unit.rows {
        let addr = unit.address(&op.dst, row) + u64::from(unit.n_tile * TILE) * 4;
        // Source and destination of a NoC write agree modulo 16.
        let staged = OUT_STAGE + row * OUT_STAGE_ROW + write_offset(addr);
        finish.row(op, unit, row, staged);
        noc.write_dram(staged, DramAddr(addr), 4 * columns);
    }
    OUT_FREE.publish(unit.number + 1);
}
