//! Programs that do not wait are reported, and programs that wait are not.

use tt_isa::chip::wormhole::config::ALU_ACC_CTRL_Fp32_enabled;
use tt_isa::insn::*;
use tt_isa::sfpu::{lane_config, mod0_fmt, sfpconfig, sfpmad, sfpshft2};
use tt_isa::stall::{block, until};

use super::*;
use crate::model::tensix::testing;

/// Runs words of thread 1, with checks.
fn run(words: &[u32]) -> Result<(), Fault> {
    let mut t = crate::model::tensix::testing::tensix();
    t.sfpu.hazard_checks = true;
    t.cfg.write(0, ALU_ACC_CTRL_Fp32_enabled.index, ALU_ACC_CTRL_Fp32_enabled.value(1)).unwrap();
    t.src_a.give_to_matrix().unwrap();
    t.src_b.give_to_matrix().unwrap();
    let mut l1 = crate::model::tensix::testing::l1();
    for &word in words {
        t.push(1, word, true);
        testing::run(&mut t, 1, &mut l1)?;
    }
    assert!(t.idle(), "nothing stalls");
    Ok(())
}

fn found(words: &[u32], text: &str) {
    let fault = run(words).expect_err(text).to_string();
    assert!(fault.contains(text) && fault.contains("program error"), "{fault}");
    // The same with something else in between, where one instruction is enough.
    if !text.contains("matrix") {
        run(&[words[0], SFPNOP {}.word(), words[1]]).unwrap();
        run(&[words[0], NOP {}.word(), words[1]]).unwrap();
    }
}

const MAD: u32 = SFPMAD { lreg_src_a: 0, lreg_src_b: 1, lreg_src_c: 2, lreg_dest: 3, instr_mod1: 0 }.word();

fn mov(lreg_c: u32, lreg_dest: u32) -> u32 {
    SFPMOV { lreg_c, lreg_dest, instr_mod1: 0 }.word()
}

fn rotate(lreg_dest: u32, instr_mod1: u32) -> u32 {
    SFPSHFT2 { imm12_math: 0, lreg_src_c: 5, lreg_dest, instr_mod1 }.word()
}

fn store(lreg_ind: u32) -> u32 {
    SFPSTORE { lreg_ind, instr_mod0: mod0_fmt::INT32, ..SFPSTORE::ZERO }.word()
}

#[test]
fn results_of_the_mad_sub_unit() {
    found(&[MAD, store(3)], "SFPSTORE reads LReg[3], which SFPMAD");
    found(&[MAD, mov(3, 4)], "SFPMOV reads LReg[3]");
    found(&[MAD, MAD | 3 << 8], "SFPMAD reads LReg[3]");
    found(&[SFPADDI { lreg_dest: 2, ..SFPADDI::ZERO }.word(), mov(2, 0)], "SFPADDI before it");
    found(
        &[SFPLUT { lreg_ind: 1, ..SFPLUT::ZERO }.word(), SFPTRANSP::ZERO.word()],
        "SFPTRANSP reads LReg[1]",
    );
    let indirect = SFPMAD { lreg_dest: 5, instr_mod1: sfpmad::INDIRECT_VD, ..SFPMAD::ZERO }.word();
    found(&[indirect, store(0)], "SFPSTORE reads LReg[0]");
    // Writing it, or reading others, is no harm.
    run(&[MAD, mov(2, 3)]).unwrap();
    run(&[MAD, MAD]).unwrap();
    run(&[MAD, store(2)]).unwrap();
    run(&[indirect, store(5)]).unwrap();
}

#[test]
fn rotations() {
    let both = rotate(0, sfpshft2::SUBVEC_SHFLROR1_AND_COPY4);
    found(&[both, store(3)], "SFPSTORE reads LReg[3]");
    found(&[both, SFPLOADI { lreg_ind: 1, ..SFPLOADI::ZERO }.word()], "SFPLOADI writes LReg[1]");
    let one = rotate(4, sfpshft2::SUBVEC_SHFLROR1);
    found(&[one, store(4)], "SFPSTORE reads LReg[4]");
    found(&[one, mov(0, 1)], "written in the same cycle");
    found(&[one, rotate(0, sfpshft2::COPY4)], "written in the same cycle");
    run(&[one, store(5)]).unwrap();
    run(&[one, SFPLOADI { lreg_ind: 1, ..SFPLOADI::ZERO }.word()]).unwrap();
    run(&[one, rotate(6, sfpshft2::SUBVEC_SHFLROR1)]).unwrap();
}

#[test]
fn templates_while_the_configuration_changes() {
    let set = SFPCONFIG {
        imm16_math: lane_config::DISABLE_BACKDOOR_LOAD,
        config_dest: sfpconfig::LANE_CONFIG,
        instr_mod1: sfpconfig::IMM16_IS_VALUE,
    };
    found(&[set.word(), mov(0, 12)], "DISABLE_BACKDOOR_LOAD changes");
    run(&[set.word(), mov(0, 1)]).unwrap();
    run(&[SFPCONFIG { imm16_math: 0, ..set }.word(), mov(0, 12)]).unwrap();
}

#[test]
fn loads_after_the_matrix_unit() {
    let product = ELWMUL { dst: 8, ..ELWMUL::ZERO }.word();
    let load = |dest_reg_addr| SFPLOAD { instr_mod0: mod0_fmt::FP32, dest_reg_addr, ..SFPLOAD::ZERO }.word();
    let nop = SFPNOP {}.word();
    found(&[product, load(8)], "matrix unit");
    found(&[product, nop, nop, load(12)], "matrix unit");
    run(&[product, nop, nop, nop, load(8)]).unwrap();
    run(&[product, load(0)]).unwrap();
    run(&[product, STALLWAIT { stall_res: block::SFPU, wait_res: until::MATH }.word(), load(8)]).unwrap();
    // The same 16-bit rows.
    let narrow =
        |dest_reg_addr| SFPLOAD { instr_mod0: mod0_fmt::BF16, dest_reg_addr, ..SFPLOAD::ZERO }.word();
    found(&[product, narrow(16)], "matrix unit");
    found(&[product, narrow(24)], "matrix unit");
    run(&[product, narrow(8)]).unwrap();
}

#[test]
fn checks_are_off_unless_asked_for() {
    TestUnit::new().run(MAD).run(store(3));
}
