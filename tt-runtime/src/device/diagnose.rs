//! What workers say of themselves: how far they are, where they hang, and what their kernels have refused.

use tt_isa::map::RiscV;
use tt_kernel_abi::l1;
use tt_kernel_abi::launch::{ErrorReport, Progress, Stage};

use super::Session;
use crate::error::{CoreReport, Error};

impl Session {
    /// The step that runs, and the units of work that the cores of all workers are at.
    pub(super) fn progress(&mut self) -> Result<Vec<u32>, Error> {
        let mut units = vec![self.link.read32(self.workers[0], u64::from(l1::GO))?];
        for tile in self.workers.clone() {
            for core in RiscV::ALL {
                units.push(self.link.read32(tile, u64::from(l1::progress_words(core)) + 4)?);
            }
        }
        Ok(units)
    }

    /// Which cores have not finished, and where they are.
    pub(super) fn hung(&mut self, what: &str) -> Result<Error, Error> {
        let mut cores = Vec::new();
        for tile in self.workers.clone() {
            let mut done = Vec::new();
            for core in RiscV::ALL {
                let at = u64::from(l1::progress_words(core));
                let progress =
                    Progress { state: self.link.read32(tile, at)?, detail: self.link.read32(tile, at + 4)? };
                done.push((
                    core,
                    progress,
                    self.link.simulated().and_then(|simulated| simulated.pc(tile, core)),
                ));
            }
            let idle = Progress::state(Stage::Idle, self.seq);
            if done.iter().any(|(_, progress, _)| progress.state != idle) {
                let waits = self.link.simulated().map_or_else(Vec::new, |simulated| simulated.waits(tile));
                cores.push(CoreReport { tile, cores: done, waits });
            }
        }
        Ok(Error::Hung { what: what.to_owned(), workers: self.workers.len(), cores })
    }

    /// What a kernel has refused in the last launch.
    pub(super) fn refusal(&mut self) -> Result<Option<Error>, Error> {
        let count = self.count(l1::ERROR_COUNT)?;
        if count == self.errors {
            return Ok(None);
        }
        self.errors = count;
        for tile in self.workers.clone() {
            let mut words = [0; 4];
            for (i, word) in (0..).zip(&mut words) {
                *word = self.link.read32(tile, u64::from(l1::ERROR_REPORT) + 4 * i)?;
            }
            let report: ErrorReport = zerocopy::transmute!(words);
            if report.launch() == self.seq & 0xFF_FFFF && report.code & 0xFF != 0 {
                return Ok(Some(Error::Kernel { tile, report }));
            }
        }
        Ok(None)
    }
}
