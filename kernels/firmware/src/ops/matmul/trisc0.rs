//! TRISC0: weights into SrcA, activations into SrcB.
//!
//! SrcA gets a whole K x N tile (64 rows of 16). SrcB gets one k-tile of the activations: for each group of 8
//! rows 16 rows of SrcB, first k 0..15 of the 8 rows, then k 16..31. Unpacker 1 walks along K by its Y counter;
//! unpacker 0 gets each tile's address through a GPR and `WRCFG`, in the instruction stream, so that no RISC-V
//! store races with an unpack.
//!
//! Weights are tiles, or half-precision rows as they lie ([`halves`]).

use super::brisc::slot;
use super::halves;
use super::plan::Plan;
use super::row;
use crate::rt::chip::insn::{NOP, SETADCXX, SETADCXY, SETADCZW, STALLWAIT, UNPACR, WRCFG};
use crate::rt::chip::{cfg, thread};
use crate::rt::l1::L1;
use crate::rt::launch::TileLaunch;
use crate::rt::sync::{ACTS_FREE, ACTS_READY, WEIGHTS_FREE, WEIGHTS_READY};
use crate::rt::tensix::{Config, block, nth, push, set_gpr, setc16, sync, until};
use crate::rt::tilize::Tiles;
use crate::rt::unpack::{
    FIRST_DATUM, THROTTLE_X4, UNCOMPRESSED, UNPACKER0, UNPACKER1, base_address, tile_descriptor,
    tile_descriptor_yz,
};
use crate::ttinsn;
use tt_isa::format::{DataFormat, FACE_DATUMS, FACE_DIM, TILE_DATUMS};
use tt_kernel_abi::ElementType;
use tt_kernel_abi::matmul::{ACT, ACT_BYTES, GROUP_FACE_BYTES, HALVES_FACE_ROW, Halves, MatmulParams};

/// GPR with the address of the weight tile.
const GPR_ADDRESS: u32 = 4;

/// Runs TRISC0's part.
pub fn run(launch: &TileLaunch, params: &MatmulParams) {
    let Some(mut plan) = Plan::new(launch, params) else { return };
    let (weights, kind) = (plan.weights(), plan.halves());
    // Other row-major weights have become FP32 tiles.
    let tiles = if weights.is_tiles() { weights } else { ElementType::TilesF32 };
    let tile_bytes = match kind {
        Halves::None => tiles.block_bytes(),
        _ => halves::tile_bytes(kind),
    };
    let is_row = params.row != 0;
    if is_row {
        row::unpack(launch, params);
    }
    configure(weights, kind, base_address(launch.l1(ACT, ACT_BYTES)));
    let (mut groups, mut loads, mut blocks) = (0, 0, 0);
    while let Some(unit) = plan.next() {
        launch.progress(unit.number);
        let load = plan.loads(&unit);
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
                set_activations(if is_row { FACE_DIM as u32 } else { groups * FACE_DATUMS as u32 });
            }
            ttinsn!(SETADCXY { cnt_set_mask: UNPACKER1, bit_mask: 0b0010, ..SETADCXY::ZERO }.word());
            for tiles in chunk.pieces(plan.block_tiles()) {
                WEIGHTS_READY.wait(blocks + 1);
                let from = slot(launch, blocks).skip(halves::offset(launch.op, &plan, &unit));
                match kind {
                    Halves::None => unpack_block(from, tiles, tile_bytes, is_row, || {
                        ttinsn!(
                            UNPACR { ovrd_thread_id: 1, set_dat_valid: 1, last: 1, ..UNPACR::ZERO }.word()
                        );
                    }),
                    Halves::Rows => unpack_block(from, tiles, tile_bytes, is_row, halves::unpack_rows),
                    Halves::Columns => unpack_block(from, tiles, tile_bytes, is_row, halves::unpack_columns),
                }
                sync();
                blocks += 1;
                WEIGHTS_FREE.publish(blocks);
            }
        }
    }
}

