//! The one seam between the runtime and a card: host windows onto the NoC.
//!
//! A [`Transport`] is the least that a chip offers its host. Everything above it is the same code for every
//! one of them: which tiles there are, booting, memory, launches. What differs from chip to chip is in [`Transport::chip`]; what
//! only a simulator can tell is in [`Simulated`].
//!
//! | transport | reaches |
//! |---|---|
//! | [`kmd::Kmd`] | a card, by the vendor's kernel driver |
//! | [`sim::Sim`] | the built-in simulator, in process |
//! | [`remote::Remote`] | a card's second chip, by the Ethernet firmware of the first one |
//! | [`ttsim::TtSim`] | the vendor's simulator, a library in a child process |
//! | `metal::Metal` | whatever the vendor's user-mode driver reaches; with feature `metal` |
//! | [`null::Null`] | nothing: memory, and workers that compute nothing, for tests |

use tt_isa::chip::Chip;
use tt_isa::map::RiscV;
use tt_isa::noc::NocXy;
use tt_isa::tlb::TlbTarget;
use tt_kernel_abi::launch::PassOn;

use tt_simulator::usage::Usage;
use tt_simulator::{KernelSpan, Mark};

use crate::cards::CardError;
use crate::chip::ChipError;

pub mod kmd;
#[cfg(feature = "metal")]
pub mod metal;
pub mod null;
pub mod remote;
pub mod shared;
pub mod sim;
pub mod ttsim;
mod window;

pub use remote::RemoteError;
pub use window::{Purpose, Shown, Window};

/// Why an access failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TransportError {
    /// The built-in simulator found a fault.
    #[error("simulator: {0}")]
    Fault(#[from] tt_simulator::Fault),
    /// The trace that the environment asks for cannot be made.
    #[error("simulator: {0}")]
    Trace(#[from] tt_simulator::TraceError),
    /// The vendor's simulator could not be used, or died.
    #[error("vendor simulator: {0}")]
    TtSim(String),
    /// The vendor's user-mode driver cannot be used, or refused something.
    #[error("{0}")]
    Metal(String),
    /// A chip that is not described.
    #[error(transparent)]
    Chip(#[from] ChipError),
    /// A card or its driver.
    #[error(transparent)]
    Card(#[from] CardError),
    /// A chip that is reached through another one.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The chip reaches no memory of the host.
    #[error("the chip reaches no memory of this host")]
    NoHostMemory,
    /// Memory of the host that cores cannot name.
    #[error(
        "cores of a {chip} have no way to name address {noc:#x} behind the PCIe tile, where memory of this host is"
    )]
    HostOutOfReach {
        /// Name of the chip.
        chip: &'static str,
        /// Address behind the PCIe tile.
        noc: u64,
    },
    /// The chip has no such windows.
    #[error("{chip} has no windows of {bytes:#x} bytes that this host shows")]
    Window {
        /// Name of the chip.
        chip: &'static str,
        /// Bytes of a window.
        bytes: u64,
    },
}

/// How cores of a chip send commands to the other chip of their card.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    /// Ethernet tiles of the chip whose links lead there.
    pub tiles: Vec<NocXy>,
    /// Place of the other chip in the mesh of chips.
    pub chip: NocXy,
    /// Its rack in the low byte, and shelf in the high one.
    pub rack: u16,
}

/// The routes between the two chips of a card.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Routes {
    /// For the first chip's cores.
    pub to_second: Route,
    /// For the second chip's cores.
    pub to_first: Route,
}

/// How far a simulator's time went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Advance {
    /// Nothing on the chip will move until the host does something.
    pub asleep: bool,
}

/// What a simulator has executed.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Executed {
    /// Clocks that passed: in the fast mode, instructions of the busiest core.
    pub clocks: u64,
    /// RISC-V instructions.
    pub riscv: u64,
    /// Tensix instructions.
    pub tensix: u64,
}

/// Clocks between two looks at the completion word, where looking costs none.
const POLL_CLOCKS: u32 = 4096;

/// Memory of the host that the chip reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HostRange {
    /// Address of its first byte behind the PCIe tile, a multiple of a page of the host's.
    pub noc: u64,
    /// Bytes, at least a page.
    pub bytes: u64,
}

/// A chip as its host sees it: windows onto the NoC, and ARC's registers.
///
/// A window is named by its place in [`windows`](Self::windows).
pub trait Transport: Send {
    /// What the chip is, as its PCI id says.
    fn chip(&self) -> &'static Chip;

    /// The windows; there is at least one.
    fn windows(&self) -> &[Shown];

    /// Points a window at a piece of the NoC's address space; `target.addr` is a multiple of its bytes. What was written through it
    /// before goes where it pointed then.
    ///
    /// # Errors
    /// The chip does not answer.
    fn configure_window(&mut self, window: usize, target: &TlbTarget) -> Result<(), TransportError>;

    /// Reads through a window. Registers are read in 4 aligned bytes. What the host has written before to the same place has arrived
    /// before the read does; elsewhere it may still be under way.
    ///
    /// # Errors
    /// Nothing answers there.
    fn read(&mut self, window: usize, offset: u64, out: &mut [u8]) -> Result<(), TransportError>;

