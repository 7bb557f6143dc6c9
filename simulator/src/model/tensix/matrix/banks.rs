//! Instructions on whole banks of SrcA and SrcB: clearing, transposing and shifting datums, and handing banks over
//! (`ZEROSRC.md`, `TRNSPSRCB.md`, `SHIFTXA.md`, `SHIFTXB.md`, `SETDVALID.md`, `CLEARDVALID.md`).

use tt_isa::insn::{CLEARDVALID, SETDVALID, SHIFTXA, SHIFTXB, ZEROSRC};

use crate::fault::Fault;
use crate::model::tensix::src::{COLS, NEGATIVE_INFINITY, ROWS, Row, SrcBanks};
use crate::model::tensix::{Exec, Step, Tensix, rwc, unpack};

/// `ZEROSRC`: both banks, the matrix unit's or the unpacker's.
pub(super) fn zerosrc(t: &mut Tensix, word: u32) -> Exec {
    let op = ZEROSRC::decode(word);
    let clear = |banks: &mut SrcBanks, datum: u32| {
        if op.bank_mask != 0 {
            banks.fill(datum);
        } else if op.write_mode != 0 {
            *banks.matrix_mut() = [[datum; COLS]; ROWS];
        } else {
            *banks.unpack_mut() = [[datum; COLS]; ROWS];
        }
    };
    if op.src_mask & 1 != 0 {
        clear(&mut t.src_a, if op.zero_val != 0 { NEGATIVE_INFINITY } else { 0 });
    }
    if op.src_mask & 2 != 0 {
        clear(&mut t.src_b, 0);
    }
    Ok(Step::Done)
}

/// `TRNSPSRCB`: rows 16 to 31 of SrcB.
pub(super) fn trnspsrcb(t: &mut Tensix) -> Exec {
    if !t.src_b.matrix_ready() {
        return Ok(Step::Stall);
    }
    let bank = t.src_b.matrix_mut();
    let old: [Row; COLS] = std::array::from_fn(|i| bank[COLS + i]);
    for i in 0..COLS {
        bank[COLS + i] = std::array::from_fn(|j| old[j][i]);
    }
    Ok(Step::Done)
}

/// `SHIFTXA`: sixteen rows of SrcA to the first sixteen, one column to the right or left. Which rows is not the
/// instruction's choice: those that the last instruction with SrcA rows worked on.
pub(super) fn shiftxa(t: &mut Tensix, word: u32) -> Exec {
    let op = SHIFTXA::decode(word);
    if !t.src_a.matrix_ready() {
        return Ok(Step::Stall);
    }
    let first = t.matrix.last_src_a_row & 0x30;
    let bank = t.src_a.matrix_mut();
    for i in 0..COLS {
        let old = bank[first + i];
        bank[i] = match op.direction {
            2 => std::array::from_fn(|c| if c == 0 { 0 } else { old[c - 1] }),
            3 => std::array::from_fn(|c| if c == COLS - 1 { 0 } else { old[c + 1] }),
            direction => {
                return Err(Fault::undocumented(format!("SHIFTXA in direction {direction}"))
                    .page("TensixTile/TensixCoprocessor/SHIFTXA.md"));
            }
        };
    }
    Ok(Step::Done)
}

/// `SHIFTXB`: one row of SrcB, one column to the left. The first datum comes in again on the right, or a zero.
pub(super) fn shiftxb(t: &mut Tensix, thread: usize, word: u32) -> Exec {
    let op = SHIFTXB::decode(word);
    if !t.src_b.matrix_ready() {
        return Ok(Step::Stall);
    }
    let row = (op.src + t.rwc[thread].src_b.value) as usize & (ROWS - 1);
    let row = &mut t.src_b.matrix_mut()[row];
    row.rotate_left(1);
    if op.shift_in_zero != 0 {
        row[COLS - 1] = 0;
    }
    rwc::apply_addr_mod(&mut t.rwc[thread], &t.cfg, thread, op.addr_mode, true)?;
    Ok(Step::Done)
}

/// `SETDVALID`: hands the unpackers' banks over as they are.
pub(super) fn setdvalid(t: &mut Tensix, thread: usize, word: u32) -> Exec {
    const PAGE: &str = "TensixTile/TensixCoprocessor/SETDVALID.md";
    let op = SETDVALID::decode(word);
    if op.setvalid == 0 {
        return Err(Fault::program("SETDVALID of nothing").page(PAGE));
    }
    if op.setvalid & 1 != 0 {
        unpack::give(t, thread, 0)?;
    }
    if op.setvalid & 2 != 0 {
        unpack::give(t, thread, 1)?;
    }
    Ok(Step::Done)
}

/// `CLEARDVALID`: hands the matrix unit's banks back; it goes on with the other ones or (bit 1 of `reset`) keeps
/// looking at these. Bit 0 of `reset` has all banks back as they were after reset.
pub(super) fn cleardvalid(t: &mut Tensix, word: u32) -> Exec {
    const PAGE: &str = "TensixTile/TensixCoprocessor/CLEARDVALID.md";
    let op = CLEARDVALID::decode(word);
    if op.reset & 1 != 0 {
        t.src_a.reset();
        t.src_b.reset();
        return Ok(Step::Done);
    }
    if op.cleardvalid == 0 {
        return Err(Fault::program("CLEARDVALID of nothing").page(PAGE));
    }
    for (bit, banks) in [(1, &mut t.src_a), (2, &mut t.src_b)] {
        if op.cleardvalid & bit != 0 {
            banks.flip_matrix(true)?;
            if op.reset & 2 != 0 {
                banks.matrix_bank ^= 1;
            }
        }
    }
    Ok(Step::Done)
}
