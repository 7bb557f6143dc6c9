//! Several chips with Ethernet links between them, and time for all of them (`EthernetTile/EthernetTxRx.md`).
//!
//! In a quantum, first the tiles of every chip run and its NoCs deliver. Then packets go over the links, in the order of
//! chips and channels ([`super::links`]), and the Ethernet tiles' firmware handles requests of hosts and of customers' code
//! ([`super::routing`]). A single chip is a system of one, with all links unconnected.
//!
//! All chips have one clock: a quantum is the shortest that any of them asks for. A link takes longer than the longest quantum in which a tile could
//! reach another chip, so what one chip does in a quantum reaches the other one in a later one.

use std::sync::Arc as Shared;

use tt_isa::chip::Board;

use super::chip::{Chip, ChipConfig, Progress};
use super::host_time::{host_has_read, host_has_written};
use super::links::exchange;
use super::routing::serve;
use crate::fault::Fault;

/// The chips of a board.
pub struct System {
    chips: Vec<Chip>,
}

impl System {
    /// All chips of a board after power-on, links trained.
    ///
    /// # Errors
    /// The host cannot start threads.
    pub fn new(board: &'static Board, threads: usize) -> Result<Self, Fault> {
        let config = |index| ChipConfig { threads, ..ChipConfig::of_board(board, index) };
        Self::of((0..board.harvested.len()).map(config))
    }

    /// Some chips of a board after power-on. Links between them are trained; nothing is at the other end of the others.
    ///
    /// # Errors
    /// The host cannot start threads, or write a trace.
    pub fn of(configs: impl IntoIterator<Item = ChipConfig>) -> Result<Self, Fault> {
        let mut chips: Vec<Chip> = Vec::new();
        for config in configs {
            chips.push(match chips.first() {
                Some(first) => Chip::beside(config, first)?,
                None => Chip::new(config)?,
            });
        }
        let there: Shared<[usize]> = chips.iter().map(|chip| chip.config.index).collect();
        chips.iter_mut().for_each(|chip| chip.train_links(Shared::clone(&there)));
        Ok(Self { chips })
    }

    /// The chips; the first ones are those that the host reaches.
    pub fn chips(&mut self) -> &mut [Chip] {
        &mut self.chips
    }

    /// Lets up to `clocks` clocks pass.
    ///
    /// # Errors
    /// A fault, in the order of chips and tiles; the next call returns the next one before anything else. Everything stays as
    /// it is then, and can be inspected.
    pub fn advance(&mut self, clocks: u64) -> Result<Progress, Fault> {
        advance(&mut self.chips, clocks)
    }

    /// The same, until a chip has written to host memory: as a host that looks at its own memory all the time, which costs the chips nothing.
    ///
    /// # Errors
    /// As there.
    pub fn advance_until_told(&mut self, clocks: u64) -> Result<Progress, Fault> {
        advance_until_told(&mut self.chips, clocks)
    }

    /// Reads BAR 0 of a chip ([`Chip::bar0_read`]); in the timed mode time passes for all of them.
    ///
    /// # Errors
    /// Nothing answers there, or a fault meanwhile.
    pub fn bar0_read(&mut self, chip: usize, offset: u64, out: &mut [u8]) -> Result<(), Fault> {
        self.chips[chip].read_bar(0, offset, out)?;
        host_has_read(&mut self.chips, chip, out.len())
    }

    /// Writes BAR 0 of a chip ([`Chip::bar0_write`]); in the timed mode time passes for all of them.
    ///
    /// # Errors
    /// Nothing answers there, or a fault meanwhile.
    pub fn bar0_write(&mut self, chip: usize, offset: u64, data: &[u8]) -> Result<(), Fault> {
        self.chips[chip].write_bar(0, offset, data)?;
        host_has_written(&mut self.chips, chip, data.len())
    }
}

/// Lets up to `clocks` clocks pass on chips that are linked with each other.
pub(super) fn advance(chips: &mut [Chip], clocks: u64) -> Result<Progress, Fault> {
    let mut passed = 0;
    let on_chip = |(chip, result): (usize, Result<(), Fault>)| result.map_err(|fault| fault.on_chip(chip));
    chips.iter_mut().map(Chip::untold).enumerate().try_for_each(on_chip)?;
    let single = chips.len() == 1;
    while passed < clocks {
        if !chips.iter().any(Chip::is_busy) {
            chips.iter_mut().for_each(Chip::tell_time);
            chips.iter().map(Chip::check_gates).enumerate().try_for_each(on_chip)?;
            return Ok(Progress { clocks: passed, asleep: true });
        }
        let quantum = chips.iter_mut().map(|chip| chip.quantum(single)).min().unwrap_or(1);
        let quantum = quantum.min((clocks - passed).try_into().unwrap_or(quantum));
        // Every chip runs, even if another one has a fault.
        let quantum = chips.iter_mut().map(|chip| chip.run_tiles(quantum)).min().unwrap_or(quantum);
        chips.iter_mut().map(Chip::untold).enumerate().try_for_each(on_chip)?;
        chips.iter_mut().map(Chip::deliver).enumerate().try_for_each(on_chip)?;
        (0..chips.len()).map(|n| (n, exchange(chips, n))).try_for_each(on_chip)?;
        (0..chips.len()).map(|n| (n, serve(chips, n))).try_for_each(on_chip)?;
        passed += u64::from(quantum);
        chips.iter_mut().for_each(|chip| chip.pass(quantum));
        if chips.iter().any(|chip| chip.listens && chip.told) {
            break;
        }
    }
    chips.iter_mut().for_each(Chip::tell_time);
    Ok(Progress { clocks: passed, asleep: false })
}

/// The same, until one of them has written to host memory.
pub(super) fn advance_until_told(chips: &mut [Chip], clocks: u64) -> Result<Progress, Fault> {
    let listen = |chips: &mut [Chip], listens| {
        chips.iter_mut().for_each(|chip| (chip.told, chip.listens) = (false, listens));
    };
    listen(chips, true);
    let progress = advance(chips, clocks);
    listen(chips, false);
    progress
}
