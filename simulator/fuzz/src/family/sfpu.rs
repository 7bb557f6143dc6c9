//! Vector unit: eight LReg with awkward numbers from Dst, any instructions on them, lanes masked in every way.

use tt_isa::chip::wormhole::config as c;
use tt_isa::insn::{
    Field, INSTRUCTIONS, InsnInfo, Opcode, SETRWC, SFPCOMPC, SFPCONFIG, SFPENCC, SFPLOAD, SFPLOADI, SFPPOPC,
    SFPPUSHC, SFPSETCC, SFPSTORE,
};

use super::build::{Builder, Part};
use super::{Family, t_core};
use crate::case::{Case, Data};
use crate::random::Random;

/// Modes of an instruction that are generated: the operand's name and its values.
type Modes = (Opcode, u32, &'static [u32]);

/// Instructions by weight, with the modes that mean something. Everything else about them is any operand that fits.
const INSTRUCTION_MODES: &[Modes] = &[
    (Opcode::SFPLOAD, 6, &[0, 2, 3, 4, 6, 12, 14, 15]),
    (Opcode::SFPLOADI, 6, &[0, 1, 2, 4, 8, 10]),
    (Opcode::SFPSTORE, 4, &[0, 2, 3, 4, 6, 7, 12, 14, 15]),
    (Opcode::SFPLUT, 3, &[4]),
    (Opcode::SFPMULI, 3, &[0]),
    (Opcode::SFPADDI, 3, &[0]),
    (Opcode::SFPDIVP2, 4, &[0, 1]),
    (Opcode::SFPEXEXP, 4, &[0, 1, 2, 10]),
    (Opcode::SFPEXMAN, 4, &[0, 1]),
    (Opcode::SFPIADD, 6, &[0, 1, 2, 4, 5, 6, 8, 9, 10]),
    (Opcode::SFPSHFT, 4, &[0, 1]),
    (Opcode::SFPMOV, 4, &[0, 1, 2, 8]),
    (Opcode::SFPABS, 3, &[0, 1]),
    (Opcode::SFPAND, 3, &[0]),
    (Opcode::SFPOR, 3, &[0]),
    (Opcode::SFPNOT, 3, &[]),
    (Opcode::SFPLZ, 4, &[0, 2, 4]),
    (Opcode::SFPSETEXP, 4, &[0, 1, 2]),
    (Opcode::SFPSETMAN, 4, &[0, 1]),
    (Opcode::SFPMAD, 8, &[0]),
    (Opcode::SFPADD, 5, &[0]),
    (Opcode::SFPMUL, 5, &[0]),
    (Opcode::SFPSETSGN, 3, &[0, 1]),
    (Opcode::SFPTRANSP, 2, &[]),
    (Opcode::SFPXOR, 3, &[]),
    (Opcode::SFP_STOCH_RND, 5, &[1, 2, 3, 6, 7]),
    (Opcode::SFPNOP, 1, &[]),
    (Opcode::SFPCAST, 4, &[0]),
    (Opcode::SFPSWAP, 5, &[0, 1, 2, 3, 9]),
    (Opcode::SFPSHFT2, 4, &[3, 5]),
    (Opcode::SFPLUTFP32, 3, &[2]),
];

pub fn generate(random: &mut Random) -> Case {
    let mut b = Builder::new(Family::Sfpu, t_core(random));
    let data = random.weighted(&[(4, Data::Floats), (2, Data::Integers), (1, Data::Bits), (1, Data::Ones)]);
    b.load_dst(64, data, random);
    b.set(c::ALU_ACC_CTRL_SFPU_Fp32_enabled, random.below(2));
    b.set(c::ALU_ACC_CTRL_Fp32_enabled, random.below(2));
    b.set(c::ALU_FORMAT_SPEC_REG1_SrcB, random.pick(&[0, 5, 6, 1]));
    // What lanes are enabled after power-on, no document says.
    b.push(SFPENCC { imm12_math: 3, instr_mod1: 10, ..SFPENCC::ZERO }.word());
    for lreg_ind in 0..8 {
        b.push(SFPLOAD { lreg_ind, instr_mod0: 4, dest_reg_addr: 4 * lreg_ind, ..SFPLOAD::ZERO }.word());
    }
    b.sync();
    b.part(Part::Body);
    let mut depth = 0;
    configure(&mut b, random);
    for _ in 0..random.range(1, 32) {
        let word = if random.chance(40) { lanes(random, &mut depth) } else { instruction(random) };
        b.push(word);
    }
    b.part(Part::Dump);
    // What lanes are enabled is seen in which of them the stores write; the second time all do.
    b.neutral_math();
    let store = |lreg_ind: u32, row: u32| {
        SFPSTORE { lreg_ind, instr_mod0: 4, dest_reg_addr: row + 4 * lreg_ind, ..SFPSTORE::ZERO }.word()
    };
    b.push(store(0, 64));
    b.push(SFPENCC { imm12_math: 3, lreg_dest: 0, instr_mod1: 10 }.word());
    (1..12).for_each(|lreg| b.push(store(lreg, 64)));
    b.push(SETRWC { bit_mask: 15, ..SETRWC::ZERO }.word());
    b.push(store(0, 112));
    b.sync();
    b.dump_dst(256);
    b.case
}

/// Constants and lane configuration: with all lanes enabled, and the same value in all of them.
fn configure(b: &mut Builder, random: &mut Random) {
    if random.chance(64) {
        let immediate = |instr_mod0, imm16| SFPLOADI { lreg_ind: 0, instr_mod0, imm16 }.word();
        b.push(immediate(10, random.below(0x1_0000)));
        b.push(immediate(8, random.below(0x1_0000)));
        b.push(SFPCONFIG { config_dest: random.range(11, 14), instr_mod1: 0, imm16_math: 0 }.word());
    }
    if random.chance(40) {
        let imm16_math = random.pick(&[0, 4, 0x100, 0x104]);
        b.push(SFPCONFIG { config_dest: 15, instr_mod1: 1, imm16_math }.word());
    }
    if random.chance(10) {
        b.push(SFPCONFIG { config_dest: 11, instr_mod1: 1, imm16_math: 0 }.word());
    }
}

/// An instruction on the condition code.
fn lanes(random: &mut Random, depth: &mut u32) -> u32 {
    match random.below(8) {
        0 | 1 if *depth < 8 => {
            *depth += 1;
            SFPPUSHC::ZERO.word()
        }
        2 if *depth > 0 => {
            *depth -= 1;
            SFPPOPC::ZERO.word()
        }
        3 => SFPCOMPC::ZERO.word(),
        4 => SFPENCC { imm12_math: 3, instr_mod1: 10, ..SFPENCC::ZERO }.word(),
        _ => SFPSETCC { lreg_c: random.below(10), instr_mod1: random.pick(&[0, 2, 4, 6]), ..SFPSETCC::ZERO }
            .word(),
    }
}

fn row(opcode: Opcode) -> Option<&'static InsnInfo> {
    INSTRUCTIONS.iter().find(|row| row.opcode == opcode as u8)
}

