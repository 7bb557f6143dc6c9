//! Scalar unit ("ThCon"): 64 GPRs a thread, and the instructions on them (`ScalarUnit.md`).
//!
//! It computes addresses and counts for the other units, moves words between GPRs, configuration, address counters
//! and L1 or memory-mapped registers, and has the coprocessor's atomics on L1. Here each instruction is finished
//! when the next one starts: what the pages call "some later point in time" is at once.
//!
//! The unit itself does not reach memory-mapped registers: it leaves [`TileRequest`](super::TileRequest)s.

use tt_isa::insn::{Opcode, SETDMAREG};

use super::{Exec, Step, Tensix};
use crate::fault::Fault;
use crate::l1::L1;

mod arith;
mod config;
mod memory;

/// GPRs of a thread.
pub const GPRS: usize = 64;

/// Whether the scalar unit executes this opcode.
pub fn executes(opcode: Opcode) -> bool {
    use Opcode::*;
    matches!(
        opcode,
        SETDMAREG
            | ADDDMAREG
            | SUBDMAREG
            | MULDMAREG
            | BITWOPDMAREG
            | SHIFTDMAREG
            | CMPDMAREG
            | REG2FLOP
            | LOADIND
            | STOREIND
            | LOADREG
            | STOREREG
            | ATINCGET
            | ATINCGETPTR
            | ATSWAP
            | ATCAS
            | FLUSHDMA
            | DMANOP
    )
}

/// Executes an instruction of the scalar unit, or one of the configuration unit's that move GPRs.
pub fn execute(t: &mut Tensix, thread: usize, opcode: Opcode, word: u32, l1: &mut L1) -> Exec {
    use Opcode::*;
    match opcode {
        SETDMAREG => setdmareg(&mut t.gpr[thread], self::SETDMAREG::decode(word))?,
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

/// Writes half a GPR (`SETDMAREG_Immediate.md`). In the other mode, of what packers tell of themselves, only the
/// sources that are all zeros are here: they set GPRs to zero (`SETDMAREG_Special.md`).
fn setdmareg(gpr: &mut [u32; GPRS], op: SETDMAREG) -> Result<(), Fault> {
    /// Sources from here on have no meaning, and are zero.
    const FIRST_ZERO_SOURCE: u32 = 10;
    let (word, half) = ((op.reg_index_16b >> 1) as usize, op.reg_index_16b & 1);
    if op.set_signals_mode == 0 {
        set_half(&mut gpr[word], half, op.payload_sig_sel | op.payload_sig_sel_size << 14);
        return Ok(());
    }
    let source = op.payload_sig_sel >> 3 & 15;
    if source < FIRST_ZERO_SOURCE {
        return Err(
            Fault::not_implemented(format!("SETDMAREG from packer state {source}")).page(SPECIAL_PAGE)
        );
    }
    match op.payload_sig_sel_size {
        0 => set_half(&mut gpr[word], half, 0),
        1 => gpr[word] = 0,
        2 => gpr[word & !3..][..4].fill(0),
        _ => {
            // A tile header's reserved fields stay.
            const HEADER: [u32; 4] = [0x0000_FFFF, 0x00FF_0000, 0xFFFF_FFFF, 0];
            for (word, fields) in gpr[word & !3..].iter_mut().zip(HEADER) {
                *word &= !fields;
            }
        }
    }
    Ok(())
}

fn set_half(word: &mut u32, half: u32, value: u32) {
    let shift = 16 * half;
    *word = (*word & !(0xFFFF << shift)) | value << shift;
}

const SPECIAL_PAGE: &str = "TensixTile/TensixCoprocessor/SETDMAREG_Special.md";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn immediates_set_halves() {
        let mut gpr = [0xAAAA_BBBB; GPRS];
        let op = SETDMAREG {
            payload_sig_sel_size: 2,
            payload_sig_sel: 0x1234,
            reg_index_16b: 7,
            ..SETDMAREG::ZERO
        };
        setdmareg(&mut gpr, op).unwrap();
        assert_eq!(gpr[3], 0x9234_BBBB);
        setdmareg(&mut gpr, SETDMAREG { reg_index_16b: 6, ..op }).unwrap();
        assert_eq!(gpr[3], 0x9234_9234);
    }

    #[test]
    fn four_gprs_are_set_to_zero() {
        let zero = |size| SETDMAREG {
            payload_sig_sel_size: size,
            payload_sig_sel: 15 << 3,
            set_signals_mode: 1,
            reg_index_16b: 2 * 5 + 1,
        };
        let of = |size| {
            let mut gpr = [u32::MAX; GPRS];
            setdmareg(&mut gpr, zero(size)).unwrap();
            <[u32; 5]>::try_from(&gpr[4..9]).unwrap()
        };
        let all = u32::MAX;
        assert_eq!(of(0), [all, 0x0000_FFFF, all, all, all]);
        assert_eq!(of(1), [all, 0, all, all, all]);
        assert_eq!(of(2), [0, 0, 0, 0, all]);
        assert_eq!(of(3), [0xFFFF_0000, 0xFF00_FFFF, 0, all, all]);
        let tile_size = SETDMAREG { payload_sig_sel: 2 << 3, ..zero(1) };
        assert_eq!(setdmareg(&mut [0; GPRS], tile_size).unwrap_err().page, Some(SPECIAL_PAGE));
    }
}
