//! The coprocessor's front end, scalar unit, unpackers and packers against recorded results of the vendor's
//! simulator.
//!
//! Each case's result is in `vectors/<case>.hex`, recorded from the vendor's library (release_wh build of ttsim,
//! November 2026) by this test with `TTSIM_LIB` and `TENSIX_VECTORS_RECORD=1` set. With `TTSIM_LIB` alone the
//! recorded bytes are checked against the library too.

mod support;

use std::path::{Path, PathBuf};

use support::{Program, Random, hex, run_here, run_vendor, unhex};
use tt_isa::cfg::CfgField;
use tt_isa::cfg::{config as c, thread as tc};
use tt_isa::format::DataFormat::{self, *};
use tt_isa::insn::{
    ADDDMAREG, ADDRCRXY, ADDRCRZW, ELWADD, ELWMUL, ELWSUB, INCADCXY, INCADCZW, MOP, MOP_CFG, MOVA2D, MOVB2A,
    MOVB2D, MOVD2A, MOVD2B, MULDMAREG, MVMUL, NOP, PACR, RDCFG, REG2FLOP, REPLAY, RMWCIB0, RMWCIB1, RMWCIB2,
    RMWCIB3, SEMGET, SEMINIT, SEMPOST, SEMWAIT, SETADC, SETADCXX, SETADCXY, SETADCZW, SETDMAREG, SETDVALID,
    SETRWC, STALLWAIT, TRNSPSRCB, UNPACR, UNPACR_NOP, WRCFG, ZEROACC, ZEROSRC,
};
use tt_isa::map::{CFG_BASE, MOP_CFG_BASE, REGFILE_BASE, RiscV};

const IN: u32 = 0x2_0000;
const IDENTITY: u32 = 0x2_8000;
const OUT: u32 = 0x3_0000;
/// Sections of the four packers' registers: distance from packer 0's.
const SECTION: [u32; 4] = [0, 28, 40, 68];

#[test]
fn vendor_child() {
    support::vendor_child();
}

