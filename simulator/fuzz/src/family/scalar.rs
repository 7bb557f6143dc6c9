//! Scalar unit, configuration unit: GPRs, and moves between them and configuration.

use tt_isa::chip::wormhole::config as c;
use tt_isa::chip::wormhole::thread as tc;
use tt_isa::insn::{
    ADDDMAREG, DMANOP, MULDMAREG, NOP, RDCFG, REG2FLOP, RMWCIB0, RMWCIB1, RMWCIB2, RMWCIB3, SETC16,
    SETDMAREG, STALLWAIT, WRCFG,
};

use super::build::{Builder, Part};
use super::{Family, t_core};
use crate::case::Case;
use crate::random::Random;

/// `Config` registers that both can be written and read.
const REGISTERS: [u32; 40] = [
    0, 1, 2, 3, 8, 9, 14, 20, 21, 22, 23, 24, 25, 26, 27, 44, 45, 47, 52, 53, 56, 57, 58, 59, 60, 61, 64, 65,
    72, 74, 84, 85, 86, 87, 92, 93, 96, 97, 104, 124,
];
/// The same, where four neighbours can be.
const QUADS: [u32; 4] = [20, 24, 56, 84];
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
        if word >> 24 == WRCFG::ZERO.word() >> 24 {
            b.push(NOP {}.word());
        }
    }
    b.part(Part::Dump);
    b.thread_word(tc::CFG_STATE_ID_StateID.index, 0);
    b.dump_scalar();
    b.case
}

fn gpr(random: &mut Random) -> u32 {
    if random.chance(240) { random.below(16) } else { random.below(64) }
}

fn instruction(random: &mut Random) -> u32 {
    // The first two have bits for what the vendor's simulator does not do.
    let register = if random.chance(250) { random.pick(&REGISTERS[2..]) } else { random.pick(&REGISTERS) };
    let (mask, data) = (random.awkward() & 0xFF, random.word() & 0xFF);
    match random.below(20) {
        0..=3 => SETDMAREG {
            payload_sig_sel_size: random.below(4),
            payload_sig_sel: random.awkward() & 0x3FFF,
            set_signals_mode: 0,
            reg_index_16b: 2 * gpr(random) + random.below(2),
        }
        .word(),
        4..=6 => ADDDMAREG {
            op_b_is_const: random.chance(1).into(),
            result_reg_index: gpr(random),
            op_b_reg_index: gpr(random),
            op_a_reg_index: gpr(random),
        }
        .word(),
        7 | 8 => MULDMAREG {
            op_b_is_const: random.chance(1).into(),
            result_reg_index: gpr(random),
            op_b_reg_index: gpr(random),
            op_a_reg_index: gpr(random),
        }
        .word(),
        9 | 10 => WRCFG { gpr_address: gpr(random), wr128b: 0, cfg_reg: register }.word(),
        11 => WRCFG { gpr_address: 4 * random.below(4), wr128b: 1, cfg_reg: random.pick(&QUADS) }.word(),
        12 | 13 => RDCFG { gpr_address: gpr(random), cfg_reg: register }.word(),
        14 if register >= FLOP => REG2FLOP {
            size_sel: random.range(1, 2),
            flop_index: register - FLOP,
            reg_index: gpr(random),
            ..REG2FLOP::ZERO
        }
        .word(),
        14 => DMANOP {}.word(),
        15 => RMWCIB0 { mask, data, cfg_reg_addr: register }.word(),
        16 => RMWCIB1 { mask, data, cfg_reg_addr: register }.word(),
        17 => RMWCIB2 { mask, data, cfg_reg_addr: register }.word(),
        18 => RMWCIB3 { mask, data, cfg_reg_addr: register }.word(),
        _ if random.chance(128) => {
            SETC16 { setc16_reg: tc::CFG_STATE_ID_StateID.index, setc16_value: random.below(2) }.word()
        }
        _ => STALLWAIT { stall_res: random.range(1, 15), wait_res: random.pick(&[1, 2, 0x80, 0x87]) }.word(),
    }
}
