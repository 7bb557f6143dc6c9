//! One way to a card for several of its chips ([`Way`]): the first of them that is used opens it, and it is closed with the last.
//!
//! Each has a [`Seat`], which is a transport. Windows belong to all seats: one that another seat has pointed elsewhere is pointed again before
//! it is used.

use std::sync::Arc;

use parking_lot::Mutex;
use tt_isa::chip::Chip;
use tt_isa::map::RiscV;
use tt_isa::noc::NocXy;
use tt_isa::tlb::TlbTarget;
use tt_kernel_abi::l1;
use tt_kernel_abi::launch::PassOn;
use tt_simulator::usage::Usage;
use tt_simulator::{KernelSpan, Mark};
use zerocopy::IntoBytes;

use crate::way::Way;

use super::{Advance, Executed, HostRange, Purpose, Shown, Simulated, Transport, TransportError};

/// An open way.
struct Open {
    transport: Box<dyn Transport>,
    /// What each window shows now.
    shows: Vec<Option<TlbTarget>>,
    /// The tile that is told to stop when the process ends.
    leader: Option<NocXy>,
    /// Whom it tells.
    pass_on: Option<PassOn>,
}

/// One chip's share of a way.
pub struct Seat {
    open: Arc<Mutex<Open>>,
    chip: &'static Chip,
    shown: Vec<Shown>,
    /// What this seat has pointed its windows at.
    targets: Vec<Option<TlbTarget>>,
    host_memory: Option<HostRange>,
    simulated: bool,
}

impl Open {
    /// Lets a window show what a seat has pointed it at.
    fn show(&mut self, window: usize, target: Option<TlbTarget>) -> Result<(), TransportError> {
        if let Some(target) = target.filter(|_| self.shows[window] != target) {
            self.shows[window] = None;
            self.transport.configure_window(window, &target)?;
            self.shows[window] = Some(target);
        }
        Ok(())
    }

    /// Tells the chip's leader whom it has to stop when it is stopped, as soon as both are known.
    fn tell(&mut self) -> Result<(), TransportError> {
        let (Some(leader), Some(pass_on)) = (self.leader, self.pass_on) else { return Ok(()) };
        let windows = self.transport.windows();
        let control = windows.iter().rposition(|window| window.purpose == Purpose::Control);
        let window = control.unwrap_or(windows.len() - 1);
        let (at, bytes) = (u64::from(l1::PASS_ON), windows[window].bytes);
        let ordering = Purpose::Control.ordering();
        let target = TlbTarget { ordering, ..TlbTarget::unicast(leader, at / bytes * bytes) };
        self.show(window, Some(target))?;
        // The first word says that the others are there.
        let (first, rest) = pass_on.as_bytes().split_at(4);
        self.transport.write(window, at % bytes + 4, rest)?;
        self.transport.write(window, at % bytes, first)
    }
}

impl Seat {
    /// A seat. `connect` opens the way if nobody has yet.
    ///
    /// # Errors
    /// That of `connect`.
    pub fn on(
        way: &Way,
        connect: impl FnOnce() -> Result<Box<dyn Transport>, TransportError>,
    ) -> Result<Self, TransportError> {
        let open = way.enter(|| {
            let transport = connect()?;
            let shows = vec![None; transport.windows().len()];
            Ok::<_, TransportError>(Mutex::new(Open { transport, shows, leader: None, pass_on: None }))
        })?;
        Ok(Self::new(open))
    }

    fn new(open: Arc<Mutex<Open>>) -> Self {
        let mut way = open.lock();
        let chip = way.transport.chip();
        let shown = way.transport.windows().to_vec();
        let host_memory = way.transport.host_memory();
        let simulated = way.transport.simulated().is_some();
        drop(way);
        let targets = vec![None; shown.len()];
        Self { open, chip, shown, targets, host_memory, simulated }
    }

    /// Asks what only a simulator answers.
    fn ask<T>(&self, question: impl FnOnce(&mut dyn Simulated) -> T) -> Option<T> {
        self.open.lock().transport.simulated().map(question)
    }
}

