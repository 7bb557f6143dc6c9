//! GPRs to configuration and address counters, and configuration to GPRs (`WRCFG.md`, `RDCFG.md`, `REG2FLOP.md`).

use tt_isa::cfg::Registers;
use tt_isa::insn::{Opcode, RDCFG, REG2FLOP, WRCFG};

use crate::fault::Fault;
use crate::model::tensix::adc::{self, MASKS};
use crate::model::tensix::{THREADS, Tensix};

const CONFIG_PAGE: &str = "TensixTile/TensixCoprocessor/REG2FLOP_Configuration.md";

/// Executes `WRCFG`, `RDCFG` or `REG2FLOP`.
pub(super) fn execute(t: &mut Tensix, thread: usize, opcode: Opcode, word: u32) -> Result<(), Fault> {
    match opcode {
        Opcode::WRCFG => wrcfg(t, thread, WRCFG::decode(word)),
        Opcode::RDCFG => {
            let op = RDCFG::decode(word);
            t.gpr[thread][op.gpr_address as usize] = t.cfg.read(t.cfg.bank(thread), op.cfg_reg)?;
            Ok(())
        }
        _ => {
            let op = REG2FLOP::decode(word);
            if op.target_sel & 2 != 0 { to_counter(t, thread, op) } else { to_config(t, thread, op) }
        }
    }
}

fn wrcfg(t: &mut Tensix, thread: usize, op: WRCFG) -> Result<(), Fault> {
    if op.wr128b == 0 {
        return t.cfg.write(t.cfg.bank(thread), op.cfg_reg, t.gpr[thread][op.gpr_address as usize]);
    }
    if (op.cfg_reg | op.gpr_address) & 3 != 0 {
        let what = format!("WRCFG of four words to register {} from GPR {}", op.cfg_reg, op.gpr_address);
        return Err(Fault::program(what).page("TensixTile/TensixCoprocessor/WRCFG.md"));
    }
    four_words(t, thread, op.cfg_reg, op.gpr_address)
}

/// Four GPRs to four `Config` registers, both from a multiple of four on.
fn four_words(t: &mut Tensix, thread: usize, register: u32, gpr: u32) -> Result<(), Fault> {
    let bank = t.cfg.bank(thread);
    (0..4).try_for_each(|i| t.cfg.write(bank, (register & !3) + i, t.gpr[thread][((gpr & !3) + i) as usize]))
}

fn to_config(t: &mut Tensix, thread: usize, op: REG2FLOP) -> Result<(), Fault> {
    if op.target_sel | op.byte_offset | op.context_id_2 != 0 {
        let what = "REG2FLOP to configuration with byte offset, context or thread";
        return Err(Fault::undocumented(what).page(CONFIG_PAGE));
    }
    let Registers { thcon_start, global_start, .. } = *t.cfg.registers();
    let register = thcon_start + op.flop_index;
    if register >= global_start {
        let what = format!("REG2FLOP to Config register {register}, which is not a THCON one");
        return Err(Fault::program(what).page(CONFIG_PAGE));
    }
    if op.size_sel == 0 {
        return four_words(t, thread, register, op.reg_index);
    }
    t.cfg.write(t.cfg.bank(thread), register, t.gpr[thread][op.reg_index as usize])
}

