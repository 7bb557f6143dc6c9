//! The format conversions of unpackers and packers on every datum of formats with at most 16 bits, and on 10^5
//! adversarial ones of the others.
//!
//! Results are too long to store, so `vectors/<case>.fnv` has a digest of each (FNV-1a, 64 bits), recorded from the
//! vendor's library (release_wh build of ttsim, November 2026) as `support/vectors.rs` says. With `TTSIM_LIB` set the
//! bytes themselves are compared.

use crate::support::datapath::{every_packer, interesting, packers, unpacker0};
use crate::support::{Program, Random, vectors};
use tt_isa::cfg::CfgField;
use tt_isa::chip::wormhole::{config as c, thread as tc};
use tt_isa::format::DataFormat::{self, *};
use tt_isa::insn::{MOVA2D, PACR, SETADCXX, SETADCXY, SETRWC, UNPACR};
use tt_isa::map::RiscV;

/// Where the datums are, behind the program's list, and where results go.
const FROM: u32 = 0x8_0000;
const TO: u32 = 0x10_0000;
/// Datums of a case.
const DATUMS: u32 = 1 << 16;
/// Datums that an instruction unpacks.
const RUN: u32 = 1024;
const FACE: u32 = 256;

#[test]
fn unpacking_is_the_vendors() {
    let mut cases = Vec::new();
    for input in [Bf16, Fp16, Int16, Fp8, Int8, Bfp8, Bfp4, Bfp2] {
        cases.push((name("unpack", input, input, 0), unpack(input, input, every_datum(input))));
    }
    for seed in 1..=2 {
        let words = || bytes32(&words(seed));
        for output in [Tf32, Bf16, Fp16] {
            cases.push((name("unpack", Fp32, output, seed), unpack(Fp32, output, words())));
        }
        for (input, output) in [(Fp32, Fp32), (Fp32, Tf32), (Int32, Int32)] {
            cases.push((name("unpack_dst", input, output, seed), unpack_to_dst(input, output, words())));
        }
    }
    vectors::check_digests(cases);
}

#[test]
fn packing_is_the_vendors() {
    let mut cases = Vec::new();
    for (input, output) in narrow_pairs() {
        cases.push((name("pack16", input, output, 0), pack16(input, output, |_| {})));
    }
    for seed in 1..=2 {
        for (input, output) in wide_pairs() {
            cases.push((name("pack32", input, output, seed), pack32(input, output, seed, |_| {})));
        }
    }
    vectors::check_digests(cases);
}

#[test]
fn packing_with_more_is_the_vendors() {
    let mut cases = Vec::new();
    for mode in 1..=3 {
        let relu = |p: &mut Program| {
            p.set(c::STACC_RELU_ApplyRelu, mode);
            p.set(c::STACC_RELU_ReluThreshold, 0x3F9F);
        };
        for format in [Fp16, Bf16, Bfp8] {
            cases
                .push((name("relu16", format, format, mode.into()), pack16(format, output_of(format), relu)));
        }
        for format in [Fp32, Bf16, Bfp8] {
            cases.push((name("relu32", format, format, mode.into()), pack32(format, format, 3, relu)));
        }
    }
    let unsigned = |p: &mut Program| p.set(c::PCK_DEST_RD_CTRL_Read_unsigned, 1);
    cases.push((name("pack32_unsigned", Int8, Int8, 1), pack32(Int8, Int8, 1, unsigned)));
    for (input, output) in [(Fp32, Fp32), (Fp32, Fp16), (Bf16, Bf16)] {
        let accumulate = |p: &mut Program| {
            p.memory(TO, bytes32(&words(77)));
            every_packer(p, c::THCON_SEC0_REG1_Pack_L1_Acc, 1);
        };
        for seed in 4..=5 {
            cases.push((name("l1acc", input, output, seed), pack32(input, output, seed, accumulate)));
        }
    }
    vectors::check_digests(cases);
}

fn name(what: &str, input: DataFormat, output: DataFormat, seed: u64) -> String {
    format!("{what}_{input:?}_{output:?}_{seed}").to_lowercase()
}

/// Five-bit block exponents of Dst become eight-bit ones in L1.
fn output_of(format: DataFormat) -> DataFormat {
    if format == Fp16 { Fp32 } else { format }
}