fn instruction(random: &mut Random) -> u32 {
    let weights: Vec<(u32, usize)> =
        INSTRUCTION_MODES.iter().enumerate().map(|(i, row)| (row.1, i)).collect();
    let (opcode, _, modes) = INSTRUCTION_MODES[random.weighted(&weights)];
    let Some(row) = row(opcode) else { return 0 };
    let mode = if modes.is_empty() { 0 } else { random.pick(modes) };
    let word = u32::from(row.opcode) << 24;
    row.fields
        .iter()
        .fold(word, |word, field| word | operand(opcode, mode, field, random) << field.lo & field.mask())
}

/// The value of an operand; bits that do not fit are cut off.
fn operand(opcode: Opcode, mode: u32, field: &Field, random: &mut Random) -> u32 {
    match (opcode, field.name) {
        (_, "instr_mod0" | "instr_mod1") => mode,
        (Opcode::SFPTRANSP, "lreg_dest") => 0,
        (Opcode::SFPMUL, "lreg_src_c") => 9,
        (Opcode::SFPADD, "lreg_src_a") => 10,
        (Opcode::SFPMOV, "lreg_c") if mode == 8 => 9,
        (_, "lreg_dest" | "lreg_ind") => random.below(8),
        (_, "lreg_c" | "lreg_src_a" | "lreg_src_b" | "lreg_src_c") => {
            if random.chance(200) {
                random.below(8)
            } else {
                random.below(16)
            }
        }
        (_, "sfpu_addr_mode") => 0,
        (_, "dest_reg_addr") => 2 * random.below(32),
        (Opcode::SFPDIVP2, "imm12_math") => random.pick(&[0, 1, 2, 5, 0x7F, 0xFFF, 0xFF0, 0xF80]),
        (Opcode::SFPIADD, "imm12_math") => random.awkward() & 0xFFF,
        (Opcode::SFPSHFT, "imm12_math") if mode & 1 == 1 => {
            random.pick(&[0, 1, 5, 31, 32, 0xFFF, 0xFE1, 0xFF0])
        }
        (Opcode::SFPSETEXP, "imm12_math") if mode & 1 == 1 => random.below(256),
        (Opcode::SFPSETSGN, "imm12_math") if mode & 1 == 1 => random.below(2),
        (Opcode::SFPSHFT2, "imm12_math") if mode == 5 => random.below(8),
        (_, "imm12_math" | "imm8_math" | "rnd_mode") => 0,
        (_, "imm16" | "imm16_math") => {
            if random.chance(128) {
                random.pick(&[0x3F80, 0xBF80, 0x4000, 0x3C00, 0, 0x8000])
            } else {
                random.word()
            }
        }
        _ => 0,
    }
}
