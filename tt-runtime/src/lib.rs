//! Safe runtime for Tenstorrent cards.
//!
//! ```text
//! Device: alloc, read, write, execute
//!   alloc      linear DRAM, interleaved over the banks
//!   placement  numbers of the workers, by the banks they are close to
//!   grid       tiles and DRAM banks, by three kinds of coordinates
//!   program    kernels of users: buffers in L1, programs, what they wait for
//!   queue      commands that run behind the caller's back, events
//!   ops        tensor views -> descriptor
//!   convert    orders and formats of tiles, on slices and in DRAM
//!   layout     matrices -> weight tiles
//!   link       windows, tiles, DRAM banks
//!     transport  card or simulator
//! cards      which cards there are, without touching them
//! report     what is wrong with buffers and programs of users
//! record     what a device has been asked to execute, for tests
//! chip       which chip it is, and whether there are kernels for it
//! ```
//!
//! A program opens a [`Device`], allocates [`Allocation`]s in its DRAM, writes tensors there, and executes
//! descriptors that [`ops`] builds. It needs no compiler and no other software on the machine: the kernels are part
//! of the library.

mod alloc;
pub mod cards;
pub mod chip;
pub mod convert;
mod device;
mod error;
pub mod grid;
mod l1;
pub mod layout;
mod link;
pub mod ops;
mod placement;
pub mod program;
pub mod queue;
mod record;
pub mod report;
mod spec;
pub mod transport;
mod way;

pub use chip::ChipError;
pub use device::{
    Allocation, CheckedSteps, Counters, Device, DeviceInfo, MemoryInfo, Reads, StepTime, Stream, StreamError,
    Transfers, connect,
};
pub use error::{CoreReport, Error};
pub use link::Link;
pub use record::Record;
pub use spec::{DeviceSpec, SimOptions, SpecError, parse_devices, parse_devices_of};
pub use tt_kernel_abi::target::CONGRUENCE;
pub use tt_kernel_abi::{DramAddr, ElementType, OpDescriptor, TensorView};
pub use tt_kernels::WITH_KERNELS;
pub use tt_simulator::{DeadUnit, Defect, LinkEffect, Mode, usage};
pub use way::Way;
