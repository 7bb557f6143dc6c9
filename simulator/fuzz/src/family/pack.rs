//! Packers: formats, ReLU, edge masks, accumulation, several packers, parts of rows.

use tt_isa::chip::wormhole::config as c;
use tt_isa::chip::wormhole::thread as tc;
use tt_isa::format::DataFormat::{self, *};
use tt_isa::insn::{INCADCXY, NOP, PACR, SETADCXX, SETADCXY, SETADCZW, WRCFG, ZEROACC};

use super::build::{Builder, OUTPUT, Part};
use super::{Family, t_core};
use crate::case::{Case, Data, Look};
use crate::random::Random;

/// Whether Dst is read in 32 bits, and the formats of the conversion.
const CONVERSIONS: [(bool, DataFormat, DataFormat); 25] = [
    (false, Fp16, Fp32),
    (false, Fp16, Fp16),
    (false, Fp16, Bf16),
    (false, Bfp8a, Bfp8),
    (false, Bf16, Fp32),
    (false, Bf16, Bf16),
    (false, Bf16, Bfp8),
    (false, Bf16, Bfp4),
    (false, Bf16, Bfp2),
    (false, Bfp8, Fp32),
    (false, Bfp8, Bf16),
    (false, Bfp8, Bfp8),
    (false, Bfp8, Bfp4),
    (false, Int16, Int16),
    (true, Fp32, Fp32),
    (true, Fp32, Fp16),
    (true, Fp32, Bfp8),
    (true, Fp32, Bfp4),
    (true, Fp32, Bfp2),
    (true, Bf16, Bf16),
    (true, Bfp8, Bfp8),
    (true, Bfp8, Bfp4),
    (true, Int32, Int32),
    (true, Int16, Int16),
    (true, Int8, Int8),
];

pub fn generate(random: &mut Random) -> Case {
    let mut b = Builder::new(Family::Pack, t_core(random));
    let (wide, input, output) = random.pick(&CONVERSIONS);
    let data = match input {
        Int32 | Int8 => Data::Integers,
        _ => random.weighted(&[(3, Data::Floats), (1, Data::Bits)]),
    };
    b.load_dst(64, data, random);
    let old = if matches!(output, Fp16) { Data::Halves } else { random.pick(&[Data::Floats, Data::Bfloats]) };
    b.fill(OUTPUT, 0x800, old, random);
    b.packers(wide, input, output, OUTPUT);
    details(&mut b, random, wide, input, output);
    let blocks = output.datum_bits() <= 8;
    b.push(SETADCXX { cnt_set_mask: 4, x_start: 0, x_end2: count(random, blocks) - 1 }.word());
    b.sync();
    b.part(Part::Body);
    // Which packers there are changes between tiles only.
    let mut pack_sel = 1;
    for _ in 0..random.range(1, 10) {
        instruction(&mut b, random, blocks, &mut pack_sel);
    }
    b.part(Part::Dump);
    b.push(PACR { pack_sel: 1, flush: 1, ..PACR::ZERO }.word());
    b.sync();
    b.case.looks.extend((0..4).map(|packer| Look::own(OUTPUT + 0x1000 * packer, 0xA00)));
    b.case
}

fn count(random: &mut Random, blocks: bool) -> u32 {
    if blocks {
        random.pick(&[16, 32, 64, 128, 256])
    } else {
        random.pick(&[1, 2, 4, 8, 16, 16, 32, 64, 256])
    }
}