/// Sets a counter or its carriage return copy, of any thread (`REG2FLOP_ADC.md`).
fn to_counter(t: &mut Tensix, thread: usize, op: REG2FLOP) -> Result<(), Fault> {
    let gpr = t.gpr[thread][op.reg_index as usize];
    let value = match (op.size_sel, op.byte_offset) {
        (1, 0) => gpr,
        (2, 0) => gpr & 0xFFFF,
        (2, 2) => gpr >> 16,
        (3, byte) => gpr >> (8 * byte) & 0xFF,
        _ => 0,
    };
    let thread = if op.target_sel & 1 != 0 { op.context_id_2 as usize } else { thread };
    let (dim, copy) = ((op.flop_index & 3) as usize, op.flop_index >> 2 & 1);
    let (set, channel) = ((op.flop_index >> 3 & 3) as usize, (op.flop_index >> 5 & 1) as usize);
    // A thread or set that does not exist is none.
    if thread < THREADS
        && let Some(set) = t.adc[thread].get_mut(set)
    {
        let counter: &mut adc::Counter = &mut set.0[channel][dim];
        let field = if copy != 0 { &mut counter.cr } else { &mut counter.value };
        *field = value & MASKS[dim];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tensix::adc::{Counter, dim};
    use tt_isa::chip::wormhole::config as c;

    #[test]
    fn four_words_at_once() {
        let mut t = crate::model::tensix::testing::tensix();
        t.gpr[1][..8].copy_from_slice(&[1, 2, 3, 4, 0x0005_0006, 7, 0x0080_0008, 9]);
        let section = c::THCON_SEC0_REG1_Row_start_section_size.index;
        let op = REG2FLOP { flop_index: section + 2 - 52, reg_index: 7, ..REG2FLOP::ZERO };
        execute(&mut t, 1, Opcode::REG2FLOP, op.word()).unwrap();
        let words = [0, 1, 2, 3].map(|i| t.cfg.word(0, section + i));
        // Bit 23 of the third does not exist.
        assert_eq!(words, [0x0005_0006, 7, 8, 9]);
        let one = REG2FLOP { size_sel: 3, flop_index: section - 52, reg_index: 1, ..REG2FLOP::ZERO };
        execute(&mut t, 1, Opcode::REG2FLOP, one.word()).unwrap();
        assert_eq!(t.cfg.word(0, section), 2);
        let beyond = REG2FLOP { size_sel: 1, flop_index: 100, ..REG2FLOP::ZERO };
        assert!(execute(&mut t, 1, Opcode::REG2FLOP, beyond.word()).is_err());
    }

    #[test]
    fn counters_take_parts_of_a_gpr() {
        let mut t = crate::model::tensix::testing::tensix();
        t.gpr[0][9] = 0x8765_4321;
        let counter =
            |set: u32, channel: u32, copy: u32, dim: usize| channel << 5 | set << 3 | copy << 2 | dim as u32;
        let mut run = |size_sel, target_sel, byte_offset, context_id_2, flop_index| {
            let op = REG2FLOP { size_sel, target_sel, byte_offset, context_id_2, flop_index, reg_index: 9 };
            execute(&mut t, 0, Opcode::REG2FLOP, op.word()).unwrap();
            t.adc
        };
        assert_eq!(
            run(1, 2, 0, 0, counter(0, 0, 0, dim::X))[0][0].0[0][dim::X],
            Counter { value: 0x1_4321, cr: 0 }
        );
        assert_eq!(
            run(2, 2, 2, 0, counter(2, 1, 1, dim::Y))[0][2].0[1][dim::Y],
            Counter { value: 0, cr: 0x765 }
        );
        assert_eq!(
            run(3, 3, 1, 2, counter(1, 0, 0, dim::Z))[2][1].0[0][dim::Z],
            Counter { value: 0x43, cr: 0 }
        );
        assert_eq!(
            run(2, 2, 0, 0, counter(1, 0, 0, dim::Y))[0][1].0[0][dim::Y],
            Counter { value: 0x321, cr: 0 }
        );
        // Parts that do not line up are zero; sets and threads that do not exist are none.
        let before = run(2, 2, 1, 0, counter(0, 0, 0, dim::X));
        assert_eq!(before[0][0].0[0][dim::X], Counter::default());
        assert_eq!(run(1, 3, 0, 3, counter(0, 0, 0, dim::W)), before);
        assert_eq!(run(1, 2, 0, 0, counter(3, 0, 0, dim::W)), before);
    }
}
