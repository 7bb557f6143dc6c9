//! TRISC0: integers and ones into SrcA, activations into SrcB, words into Dst.
//!
//! Unpacker 0 changes between tiles and words in the instruction stream: formats, destination and datums come from GPRs that are set once.

use super::{SEM_WORDS, has_sums};
use crate::ops::matmul::brisc::slot;
use crate::ops::matmul::plan::{Plan, Unit};
use crate::ops::matmul::row;
use crate::rt::chip::insn::{NOP, SEMPOST, SETADC, SETADCXX, STALLWAIT, UNPACR, WRCFG};
use crate::rt::chip::{cfg, thread};
use crate::rt::l1::L1;
use crate::rt::launch::TileLaunch;
use crate::rt::ring;
use crate::rt::sync::{ACTS_FREE, ACTS_READY, WEIGHTS_FREE, WEIGHTS_FROM, WEIGHTS_READY};
use crate::rt::tensix::{Config, block, push, sem, sem_cond, set_gpr, setc16, sync, until};
use crate::rt::tilize::Tiles;
use crate::rt::to_src::{Form, configure, go_to_rows, set_rows, set_tile, unpack_rows};
use crate::rt::unpack::{
    FIRST_DATUM, THROTTLE_X4, UNCOMPRESSED, UNPACKER0, UNPACKER1, base_address, tile_descriptor,
};
use crate::{semwait, ttinsn};
use tt_isa::cfg::CfgField;
use tt_isa::format::{DataFormat, FACE_DATUMS, FACE_DIM, TILE_DATUMS};
use tt_kernel_abi::ahead::uses_ring;
use tt_kernel_abi::exact::{EXPONENT, INTEGER_BYTES, Kind, ONES, TILES, WORD_ROWS, WORD_SLOTS, WORDS, cells};
use tt_kernel_abi::matmul::{ACT, ACT_BYTES, MatmulParams, ROW_GROUP};

/// What unpacker 0 is told beside the address: a register, and the GPR with its value for tiles; for words it is in the next one.
const SETTINGS: [(CfgField, u32); 4] = [
    (cfg::THCON_SEC0_REG0_TileDescriptor, 8),
    (cfg::THCON_SEC0_REG2_Out_data_format, 10),
    (cfg::THCON_SEC0_REG2_Disable_zero_compress_cntx0, 12),
    (cfg::THCON_SEC0_REG5_Dest_cntx0_address, 14),
];
/// GPR with the first datum of the words in Dst.
const GPR_DATUM: u32 = SETTINGS[3].1 + 1;
/// GPR with the address of words.
const GPR_WORDS: u32 = 16;

/// "Not compressed", and one exponent for all datums.
const INTEGERS: u32 = UNCOMPRESSED | cfg::THCON_SEC0_REG2_Force_shared_exp.value(1);
/// "Not compressed", to Dst.
const TO_DST: u32 = UNCOMPRESSED | cfg::THCON_SEC0_REG2_Unpack_if_sel_cntx0.value(1);

/// Unpacker 0 is set up for tiles (0) or for words (1).
macro_rules! settings {
    ($words:literal) => {
        settings!(@ $words 0);
        settings!(@ $words 1);
        settings!(@ $words 2);
        settings!(@ $words 3);
    };
    (@ $words:literal $i:literal) => {
        ttinsn!(
            WRCFG { gpr_address: SETTINGS[$i].1 + $words, wr128b: 0, cfg_reg: SETTINGS[$i].0.index }.word()
        )
    };
}

/// Runs TRISC0's part. A single row of activations is rounded.
pub fn run(launch: &TileLaunch, params: &MatmulParams, plan: &mut Plan, kind: Kind) {
    let is_row = params.row != 0;
    begin(base_address(launch.l1(ACT, ACT_BYTES)));
    // A group of rows, or half a k-tile of a single row.
    set_rows(if is_row { FACE_DIM } else { FACE_DATUMS } as u32);
    if is_row {
        configure_diagonal();
    }
    let through_ring = uses_ring(launch.op);
    let (mut loads, mut blocks) = (0, 0);
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
            row::begin_unit(launch.op, plan, unit);
            for group in chunk.pieces(plan.block_tiles()) {
                WEIGHTS_READY.wait(blocks + 1);
                let from = match through_ring {
                    true => ring::slot(WEIGHTS_FROM.get() + blocks),
                    false => slot(launch, blocks),
                };
                words(kind, from.skip(group.count * INTEGER_BYTES as u32), blocks);
                let own = Tiles { first: group.first - chunk.first, ..group };
                match is_row {
                    true => diagonal(launch, kind, own, from),
                    false => tiles(launch, kind, unit, own, from),
                }
                sync();
                blocks += 1;
                WEIGHTS_FREE.publish(blocks);
            }
        }
    }
    end();
}

