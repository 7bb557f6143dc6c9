//! MOP and replay expanders. They expand to GPR arithmetic whose result depends on the order.

use tt_isa::insn::{MOP, MOP_CFG, NOP, Opcode, REPLAY};
use tt_isa::map::MOP_CFG_BASE;

use super::build::{Builder, Part};
use super::{Family, operands, t_core};
use crate::case::{Action, Case};
use crate::random::Random;

const NOP_WORD: u32 = NOP {}.word();
/// Instructions that the vendor's FIFO can hold of one expansion.
const MOST: u32 = 400;

pub fn generate(random: &mut Random) -> Case {
    let mut b = Builder::new(Family::Expand, t_core(random));
    for index in 0..16 {
        b.gpr(index, random.word());
    }
    b.sync();
    b.part(Part::Body);
    let mut recorded = 0;
    for _ in 0..random.range(1, 8) {
        match random.below(8) {
            0..=2 => mask(&mut b, random),
            3..=5 => loops(&mut b, random),
            _ => replay(&mut b, random, &mut recorded),
        }
    }
    b.dump_scalar();
    b.case
}

/// An instruction on GPRs, now and then none.
fn step(random: &mut Random) -> u32 {
    let opcode = match random.below(8) {
        0 => return NOP_WORD,
        1..=4 => Opcode::ADDDMAREG,
        5 | 6 => Opcode::MULDMAREG,
        _ => Opcode::SETDMAREG,
    };
    let payload = random.below(0x4000);
    operands::word(opcode, random, |field, _| if field.name == "payload_sig_sel" { payload } else { 0 })
}

fn configure(b: &mut Builder, index: u32, value: u32) {
    b.act(Action::Write(MOP_CFG_BASE + 4 * index, value));
}

fn mask(b: &mut Builder, random: &mut Random) {
    b.sync();
    configure(b, 1, random.below(4));
    for index in 2..9 {
        let word = step(random);
        configure(b, index, word);
    }
    if random.chance(128) {
        b.push(MOP_CFG { zmask_hi16: random.below(0x1_0000) }.word());
    }
    b.push(MOP { mop_type: 0, loop_count: random.below(32), zmask_lo16: random.below(0x1_0000) }.word());
}

fn loops(b: &mut Builder, random: &mut Random) {
    b.sync();
    let outer = random.range(1, 12);
    let inner = random.range(1, (MOST / outer / 2 - 3).min(32));
    configure(b, 0, outer);
    configure(b, 1, inner);
    for index in 2..9 {
        let word = step(random);
        configure(b, index, word);
    }
    b.push(MOP { mop_type: 1, loop_count: 0, zmask_lo16: 0 }.word());
}

/// Records, then plays what is there.
fn replay(b: &mut Builder, random: &mut Random, recorded: &mut u32) {
    if *recorded == 0 || random.chance(100) {
        let len = random.range(1, 32);
        let start_idx = random.below(32);
        b.push(REPLAY { start_idx, len, execute_while_loading: random.below(2), load_mode: 1 }.word());
        for _ in 0..len {
            let word = step(random);
            b.push(word);
        }
        *recorded |= len;
    }
    for _ in 0..random.range(1, 3) {
        let word = REPLAY {
            start_idx: random.below(32),
            len: random.range(1, 32),
            execute_while_loading: 0,
            load_mode: 0,
        };
        // Slots that nothing was recorded to hold zeros, which are no instruction: a full recording is always there.
        if *recorded & 32 != 0 {
            b.push(word.word());
        } else {
            full(b, random, recorded);
        }
    }
}

fn full(b: &mut Builder, random: &mut Random, recorded: &mut u32) {
    b.push(REPLAY { start_idx: 0, len: 32, execute_while_loading: 0, load_mode: 1 }.word());
    for _ in 0..32 {
        let word = step(random);
        b.push(word);
    }
    *recorded |= 32;
}
