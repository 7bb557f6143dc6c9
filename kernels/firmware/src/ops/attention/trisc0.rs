//! TRISC0: queries to Dst; keys and values into SrcA, queries and powers into SrcB.
//!
//! SrcB takes a row of queries 16 elements at a time from where it lies: y counts these halves of tiles, z counts rows, in L1 and in SrcB; the second half of
//! a tile goes behind the eight rows of the first. The row for masks is the same for all rows of queries. Powers lie as SrcB wants them.

use super::{Places, units};
use crate::ops::matmul::halves::{unpack_columns, unpack_rows};
use crate::ops::matmul::trisc0::configure_halves;
use crate::ops::sfpu::trisc0 as blocks;
use crate::ops::sfpu::{SEM_FILLED, SEM_TAKEN, dst_slot};
use crate::rt::chip::cfg;
use crate::rt::chip::insn::{NOP, SEMPOST, SETADC, SETADCXX, SETADCXY, SETADCZW, STALLWAIT, UNPACR, WRCFG};
use crate::rt::l1::L1;
use crate::rt::launch::TileLaunch;
use crate::rt::sync::{ACTS_READY, BLOCKS_READY, OUT_READY, ROW_READY, WEIGHTS_READY};
use crate::rt::tensix::{Config, block, nth, push, sem, sem_cond, set_gpr, sync, until};
use crate::rt::to_src;
use crate::rt::unpack::{UNPACKER1, base_address, tile_descriptor, tile_descriptor_yz};
use crate::{semwait, ttinsn};
use tt_isa::format::{DataFormat, FACE_DATUMS, FACE_DIM};
use tt_kernel_abi::attention::{AttentionParams, ONE, ONE_BYTES, Unit};
use tt_kernel_abi::matmul::{GROUP_TILE_BYTES, HALF_ROW_BYTES, Halves, ROW_GROUP, TILE};
use tt_kernel_abi::sfpu::BLOCK;

/// GPR with the address of what goes to SrcB.
const GPR_ROWS: u32 = 6;

/// Runs TRISC0's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &AttentionParams) {
    let (mut tiles, mut powers) = (0, 0);
    for unit in units(launch, params) {
        launch.progress(unit.number);
        let places = Places::of(launch, params, &unit);
        ACTS_READY.wait(unit.number + 1);
        // Dst is free.
        OUT_READY.wait(unit.number);
        queries(&places, &unit);
        ROW_READY.wait(unit.number + 1);
        keys(&places, &unit, tiles);
        values(&places, &unit, tiles + unit.tiles, powers);
        tiles += 2 * unit.tiles;
        powers += params.heads;
    }
}

/// Queries, block by block, to Dst.
#[inline(never)]
fn queries(places: &Places, unit: &Unit) {
    blocks::configure();
    let elements = places.params.queries();
    for number in 0..places.params.query_blocks() {
        let len = BLOCK.min(elements - number * BLOCK);
        if number == 0 || len < BLOCK {
            sync();
            blocks::set_len(len);
        }
        semwait!(block::UNPACK | block::SYNC, SEM_TAKEN, sem_cond::WHILE_MAX);
        ttinsn!(SEMPOST { sem_sel: sem(SEM_TAKEN) }.word());
        blocks::unpack(places.queries(unit, number), dst_slot(number));
        ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::UNPACK0 }.word());
        ttinsn!(SEMPOST { sem_sel: sem(SEM_FILLED) }.word());
    }
    sync();
}

/// Keys and queries, head by head, tile by tile of positions. `before` tiles have come for the units before.
#[inline(never)]
fn keys(places: &Places, unit: &Unit, before: u32) {
    let params = places.params;
    configure_halves(Halves::Rows, params.key_pitch());
    set_rows(params.key_tiles);
    let one = places.launch.l1(ONE, ONE_BYTES);
    let head_bytes = params.key_tiles * 2 * TILE;
    let all = places.launch.l1(params.queries_at(unit), 4 * params.queries());
    for head in 0..params.heads {
        let rows = all.skip(head * params.rows * params.key_tiles * TILE * 4);
        for tile in 0..unit.tiles {
            WEIGHTS_READY.wait(before + tile + 1);
            let from = places.keys(tile);
            aim_rows(rows);
            for k_tile in 0..params.key_tiles {
                half_rows(2 * k_tile, params.rows);
                key_tile(from.skip(head * head_bytes + k_tile * 2 * TILE));
            }
            if places.flags()[tile as usize].load() != 0 {
                aim_rows(one);
                same_rows(params.rows);
                key_tile(from.skip(params.key_bytes()));
            }
        }
    }
    sync();
}

/// Values and powers, head by head. `before` tiles have come before the first one of these, `powers` heads have been packed in units before.
#[inline(never)]
fn values(places: &Places, unit: &Unit, before: u32, powers: u32) {
    let params = places.params;
    configure_halves(Halves::Columns, params.value_bytes());
    to_src::set_rows(FACE_DATUMS as u32);
    let head_bytes = params.value_tiles * 2 * TILE;
    for head in 0..params.heads {
        BLOCKS_READY.wait(powers + head + 1);
        aim_rows(places.powers(head).part(0, unit.tiles * GROUP_TILE_BYTES));
        for n_tile in 0..params.value_tiles {
            ttinsn!(SETADCXY { cnt_set_mask: UNPACKER1, bit_mask: 0b1010, ..SETADCXY::ZERO }.word());
            ttinsn!(SETADCZW { cnt_set_mask: UNPACKER1, bit_mask: 0b1111, ..SETADCZW::ZERO }.word());
            for tile in 0..unit.tiles {
                WEIGHTS_READY.wait(before + tile + 1);
                to_src::unpack_rows();
                value_tile(places.values(tile).skip(head * head_bytes + n_tile * 2 * TILE));
            }
        }
    }
    sync();
}

