//! The vendor's simulator as a transport: its library runs in a child process ([`tt_sys::ttsim`]).

use std::path::Path;

use tt_isa::chip::Chip;
use tt_isa::tlb::TlbTarget;
use tt_sys::ttsim::{Server, TtSimError};

use crate::chip::recognise;

use super::{Advance, Transport, TransportError, Window};

/// Offset of the first base address register in PCI configuration space. BARs have 64 bits: two registers each.
const BARS: u32 = 0x10;
/// Low bits of a base address register that are flags.
const BAR_FLAGS: u32 = 0xF;
/// In one of its clocks a tile runs for as long as a Tensix instruction can be executed, so that launches take few
/// clocks, and each costs a walk over 80 tiles.
const POLL_CLOCKS: u32 = 256;

/// A chip simulated by the vendor's library.
pub struct TtSim {
    server: Server,
    chip: &'static Chip,
    window: Window,
    /// Address of BAR 0.
    bar0: u64,
    /// Address of the window.
    shown: u64,
}

impl From<TtSimError> for TransportError {
    fn from(error: TtSimError) -> Self {
        TransportError::TtSim(error.to_string())
    }
}

impl TtSim {
    /// The first chip of the library at a path, powered on, seen through the window that the runtime uses.
    ///
    /// # Errors
    /// The library cannot be loaded, or gives up; its chip is not described.
    pub fn new(library: &Path) -> Result<Self, TransportError> {
        Self::with_window(library, |chip| Ok(Window::of(chip)))
    }

    /// The same through a window of so many bytes.
    ///
    /// # Errors
    /// As for [`new`](Self::new); the chip has no such windows.
    pub fn with_window_of(library: &Path, bytes: u64) -> Result<Self, TransportError> {
        Self::with_window(library, |chip| {
            Window::of_size(chip, bytes).ok_or(TransportError::Window { chip: chip.name, bytes })
        })
    }

    fn with_window(
        library: &Path,
        window: impl FnOnce(&'static Chip) -> Result<Window, TransportError>,
    ) -> Result<Self, TransportError> {
        let mut server = Server::start(library)
            .map_err(|error| TransportError::TtSim(format!("{}: {error}", library.display())))?;
        let chip = recognise(server.config_read32(0)?)?;
        let window = window(chip)?;
        let bar0 = bar(&mut server, 0)?;
        let shown = bar(&mut server, window.bar())? + window.offset();
        Ok(Self { server, chip, window, bar0, shown })
    }

    /// Process that runs the library.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }
}

/// Physical address of a BAR.
fn bar(server: &mut Server, number: u8) -> Result<u64, TransportError> {
    let register = BARS + 4 * u32::from(number);
    let low = server.config_read32(register)? & !BAR_FLAGS;
    Ok(u64::from(server.config_read32(register + 4)?) << 32 | u64::from(low))
}

impl Transport for TtSim {
    fn chip(&self) -> &'static Chip {
        self.chip
    }

    fn window_bytes(&self) -> u64 {
        self.window.bytes()
    }

    fn configure_window(&mut self, target: &TlbTarget) -> Result<(), TransportError> {
        Ok(self.window.point(target, |offset, bytes| self.server.write(self.bar0 + offset, bytes))?)
    }

    fn read(&mut self, offset: u64, out: &mut [u8]) -> Result<(), TransportError> {
        Ok(self.server.read(self.shown + offset, out)?)
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), TransportError> {
        Ok(self.server.write(self.shown + offset, data)?)
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
