//! TRISC2: results from Dst to L1.
//!
//! Packer p takes the 16 Dst rows of group p: 8 x 32 results, FP32, 1 KiB. NCRISC knows this order.

use super::SEM_DST;
use super::plan::Plan;
use crate::rt::launch::Launch;
use crate::rt::sync::{OUT_FREE, OUT_READY};
use crate::rt::tensix::{Config, block, push, sem, sem_cond, sync, until};
use crate::ttinsn;
use tt_isa::cfg::{CfgField, config as cfg, thread};
use tt_isa::format::{DataFormat, FACE_DATUMS, FACE_DIM};
use tt_isa::insn::{PACR, SEMGET, SEMWAIT, SETADCXX, SETADCXY, SETADCZW, SETC16, STALLWAIT};
use tt_kernel_abi::matmul::{GROUP_TILE_BYTES, OUT, OUT_SLOT_BYTES, OUT_SLOTS};

/// Address counter set of the packers.
const PACKERS: u32 = 1 << 2;
/// First registers of the four packers: exponent section, L1 address, formats, misc in a row.
const SECTIONS: [CfgField; 4] = [
    cfg::THCON_SEC0_REG1_Row_start_section_size,
    cfg::THCON_SEC0_REG8_Row_start_section_size,
    cfg::THCON_SEC1_REG1_Row_start_section_size,
    cfg::THCON_SEC1_REG8_Row_start_section_size,
];
const COUNTERS: [CfgField; 4] = [
    cfg::PACK_COUNTERS_SEC0_pack_per_xy_plane,
    cfg::PACK_COUNTERS_SEC1_pack_per_xy_plane,
    cfg::PACK_COUNTERS_SEC2_pack_per_xy_plane,
    cfg::PACK_COUNTERS_SEC3_pack_per_xy_plane,
];
const EDGE_MASKS: [CfgField; 4] = [
    cfg::PCK_EDGE_OFFSET_SEC0_mask,
    cfg::PCK_EDGE_OFFSET_SEC1_mask,
    cfg::PCK_EDGE_OFFSET_SEC2_mask,
    cfg::PCK_EDGE_OFFSET_SEC3_mask,
];
const DST_OFFSETS: [CfgField; 4] = [
    cfg::DEST_TARGET_REG_CFG_PACK_SEC0_Offset,
    cfg::DEST_TARGET_REG_CFG_PACK_SEC1_Offset,
    cfg::DEST_TARGET_REG_CFG_PACK_SEC2_Offset,
    cfg::DEST_TARGET_REG_CFG_PACK_SEC3_Offset,
];
/// Rows of half of Dst, in 32-bit rows.
const DST_HALF: u32 = 256;

/// L1 slot of a unit's result.
pub fn slot(unit: u32) -> u32 {
    OUT + unit % OUT_SLOTS * OUT_SLOT_BYTES
}

/// Runs TRISC2's part.
pub fn run(launch: &Launch) {
    let Some(plan) = Plan::new(launch) else { return };
    configure();
    for unit in plan {
        launch.progress(unit.number);
        if unit.number >= OUT_SLOTS {
            OUT_FREE.wait(unit.number - OUT_SLOTS + 1);
        }
        // The packers are idle since the sync below.
        aim(unit.number);
        ttinsn!(
            SEMWAIT { stall_res: block::PACK, sem_sel: sem(SEM_DST), wait_sem_cond: sem_cond::WHILE_ZERO }
                .word()
        );
        let packers = match unit.groups() {
            1 => 0b0001,
            2 => 0b0011,
            _ => 0b1111,
        };
        push(PACR { pack_sel: packers, last: 1, ..PACR::ZERO }.word());
        ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: until::PACK }.word());
        ttinsn!(SEMGET { sem_sel: sem(SEM_DST) }.word());
        sync();
        OUT_READY.publish(unit.number + 1);
    }
}

const fn nth(first: CfgField, n: u32) -> CfgField {
    CfgField { index: first.index + n, ..first }
}

fn configure() {
    let config = Config;
    let fp32 = DataFormat::Fp32 as u32;
    for packer in 0..4 {
        let section = SECTIONS[packer];
        config.set(section, 0);
        config.set(
            nth(section, 2),
            cfg::THCON_SEC0_REG1_Out_data_format.value(fp32)
                | cfg::THCON_SEC0_REG1_In_data_format.value(fp32)
                | cfg::THCON_SEC0_REG1_Disable_zero_compress.value(1),
        );
        config.set(nth(section, 3), 0);
        config.set(
            COUNTERS[packer],
            cfg::PACK_COUNTERS_SEC0_pack_per_xy_plane.value(1)
                | cfg::PACK_COUNTERS_SEC0_pack_reads_per_xy_plane.value(FACE_DIM as u32)
                | cfg::PACK_COUNTERS_SEC0_pack_xys_per_tile.value(1),
        );
        // Every column is inside.
        config.set(EDGE_MASKS[packer], 0xFFFF);
    }
    let row = FACE_DIM as u32 * 4;
    config.set(
        cfg::PCK0_ADDR_CTRL_XY_REG_0_Xstride,
        cfg::PCK0_ADDR_CTRL_XY_REG_0_Xstride.value(4) | cfg::PCK0_ADDR_CTRL_XY_REG_0_Ystride.value(row),
    );
    config.set(
        cfg::PCK0_ADDR_CTRL_ZW_REG_0_Zstride,
        cfg::PCK0_ADDR_CTRL_ZW_REG_0_Zstride.value(row * FACE_DIM as u32),
    );
    config.set(cfg::TILE_ROW_SET_MAPPING_0_row_set_mapping_0, 0);
    config.set(cfg::TILE_ROW_SET_MAPPING_1_row_set_mapping_0, 0);
    // Last, because the vendor's simulator lets it be read back and the others not.
    config.set(cfg::PCK_DEST_RD_CTRL_Read_32b_data, cfg::PCK_DEST_RD_CTRL_Read_32b_data.value(1));
    config.settle(cfg::PCK_DEST_RD_CTRL_Read_32b_data);

    ttinsn!(SETC16 { setc16_reg: thread::CFG_STATE_ID_StateID.index, setc16_value: 0 }.word());
    ttinsn!(SETC16 { setc16_reg: thread::ADDR_MOD_PACK_SEC0_YsrcIncr.index, setc16_value: 0 }.word());
    ttinsn!(SETADCXX { cnt_set_mask: PACKERS, x_end2: FACE_DATUMS as u32 - 1, ..SETADCXX::ZERO }.word());
    ttinsn!(SETADCXY { cnt_set_mask: PACKERS, bit_mask: 0b1010, ..SETADCXY::ZERO }.word());
    ttinsn!(SETADCZW { cnt_set_mask: PACKERS, bit_mask: 0b1111, ..SETADCZW::ZERO }.word());
}

/// Points the packers at a unit's half of Dst and its slot in L1.
fn aim(unit: u32) {
    let config = Config;
    for packer in 0..4 {
        config.set(DST_OFFSETS[packer], (unit & 1) * DST_HALF + packer as u32 * FACE_DIM as u32);
    }
    // Last, because the vendor's simulator lets them be read back and the offsets not.
    for packer in 0..4 {
        let l1 = slot(unit) + packer as u32 * GROUP_TILE_BYTES;
        config.set(nth(SECTIONS[packer], 1), (l1 >> 4) - 1);
    }
    config.settle(nth(SECTIONS[3], 1));
}
