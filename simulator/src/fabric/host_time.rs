//! The host's time: what an access over PCIe takes, where time is kept (`PCIExpressTile/README.md`, "Performance").
//!
//! The chip's clock is that of the host's accesses as they arrive. A write is posted: the host goes on when it has been
//! sent. A read shows what is there when it arrives, and the host goes on when the answer has come back. So the host sees what a tile
//! writes to its memory later by the way there and that of the access that follows.

use tt_isa::timing::{PcieTiming, Timing};

use super::Chip;
use super::system::advance;
use crate::engine::Mode;
use crate::fault::Fault;

impl Chip {
    /// How time passes.
    pub fn mode(&self) -> Mode {
        self.config.mode
    }

    /// Clocks since power-on.
    pub fn clock(&self) -> u64 {
        self.clock
    }

    /// What things cost, where time is kept.
    pub(super) fn timing(&self) -> Option<&'static Timing> {
        self.config.board.chip.timing.filter(|_| self.config.mode == Mode::Timed)
    }

    /// Clocks that an access takes, given its nanoseconds; where time is kept.
    fn host_clocks(&self, nanoseconds: impl Fn(&PcieTiming) -> u64) -> Option<u64> {
        let Timing { pcie, clocks_us, .. } = self.timing()?;
        Some((nanoseconds(pcie) * u64::from(*clocks_us)).div_ceil(1000))
    }

    /// A tile has written to host memory.
    ///
    /// # Errors
    /// Nothing is there.
    pub(super) fn push(&mut self, addr: u64, data: &[u8]) -> Result<(), Fault> {
        match self.timing() {
            Some(Timing { pcie, clocks_us, .. }) => {
                let ns = u64::from(pcie.controller_ns) + u64::from(pcie.memory_ns);
                self.pcie.noc_push(addr, data, self.clock + ns * u64::from(*clocks_us) / 1000)
            }
            None => {
                self.told = true;
                self.pcie.noc_write(addr, data)
            }
        }
    }

    /// The host sees what has been written to its memory by now.
    ///
    /// # Errors
    /// Nothing is there.
    pub(super) fn settle_pushes(&mut self) -> Result<(), Fault> {
        if self.pcie.next_push().is_none_or(|due| due > self.clock) {
            return Ok(());
        }
        self.told = true;
        self.pcie.settle(self.clock)
    }
}

/// The host has written so many bytes to one of some chips.
///
/// # Errors
/// A fault on a chip meanwhile.
pub(super) fn host_has_written(chips: &mut [Chip], chip: usize, len: usize) -> Result<(), Fault> {
    let clocks = chips[chip].host_clocks(|pcie| {
        u64::from(pcie.write_ns) + len.saturating_sub(4) as u64 * 1000 / u64::from(pcie.write_bytes_us)
    });
    let_host_pass(chips, chip, "write", clocks)
}

/// The host has read so many bytes from one of some chips.
///
/// # Errors
/// A fault on a chip meanwhile.
pub(super) fn host_has_read(chips: &mut [Chip], chip: usize, len: usize) -> Result<(), Fault> {
    let clocks =
        chips[chip].host_clocks(|pcie| len.div_ceil(pcie.read_piece.into()) as u64 * u64::from(pcie.read_ns));
    let_host_pass(chips, chip, "read", clocks)
}

/// Lets the clocks of an access pass on all chips.
fn let_host_pass(
    chips: &mut [Chip],
    chip: usize,
    what: &'static str,
    clocks: Option<u64>,
) -> Result<(), Fault> {
    let Some(mut left) = clocks else { return Ok(()) };
    let begin = chips[chip].clock;
    left -= advance(chips, left)?.clocks;
    // Nothing moves, but time does.
    while left > 0 {
        let now = u32::try_from(left).unwrap_or(u32::MAX);
        chips.iter_mut().for_each(|chip| chip.pass(now));
        left -= u64::from(now);
    }
    chips.iter_mut().for_each(Chip::tell_time);
    let chip = &mut chips[chip];
    match &mut chip.tracer {
        Some(tracer) => Ok(tracer.host_access(begin, chip.clock, what)?),
        None => Ok(()),
    }
}
