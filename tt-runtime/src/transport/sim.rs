//! The built-in simulator as a transport.
//!
//! A simulated card is a chip that the host reaches, and those behind it ([`Board::behind`]); the latter are reached as on a card
//! ([`super::remote`]).

use std::sync::Arc;

use parking_lot::Mutex;
use tt_isa::chip::{self, Board};
use tt_isa::map::RiscV;
use tt_isa::noc::NocXy;
use tt_isa::tlb::TlbTarget;
use tt_simulator::usage::Usage;
use tt_simulator::{Chip, ChipConfig, Mark, Mode, System, TraceConfig};

use crate::spec::SimOptions;

use super::{Advance, Executed, Shown, Simulated, Transport, TransportError, Window};

/// A simulated card in this process, seen from PCIe.
pub struct Sim {
    first: Inside,
    windows: Vec<Window>,
    shown: Vec<Shown>,
}

/// A look into one of the chips of a card.
struct Inside {
    card: Arc<Mutex<System>>,
    /// Number of the chip on the card.
    chip: usize,
    kind: &'static chip::Chip,
    mode: Mode,
}

impl Sim {
    /// The card of a board whose first chip is the board's `index`-th, powered on.
    ///
    /// # Errors
    /// The host cannot start threads, or the environment asks for a trace that cannot be made.
    pub fn new(board: &'static Board, index: usize, options: &SimOptions) -> Result<Self, TransportError> {
        let trace = TraceConfig::from_env()?;
        let config = |index| {
            let mut config = ChipConfig::of_board(board, index);
            if let Some(rows) = options.rows {
                // Bits of the rows that are left out, the last ones.
                config.harvested |= ((1 << board.chip.tensix_y.len()) - 1) & !((1 << rows) - 1);
            }
            ChipConfig { mode: options.mode, trace: trace.clone(), ..config }
        };
        let card = System::of(std::iter::once(index).chain(board.behind(index)).map(config))?;
        let kind = board.chip;
        let windows = Window::all(kind);
        let shown = windows.iter().map(Window::shown).collect();
        let first = Inside { card: Arc::new(Mutex::new(card)), chip: 0, kind, mode: options.mode };
        Ok(Self { first, windows, shown })
    }
}

impl Transport for Sim {
    fn chip(&self) -> &'static chip::Chip {
        self.first.kind
    }

    fn windows(&self) -> &[Shown] {
        &self.shown
    }

    fn configure_window(&mut self, window: usize, target: &TlbTarget) -> Result<(), TransportError> {
        let mut card = self.first.card.lock();
        Ok(self.windows[window].point(target, |offset, bytes| card.bar0_write(0, offset, bytes))?)
    }

    fn read(&mut self, window: usize, offset: u64, out: &mut [u8]) -> Result<(), TransportError> {
        Ok(self.first.card.lock().bar0_read(0, self.windows[window].offset() + offset, out)?)
    }

    fn write(&mut self, window: usize, offset: u64, data: &[u8]) -> Result<(), TransportError> {
        Ok(self.first.card.lock().bar0_write(0, self.windows[window].offset() + offset, data)?)
    }

    fn read_bar(&mut self, offset: u64) -> Result<u32, TransportError> {
        let mut word = [0; 4];
        self.first.card.lock().bar0_read(0, offset, &mut word)?;
        Ok(u32::from_le_bytes(word))
    }

    fn pci_id(&mut self) -> Result<u32, TransportError> {
        Ok(self.first.look(|chip| chip.pci_config_read32(0)))
    }

    fn simulated(&mut self) -> Option<&mut dyn Simulated> {
        Some(&mut self.first)
    }

    fn simulated_behind(&mut self) -> Option<Box<dyn Simulated + Send>> {
        let Inside { card, kind, mode, .. } = &self.first;
        let there = card.lock().chips().len() > 1;
        there.then(|| {
            Box::new(Inside { card: Arc::clone(card), chip: 1, kind, mode: *mode })
                as Box<dyn Simulated + Send>
        })
    }
}

impl Inside {
    fn look<T>(&self, question: impl FnOnce(&mut Chip) -> T) -> T {
        question(&mut self.card.lock().chips()[self.chip])
    }
}

impl Simulated for Inside {
    fn advance(&mut self, clocks: u32) -> Result<Advance, TransportError> {
        let progress = self.card.lock().advance(u64::from(clocks))?;
        Ok(Advance { asleep: progress.asleep })
    }

    /// In the timed mode the look itself takes its time.
    fn poll_clocks(&self) -> u32 {
        if self.mode == Mode::Timed { 1 } else { super::POLL_CLOCKS }
    }

    fn executed(&mut self) -> Option<Executed> {
        let (counters, clocks) = self.look(|chip| (chip.counters(), chip.clock()));
        let (riscv, tensix) = (counters.riscv_instructions, counters.tensix_instructions);
        Some(Executed { clocks, riscv, tensix })
    }

    fn usage(&mut self) -> Option<Usage> {
        self.look(|chip| chip.usage())
    }

    fn clocks(&mut self) -> Option<u64> {
        Some(self.look(|chip| chip.clock()))
    }

    fn clocks_us(&self) -> Option<u32> {
        let timing = self.kind.timing.filter(|_| self.mode == Mode::Timed)?;
        Some(timing.clocks_us)
    }

    fn is_marked(&self) -> bool {
        self.look(|chip| chip.is_marked())
    }

    fn mark(&mut self, mark: &Mark) -> Result<(), TransportError> {
        Ok(self.look(|chip| chip.mark(mark))?)
    }

    fn waits(&mut self, tile: NocXy) -> Vec<String> {
        self.look(|chip| chip.waits(tile))
    }

    fn pc(&mut self, tile: NocXy, core: RiscV) -> Option<u32> {
        self.look(|chip| chip.pc(tile, core))
    }
}
