//! A device: one chip with our firmware on it.
//!
//! Opening finds out what the chip is; it is booted and given its firmware when it is first used. All calls lock the
//! device; a [`Device`] can be shared between threads. After a fault or a hang the device is failed: every further
//! call gives that error, and opening it again starts over.
//!
//! | module | what |
//! |---|---|
//! | [`connect`] | from an entry of `GGML_TT_DEVICES` to the way to its chip |
//! | [`boot`] | from a chip in any state to workers that wait for launches |
//! | [`stream`] | steps that run one after the other without the host |
//! | [`queue`] | what has been submitted, how it is started, and the wait for it |
//! | [`arrival`] | a count in the host's memory, and what the chip has written before it |
//! | [`facts`] | what a device is, and what it has done |
//! | [`diagnose`] | what workers say of themselves when a launch fails or hangs |
//! | [`transfer`] | results pushed to the host, and bytes moved on the chip |
//! | [`second`] | the second chip of a card: bulk data by way of the first one, copies between the two |
//! | [`memory`] | DRAM: allocations, bytes in and out, weight tiles |
//! | [`programs`] | tiles that users have: buffers in L1, programs instead of the firmware |
//! | [`units`] | Tensix units that a program has left waiting |
//! | [`times`] | when steps ran, by the chip's own clock |

mod ahead;
mod arrival;
#[cfg(test)]
mod arrival_model;
mod boot;
mod connect;
mod diagnose;
mod facts;
mod memory;
mod programs;
mod queue;
mod second;
mod stream;
mod times;
mod transfer;
mod units;

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::time::Duration;

use parking_lot::Mutex;
use tt_isa::chip::Chip;
use tt_isa::map::NIU_BASE;
use tt_isa::noc::{NocXy, reg};
use tt_kernel_abi::OpDescriptor;
use tt_kernel_abi::dram::DRAM_RESERVED;
use tt_simulator::usage::Usage;
use tt_simulator::{Mark, Track};

pub use connect::connect;
use connect::{dram_size, find, recorded};
pub use facts::{Counters, DeviceInfo, Reads, Transfers};
pub use memory::{Allocation, MemoryInfo};
use programs::Programs;
pub(crate) use programs::{HostRegion, Look, Region};
use queue::Queue;
pub use stream::{CheckedSteps, Stream, StreamError};
pub use times::StepTime;
use times::Times;

use crate::alloc::Allocator;
use crate::cards::{Card, CardError};
use crate::chip::title;
use crate::error::Error;
use crate::link::Link;
use crate::record::Record;
use crate::spec::DeviceSpec;
use crate::transport::{Transport, TransportError, kmd};

/// A device.
pub struct Device {
    spec: DeviceSpec,
    /// What it is, or why it cannot be used.
    chip: Result<&'static Chip, Error>,
    allocator: Mutex<Allocator>,
    total: u64,
    state: Mutex<State>,
    record: Option<Arc<Record>>,
    /// Of the second chip of a card: the first one, which passes on what is large.
    first: Option<Arc<Device>>,
    /// A launch in which no worker comes any further for so long is given up.
    patience: Mutex<Duration>,
}

/// How long a launch may go on in which no worker comes any further: a simulator is slow.
const SIMULATED: Duration = Duration::from_secs(600);
/// The same on a card, where a unit of work takes milliseconds at most.
const ON_A_CARD: Duration = Duration::from_secs(60);

enum State {
    /// Not used yet.
    Closed,
    /// Found, not used yet.
    Found(Box<dyn Transport>),
    Open(Box<Session>),
    Failed(String),
}

impl Device {
    /// A device. Only what the chip is has been asked: one that cannot be used is known as such
    /// ([`chip`](Self::chip)), and every use of it is that error.
    pub fn open(spec: &DeviceSpec) -> Arc<Self> {
        Self::open_with(spec, recorded(spec))
    }

