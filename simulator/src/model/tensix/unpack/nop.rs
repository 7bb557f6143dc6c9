//! `UNPACR_NOP`: an unpacker's actions without data, in order with its `UNPACR`s. The low three bits select the action.

use tt_isa::insn::UNPACR_NOP;

use super::{banks, give};
use crate::fault::Fault;
use crate::model::tensix::src::{COLS, NEGATIVE_INFINITY, ROWS};
use crate::model::tensix::{Exec, Step, Tensix};

/// `no_op` bits of the mode that clears a bank.
const CLEAR_NEGATIVE: u32 = 1 << 2;
const CLEAR_BOTH: u32 = 1 << 3;
const CLEAR_WAITS_LIKE_UNPACR: u32 = 1 << 4;

pub(super) fn execute(t: &mut Tensix, thread: usize, op: &UNPACR_NOP) -> Exec {
    let unpacker = op.unpack_block_selection as usize;
    let unsupported = |what: &str, page| {
        Err(Fault::not_implemented(format!("UNPACR_NOP of unpacker {unpacker}: {what}")).page(page))
    };
    match op.no_op & 7 {
        1 | 5 => clear(t, unpacker, op.no_op),
        2 => Ok(Step::Done),
        7 => {
            give(t, thread, unpacker)?;
            Ok(Step::Done)
        }
        0 | 3 => unsupported(
            "write to an overlay stream",
            "TensixTile/TensixCoprocessor/UNPACR_NOP_OverlayClear.md",
        ),
        4 => unsupported("write to a register", "TensixTile/TensixCoprocessor/UNPACR_NOP_SETREG.md"),
        kind => {
            let what = format!("UNPACR_NOP kind {kind}");
            Err(Fault::undocumented(what).page("TensixTile/TensixCoprocessor/UNPACR_NOP.md"))
        }
    }
}

/// Fills the unpacker's bank with zeros or -infinity, once the matrix unit is done with its own bank, or (as
/// `UNPACR` waits) once the bank is the unpacker's.
fn clear(t: &mut Tensix, unpacker: usize, flags: u32) -> Exec {
    const PAGE: &str = "TensixTile/TensixCoprocessor/UNPACR_NOP_ZEROSRC.md";
    if flags & CLEAR_BOTH != 0 {
        return Err(Fault::not_implemented("UNPACR_NOP that clears both banks").page(PAGE));
    }
    let negative = flags & CLEAR_NEGATIVE != 0;
    if negative && unpacker == 1 {
        return Err(Fault::undocumented("UNPACR_NOP that fills SrcB with -infinity").page(PAGE));
    }
    let banks = banks(t, unpacker);
    let wait =
        if flags & CLEAR_WAITS_LIKE_UNPACR != 0 { !banks.unpack_ready() } else { banks.matrix_ready() };
    if wait {
        return Ok(Step::Stall);
    }
    *banks.unpack_mut() = [[if negative { NEGATIVE_INFINITY } else { 0 }; COLS]; ROWS];
    Ok(Step::Done)
}
