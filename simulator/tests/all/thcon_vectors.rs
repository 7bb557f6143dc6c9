//! The coprocessor's scalar unit and address counters against recorded results of the vendor's simulator.
//!
//! Each case's result is in `vectors/<case>.hex`, recorded from the vendor's library (release_wh build of ttsim,
//! November 2026) as `support/vectors.rs` says.

use crate::support::datapath::{OUT, dump_gprs, fill_dst, interesting, packers, set_gpr};
use crate::support::{Program, vectors};
use tt_isa::chip::wormhole::{config as c, thread as tc};
use tt_isa::format::DataFormat::Fp32;
use tt_isa::insn::{
    ADDDMAREG, ADDRCRXY, ADDRCRZW, INCADCXY, INCADCZW, MULDMAREG, NOP, PACR, RDCFG, REG2FLOP, RMWCIB0,
    RMWCIB1, RMWCIB2, RMWCIB3, SETADC, SETADCXX, SETADCXY, SETADCZW, WRCFG,
};
use tt_isa::map::{CFG_BASE, RiscV};

#[test]
fn results_are_the_vendors() {
    vectors::check(cases());
}

fn cases() -> Vec<(String, Program)> {
    vec![("scalar_unit".into(), scalar()), ("address_counters".into(), address_counters())]
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