/// Sets unpacker 0 up as others expect it: nobody else wants one exponent for all. No instruction of this thread is in flight.
#[inline(never)]
pub fn end() {
    let config = Config;
    config.set(cfg::UNP0_FORCED_SHARED_EXP_shared_exp, 0);
    config.set(cfg::THCON_SEC0_REG2_Disable_zero_compress_cntx0, UNCOMPRESSED);
    config.settle(cfg::THCON_SEC0_REG2_Disable_zero_compress_cntx0);
}

/// Sets both unpackers up: tiles of integers, and rows whose base address is `rows`. No instruction of this thread is in flight.
#[inline(never)]
pub fn begin(rows: u32) {
    configure((DataFormat::Bfp8, DataFormat::Bfp8), &Form::TILES, rows);
    configure_integers();
}

/// One exponent for all integers, and the GPRs. No instruction of this thread is in flight.
fn configure_integers() {
    let config = Config;
    config
        .set(cfg::UNP0_FORCED_SHARED_EXP_shared_exp, cfg::UNP0_FORCED_SHARED_EXP_shared_exp.value(EXPONENT));
    config.set(cfg::THCON_SEC0_REG2_Disable_zero_compress_cntx0, INTEGERS);
    config.settle(cfg::THCON_SEC0_REG2_Disable_zero_compress_cntx0);
    let format = |format: DataFormat| {
        cfg::THCON_SEC0_REG2_Out_data_format.value(format as u32)
            | cfg::THCON_SEC0_REG2_Throttle_mode.value(THROTTLE_X4)
    };
    let descriptor = |format| tile_descriptor(format, FACE_DATUMS as u32);
    let values = [
        [descriptor(DataFormat::Bfp8), descriptor(DataFormat::Fp32)],
        [format(DataFormat::Bfp8), format(DataFormat::Fp32)],
        [INTEGERS, TO_DST],
        [FIRST_DATUM, FIRST_DATUM],
    ];
    for ((_, gpr), [tiles, words]) in SETTINGS.into_iter().zip(values) {
        set_gpr(gpr, tiles);
        set_gpr(gpr + 1, words);
    }
}

/// Unpacks the words of group `number` to Dst when their slot is free.
#[inline(never)]
pub fn words(kind: Kind, from: L1, number: u32) {
    let datum = FIRST_DATUM + (WORDS + number % WORD_SLOTS * WORD_ROWS) * FACE_DIM as u32;
    set_gpr(GPR_WORDS, base_address(from));
    set_gpr(GPR_DATUM, datum);
    semwait!(block::UNPACK | block::SYNC, SEM_WORDS, sem_cond::WHILE_MAX);
    // Nothing may change under an unpack that is still reading.
    ttinsn!(
        STALLWAIT { stall_res: block::CFG | block::MISC, wait_res: until::THCON | until::UNPACK0 }.word()
    );
    ttinsn!(
        WRCFG { gpr_address: GPR_WORDS, wr128b: 0, cfg_reg: cfg::THCON_SEC0_REG3_Base_address.index }.word()
    );
    settings!(1);
    ttinsn!(setc16(thread::SRCA_SET_SetOvrdWithAddr, 0));
    push(SETADCXX { cnt_set_mask: UNPACKER0, x_end2: cells(kind) - 1, ..SETADCXX::ZERO }.word());
    ttinsn!(NOP {}.word());
    ttinsn!(UNPACR { ovrd_thread_id: 1, last: 1, ..UNPACR::ZERO }.word());
    ttinsn!(STALLWAIT { stall_res: block::SYNC | block::CFG | block::MISC, wait_res: until::UNPACK0 }.word());
    ttinsn!(SEMPOST { sem_sel: sem(SEM_WORDS) }.word());
    settings!(0);
    ttinsn!(setc16(thread::SRCA_SET_SetOvrdWithAddr, thread::SRCA_SET_SetOvrdWithAddr.value(1)));
    ttinsn!(SETADCXX { cnt_set_mask: UNPACKER0, x_end2: TILE_DATUMS as u32 - 1, ..SETADCXX::ZERO }.word());
}

