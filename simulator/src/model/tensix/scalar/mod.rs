//! Scalar unit ("ThCon"): 64 GPRs a thread, and the instructions on them (`ScalarUnit.md`).
//!
//! It computes addresses and counts for the other units, moves words between GPRs, configuration, address counters
//! and L1 or memory-mapped registers, and has the coprocessor's atomics on L1. Here each instruction completes
//! before the next one starts: the pages' "some later point in time" is at once.
//!
//! The unit does not access memory-mapped registers itself: it leaves [`TileRequest`](super::TileRequest)s.

use tt_isa::insn::{Opcode, SETDMAREG};

use super::{Exec, Step, Tensix, pack};
use crate::fault::Fault;
use crate::model::l1::L1;

mod arith;
mod config;
mod memory;

/// GPRs of a thread.
pub const GPRS: usize = 64;

/// Executes an instruction of the scalar unit, or one of the configuration unit's that move GPRs.
pub fn execute(t: &mut Tensix, thread: usize, opcode: Opcode, word: u32, l1: &mut L1) -> Exec {
    use Opcode::*;
    match opcode {
        SETDMAREG => setdmareg(t, thread, self::SETDMAREG::decode(word))?,
        ADDDMAREG | SUBDMAREG | MULDMAREG | BITWOPDMAREG | SHIFTDMAREG | CMPDMAREG => {
            arith::execute(&mut t.gpr[thread], opcode, word)?;
        }
        WRCFG | RDCFG | REG2FLOP => config::execute(t, thread, opcode, word)?,
        // What they wait for has happened: no request and no other unit's work is ever outstanding here.
        DMANOP | FLUSHDMA => {}
        _ => return memory::execute(t, thread, opcode, word, l1),
    }
    Ok(Step::Done)
}

/// Writes half a GPR (`SETDMAREG_Immediate.md`), or GPRs with what packers tell of themselves
/// (`SETDMAREG_Special.md`): their exponents, or zeros.
fn setdmareg(t: &mut Tensix, thread: usize, op: SETDMAREG) -> Result<(), Fault> {
    let (word, half) = ((op.reg_index_16b >> 1) as usize, op.reg_index_16b & 1);
    let values = if op.set_signals_mode != 0 { packer_state(t, op.payload_sig_sel)? } else { [0; 4] };
    let gpr = &mut t.gpr[thread];
    if op.set_signals_mode == 0 {
        set_half(&mut gpr[word], half, op.payload_sig_sel | op.payload_sig_sel_size << 14);
        return Ok(());
    }
    let input = op.payload_sig_sel & 7;
    let value = values[(input >> 1) as usize];
    match op.payload_sig_sel_size {
        0 => set_half(&mut gpr[word], half, value >> (16 * (input & 1)) & 0xFFFF),
        1 => gpr[word] = value,
        size => {
            // A tile header's reserved fields may be left as they are.
            const HEADER: [u32; 4] = [0x0000_FFFF, 0x00FF_0000, 0xFFFF_FFFF, 0];
            for ((word, value), fields) in gpr[word & !3..].iter_mut().zip(values).zip(HEADER) {
                let fields = if size == 2 { u32::MAX } else { fields };
                *word = *word & !fields | value & fields;
            }
        }
    }
    Ok(())
}

/// 128 bits that packers tell of themselves.
fn packer_state(t: &Tensix, select: u32) -> Result<[u32; 4], Fault> {
    let (source, packer) = (select >> 3 & 15, (select >> 7 & 3) as usize);
    let statistics = t.pack.statistics.as_deref();
    match source {
        6 | 7 => statistics.map_or(Ok([0; 4]), |of| of.histogram(packer, source as usize - 6)),
        9 => {
            let max = statistics.map_or_else(|| pack::Statistics::default().max(), pack::Statistics::max);
            Ok([max?, 0, 0, 0])
        }
        // The others have no meaning, and are zero.
        10.. => Ok([0; 4]),
        _ => Err(Fault::not_implemented(format!("SETDMAREG from packer state {source}")).page(SPECIAL_PAGE)),
    }
}

fn set_half(word: &mut u32, half: u32, value: u32) {
    let shift = 16 * half;
    *word = (*word & !(0xFFFF << shift)) | value << shift;
}

const SPECIAL_PAGE: &str = "TensixTile/TensixCoprocessor/SETDMAREG_Special.md";

#[cfg(test)]
mod tests {
    use super::*;

    fn run(gprs: u32, op: SETDMAREG) -> Result<[u32; GPRS], Fault> {
        let mut t = crate::model::tensix::testing::tensix();
        t.gpr[1] = [gprs; GPRS];
        setdmareg(&mut t, 1, op).map(|()| t.gpr[1])
    }

    #[test]
    fn immediates_set_halves() {
        let op = SETDMAREG {
            payload_sig_sel_size: 2,
            payload_sig_sel: 0x1234,
            reg_index_16b: 7,
            ..SETDMAREG::ZERO
        };
        assert_eq!(run(0xAAAA_BBBB, op).unwrap()[3], 0x9234_BBBB);
        assert_eq!(run(0xAAAA_BBBB, SETDMAREG { reg_index_16b: 6, ..op }).unwrap()[3], 0xAAAA_9234);
    }

    #[test]
    fn four_gprs_are_set_to_zero() {
        let zero = |size| SETDMAREG {
            payload_sig_sel_size: size,
            payload_sig_sel: 15 << 3,
            set_signals_mode: 1,
            reg_index_16b: 2 * 5 + 1,
        };
        let all = u32::MAX;
        let of = |size| <[u32; 5]>::try_from(&run(all, zero(size)).unwrap()[4..9]).unwrap();
        assert_eq!(of(0), [all, 0x0000_FFFF, all, all, all]);
        assert_eq!(of(1), [all, 0, all, all, all]);
        assert_eq!(of(2), [0, 0, 0, 0, all]);
        assert_eq!(of(3), [0xFFFF_0000, 0xFF00_FFFF, 0, all, all]);
        let tile_size = SETDMAREG { payload_sig_sel: 2 << 3, ..zero(1) };
        assert_eq!(run(0, tile_size).unwrap_err().page, Some(SPECIAL_PAGE));
        // No histogram is one of zeros; a largest exponent has to be asked for first.
        assert_eq!(run(all, SETDMAREG { payload_sig_sel: 7 << 3, ..zero(1) }).unwrap()[5], 0);
        assert!(run(all, SETDMAREG { payload_sig_sel: 9 << 3, ..zero(1) }).is_err());
    }
}
