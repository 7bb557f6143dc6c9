//! The host's time: what an access over PCIe takes, where time is kept (`PCIExpressTile/README.md`, "Performance").
//!
//! The chip's clock is that of the host's accesses as they arrive. A write is posted: the host goes on when it has been
//! sent. A read shows what is there when it arrives, and the host goes on when the answer has come back.

use tt_isa::timing::{PcieTiming, Timing};

use super::Chip;
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

    /// The host has written so many bytes.
    ///
    /// # Errors
    /// A fault on the chip meanwhile.
    pub(super) fn host_has_written(&mut self, len: usize) -> Result<(), Fault> {
        self.let_host_pass("write", |pcie| {
            u64::from(pcie.write_ns) + len.saturating_sub(4) as u64 * 1000 / u64::from(pcie.write_bytes_us)
        })
    }

    /// The host has read so many bytes.
    ///
    /// # Errors
    /// A fault on the chip meanwhile.
    pub(super) fn host_has_read(&mut self, len: usize) -> Result<(), Fault> {
        self.let_host_pass("read", |pcie| {
            len.div_ceil(pcie.read_piece.into()) as u64 * u64::from(pcie.read_ns)
        })
    }

    /// Lets the nanoseconds of an access pass, in the timed mode.
    fn let_host_pass(
        &mut self,
        what: &'static str,
        nanoseconds: impl Fn(&PcieTiming) -> u64,
    ) -> Result<(), Fault> {
        let (Mode::Timed, Some(timing)) = (self.config.mode, self.config.board.chip.timing) else {
            return Ok(());
        };
        let Timing { pcie, clocks_us, .. } = timing;
        let begin = self.clock;
        let mut left = (nanoseconds(pcie) * u64::from(*clocks_us)).div_ceil(1000);
        let progress = self.advance(left)?;
        left -= progress.clocks;
        // Nothing moves, but time does.
        while left > 0 {
            let now = u32::try_from(left).unwrap_or(u32::MAX);
            self.pass(now);
            left -= u64::from(now);
        }
        self.tell_time();
        if let Some(tracer) = &mut self.tracer {
            tracer.host_access(begin, self.clock, what)?;
        }
        Ok(())
    }
}
