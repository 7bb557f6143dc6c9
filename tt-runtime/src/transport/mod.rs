//! The one seam between the runtime and a card: host windows onto the NoC.
//!
//! A [`Transport`] is the least that a chip offers its host. Everything above it is the same code for every
//! one of them: which tiles there are, booting, memory, launches. What differs from chip to chip is in [`Transport::chip`].
//!
//! | transport | reaches |
//! |---|---|
//! | [`sim::Sim`] | the built-in simulator, in process |
//! | [`ttsim::TtSim`] | the vendor's simulator, a library in a child process |

use tt_isa::chip::Chip;
use tt_isa::tlb::TlbTarget;

use crate::chip::ChipError;

pub mod sim;
pub mod ttsim;
mod window;

pub use window::Window;

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
    /// A chip that is not described.
    #[error(transparent)]
    Chip(#[from] ChipError),
    /// The chip has no such windows.
    #[error("{chip} has no windows of {bytes:#x} bytes that this host shows")]
    Window {
        /// Name of the chip.
        chip: &'static str,
        /// Bytes of a window.
        bytes: u64,
    },
}

/// How far a transport's time went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Advance {
    /// Nothing on the chip will move until the host does something. Only a simulator can know.
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

/// A chip as its host sees it: a window onto the NoC, and ARC's registers.
pub trait Transport: Send {
    /// What the chip is, as its PCI id says.
    fn chip(&self) -> &'static Chip;

    /// Bytes that the window shows.
    fn window_bytes(&self) -> u64;

    /// Points the window at a piece of the NoC's address space; `target.addr` is a multiple of
    /// [`window_bytes`](Self::window_bytes).
    ///
    /// # Errors
    /// The chip does not answer.
    fn configure_window(&mut self, target: &TlbTarget) -> Result<(), TransportError>;

    /// Reads through the window. Registers are read in 4 aligned bytes.
    ///
    /// # Errors
    /// Nothing answers there.
    fn read(&mut self, offset: u64, out: &mut [u8]) -> Result<(), TransportError>;

    /// Writes through the window. Registers are written in 4 aligned bytes.
    ///
    /// # Errors
    /// Nothing answers there.
    fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), TransportError>;

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

    /// Lets time pass on a simulator; does nothing on a card.
    ///
    /// # Errors
    /// A fault on the chip.
    fn advance(&mut self, clocks: u32) -> Result<Advance, TransportError>;

    /// Clocks that a simulator gets between two looks at the completion word.
    fn poll_clocks(&self) -> u32 {
        4096
    }

    /// What has been executed, where that is known.
    fn executed(&mut self) -> Option<Executed> {
        None
    }

    /// Pc of a core, where that is known.
    fn pc(&mut self, _tile: tt_isa::noc::NocXy, _core: tt_isa::map::RiscV) -> Option<u32> {
        None
    }
}
