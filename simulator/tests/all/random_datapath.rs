//! Random programs for the scalar unit, address counters, unpackers and packers, in all modes that the vendor's
//! simulator has.
//!
//! `vectors/random_<kind>_<seed>.fnv` has the digests of results of the first programs of each kind, recorded as
//! `support/vectors.rs` says. With `TTSIM_LIB` set many more programs run, compared byte by byte.

use crate::support::datapath::{OUT, every_packer, fill_dst, interesting, packers, set_gpr, unpacker0};
use crate::support::{Program, Random, vectors};
use tt_isa::cfg::CfgField;
use tt_isa::chip::wormhole::{config as c, thread as tc};
use tt_isa::format::DataFormat::{self, *};
use tt_isa::insn::{
    ADDDMAREG, ADDRCRXY, ADDRCRZW, INCADCXY, INCADCZW, MOVA2D, MOVB2D, MULDMAREG, NOP, PACR, RDCFG, REG2FLOP,
    RMWCIB0, RMWCIB1, RMWCIB2, RMWCIB3, SETADC, SETADCXX, SETADCXY, SETADCZW, SETC16, SETRWC, UNPACR,
    UNPACR_NOP, WRCFG,
};
use tt_isa::map::{REGFILE_BASE, RiscV};

/// Programs of a kind whose digests are kept, and those that the library sees.
const RECORDED: u64 = 12;
const LIVE: u64 = 150;

fn check(kind: &str, program: impl Fn(&mut Random) -> Program) {
    let of = |seed: u64| (format!("random_{kind}_{seed}"), program(&mut Random(0x9E37_79B9 * (seed + 1))));
    vectors::check_digests((0..RECORDED).map(of).collect());
    vectors::check_live((RECORDED..LIVE).map(of).collect());
}

fn below(random: &mut Random, n: u32) -> u32 {
    random.next() % n
}

fn one_of<T: Copy>(random: &mut Random, of: &[T]) -> T {
    of[random.next() as usize % of.len()]
}

/// In one of `n` cases.
fn rarely(random: &mut Random, n: u32) -> bool {
    below(random, n) == 0
}

/// Registers that may have any value while nothing uses them.
const FREE: [u32; 20] = [8, 9, 44, 45, 47, 56, 57, 64, 65, 72, 74, 84, 85, 96, 97, 104, 105, 124, 125, 59];
/// The first of four that may.
const FREE_FOURS: [u32; 4] = [56, 84, 96, 124];

#[test]
fn scalar_programs() {
    check("scalar", |random| {
        let mut p = Program::on_core(RiscV::Trisc1, OUT..OUT + 0x100);
        for gpr in 0..64 {
            let value = random.next();
            set_gpr(&mut p, 1, gpr, value);
        }
        p.sync(1);
        for _ in 0..150 {
            let r = |random: &mut Random| below(random, 64);
            let reg = one_of(random, &FREE);
            let (mask, data) = (below(random, 256), below(random, 256));
            let word = match below(random, 10) {
                0 | 1 => ADDDMAREG {
                    op_b_is_const: 0,
                    result_reg_index: r(random),
                    op_b_reg_index: r(random),
                    op_a_reg_index: r(random),
                }
                .word(),
                2 => MULDMAREG {
                    op_b_is_const: 0,
                    result_reg_index: r(random),
                    op_b_reg_index: r(random),
                    op_a_reg_index: r(random),
                }
                .word(),
                3 => WRCFG { gpr_address: r(random), wr128b: 0, cfg_reg: reg }.word(),
                4 => {
                    let cfg_reg = one_of(random, &FREE_FOURS);
                    WRCFG { gpr_address: r(random) & !3, wr128b: 1, cfg_reg }.word()
                }
                5 | 6 => RDCFG { gpr_address: r(random), cfg_reg: reg }.word(),
                7 => REG2FLOP {
                    size_sel: 1 + below(random, 2),
                    flop_index: reg.max(56) - 52,
                    reg_index: r(random),
                    ..REG2FLOP::ZERO
                }
                .word(),
                8 => match below(random, 4) {
                    0 => RMWCIB0 { mask, data, cfg_reg_addr: reg }.word(),
                    1 => RMWCIB1 { mask, data, cfg_reg_addr: reg }.word(),
                    2 => RMWCIB2 { mask, data, cfg_reg_addr: reg }.word(),
                    _ => RMWCIB3 { mask, data, cfg_reg_addr: reg }.word(),
                },
                // The other bank.
                _ => SETC16 { setc16_reg: 0, setc16_value: below(random, 2) }.word(),
            };
            p.push(1, word);
            p.push(1, NOP {}.word());
        }
        p.sync(1);
        for i in 0..64 {
            p.copy(REGFILE_BASE + 4 * i, OUT + 4 * i);
        }
        p
    });
}

