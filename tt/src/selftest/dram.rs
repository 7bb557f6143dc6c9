//! DRAM: each bank by a march on the BRISC of some tile, page by page through a buffer in L1.
//!
//! Each word gets its own address in the bank, then the opposite of it. So a word that comes from elsewhere says where it comes from. Pages are those at
//! the powers of two, which show every address line, and some others; or all of them.

use tt_isa::map::RiscV;
use tt_isa::noc::NocXy;
use tt_isa::rv32::{i, r, s};
use tt_runtime::Error;

use super::Step;
use super::l1::named_bits;
use crate::findings::{Finding, Outcome, Place};
use crate::machine::{Ending, Job, Machine};
use crate::program::{Errors, Program, reg};
use crate::requests::{self, At, ENTRY, Request, STATE, WORDS, status};

/// Name of the check.
pub const CHECK: &str = "DRAM";
/// Bytes of a page: a packet.
const PAGE: u32 = 8 << 10;
/// In L1: the read and the write, the page that is moved, and the offsets of all pages.
const LIST: u32 = 0x2_0000;
const BUFFER: u32 = 0x2_2000;
const OFFSETS: u32 = 0x3_0000;
/// Pages beside those at powers of two, in the usual test.
const OTHERS: u64 = 16;

const KEY: u32 = requests::OWN;
const OFFSET: u32 = requests::OWN + 1;
const WORD: u32 = requests::OWN + 2;
const WORDS_END: u32 = requests::OWN + 3;
const NEXT: u32 = requests::OWN + 4;
const NEXT_END: u32 = requests::OWN + 5;

/// How much of DRAM is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// Some pages.
    Sample,
    /// All of them.
    All,
}

/// Tests every bank, each from some tile over NoC 0; one that does not pass once more from another tile over NoC 1, so that a
/// fault of the way is not taken for one of the memory.
///
/// # Errors
/// The chip does not answer.
pub fn test(machine: &mut Machine, extent: Extent, step: &Step) -> Result<Vec<Finding>, Error> {
    let banks: Vec<usize> = (0..machine.chip().dram.len()).collect();
    let mut findings = attempt(machine, &banks, 0, extent)?;
    let again: Vec<usize> = (0..findings.len()).filter(|&n| findings[n].outcome.is_bad()).collect();
    for (n, second) in again.iter().zip(attempt(machine, &again, 1, extent)?) {
        // What has an answer says more than what has none.
        if second.outcome < findings[*n].outcome {
            findings[*n] = second;
        }
    }
    findings.iter().for_each(|_| step.one());
    Ok(findings)
}

fn attempt(machine: &mut Machine, banks: &[usize], noc: u8, extent: Extent) -> Result<Vec<Finding>, Error> {
    let tiles = machine.present();
    let offsets = offsets(machine.chip().dram_bank_size, extent);
    let mut findings = Vec::new();
    for some in banks.chunks(tiles.len().max(1)) {
        let mut jobs = Vec::new();
        for (n, &bank) in some.iter().enumerate() {
            // Spread over the chip; the second time another one.
            let at = n * tiles.len() / some.len();
            let (tile, place) = tiles[if noc == 0 { at } else { tiles.len() - 1 - at }];
            prepare(machine, (tile, place), bank, noc, &offsets)?;
            let code = program(machine, offsets.len() as u32);
            jobs.push(Job { tile, core: RiscV::Brisc, code });
        }
        let endings = machine.run(&jobs)?;
        findings.extend(some.iter().zip(&endings).map(|(&bank, ending)| judge(bank, ending, offsets.len())));
    }
    Ok(findings)
}

/// Offsets of the pages in a bank, upwards.
fn offsets(bank_size: u64, extent: Extent) -> Vec<u32> {
    let page = u64::from(PAGE);
    let mut offsets: Vec<u64> = match extent {
        Extent::All => (0..bank_size / page).map(|n| n * page).collect(),
        Extent::Sample => {
            let powers = (0..u64::BITS).map(|bit| 1 << bit).filter(|at| (page..bank_size).contains(at));
            // A multiplicative sequence (Knuth's, of 32 bits) goes everywhere.
            let others = (1..=OTHERS).map(|n| (n * 0x9E37_79B1) % bank_size / page * page);
            [0].into_iter().chain(powers).chain(others).chain([bank_size - page]).collect()
        }
    };
    offsets.sort_unstable();
    offsets.dedup();
    offsets.into_iter().map(|offset| offset as u32).collect()
}

/// The list of requests and of pages.
fn prepare(
    machine: &mut Machine,
    (tile, place): (NocXy, NocXy),
    bank: usize,
    noc: u8,
    offsets: &[u32],
) -> Result<(), Error> {
    let chip = machine.chip();
    let memory = At { tile: chip.dram[bank].ports[0], addr: chip.dram[bank].base };
    let own = At { tile: place, addr: BUFFER.into() };
    let read = Request { noc, write: false, from: memory, to: own, len: PAGE };
    let write = Request { noc, write: true, from: own, to: memory, len: PAGE };
    machine.put(tile, LIST.into(), &[read.words(chip), write.words(chip)].concat())?;
    // The bank's base is what the offsets are added to.
    machine.put(tile, u64::from(LIST) + (8 * WORDS) as u64, &[memory.addr as u32])?;
    machine.put(tile, OFFSETS.into(), offsets)?;
    Ok(())
}

