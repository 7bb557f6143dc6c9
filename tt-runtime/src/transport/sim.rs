//! The built-in simulator as a transport.

use tt_isa::chip::{self, Board};
use tt_isa::map::RiscV;
use tt_isa::noc::NocXy;
use tt_isa::tlb::TlbTarget;
use tt_simulator::usage::Usage;
use tt_simulator::{Chip, ChipConfig, Mark, Mode, TraceConfig};

use crate::spec::SimOptions;

use super::{Advance, Executed, Shown, Simulated, Transport, TransportError, Window};

/// A simulated chip in this process.
pub struct Sim {
    chip: Chip,
    kind: &'static chip::Chip,
    windows: Vec<Window>,
    shown: Vec<Shown>,
    /// Clocks that passed so far.
    clocks: u64,
}

impl Sim {
    /// The `index`-th chip of a board, powered on.
    ///
    /// # Errors
    /// The host cannot start threads, or the environment asks for a trace that cannot be made.
    pub fn new(board: &'static Board, index: usize, options: &SimOptions) -> Result<Self, TransportError> {
        let mut config = ChipConfig::of_board(board, index);
        if let Some(rows) = options.rows {
            // Bits of the rows that are left out, the last ones.
            config.harvested |= ((1 << board.chip.tensix_y.len()) - 1) & !((1 << rows) - 1);
        }
        config.mode = options.mode;
        config.trace = TraceConfig::from_env()?;
        let kind = board.chip;
        let windows = Window::all(kind);
        let shown = windows.iter().map(Window::shown).collect();
        Ok(Self { chip: Chip::new(config)?, kind, windows, shown, clocks: 0 })
    }
}

impl Transport for Sim {
    fn chip(&self) -> &'static chip::Chip {
        self.kind
    }

    fn windows(&self) -> &[Shown] {
        &self.shown
    }

    fn configure_window(&mut self, window: usize, target: &TlbTarget) -> Result<(), TransportError> {
        Ok(self.windows[window].point(target, |offset, bytes| self.chip.bar0_write(offset, bytes))?)
    }

    fn read(&mut self, window: usize, offset: u64, out: &mut [u8]) -> Result<(), TransportError> {
        Ok(self.chip.bar0_read(self.windows[window].offset() + offset, out)?)
    }

    fn write(&mut self, window: usize, offset: u64, data: &[u8]) -> Result<(), TransportError> {
        Ok(self.chip.bar0_write(self.windows[window].offset() + offset, data)?)
    }

    fn read_bar(&mut self, offset: u64) -> Result<u32, TransportError> {
        let mut word = [0; 4];
        self.chip.bar0_read(offset, &mut word)?;
        Ok(u32::from_le_bytes(word))
    }

    fn pci_id(&mut self) -> Result<u32, TransportError> {
        Ok(self.chip.pci_config_read32(0))
    }

    fn simulated(&mut self) -> Option<&mut dyn Simulated> {
        Some(self)
    }
}

impl Simulated for Sim {
    fn advance(&mut self, clocks: u32) -> Result<Advance, TransportError> {
        let progress = self.chip.advance(u64::from(clocks))?;
        self.clocks += progress.clocks;
        Ok(Advance { asleep: progress.asleep })
    }

    /// In the timed mode the look itself takes its time.
    fn poll_clocks(&self) -> u32 {
        if self.chip.mode() == Mode::Timed { 1 } else { super::POLL_CLOCKS }
    }

    fn executed(&mut self) -> Option<Executed> {
        let counters = self.chip.counters();
        Some(Executed {
            clocks: self.clocks().unwrap_or(0),
            riscv: counters.riscv_instructions,
            tensix: counters.tensix_instructions,
        })
    }

    fn usage(&mut self) -> Option<Usage> {
        self.chip.usage()
    }

    fn clocks(&mut self) -> Option<u64> {
        Some(if self.chip.mode() == Mode::Timed { self.chip.clock() } else { self.clocks })
    }

    fn clocks_us(&self) -> Option<u32> {
        let timing = self.kind.timing.filter(|_| self.chip.mode() == Mode::Timed)?;
        Some(timing.clocks_us)
    }

    fn is_marked(&self) -> bool {
        self.chip.is_marked()
    }

    fn mark(&mut self, mark: &Mark) -> Result<(), TransportError> {
        Ok(self.chip.mark(mark)?)
    }

    fn waits(&mut self, tile: NocXy) -> Vec<String> {
        self.chip.waits(tile)
    }

    fn pc(&mut self, tile: NocXy, core: RiscV) -> Option<u32> {
        self.chip.pc(tile, core)
    }
}