/// Fills all rows of Dst with different datums, 512 at a time.
fn fill_all_of_dst(p: &mut Program) {
    const RUN: u32 = 512;
    p.memory(0x8_0000, (0..8192u32).flat_map(|i| (i << 17 | (2 * i + 1)).to_le_bytes()).collect::<Vec<_>>());
    unpacker0(p, Int32, Int32);
    p.set(c::THCON_SEC0_REG3_Base_address, (0x8_0000 >> 4) - 1);
    p.config_word(c::THCON_SEC0_REG0_TileDescriptor.index + 1, 32 | 16 << 16);
    p.set(c::THCON_SEC0_REG2_Unpack_if_sel_cntx0, 1);
    p.set(c::UNP0_ADDR_CTRL_XY_REG_1_Ystride, 4 * RUN);
    p.set(tc::SRCA_SET_SetOvrdWithAddr, 0);
    p.push(0, SETADCXX { cnt_set_mask: 1, x_start: 0, x_end2: RUN - 1 }.word());
    for _ in 0..8192 / RUN {
        p.push(0, UNPACR { addr_mode: 0b01_00_00_01, ovrd_thread_id: 1, last: 1, ..UNPACR::ZERO }.word());
    }
    p.sync(0);
}

/// The packers' counters are seen in which rows are packed.
#[test]
fn counter_programs() {
    check("counters", |random| {
        const PACKS: u32 = 60;
        let mut p = Program::on_core(RiscV::Trisc0, OUT..OUT + 32 * PACKS);
        fill_all_of_dst(&mut p);
        packers(&mut p, false, Int16, Int16);
        p.set(c::PCK0_ADDR_CTRL_XY_REG_0_Ystride, 32);
        p.set(c::PCK0_ADDR_CTRL_ZW_REG_0_Zstride, 32 * (1 + below(random, 100)));
        p.set(c::PCK0_ADDR_CTRL_ZW_REG_0_Wstride, 32 * (1 + below(random, 500)));
        for modifier in 0..4 {
            let register = tc::ADDR_MOD_PACK_SEC0_YsrcIncr.index + modifier;
            // Not the carriage return of the output, nor clearing and returning at once.
            let value = random.next() & 0xFFFF & !(1 << 10);
            let value = if value >> 4 & 3 == 3 { value & !(1 << 4) } else { value };
            p.push(0, SETC16 { setc16_reg: register, setc16_value: value }.word());
        }
        p.push(0, SETADCXX { cnt_set_mask: 4, x_start: 0, x_end2: 15 }.word());
        for pack in 1..=PACKS {
            // The first of a tile wants the output's counters at zero.
            for _ in 0..if pack == 1 { 0 } else { below(random, 4) } {
                let word = counter_instruction(random);
                p.push(0, word);
            }
            let addr_mode = below(random, 4);
            p.push(0, PACR { addr_mode, pack_sel: 1, last: u32::from(pack == PACKS), ..PACR::ZERO }.word());
            p.sync(0);
        }
        p
    });
}