/// Formats of src0 in L1 and in SrcA.
const fn weight_formats(weights: ElementType, halves: Halves) -> (DataFormat, DataFormat) {
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

/// Configuration that holds for the whole operator: type of the weights, base address of the activations. No instruction of this thread is in
/// flight.
fn configure(weights: ElementType, halves: Halves, activations: u32) {
    let config = Config;
    let (from, to) = weight_formats(weights, halves);
    let Form { x, y, datums, y_step, adds_counters, transposes } = Form::of(halves);

    config.set(cfg::THCON_SEC0_REG0_TileDescriptor, tile_descriptor(from, x));
    config.set(nth(cfg::THCON_SEC0_REG0_TileDescriptor, 1), tile_descriptor_yz(y, 4));
    config.set(
        cfg::THCON_SEC0_REG2_Out_data_format,
        cfg::THCON_SEC0_REG2_Out_data_format.value(to as u32)
            | cfg::THCON_SEC0_REG2_Throttle_mode.value(THROTTLE_X4)
            | cfg::THCON_SEC0_REG2_Haloize_mode.value(transposes.into()),
    );
    config.set(cfg::THCON_SEC0_REG2_Disable_zero_compress_cntx0, UNCOMPRESSED);
    config.set(
        cfg::THCON_SEC0_REG5_Dest_cntx0_address,
        cfg::THCON_SEC0_REG5_Dest_cntx0_address.value(FIRST_DATUM)
            | cfg::THCON_SEC0_REG5_Dest_cntx1_address.value(FIRST_DATUM),
    );
    config.set(
        cfg::THCON_SEC0_REG5_Tile_x_dim_cntx0,
        cfg::THCON_SEC0_REG5_Tile_x_dim_cntx0.value(x) | cfg::THCON_SEC0_REG5_Tile_x_dim_cntx1.value(x),
    );
    config.set(cfg::THCON_SEC0_REG7_Offset_address, 0);
    config.set(
        cfg::UNP0_FORCED_SHARED_EXP_shared_exp,
        cfg::UNP0_ADD_DEST_ADDR_CNTR_add_dest_addr_cntr.value(adds_counters.into()),
    );
    config.set(cfg::UNP0_ADDR_CTRL_XY_REG_1_Xstride, cfg::UNP0_ADDR_CTRL_XY_REG_1_Ystride.value(y_step));
    config.set(cfg::UNP0_ADDR_CTRL_ZW_REG_1_Zstride, 0);

    config.set(nth(cfg::THCON_SEC1_REG0_TileDescriptor, 1), tile_descriptor_yz(1, 1));
    config.set(
        cfg::THCON_SEC1_REG2_Out_data_format,
        cfg::THCON_SEC1_REG2_Out_data_format.value(DataFormat::Tf32 as u32)
            | cfg::THCON_SEC1_REG2_Throttle_mode.value(THROTTLE_X4),
    );
    config.set(cfg::THCON_SEC1_REG2_Disable_zero_compress_cntx0, UNCOMPRESSED);
    config.set(cfg::THCON_SEC1_REG3_Base_address, activations);
    // Z of channel 1 is zero but for a single row, whose second half goes behind a group of rows.
    config.set(
        cfg::UNP1_ADDR_CTRL_ZW_REG_1_Zstride,
        cfg::UNP1_ADDR_CTRL_ZW_REG_1_Zstride.value(GROUP_FACE_BYTES),
    );
    config.settle(cfg::UNP1_ADDR_CTRL_ZW_REG_1_Zstride);

    ttinsn!(setc16(thread::CFG_STATE_ID_StateID, 0));
    ttinsn!(setc16(thread::SRCA_SET_SetOvrdWithAddr, thread::SRCA_SET_SetOvrdWithAddr.value(1)));
    ttinsn!(setc16(thread::UNPACK_MISC_CFG_CfgContextOffset_0, 0));
    push(SETADCXX { cnt_set_mask: UNPACKER0, x_end2: datums - 1, ..SETADCXX::ZERO }.word());
    ttinsn!(SETADCXY { cnt_set_mask: UNPACKER0 | UNPACKER1, bit_mask: 0b1010, ..SETADCXY::ZERO }.word());
    ttinsn!(SETADCZW { cnt_set_mask: UNPACKER0 | UNPACKER1, bit_mask: 0b1111, ..SETADCZW::ZERO }.word());
}

/// Datums that unpacker 1 brings at once, and from one of these to the next in L1: a k-tile of all groups of rows, or half a k-tile of a single row.
fn set_activations(datums: u32) {
    let config = Config;
    // The unpackers are idle: all earlier blocks were followed by a sync.
    config.set(cfg::THCON_SEC1_REG0_TileDescriptor, tile_descriptor(DataFormat::Fp32, datums));
    config.settle(cfg::THCON_SEC1_REG0_TileDescriptor);
    push(SETADCXX { cnt_set_mask: UNPACKER1, x_end2: datums - 1, ..SETADCXX::ZERO }.word());
}

/// How unpacker 0 walks through L1 and SrcA.
struct Form {
    /// Extents of its input in x and y, in datums.
    x: u32,
    y: u32,
    /// Datums of an instruction.
    datums: u32,
    /// Bytes in SrcA from one y of channel 1 to the next, and whether its counters matter.
    y_step: u32,
    adds_counters: bool,
    transposes: bool,
}

impl Form {
    fn of(kind: Halves) -> Self {
        match kind {
            Halves::None => Self {
                x: FACE_DATUMS as u32,
                y: 1,
                datums: TILE_DATUMS as u32,
                y_step: 0,
                adds_counters: false,
                transposes: false,
            },
            _ => Self {
                x: FACE_DIM as u32,
                y: halves::pitch(kind) / HALVES_FACE_ROW,
                datums: FACE_DIM as u32,
                y_step: HALVES_FACE_ROW,
                adds_counters: true,
                transposes: kind == Halves::Rows,
            },
        }
    }
}

/// Unpacks the next k-tile of activations.
#[inline(always)]
fn unpack_activations() {
    ttinsn!(
        UNPACR {
            unpack_block_selection: 1,
            // Channel 0: next Y, i.e. next k-tile.
            addr_mode: 1 << 2,
            ovrd_thread_id: 1,
            set_dat_valid: 1,
            last: 1,
            ..UNPACR::ZERO
        }
        .word()
    );
}

/// Unpacks tiles of `tile_bytes` in a block: activations, then weights by `weights`, whose address is set.
#[inline(always)]
fn unpack_block(slot: L1, tiles: Tiles, tile_bytes: u32, is_row: bool, weights: impl Fn()) {
    for tile in 0..tiles.count {
        let base = base_address(slot.skip(tile * tile_bytes));
        match is_row {
            true => row::unpack_tile(),
            false => unpack_activations(),
        }
        set_gpr(GPR_ADDRESS, base);
        // The address must not change under an unpack that is still reading.
        ttinsn!(STALLWAIT { stall_res: block::CFG, wait_res: until::THCON | until::UNPACK0 }.word());
        ttinsn!(
            WRCFG { gpr_address: GPR_ADDRESS, wr128b: 0, cfg_reg: cfg::THCON_SEC0_REG3_Base_address.index }
                .word()
        );
        ttinsn!(NOP {}.word());
        weights();
    }
}
