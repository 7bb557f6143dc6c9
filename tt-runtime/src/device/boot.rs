//! From a chip that somebody has left to one whose workers wait for launches: which tiles there are, images and configuration into
//! their L1 by multicast, and BRISC out of reset, which brings up the other cores of its tile.

use std::time::Duration;

use tt_isa::chip::Chip;
use tt_isa::map::{DEBUG_REGS_BASE, NIU_BASE, RiscV, SOFT_RESET_0, SOFT_RESET_ALL};
use tt_isa::noc::{NocXy, node_id};
use tt_kernel_abi::boot::{MAX_BANKS, MOST_COLUMNS};
use tt_kernel_abi::{BankEntry, BootConfig, l1};
use zerocopy::IntoBytes;

use super::programs::Programs;
use super::queue::Queue;
use super::times::Times;
use super::transfer::COUNTS_AT;
use super::{Session, Transfers};
use crate::chip::ChipError;
use crate::error::Error;
use crate::grid::Grid;
use crate::link::Link;
use crate::placement;
use crate::transport::Transport;

/// Soft reset register in a tile's address space.
pub(super) const SOFT_RESET: u64 = (DEBUG_REGS_BASE + SOFT_RESET_0) as u64;

impl Session {
    pub(super) fn boot(
        transport: Box<dyn Transport>,
        chip: &'static Chip,
        patience: Duration,
    ) -> Result<Self, Error> {
        let now = transport.chip();
        if now.pci_id != chip.pci_id {
            return Err(ChipError::Exchanged { before: chip, now }.into());
        }
        let mut link = Link::new(transport);
        let harvested = link.harvested()?;
        let grid = chip.workers_grid(harvested);
        let workers: Vec<NocXy> = chip.workers(harvested).collect();
        let places = workers.iter().map(|&tile| place(&mut link, tile)).collect::<Result<Vec<_>, _>>()?;
        let numbers = placement::numbers(chip, &places);
        let pushed = link.host_memory().is_some();
        let programs = Programs::new(Grid::new(chip, grid, &workers, &places), link.host_memory());
        let mut session = Self {
            programs,
            times: Times::of_environment(chip),
            link,
            workers,
            places,
            numbers,
            grid,
            seq: 0,
            errors: 0,
            launches: 0,
            streams: 0,
            queue: Queue::default(),
            moves: 0,
            pushed,
            patience,
            process: std::process::id(),
            written: Transfers::default(),
            read: Transfers::default(),
        };
        session.load(chip)?;
        Ok(session)
    }

    /// Loads the firmware and waits until every worker is ready (`tt_kernel_abi::launch`).
    fn load(&mut self, chip: &'static Chip) -> Result<(), Error> {
        let _span = tracing::debug_span!("boot", chip = chip.name, workers = self.workers.len()).entered();
        let images = images(chip)?;
        let rect = self.rect();
        self.link.multicast(rect, SOFT_RESET, &SOFT_RESET_ALL.to_le_bytes())?;
        for image in &images {
            let bytes = image.bytes_for(chip).map_err(|e| Error::Kernels(e.to_string()))?;
            self.link.multicast(rect, u64::from(image.start), bytes)?;
        }
        self.start_firmware(chip)
    }

    /// Starts the firmware of all workers anew; with its images where they may have been overwritten.
    pub(super) fn restart(&mut self, with_images: bool) -> Result<(), Error> {
        self.errors = 0;
        let chip = self.link.chip();
        match with_images {
            true => self.load(chip)?,
            false => {
                let _span = tracing::debug_span!("restart", workers = self.workers.len()).entered();
                let rect = self.rect();
                self.link.multicast(rect, SOFT_RESET, &SOFT_RESET_ALL.to_le_bytes())?;
                self.start_firmware(chip)?;
            }
        }
        Ok(())
    }

