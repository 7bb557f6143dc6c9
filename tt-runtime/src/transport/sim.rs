//! The built-in simulator as a transport.
//!
//! A simulated card is a chip that the host reaches, and those behind it ([`Board::behind`]); the latter are reached as on a card
//! ([`super::remote`]).

use std::sync::Arc;

use parking_lot::Mutex;
use tt_isa::chip::{self, Board, Design};
use tt_isa::map::RiscV;
use tt_isa::noc::NocXy;
use tt_isa::pcie::HOST_WINDOW;
use tt_isa::tlb::TlbTarget;
use tt_simulator::usage::Usage;
use tt_simulator::{Chip, ChipConfig, HostMemory, KernelSpan, Mark, Mode, System, TraceConfig};

use crate::spec::SimOptions;

use super::{Advance, Executed, HostRange, Shown, Simulated, Transport, TransportError, Window};

/// Where the memory that the chip reaches is on the bus. The controller leaves addresses as they are unless it is told otherwise.
const BUS: u64 = 0x1000_0000;
/// Bytes of it: as much as the driver of a card gives in one piece.
const HOST_BYTES: usize = 2 << 20;

/// Memory that this process and the chip share.
#[derive(Clone)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(vec![0; HOST_BYTES])))
    }

    /// Calls `f` with the bytes at an offset, if there are so many.
    fn with(&self, offset: Option<u64>, len: usize, f: impl FnOnce(&mut [u8])) -> bool {
        let from = offset.and_then(|offset| usize::try_from(offset).ok());
        let range = from.and_then(|from| Some(from..from.checked_add(len)?));
        range.and_then(|range| self.0.lock().get_mut(range).map(f)).is_some()
    }
}

impl HostMemory for Shared {
    fn read(&self, addr: u64, out: &mut [u8]) -> bool {
        self.with(addr.checked_sub(BUS), out.len(), |bytes| out.copy_from_slice(bytes))
    }

    fn write(&self, addr: u64, data: &[u8]) -> bool {
        self.with(addr.checked_sub(BUS), data.len(), |bytes| bytes.copy_from_slice(data))
    }
}

/// A simulated card in this process, seen from PCIe.
pub struct Sim {
    first: Inside,
    windows: Vec<Window>,
    shown: Vec<Shown>,
    /// What the first chip reaches of this process, if its PCIe controller is modelled.
    host: Option<Shared>,
}

/// A look into one of the chips of a card.
struct Inside {
    card: Arc<Mutex<System>>,
    /// Number of the chip on the card.
    chip: usize,
    kind: &'static chip::Chip,
    mode: Mode,
    /// The chip writes to the host's memory when it is done.
    tells: bool,
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
            ChipConfig {
                mode: options.mode,
                trace: trace.clone(),
                defects: options.defects.clone(),
                ..config
            }
        };
        let mut card = System::of(std::iter::once(index).chain(board.behind(index)).map(config))?;
        let kind = board.chip;
        let windows = Window::all(kind);
        let shown = windows.iter().map(Window::shown).collect();
        let host = (kind.designs.pcie == Design::Wormhole).then(Shared::new);
        if let Some(host) = &host {
            card.chips()[0].set_host_memory(Box::new(host.clone()));
        }
        let tells = host.is_some();
        let first = Inside { card: Arc::new(Mutex::new(card)), chip: 0, kind, mode: options.mode, tells };
        Ok(Self { first, windows, shown, host })
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

    fn host_memory(&self) -> Option<HostRange> {
        self.host.as_ref().map(|_| HostRange { noc: HOST_WINDOW + BUS, bytes: HOST_BYTES as u64 })
    }

    fn read_host(&mut self, offset: u64, out: &mut [u8]) -> Result<(), TransportError> {
        let host = self.host.as_ref().ok_or(TransportError::NoHostMemory)?;
        // A word is how a host waits; more than that is there when it is read.
        if out.len() > size_of::<u32>() {
            self.check_host_access("reads", offset, out.len())?;
        }
        match host.with(Some(offset), out.len(), |bytes| out.copy_from_slice(bytes)) {
            true => Ok(()),
            false => Err(TransportError::NoHostMemory),
        }
    }

    fn write_host(&mut self, offset: u64, data: &[u8]) -> Result<(), TransportError> {
        let host = self.host.as_ref().ok_or(TransportError::NoHostMemory)?;
        self.check_host_access("writes", offset, data.len())?;
        match host.with(Some(offset), data.len(), |bytes| bytes.copy_from_slice(data)) {
            true => Ok(()),
            false => Err(TransportError::NoHostMemory),
        }
    }

    fn simulated(&mut self) -> Option<&mut dyn Simulated> {
        Some(&mut self.first)
    }

    fn simulated_behind(&mut self) -> Option<Box<dyn Simulated + Send>> {
        let Inside { card, kind, mode, .. } = &self.first;
        let there = card.lock().chips().len() > 1;
        there.then(|| {
            Box::new(Inside { card: Arc::clone(card), chip: 1, kind, mode: *mode, tells: false })
                as Box<dyn Simulated + Send>
        })
    }
}

impl Sim {
    /// In the asynchronous mode: whether the chip is writing to these bytes of the host's memory.
    fn check_host_access(&self, access: &str, offset: u64, len: usize) -> Result<(), TransportError> {
        Ok(self.first.look(|chip| chip.check_host_access(access, HOST_WINDOW + BUS + offset, len))?)
    }
}

impl Inside {
    fn look<T>(&self, question: impl FnOnce(&mut Chip) -> T) -> T {
        question(&mut self.card.lock().chips()[self.chip])
    }
}

impl Simulated for Inside {
    fn advance(&mut self, clocks: u32) -> Result<Advance, TransportError> {
        let progress = self.card.lock().advance_until_told(u64::from(clocks))?;
        Ok(Advance { asleep: progress.asleep })
    }

    /// In the timed mode a look at the chip itself takes its time; one at the host's memory comes when there is something to see.
    fn poll_clocks(&self) -> u32 {
        if self.mode == Mode::Timed && !self.tells { 1 } else { super::POLL_CLOCKS }
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

    fn kernel_span(&mut self, span: &KernelSpan) -> Result<(), TransportError> {
        Ok(self.look(|chip| chip.kernel_span(span))?)
    }

    fn waits(&mut self, tile: NocXy) -> Vec<String> {
        self.look(|chip| chip.waits(tile))
    }

    fn pc(&mut self, tile: NocXy, core: RiscV) -> Option<u32> {
        self.look(|chip| chip.pc(tile, core))
    }
}