    /// The same, and a record of what it executes, for tests.
    pub fn recording(spec: &DeviceSpec) -> (Arc<Self>, Arc<Record>) {
        let record = Arc::new(Record::new());
        (Self::open_with(spec, Some(Arc::clone(&record))), record)
    }

    fn open_with(spec: &DeviceSpec, record: Option<Arc<Record>>) -> Arc<Self> {
        match (spec, spec.way()) {
            (DeviceSpec::Second(first), _) => Self::made(spec, record, Some(Self::open(first))),
            (_, Some(way)) if spec.has_second() => way.first(|| Self::made(spec, record, None)),
            _ => Self::made(spec, record, None),
        }
    }

    fn made(spec: &DeviceSpec, record: Option<Arc<Record>>, first: Option<Arc<Self>>) -> Arc<Self> {
        let (chip, state) = match find(spec) {
            Ok((chip, Some(transport))) => (Ok(chip), State::Found(transport)),
            Ok((chip, None)) => (Ok(chip), State::Closed),
            Err(error) => (Err(error), State::Closed),
        };
        let size = chip.as_ref().map_or(0, |chip| dram_size(chip));
        let stage = if spec.has_second() { second::STAGE } else { 0 };
        let allocator = Allocator::new(DRAM_RESERVED + stage, size);
        let total = allocator.free_bytes();
        Arc::new(Self {
            spec: spec.clone(),
            chip,
            allocator: Mutex::new(allocator),
            total,
            state: Mutex::new(state),
            record,
            first,
            patience: Mutex::new(patience(spec)),
        })
    }

