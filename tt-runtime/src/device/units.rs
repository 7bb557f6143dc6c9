//! Tensix units that a program has left waiting.
//!
//! A core that is put into reset leaves what it has pushed to its Tensix thread: an instruction that waits for a semaphore (`SEMWAIT`) waits on, and holds up whatever
//! the next program or the firmware pushes. So a tile whose TRISCs had kernels that have gone wrong starts its firmware once: there TRISC1 lets waiting threads go
//! on (`tt_kernel::tensix::free_threads`). What they still do, such as packing a block to L1, is done while the memory is the program's. A tile whose TRISCs do not
//! become idle after that waits for something else, such as operands: it is not used again until the device is opened anew.

use std::time::{Duration, Instant};

use tt_isa::map::{RiscV, SOFT_RESET_ALL};
use tt_kernel_abi::l1;
use tt_kernel_abi::launch::{Progress, Stage};
use tt_kernel_abi::program::Starts;
use zerocopy::IntoBytes;

use super::Session;
use crate::error::Error;
use crate::grid::Tile;

/// So long the firmware of a tile may take until its cores are idle: on a card it takes less than a millisecond.
const PATIENCE: Duration = Duration::from_secs(2);
/// Looks after the tile is idle, until what BRISC has sent is answered.
const AFTER: u32 = 4;
/// Between two looks at a card.
const SLEEP: Duration = Duration::from_micros(200);

impl Session {
    /// Frees the Tensix units of those of a program's tiles, all of whose cores are in reset, that have used them; the cores are in reset again afterwards.
    pub(super) fn free_units(&mut self, tiles: &[usize]) -> Result<(), Error> {
        let used: Vec<usize> =
            tiles.iter().copied().filter(|tile| self.programs.tensix.contains(tile)).collect();
        if used.is_empty() || !self.link.executes() {
            return Ok(());
        }
        let _span = tracing::debug_span!("free units", tiles = used.len()).entered();
        let places: Vec<Tile> = used.iter().map(|&index| self.programs.grid.tiles()[index]).collect();
        for (&index, &tile) in used.iter().zip(&places) {
            self.start_alone(index, tile)?;
        }
        let begun = Instant::now();
        let mut after = 0;
        while after < AFTER {
            let asleep = self.let_pass()?;
            match self.are_idle(&places)? {
                true => after += 1,
                false if asleep || begun.elapsed() > PATIENCE => break,
                false => {}
            }
        }
        for (index, tile) in used.into_iter().zip(places) {
            if !self.are_idle(&[tile])? {
                tracing::warn!("the Tensix units of tile {tile} do not come to rest");
                self.programs.stuck.insert(index);
            }
            self.write_reset(tile.into(), SOFT_RESET_ALL)?;
        }
        Ok(())
    }

    /// Starts a tile's firmware, whose images the program may have overwritten.
    fn start_alone(&mut self, index: usize, tile: Tile) -> Result<(), Error> {
        let (chip, at) = (self.link.chip(), tile.translated().0);
        for image in &super::boot::images(chip)? {
            let bytes = image.bytes_for(chip).map_err(|e| Error::Kernels(e.to_string()))?;
            self.link.write(at, u64::from(image.start), bytes)?;
        }
        let mailbox = vec![0; (l1::MAILBOX_END - l1::MAILBOX) as usize];
        self.link.write(at, u64::from(l1::MAILBOX), &mailbox)?;
        let config = self.boot_config(chip, index);
        self.link.write(at, u64::from(l1::BOOT_CONFIG), config.as_bytes())?;
        let starts = Starts { stuck: 1, ..Starts::default() };
        self.link.write(at, u64::from(l1::PROGRAM), starts.as_bytes())?;
        self.write_reset(tile.into(), SOFT_RESET_ALL & !RiscV::Brisc.soft_reset_bit())
    }

    /// Lets some time pass; whether nothing on the chip moves any more.
    fn let_pass(&mut self) -> Result<bool, Error> {
        match self.link.simulated().map(|simulated| simulated.poll_clocks()) {
            Some(clocks) => self.pass(clocks),
            None => {
                std::thread::sleep(SLEEP);
                Ok(false)
            }
        }
    }

    /// Whether all cores of these tiles wait for a launch.
    fn are_idle(&mut self, tiles: &[Tile]) -> Result<bool, Error> {
        for tile in tiles {
            for core in RiscV::ALL {
                let state = self.link.read32(tile.translated().0, u64::from(l1::progress_words(core)))?;
                if state != Progress::state(Stage::Idle, 0) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}
