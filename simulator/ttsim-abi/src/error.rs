//! Errors of calls.

use tt_simulator::Fault;

/// Why a call did not do what it says.
#[derive(Debug, thiserror::Error)]
pub enum AbiError {
    /// No chip.
    #[error("the simulator is not running: call libttsim_init first")]
    NotRunning,
    /// A chip already.
    #[error("the simulator is running already: call libttsim_exit first")]
    Running,
    /// A call from inside a call, that is, from a DMA callback.
    #[error("called from a DMA callback")]
    Reentered,
    /// A null pointer.
    #[error("the buffer is a null pointer")]
    Null,
    /// Bus and function are always 0.
    #[error("bus/device/function {0:#x}: bus and function have to be 0")]
    NotBus0(u32),
    /// A configuration word elsewhere than at a multiple of 4.
    #[error("configuration offset {0:#x} is not a multiple of 4")]
    Misaligned(u32),
    /// A configuration write without a device.
    #[error("there is no PCI device {0}")]
    NoDevice(usize),
    /// An address in no BAR.
    #[error(
        "physical address {addr:#x} ({len} bytes) is in no BAR; they are assigned in configuration words 0x10 to 0x24"
    )]
    NoBar {
        /// The address.
        addr: u64,
        /// Bytes asked for.
        len: usize,
    },
    /// A coordinate that no NoC has.
    #[error("tile coordinate {0}, {1} is out of range")]
    Coordinate(u32, u32),
    /// A setting in the environment.
    #[error("{name}={value}: {expected}")]
    Setting {
        /// Variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        expected: String,
    },
    /// A trace that cannot be made.
    #[error("{0}")]
    Trace(#[from] tt_simulator::TraceError),
    /// The chip says so.
    #[error("{0}")]
    Fault(#[from] Fault),
    /// A bug.
    #[error("simulator bug: panic: {0}")]
    Panic(String),
}
