//! The vendor's simulator as a transport: its library runs in a child process ([`tt_sys::ttsim`]).

use std::path::Path;

use tt_isa::chip::Chip;
use tt_isa::pcie::config;
use tt_isa::tlb::TlbTarget;
use tt_sys::ttsim::{Server, TtSimError};

use crate::chip::recognise;

use super::{Advance, Shown, Simulated, Transport, TransportError, Window};

/// In one of its clocks a tile runs for as long as a Tensix instruction can be executed, so that launches take few
/// clocks, and each costs a walk over 80 tiles.
const POLL_CLOCKS: u32 = 256;

/// A chip simulated by the vendor's library.
pub struct TtSim {
    server: Server,
    chip: &'static Chip,
    /// Address of BAR 0.
    bar0: u64,
    windows: Vec<Window>,
    /// What the windows show, and where each is.
    shown: Vec<Shown>,
    at: Vec<u64>,
}

impl From<TtSimError> for TransportError {
    fn from(error: TtSimError) -> Self {
        TransportError::TtSim(error.to_string())
    }
}

impl TtSim {
    /// The first chip of the library at a path, powered on, seen through the windows that the runtime uses.
    ///
    /// # Errors
    /// The library cannot be loaded, or gives up; its chip is not described.
    pub fn new(library: &Path) -> Result<Self, TransportError> {
        Self::with_windows(library, |chip| Ok(Window::all(chip)))
    }

    /// The same through one window of so many bytes.
    ///
    /// # Errors
    /// As for [`new`](Self::new); the chip has no such windows.
    pub fn with_window_of(library: &Path, bytes: u64) -> Result<Self, TransportError> {
        Self::with_windows(library, |chip| {
            let window = Window::of_size(chip, bytes);
            Ok(vec![window.ok_or(TransportError::Window { chip: chip.name, bytes })?])
        })
    }

    fn with_windows(
        library: &Path,
        windows: impl FnOnce(&'static Chip) -> Result<Vec<Window>, TransportError>,
    ) -> Result<Self, TransportError> {
        let mut server = Server::start(library)
            .map_err(|error| TransportError::TtSim(format!("{}: {error}", library.display())))?;
        let chip = recognise(server.config_read32(config::ID)?)?;
        let windows = windows(chip)?;
        let bar0 = bar(&mut server, 0)?;
        let shown = windows.iter().map(Window::shown).collect();
        let at = windows.iter().map(|window| Ok(bar(&mut server, window.bar())? + window.offset()));
        let at = at.collect::<Result<_, TransportError>>()?;
        Ok(Self { server, chip, bar0, windows, shown, at })
    }

    /// Process that runs the library.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }
}

/// Physical address of a BAR.
fn bar(server: &mut Server, number: u8) -> Result<u64, TransportError> {
    let register = config::bar(number);
    let low = server.config_read32(register)? & !config::BAR_FLAGS;
    Ok(u64::from(server.config_read32(register + 4)?) << 32 | u64::from(low))
}

impl Transport for TtSim {
    fn chip(&self) -> &'static Chip {
        self.chip
    }

    fn windows(&self) -> &[Shown] {
        &self.shown
    }

    fn configure_window(&mut self, window: usize, target: &TlbTarget) -> Result<(), TransportError> {
        Ok(self.windows[window]
            .point(target, |offset, bytes| self.server.write(self.bar0 + offset, bytes))?)
    }

    fn read(&mut self, window: usize, offset: u64, out: &mut [u8]) -> Result<(), TransportError> {
        Ok(self.server.read(self.at[window] + offset, out)?)
    }

    fn write(&mut self, window: usize, offset: u64, data: &[u8]) -> Result<(), TransportError> {
        Ok(self.server.write(self.at[window] + offset, data)?)
    }

    fn read_bar(&mut self, offset: u64) -> Result<u32, TransportError> {
        let mut word = [0; 4];
        self.server.read(self.bar0 + offset, &mut word)?;
        Ok(u32::from_le_bytes(word))
    }

    fn pci_id(&mut self) -> Result<u32, TransportError> {
        Ok(self.server.config_read32(config::ID)?)
    }

    fn simulated(&mut self) -> Option<&mut dyn Simulated> {
        Some(self)
    }
}

impl Simulated for TtSim {
    fn advance(&mut self, clocks: u32) -> Result<Advance, TransportError> {
        self.server.clock(clocks)?;
        Ok(Advance { asleep: false })
    }

    fn poll_clocks(&self) -> u32 {
        POLL_CLOCKS
    }
}
