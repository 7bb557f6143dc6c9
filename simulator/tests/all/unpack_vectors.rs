//! The coprocessor's unpackers against recorded results of the vendor's simulator.
//!
//! Each case's result is in `vectors/<case>.hex`, recorded from the vendor's library (release_wh build of ttsim,
//! November 2026) as `support/vectors.rs` says.

use crate::support::datapath::{IDENTITY, IN, OUT, identity_to_srcb, interesting, packers, unpacker0};
use crate::support::{Program, Random, vectors};
use tt_isa::chip::wormhole::{config as c, thread as tc};
use tt_isa::format::DataFormat::{self, *};
use tt_isa::insn::{MOVA2D, MVMUL, PACR, SETADCXX, SETADCXY, SETADCZW, SETRWC, UNPACR, UNPACR_NOP, ZEROACC};

#[test]
fn results_are_the_vendors() {
    vectors::check(cases());
}

fn cases() -> Vec<(String, Program)> {
    let mut cases = Vec::new();
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
    cases
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
    identity_to_srcb(p, Tf32, 1, 256);
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

/// A bank that was partly filled, cleared, and handed over with only one row filled.
fn unpack_nop() -> Program {
    unpack_case(Bf16, Bf16, |p| {
        p.push(0, UNPACR { ovrd_thread_id: 1, last: 1, ..UNPACR::ZERO }.word());
        p.push(0, UNPACR_NOP { unpack_block_selection: 0, no_op: 1 }.word());
        p.push(0, SETADCXX { cnt_set_mask: 1, x_start: 0, x_end2: 15 }.word());
    })
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
