//! Tensix programs' usual parts: unpackers and packers configured, Dst filled, GPRs set and read.

#![allow(dead_code, reason = "each test takes what it needs")]

use tt_isa::cfg::CfgField;
use tt_isa::chip::wormhole::{config as c, thread as tc};
use tt_isa::format::DataFormat::{self, Fp32};
use tt_isa::insn::{SETADCXX, SETDMAREG, UNPACR};
use tt_isa::map::REGFILE_BASE;

use super::{Program, Random};

/// Where a program's input is in L1.
pub const IN: u32 = 0x2_0000;
/// Where its second input is.
pub const IDENTITY: u32 = 0x2_8000;
/// Where its result goes.
pub const OUT: u32 = 0x3_0000;
/// Sections of the four packers' registers: distance from packer 0's.
pub const SECTION: [u32; 4] = [0, 28, 40, 68];

/// A field of every packer's section.
pub fn every_packer(p: &mut Program, field: CfgField, value: u32) {
    for distance in SECTION {
        p.set(CfgField { index: field.index + distance, ..field }, value);
    }
}

/// Datums that make conversions work: exponents that are near each other, ties, and special values.
pub fn interesting(seed: u64, count: usize) -> Vec<u32> {
    let mut random = Random(seed);
    let special = [
        0,
        0x8000_0000,
        0x7F80_0000,
        0xFF80_0000,
        0x7FC0_0000,
        0xFFFF_FFFF,
        1,
        0x8000_0001,
        0x7F_FFFF,
        0x80_0000,
        0x7F7F_FFFF,
        0x3F80_8000,
        0x3F81_8000,
        0xBF7F_FFFF,
        100,
        0x8000_00FF,
    ];
    (0..count)
        .map(|i| match i % 8 {
            0 if i < 128 * 8 => special[i / 8 % special.len()],
            1 => random.next(),
            2 => random.next() & 0x8000_03FF,
            3 => (random.next() & 0x8000_7FFF) | 0x3F80_8000,
            _ => (random.next() & 0x83FF_FFFF) | 0x3C00_0000,
        })
        .collect()
}

/// Fills 32-bit Dst rows 0 to 63 through unpacker 0.
pub fn fill_dst(p: &mut Program, datums: &[u32]) {
    p.memory(IN, datums.iter().flat_map(|d| d.to_le_bytes()).collect::<Vec<_>>());
    unpacker0(p, Fp32, Fp32);
    p.set(c::THCON_SEC0_REG2_Unpack_if_sel_cntx0, 1);
    p.set(tc::SRCA_SET_SetOvrdWithAddr, 0);
    p.push(0, SETADCXX { cnt_set_mask: 1, x_start: 0, x_end2: datums.len() as u32 - 1 }.word());
    p.push(0, UNPACR { ovrd_thread_id: 1, last: 1, ..UNPACR::ZERO }.word());
}

pub fn unpacker0(p: &mut Program, input: DataFormat, output: DataFormat) {
    p.config_word(c::THCON_SEC0_REG0_TileDescriptor.index, input as u32 | 1 << 4 | 16 << 16);
    p.config_word(c::THCON_SEC0_REG0_TileDescriptor.index + 1, 16 | 4 << 16);
    p.set(c::THCON_SEC0_REG2_Out_data_format, output as u32);
    p.set(c::THCON_SEC0_REG2_Disable_zero_compress_cntx0, 1);
    p.set(c::THCON_SEC0_REG2_Throttle_mode, 2);
    p.set(c::THCON_SEC0_REG3_Base_address, (IN >> 4) - 1);
    p.set(c::THCON_SEC0_REG5_Dest_cntx0_address, 64);
    p.set(c::THCON_SEC0_REG5_Tile_x_dim_cntx0, 16);
    p.set(tc::SRCA_SET_SetOvrdWithAddr, 1);
}

/// Unpacker 1 puts the first `datums` of the FP32 tile of so many faces at [`IDENTITY`] into SrcB.
pub fn identity_to_srcb(p: &mut Program, output: DataFormat, faces: u32, datums: u32) {
    p.config_word(c::THCON_SEC1_REG0_TileDescriptor.index, DataFormat::Fp32 as u32 | 1 << 4 | 16 << 16);
    p.config_word(c::THCON_SEC1_REG0_TileDescriptor.index + 1, 16 | faces << 16);
    p.set(c::THCON_SEC1_REG2_Out_data_format, output as u32);
    p.set(c::THCON_SEC1_REG2_Disable_zero_compress_cntx0, 1);
    p.set(c::THCON_SEC1_REG3_Base_address, (IDENTITY >> 4) - 1);
    p.push(0, SETADCXX { cnt_set_mask: 2, x_start: 0, x_end2: datums - 1 }.word());
    p.push(
        0,
        UNPACR { unpack_block_selection: 1, ovrd_thread_id: 1, last: 1, set_dat_valid: 1, ..UNPACR::ZERO }
            .word(),
    );
}

pub fn packers(p: &mut Program, wide: bool, input: DataFormat, output: DataFormat) {
    p.set(c::ALU_FORMAT_SPEC_REG2_Dstacc, input as u32);
    p.set(c::PCK_DEST_RD_CTRL_Read_32b_data, wide.into());
    every_packer(p, c::THCON_SEC0_REG1_In_data_format, input as u32);
    every_packer(p, c::THCON_SEC0_REG1_Out_data_format, output as u32);
    every_packer(p, c::THCON_SEC0_REG1_Exp_section_size, if output.is_block_float() { 1 } else { 0 });
    for packer in 0..4 {
        let field = c::THCON_SEC0_REG1_L1_Dest_addr;
        let field = CfgField { index: field.index + SECTION[packer as usize], ..field };
        p.set(field, ((OUT + packer * 0x1000) >> 4) - 1);
        let counters = c::PACK_COUNTERS_SEC0_pack_reads_per_xy_plane;
        p.set(CfgField { index: counters.index + packer, ..counters }, 16);
        let offset = c::DEST_TARGET_REG_CFG_PACK_SEC0_Offset;
        p.set(CfgField { index: offset.index + packer, ..offset }, packer * 16);
    }
    p.set(c::PCK_EDGE_OFFSET_SEC0_mask, 0xFFFF);
    p.push(0, SETADCXX { cnt_set_mask: 4, x_start: 0, x_end2: 255 }.word());
}

/// Sets GPR `index` of a thread.
pub fn set_gpr(p: &mut Program, thread: u32, index: u32, value: u32) {
    for half in 0..2 {
        let value = value >> (16 * half) & 0xFFFF;
        let (low, high) = (value & 0x3FFF, value >> 14);
        let reg_index_16b = 2 * index + half;
        let op = SETDMAREG {
            payload_sig_sel_size: high,
            payload_sig_sel: low,
            reg_index_16b,
            set_signals_mode: 0,
        };
        p.push(thread, op.word());
    }
}

/// Copies the first `count` GPRs of the running T core's thread to the result.
pub fn dump_gprs(p: &mut Program, thread: u32, count: u32, to: u32) {
    p.sync(thread);
    for i in 0..count {
        p.copy(REGFILE_BASE + 4 * i, to + 4 * i);
    }
}
