//! The launch protocol.
//!
//! Boot: the host holds all cores in reset, multicasts the images, zeroes the mailbox
//! (`MAILBOX..MAILBOX_END`), writes the [`BootConfig`](crate::BootConfig) and releases BRISC only. BRISC
//! initialises the tile, releases its four siblings, waits until they poll the go word, and counts itself on
//! the completion word. The host waits until that word has grown by the number of workers.
//!
//! Launch n (n = 1, 2, .. and never 0): the host writes the descriptor to every worker, then n into every go
//! word. Each of a worker's five cores sees the go word change, does its part and writes n into its done word;
//! BRISC waits for the other four, until its and NCRISC's NoC writes are acknowledged, and then adds one to the
//! completion word with a NoC atomic. So whoever sees the completion word grow by the number of workers knows
//! that all results are in DRAM and that no core reads the descriptor any more.
//!
//! Where the host has memory that the chip reaches, it need not look at the chip: the worker with the completion word waits until all
//! have counted themselves, and then writes both counts there ([`COUNTS`](crate::l1::COUNTS)).
//!
//! End: [`STOP`](crate::l1::STOP) in place of a number stops the worker's cores. The worker with the completion word also puts the cores of
//! all workers into reset, and pushes nothing any more: one write ends everything, which a driver can do for a
//! process that has died.
//!
//! Errors: a core that finds something wrong (an index out of range, an unknown operator) writes an
//! [`ErrorReport`] into its own L1; BRISC then adds one to [`ERROR_COUNT`](crate::l1::ERROR_COUNT) beside the
//! completion word, waits for the acknowledgement, and completes as usual. The host that finds the count
//! changed reads the workers' reports; those whose launch number is the current one are news
//! ([`ErrorReport::launch`]): nobody clears a report.

use core::fmt;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::numbered::numbered;

/// Cores of a tile that work as lanes of their own: BRISC with NoC 0, NCRISC with NoC 1.
pub const LANES: u32 = 2;

numbered! {
    /// What a core says it is doing, for the report after a time-out.
    Stage {
        /// Nothing written yet: the core never started.
        Reset,
        /// Start-up code runs.
        Boot,
        /// Polls the go word.
        Idle,
        /// Runs its part of an operator.
        Running,
        /// BRISC: its part is done, waits for the other cores.
        Joining,
    }
}

/// A core's two progress words.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Progress {
    /// `stage << 24 | low 24 bits of the launch number`.
    pub state: u32,
    /// Operator-specific: the unit of work that the core is at.
    pub detail: u32,
}

impl Progress {
    /// First word for a stage of launch `seq`.
    pub const fn state(stage: Stage, seq: u32) -> u32 {
        ((stage as u32) << 24) | (seq & 0xFF_FFFF)
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Stage::from_code(self.state >> 24) {
            Some(stage) => write!(f, "{stage:?} (launch {}, unit {})", self.state & 0xFF_FFFF, self.detail),
            None => write!(f, "progress words {:#010x} {:#010x}", self.state, self.detail),
        }
    }
}

numbered! {
    /// Why a worker ended a launch with an error.
    ErrorCode {
        /// No error.
        None,
        /// The descriptor's operator number is unknown: runtime and firmware do not fit together.
        UnknownOp,
        /// A field of the descriptor is one that the kernel cannot do.
        BadDescriptor,
        /// A row index is out of range: `detail` = number of the source row, `value` = the index (low 32 bits).
        IndexOutOfRange,
    }
}

/// The four words at [`ERROR_REPORT`](crate::l1::ERROR_REPORT).
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ErrorReport {
    /// `low 24 bits of the launch number << 8 | ErrorCode`.
    pub code: u32,
    /// Core that found it, a [`tt_isa::map::RiscV`] number.
    pub core: u32,
    /// Where; depends on the code.
    pub detail: u32,
    /// What; depends on the code.
    pub value: u32,
}

impl ErrorReport {
    /// First word of a report.
    pub const fn tag(code: ErrorCode, seq: u32) -> u32 {
        (seq << 8) | code as u32
    }

    /// Low 24 bits of the number of the launch that the report belongs to.
    pub const fn launch(&self) -> u32 {
        self.code >> 8
    }

    /// The error, if the firmware's number is one that we know.
    pub const fn error(&self) -> Option<ErrorCode> {
        ErrorCode::from_code(self.code & 0xFF)
    }
}

impl fmt::Display for ErrorReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.error() {
            Some(ErrorCode::None) => f.write_str("no error"),
            Some(ErrorCode::UnknownOp) => write!(f, "firmware does not know operator {}", self.value),
            Some(ErrorCode::BadDescriptor) => {
                write!(
                    f,
                    "firmware cannot do this descriptor (field {}, value {:#x})",
                    self.detail, self.value
                )
            }
            Some(ErrorCode::IndexOutOfRange) => {
                write!(f, "row index {} of source row {} is out of range", self.value as i32, self.detail)
            }
            None => write!(f, "unknown error code {} ({:#x}, {:#x})", self.code, self.detail, self.value),
        }
    }
}
