//! Runs cases on both simulators, a tile each, through the same accesses to BAR 0.
//!
//! [`Here`] makes a fresh chip of this simulator for each batch. [`Vendor`] runs each batch as a
//! [trial](tt_sys::ttsim::Trial): on a copy of a chip that was powered on once. An unsupported feature ends the copy
//! and with it the batch. Then each half of the batch runs alone, and so on, until the case with that feature is found.

use std::path::Path;

use tt_isa::chip::{BOARDS, Board, WORMHOLE};
use tt_isa::map::{DEBUG_REGS_BASE, SOFT_RESET_0, SOFT_RESET_ALL};
use tt_isa::noc::NocXy;
use tt_isa::tlb::TlbTarget;
use tt_simulator::{Blame, Chip, ChipConfig, Fault};
use tt_sys::ttsim::{Server, Trial, TrialError, TtSimError};

use crate::case::{Case, Look, Remote};
use crate::image::{DONE, Image, ImageError, Place};

/// Tiles that run at once.
pub const TILES: usize = 64;
/// The board whose chip it is: any of which both simulators know the tiles.
const BOARD: &Board = &BOARDS[0];
/// Windows of 1 MiB: L1 of each tile, registers of each tile, the DRAM tiles.
const L1_WINDOW: u32 = 0;
const REGISTER_WINDOW: u32 = L1_WINDOW + TILES as u32;
const DRAM_WINDOW: u32 = REGISTER_WINDOW + TILES as u32;
const WINDOW_LOG2: u32 = 20;
/// Bytes of DRAM that a case has to itself.
pub const DRAM_PIECE: u64 = 0x1_0000;
/// Clocks after which a case that has not come to its end never will.
const CLOCKS: u32 = 400_000;
/// Clocks of the vendor's simulator between two looks at the done words.
const STEP: u32 = 200;
/// Seconds that a trial gets: a tile of the vendor's simulator does not leave a clock while its coprocessor is busy.
const SECONDS: u32 = 20;
/// Memory for orders and answers of trials.
const SHARED: usize = 64 << 20;

/// What became of a case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It ran to its end, with this result.
    Done(Vec<u8>),
    /// The simulator refused to go on.
    Refused(Refusal),
    /// It never came to its end.
    Hangs,
}

/// Why a simulator did not go on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// In its words, with numbers.
    pub what: String,
    /// The same without numbers: what refusals are counted by.
    pub kind: String,
    /// The Tensix instruction, where it is known.
    pub word: Option<u32>,
}

impl Refusal {
    fn new(what: String, word: Option<u32>) -> Self {
        Self { kind: kind(&what), what, word }
    }

    /// The place of a fault is in `at`, not in what is counted by.
    fn of_fault(fault: &Fault) -> Self {
        let what = format!("{}: {}", fault.blame, fault.what);
        Self { kind: kind(&what), what: fault.to_string(), word: fault.at.instruction }
    }
}

/// A message with its numbers replaced by `*`.
fn kind(text: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    let flush = |out: &mut String, word: &mut String| {
        let numeric = word.starts_with(|c: char| c.is_ascii_digit());
        out.push_str(if numeric { "*" } else { word });
        word.clear();
    };
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || c == '_' {
            word.push(c);
        } else {
            flush(&mut out, &mut word);
            out.push(c);
        }
    }
    flush(&mut out, &mut word);
    out
}

