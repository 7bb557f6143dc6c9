//! Scalar unit, configuration unit: GPRs, and moves between them and configuration.

use tt_isa::chip::wormhole::config as c;
use tt_isa::chip::wormhole::thread as tc;
use tt_isa::insn::{NOP, Opcode, SETC16, STALLWAIT};

use super::build::{Builder, Part};
use super::{Family, operands, t_core};
use crate::case::Case;
use crate::random::Random;

/// `Config` registers that both can be written and read.
const REGISTERS: [u32; 40] = [
    0, 1, 2, 3, 8, 9, 14, 20, 21, 22, 23, 24, 25, 26, 27, 44, 45, 47, 52, 53, 56, 57, 58, 59, 60, 61, 64, 65,
    72, 74, 84, 85, 86, 87, 92, 93, 96, 97, 104, 124,
];
/// The same, where four neighbours can be.
const QUADS: [u32; 4] = [20, 24, 56, 84];
/// Instructions of the two units that the vendor's simulator has, by weight; and waits.
const WEIGHTS: [(u32, Opcode); 12] = [
    (8, Opcode::SETDMAREG),
    (6, Opcode::ADDDMAREG),
    (4, Opcode::MULDMAREG),
    (6, Opcode::WRCFG),
    (4, Opcode::RDCFG),
    (1, Opcode::REG2FLOP),
    (1, Opcode::DMANOP),
    (2, Opcode::RMWCIB0),
    (2, Opcode::RMWCIB1),
    (2, Opcode::RMWCIB2),
    (2, Opcode::RMWCIB3),
    (2, Opcode::SETC16),
];
/// `REG2FLOP` counts from this register.
const FLOP: u32 = c::THCON_SEC0_REG0_TileDescriptor.index;

pub fn generate(random: &mut Random) -> Case {
    let mut b = Builder::new(Family::Scalar, t_core(random));
    for index in 0..16 {
        b.gpr(index, random.awkward());
    }
    for _ in 0..random.below(8) {
        let index = random.pick(&REGISTERS[2..]);
        b.config_word(index, random.awkward());
    }
    b.sync();
    b.part(Part::Body);
    for _ in 0..random.range(1, 32) {
        let word = instruction(random);
        b.push(word);
        // What a write changes is seen by the instruction after the next.
        if operands::is_late(word) {
            b.push(NOP {}.word());
        }
    }
    b.part(Part::Dump);
    b.thread_word(tc::CFG_STATE_ID_StateID.index, 0);
    b.dump_scalar();
    b.case
}

fn instruction(random: &mut Random) -> u32 {
    if random.chance(6) {
        let wait_res = random.pick(&[1, 2, 0x80, 0x87]);
        return STALLWAIT { stall_res: random.range(1, 15), wait_res }.word();
    }
    match random.weighted(&WEIGHTS) {
        Opcode::SETC16 => {
            SETC16 { setc16_reg: tc::CFG_STATE_ID_StateID.index, setc16_value: random.below(2) }.word()
        }
        opcode => {
            let quad = random.chance(85);
            operands::word(opcode, random, |field, random| operand(field.name, quad, random))
        }
    }
}

/// The value of an operand that is no GPR; `quad`: four configuration registers at once, where that exists.
fn operand(name: &str, quad: bool, random: &mut Random) -> u32 {
    match name {
        "payload_sig_sel_size" => random.below(4),
        "payload_sig_sel" => random.awkward() & 0x3FFF,
        "op_b_is_const" => random.chance(1).into(),
        "wr128b" => quad.into(),
        "cfg_reg" if quad => random.pick(&QUADS),
        "cfg_reg" | "cfg_reg_addr" => register(random),
        "flop_index" => loop {
            let register = register(random);
            if register >= FLOP {
                break register - FLOP;
            }
        },
        "size_sel" => random.range(1, 2),
        "mask" => random.awkward() & 0xFF,
        "data" => random.word() & 0xFF,
        _ => 0,
    }
}

/// A configuration register. The first two have bits for what the vendor's simulator does not do.
fn register(random: &mut Random) -> u32 {
    if random.chance(250) { random.pick(&REGISTERS[2..]) } else { random.pick(&REGISTERS) }
}
