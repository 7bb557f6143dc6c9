//! The coprocessor's packers against recorded results of the vendor's simulator.
//!
//! Each case's result is in `vectors/<case>.hex`, recorded from the vendor's library (release_wh build of ttsim,
//! November 2026) as `support/vectors.rs` says.

use crate::support::datapath::{OUT, every_packer, fill_dst, interesting, packers};
use crate::support::{Program, vectors};
use tt_isa::chip::wormhole::config as c;
use tt_isa::format::DataFormat::{self, *};
use tt_isa::insn::{PACR, SETADCXX, SETADCXY};

#[test]
fn results_are_the_vendors() {
    vectors::check(cases());
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
