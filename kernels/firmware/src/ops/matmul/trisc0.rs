//! TRISC0: weights into SrcA, activations into SrcB.
//!
//! SrcA gets a whole K x N tile (64 rows of 16). SrcB gets one k-tile of the activations: for each group of 8
//! rows 16 rows of SrcB, first k 0..15 of the 8 rows, then k 16..31. Unpacker 1 walks along K by its Y counter;
//! unpacker 0 gets each tile's address through a GPR and `WRCFG`, in the instruction stream, so that no RISC-V
//! store races with an unpack.
//!
//! Weights are tiles, or half-precision rows as they lie ([`halves`]).

use super::brisc::slot;
use super::exact;
use super::halves;
use super::plan::Plan;
use super::row;
use crate::rt::chip::insn::UNPACR;
use crate::rt::l1::L1;
use crate::rt::launch::TileLaunch;
use crate::rt::ring;
use crate::rt::sync::{ACTS_FREE, ACTS_READY, WEIGHTS_FREE, WEIGHTS_FROM, WEIGHTS_READY};
use crate::rt::tensix::sync;
use crate::rt::tilize::Tiles;
use crate::rt::to_src::{Form, configure, set_rows, set_tile, unpack_rows};
use crate::rt::unpack::base_address;
use crate::ttinsn;
use tt_isa::format::{DataFormat, FACE_DATUMS, FACE_DIM};
use tt_kernel_abi::ElementType;
use tt_kernel_abi::ahead::uses_ring;
use tt_kernel_abi::matmul::{ACT, ACT_BYTES, HALVES_FACE_ROW, Halves, MatmulParams};

/// Runs TRISC0's part.
pub fn run(launch: &TileLaunch, params: &MatmulParams) {
    let mut plan = Plan::new(launch, params);
    let Some(plan) = &mut plan else { return };
    let (weights, kind) = (plan.weights(), plan.halves());
    // Other row-major weights have become FP32 tiles.
    let tiles = if weights.is_tiles() { weights } else { ElementType::TilesF32 };
    let tile_bytes = match kind {
        Halves::None => tiles.block_bytes(),
        _ => halves::tile_bytes(kind),
    };
    let (is_row, through_ring) = (params.row != 0, uses_ring(launch.op));
    if is_row {
        row::unpack(launch, params);
    }
    if let Some(kind) = weights.exact() {
        return exact::trisc0::run(launch, params, plan, kind);
    }
    let (from, to) = weight_formats(weights, kind);
    configure((from, to), &form(kind), base_address(launch.l1(ACT, ACT_BYTES)));
    let (mut groups, mut loads, mut blocks) = (0, 0, 0);
    while let Some(unit) = &plan.next() {
        launch.progress(unit.number);
        let load = plan.loads(unit);
        for chunk in plan.chunks() {
            if load {
                // All of the chunk before has been unpacked.
                sync();
                ACTS_FREE.publish(loads);
                loads += 1;
                ACTS_READY.wait(loads);
            }
            if unit.groups() != groups {
                groups = unit.groups();
                set_rows(if is_row { FACE_DIM as u32 } else { groups * FACE_DATUMS as u32 });
            }
            row::begin_unit(launch.op, plan, unit);
            for tiles in chunk.pieces(plan.block_tiles()) {
                WEIGHTS_READY.wait(blocks + 1);
                let from = match through_ring {
                    true => ring::slot(WEIGHTS_FROM.get() + blocks),
                    false => slot(launch, blocks).skip(halves::offset(launch.op, plan, unit)),
                };
                match kind {
                    Halves::None => unpack_block(from, tiles, tile_bytes, is_row, unit.tiles, || {
                        ttinsn!(
                            UNPACR { ovrd_thread_id: 1, set_dat_valid: 1, last: 1, ..UNPACR::ZERO }.word()
                        );
                    }),
                    Halves::Rows => unpack_block(from, tiles, tile_bytes, is_row, 1, halves::unpack_rows),
                    Halves::Columns => {
                        unpack_block(from, tiles, tile_bytes, is_row, 1, halves::unpack_columns)
                    }
                }
                sync();
                blocks += 1;
                WEIGHTS_FREE.publish(blocks);
            }
        }
    }
}

/// Formats of src0 in L1 and in SrcA.
pub const fn weight_formats(weights: ElementType, halves: Halves) -> (DataFormat, DataFormat) {
    match (weights.tile_format(), halves, weights) {
        (Some(DataFormat::Fp32), ..) | (None, Halves::None, _) => (DataFormat::Fp32, DataFormat::Tf32),
        (Some(format), ..) => (format, format),
        (None, _, ElementType::F16) => (DataFormat::Fp16, DataFormat::Fp16),
        (None, ..) => (DataFormat::Bf16, DataFormat::Bf16),
    }
}

/// The format that the matrix unit takes SrcA for: F16 patterns are those of TF32 numbers with exponents that are off by
/// [`F16_BIAS`](tt_kernel_abi::matmul::F16_BIAS), and so activations need not be F16, which has no small numbers (`SrcASrcB.md`).
pub const fn multiplied_format(weights: ElementType, halves: Halves) -> DataFormat {
    match weight_formats(weights, halves).1 {
        DataFormat::Fp16 => DataFormat::Tf32,
        format => format,
    }
}

/// How unpacker 0 walks through weights of a kind.
fn form(kind: Halves) -> Form {
    match kind {
        Halves::None => Form::TILES,
        _ => Form {
            x: FACE_DIM as u32,
            y: halves::pitch(kind) / HALVES_FACE_ROW,
            datums: FACE_DATUMS as u32,
            y_step: FACE_DIM as u32 * HALVES_FACE_ROW,
            adds_counters: true,
            transposes: kind == Halves::Rows,
            pitch: halves::pitch(kind),
        },
    }
}

/// Sets the unpackers up for F16 rows or columns that lie `pitch` bytes apart, and for rows of activations whose address comes later.
#[inline(never)]
pub fn configure_halves(kind: Halves, pitch: u32) {
    let form = Form { y: pitch / HALVES_FACE_ROW, pitch, ..form(kind) };
    configure(weight_formats(ElementType::F16, kind), &form, 0);
}

/// Unpacks tiles of `tile_bytes` in a block: activations, then weights by `weights`, whose address is set, then the activations of other tiles of rows, which
/// are multiplied with the same weights: `rows` in all.
#[inline(always)]
fn unpack_block(slot: L1, tiles: Tiles, tile_bytes: u32, is_row: bool, rows: u32, weights: impl Fn()) {
    for tile in 0..tiles.count {
        let base = base_address(slot.skip(tile * tile_bytes));
        match is_row {
            true => row::unpack_tile(),
            false => unpack_rows(),
        }
        set_tile(base);
        weights();
        for _ in 1..rows {
            unpack_rows();
        }
    }
}