/// A tile of keys.
#[inline(never)]
pub fn key_tile(from: L1) {
    aim(from);
    unpack_rows();
}

/// A tile of values, or of another matrix by columns.
#[inline(never)]
pub fn value_tile(from: L1) {
    aim(from);
    unpack_columns();
}

/// Rows of `tiles` k-tiles, 16 elements at a time. The unpackers are idle.
fn set_rows(tiles: u32) {
    let config = Config;
    let datums = FACE_DIM as u32;
    config.set(nth(cfg::THCON_SEC1_REG0_TileDescriptor, 1), tile_descriptor_yz(2 * tiles, 8));
    // The vendor's simulator has no other stride of SrcB than z's.
    config.set(
        cfg::UNP1_ADDR_CTRL_ZW_REG_1_Zstride,
        cfg::UNP1_ADDR_CTRL_ZW_REG_1_Zstride.value(HALF_ROW_BYTES),
    );
    config.set(cfg::THCON_SEC1_REG0_TileDescriptor, tile_descriptor(DataFormat::Fp32, datums));
    config.settle(cfg::THCON_SEC1_REG0_TileDescriptor);
    push(SETADCXX { cnt_set_mask: UNPACKER1, x_end2: datums - 1, ..SETADCXX::ZERO }.word());
}

/// Points unpacker 0 at a tile.
#[inline(never)]
fn aim(from: L1) {
    to_src::set_tile(base_address(from));
}

/// Points unpacker 1 at rows of queries or at powers.
#[inline(never)]
fn aim_rows(from: L1) {
    set_gpr(GPR_ROWS, base_address(from));
    ttinsn!(STALLWAIT { stall_res: block::CFG, wait_res: until::THCON | until::UNPACK }.word());
    ttinsn!(
        WRCFG { gpr_address: GPR_ROWS, wr128b: 0, cfg_reg: cfg::THCON_SEC1_REG3_Base_address.index }.word()
    );
    ttinsn!(NOP {}.word());
}

/// 16 elements of a row to the next row of SrcB; then the row behind it in L1 if `next` is one.
const fn half_row(next: u32, set_dat_valid: u32) -> u32 {
    UNPACR {
        unpack_block_selection: 1,
        // Channel 0: next z; channel 1: next z.
        addr_mode: next | 1 << 4,
        ovrd_thread_id: 1,
        set_dat_valid,
        last: 1,
        ..UNPACR::ZERO
    }
    .word()
}

/// `SETADC`'s numbers of y and z.
const DIMENSION_Y: u32 = 1;
const DIMENSION_Z: u32 = 2;

/// The first row of the first half of a tile in L1, which is half `y`, and in SrcB.
#[inline(never)]
fn begin_first(y: u32) {
    ttinsn!(SETADCXY { cnt_set_mask: UNPACKER1, bit_mask: 0b1010, ..SETADCXY::ZERO }.word());
    ttinsn!(SETADCZW { cnt_set_mask: UNPACKER1, bit_mask: 0b1111, ..SETADCZW::ZERO }.word());
    set_half(y);
}

/// The same of the second half: behind eight rows of SrcB.
#[inline(never)]
fn begin_second(y: u32) {
    ttinsn!(SETADCXY { cnt_set_mask: UNPACKER1, bit_mask: 0b1010, ..SETADCXY::ZERO }.word());
    ttinsn!(SETADCZW { cnt_set_mask: UNPACKER1, bit_mask: 0b1111, ..SETADCZW::ZERO }.word());
    ttinsn!(
        SETADC { cnt_set_mask: UNPACKER1, channel_index: 1, dimension_index: DIMENSION_Z, value: ROW_GROUP }
            .word()
    );
    set_half(y);
}

#[inline(never)]
fn set_half(y: u32) {
    push(SETADC { cnt_set_mask: UNPACKER1, channel_index: 0, dimension_index: DIMENSION_Y, value: y }.word());
}

/// A tile of rows of queries whose first half is half `y`.
#[inline(never)]
fn half_rows(y: u32, rows: u32) {
    begin_first(y);
    for _ in 0..rows {
        ttinsn!(half_row(1, 0));
    }
    begin_second(y + 1);
    for _ in 1..rows {
        ttinsn!(half_row(1, 0));
    }
    ttinsn!(half_row(1, 1));
}

/// A tile of the row for masks, once for each row of queries.
#[inline(never)]
fn same_rows(rows: u32) {
    begin_first(0);
    for _ in 0..rows {
        ttinsn!(half_row(0, 0));
    }
    begin_second(1);
    for _ in 1..rows {
        ttinsn!(half_row(0, 0));
    }
    ttinsn!(half_row(0, 1));
}