fn judge(bank: usize, ending: &Ending, pages: usize) -> Finding {
    let place = Place::Bank { number: bank };
    let Ending::Done(words) = ending else {
        return Finding::new(place, CHECK, Outcome::Hung, "the march does not come to its end");
    };
    let (errors, state) = (Errors::read(words), words[5]);
    if state != status::ANSWERED {
        return Finding::new(place, CHECK, Outcome::Hung, "requests to it have no answer");
    }
    if errors.count == 0 {
        let what = format!("addresses and their opposites, {pages} pages of {} KiB", PAGE >> 10);
        return Finding::new(place, CHECK, Outcome::Passed, what);
    }
    let Errors { count, addr, want, got, bits } = errors;
    let line = want ^ got;
    let why = match (line.count_ones(), bits.count_ones()) {
        (1, 2..) => {
            let line_number = line.trailing_zeros();
            format!("address line {line_number}: it is what belongs to {:#x}", addr ^ line)
        }
        (1, _) => format!("data or address line {}", line.trailing_zeros()),
        _ => named_bits(bits),
    };
    let what =
        format!("{count} wrong reads, the first at {addr:#x}: {got:#010x} instead of {want:#010x}; {why}");
    Finding::new(place, CHECK, Outcome::Failed, what)
}

/// The march over so many pages.
fn program(machine: &Machine, pages: u32) -> Vec<u32> {
    let mut program = Program::of(RiscV::Brisc);
    program.errors();
    let request = requests::routine(&mut program, machine.chip());
    program.set(WORDS_END, BUFFER + PAGE);
    let mut ends = Vec::new();
    let march = [
        (false, None, Some(0)),
        (false, Some(0), Some(u32::MAX)),
        (true, Some(u32::MAX), Some(0)),
        (true, Some(0), None),
    ];
    for (down, want, value) in march {
        let (first, last) = (OFFSETS, OFFSETS + 4 * (pages - 1));
        let (from, end) = if down { (last, first - 4) } else { (first, last + 4) };
        program.set(NEXT, from);
        program.set(NEXT_END, end);
        let page = program.here();
        program.add([i("Lw", OFFSET, NEXT, 0)]);
        if let Some(key) = want {
            ends.push(transfer(&mut program, request, 0, requests::FROM));
            program.set(KEY, key);
            each_word(&mut program, |program| {
                program.add([r("Xor", reg::WANT, reg::ADDR, KEY), i("Lw", reg::GOT, WORD, 0)]);
                program.check(reg::WANT);
            });
        }
        if let Some(key) = value {
            program.set(KEY, key);
            each_word(&mut program, |program| {
                program.add([r("Xor", reg::WANT, reg::ADDR, KEY), s("Sw", reg::WANT, WORD, 0)]);
            });
            // The stores have arrived once the last one is read back.
            program.add([i("Lw", reg::GOT, WORD, -4), r("And", reg::GOT, reg::GOT, reg::GOT)]);
            ends.push(transfer(&mut program, request, 1, requests::TO));
        }
        program.add([i("Addi", NEXT, NEXT, if down { -4 } else { 4 })]);
        program.back("Bne", NEXT, NEXT_END, page);
    }
    program.land(ends);
    program.leave_errors();
    program.leave(5, STATE);
    program.end()
}

/// Makes a request of the list for the page at `OFFSET`; a branch that is taken if it has no answer.
fn transfer(program: &mut Program, request: usize, entry: u32, word: usize) -> crate::program::Forward {
    program.set(ENTRY, LIST);
    program.add([i("Lw", reg::T2, ENTRY, 8 * WORDS as i32), r("Add", reg::T2, reg::T2, OFFSET)]);
    program.add([i("Addi", ENTRY, ENTRY, (4 * WORDS) as i32 * entry as i32)]);
    program.add([s("Sw", reg::T2, ENTRY, 4 * word as i32)]);
    program.call(request);
    program.add([i("Addi", reg::T2, 0, status::ANSWERED as i32)]);
    program.forward("Bne", STATE, reg::T2)
}

/// Goes through the words of the page in L1; register `ADDR` has the offset in the bank of each.
fn each_word(program: &mut Program, f: impl FnOnce(&mut Program)) {
    program.copy(reg::ADDR, OFFSET);
    program.set(WORD, BUFFER);
    let next = program.here();
    f(program);
    program.add([i("Addi", reg::ADDR, reg::ADDR, 4), i("Addi", WORD, WORD, 4)]);
    program.back("Bne", WORD, WORDS_END, next);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_every_address_line() {
        let offsets = offsets(1 << 30, Extent::Sample);
        let lines = offsets.iter().fold(0, |lines, offset| lines | offset);
        assert_eq!(lines, (1 << 30) - PAGE);
        assert!(offsets.contains(&0) && offsets.contains(&(1 << 29)) && offsets.len() < 48);
    }
}
