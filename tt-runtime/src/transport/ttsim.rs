//! The vendor's simulator as a transport: its library runs in a child process ([`tt_sys::ttsim`]).

use std::path::Path;

use tt_isa::tlb::TlbTarget;
use tt_sys::ttsim::{Server, TtSimError};

use super::{Advance, Transport, TransportError, WINDOW_BAR0, WINDOW_CONFIG, window_word};

/// Base address registers 0 and 1 in PCI configuration space: BAR 0, low and high half.
const BAR0_LOW: u32 = 0x10;
const BAR0_HIGH: u32 = 0x14;
/// Low bits of a base address register that are flags.
const BAR_FLAGS: u32 = 0xF;
/// In one of its clocks a tile runs for as long as a Tensix instruction can be executed, so that launches take few
/// clocks, and each costs a walk over 80 tiles.
const POLL_CLOCKS: u32 = 256;

/// A chip simulated by the vendor's library.
pub struct TtSim {
    server: Server,
    bar0: u64,
}

impl From<TtSimError> for TransportError {
    fn from(error: TtSimError) -> Self {
        TransportError::TtSim(error.to_string())
    }
}

impl TtSim {
    /// The first chip of the library at a path, powered on.
    ///
    /// # Errors
    /// The library cannot be loaded, or gives up.
    pub fn new(library: &Path) -> Result<Self, TransportError> {
        let mut server = Server::start(library)
            .map_err(|error| TransportError::TtSim(format!("{}: {error}", library.display())))?;
        let low = server.config_read32(BAR0_LOW)? & !BAR_FLAGS;
        let high = server.config_read32(BAR0_HIGH)?;
        Ok(Self { server, bar0: u64::from(high) << 32 | u64::from(low) })
    }

    /// Process that runs the library.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }
}

impl Transport for TtSim {
    fn configure_window(&mut self, target: &TlbTarget) -> Result<(), TransportError> {
        Ok(self.server.write(self.bar0 + WINDOW_CONFIG, &window_word(target).to_le_bytes())?)
    }

    fn read(&mut self, offset: u64, out: &mut [u8]) -> Result<(), TransportError> {
        Ok(self.server.read(self.bar0 + WINDOW_BAR0 + offset, out)?)
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), TransportError> {
        Ok(self.server.write(self.bar0 + WINDOW_BAR0 + offset, data)?)
    }

    fn read_bar(&mut self, offset: u64) -> Result<u32, TransportError> {
        let mut word = [0; 4];
        self.server.read(self.bar0 + offset, &mut word)?;
        Ok(u32::from_le_bytes(word))
    }

    fn pci_id(&mut self) -> Result<u32, TransportError> {
        Ok(self.server.config_read32(0)?)
    }

    fn advance(&mut self, clocks: u32) -> Result<Advance, TransportError> {
        self.server.clock(clocks)?;
        Ok(Advance { asleep: false })
    }

    fn poll_clocks(&self) -> u32 {
        POLL_CLOCKS
    }
}