    /// Starts the firmware, whose images are there, while all cores are held in reset.
    fn start_firmware(&mut self, chip: &'static Chip) -> Result<(), Error> {
        let rect = self.rect();
        self.link.multicast(rect, u64::from(l1::PROGRAM), &[0; l1::PROGRAM_BYTES as usize])?;
        let mailbox = vec![0; (l1::MAILBOX_END - l1::MAILBOX) as usize];
        self.link.multicast(rect, u64::from(l1::MAILBOX), &mailbox)?;
        for position in 0..self.workers.len() {
            let config = self.boot_config(chip, position);
            self.link.write(self.workers[position], u64::from(l1::BOOT_CONFIG), config.as_bytes())?;
        }
        // From here on there are cores to stop.
        self.link.stop_at_exit(self.workers[0], u64::from(l1::STOP), 1)?;
        let brisc = SOFT_RESET_ALL & !RiscV::Brisc.soft_reset_bit();
        self.link.multicast(rect, SOFT_RESET, &brisc.to_le_bytes())?;
        let workers = self.workers.len() as u32;
        // What the chip has pushed to the host's memory may be of before.
        let pushed = std::mem::take(&mut self.pushed);
        let booted = self.wait(l1::COMPLETION, |count| count == workers, |_| "booting".to_owned());
        self.pushed = pushed;
        booted.map(drop)
    }

    pub(super) fn rect(&self) -> (NocXy, NocXy) {
        (self.workers[0], self.workers[self.workers.len() - 1])
    }

    /// For the worker at this position, counted row by row.
    pub(super) fn boot_config(&self, chip: &Chip, position: usize) -> BootConfig {
        let (index, workers) = (self.numbers[position], self.workers.len() as u32);
        let mut bank = [BankEntry::default(); MAX_BANKS];
        for (number, (entry, b)) in (0..).zip(bank.iter_mut().zip(chip.dram)) {
            // Weights come over NoC 0.
            let read = placement::read_port(chip, number, index, workers);
            let on_noc_1 = placement::ports_on_noc_1(chip, number, self.places[position]);
            let [from, to] = on_noc_1.map(|port| chip.noc.node(port.mirrored(chip.grid)));
            // A 32-bit address reaches every byte of a bank (a test of `placement` looks where they begin, on all chips).
            *entry = BankEntry { node: [chip.noc.node(read), from, to], base: b.base as u32 };
        }
        let push = self.link.host_memory().filter(|_| self.pushed && position == 0);
        let push = push.map(|host| host.noc + COUNTS_AT);
        let push = push.and_then(|addr| Some([addr as u32, chip.noc.node_at(chip.pcie, addr)?]));
        let (first, last) = self.rect();
        let (width, height) = self.grid;
        let (x, y) = (position as u32 % width, position as u32 / width);
        let at = |x: u32, y: u32| self.workers[(y * width + x) as usize];
        // Readers of neighbouring rows are in different columns: what DRAM sends them takes different links. So it is with columns.
        let readers = [at(y % width, y), at(x, (x + height / 2) % height)];
        let mut row_tiles = [0; MOST_COLUMNS];
        row_tiles.iter_mut().zip(0..width).for_each(|(tile, x)| *tile = chip.noc.node(at(x, y)));
        BootConfig {
            magic: BootConfig::MAGIC,
            index,
            logical_x: x,
            logical_y: y,
            grid_width: width,
            grid_height: height,
            completion_node: chip.noc.node(self.workers[0]),
            banks: chip.dram.len() as u32,
            push: push.unwrap_or_default(),
            workers: if position == 0 { chip.noc.node_rect(first, last) } else { 0 },
            // NoC 1 carries packets the other way round.
            node: chip.noc.node(self.workers[position]),
            row: chip.noc.node_rect(at(0, y), at(width - 1, y)),
            row_reader: chip.noc.node(readers[0]),
            column: chip.noc.node_rect(at(x, height - 1), at(x, 0)),
            column_reader: chip.noc.node(readers[1]),
            reader: chip.noc.node(self.workers[self.numbers.iter().position(|&n| n == 0).unwrap_or(0)]),
            row_tiles,
            workers_on_noc_1: if index == 0 { chip.noc.node_rect(last, first) } else { 0 },
            bank,
        }
    }
}

/// The firmware's images for a chip.
pub(super) fn images(chip: &'static Chip) -> Result<tt_kernels::Images, Error> {
    match tt_settings::KERNELS.get() {
        Some(dir) => {
            tt_kernels::images_from_dir(chip, dir.as_ref()).map_err(|e| Error::Kernels(e.to_string()))
        }
        None => Ok(tt_kernels::images(chip).map_err(|_| ChipError::NoKernels { chip })?),
    }
}

/// Where a tile is on NoC 0, as its NIU says: translated coordinates hide which rows are harvested.
fn place(link: &mut Link, tile: NocXy) -> Result<NocXy, Error> {
    let id = link.read32(tile, u64::from(NIU_BASE + link.chip().noc.registers.node_id))?;
    if id == u32::MAX {
        return Err(Error::Silent { tile });
    }
    Ok(node_id::place(id))
}
