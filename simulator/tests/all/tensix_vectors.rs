//! The coprocessor's front end, sync and matrix units against recorded results of the vendor's simulator.
//!
//! Each case's result is in `vectors/<case>.hex`, recorded from the vendor's library (release_wh build of ttsim,
//! November 2026) as `support/vectors.rs` says.

use crate::support::datapath::{
    IDENTITY, IN, OUT, dump_gprs, fill_dst, identity_to_srcb, interesting, packers, set_gpr, unpacker0,
};
use crate::support::{Program, vectors};
use tt_isa::chip::wormhole::{config as c, thread as tc};
use tt_isa::format::DataFormat::{self, *};
use tt_isa::insn::{
    ADDDMAREG, ELWADD, ELWMUL, ELWSUB, MOP, MOP_CFG, MOVA2D, MOVB2A, MOVB2D, MOVD2A, MOVD2B, MULDMAREG,
    MVMUL, NOP, PACR, RDCFG, REPLAY, SEMGET, SEMINIT, SEMPOST, SEMWAIT, SETADCXX, SETADCXY, SETDVALID,
    SETRWC, STALLWAIT, TRNSPSRCB, UNPACR, WRCFG, ZEROSRC,
};
use tt_isa::map::{CFG_BASE, MOP_CFG_BASE, RiscV};

#[test]
fn results_are_the_vendors() {
    vectors::check(cases());
}

fn cases() -> Vec<(String, Program)> {
    let mut cases = Vec::new();
    for (wide, format) in [(false, Bf16), (false, Fp16), (true, Tf32), (true, Bf16), (true, Int32)] {
        let name = format!("moves{}_{format:?}", if wide { 32 } else { 16 }).to_lowercase();
        cases.push((name, moves(wide, format)));
    }
    for (a, b) in [(Tf32, Tf32), (Bf16, Tf32), (Bf16, Bf16), (Tf32, Bf16)] {
        cases.push((format!("mvmul_{a:?}_{b:?}").to_lowercase(), matrix_case(a, b, mvmul)));
        cases.push((format!("elementwise_{a:?}_{b:?}").to_lowercase(), matrix_case(a, b, elementwise)));
    }
    cases.push(("mop_mask".into(), mop_mask()));
    cases.push(("mop_loops".into(), mop_loops()));
    cases.push(("replay".into(), replay()));
    cases.push(("semaphores_between_threads".into(), semaphores()));
    cases
}

fn add(result: u32, a: u32, b: u32) -> u32 {
    ADDDMAREG { op_b_is_const: 0, result_reg_index: result, op_b_reg_index: b, op_a_reg_index: a }.word()
}

fn multiply(result: u32, a: u32, b: u32) -> u32 {
    MULDMAREG { op_b_is_const: 0, result_reg_index: result, op_b_reg_index: b, op_a_reg_index: a }.word()
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
    identity_to_srcb(&mut p, format_b, 4, 512);
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