/// Unpacks a group's tiles, the first of which is tile `tiles.first` of the chunk of activations, in halves, each once for every group of rows.
#[inline(never)]
fn tiles(launch: &TileLaunch, kind: Kind, unit: &Unit, tiles: Tiles, from: L1) {
    let ones = base_address(launch.l1(ONES, INTEGER_BYTES as u32));
    let (groups, has_sums) = (unit.groups(), has_sums(kind));
    for half in tiles.pieces(TILES) {
        for rows in 0..groups {
            for tile in half.first..half.first + half.count {
                group_of_rows(tile * groups + rows);
                set_tile(base_address(from.skip((tile - tiles.first) * INTEGER_BYTES as u32)));
                unpack_tile();
                if has_sums {
                    set_tile(ones);
                    unpack_tile();
                }
            }
        }
    }
}

/// Unpacks a group's tiles for a single row: a bank of SrcB, then the tiles that are multiplied with it.
#[inline(never)]
fn diagonal(launch: &TileLaunch, kind: Kind, tiles: Tiles, from: L1) {
    let ones = base_address(launch.l1(ONES, INTEGER_BYTES as u32));
    for half in tiles.pieces(TILES) {
        diagonal_rows(half.count);
        for tile in half.first..half.first + half.count {
            set_tile(base_address(from.skip((tile - tiles.first) * INTEGER_BYTES as u32)));
            unpack_tile();
        }
        if has_sums(kind) {
            set_tile(ones);
            unpack_tile();
        }
    }
}

/// Unpacks the tile of integers that unpacker 0 points at.
#[inline(always)]
pub fn unpack_tile() {
    ttinsn!(UNPACR { ovrd_thread_id: 1, set_dat_valid: 1, last: 1, ..UNPACR::ZERO }.word());
}

/// `SETADC`'s number of z.
const DIMENSION_Z: u32 = 2;

/// Unpacks a k-tile of a group of rows to SrcB: number `number` of those in L1.
#[inline(always)]
fn group_of_rows(number: u32) {
    go_to_rows(number);
    unpack_rows();
}

/// Unpacker 1's z is a row of SrcB. It is idle.
fn configure_diagonal() {
    let config = Config;
    config.set(
        cfg::UNP1_ADDR_CTRL_ZW_REG_1_Zstride,
        cfg::UNP1_ADDR_CTRL_ZW_REG_1_Zstride.value(4 * FACE_DIM as u32),
    );
    config.settle(cfg::UNP1_ADDR_CTRL_ZW_REG_1_Zstride);
}

/// Unpacks the next `count` k-tiles of a single row to SrcB: both halves of k-tile i to row i of eight rows of their own.
#[inline(always)]
fn diagonal_rows(count: u32) {
    const HALF: UNPACR = UNPACR {
        unpack_block_selection: 1,
        // Channel 0: next half.
        addr_mode: 1 << 2,
        ovrd_thread_id: 1,
        last: 1,
        ..UNPACR::ZERO
    };
    for tile in 0..count {
        let row = tile * (2 * ROW_GROUP + 1);
        set_row(row);
        ttinsn!(HALF.word());
        set_row(row + ROW_GROUP);
        match tile + 1 < count {
            true => ttinsn!(HALF.word()),
            false => ttinsn!(UNPACR { set_dat_valid: 1, ..HALF }.word()),
        }
    }
}

/// Unpacker 1's next row of SrcB.
#[inline(always)]
fn set_row(row: u32) {
    push(
        SETADC { cnt_set_mask: UNPACKER1, channel_index: 1, dimension_index: DIMENSION_Z, value: row }.word(),
    );
}
