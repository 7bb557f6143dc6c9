//! Unpackers: datums from L1 to SrcA or Dst (unpacker 0) and SrcB (unpacker 1) (`UNPACR_Regular.md`,
//! `Unpackers/FormatConversion.md`).
//!
//! ```text
//! configuration -> setup        address counters -> run: where in L1, how many, where to
//!                    |             |
//!                    L1 -> run -> convert -> place -> SrcA, SrcB, Dst
//! ```
//!
//! `UNPACR` reads a run of datums. The base address and the channel 0 address counters give its start, the x range gives
//! its length. It fills rows of the bank that the unpacker owns, and may then pass the bank to the matrix unit.
//! Block-float datums have their shared exponents at the start of the tile.
//!
//! Compressed input is not implemented, nor is the cache of row starts, which `UNPACR` can flush.

use tt_isa::chip::wormhole::config as c;
use tt_isa::chip::wormhole::thread as tc;
use tt_isa::insn::{Opcode, UNPACR, UNPACR_NOP};

use super::adc::dim;
use super::src::{ROWS, SrcBanks};
use super::{Exec, Step, THREADS, Tensix, dst};
use crate::fault::Fault;
use crate::model::defect::WRONG_BIT;
use crate::model::l1::L1;

mod convert;
mod nop;
mod place;
mod run;
mod setup;
#[cfg(test)]
mod tests;

use run::Run;
use setup::Setup;

const PAGE: &str = "TensixTile/TensixCoprocessor/UNPACR_Regular.md";
/// Datums in front of the first one of SrcA that an unpacker can write.
const SRCA_SKIP: u32 = 64;
/// Configuration contexts of an unpacker.
const CONTEXTS: usize = 8;

/// What an `UNPACR` has read.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Fetched {
    /// Bytes of datums; shared exponents have a port of their own (`TensixTile/L1.md`).
    pub bytes: u32,
    /// Speed that it wants: x1, x2 or x4, counted from 0 (`UNPACR_Regular.md`, "Performance").
    pub speed: u8,
}

/// What the unpackers remember: `[unpacker][thread]`.
#[derive(Default)]
pub struct UnpackState {
    /// What the last `UNPACR` has read.
    pub fetched: Fetched,
    /// Row of SrcA or SrcB that the thread's data starts at, where addresses count from it.
    src_row: [[u8; THREADS]; 2],
    /// The configuration context of an instruction that leaves it to the counter.
    context_counter: [[u8; THREADS]; 2],
}

impl UnpackState {
    /// A write to the register that resets `thread`'s context counters (`BackendConfiguration.md`).
    pub fn reset_contexts(&mut self, thread: usize) {
        self.context_counter.iter_mut().for_each(|of| of[thread] = 0);
    }
}

/// Executes an unpacker instruction.
pub fn execute(t: &mut Tensix, thread: usize, opcode: Opcode, word: u32, l1: &L1) -> Exec {
    match opcode {
        Opcode::UNPACR => unpacr(t, thread, &UNPACR::decode(word), l1),
        Opcode::UNPACR_NOP => nop::execute(t, thread, &UNPACR_NOP::decode(word)),
        _ => Err(Fault::internal(format!("{opcode:?} is no unpacker instruction"))),
    }
}

/// The banks that an unpacker fills.
fn banks(t: &mut Tensix, unpacker: usize) -> &mut SrcBanks {
    if unpacker == 0 { &mut t.src_a } else { &mut t.src_b }
}

fn unpacr(t: &mut Tensix, thread: usize, op: &UNPACR, l1: &L1) -> Exec {
    let unpacker = op.unpack_block_selection as usize;
    t.unpack.fetched = Fetched::default();
    if op.search_cache_flush != 0 {
        return Ok(Step::Done);
    }
    if op.cfg_context_cnt_inc != 0 {
        let next = t.unpack.context_counter[unpacker][thread] + 1;
        set_context_counter(t, thread, unpacker, next);
        return Ok(Step::Done);
    }
    if op.rareb_en != 0 {
        return Err(Fault::undocumented("UNPACR with rareb_en").page(PAGE));
    }
    if !owns_bank(t, unpacker) {
        return Ok(Step::Stall);
    }
    let (context, counters) = setup::context(t, thread, op)?;
    let setup = Setup::read(t, thread, op, context, counters)?;
    let run = Run::locate(&setup, &t.adc, thread)?;
    move_datums(t, &setup, &run, l1)?;
    t.unpack.fetched = fetched(&setup, &run);
    if op.ovrd_thread_id != 0 && op.auto_inc_context_id != 0 {
        set_context_counter(t, thread, unpacker, context as u8 + 1);
    }
    count_on(t, thread, counters, op);
    if op.set_dat_valid != 0 {
        give(t, thread, unpacker)?;
    } else {
        let update = [c::THCON_SEC0_REG2_Unpack_Src_Reg_Set_Upd, c::THCON_SEC1_REG2_Unpack_Src_Reg_Set_Upd];
        if t.cfg.get(thread, update[unpacker]) != 0 {
            let base = src_base(t, thread, unpacker);
            let row = &mut t.unpack.src_row[unpacker][thread];
            *row = (*row + 16 + base) % ROWS as u8;
        }
    }
    Ok(Step::Done)
}