fn details(b: &mut Builder, random: &mut Random, wide: bool, input: DataFormat, output: DataFormat) {
    let relu = if input == Int32 {
        random.weighted(&[(3, 0), (1, 1)])
    } else {
        random.weighted(&[(4, 0), (1, 1), (1, 2), (1, 3)])
    };
    if relu != 0 && !matches!(input, Int16 | Int8) {
        b.set(c::STACC_RELU_ApplyRelu, relu);
        let threshold = if matches!(input, Fp16 | Bfp8a) {
            random.pick(&[0, 0x3C00, 0x4100])
        } else {
            random.pick(&[0, 0x3F80, 0x4010, 0x3F00])
        };
        b.set(c::STACC_RELU_ReluThreshold, threshold);
    }
    if matches!(output, Fp32 | Fp16 | Bf16) && random.chance(64) {
        b.every_packer(c::THCON_SEC0_REG1_Pack_L1_Acc, 1);
    }
    if input == Int8 && random.chance(128) {
        b.set(c::PCK_DEST_RD_CTRL_Read_unsigned, 1);
    }
    if random.chance(64) {
        b.config_word(c::PCK_EDGE_OFFSET_SEC0_mask.index, random.pick(&[0, 1, 0xFFFF]));
        b.set(c::PCK_EDGE_OFFSET_SEC1_mask, random.pick(&[0, 1, 0xFFFF]));
        b.config_word(c::TILE_ROW_SET_MAPPING_0_row_set_mapping_0.index, random.word() & 0x5555_5555);
        b.config_word(c::TILE_ROW_SET_MAPPING_1_row_set_mapping_0.index, random.word() & 0x5555_5555);
        b.set(c::PCK_EDGE_TILE_ROW_SET_SELECT_select, random.word() & 0x55);
    }
    if random.chance(64) {
        let reads = random.range(1, 16);
        for packer in 0..4 {
            let field = c::PACK_COUNTERS_SEC0_pack_reads_per_xy_plane;
            b.set(tt_isa::cfg::CfgField { index: field.index + packer, ..field }, reads);
        }
    }
    // A row has 16 datums of what is read.
    let row = 16 * input.datum_bits().div_ceil(8).max(if wide && input == Fp32 { 4 } else { 1 }) as u32;
    b.set(c::PCK0_ADDR_CTRL_XY_REG_0_Ystride, row);
    b.set(c::PCK0_ADDR_CTRL_ZW_REG_0_Zstride, row * random.pick(&[1, 4, 8]));
    b.thread_word(tc::ADDR_MOD_PACK_SEC1_YsrcIncr.index, random.word() & 0x103F);
    b.thread_word(tc::ADDR_MOD_PACK_SEC2_YsrcIncr.index, random.word() & 0x303F);
}

fn instruction(b: &mut Builder, random: &mut Random, blocks: bool, pack_sel: &mut u32) {
    match random.below(16) {
        0 => {
            b.push(SETADCXY { cnt_set_mask: 4, ch0_y: random.below(8), bit_mask: 2, ..SETADCXY::ZERO }.word())
        }
        1 => b.push(INCADCXY { cnt_set_mask: 4, ch0_y: random.below(8), ..INCADCXY::ZERO }.word()),
        2 => {
            b.push(SETADCZW { cnt_set_mask: 4, ch0_x: random.below(4), bit_mask: 1, ..SETADCZW::ZERO }.word())
        }
        3 => {
            let x_end2 = count(random, blocks) - 1;
            b.push(SETADCXX { cnt_set_mask: 4, x_start: 0, x_end2 }.word());
        }
        4 => b.push(ZEROACC { clear_mode: 1, dst: random.below(8), ..ZEROACC::ZERO }.word()),
        5 => {
            // Where packer 0 goes next.
            b.sync();
            b.gpr(20, (OUTPUT >> 4) - 1 + random.below(0x40));
            b.push(
                WRCFG { gpr_address: 20, wr128b: 0, cfg_reg: c::THCON_SEC0_REG1_L1_Dest_addr.index }.word(),
            );
            b.push(NOP {}.word());
        }
        6 => {
            b.push(PACR { pack_sel: *pack_sel, flush: 1, ..PACR::ZERO }.word());
            *pack_sel = random.weighted(&[(6, 1), (1, 3), (2, 15)]);
        }
        _ => {
            let last = random.below(2);
            b.push(PACR { addr_mode: random.below(3), pack_sel: *pack_sel, last, ..PACR::ZERO }.word());
            if last == 1 {
                *pack_sel = random.weighted(&[(6, 1), (1, 3), (2, 15)]);
            }
        }
    }
}