/// An instruction on the packers' counters but x.
fn counter_instruction(random: &mut Random) -> u32 {
    let cnt_set_mask = 4 | below(random, 8);
    let mut v = || below(random, 8);
    let (ch0_y, ch1_y, ch0_z, ch1_z) = (v(), v(), v(), v());
    let (y, zw) = (1 + v() % 2, 1 + v() % 3);
    // Of the masks' bits x has none: 1 is channel 0's y, 2 channel 1's.
    let of_y = [0, 2, 8, 10][y as usize];
    // For z and w all four.
    let of_zw = zw | (v() % 4) << 2;
    match v() {
        0 => SETADCXY { cnt_set_mask, ch0_y, ch1_y, bit_mask: of_y, ..SETADCXY::ZERO }.word(),
        1 => INCADCXY { cnt_set_mask, ch0_y, ch1_y, ..INCADCXY::ZERO }.word(),
        2 => ADDRCRXY { cnt_set_mask, ch0_y, ch1_y, bit_mask: of_y, ..ADDRCRXY::ZERO }.word(),
        3 => SETADCZW {
            cnt_set_mask,
            ch0_x: ch0_z,
            ch0_y,
            ch1_x: ch1_z,
            ch1_y,
            bit_mask: of_zw,
            ..SETADCZW::ZERO
        }
        .word(),
        4 => INCADCZW { cnt_set_mask, ch0_x: ch0_z, ch0_y, ch1_x: ch1_z, ch1_y, ..INCADCZW::ZERO }.word(),
        5 => ADDRCRZW {
            cnt_set_mask,
            ch0_x: ch0_z,
            ch0_y,
            ch1_x: ch1_z,
            ch1_y,
            bit_mask: of_zw,
            ..ADDRCRZW::ZERO
        }
        .word(),
        6 => SETADC {
            cnt_set_mask,
            channel_index: y - 1,
            dimension_index: zw,
            value: ch0_y << 13 | ch1_y << 8 | ch0_z << 4 | ch1_z,
        }
        .word(),
        _ => NOP {}.word(),
    }
}

/// SrcA, SrcB and Dst after some unpacks in random modes.
#[test]
fn unpack_programs() {
    check("unpack", |random| {
        let mut p = Program::on_core(RiscV::Trisc0, OUT..OUT + 4 * 2048);
        let unpacker = below(random, 2);
        let (input, output) = one_of(
            random,
            &[
                (Fp32, Tf32),
                (Fp32, Bf16),
                (Bf16, Bf16),
                (Fp16, Fp16),
                (Bfp8, Bfp8),
                (Bfp4, Bfp4),
                (Bfp2, Bfp2),
                (Int8, Int8),
                (Int16, Int16),
                (Fp8, Fp8),
            ],
        );
        p.memory(0x8_0000, Random(random.next().into()).bytes(0x2_0000));
        unpack_setup(&mut p, random, unpacker, input, output);
        p.set(c::ALU_FORMAT_SPEC_REG0_SrcAUnsigned, below(random, 2));
        p.set(c::ALU_FORMAT_SPEC_REG0_SrcBUnsigned, below(random, 2));
        let count = 3 + below(random, 6);
        let no_op = 1 + 4 * below(random, if unpacker == 0 { 2 } else { 1 });
        p.push(0, UNPACR_NOP { unpack_block_selection: unpacker, no_op }.word());
        for i in 1..=count {
            unpack_run(&mut p, random, unpacker, input);
            let set_dat_valid = u32::from(i == count);
            let addr_mode = below(random, 256) & 0b10_11_11_11;
            let op = UNPACR {
                unpack_block_selection: unpacker,
                addr_mode,
                set_dat_valid,
                ovrd_thread_id: 1,
                last: 1,
                ..UNPACR::ZERO
            };
            p.push(0, op.word());
            p.sync(0);
        }
        packers(&mut p, true, Fp32, Fp32);
        p.set(c::ALU_FORMAT_SPEC_REG0_SrcA, Tf32 as u32);
        p.set(c::ALU_FORMAT_SPEC_REG1_SrcB, Tf32 as u32);
        p.set(c::ALU_ACC_CTRL_Fp32_enabled, 1);
        if unpacker == 0 {
            (0..64).step_by(8).for_each(|row| {
                p.push(0, MOVA2D { src: row, dst: row, instr_mod: 2, ..MOVA2D::ZERO }.word());
            });
        } else {
            (0..64).step_by(4).for_each(|row| {
                p.push(0, MOVB2D { src: row, dst: row, instr_mod: 4, ..MOVB2D::ZERO }.word());
            });
        }
        p.push(0, SETRWC { clear_ab_vld: 1 + unpacker, ..SETRWC::ZERO }.word());
        for face in 0..4 {
            p.push(0, PACR { pack_sel: 1, last: u32::from(face == 3), ..PACR::ZERO }.word());
            p.config_word_in_order(0, c::DEST_TARGET_REG_CFG_PACK_SEC0_Offset.index, 16 * (face + 1));
        }
        p
    });
}

