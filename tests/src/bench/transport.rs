//! A transport of the runtime as the machine to measure.

use anyhow::{Context as _, Result};
use tt_isa::noc::NocXy;
use tt_isa::tlb::TlbTarget;
use tt_runtime::transport::Transport;

use super::Machine;

/// The window that all accesses go through.
const WINDOW: usize = 0;

/// A simulator behind its transport, without firmware.
pub struct Bare(pub Box<dyn Transport>);

impl Bare {
    /// Offset of a tile's address in the window, which is pointed there.
    fn show(&mut self, tile: NocXy, address: u32) -> Result<u64> {
        let address = u64::from(address);
        let offset = address % self.0.windows()[WINDOW].bytes;
        self.0.configure_window(WINDOW, &TlbTarget::unicast(tile, address - offset))?;
        Ok(offset)
    }
}

impl Machine for Bare {
    fn write(&mut self, tile: NocXy, address: u32, bytes: &[u8]) -> Result<()> {
        let offset = self.show(tile, address)?;
        Ok(self.0.write(WINDOW, offset, bytes)?)
    }

    fn read32(&mut self, tile: NocXy, address: u32) -> Result<u32> {
        let mut word = [0; 4];
        let offset = self.show(tile, address)?;
        self.0.read(WINDOW, offset, &mut word)?;
        Ok(u32::from_le_bytes(word))
    }

    fn advance(&mut self, clocks: u32) -> Result<()> {
        self.0.simulated().context("only a simulator is measured")?.advance(clocks)?;
        Ok(())
    }
}