/// Why nothing can be compared.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The vendor's simulator cannot be used.
    #[error("the vendor's simulator: {0}")]
    Vendor(#[from] TtSimError),
    /// It cannot do trials.
    #[error("the vendor's simulator: {0}")]
    Trial(#[from] TrialError),
    /// This simulator refuses what every case needs.
    #[error("this simulator: {0}")]
    Here(#[from] Fault),
    /// A case is malformed.
    #[error("the case cannot be put into a tile: {0}")]
    Image(#[from] ImageError),
}

/// The tile with an index below [`TILES`].
fn tile(index: usize) -> NocXy {
    let chip = BOARD.chip;
    NocXy::new(chip.tensix_x[index % chip.tensix_x.len()], chip.tensix_y[index / chip.tensix_x.len()])
}

/// DRAM tiles, one of each bank pair.
fn dram_tile(index: usize) -> NocXy {
    BOARD.chip.dram[2 * index].ports[0]
}

const DRAM_TILES: usize = 6;

/// The place of the `n`-th of the cases that run at once.
fn place(n: usize, pair: bool) -> Place {
    let first = if pair { 2 * n } else { n };
    Place {
        tile: tile(first),
        partner: tile((first + 1) % TILES),
        dram: (dram_tile(n % DRAM_TILES), (n / DRAM_TILES) as u64 * DRAM_PIECE),
        grid: BOARD.chip.grid,
    }
}

/// Cases that can run at once.
pub fn capacity(pair: bool) -> usize {
    if pair { TILES / 2 } else { TILES }
}

/// BAR 0 offset of an address in a window of 1 MiB.
fn at(window: u32, addr: u64) -> u64 {
    WORMHOLE.host.groups[0].offset + (u64::from(window) << WINDOW_LOG2) + (addr & ((1 << WINDOW_LOG2) - 1))
}

/// Configuration of all windows.
fn windows() -> Vec<(u64, [u8; 8])> {
    let word = |window: u32, tile: NocXy, addr: u64| {
        let target = TlbTarget::unicast(tile, addr & !((1 << WINDOW_LOG2) - 1));
        (
            WORMHOLE.host.config + 8 * u64::from(window),
            (WORMHOLE.host.groups[0].encode(&target) as u64).to_le_bytes(),
        )
    };
    let l1 = (0..TILES).map(|i| word(L1_WINDOW + i as u32, tile(i), 0));
    let registers = (0..TILES).map(|i| word(REGISTER_WINDOW + i as u32, tile(i), DEBUG_REGS_BASE.into()));
    let dram = (0..DRAM_TILES).map(|i| word(DRAM_WINDOW + i as u32, dram_tile(i), 0));
    l1.chain(registers).chain(dram).collect()
}

/// BAR 0 offset of the soft reset register of the `index`-th tile.
fn soft_reset(index: usize) -> u64 {
    at(REGISTER_WINDOW + index as u32, u64::from(DEBUG_REGS_BASE + SOFT_RESET_0))
}

/// A case with its place.
struct Slot<'a> {
    case: &'a Case,
    place: Place,
    image: Image,
    /// Index of its tile.
    tile: usize,
}

impl<'a> Slot<'a> {
    fn all(cases: &[&'a Case]) -> Result<Vec<Self>, RunError> {
        let pair = cases.first().is_some_and(|case| case.is_pair());
        let slot = |(n, &case): (usize, &&'a Case)| {
            let place = place(n, pair);
            let image = Image::new(case, &place)?;
            Ok(Self { case, place, image, tile: if pair { 2 * n } else { n } })
        };
        cases.iter().enumerate().map(slot).collect()
    }

    /// BAR 0 offset of its done word.
    fn done(&self) -> u64 {
        at(L1_WINDOW + self.tile as u32, DONE.into())
    }

    /// BAR 0 writes that load it and let its core run.
    fn load(&self, mut write: impl FnMut(u64, &[u8])) {
        for (addr, bytes) in &self.image.memory {
            write(at(L1_WINDOW + self.tile as u32, (*addr).into()), bytes);
        }
        if self.case.is_pair() {
            for fill in &self.case.fills {
                write(at(L1_WINDOW + self.tile as u32 + 1, fill.addr.into()), &fill.bytes());
            }
        }
        write(soft_reset(self.tile), &self.image.reset.to_le_bytes());
    }

    /// BAR 0 offset of a piece of the result.
    fn look(&self, look: &Look) -> u64 {
        let (tile, addr) = self.place.resolve(look.at, look.addr);
        let window = match look.at {
            Remote::Own => L1_WINDOW + self.tile as u32,
            Remote::Partner => L1_WINDOW + self.tile as u32 + 1,
            Remote::Dram => {
                let index = (0..DRAM_TILES).find(|&i| dram_tile(i) == tile).unwrap_or(0);
                DRAM_WINDOW + index as u32
            }
        };
        at(window, addr)
    }
}

/// This simulator.
pub struct Here;

impl Here {
    /// Runs up to [`capacity`] cases, all pairs or none.
    ///
    /// # Errors
    /// A case is malformed, or the chip refuses what the host does.
    pub fn run(&mut self, cases: &[&Case]) -> Result<Vec<Outcome>, RunError> {
        let slots = Slot::all(cases)?;
        let mut chip = Chip::new(ChipConfig { threads: 1, ..ChipConfig::of_board(BOARD, 0) })?;
        for (offset, word) in windows() {
            chip.bar0_write(offset, &word)?;
        }
        let mut result = Ok(());
        for slot in &slots {
            slot.load(|offset, bytes| {
                if result.is_ok() {
                    result = chip.bar0_write(offset, bytes);
                }
            });
        }
        result?;
        let refusals = run_to_the_end(&mut chip, &slots)?;
        let outcome = |(slot, refusal): (&Slot, Option<Refusal>)| {
            if let Some(refusal) = refusal {
                return Ok(Outcome::Refused(refusal));
            }
            let mut done = [0; 4];
            chip.bar0_read(slot.done(), &mut done)?;
            if done == [0; 4] {
                return Ok(Outcome::Hangs);
            }
            let mut result = vec![0; slot.case.result_len()];
            let mut rest = &mut result[..];
            for look in &slot.case.looks {
                let (now, later) = rest.split_at_mut(look.len as usize);
                chip.bar0_read(slot.look(look), now)?;
                rest = later;
            }
            Ok(Outcome::Done(result))
        };
        slots.iter().zip(refusals).map(outcome).collect()
    }
}

/// Lets time pass until nothing moves; a tile with a fault is put in reset, and the others go on.
fn run_to_the_end(chip: &mut Chip, slots: &[Slot]) -> Result<Vec<Option<Refusal>>, Fault> {
    let mut refusals: Vec<Option<Refusal>> = slots.iter().map(|_| None).collect();
    for _ in 0..slots.len() + 1 {
        let fault = match chip.advance(CLOCKS.into()) {
            Ok(_) => return Ok(refusals),
            Err(fault) => fault,
        };
        let Some(n) = slots.iter().position(|slot| Some(slot.place.tile) == fault.at.tile) else {
            return Err(fault);
        };
        if refusals[n].is_some() || fault.blame == Blame::Internal {
            return Err(fault);
        }
        refusals[n] = Some(Refusal::of_fault(&fault));
        chip.bar0_write(soft_reset(slots[n].tile), &SOFT_RESET_ALL.to_le_bytes())?;
    }
    Ok(refusals)
}

/// The vendor's simulator.
pub struct Vendor {
    server: Server,
    bar0: u64,
}

/// Base address registers 0 and 1 in PCI configuration space, and the bits of them that are flags.
const BAR0_LOW: u32 = 0x10;
const BAR0_HIGH: u32 = 0x14;
const BAR_FLAGS: u32 = 0xF;

impl Vendor {
    /// The library at a path.
    ///
    /// # Errors
    /// It is no simulator of a Wormhole.
    pub fn start(library: &Path) -> Result<Self, RunError> {
        let mut server = Server::start_for_trials(library, SHARED)?;
        let low = server.config_read32(BAR0_LOW)? & !BAR_FLAGS;
        let bar0 = u64::from(server.config_read32(BAR0_HIGH)?) << 32 | u64::from(low);
        for (offset, word) in windows() {
            server.write(bar0 + offset, &word)?;
        }
        Ok(Self { server, bar0 })
    }

    /// Runs up to [`capacity`] cases, all pairs or none.
    ///
    /// # Errors
    /// A case is malformed, or the simulator itself has died.
    pub fn run(&mut self, cases: &[&Case]) -> Result<Vec<Outcome>, RunError> {
        let mut outcomes = Vec::with_capacity(cases.len());
        self.run_halves(cases, &mut outcomes)?;
        Ok(outcomes)
    }

    fn run_halves(&mut self, cases: &[&Case], outcomes: &mut Vec<Outcome>) -> Result<(), RunError> {
        if cases.is_empty() {
            return Ok(());
        }
        match self.trial(cases) {
            Ok(done) => outcomes.extend(done),
            Err(RunError::Trial(TrialError::Died { status, said })) if cases.len() == 1 => {
                let signal = status.contains("signal");
                // What the library says begins with the clock in brackets.
                let said = said.split_once("ERROR: ").map_or(said.as_str(), |(_, what)| what);
                let what = if signal { status } else { said.to_owned() };
                outcomes.push(if signal {
                    Outcome::Hangs
                } else {
                    Outcome::Refused(Refusal::new(what, None))
                });
            }
            Err(RunError::Trial(TrialError::Died { .. })) => {
                let (first, second) = cases.split_at(cases.len() / 2);
                self.run_halves(first, outcomes)?;
                self.run_halves(second, outcomes)?;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn trial(&mut self, cases: &[&Case]) -> Result<Vec<Outcome>, RunError> {
        let slots = Slot::all(cases)?;
        let mut trial = Trial::default();
        for slot in &slots {
            slot.load(|offset, bytes| trial.write(self.bar0 + offset, bytes));
        }
        let done: Vec<u64> = slots.iter().map(|slot| self.bar0 + slot.done()).collect();
        trial.until(STEP, CLOCKS / STEP, &done);
        let reads: Vec<_> = slots
            .iter()
            .map(|slot| {
                let done = trial.read(self.bar0 + slot.done(), 4);
                let looks: Vec<_> = slot
                    .case
                    .looks
                    .iter()
                    .map(|look| trial.read(self.bar0 + slot.look(look), look.len as usize))
                    .collect();
                (done, looks)
            })
            .collect();
        let answer = self.server.trial(&trial, SECONDS)?;
        let outcome = |(done, looks): (std::ops::Range<usize>, Vec<std::ops::Range<usize>>)| {
            if answer[done] == [0; 4] {
                return Outcome::Hangs;
            }
            Outcome::Done(looks.into_iter().flat_map(|look| answer[look].iter().copied()).collect())
        };
        Ok(reads.into_iter().map(outcome).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_counted_without_their_numbers() {
        assert_eq!(kind("PACR: count=48 of 0x30, fp16 stays"), "PACR: count=* of *, fp16 stays");
    }

    #[test]
    fn places_do_not_overlap() {
        let all: Vec<_> = (0..TILES).map(|n| place(n, false)).collect();
        for (i, a) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|b| a.tile != b.tile && a.dram != b.dram));
        }
        let last = place(capacity(true) - 1, true);
        assert_eq!((last.tile, last.partner), (tile(TILES - 2), tile(TILES - 1)));
    }
}
