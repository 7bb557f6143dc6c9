//! Prints how many instructions a second the vector unit executes, for a few instructions and a kernel's
//! mixture, with all that is around it: frontend, wait gate, dispatch.
//!
//! `cargo run --release -p tt-simulator --example sfpu_speed`
//!
//! A core records sixteen instructions in the replay buffer and then pushes MOPs that play them.

use std::time::Instant;

use tt_isa::insn::*;
use tt_isa::map::{INSTRN_BUF_BASE, MOP_CFG_BASE, RiscV};
use tt_isa::noc::NocXy;
use tt_isa::sfpu::{lreg, mod0_fmt, sfpencc, sfplut, sfpsetcc};
use tt_simulator::Fault;

#[path = "../tests/support/asm.rs"]
mod asm;
#[path = "../tests/support/host.rs"]
mod host;
use asm::{jal, s};
use host::{Host, poke};

const TILE: NocXy = NocXy { x: 1, y: 1 };
const CORE: RiscV = RiscV::Trisc1;
const RECORDED: usize = 16;
const CLOCKS: u64 = 1_000_000;

fn main() -> Result<(), Fault> {
    for (name, words) in mixtures() {
        let recorded: Vec<u32> = words.iter().copied().cycle().take(RECORDED).collect();
        println!("{name:36} {:6.1} M instructions/s", rate(&recorded)? / 1e6);
    }
    Ok(())
}

/// Names and instructions. Their number divides sixteen.
fn mixtures() -> Vec<(&'static str, Vec<u32>)> {
    let mad = |lreg_dest| {
        SFPMAD { lreg_src_a: 0, lreg_src_b: 1, lreg_src_c: lreg::ONE, lreg_dest, instr_mod1: 0 }.word()
    };
    let load = |instr_mod0| SFPLOAD { lreg_ind: 0, instr_mod0, ..SFPLOAD::ZERO }.word();
    let store = |instr_mod0| SFPSTORE { lreg_ind: 3, instr_mod0, ..SFPSTORE::ZERO }.word();
    let add = SFPIADD { imm12_math: 3, lreg_c: 1, lreg_dest: 2, instr_mod1: 5 }.word();
    let encc =
        |imm12_math| SFPENCC { imm12_math, lreg_dest: 0, instr_mod1: sfpencc::EI | sfpencc::RI }.word();
    let kernel = vec![
        load(mod0_fmt::FP32),
        mad(3),
        SFPNOP {}.word(),
        encc(sfpencc::IMM_E | sfpencc::IMM_R),
        SFPSETCC { lreg_c: 3, instr_mod1: sfpsetcc::LREG_LT0, ..SFPSETCC::ZERO }.word(),
        SFPMULI { imm16_math: 0x3DCC, lreg_dest: 3, instr_mod1: 0 }.word(),
        encc(sfpencc::IMM_R),
        store(mod0_fmt::FP32),
    ];
    vec![
        ("SFPNOP", vec![SFPNOP {}.word()]),
        ("SFPMAD", vec![mad(3)]),
        ("SFPLUT", vec![SFPLUT { lreg_ind: 4, instr_mod0: sfplut::SGN_RETAIN }.word()]),
        ("SFPIADD", vec![add]),
        ("SFPSWAP", vec![SFPSWAP { lreg_src_c: 0, lreg_dest: 1, instr_mod1: 1 }.word()]),
        ("SFPCAST", vec![SFPCAST { lreg_src_c: 0, lreg_dest: 3, instr_mod1: 0 }.word()]),
        ("SFPLOAD of FP32", vec![load(mod0_fmt::FP32)]),
        ("SFPLOAD of BF16", vec![load(mod0_fmt::BF16)]),
        ("SFPSTORE of FP32", vec![store(mod0_fmt::FP32)]),
        ("SFPSTORE of BF16", vec![store(mod0_fmt::BF16)]),
        ("leaky ReLU", kernel),
    ]
}

/// Instructions a second that the coprocessor executes while a core makes it play the recorded ones.
fn rate(recorded: &[u32]) -> Result<f64, Fault> {
    let replay = REPLAY { start_idx: 0, len: RECORDED as u32, ..REPLAY::ZERO };
    let (play, nop) = (replay.word(), NOP {}.word());
    // Four outer rounds of sixteen.
    let mop = [4, 16, nop, nop, nop, play, nop, play, play];
    let mut program = Vec::new();
    for (i, word) in mop.into_iter().enumerate() {
        program.extend(poke(MOP_CFG_BASE + 4 * i as u32, word));
    }
    program.extend(poke(INSTRN_BUF_BASE, REPLAY { load_mode: 1, ..replay }.word()));
    for &word in recorded {
        program.extend(poke(INSTRN_BUF_BASE, word));
    }
    program.extend(poke(INSTRN_BUF_BASE, MOP { mop_type: 1, ..MOP::ZERO }.word()));
    program.extend([s("Sw", 6, 5, 0), jal(0, -4)]);

    let mut host = Host::new();
    host.load(TILE, CORE, &program);
    host.release(TILE, &[CORE]);
    let chip = &mut host.chip;
    chip.advance(2_000)?;
    let before = chip.counters().tensix_instructions;
    let begin = Instant::now();
    let mut clocks = 0;
    while clocks < CLOCKS && begin.elapsed().as_secs() < 2 {
        chip.advance(1_000)?;
        clocks += 1_000;
    }
    Ok((chip.counters().tensix_instructions - before) as f64 / begin.elapsed().as_secs_f64())
}