fn fetched(setup: &Setup, run: &Run) -> Fetched {
    let bits = setup.conversion.input.datum_bits();
    let speed = match (setup.tilize, bits) {
        (true, _) => 2,
        (_, 2) => 0,
        (_, 4) if setup.conversion.to_dst => setup.throttle_mode.min(1) as u8,
        _ => setup.throttle_mode.min(2) as u8,
    };
    Fetched { bytes: (run.count * bits).div_ceil(8) as u32, speed }
}

/// Reads the run and writes it where it belongs.
fn move_datums(t: &mut Tensix, setup: &Setup, run: &Run, l1: &L1) -> Result<(), Fault> {
    let output = &setup.output;
    // Of a dead unpacker, in the first datum of each row.
    let wrong = if t.dead.unpackers[setup.unpacker] { WRONG_BIT } else { 0 };
    let mut reader = run.reader(setup, l1);
    if !output.in_rows(run.to) {
        let mut to = run.to;
        while let Some((len, mut datums)) = reader.next_row()? {
            datums[0] ^= wrong;
            for &datum in &datums[..len] {
                output.put(t, to, datum)?;
                to = to.wrapping_add(output.step());
            }
        }
        return Ok(());
    }
    let mut row = output.row(run.to, run.count.div_ceil(16))?;
    run::check_bursts(setup, run, row)?;
    let whole = wrong == 0 && !setup.conversion.to_dst;
    if whole && run.whole_rows(setup, row, l1, banks(t, setup.unpacker).unpack_mut()) {
        return Ok(());
    }
    while let Some((len, mut datums)) = reader.next_row()? {
        datums[0] ^= wrong;
        output.put_row(t, row, &datums[..len]);
        row += 1;
    }
    Ok(())
}

/// Moves the address counters on: the thread's own, and those whose x and y were used.
fn count_on(t: &mut Tensix, thread: usize, counters: usize, op: &UNPACR) {
    for of in 0..THREADS {
        if of == thread || of == counters {
            let set = &mut t.adc[of][op.unpack_block_selection as usize];
            set.add(0, dim::Z, op.addr_mode & 3);
            set.add(0, dim::Y, op.addr_mode >> 2 & 3);
            set.add(1, dim::Z, op.addr_mode >> 4 & 3);
            set.add(1, dim::Y, op.addr_mode >> 6 & 3);
        }
    }
}

/// Context counters start again behind the last context (`UNPACR_IncrementContextCounter.md`).
fn set_context_counter(t: &mut Tensix, thread: usize, unpacker: usize, value: u8) {
    let counts = [c::THCON_SEC0_REG2_Context_count, c::THCON_SEC1_REG2_Context_count];
    let contexts = 1 << t.cfg.get(thread, counts[unpacker]);
    t.unpack.context_counter[unpacker][thread] = if value % 8 >= contexts { 0 } else { value % 8 };
}

/// Row that a thread's data starts at in a fresh bank. SrcB's register for it does not exist in silicon.
fn src_base(t: &Tensix, thread: usize, unpacker: usize) -> u8 {
    let fields = [tc::SRCA_SET_Base, tc::SRCB_SET_Base];
    (t.cfg.thread(thread, fields[unpacker]) << 4) as u8
}

/// Whether an unpacker may write to its bank.
pub fn owns_bank(t: &mut Tensix, unpacker: usize) -> bool {
    banks(t, unpacker).unpack_ready()
}

/// Hands an unpacker's bank to the matrix unit.
pub fn give(t: &mut Tensix, thread: usize, unpacker: usize) -> Result<(), Fault> {
    t.unpack.src_row[unpacker][thread] = src_base(t, thread, unpacker);
    banks(t, unpacker).give_to_matrix()
}

/// Writes four bfloat16 numbers to an unpacker's bank, at `at` in fours; `data` has the first of each two in the
/// lower half, its mantissa in front of its exponent (`STOREIND_Src.md`).
pub fn store_bf16(
    t: &mut Tensix,
    thread: usize,
    unpacker: usize,
    at: u32,
    data: [u32; 2],
) -> Result<(), Fault> {
    const PAGE: &str = "TensixTile/TensixCoprocessor/STOREIND_Src.md";
    let fault = || {
        let what = format!("STOREIND to row {} of unpacker {unpacker}'s bank", at >> 2);
        Err(Fault::program(what).page(PAGE))
    };
    let first = if unpacker == 0 { SRCA_SKIP >> 4 } else { 0 };
    if at >= 1 << 16 {
        return fault();
    }
    let Some(row) = (at >> 2).checked_sub(first) else { return Ok(()) };
    let absolute = unpacker == 0 && t.cfg.thread(thread, tc::SRCA_SET_SetOvrdWithAddr) != 0;
    if row >= if absolute { ROWS as u32 } else { 16 } {
        return fault();
    }
    let base = if absolute { 0 } else { u32::from(t.unpack.src_row[unpacker][thread]) };
    let bank = banks(t, unpacker).unpack_mut();
    let row = &mut bank[(row + base) as usize % ROWS];
    for (pair, word) in row[(at as usize & 3) * 4..].chunks_exact_mut(2).zip(data) {
        pair[0] = u32::from(dst::decode_bf16(word as u16)) << 16;
        pair[1] = word & 0xFFFF_0000;
    }
    Ok(())
}