#[test]
fn results_are_the_vendors() {
    let library = std::env::var_os("TTSIM_LIB").map(PathBuf::from);
    let record = std::env::var_os("TENSIX_VECTORS_RECORD").is_some();
    if library.is_none() {
        println!("TTSIM_LIB is not set: recorded results only");
    }
    let mut wrong = Vec::new();
    for (name, program) in cases() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(format!("{name}.hex"));
        if let Some(library) = &library {
            match run_vendor(library, &program, &name) {
                Ok(result) if record => std::fs::write(&file, lines(&result)).unwrap(),
                Ok(result) if result != read(&file) => {
                    wrong.push(format!("{name}: record is not the vendor's"))
                }
                Ok(_) => {}
                Err(text) => wrong.push(format!("{name}: vendor: {}", text.trim())),
            }
        }
        let expected = read(&file);
        match run_here(&program) {
            Ok(result) if result == expected => {}
            Ok(result) => {
                let at = result.iter().zip(&expected).position(|(a, b)| a != b).unwrap_or(0) & !3;
                let count = result.iter().zip(&expected).filter(|(a, b)| a != b).count();
                let word = |bytes: &[u8]| hex(&bytes[at..(at + 4).min(bytes.len())]);
                let (ours, theirs) = (word(&result), word(&expected));
                wrong
                    .push(format!("{name}: {count} bytes differ, first at {at:#x}: {ours}, vendor {theirs}"));
            }
            Err(text) => wrong.push(format!("{name}: {text}")),
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

fn lines(bytes: &[u8]) -> String {
    bytes.chunks(64).map(|line| hex(line) + "\n").collect()
}

fn read(file: &Path) -> Vec<u8> {
    std::fs::read_to_string(file).map(|text| text.lines().flat_map(unhex).collect()).unwrap_or_default()
}

fn cases() -> Vec<(String, Program)> {
    let mut cases = Vec::new();
    for (wide, input, output) in pack_formats() {
        let name = format!("pack{}_{input:?}_{output:?}", if wide { 32 } else { 16 }).to_lowercase();
        cases.push((name, pack_case(wide, input, output, |_| {})));
    }
    for (input, mode) in [(Fp32, 1), (Fp32, 2), (Fp32, 3), (Bf16, 1), (Bf16, 2), (Bf16, 3), (Int32, 1)] {
        let name = format!("pack_relu{mode}_{input:?}").to_lowercase();
        cases.push((
            name,
            pack_case(true, input, input, |p| {
                p.set(c::STACC_RELU_ApplyRelu, mode);
                p.set(c::STACC_RELU_ReluThreshold, 0x4010);
            }),
        ));
    }
    for (wide, input, output) in [(true, Fp32, Fp32), (true, Bf16, Bf16), (true, Fp32, Fp16)] {
        let name = format!("pack_l1acc_{output:?}").to_lowercase();
        cases.push((
            name,
            pack_case(wide, input, output, |p| every_packer(p, c::THCON_SEC0_REG1_Pack_L1_Acc, 1)),
        ));
    }
    cases.push(("pack_edge_masks".into(), pack_edges()));
    cases.push(("pack_four_packers_two_reads".into(), pack_four()));
    cases.push(("pack_part_of_a_row_and_flush".into(), pack_part()));
    for (input, output) in
        [(Fp32, Tf32), (Fp32, Bf16), (Bf16, Bf16), (Bfp8, Bfp8), (Bfp4, Bfp4), (Bfp2, Bfp2)]
    {
        let name = format!("unpack_{input:?}_{output:?}").to_lowercase();
        cases.push((name, unpack_case(input, output, |_| {})));
        let name = format!("unpack_transpose_{input:?}_{output:?}").to_lowercase();
        cases.push((name, unpack_case(input, output, |p| p.set(c::THCON_SEC0_REG2_Haloize_mode, 1))));
    }
    cases.push((
        "unpack_forced_exponent".into(),
        unpack_case(Bfp8, Bfp8, |p| {
            p.set(c::THCON_SEC0_REG2_Force_shared_exp, 1);
            p.set(c::UNP0_FORCED_SHARED_EXP_shared_exp, 129);
        }),
    ));
    for input in [Fp32, Bf16] {
        let output = if input == Fp32 { Tf32 } else { input };
        cases.push((
            format!("unpack_tilize_{input:?}").to_lowercase(),
            unpack_case(input, output, |p| {
                p.set(c::THCON_SEC0_REG2_Tileize_mode, 1);
                p.set(c::THCON_SEC0_REG2_Shift_amount_cntx0, 5);
                p.set(c::THCON_SEC0_REG2_Shift_amount_cntx1, 1);
            }),
        ));
    }
    cases.push(("unpack_context_1".into(), unpack_case(Bf16, Bf16, second_context)));
    cases.push((
        "unpack_inner_rows".into(),
        unpack_case(Bfp4, Bfp4, |p| {
            p.push(0, SETADCXY { cnt_set_mask: 1, ch0_y: 3, bit_mask: 2, ..SETADCXY::ZERO }.word());
            p.push(0, SETADCZW { cnt_set_mask: 1, ch0_x: 1, bit_mask: 1, ..SETADCZW::ZERO }.word());
        }),
    ));
    cases.push(("unpack_nop_clears".into(), unpack_nop()));
    for (input, output) in [(Fp16, Fp16), (Fp32, Fp16), (Fp8, Fp8), (Int8, Int8), (Int16, Int16)] {
        cases.push((format!("unpack_{input:?}_{output:?}").to_lowercase(), unpack_moved(input, output, 0)));
    }
    cases.push(("unpack_uint8".into(), unpack_moved(Int8, Int8, 1)));
    for (wide, format) in [(false, Bf16), (false, Fp16), (true, Tf32), (true, Bf16), (true, Int32)] {
        let name = format!("moves{}_{format:?}", if wide { 32 } else { 16 }).to_lowercase();
        cases.push((name, moves(wide, format)));
    }
    for (a, b) in [(Tf32, Tf32), (Bf16, Tf32), (Bf16, Bf16), (Tf32, Bf16)] {
        cases.push((format!("mvmul_{a:?}_{b:?}").to_lowercase(), matrix_case(a, b, mvmul)));
        cases.push((format!("elementwise_{a:?}_{b:?}").to_lowercase(), matrix_case(a, b, elementwise)));
    }
    cases.push(("scalar_unit".into(), scalar()));
    cases.push(("mop_mask".into(), mop_mask()));
    cases.push(("mop_loops".into(), mop_loops()));
    cases.push(("replay".into(), replay()));
    cases.push(("address_counters".into(), address_counters()));
    cases.push(("semaphores_between_threads".into(), semaphores()));
    cases
}

fn pack_formats() -> Vec<(bool, DataFormat, DataFormat)> {
    let narrow = [
        (Fp16, Fp32),
        (Fp16, Fp16),
        (Fp16, Bf16),
        (Bfp8a, Bfp8),
        (Bf16, Fp32),
        (Bf16, Bf16),
        (Bf16, Bfp8),
        (Bf16, Bfp4),
        (Bf16, Bfp2),
        (Bfp8, Fp32),
        (Bfp8, Bf16),
        (Bfp8, Bfp8),
        (Bfp8, Bfp4),
        (Int16, Int16),
    ];
    let wide = [
        (Fp32, Fp32),
        (Fp32, Fp16),
        (Fp32, Bfp8),
        (Fp32, Bfp4),
        (Fp32, Bfp2),
        (Bf16, Bf16),
        (Bfp8, Bfp8),
        (Bfp8, Bfp4),
        (Int32, Int32),
        (Int16, Int16),
        (Int8, Int8),
    ];
    let of = |wide| move |(i, o)| (wide, i, o);
    narrow.into_iter().map(of(false)).chain(wide.into_iter().map(of(true))).collect()
}

/// A field of every packer's section.
fn every_packer(p: &mut Program, field: CfgField, value: u32) {
    for distance in SECTION {
        p.set(CfgField { index: field.index + distance, ..field }, value);
    }
}

/// Datums that make conversions work: exponents that are near each other, ties, and special values.
fn interesting(seed: u64, count: usize) -> Vec<u32> {
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

/// Fills 32-bit Dst rows 0 to 63 by way of unpacker 0.
fn fill_dst(p: &mut Program, datums: &[u32]) {
    p.memory(IN, datums.iter().flat_map(|d| d.to_le_bytes()).collect::<Vec<_>>());
    unpacker0(p, Fp32, Fp32);
    p.set(c::THCON_SEC0_REG2_Unpack_if_sel_cntx0, 1);
    p.set(tc::SRCA_SET_SetOvrdWithAddr, 0);
    p.push(0, SETADCXX { cnt_set_mask: 1, x_start: 0, x_end2: datums.len() as u32 - 1 }.word());
    p.push(0, UNPACR { ovrd_thread_id: 1, last: 1, ..UNPACR::ZERO }.word());
}

fn unpacker0(p: &mut Program, input: DataFormat, output: DataFormat) {
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

fn packers(p: &mut Program, wide: bool, input: DataFormat, output: DataFormat) {
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

fn pack_case(wide: bool, input: DataFormat, output: DataFormat, more: impl Fn(&mut Program)) -> Program {
    let mut p = Program::new(OUT..OUT + 0x420);
    p.memory(OUT, interesting(7, 0x420 / 4).iter().flat_map(|d| d.to_le_bytes()).collect::<Vec<_>>());
    fill_dst(&mut p, &interesting(wide as u64 + 11, 1024));
    packers(&mut p, wide, input, output);
    more(&mut p);
    p.push(0, PACR { pack_sel: 1, last: 1, ..PACR::ZERO }.word());
    p
}

fn pack_edges() -> Program {
    pack_case(true, Fp32, Fp32, |p| {
        p.set(c::PCK_EDGE_OFFSET_SEC0_mask, 1);
        p.set(c::PCK_EDGE_OFFSET_SEC1_mask, 0xFFFF);
        p.config_word(c::TILE_ROW_SET_MAPPING_0_row_set_mapping_0.index, 0x0145_1105);
    })
}

fn pack_four() -> Program {
    let mut p = Program::new(OUT..OUT + 0x3440);
    fill_dst(&mut p, &interesting(3, 1024));
    packers(&mut p, true, Fp32, Fp32);
    p.set(c::PCK0_ADDR_CTRL_XY_REG_0_Ystride, 64);
    p.push(0, SETADCXX { cnt_set_mask: 4, x_start: 0, x_end2: 31 }.word());
    p.push(0, PACR { pack_sel: 15, ..PACR::ZERO }.word());
    p.push(0, SETADCXY { cnt_set_mask: 4, ch0_y: 3, bit_mask: 2, ..SETADCXY::ZERO }.word());
    p.push(0, PACR { pack_sel: 15, last: 1, ..PACR::ZERO }.word());
    p
}

fn pack_part() -> Program {
    pack_case(true, Bf16, Bf16, |p| {
        p.push(0, SETADCXX { cnt_set_mask: 4, x_start: 0, x_end2: 3 }.word());
        p.push(0, PACR { pack_sel: 1, ..PACR::ZERO }.word());
        p.push(0, PACR { pack_sel: 1, ..PACR::ZERO }.word());
        p.push(0, PACR { pack_sel: 1, flush: 1, ..PACR::ZERO }.word());
        p.push(0, SETADCXX { cnt_set_mask: 4, x_start: 0, x_end2: 0 }.word());
        p.config_word_in_order(0, c::THCON_SEC0_REG1_L1_Dest_addr.index, ((OUT + 0x40) >> 4) - 1);
    })
}

/// Unpacks a face to SrcA, multiplies it with the identity, and packs that: SrcA is seen through `MVMUL`.
fn unpack_case(input: DataFormat, output: DataFormat, more: impl Fn(&mut Program)) -> Program {
    let mut p = Program::new(OUT..OUT + 0x400);
    let bytes: Vec<u8> = match input {
        Fp32 => interesting(5, 2048).iter().flat_map(|d| d.to_le_bytes()).collect(),
        Bf16 => interesting(5, 4096).iter().flat_map(|d| ((d >> 16) as u16).to_le_bytes()).collect(),
        _ => {
            let mut random = Random(99);
            let exponents = (0..64).map(|_| 120 + random.next() as u8 % 16);
            exponents.chain(Random(4).bytes(4096)).collect()
        }
    };
    p.memory(IN, bytes);
    unpacker0(&mut p, input, output);
    p.push(0, SETADCXX { cnt_set_mask: 1, x_start: 0, x_end2: 255 }.word());
    more(&mut p);
    p.push(0, UNPACR { ovrd_thread_id: 1, last: 1, set_dat_valid: 1, ..UNPACR::ZERO }.word());
    multiply_and_pack(&mut p, output);
    p
}

fn second_context(p: &mut Program) {
    p.set(c::THCON_SEC0_REG2_Disable_zero_compress_cntx1, 1);
    p.set(c::THCON_SEC0_REG3_Base_cntx1_address, (IN >> 4) + 7);
    p.set(c::THCON_SEC0_REG7_Offset_cntx1_address, 2);
    p.set(c::THCON_SEC0_REG5_Dest_cntx1_address, 64);
    p.set(c::THCON_SEC0_REG5_Tile_x_dim_cntx1, 16);
    p.set(tc::UNPACK_MISC_CFG_CfgContextOffset_0, 1);
}

fn multiply_and_pack(p: &mut Program, format: DataFormat) {
    let identity: Vec<u8> =
        (0..256).flat_map(|i| f32::to_le_bytes(if i / 16 == i % 16 { 1.0 } else { 0.0 })).collect();
    p.memory(IDENTITY, identity);
    p.config_word(c::THCON_SEC1_REG0_TileDescriptor.index, Fp32 as u32 | 1 << 4 | 16 << 16);
    p.config_word(c::THCON_SEC1_REG0_TileDescriptor.index + 1, 16 | 1 << 16);
    p.set(c::THCON_SEC1_REG2_Out_data_format, Tf32 as u32);
    p.set(c::THCON_SEC1_REG2_Disable_zero_compress_cntx0, 1);
    p.set(c::THCON_SEC1_REG3_Base_address, (IDENTITY >> 4) - 1);
    p.push(0, SETADCXX { cnt_set_mask: 2, x_start: 0, x_end2: 255 }.word());
    p.push(
        0,
        UNPACR { unpack_block_selection: 1, ovrd_thread_id: 1, last: 1, set_dat_valid: 1, ..UNPACR::ZERO }
            .word(),
    );
    let format = if format == Tf32 { Tf32 } else { Bf16 };
    packers(p, true, Fp32, Fp32);
    p.set(c::ALU_FORMAT_SPEC_REG0_SrcA, format as u32);
    p.set(c::ALU_FORMAT_SPEC_REG1_SrcB, Tf32 as u32);
    p.set(c::ALU_ACC_CTRL_Fp32_enabled, 1);
    p.push(0, ZEROACC { clear_mode: 3, ..ZEROACC::ZERO }.word());
    for half in 0..2 {
        for phase in 0..4 {
            p.set(tc::FIDELITY_BASE_Phase, phase);
            p.push(0, SETRWC { rwc_b: 8 * half, bit_mask: 15, ..SETRWC::ZERO }.word());
            p.push(0, MVMUL { dst: 8 * half, ..MVMUL::ZERO }.word());
        }
    }
    p.push(0, PACR { pack_sel: 1, last: 1, ..PACR::ZERO }.word());
}

/// A bank that was partly filled, cleared, and handed over empty but for one row.
fn unpack_nop() -> Program {
    unpack_case(Bf16, Bf16, |p| {
        p.push(0, UNPACR { ovrd_thread_id: 1, last: 1, ..UNPACR::ZERO }.word());
        p.push(0, UNPACR_NOP { unpack_block_selection: 0, no_op: 1 }.word());
        p.push(0, SETADCXX { cnt_set_mask: 1, x_start: 0, x_end2: 15 }.word());
    })
}

/// Sets GPR `index` of a thread.
fn set_gpr(p: &mut Program, thread: u32, index: u32, value: u32) {
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
fn dump_gprs(p: &mut Program, thread: u32, count: u32, to: u32) {
    p.sync(thread);
    for i in 0..count {
        p.copy(REGFILE_BASE + 4 * i, to + 4 * i);
    }
}

fn add(result: u32, a: u32, b: u32) -> u32 {
    ADDDMAREG { op_b_is_const: 0, result_reg_index: result, op_b_reg_index: b, op_a_reg_index: a }.word()
}

fn multiply(result: u32, a: u32, b: u32) -> u32 {
    MULDMAREG { op_b_is_const: 0, result_reg_index: result, op_b_reg_index: b, op_a_reg_index: a }.word()
}

/// Moves between GPRs and `Config`, and arithmetic.
fn scalar() -> Program {
    let mut p = Program::on_core(RiscV::Trisc1, OUT..OUT + 0x80);
    set_gpr(&mut p, 1, 0, 0xDEAD_BEEF);
    set_gpr(&mut p, 1, 1, 0x1234_5678);
    set_gpr(&mut p, 1, 4, 0x0102_0304);
    set_gpr(&mut p, 1, 5, 0x1122_3344);
    set_gpr(&mut p, 1, 6, 0xFFFF_FFFF);
    set_gpr(&mut p, 1, 7, 0x8000_0001);
    p.push(1, add(2, 0, 1));
    p.push(1, multiply(3, 0, 1));
    p.push(1, add(8, 6, 7));
    p.push(1, multiply(9, 6, 6));
    let base = c::THCON_SEC0_REG3_Base_address.index;
    let wide = c::THCON_SEC0_REG1_Row_start_section_size.index;
    p.push(1, WRCFG { gpr_address: 0, wr128b: 0, cfg_reg: base }.word());
    p.push(1, RDCFG { gpr_address: 10, cfg_reg: base }.word());
    p.push(1, WRCFG { gpr_address: 4, wr128b: 1, cfg_reg: wide }.word());
    p.push(1, NOP {}.word());
    let rmw = [
        RMWCIB0 { mask: 0xF0, data: 0x5A, cfg_reg_addr: base }.word(),
        RMWCIB1 { mask: 0x0F, data: 0xA5, cfg_reg_addr: base }.word(),
        RMWCIB2 { mask: 0xFF, data: 0x77, cfg_reg_addr: base }.word(),
        RMWCIB3 { mask: 0x81, data: 0xFF, cfg_reg_addr: base }.word(),
    ];
    rmw.into_iter().for_each(|word| p.push(1, word));
    p.push(1, RDCFG { gpr_address: 11, cfg_reg: base }.word());
    p.push(1, REG2FLOP { size_sel: 1, flop_index: base - 52, reg_index: 1, ..REG2FLOP::ZERO }.word());
    dump_gprs(&mut p, 1, 16, OUT);
    p.copy(CFG_BASE + 4 * base, OUT + 0x40);
    for i in 0..4 {
        p.copy(CFG_BASE + 4 * (wide + i), OUT + 0x44 + 4 * i);
    }
    p
}

/// GPR 0 becomes a number that depends on the order of additions and multiplications.
fn ordered_gprs(p: &mut Program) {
    for (i, value) in [1, 3, 7, 11, 0x101, 13].into_iter().enumerate() {
        set_gpr(p, 0, i as u32, value);
    }
}

const fn mop_word(index: u32) -> u32 {
    MOP_CFG_BASE + 4 * index
}

/// Both flags of the mask template, with a mask that spans both halves.
fn mop_mask() -> Program {
    let mut p = Program::on_core(RiscV::Trisc0, OUT..OUT + 0x20);
    ordered_gprs(&mut p);
    p.write(mop_word(1), 3);
    let words =
        [add(0, 0, 1), multiply(0, 0, 2), add(0, 0, 3), multiply(0, 0, 4), add(0, 0, 5), add(1, 1, 0)];
    for (i, word) in
        [(3, words[0]), (4, words[1]), (5, words[2]), (6, words[3]), (2, words[4]), (7, words[5])]
    {
        p.write(mop_word(i), word);
    }
    p.write(mop_word(8), multiply(0, 0, 5));
    p.push(0, MOP_CFG { zmask_hi16: 0x5 }.word());
    p.push(0, MOP { mop_type: 0, loop_count: 20, zmask_lo16: 0x91B3 }.word());
    dump_gprs(&mut p, 0, 6, OUT);
    p
}

/// Nested loops with alternating loop instructions, and with their last ones replaced.
fn mop_loops() -> Program {
    let mut p = Program::on_core(RiscV::Trisc0, OUT..OUT + 0x20);
    ordered_gprs(&mut p);
    let words =
        [add(0, 0, 5), multiply(0, 0, 2), add(1, 1, 5), add(0, 0, 1), multiply(0, 0, 4), add(2, 2, 5)];
    p.write(mop_word(0), 3);
    p.write(mop_word(1), 4);
    for (i, word) in words.into_iter().enumerate() {
        p.write(mop_word(2 + i as u32), word);
    }
    p.write(mop_word(8), add(0, 0, 3));
    p.push(0, MOP { mop_type: 1, loop_count: 0, zmask_lo16: 0 }.word());
    p.sync(0);
    p.write(mop_word(6), NOP {}.word());
    p.push(0, MOP { mop_type: 1, loop_count: 0, zmask_lo16: 0 }.word());
    dump_gprs(&mut p, 0, 6, OUT);
    p
}

/// Recorded with and without execution, played from the middle.
fn replay() -> Program {
    let mut p = Program::on_core(RiscV::Trisc0, OUT..OUT + 0x20);
    ordered_gprs(&mut p);
    let record = |start_idx, len, execute_while_loading| {
        REPLAY { start_idx, len, execute_while_loading, load_mode: 1 }.word()
    };
    let play = |start_idx, len| REPLAY { start_idx, len, execute_while_loading: 0, load_mode: 0 }.word();
    p.push(0, record(0, 3, 1));
    [add(0, 0, 1), multiply(0, 0, 2), add(0, 0, 3)].into_iter().for_each(|w| p.push(0, w));
    p.push(0, record(3, 2, 0));
    [multiply(0, 0, 4), add(1, 1, 5)].into_iter().for_each(|w| p.push(0, w));
    p.push(0, play(0, 5));
    p.push(0, play(2, 3));
    p.push(0, play(1, 1));
    dump_gprs(&mut p, 0, 6, OUT);
    p
}

/// What the counters are is seen in which rows the packer reads.
fn address_counters() -> Program {
    let mut p = Program::new(OUT..OUT + 0x240);
    fill_dst(&mut p, &interesting(3, 1024));
    packers(&mut p, true, Fp32, Fp32);
    p.set(c::PCK0_ADDR_CTRL_XY_REG_0_Ystride, 64);
    p.set(c::PCK0_ADDR_CTRL_ZW_REG_0_Zstride, 64 * 8);
    p.set(c::PCK0_ADDR_CTRL_ZW_REG_0_Wstride, 64 * 16);
    p.set(tc::ADDR_MOD_PACK_SEC1_YsrcIncr, 3);
    p.set(tc::ADDR_MOD_PACK_SEC1_ZsrcIncr, 1);
    p.set(tc::ADDR_MOD_PACK_SEC2_YsrcCR, 1);
    p.set(tc::ADDR_MOD_PACK_SEC2_YsrcIncr, 2);
    p.set(tc::ADDR_MOD_PACK_SEC2_ZsrcClear, 1);
    p.set(tc::ADDR_MOD_PACK_SEC3_YsrcClear, 1);
    p.push(0, SETADCXX { cnt_set_mask: 4, x_start: 0, x_end2: 15 }.word());
    let pack = |addr_mode, last| PACR { addr_mode, pack_sel: 1, last, ..PACR::ZERO }.word();
    let words = [
        SETADCXY { cnt_set_mask: 4, ch0_y: 1, bit_mask: 2, ..SETADCXY::ZERO }.word(),
        pack(1, 0),
        pack(2, 0),
        pack(3, 0),
        INCADCXY { cnt_set_mask: 4, ch0_y: 5, ..INCADCXY::ZERO }.word(),
        pack(0, 0),
        ADDRCRXY { cnt_set_mask: 4, ch0_y: 2, bit_mask: 2, ..ADDRCRXY::ZERO }.word(),
        pack(0, 0),
        INCADCZW { cnt_set_mask: 4, ch0_x: 2, ch0_y: 1, ..INCADCZW::ZERO }.word(),
        pack(0, 0),
        ADDRCRZW { cnt_set_mask: 4, ch0_x: 1, ch0_y: 1, bit_mask: 3, ..ADDRCRZW::ZERO }.word(),
        pack(0, 0),
        SETADC { cnt_set_mask: 4, channel_index: 0, dimension_index: 1, value: 7 }.word(),
        pack(0, 0),
        SETADCZW { cnt_set_mask: 4, ch0_x: 1, ch0_y: 0, bit_mask: 3, ..SETADCZW::ZERO }.word(),
        pack(0, 1),
    ];
    words.into_iter().for_each(|word| p.push(0, word));
    p
}

/// Thread 1 waits for thread 0 before it reads what that wrote; thread 0 waits for a free place.
fn semaphores() -> Program {
    const ALL: u32 = 0x1FF;
    let mut p = Program::new(OUT..OUT + 0x20);
    let base = c::THCON_SEC0_REG3_Base_address.index;
    let seen = [base + 1, c::THCON_SEC1_REG3_Base_address.index, c::THCON_SEC1_REG3_Base_address.index + 1];
    p.push(0, SEMINIT { max_value: 1, init_value: 0, sem_sel: 4 }.word());
    p.delay();
    for (i, to) in seen.into_iter().enumerate() {
        let wait = |cond| SEMWAIT { stall_res: ALL, sem_sel: 4, wait_sem_cond: cond }.word();
        p.push(1, wait(1));
        p.push(1, RDCFG { gpr_address: 0, cfg_reg: base }.word());
        p.push(1, WRCFG { gpr_address: 0, wr128b: 0, cfg_reg: to }.word());
        p.push(1, STALLWAIT { stall_res: 2, wait_res: 1 }.word());
        p.push(1, SEMGET { sem_sel: 4 }.word());
        p.push(0, wait(2));
        set_gpr(&mut p, 0, 0, 0x1000 + i as u32);
        p.push(0, WRCFG { gpr_address: 0, wr128b: 0, cfg_reg: base }.word());
        p.push(0, NOP {}.word());
        p.push(0, SEMPOST { sem_sel: 4 }.word());
    }
    p.delay();
    for (i, from) in seen.into_iter().enumerate() {
        p.copy(CFG_BASE + 4 * from, OUT + 4 * i as u32);
    }
    p
}

/// Unpacks four faces to SrcA and moves them to 16-bit Dst: formats that `MVMUL` does not take.
fn unpack_moved(input: DataFormat, output: DataFormat, unsigned: u32) -> Program {
    let mut p = Program::new(OUT..OUT + 0x200);
    let bytes: Vec<u8> = match input {
        Fp32 => {
            // Exponents around half precision's limits.
            let spread = |(i, d): (usize, u32)| if i % 4 == 3 { d & 0x87FF_FFFF | 0x4000_0000 } else { d };
            interesting(8, 512).into_iter().enumerate().map(spread).flat_map(u32::to_le_bytes).collect()
        }
        _ => Random(21).bytes(1024),
    };
    p.memory(IN, bytes);
    unpacker0(&mut p, input, output);
    p.set(c::ALU_FORMAT_SPEC_REG0_SrcAUnsigned, unsigned);
    let half = if input == Int16 { Int16 } else { Fp16 };
    p.push(0, SETADCXX { cnt_set_mask: 1, x_start: 0, x_end2: 255 }.word());
    packers(&mut p, false, half, half);
    p.set(c::ALU_FORMAT_SPEC_REG0_SrcA, half as u32);
    p.push(0, UNPACR { ovrd_thread_id: 1, last: 1, set_dat_valid: 1, ..UNPACR::ZERO }.word());
    for row in [0, 8] {
        p.push(0, MOVA2D { src: row, dst: row, instr_mod: 2, ..MOVA2D::ZERO }.word());
    }
    p.push(0, PACR { pack_sel: 1, last: 1, ..PACR::ZERO }.word());
    p
}

/// Dst through SrcA and SrcB and back, by every move.
fn moves(wide: bool, format: DataFormat) -> Program {
    let mut p = Program::new(OUT..OUT + 0x1000);
    fill_dst(&mut p, &interesting(31, 1024));
    packers(&mut p, true, Fp32, Fp32);
    p.set(c::ALU_FORMAT_SPEC_REG0_SrcA, format as u32);
    p.set(c::ALU_FORMAT_SPEC_REG1_SrcB, if wide { Tf32 } else { format } as u32);
    p.set(c::ALU_ACC_CTRL_Fp32_enabled, wide.into());
    let low = (wide && format == Bf16).into();
    p.push(0, ZEROSRC { bank_mask: 1, src_mask: 3, ..ZEROSRC::ZERO }.word());
    p.push(0, SETDVALID { setvalid: 3 }.word());
    for row in [0, 4, 8, 12] {
        let move_ = MOVD2B { src: 16 + row, dst: row, instr_mod: 2, dest_32b_lo: low, ..MOVD2B::ZERO };
        p.push(0, move_.word());
        if format != Int32 {
            p.push(0, MOVD2A { src: row, dst: 16 + row, instr_mod: 2, ..MOVD2A::ZERO }.word());
        }
    }
    p.push(0, MOVD2B { src: 32, dst: 20, instr_mod: 0, ..MOVD2B::ZERO }.word());
    p.push(0, TRNSPSRCB {}.word());
    p.push(0, MOVB2A { srca: 16, srcb: 16, instr_mod: 2, ..MOVB2A::ZERO }.word());
    p.push(0, MOVA2D { src: 0, dst: 32, instr_mod: 2, ..MOVA2D::ZERO }.word());
    p.push(0, MOVA2D { src: 16, dst: 40, instr_mod: 2, dest_32b_lo: low, ..MOVA2D::ZERO }.word());
    for (i, instr_mod) in (2..=5).enumerate() {
        let (src, dst) = (if instr_mod == 2 { 32 } else { 16 }, 8 * i as u32);
        p.push(0, MOVB2D { src, dst, instr_mod, dest_32b_lo: low, ..MOVB2D::ZERO }.word());
    }
    p.push(0, ZEROSRC { write_mode: 1, src_mask: 2, ..ZEROSRC::ZERO }.word());
    p.push(0, MOVB2D { src: 16, dst: 48, instr_mod: 4, ..MOVB2D::ZERO }.word());
    p.push(0, PACR { pack_sel: 1, ..PACR::ZERO }.word());
    p.push(0, SETADCXY { cnt_set_mask: 4, ch0_y: 1, bit_mask: 2, ..SETADCXY::ZERO }.word());
    p.set(c::PCK0_ADDR_CTRL_XY_REG_0_Ystride, 64 * 16);
    p.push(0, PACR { pack_sel: 1, ..PACR::ZERO }.word());
    p.push(0, PACR { pack_sel: 1, last: 1, ..PACR::ZERO }.word());
    p
}

/// Matrix unit instructions on awkward numbers in SrcA, SrcB and Dst; the first 48 rows of Dst are the result.
fn matrix_case(format_a: DataFormat, format_b: DataFormat, run: impl Fn(&mut Program)) -> Program {
    let mut p = Program::on_core(RiscV::Trisc0, OUT..OUT + 0x800);
    let datums =
        |seed, count| interesting(seed, count).into_iter().flat_map(u32::to_le_bytes).collect::<Vec<_>>();
    // Dst rows 0 to 31 first, then SrcA and SrcB from behind them.
    p.memory(IN, datums(41, 1024 + 256));
    p.memory(IDENTITY, datums(43, 1024));
    unpacker0(&mut p, Fp32, Fp32);
    p.set(c::THCON_SEC0_REG2_Unpack_if_sel_cntx0, 1);
    p.set(tc::SRCA_SET_SetOvrdWithAddr, 0);
    p.push(0, SETADCXX { cnt_set_mask: 1, x_start: 0, x_end2: 511 }.word());
    p.push(0, UNPACR { ovrd_thread_id: 1, last: 1, ..UNPACR::ZERO }.word());
    p.sync(0);
    unpacker0(&mut p, Fp32, format_a);
    p.set(c::THCON_SEC0_REG2_Unpack_if_sel_cntx0, 0);
    p.set(c::THCON_SEC0_REG3_Base_address, ((IN + 0x1000) >> 4) - 1);
    p.push(0, SETADCXX { cnt_set_mask: 1, x_start: 0, x_end2: 255 }.word());
    p.push(0, UNPACR { ovrd_thread_id: 1, last: 1, set_dat_valid: 1, ..UNPACR::ZERO }.word());
    p.config_word(c::THCON_SEC1_REG0_TileDescriptor.index, Fp32 as u32 | 1 << 4 | 16 << 16);
    p.config_word(c::THCON_SEC1_REG0_TileDescriptor.index + 1, 16 | 4 << 16);
    p.set(c::THCON_SEC1_REG2_Out_data_format, format_b as u32);
    p.set(c::THCON_SEC1_REG2_Disable_zero_compress_cntx0, 1);
    p.set(c::THCON_SEC1_REG3_Base_address, (IDENTITY >> 4) - 1);
    p.push(0, SETADCXX { cnt_set_mask: 2, x_start: 0, x_end2: 511 }.word());
    p.push(
        0,
        UNPACR { unpack_block_selection: 1, ovrd_thread_id: 1, last: 1, set_dat_valid: 1, ..UNPACR::ZERO }
            .word(),
    );
    packers(&mut p, true, Fp32, Fp32);
    p.set(c::ALU_FORMAT_SPEC_REG0_SrcA, format_a as u32);
    p.set(c::ALU_FORMAT_SPEC_REG1_SrcB, format_b as u32);
    p.set(c::ALU_ACC_CTRL_Fp32_enabled, 1);
    run(&mut p);
    p.push(0, PACR { pack_sel: 3, last: 1, ..PACR::ZERO }.word());
    p.config_word_in_order(0, c::THCON_SEC0_REG1_L1_Dest_addr.index, ((OUT + 0x400) >> 4) - 1);
    p.push(0, SETADCXY { cnt_set_mask: 4, ch0_y: 1, bit_mask: 2, ..SETADCXY::ZERO }.word());
    p.config_word_in_order(0, c::PCK0_ADDR_CTRL_XY_REG_0_Ystride.index, (64 * 16) << 12);
    p.push(0, PACR { pack_sel: 1, last: 1, ..PACR::ZERO }.word());
    p
}

/// Sums of products over all fidelity phases.
fn mvmul(p: &mut Program) {
    // Address modifier 1 goes on to the next eight rows of SrcB and Dst, 2 to the next phase as well.
    p.set(tc::ADDR_MOD_AB_SEC1_SrcBIncr, 8);
    p.set(tc::ADDR_MOD_DST_SEC1_DestIncr, 8);
    p.set(tc::ADDR_MOD_AB_SEC2_SrcBClear, 1);
    p.set(tc::ADDR_MOD_DST_SEC2_DestClear, 1);
    p.set(tc::ADDR_MOD_DST_SEC2_FidelityIncr, 1);
    for _ in 0..8 {
        for addr_mode in [1, 1, 1, 2] {
            p.push(0, MVMUL { addr_mode, ..MVMUL::ZERO }.word());
        }
    }
    p.push(0, MVMUL { clear_dvalid: 3, ..MVMUL::ZERO }.word());
}

/// Element by element, with each broadcast, accumulating or not.
fn elementwise(p: &mut Program) {
    p.set(tc::ADDR_MOD_DST_SEC1_DestIncr, 8);
    for dest_accum_en in [0, 1] {
        for (i, instr_mod19) in (0..4).enumerate() {
            let dst = 16 * i as u32 % 32;
            p.push(0, ELWADD { dst, instr_mod19, dest_accum_en, ..ELWADD::ZERO }.word());
            p.push(0, ELWSUB { dst: dst + 8, instr_mod19, dest_accum_en, ..ELWSUB::ZERO }.word());
        }
    }
    for phase in 0..4 {
        p.set(tc::FIDELITY_BASE_Phase, phase);
        for half in 0..2 {
            let row = 8 * half;
            p.push(0, SETRWC { rwc_a: row, rwc_b: row, bit_mask: 3, ..SETRWC::ZERO }.word());
            p.push(0, ELWMUL { dst: row, ..ELWMUL::ZERO }.word());
            p.push(0, ELWMUL { dst: 16 + row, instr_mod19: 1 + half, ..ELWMUL::ZERO }.word());
        }
    }
    p.push(0, ELWMUL { dst: 0, clear_dvalid: 3, ..ELWMUL::ZERO }.word());
}
