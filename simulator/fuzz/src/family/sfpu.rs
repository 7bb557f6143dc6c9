//! Vector unit: eight LReg with awkward numbers from Dst, any instructions on them, lanes masked in every way.

use tt_isa::chip::wormhole::config as c;
use tt_isa::insn::{
    Field, Opcode, Operand, SETRWC, SFPCOMPC, SFPCONFIG, SFPENCC, SFPLOAD, SFPLOADI, SFPPOPC, SFPPUSHC,
    SFPSETCC, SFPSTORE,
};

use super::build::{Builder, Part};
use super::{Family, operands, t_core};
use crate::case::{Case, Data};
use crate::random::Random;

/// Instructions whose mode means something, with the modes that the vendor's simulator has. That of all others is 0.
const MODES: &[(Opcode, &[u32])] = &[
    (Opcode::SFPLOAD, &[0, 2, 3, 4, 6, 12, 14, 15]),
    (Opcode::SFPLOADI, &[0, 1, 2, 4, 8, 10]),
    (Opcode::SFPSTORE, &[0, 2, 3, 4, 6, 7, 12, 14, 15]),
    (Opcode::SFPLUT, &[4]),
    (Opcode::SFPDIVP2, &[0, 1]),
    (Opcode::SFPEXEXP, &[0, 1, 2, 10]),
    (Opcode::SFPEXMAN, &[0, 1]),
    (Opcode::SFPIADD, &[0, 1, 2, 4, 5, 6, 8, 9, 10]),
    (Opcode::SFPSHFT, &[0, 1]),
    (Opcode::SFPMOV, &[0, 1, 2, 8]),
    (Opcode::SFPABS, &[0, 1]),
    (Opcode::SFPLZ, &[0, 2, 4]),
    (Opcode::SFPSETEXP, &[0, 1, 2]),
    (Opcode::SFPSETMAN, &[0, 1]),
    (Opcode::SFPSETSGN, &[0, 1]),
    (Opcode::SFP_STOCH_RND, &[1, 2, 3, 6, 7]),
    (Opcode::SFPSWAP, &[0, 1, 2, 3, 9]),
    (Opcode::SFPSHFT2, &[3, 5]),
    (Opcode::SFPLUTFP32, &[2]),
];

/// Instructions that [`lanes`] and [`configure`] make, which have lane flags and no register for a result, and one that the
/// vendor's simulator does not have.
fn is_made_elsewhere(opcode: Opcode) -> bool {
    let effects = opcode.effects();
    let has_result = effects.writes.iter().any(|operand| matches!(operand, Operand::LReg(_)));
    effects.may_write(Operand::LaneFlags) && !has_result || opcode == Opcode::SFPLOADMACRO
}

/// How often an instruction comes: loads and products with addition, whose operands have the most cases, more often.
fn weight(opcode: Opcode) -> u32 {
    match opcode {
        Opcode::SFPNOP => 1,
        Opcode::SFPMAD => 8,
        Opcode::SFPLOAD | Opcode::SFPLOADI | Opcode::SFPIADD => 6,
        Opcode::SFPADD | Opcode::SFPMUL | Opcode::SFP_STOCH_RND | Opcode::SFPSWAP => 5,
        _ => 3,
    }
}

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

fn instruction(random: &mut Random) -> u32 {
    let all = operands::instructions(|unit| unit.is_vector()).filter(|&opcode| !is_made_elsewhere(opcode));
    let weights: Vec<(u32, Opcode)> = all.map(|opcode| (weight(opcode), opcode)).collect();
    let opcode = random.weighted(&weights);
    let modes = MODES.iter().find(|row| row.0 == opcode).map_or(&[0][..], |row| row.1);
    let mode = random.pick(modes);
    let word = operands::word(opcode, random, |field, random| operand(opcode, mode, field, random));
    constants(opcode, mode, word)
}

/// Puts the constants in that an instruction has to have: the one of two factors that is 1, the addend that is 0.
fn constants(opcode: Opcode, mode: u32, word: u32) -> u32 {
    let (name, value) = match opcode {
        Opcode::SFPTRANSP => ("lreg_dest", 0),
        Opcode::SFPMUL => ("lreg_src_c", 9),
        Opcode::SFPADD => ("lreg_src_a", 10),
        Opcode::SFPMOV if mode == 8 => ("lreg_c", 9),
        _ => return word,
    };
    let field = operands::row(opcode).fields.iter().find(|field| field.name == name).expect("its operand");
    word & !field.mask() | value << field.lo
}

/// The value of an operand that the table does not name as a register.
fn operand(opcode: Opcode, mode: u32, field: &Field, random: &mut Random) -> u32 {
    match (opcode, field.name) {
        (_, "instr_mod0" | "instr_mod1") => mode,
        // `SFPSHFT2`: which of its operands are registers depends on the mode.
        (_, "lreg_dest") => random.below(8),
        (_, "lreg_src_c") => random.below(16),
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