/// Dst after unpacks to random places of its first half.
#[test]
fn unpack_to_dst_programs() {
    check("unpack_dst", |random| {
        let mut p = Program::on_core(RiscV::Trisc0, OUT..OUT + 4 * 4096);
        p.memory(0x8_0000, Random(random.next().into()).bytes(0x2_0000));
        let format = one_of(random, &[Fp32, Int32]);
        unpacker0(&mut p, format, if rarely(random, 2) && format == Fp32 { Tf32 } else { format });
        p.config_word(
            c::THCON_SEC0_REG0_TileDescriptor.index + 1,
            (1 + below(random, 16)) | below(random, 8) << 16,
        );
        p.set(c::THCON_SEC0_REG3_Base_address, (0x8_0000 >> 4) - 1);
        p.set(c::THCON_SEC0_REG5_Tile_x_dim_cntx0, 16 * (1 + below(random, 4)));
        p.set(c::THCON_SEC0_REG2_Unpack_if_sel_cntx0, 1);
        p.set(tc::SRCA_SET_SetOvrdWithAddr, 0);
        p.set(c::UNP0_ADDR_CTRL_XY_REG_1_Ystride, 64 * (1 + below(random, 12)));
        p.set(c::UNP0_ADDR_CTRL_ZW_REG_1_Zstride, 64 * (1 + below(random, 12)));
        if rarely(random, 4) {
            p.set(c::THCON_SEC0_REG2_Tileize_mode, 1);
            p.set(c::THCON_SEC0_REG2_Shift_amount_cntx0, below(random, 16));
            p.set(c::THCON_SEC0_REG2_Shift_amount_cntx1, below(random, 4));
        }
        for _ in 0..4 + below(random, 8) {
            let x_start = 4 * below(random, 4);
            let x_end2 = x_start + below(random, 700);
            p.push(0, SETADCXX { cnt_set_mask: 1, x_start, x_end2 }.word());
            let (ch0_y, ch1_y) = (below(random, 8), below(random, 8));
            p.push(0, SETADCXY { cnt_set_mask: 1, ch0_y, ch1_y, bit_mask: 10, ..SETADCXY::ZERO }.word());
            let (ch0_x, ch1_x) = (below(random, 8), below(random, 8));
            p.push(0, SETADCZW { cnt_set_mask: 1, ch0_x, ch1_x, bit_mask: 5, ..SETADCZW::ZERO }.word());
            for _ in 0..1 + below(random, 2) {
                let addr_mode = below(random, 256) & 0b01_01_11_11;
                p.push(0, UNPACR { addr_mode, ovrd_thread_id: 1, last: 1, ..UNPACR::ZERO }.word());
            }
            p.sync(0);
        }
        packers(&mut p, true, Fp32, Fp32);
        for face in 0..16 {
            p.push(0, PACR { pack_sel: 1, last: u32::from(face == 15), ..PACR::ZERO }.word());
            p.config_word_in_order(0, c::DEST_TARGET_REG_CFG_PACK_SEC0_Offset.index, 16 * (face + 1));
        }
        p
    });
}