impl Transport for Seat {
    fn chip(&self) -> &'static Chip {
        self.chip
    }

    fn windows(&self) -> &[Shown] {
        &self.shown
    }

    fn configure_window(&mut self, window: usize, target: &TlbTarget) -> Result<(), TransportError> {
        self.targets[window] = None;
        self.open.lock().show(window, Some(*target))?;
        self.targets[window] = Some(*target);
        Ok(())
    }

    fn read(&mut self, window: usize, offset: u64, out: &mut [u8]) -> Result<(), TransportError> {
        let mut open = self.open.lock();
        open.show(window, self.targets[window])?;
        open.transport.read(window, offset, out)
    }

    fn write(&mut self, window: usize, offset: u64, data: &[u8]) -> Result<(), TransportError> {
        let mut open = self.open.lock();
        open.show(window, self.targets[window])?;
        open.transport.write(window, offset, data)
    }

    fn read_bar(&mut self, offset: u64) -> Result<u32, TransportError> {
        self.open.lock().transport.read_bar(offset)
    }

    fn pci_id(&mut self) -> Result<u32, TransportError> {
        self.open.lock().transport.pci_id()
    }

    fn executes(&self) -> bool {
        self.open.lock().transport.executes()
    }

    fn host_memory(&self) -> Option<HostRange> {
        self.host_memory
    }

    fn read_host(&mut self, offset: u64, out: &mut [u8]) -> Result<(), TransportError> {
        self.open.lock().transport.read_host(offset, out)
    }

    fn write_host(&mut self, offset: u64, data: &[u8]) -> Result<(), TransportError> {
        self.open.lock().transport.write_host(offset, data)
    }

    fn stop_at_exit(&mut self, tile: NocXy, addr: u64, word: u32) -> Result<(), TransportError> {
        let mut open = self.open.lock();
        open.transport.stop_at_exit(tile, addr, word)?;
        open.leader = Some(tile);
        open.tell()
    }

    fn pass_on(&mut self, stop: PassOn) -> Result<(), TransportError> {
        let mut open = self.open.lock();
        open.pass_on = Some(stop);
        open.tell()
    }

    fn multicasts(&self) -> bool {
        self.open.lock().transport.multicasts()
    }

    fn check(&mut self) -> Result<(), TransportError> {
        self.open.lock().transport.check()
    }

    fn busy(&mut self) {
        self.open.lock().transport.busy();
    }

    fn simulated(&mut self) -> Option<&mut dyn Simulated> {
        self.simulated.then_some(self)
    }

    fn simulated_behind(&mut self) -> Option<Box<dyn Simulated + Send>> {
        self.open.lock().transport.simulated_behind()
    }
}

impl Simulated for Seat {
    fn advance(&mut self, clocks: u32) -> Result<Advance, TransportError> {
        self.ask(|simulated| simulated.advance(clocks)).unwrap_or(Ok(Advance { asleep: false }))
    }

    fn poll_clocks(&self) -> u32 {
        self.ask(|simulated| simulated.poll_clocks()).unwrap_or(super::POLL_CLOCKS)
    }

    fn executed(&mut self) -> Option<Executed> {
        self.ask(|simulated| simulated.executed())?
    }

    fn clocks(&mut self) -> Option<u64> {
        self.ask(|simulated| simulated.clocks())?
    }

    fn clocks_us(&self) -> Option<u32> {
        self.ask(|simulated| simulated.clocks_us())?
    }

    fn usage(&mut self) -> Option<Usage> {
        self.ask(|simulated| simulated.usage())?
    }

    fn is_marked(&self) -> bool {
        self.ask(|simulated| simulated.is_marked()).unwrap_or(false)
    }

    fn mark(&mut self, mark: &Mark) -> Result<(), TransportError> {
        self.ask(|simulated| simulated.mark(mark)).unwrap_or(Ok(()))
    }

    fn kernel_span(&mut self, span: &KernelSpan) -> Result<(), TransportError> {
        self.ask(|simulated| simulated.kernel_span(span)).unwrap_or(Ok(()))
    }

    fn waits(&mut self, tile: NocXy) -> Vec<String> {
        self.ask(|simulated| simulated.waits(tile)).unwrap_or_default()
    }

    fn pc(&mut self, tile: NocXy, core: RiscV) -> Option<u32> {
        self.ask(|simulated| simulated.pc(tile, core))?
    }
}
