//! NCRISC: activations from DRAM to L1, results from L1 to DRAM, over NoC 1.
//!
//! A row of src1 is read as it lies (any 4-byte aligned address, the NoC takes the offset modulo 32 along into
//! staging) and copied word by word into SrcB's order, rounded to TF32 on the way. Rows of a group of 8 that do
//! not exist are left as they are: rows of Dst do not influence each other, and theirs is never written out. A single row comes another way ([`row`]), and so do
//! rows that an earlier step has brought to SrcB's order ([`crate::ops::copy`]): they are read as they lie.

use super::exact;
use super::finish::{Finish, columns};
use super::group;
use super::plan::{Plan, Unit};
use super::row;
use super::trisc1::gated_on_vector_unit;
use super::trisc2::slot;
use crate::rt::activations::{Place, place_row, place_row_for_f16};
use crate::rt::l1::L1;
use crate::rt::launch::TileLaunch;
use crate::rt::noc::{Noc, Pieces};
use crate::rt::sync::{ACTS_FREE, ACTS_READY, OUT_FREE, OUT_READY};
use crate::rt::tilize::Tiles;
use tt_kernel_abi::matmul::{
    ACT, ACT_BYTES, ACT_STAGE, ACT_STAGE_BYTES, ACT_STAGE_TILES, GROUP_FACE_BYTES, GROUP_TILE_BYTES,
    HALF_ROW_BYTES, Halves, MatmulParams, OUT_STAGE, OUT_STAGE_ROW, Part, ROW_GROUP, TILE,
};
use tt_kernel_abi::target::{offset, write_offset};
use tt_kernel_abi::{DramAddr, ElementType, OpDescriptor};

/// Runs NCRISC's part.
pub fn run(launch: &TileLaunch, params: &MatmulParams) {
    let mut noc = Noc::new(1);
    if params.sorts() {
        group::sort(&mut noc, launch, params);
    }
    let is_row = params.row != 0;
    if is_row {
        row::send(&mut noc, launch, params);
    }
    let mut plan = Plan::new(launch, params);
    let Some(plan) = &mut plan else {
        noc.wait_writes();
        return;
    };
    // The host checks functions.
    let finish = match gated_on_vector_unit(launch) {
        true => Finish::Copy,
        false => Finish::of(launch.op, params).unwrap_or(Finish::Copy),
    };
    let for_f16 = plan.halves() != Halves::None && plan.weights() == ElementType::F16;
    let as_it_lies = goes_as_it_lies(launch.op, finish);
    exact::make_ones(launch);
    let mut loads = 0;
    let mut outside = Rows(0);
    while let Some(unit) = &plan.next() {
        launch.progress(unit.number);
        if plan.loads(unit) {
            outside = Rows(0);
            for chunk in plan.chunks() {
                ACTS_FREE.wait(loads);
                match is_row {
                    true => row::receive(launch, params),
                    false if params.ordered != 0 => bring(&mut noc, launch, unit, chunk),
                    false => outside.0 |= gather(&mut noc, launch, unit, chunk, for_f16).0,
                }
                loads += 1;
                ACTS_READY.publish(loads);
            }
        }
        if !unit.is_last_side {
            continue;
        }
        finish.prepare(&mut noc, launch, unit);
        for tile in 0..unit.tiles {
            OUT_READY.wait(unit.result + tile + 1);
            noc.wait_reads();
            match as_it_lies && outside.0 == 0 {
                true => write_from_slot(&mut noc, launch, params, unit, tile),
                false => write_result(&mut noc, launch, unit, tile, finish, outside),
            }
        }
    }
    noc.wait_writes();
}

/// Whether results go to DRAM from where the packers have put them: source and destination of a NoC write agree modulo 16.
fn goes_as_it_lies(op: &OpDescriptor, finish: Finish) -> bool {
    let places = op.dst.addr | op.dst.nb[1] | op.dst.nb[2] | op.dst.nb[3];
    matches!(finish, Finish::Copy) && write_offset(places) == 0
}

/// Sends a result off, the halves of its rows by themselves. Its slot is free when they have been acknowledged: TRISC2, which needs it for the unit
/// after the next one, waits no longer than for the copy of a result.
fn write_from_slot(noc: &mut Noc, launch: &TileLaunch, params: &MatmulParams, unit: &Unit, tile: u32) {
    let (op, slot) = (launch.op, slot(launch, unit.result + tile));
    let columns = columns(op, unit);
    let half = HALF_ROW_BYTES / 4;
    let (first, rows) = unit.tile_rows(tile);
    for row in 0..rows {
        let to = match unit.part {
            0 => unit.address(&op.dst, first + row),
            part => Part::address(params.parts[part as usize - 1].dst),
        };
        let addr = to + u64::from(unit.n_tile * TILE) * 4;
        let at = row / ROW_GROUP * GROUP_TILE_BYTES + row % ROW_GROUP * HALF_ROW_BYTES;
        noc.write_dram(slot.part(at, 4 * columns.min(half)), DramAddr(addr));
        if columns > half {
            let second = slot.part(at + GROUP_FACE_BYTES, 4 * (columns - half));
            noc.write_dram(second, DramAddr(addr + u64::from(HALF_ROW_BYTES)));
        }
    }
    noc.wait_writes();
    OUT_FREE.publish(unit.result + tile + 1);
}

