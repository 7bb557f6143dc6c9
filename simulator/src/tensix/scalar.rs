//! Scalar unit ("ThCon"): 64 GPRs a thread, and the instructions on them (`ScalarUnit.md`).

use tt_isa::insn::{ADDDMAREG, MULDMAREG, Opcode, RDCFG, REG2FLOP, SETDMAREG, STOREREG, WRCFG};

use super::{Exec, Step, Tensix};
use crate::fault::Fault;

/// GPRs of a thread.
pub const GPRS: usize = 64;
/// `REG2FLOP` counts `Config` registers from here.
const THCON_CFG_BASE: u32 = 52;

/// Executes a scalar or configuration unit instruction of `thread`.
pub fn execute(t: &mut Tensix, thread: usize, opcode: Opcode, word: u32) -> Exec {
    let gpr = &mut t.gpr[thread];
    match opcode {
        Opcode::SETDMAREG => setdmareg(gpr, SETDMAREG::decode(word))?,
        Opcode::ADDDMAREG => {
            let op = ADDDMAREG::decode(word);
            let b = operand_b(gpr, op.op_b_reg_index, op.op_b_is_const);
            gpr[op.result_reg_index as usize] = gpr[op.op_a_reg_index as usize].wrapping_add(b);
        }
        Opcode::MULDMAREG => {
            let op = MULDMAREG::decode(word);
            let b = operand_b(gpr, op.op_b_reg_index, op.op_b_is_const) & 0xFFFF;
            gpr[op.result_reg_index as usize] = (gpr[op.op_a_reg_index as usize] & 0xFFFF) * b;
        }
        Opcode::WRCFG => wrcfg(t, thread, WRCFG::decode(word))?,
        Opcode::RDCFG => {
            let op = RDCFG::decode(word);
            t.gpr[thread][op.gpr_address as usize] = t.cfg.read(t.cfg.bank(thread), op.cfg_reg)?;
        }
        Opcode::REG2FLOP => {
            let op = REG2FLOP::decode(word);
            if op.context_id_2 | op.byte_offset | op.target_sel != 0 || !(1..=2).contains(&op.size_sel) {
                return Err(Fault::not_implemented("REG2FLOP to address counters or of parts of a register")
                    .page("TensixTile/TensixCoprocessor/REG2FLOP_Configuration.md"));
            }
            let value = gpr[op.reg_index as usize];
            t.cfg.write(t.cfg.bank(thread), THCON_CFG_BASE + op.flop_index, value)?;
        }
        Opcode::STOREREG => {
            let op = STOREREG::decode(word);
            let addr = tt_isa::map::LOCAL_RAM_BASE + 4 * op.reg_addr;
            t.mmio_writes.push((addr, gpr[op.tdma_data_reg_index as usize]));
        }
        Opcode::DMANOP => {}
        _ => {
            return Err(Fault::not_implemented(format!("scalar unit instruction {opcode:?}"))
                .page("TensixTile/TensixCoprocessor/ScalarUnit.md"));
        }
    }
    Ok(Step::Done)
}

/// The second operand is a GPR or a six-bit constant.
fn operand_b(gpr: &[u32; GPRS], index: u32, constant: u32) -> u32 {
    if constant != 0 { index } else { gpr[index as usize] }
}

fn setdmareg(gpr: &mut [u32; GPRS], op: SETDMAREG) -> Result<(), Fault> {
    if op.set_signals_mode != 0 {
        return Err(Fault::not_implemented("SETDMAREG from packer state")
            .page("TensixTile/TensixCoprocessor/SETDMAREG_Special.md"));
    }
    let value = op.payload_sig_sel | op.payload_sig_sel_size << 14;
    let shift = 16 * (op.reg_index_16b & 1);
    let word = &mut gpr[(op.reg_index_16b >> 1) as usize];
    *word = (*word & !(0xFFFF << shift)) | value << shift;
    Ok(())
}

fn wrcfg(t: &mut Tensix, thread: usize, op: WRCFG) -> Result<(), Fault> {
    let words = if op.wr128b != 0 { 4 } else { 1 };
    if words == 4 && (op.cfg_reg | op.gpr_address) & 3 != 0 {
        let what = format!("WRCFG of four words to register {} from GPR {}", op.cfg_reg, op.gpr_address);
        return Err(Fault::program(what).page("TensixTile/TensixCoprocessor/WRCFG.md"));
    }
    let bank = t.cfg.bank(thread);
    for i in 0..words {
        t.cfg.write(bank, op.cfg_reg + i, t.gpr[thread][(op.gpr_address + i) as usize])?;
    }
    Ok(())
}