    /// What the device's chip is.
    ///
    /// # Errors
    /// Why it cannot be used: it is not known, there are no kernels for it, or it does not answer.
    pub fn chip(&self) -> Result<&'static Chip, Error> {
        self.chip.clone()
    }

    /// What the device is, without touching the chip.
    ///
    /// Programs go by this text: Ollama takes devices with equal ones for cards of a kind, between which it may divide a model, and one
    /// that contains "hip" for AMD's. So it is the same for all of a kind, and has no number of a "chip" and no name of a file.
    pub fn description(&self) -> String {
        let name = match &self.chip {
            Ok(chip) => title(chip.name),
            Err(Error::Chip(error) | Error::Transport(TransportError::Card(CardError::Chip(error)))) => {
                error.name().map_or("device".to_owned(), title)
            }
            Err(_) => "device".to_owned(),
        };
        match self.spec.first() {
            DeviceSpec::Card(card) => {
                let board = card.board.as_ref().map_or_else(String::new, |board| format!(" {board}"));
                let how = if card.is_simulated() { " (simulated, with its driver)" } else { "" };
                format!("Tenstorrent {name}{board}{how}")
            }
            DeviceSpec::Unusable(_) | DeviceSpec::Second(_) => format!("Tenstorrent {name}"),
            DeviceSpec::Sim { board, .. } => format!("Tenstorrent {name} {} (simulated)", board.name),
            DeviceSpec::TtSim { .. } => format!("Tenstorrent {name} (vendor simulator)"),
            DeviceSpec::Metal { .. } => format!("Tenstorrent {name} (vendor driver)"),
            DeviceSpec::Null { .. } => format!("Tenstorrent {name} (computes nothing)"),
        }
    }

    /// What the device is. Boots the chip if that has not happened yet.
    ///
    /// # Errors
    /// The chip does not answer, or does not boot.
    pub fn info(&self) -> Result<DeviceInfo, Error> {
        let grid = self.with_queue(|session| Ok(session.grid))?;
        Ok(DeviceInfo {
            description: self.description(),
            pci_address: self.pci_address(),
            grid,
            dram_total: self.total,
        })
    }

    /// PCI address of the card, in lower case (`0000:c1:00.0`): simulated devices have none, nor has a card's second chip. The chip is not
    /// touched.
    ///
    /// Programs take two devices with one address for one, so the second chip does not have that of its card.
    pub fn pci_address(&self) -> Option<String> {
        self.card().filter(|_| !self.is_second()).map(|card| card.address.clone())
    }

    /// Whether the two are chips of one card ([`copy_from`](Self::copy_from)).
    pub fn is_beside(&self, other: &Self) -> bool {
        self.spec.is_beside(&other.spec)
    }

    /// Whether it is the second chip of a card, which is reached through the first one.
    pub fn is_second(&self) -> bool {
        matches!(self.spec, DeviceSpec::Second(_))
    }

    /// Whether its chip is made of silicon, as far as that is known: behind the vendor's driver it may be.
    pub fn is_silicon(&self) -> bool {
        match self.spec.first() {
            DeviceSpec::Card(card) => !card.is_simulated(),
            DeviceSpec::Metal { .. } => true,
            _ => false,
        }
    }

    /// The card that it is on, if it is on one: its node, versions of driver and firmware, and what else is known without touching it.
    pub fn card(&self) -> Option<&Card> {
        match self.spec.first() {
            DeviceSpec::Card(card) => Some(card),
            _ => None,
        }
    }

    /// A launch in which no worker comes any further for so long is given up. It applies when the device is opened the next time.
    pub fn set_patience(&self, patience: Duration) {
        *self.patience.lock() = patience;
    }

    /// Whether completions are pushed to this host's memory; `None` while the device is not open.
    pub fn is_pushed_to(&self) -> Option<bool> {
        match &*self.state.lock() {
            State::Open(session) => Some(session.pushed),
            _ => None,
        }
    }

    /// Runs a descriptor on all workers and waits for it.
    ///
    /// # Errors
    /// [`Error::Kernel`] if a kernel refused something (the device goes on); a fault or a hang fails the device.
    pub fn execute(&self, descriptor: &OpDescriptor) -> Result<(), Error> {
        let mut stream = self.stream();
        stream.push(descriptor)?;
        Ok(stream.finish()?)
    }

    /// Something begins that several launches may belong to, or ends: a timeline of the simulator shows it by this name. Nothing is asked
    /// for the name if there is none.
    pub fn mark_operator(&self, name: Option<&dyn Fn() -> String>) {
        let mark = || match name {
            Some(name) => Mark::Begin(Track::Operators, name()),
            None => Mark::End(Track::Operators),
        };
        if let State::Open(session) = &mut *self.state.lock()
            && let Err(error) = session.mark(mark)
        {
            tracing::error!("{error}");
        }
    }

    /// Whether there is a timeline, which shows operators ([`mark_operator`](Self::mark_operator)).
    pub fn shows_operators(&self) -> bool {
        match &mut *self.state.lock() {
            State::Open(session) => session.is_marked(),
            _ => false,
        }
    }

    /// What the device has done so far.
    pub fn counters(&self) -> Counters {
        match &mut *self.state.lock() {
            State::Open(session) => {
                let mut simulated = session.link.simulated();
                let executed = simulated.as_mut().and_then(|simulated| simulated.executed());
                Counters {
                    launches: session.launches,
                    streams: session.streams,
                    moves: session.moves,
                    clocks: executed.map(|e| e.clocks),
                    clocks_us: simulated.and_then(|simulated| simulated.clocks_us()),
                    step_clocks: session.times.clocks(),
                    written: session.written,
                    read: session.read,
                    tensix_instructions: executed.map(|e| e.tensix),
                    riscv_instructions: executed.map(|e| e.riscv),
                }
            }
            _ => Counters::default(),
        }
    }

    /// What has taken time on the chip so far, where time is kept: in the timed mode of a simulated one.
    pub fn usage(&self) -> Option<Usage> {
        match &mut *self.state.lock() {
            State::Open(session) => session.link.simulated().and_then(|simulated| simulated.usage()),
            _ => None,
        }
    }

    /// What every worker has read over NoC 0 since it was switched on, by number; counters wrap at 2^32.
    ///
    /// # Errors
    /// The chip does not answer.
    pub fn reads(&self) -> Result<Vec<Reads>, Error> {
        self.with(|session| {
            let mut reads = vec![Reads::default(); session.workers.len()];
            let flit = u64::from(session.link.chip().noc.link_width);
            for (&tile, &number) in session.workers.iter().zip(&session.numbers) {
                let mut counter = |register: u32| session.link.read32(tile, u64::from(NIU_BASE + register));
                reads[number as usize] = Reads {
                    requests: counter(reg::MST_RD_REQ_SENT)?,
                    bytes: u64::from(counter(reg::MST_RD_DATA_WORD_RECEIVED)?) * flit,
                };
            }
            Ok(reads)
        })
    }

    /// Forgets a failure: the next use boots the chip anew. What was in its DRAM is lost.
    pub fn reopen(&self) {
        *self.state.lock() = State::Closed;
        // The way to a second chip leads over the first one.
        if let Some(first) = self.first.as_ref().filter(|first| first.has_failed()) {
            first.reopen();
        }
    }

    fn has_failed(&self) -> bool {
        matches!(*self.state.lock(), State::Failed(_))
    }

    /// Runs `f` on the booted chip, after all that has been submitted; failures other than of the request itself fail the device.
    fn with<T>(&self, f: impl FnOnce(&mut Session) -> Result<T, Error>) -> Result<T, Error> {
        self.with_queue(|session| {
            session.link.busy();
            session.flush()?;
            f(session)
        })
    }

    /// The same; where this is a second chip and what is done is `large`, also on the first one, unless that has failed.
    fn with_first<T>(
        &self,
        large: bool,
        f: impl FnOnce(&mut Session, Option<&mut Session>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match self.first.as_ref().filter(|first| large && !first.has_failed()) {
            Some(first) => first.with_both(self, |first, second| f(second, Some(first))),
            None => self.with(|session| f(session, None)),
        }
    }

    /// Runs `f` on the first chip of a card, which this is, and on the second one, as [`with`](Self::with) does. The first chip's lock is taken before
    /// the second one's, everywhere.
    fn with_both<T>(
        &self,
        second: &Self,
        f: impl FnOnce(&mut Session, &mut Session) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.with(|first| {
            second.locked(|second| {
                second.link.busy();
                second.flush()?;
                f(first, second)
            })
        })
    }

    /// As [`with`](Self::with), but what has been submitted may not have been started.
    fn with_queue<T>(&self, f: impl FnOnce(&mut Session) -> Result<T, Error>) -> Result<T, Error> {
        if let Some(first) = self.first.as_ref().filter(|first| self.is_closed() && !first.has_failed())
            && let Err(error) = first.locked(|_| Ok(()))
        {
            tracing::warn!("the card's first chip passes nothing on to the second: {error}");
        }
        self.locked(f)
    }

    /// Runs `f` if the device is open and is this process'.
    fn if_open(&self, f: impl FnOnce(&mut Session)) {
        if let State::Open(session) = &mut *self.state.lock()
            && session.process == std::process::id()
        {
            f(session);
        }
    }

    fn is_closed(&self) -> bool {
        matches!(*self.state.lock(), State::Closed | State::Found(_))
    }

    /// The same, where the first chip has been opened if this is a second one.
    fn locked<T>(&self, f: impl FnOnce(&mut Session) -> Result<T, Error>) -> Result<T, Error> {
        let chip = self.chip()?;
        let mut state = self.state.lock();
        if let State::Closed | State::Found(_) = *state {
            let found = match std::mem::replace(&mut *state, State::Closed) {
                State::Found(transport) => Some(transport),
                _ => None,
            };
            *state = match self.boot(found, chip) {
                Ok(session) => State::Open(Box::new(session)),
                Err(error) => {
                    *state = State::Failed(error.to_string());
                    return Err(error);
                }
            };
        }
        match &mut *state {
            State::Failed(why) => Err(Error::Failed(why.clone())),
            State::Closed | State::Found(_) => unreachable!("opened above"),
            State::Open(session) if session.process != std::process::id() => Err(Error::Forked),
            State::Open(session) => {
                let result = f(session);
                if let Err(error) = &result
                    && fails_device(error)
                {
                    tracing::error!("{error}");
                    *state = State::Failed(error.to_string());
                }
                result
            }
        }
    }

    /// Boots the chip. One on a card that does not come up is reset, once.
    fn boot(&self, found: Option<Box<dyn Transport>>, chip: &'static Chip) -> Result<Session, Error> {
        let patience = *self.patience.lock();
        let transport = found.map_or_else(|| connect(&self.spec), Ok)?;
        match (Session::boot(transport, chip, patience), &self.spec) {
            // The other chip of a card would be reset with it.
            (Err(error @ (Error::Hung { .. } | Error::Silent { .. })), DeviceSpec::Card(card))
                if !card.way.is_open() =>
            {
                tracing::error!("{error}");
                kmd::reset(card).map_err(TransportError::from)?;
                Session::boot(connect(&self.spec)?, chip, patience)
            }
            (result, _) => result,
        }
    }
}