    /// Writes through a window. Registers are written in 4 aligned bytes.
    ///
    /// # Errors
    /// Nothing answers there.
    fn write(&mut self, window: usize, offset: u64, data: &[u8]) -> Result<(), TransportError>;

    /// Reads a word of BAR 0: where a chip has ARC's memory and registers there.
    ///
    /// # Errors
    /// Nothing answers there.
    fn read_bar(&mut self, offset: u64) -> Result<u32, TransportError>;

    /// PCI vendor and device id.
    ///
    /// # Errors
    /// The chip does not answer.
    fn pci_id(&mut self) -> Result<u32, TransportError>;

    /// Whether workers execute kernels: without, what a launch computes is not there afterwards.
    fn executes(&self) -> bool {
        true
    }

    /// Memory of this host that the chip can write to; `None`: there is none.
    fn host_memory(&self) -> Option<HostRange> {
        None
    }

    /// Reads that memory, from byte `offset` of it on. What the chip has written later is seen later; the bytes of one write from the
    /// lowest address on. A read of at most a word is how a host waits for what the chip writes; of more bytes the chip must have finished writing.
    ///
    /// # Errors
    /// There is none; the race detector sees the chip writing there.
    fn read_host(&mut self, _offset: u64, _out: &mut [u8]) -> Result<(), TransportError> {
        Err(TransportError::NoHostMemory)
    }

    /// Writes that memory, from byte `offset` of it on.
    ///
    /// # Errors
    /// There is none; the race detector sees the chip writing there.
    fn write_host(&mut self, _offset: u64, _data: &[u8]) -> Result<(), TransportError> {
        Err(TransportError::NoHostMemory)
    }

    /// Has a word written to a tile when this process ends, even if it is killed. Does nothing where the chip ends with the process.
    ///
    /// # Errors
    /// The driver does not take it.
    fn stop_at_exit(&mut self, _tile: NocXy, _addr: u64, _word: u32) -> Result<(), TransportError> {
        Ok(())
    }

    /// When that word has been written, the chip writes one to another chip too.
    ///
    /// # Errors
    /// The chip does not answer.
    fn pass_on(&mut self, _stop: PassOn) -> Result<(), TransportError> {
        Ok(())
    }

    /// Whether a write to a rectangle of tiles is one, as opposed to one to each of them.
    fn multicasts(&self) -> bool {
        true
    }

    /// Whether the chip is still there and nobody has taken it; asked now and then while a launch takes long.
    ///
    /// # Errors
    /// Why not.
    fn check(&mut self) -> Result<(), TransportError> {
        Ok(())
    }

    /// Of the second chip of a card: the ways between it and the first one.
    fn routes(&self) -> Option<&Routes> {
        None
    }

    /// Cores of the first chip have used the queues that lead here ([`routes`](Self::routes)): they are looked at anew.
    ///
    /// # Errors
    /// The firmware does not answer.
    fn routes_were_used(&mut self) -> Result<(), TransportError> {
        Ok(())
    }

    /// There is work: a card whose clocks are lowered while it has none raises them.
    fn busy(&mut self) {}

    /// What only a simulator answers; `None` on a card, where time passes by itself.
    fn simulated(&mut self) -> Option<&mut dyn Simulated> {
        None
    }

    /// The same of the chip behind this one, where the simulator has both.
    fn simulated_behind(&mut self) -> Option<Box<dyn Simulated + Send>> {
        None
    }
}

/// A chip whose time the host lets pass, and that can be looked into.
pub trait Simulated {
    /// Lets time pass; less of it if the chip writes to the host's memory.
    ///
    /// # Errors
    /// A fault on the chip.
    fn advance(&mut self, clocks: u32) -> Result<Advance, TransportError>;

    /// Clocks between two looks at the completion word.
    fn poll_clocks(&self) -> u32 {
        POLL_CLOCKS
    }

    /// What has been executed, where that is known.
    fn executed(&mut self) -> Option<Executed> {
        None
    }

    /// Clocks that have passed, where they are counted.
    fn clocks(&mut self) -> Option<u64> {
        self.executed().map(|executed| executed.clocks)
    }

    /// Clocks in a microsecond, where clocks are the time that silicon takes.
    fn clocks_us(&self) -> Option<u32> {
        None
    }

    /// What has taken time so far, where time is kept: clocks of cores, units, links and DRAM ([`tt_simulator::usage`]).
    fn usage(&mut self) -> Option<Usage> {
        None
    }

    /// Whether [`mark`](Self::mark) shows anything.
    fn is_marked(&self) -> bool {
        false
    }

    /// Something begins or ends on the host's side: a timeline shows it.
    ///
    /// # Errors
    /// The timeline cannot be written.
    fn mark(&mut self, _mark: &Mark) -> Result<(), TransportError> {
        Ok(())
    }

    /// A kernel has measured a span: a timeline shows it.
    ///
    /// # Errors
    /// The timeline cannot be written.
    fn kernel_span(&mut self, _span: &KernelSpan) -> Result<(), TransportError> {
        Ok(())
    }

    /// What cores and threads of a tile wait for, where that is known.
    fn waits(&mut self, _tile: tt_isa::noc::NocXy) -> Vec<String> {
        Vec::new()
    }

    /// Pc of a core, where that is known.
    fn pc(&mut self, _tile: NocXy, _core: RiscV) -> Option<u32> {
        None
    }
}
