//! The one seam between the runtime and a card: host windows onto the NoC.
//!
//! A [`Transport`] is the least that a Wormhole offers its host. Everything above it is the same code for every
//! one of them: which tiles there are, booting, memory, launches.
//!
//! | transport | reaches |
//! |---|---|
//! | [`sim::Sim`] | the built-in simulator, in process |
//! | [`ttsim::TtSim`] | the vendor's simulator, a library in a child process |

use tt_isa::tlb::TlbTarget;

pub mod sim;
pub mod ttsim;

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

/// A chip as its host sees it: 16 MiB windows onto the NoC, and ARC's registers.
pub trait Transport: Send {
    /// Points the window at a piece of the NoC's address space; `target.addr` is a multiple of [`WINDOW_BYTES`].
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

    /// Reads ARC's CSM or registers, at an offset of BAR 0.
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

/// Bytes that the window shows.
pub const WINDOW_BYTES: u64 = 1 << tt_isa::tlb::TLB_GROUPS[2].log2_size;
/// The window that the runtime uses: the first of those of 16 MiB.
pub(crate) const WINDOW: u32 = tt_isa::tlb::TLB_GROUPS[2].first;
/// Where it is in BAR 0.
pub(crate) const WINDOW_BAR0: u64 = tt_isa::tlb::TLB_GROUPS[2].bar0;
/// Where its configuration word is.
pub(crate) const WINDOW_CONFIG: u64 = tt_isa::tlb::TLB_CONFIG_BASE + 8 * WINDOW as u64;

/// The window's configuration word for a target.
pub(crate) fn window_word(target: &TlbTarget) -> u64 {
    target.encode(tt_isa::tlb::TLB_GROUPS[2].log2_size)
}
