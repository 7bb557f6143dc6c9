//! NCRISC: activations from DRAM to L1, results from L1 to DRAM, over NoC 1.
//!
//! A row of src1 is read as it lies (any 4-byte aligned address, the NoC takes the offset modulo 32 along into
//! staging) and copied word by word into SrcB's order, rounded to TF32 on the way. Rows of a group of 8 that do
//! not exist are left as they are: rows of Dst do not influence each other, and theirs is never written out. A single row comes another way ([`row`]).

use super::finish::{Finish, columns};
use super::group;
use super::plan::{Plan, Unit};
use super::row;
use crate::rt::activations::{Place, place_row, place_row_for_f16};
use crate::rt::l1::L1;
use crate::rt::launch::TileLaunch;
use crate::rt::noc::Noc;
use crate::rt::sync::{ACTS_FREE, ACTS_READY, OUT_FREE, OUT_READY};
use crate::rt::tilize::Tiles;
use tt_kernel_abi::matmul::{
    ACT, ACT_BYTES, ACT_STAGE, ACT_STAGE_BYTES, ACT_STAGE_TILES, GROUP_TILE_BYTES, HALF_ROW_BYTES, Halves,
    MatmulParams, OUT_STAGE, OUT_STAGE_ROW, ROW_GROUP, TILE,
};
use tt_kernel_abi::target::{offset, write_offset};
use tt_kernel_abi::{DramAddr, ElementType, OpDescriptor};

/// Runs NCRISC's part.
pub fn run(launch: &TileLaunch, params: &MatmulParams) {
    let mut noc = Noc::new(1);
    if params.ids > 0 {
        group::sort(&mut noc, launch, params);
    }
    let is_row = params.row != 0;
    if is_row {
        row::send(&mut noc, launch);
    }
    let Some(mut plan) = Plan::new(launch, params) else {
        noc.wait_writes();
        return;
    };
    // The host checks functions.
    let finish = Finish::of(launch.op, params).unwrap_or(Finish::Copy);
    let for_f16 = plan.halves() != Halves::None && plan.weights() == ElementType::F16;
    let mut loads = 0;
    let mut outside = Rows(0);
    while let Some(unit) = plan.next() {
        launch.progress(unit.number);
        if plan.loads(&unit) {
            outside = Rows(0);
            for chunk in plan.chunks() {
                ACTS_FREE.wait(loads);
                match is_row {
                    true => row::receive(launch, params),
                    false => outside.0 |= gather(&mut noc, launch, &unit, chunk, for_f16).0,
                }
                loads += 1;
                ACTS_READY.publish(loads);
            }
        }
        if !unit.is_last_side {
            continue;
        }
        finish.prepare(&mut noc, launch, &unit);
        OUT_READY.wait(unit.number + 1);
        noc.wait_reads();
        write_result(&mut noc, launch, &unit, finish, outside);
    }
    noc.wait_writes();
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
fn write_result(noc: &mut Noc, launch: &TileLaunch, unit: &Unit, finish: Finish, outside: Rows) {
    let op = launch.op;
    let bytes = 4 * columns(op, unit);
    // The rows of the unit before have left their staging buffers.
    noc.wait_writes();
    for row in 0..unit.rows {
        let addr = unit.address(&op.dst, row) + u64::from(unit.n_tile * TILE) * 4;
        // Source and destination of a NoC write agree modulo 16.
        let staged = launch.l1(OUT_STAGE + row * OUT_STAGE_ROW + write_offset(addr), bytes);
        finish.row(launch, unit, row, staged);
        if outside.0 >> row & 1 != 0 {
            staged.words().iter().for_each(|word| word.store(f32::NAN.to_bits()));
        }
        noc.write_dram(staged, DramAddr(addr));
    }
    OUT_FREE.publish(unit.number + 1);
}