/// Modes that hold for a program.
fn unpack_setup(p: &mut Program, random: &mut Random, unpacker: u32, input: DataFormat, output: DataFormat) {
    let context = below(random, 2);
    let section = |field: CfgField| CfgField { index: field.index + 40 * unpacker, ..field };
    // All of the descriptor: 16 or 32 datums a row, a few rows and planes.
    let x_dim = one_of(random, &[16, 32, 64]);
    let (y_dim, z_dim) = (1 + below(random, 16), below(random, 8));
    let descriptor = section(c::THCON_SEC0_REG0_TileDescriptor).index;
    p.config_word(descriptor, input as u32 | 1 << 4 | x_dim << 16);
    p.config_word(descriptor + 1, y_dim | z_dim << 16);
    p.set(section(c::THCON_SEC0_REG2_Out_data_format), output as u32);
    p.set(section(c::THCON_SEC0_REG2_Throttle_mode), below(random, 3));
    let uncompressed = section(c::THCON_SEC0_REG2_Disable_zero_compress_cntx0);
    p.set(CfgField { shift: context, ..uncompressed }, 1);
    let base = section(c::THCON_SEC0_REG3_Base_address);
    let offset = below(random, 16);
    p.set(CfgField { index: base.index + context, ..base }, (0x8_0000 >> 4) - 1 - offset);
    // The offsets of unpacker 1 are registers that the vendor's simulator does not write.
    if unpacker == 0 {
        let offsets = c::THCON_SEC0_REG7_Offset_address;
        p.set(CfgField { index: offsets.index + context, ..offsets }, offset);
        let x_dims = c::THCON_SEC0_REG5_Tile_x_dim_cntx0;
        p.set(CfgField { shift: 16 * context, ..x_dims }, x_dim);
        let destination = c::THCON_SEC0_REG5_Dest_cntx0_address;
        p.set(CfgField { shift: 16 * context, ..destination }, 64);
        p.set(c::UNP0_ADD_DEST_ADDR_CNTR_add_dest_addr_cntr, 1);
        let tilize = rarely(random, 4) && input.datum_bits() >= 8;
        p.set(c::THCON_SEC0_REG2_Haloize_mode, u32::from(rarely(random, 3)));
        p.set(c::THCON_SEC0_REG2_Tileize_mode, tilize.into());
        if tilize {
            p.set(c::THCON_SEC0_REG2_Shift_amount_cntx0, below(random, 16));
            p.set(c::THCON_SEC0_REG2_Shift_amount_cntx1, below(random, 4));
        }
    }
    if input.is_block_float() && rarely(random, 3) {
        p.set(section(c::THCON_SEC0_REG2_Force_shared_exp), 1);
        if unpacker == 0 {
            p.set(c::UNP0_FORCED_SHARED_EXP_shared_exp, below(random, 256));
        }
    }
    p.set(tc::SRCA_SET_SetOvrdWithAddr, 1);
    // Eight rows for each of the output's y.
    let bytes = (output.datum_bits() as u32).div_ceil(8);
    let stride = [c::UNP0_ADDR_CTRL_XY_REG_1_Ystride, c::UNP1_ADDR_CTRL_XY_REG_1_Ystride][unpacker as usize];
    if unpacker == 0 {
        p.set(stride, bytes * 16 * 8);
    }
    let contexts = tc::UNPACK_MISC_CFG_CfgContextOffset_0;
    p.set(CfgField { shift: 8 * unpacker, ..contexts }, context);
}

/// Where a run starts, and how long it is: so that it stays in the bank, and bursts are aligned.
fn unpack_run(p: &mut Program, random: &mut Random, unpacker: u32, input: DataFormat) {
    let mask = 1 + unpacker;
    let eights = below(random, 5);
    let rows = 1 + below(random, 24);
    // Whole bytes, and (for transposition) whole 16 bytes at the start.
    let x_start = 128 / (input.datum_bits() as u32).min(16) * below(random, 3);
    let len = 16 * rows - if rarely(random, 3) { below(random, 16) } else { 0 };
    p.push(0, SETADCXX { cnt_set_mask: mask, x_start, x_end2: x_start + len - 1 }.word());
    let ch1_y = if unpacker == 0 { eights } else { 0 };
    let (ch0_y, ch0_z) = (8 * below(random, 2) % 8, below(random, 4));
    p.push(0, SETADCXY { cnt_set_mask: mask, ch0_y, ch1_y, bit_mask: 10, ..SETADCXY::ZERO }.word());
    p.push(
        0,
        SETADCZW {
            cnt_set_mask: mask,
            ch0_x: ch0_z,
            ch0_y: below(random, 2),
            bit_mask: 15,
            ..SETADCZW::ZERO
        }
        .word(),
    );
}