fn narrow_pairs() -> Vec<(DataFormat, DataFormat)> {
    let of = |input, outputs: &[DataFormat]| outputs.iter().map(move |&o| (input, o)).collect::<Vec<_>>();
    [
        of(Fp16, &[Fp32, Fp16, Bf16]),
        of(Bfp8a, &[Bfp8]),
        of(Bf16, &[Fp32, Bf16, Bfp8, Bfp4, Bfp2]),
        of(Bfp8, &[Fp32, Bf16, Bfp8, Bfp4]),
        of(Int16, &[Int16]),
    ]
    .concat()
}

fn wide_pairs() -> Vec<(DataFormat, DataFormat)> {
    let of = |input, outputs: &[DataFormat]| outputs.iter().map(move |&o| (input, o)).collect::<Vec<_>>();
    [
        of(Fp32, &[Fp32, Fp16, Bfp8, Bfp4, Bfp2]),
        of(Bf16, &[Bf16]),
        of(Bfp8, &[Bfp8, Bfp4]),
        of(Int32, &[Int32]),
        of(Int16, &[Int16]),
        of(Int8, &[Int8]),
    ]
    .concat()
}

fn bytes32(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// Adversarial words: special values, and around those where conversions to fewer exponent bits change.
fn words(seed: u64) -> Vec<u32> {
    let mut random = Random(seed * 7919);
    let mut words = interesting(seed, DATUMS as usize);
    for word in words.iter_mut().skip(5).step_by(8) {
        // Exponents 110 to 145 and mantissas near their ends.
        let mantissa =
            [0, 0x7F_FFFF, 0x1000, 0x0FFF, 0x8000, 0x7FFF, 0x1FFF, 0x2000][random.next() as usize % 8];
        *word = (random.next() & 0x8000_0000) | (110 + random.next() % 36) << 23 | mantissa;
    }
    words
}

/// Every datum of a format, in L1's form; of block formats with every exponent.
fn every_datum(format: DataFormat) -> Vec<u8> {
    let all = 0..DATUMS;
    match format.datum_bits() {
        16 => all.flat_map(|i| (i as u16).to_le_bytes()).collect(),
        bits if format.is_block_float() => {
            // 256 datums to an exponent: one byte for each sixteen of them.
            let exponents = (0..DATUMS / 16).map(|i| (i / 16) as u8);
            let datums = (0..DATUMS as usize * bits / 8).map(|i| match bits {
                8 => i as u8,
                // Every pair, every four.
                _ => (i as u8).wrapping_mul(31) ^ (i >> 8) as u8,
            });
            exponents.chain(datums).collect()
        }
        _ => all.map(|i| i as u8).collect(),
    }
}

/// Unpacker 0, a plane of [`RUN`] datums at a time, counted by the z counter.
fn unpacker(p: &mut Program, input: DataFormat, output: DataFormat) {
    unpacker0(p, input, output);
    p.config_word(c::THCON_SEC0_REG0_TileDescriptor.index + 1, 64 | (DATUMS / RUN) << 16);
    p.set(c::THCON_SEC0_REG3_Base_address, (FROM >> 4) - 1);
    p.push(0, SETADCXX { cnt_set_mask: 1, x_start: 0, x_end2: RUN - 1 }.word());
}

/// To Dst, 32 bits wide.
fn unpacker_to_dst(p: &mut Program, input: DataFormat, output: DataFormat) {
    unpacker(p, input, output);
    p.set(c::THCON_SEC0_REG2_Unpack_if_sel_cntx0, 1);
    p.set(tc::SRCA_SET_SetOvrdWithAddr, 0);
}

/// Four packers, each a face of four, one behind the other in its quarter of the output.
fn four_packers(p: &mut Program, wide: bool, input: DataFormat, output: DataFormat, quarter: u32) {
    packers(p, wide, input, output);
    let sections = [
        c::THCON_SEC0_REG1_L1_Dest_addr,
        c::THCON_SEC0_REG8_L1_Dest_addr,
        c::THCON_SEC1_REG1_L1_Dest_addr,
        c::THCON_SEC1_REG8_L1_Dest_addr,
    ];
    for (packer, field) in (0..).zip(sections) {
        p.set(field, ((TO + packer * quarter) >> 4) - 1);
    }
    if output.datum_bits() <= 8 {
        every_packer(p, c::THCON_SEC0_REG1_Exp_section_size, DATUMS / 4 / 16 / 16);
    }
}

fn unpack_next(set_dat_valid: u32) -> u32 {
    UNPACR { addr_mode: 1, ovrd_thread_id: 1, last: 1, set_dat_valid, ..UNPACR::ZERO }.word()
}

fn pack_all(last: bool) -> u32 {
    PACR { pack_sel: 15, last: last.into(), ..PACR::ZERO }.word()
}

/// Bytes of the output in a format, and of a packer's quarter of them, exponents included.
fn output_len(output: DataFormat) -> (u32, u32) {
    let exponents = if output.datum_bits() <= 8 { DATUMS / 4 / 16 } else { 0 };
    let quarter = exponents + DATUMS / 4 * output.datum_bits() as u32 / 8;
    (4 * quarter, quarter)
}

/// SrcA is seen through 32-bit Dst, which keeps all 19 bits of a datum.
fn unpack(input: DataFormat, output: DataFormat, bytes: Vec<u8>) -> Program {
    let mut p = Program::on_core(RiscV::Trisc0, TO..TO + 4 * DATUMS);
    p.memory(FROM, bytes);
    unpacker(&mut p, input, output);
    four_packers(&mut p, true, Fp32, Fp32, DATUMS);
    p.set(c::ALU_FORMAT_SPEC_REG0_SrcA, Tf32 as u32);
    p.set(c::ALU_ACC_CTRL_Fp32_enabled, 1);
    for run in 1..=DATUMS / RUN {
        p.push(0, unpack_next(1));
        for row in (0..64).step_by(8) {
            p.push(0, MOVA2D { src: row, dst: row, instr_mod: 2, ..MOVA2D::ZERO }.word());
        }
        p.push(0, SETRWC { clear_ab_vld: 1, ..SETRWC::ZERO }.word());
        p.push(0, pack_all(run == DATUMS / RUN));
        p.sync(0);
    }
    p
}

fn unpack_to_dst(input: DataFormat, output: DataFormat, bytes: Vec<u8>) -> Program {
    pack_runs(bytes, input, output, Fp32, Fp32, |_| {})
}

/// 32-bit Dst.
fn pack32(input: DataFormat, output: DataFormat, seed: u64, more: impl Fn(&mut Program)) -> Program {
    pack_runs(bytes32(&words(seed)), Fp32, Fp32, input, output, more)
}

fn pack_runs(
    bytes: Vec<u8>,
    from: DataFormat,
    to: DataFormat,
    input: DataFormat,
    output: DataFormat,
    more: impl Fn(&mut Program),
) -> Program {
    let (len, quarter) = output_len(output);
    let mut p = Program::on_core(RiscV::Trisc0, TO..TO + len);
    p.memory(FROM, bytes);
    unpacker_to_dst(&mut p, from, to);
    four_packers(&mut p, true, input, output, quarter);
    more(&mut p);
    for run in 1..=DATUMS / RUN {
        p.push(0, unpack_next(0));
        p.push(0, pack_all(run == DATUMS / RUN));
        p.sync(0);
    }
    p
}

/// 16-bit Dst, filled with every datum: a 32-bit row is two 16-bit ones.
fn pack16(input: DataFormat, output: DataFormat, more: impl Fn(&mut Program)) -> Program {
    let (len, quarter) = output_len(output);
    let mut p = Program::on_core(RiscV::Trisc0, TO..TO + len);
    // An odd factor visits every datum once, neighbours apart.
    let datum = |i: u32| i.wrapping_mul(0x9E5) & 0xFFFF;
    p.memory(
        FROM,
        bytes32(&(0..DATUMS / 2).map(|i| datum(2 * i) << 16 | datum(2 * i + 1)).collect::<Vec<_>>()),
    );
    unpacker_to_dst(&mut p, Fp32, Fp32);
    four_packers(&mut p, false, input, output, quarter);
    // The second half of the rows, by the y counter in bytes of datums.
    let bytes = (input.datum_bits() as u32).div_ceil(8);
    p.set(CfgField { width: 12, ..c::PCK0_ADDR_CTRL_XY_REG_0_Ystride }, bytes * 4 * FACE / 2);
    more(&mut p);
    let runs = DATUMS / 2 / RUN;
    for run in 1..=runs {
        p.push(0, unpack_next(0));
        for half in 0..2 {
            p.push(0, SETADCXY { cnt_set_mask: 4, ch0_y: 2 * half, bit_mask: 2, ..SETADCXY::ZERO }.word());
            p.push(0, pack_all(run == runs && half == 1));
        }
        p.sync(0);
    }
    p
}