/// Brings a chunk of activations that are in SrcB's order: of each tile the groups that exist, and the tiles of several rows of tiles side by side, as TRISC0
/// takes them.
fn bring(noc: &mut Noc, launch: &TileLaunch, unit: &Unit, chunk: Tiles) {
    let src1 = &launch.op.src1;
    let bytes = unit.groups() * GROUP_TILE_BYTES;
    let pieces = Pieces { count: chunk.count, stride: src1.nb[0], bytes, pitch: unit.tiles * bytes };
    let to = launch.l1(ACT, chunk.count * unit.tiles * bytes);
    for tile in 0..unit.tiles {
        // In tiles of rows, not in rows.
        let at = src1.addr
            + u64::from(unit.row / TILE + tile) * src1.nb[1]
            + u64::from(unit.batch[0]) * src1.nb[2]
            + u64::from(unit.batch[1]) * src1.nb[3]
            + u64::from(chunk.first) * src1.nb[0];
        match u64::from(pieces.pitch) == src1.nb[0] {
            true => noc.read_dram(DramAddr(at), to),
            false => noc.read_pieces(DramAddr(at), &pieces, to.skip(tile * bytes)),
        }
    }
    noc.wait_reads();
}

/// Rows of a unit, a bit each: those with activations that the kind of product does not take ([`place_row_for_f16`]). Their results are no
/// numbers, as they are or would be infinite on the CPU, which rounds these activations to F16.
#[derive(Clone, Copy)]
struct Rows(u32);

/// A piece of a row of src1 on its way to L1.
#[derive(Clone, Copy)]
struct Piece<'a> {
    row: u32,
    tiles: Tiles,
    from: L1<'a>,
}

fn gather(noc: &mut Noc, launch: &TileLaunch, unit: &Unit, chunk: Tiles, for_f16: bool) -> Rows {
    let mut outside = Rows(0);
    let mut pending: Option<Piece> = None;
    let mut stage = 0;
    for row in 0..unit.rows {
        let addr = unit.address(&launch.op.src1, row);
        for tiles in chunk.pieces(ACT_STAGE_TILES) {
            let at = addr + u64::from(tiles.first * TILE * 4);
            let from =
                launch.l1(ACT_STAGE + stage * ACT_STAGE_BYTES + offset(at), 4 * elements(launch.op, tiles));
            noc.wait_reads();
            noc.read_dram(DramAddr(at), from);
            stage ^= 1;
            if let Some(piece) = pending.replace(Piece { row, tiles, from }) {
                outside.0 |= place(launch, unit, chunk, for_f16, &piece).0;
            }
        }
    }
    noc.wait_reads();
    if let Some(piece) = pending {
        outside.0 |= place(launch, unit, chunk, for_f16, &piece).0;
    }
    outside
}

/// Elements of the tiles that exist: the last tile of K may be partial.
fn elements(op: &OpDescriptor, tiles: Tiles) -> u32 {
    (tiles.count * TILE).min(op.src1.ne[0] - tiles.first * TILE)
}

/// Puts a piece into its place among the activations.
fn place(launch: &TileLaunch, unit: &Unit, chunk: Tiles, for_f16: bool, piece: &Piece) -> Rows {
    let tile_bytes = unit.groups() * GROUP_TILE_BYTES;
    let to = (piece.tiles.first - chunk.first) * tile_bytes
        + piece.row / ROW_GROUP * GROUP_TILE_BYTES
        + piece.row % ROW_GROUP * HALF_ROW_BYTES;
    let to = Place { range: launch.l1(ACT, ACT_BYTES), first: to, tiles: piece.tiles.count, tile_bytes };
    if !for_f16 {
        place_row(piece.from, &to);
        return Rows(0);
    }
    Rows(u32::from(!place_row_for_f16(piece.from, &to)) << piece.row)
}

/// Brings a result from its slot, row by row, to where the NoC can take it from, and sends it off.
fn write_result(noc: &mut Noc, launch: &TileLaunch, unit: &Unit, tile: u32, finish: Finish, outside: Rows) {
    let op = launch.op;
    let bytes = 4 * columns(op, unit);
    let (first, rows) = unit.tile_rows(tile);
    // The rows of the result before have left their staging buffers.
    noc.wait_writes();
    for row in 0..rows {
        let addr = unit.address(&op.dst, first + row) + u64::from(unit.n_tile * TILE) * 4;
        // Source and destination of a NoC write agree modulo 16.
        let staged = launch.l1(OUT_STAGE + row * OUT_STAGE_ROW + write_offset(addr), bytes);
        finish.row(launch, unit, tile, row, staged);
        if outside.0 >> row & 1 != 0 {
            staged.words().iter().for_each(|word| word.store(f32::NAN.to_bits()));
        }
        noc.write_dram(staged, DramAddr(addr));
    }
    OUT_FREE.publish(unit.result + tile + 1);
}
