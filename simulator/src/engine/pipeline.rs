//! The pipeline of a Tensix instruction: FIFO, expanders, wait gate, unit, effects. All modes use this one.
//!
//! An instruction takes effect when it enters its unit. The policy decides how long the unit keeps it, and therefore how long
//! `STALLWAIT` and TTSync wait and when banks of SrcA and SrcB change owners.

use tt_isa::insn::Opcode;

use super::Policy;
use crate::fault::Fault;
use crate::model::access::NOTHING;
use crate::model::tensix::pipe::Pipe;
use crate::model::tensix::wait_gate::Gate;
use crate::model::tensix::{Step, THREADS, Tensix, check_word};
use crate::model::tile::Tile;
use crate::observe::{Handover, Issued, Observer};

/// Instructions of one thread before the next thread's turn, where all go on as far as they can.
const SLICE: usize = 64;

/// What became of a thread's turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// Nothing.
    None,
    /// Words have left the FIFO, or a wait is over.
    Moved,
    /// An instruction was executed.
    Executed,
    /// One that the tile had something to do for.
    Served,
}

/// Lets a thread's next instruction happen, if it may.
///
/// # Errors
/// The fault of the instruction, with thread and word; or what the observer finds.
#[inline(always)]
pub fn step<P: Policy, O: Observer>(
    tile: &mut Tile,
    policy: &mut P,
    observer: &mut O,
    thread: usize,
) -> Result<Progress, Fault> {
    let queued = if O::ACCESSES || P::KEEPS { tile.tensix().queued(thread) } else { 0 };
    let word = tile.tensix_mut().offer(thread)?;
    let popped = if O::ACCESSES || P::KEEPS { queued - tile.tensix().queued(thread) } else { 0 };
    observer.left_fifo(thread, popped);
    let waits = if popped > 0 { Progress::Moved } else { Progress::None };
    let Some(word) = word else {
        // A wait with nothing behind it ends by itself, too.
        tile.tensix_mut().settle(thread)?;
        let over = release(tile.tensix_mut(), observer, thread)?;
        return Ok(if over { Progress::Moved } else { waits });
    };
    let located = |fault: Fault| fault.in_thread(thread as u8, word);
    let opcode = check_word(word).map_err(located)?;
    if !passes_gate(tile.tensix_mut(), observer, thread, opcode).map_err(located)? {
        return Ok(waits);
    }
    let pipe = if O::ACCESSES || P::KEEPS { Pipe::of(opcode, word) } else { None };
    if !policy.admits(tile.tensix(), thread, opcode, word, pipe) {
        return Ok(waits);
    }
    let issued =
        issue(tile, policy, observer, Instruction { thread, opcode, word, pipe }).map_err(located)?;
    Ok(if issued == Progress::None { waits } else { issued })
}

/// An instruction on its way to its unit.
#[derive(Clone, Copy)]
struct Instruction {
    thread: usize,
    opcode: Opcode,
    word: u32,
    pipe: Option<Pipe>,
}

#[inline(always)]
fn passes_gate<O: Observer>(
    tensix: &mut Tensix,
    observer: &mut O,
    thread: usize,
    opcode: Opcode,
) -> Result<bool, Fault> {
    release(tensix, observer, thread)?;
    match tensix.gate(thread, opcode) {
        Gate::Open => Ok(true),
        Gate::Held => Ok(false),
        Gate::Replaces(latched) => observer.wait_replaced(opcode, latched).map(|()| false),
    }
}

/// Forgets a latched wait whose condition is met; whether there was one.
#[inline(always)]
fn release<O: Observer>(tensix: &mut Tensix, observer: &mut O, thread: usize) -> Result<bool, Fault> {
    let Some(wait) = tensix.latched(thread) else { return Ok(false) };
    let over = tensix.release_wait(thread)?;
    if over {
        observer.wait_over(tensix, thread, wait);
    }
    Ok(over)
}