/// L1 after some packs in random modes.
#[test]
fn pack_programs() {
    check("pack", |random| {
        const LEN: u32 = 0x6000;
        let mut p = Program::on_core(RiscV::Trisc0, OUT..OUT + LEN);
        p.memory(
            OUT,
            interesting(random.next().into(), LEN as usize / 4)
                .iter()
                .flat_map(|d| d.to_le_bytes())
                .collect::<Vec<_>>(),
        );
        fill_dst(&mut p, &interesting(random.next().into(), 1024));
        p.sync(0);
        let (wide, input, output) = one_of(random, &PAIRS);
        packers(&mut p, wide, input, output);
        let accumulate = matches!(output, Fp32 | Fp16 | Bf16) && rarely(random, 3);
        every_packer(&mut p, c::THCON_SEC0_REG1_Pack_L1_Acc, accumulate.into());
        if output.datum_bits() <= 8 {
            every_packer(&mut p, c::THCON_SEC0_REG1_Exp_section_size, 1 + below(random, 8));
        }
        if !matches!(input, Int32 | Int16 | Int8) {
            p.set(c::STACC_RELU_ApplyRelu, below(random, 4));
            p.set(c::STACC_RELU_ReluThreshold, random.next() & 0x7FFF);
        } else if input == Int32 {
            p.set(c::STACC_RELU_ApplyRelu, below(random, 2));
        }
        p.set(c::PCK_DEST_RD_CTRL_Read_unsigned, below(random, 2));
        edge_masks(&mut p, random);
        pack_tiles(&mut p, random, output);
        p
    });
}

const PAIRS: [(bool, DataFormat, DataFormat); 18] = [
    (false, Fp16, Fp32),
    (false, Fp16, Fp16),
    (false, Fp16, Bf16),
    (false, Bfp8a, Bfp8),
    (false, Bf16, Bf16),
    (false, Bf16, Bfp8),
    (false, Bf16, Bfp4),
    (false, Bf16, Bfp2),
    (false, Bfp8, Bfp4),
    (false, Int16, Int16),
    (true, Fp32, Fp32),
    (true, Fp32, Fp16),
    (true, Fp32, Bfp8),
    (true, Fp32, Bfp2),
    (true, Bf16, Bf16),
    (true, Bfp8, Bfp8),
    (true, Int32, Int32),
    (true, Int8, Int8),
];

fn edge_masks(p: &mut Program, random: &mut Random) {
    if rarely(random, 2) {
        return;
    }
    let masks = [0, 1, 0xFFFF];
    p.set(c::PCK_EDGE_OFFSET_SEC0_mask, one_of(random, &masks));
    p.set(c::PCK_EDGE_OFFSET_SEC1_mask, one_of(random, &masks));
    p.set(c::PCK_EDGE_TILE_ROW_SET_SELECT_select, random.next() & 0x55);
    for set in [c::TILE_ROW_SET_MAPPING_0_row_set_mapping_0, c::TILE_ROW_SET_MAPPING_1_row_set_mapping_0] {
        p.config_word(set.index, random.next() & 0x5555_5555);
    }
    let reads = 1 + below(random, 16);
    for packer in 0..4 {
        let counters = c::PACK_COUNTERS_SEC0_pack_reads_per_xy_plane;
        p.set(CfgField { index: counters.index + packer, ..counters }, reads);
    }
}

/// Tiles of one or more instructions, each tile by the same packers.
fn pack_tiles(p: &mut Program, random: &mut Random, output: DataFormat) {
    p.set(c::PCK0_ADDR_CTRL_XY_REG_0_Ystride, 64);
    p.set(c::PCK0_ADDR_CTRL_ZW_REG_0_Zstride, 64 * 4);
    let least = if output.datum_bits() <= 8 { 4 } else { 0 };
    for tile in 0..1 + below(random, 3) {
        let pack_sel = one_of(random, &[1, 3, 15]);
        let reads = 1 + below(random, 3);
        for read in 1..=reads {
            let count = 1 << (least + below(random, 9 - least));
            p.push(0, SETADCXX { cnt_set_mask: 4, x_start: 0, x_end2: count - 1 }.word());
            let (ch0_y, ch0_z) = (below(random, 8), below(random, 8));
            p.push(0, SETADCXY { cnt_set_mask: 4, ch0_y, bit_mask: 2, ..SETADCXY::ZERO }.word());
            p.push(0, SETADCZW { cnt_set_mask: 4, ch0_x: ch0_z, bit_mask: 1, ..SETADCZW::ZERO }.word());
            let ends = read == reads;
            let flush = u32::from(ends && rarely(random, 4));
            let last = if flush != 0 { below(random, 2) } else { ends.into() };
            p.push(0, PACR { pack_sel, flush, last, ..PACR::ZERO }.word());
        }
        p.sync(0);
        // The next tile of packer 0 goes behind those of packer 3.
        p.set(c::THCON_SEC0_REG1_L1_Dest_addr, ((OUT + 0x4000 + 0x800 * tile) >> 4) - 1);
    }
}