/// Whether a device cannot go on after an error, as opposed to one of the request itself.
fn fails_device(error: &Error) -> bool {
    matches!(error, Error::Transport(_) | Error::Hung { .. } | Error::Stopped { .. } | Error::Silent { .. })
}

fn patience(spec: &DeviceSpec) -> Duration {
    match spec.first() {
        DeviceSpec::Card(card) if !card.is_simulated() => ON_A_CARD,
        _ => SIMULATED,
    }
}

/// A booted chip.
pub(crate) struct Session {
    pub(crate) link: Link,
    /// Row by row.
    workers: Vec<NocXy>,
    /// Their NoC 0 positions.
    places: Vec<NocXy>,
    /// Their numbers.
    numbers: Vec<u32>,
    grid: (u32, u32),
    /// Number of the last launch.
    seq: u32,
    errors: u32,
    launches: u64,
    streams: u64,
    queue: Queue,
    moves: u64,
    /// The chip pushes its counts to this host's memory.
    pushed: bool,
    /// A launch in which no worker comes any further for so long is given up.
    pub(crate) patience: Duration,
    /// The process that opened it.
    process: u32,
    written: Transfers,
    read: Transfers,
    times: Times,
    programs: Programs,
}

impl Session {
    /// Whether there is a timeline that shows what begins and ends.
    fn is_marked(&mut self) -> bool {
        self.times.are_shown() || self.link.simulated().is_some_and(|simulated| simulated.is_marked())
    }

    /// Shows what begins or ends in a timeline, if there is one.
    fn mark(&mut self, mark: impl FnOnce() -> Mark) -> Result<(), Error> {
        if !self.is_marked() {
            return Ok(());
        }
        let mark = mark();
        self.times.mark(&mark);
        match self.link.simulated() {
            Some(simulated) if simulated.is_marked() => Ok(simulated.mark(&mark)?),
            _ => Ok(()),
        }
    }

    /// Clocks so far, where they are counted.
    fn clocks(&mut self) -> u64 {
        self.link.simulated().and_then(|simulated| simulated.clocks()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a fork does to a device: the process is another one.
    #[test]
    fn a_forked_process_does_not_use_its_parents_device() {
        let device = Device::open(&DeviceSpec::null(None));
        device.execute(&OpDescriptor::NOP).unwrap();
        let in_process = |process: u32| match &mut *device.state.lock() {
            State::Open(session) => std::mem::replace(&mut session.process, process),
            _ => panic!("it is open"),
        };
        let own = in_process(u32::MAX);
        assert!(matches!(device.execute(&OpDescriptor::NOP), Err(Error::Forked)));
        // The parent goes on.
        in_process(own);
        device.execute(&OpDescriptor::NOP).unwrap();
    }
}