/// Executes an instruction, and lets its unit keep it.
#[inline(always)]
fn issue<P: Policy, O: Observer>(
    tile: &mut Tile,
    policy: &mut P,
    observer: &mut O,
    Instruction { thread, opcode, word, pipe }: Instruction,
) -> Result<Progress, Fault> {
    let valid = if O::ACCESSES || P::KEEPS { tile.tensix().valid_banks() } else { Default::default() };
    if O::ACCESSES {
        tile.start_log();
    }
    let (tensix, l1) = tile.tensix_and_l1();
    let step = tensix.dispatch(thread, opcode, word, l1)?;
    let log = O::ACCESSES.then(|| tile.take_log());
    if step == Step::Stall {
        return observer.stalled(tile.tensix(), thread, opcode, word).map(|()| Progress::None);
    }
    tile.tensix_mut().retire(thread);
    observer.tensix_retired(thread, opcode, word);
    if O::ACCESSES || P::KEEPS {
        let handovers = &handovers(valid, tile.tensix());
        let accesses = log.as_ref().unwrap_or(&NOTHING);
        let issued = Issued { thread, opcode, word, pipe, valid, handovers, accesses };
        observer.issued(&issued)?;
        if !policy.keep(tile.tensix_mut(), &issued)
            && let Some(pipe) = pipe
        {
            observer.left_pipe(pipe);
        }
    }
    if !tile.tensix().has_requests() {
        return Ok(Progress::Executed);
    }
    let made = tile.outbox().len();
    for request in tile.tensix_mut().take_requests() {
        tile.serve_tensix(request)?;
    }
    observer.requested(thread, &tile.outbox()[made..])?;
    Ok(Progress::Served)
}

/// Banks that have changed hands.
fn handovers(before: [[bool; 2]; 2], tensix: &Tensix) -> Vec<Handover> {
    let after = tensix.valid_banks();
    let banks = (0..2).flat_map(|which| (0..2).map(move |bank| (which, bank)));
    banks
        .filter(|&(which, bank)| before[which][bank] != after[which][bank])
        .map(|(which, bank)| Handover { which, bank, given: after[which][bank] })
        .collect()
}

/// Lets all threads go on as far as they can, in turn.
///
/// # Errors
/// The first fault.
#[inline]
pub fn run_all<P: Policy, O: Observer>(
    tile: &mut Tile,
    policy: &mut P,
    observer: &mut O,
) -> Result<(), Fault> {
    if tile.tensix().idle() {
        return Ok(());
    }
    let idle = |tile: &Tile| [0, 1, 2].map(|thread| tile.tensix().thread_idle(thread));
    let before = idle(tile);
    while run_until_served(tile, policy, observer)? {
        tile.changed();
    }
    if idle(tile) != before {
        tile.changed();
    }
    Ok(())
}

/// Lets all threads go on until none can, or until the tile has had to do something for one; whether it has. What it does
/// may let an earlier thread go on, so all begin again then.
fn run_until_served<P: Policy, O: Observer>(
    tile: &mut Tile,
    policy: &mut P,
    observer: &mut O,
) -> Result<bool, Fault> {
    let mut any = false;
    loop {
        let mut progress = false;
        for thread in 0..THREADS {
            for _ in 0..SLICE {
                match step(tile, policy, observer, thread)? {
                    Progress::None | Progress::Moved => break,
                    Progress::Executed => progress = true,
                    Progress::Served => return Ok(true),
                }
            }
        }
        if !progress {
            if any {
                tile.changed();
            }
            return Ok(false);
        }
        any = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fast::Fast;
    use crate::model::grid::Grid;
    use crate::model::noc::Niu;
    use crate::observe::counters::Counters;
    use tt_isa::chip::WORMHOLE;
    use tt_isa::insn::{NOP, SETDMAREG};
    use tt_isa::noc::NocXy;

    #[test]
    fn executed_instructions_are_counted_by_opcode() {
        let grid = Grid::new(&WORMHOLE, 0);
        let at = NocXy::new(1, 1);
        let mut tile = Tile::new(&WORMHOLE, at, [0, 1].map(|noc| Niu::new(&grid.niu_setup(noc, at))));
        tile.tensix_mut().push(1, NOP {}.word(), true);
        let half = SETDMAREG { reg_index_16b: 1, payload_sig_sel: 5, ..SETDMAREG::ZERO };
        tile.tensix_mut().push(2, half.word(), true);
        let mut counters = Counters::default();
        run_all(&mut tile, &mut Fast::default(), &mut counters).unwrap();
        assert_eq!((counters.total(), counters.by_opcode()[Opcode::NOP as usize]), (2, 1));
        assert!(tile.tensix().idle());
    }
}
