//! The launch protocol.
//!
//! Boot: the host holds all cores in reset, multicasts the images, zeroes the mailbox
//! (`MAILBOX..MAILBOX_END`), writes the [`BootConfig`](crate::BootConfig) and releases BRISC only. BRISC
//! initialises the tile, releases its four siblings, waits until they poll the go word, and counts itself on
//! the completion word. The host waits until that word has grown by the number of workers.
//!
//! Launch n (n = 1, 2, .. and never 0): the host writes a [`Launch`] to every worker, then n into every go word. Each of a worker's five
//! cores sees the go word change, does its part and writes n into its done word; BRISC waits for the other four, until its and NCRISC's
//! NoC writes are acknowledged, and then adds one to the leader's completion word with a NoC atomic. So when that word has grown by the
//! number of workers all results are in DRAM, and no core reads the descriptor any more. The leader, which is one of the workers,
//! then writes n into [`FINISHED`](crate::l1::FINISHED).
//!
//! A launch may be the first step of a stream ([`Stream`]): its other descriptors lie in DRAM, one after the other, and have the numbers n + 1
//! and on. The leader brings them from there and starts each step as soon as all have completed the one before, without the host:
//!
//! ```text
//! leader   GO n | reads step n+1 | its part of n | sends step n+1 to all | waits for all | GO n+1 | ..
//! others        | their parts of n                      | completion + 1 |               |        | ..
//! ```
//!
//! A step's place in L1 alternates ([`crate::l1::launch`]), so that the next one can be sent while others are still busy. The
//! leader waits until it is acknowledged before it sends the go word: nothing orders two packets of a multicast at all of
//! their receivers.
//!
//! A host that cannot write to all workers at once writes to the leader alone: the first descriptor to [`NEXT_STEP`](crate::l1::NEXT_STEP), its
//! [`Stream`] to the launch's place, and n into [`BRING`](crate::l1::BRING). The leader sends it to all, and then the go word.
//!
//! Where the host has memory that the chip reaches, it need not look at the chip: after a launch, or the last step of a stream, the leader
//! also writes the counts there ([`COUNTS`](crate::l1::COUNTS)); `FINISHED` comes last.
//!
//! A launch may ask for times ([`StepTimes`]). The leader then writes a step's to DRAM while the next one begins, and waits for the acknowledgement
//! before it does its part of that; the last ones are there before it says that it has finished.
//!
//! End: a word at the leader's [`STOP`](crate::l1::STOP) has it put the cores of all workers into reset, and it pushes nothing any
//! more: one write ends everything, which a driver can do for a process that has died. The leader then passes the word on to another chip, if
//! it has been told of one ([`PassOn`]): a card's second chip is out of the driver's reach.
//!
//! Errors: a core that finds something wrong (an index out of range, an unknown operator) writes an
//! [`ErrorReport`] into its own L1; BRISC then adds one to [`ERROR_COUNT`](crate::l1::ERROR_COUNT) beside the
//! completion word, waits for the acknowledgement, and completes as usual. A stream ends with a step in which the count has changed. The
//! host that finds it changed reads the workers' reports; those whose launch number is the last one are news
//! ([`ErrorReport::launch`]): nobody clears a report. It may start the rest of the stream.

use core::fmt;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::descriptor::OpDescriptor;
use crate::l1;
use crate::numbered::numbered;

/// Cores of a tile that work as lanes of their own: BRISC with NoC 0, NCRISC with NoC 1.
pub const LANES: u32 = 2;

/// What the host writes to every worker before the go word.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Launch {
    /// The operator; [`OpDescriptor::seq`] is the launch's number.
    pub op: OpDescriptor,
    /// What follows.
    pub stream: Stream,
}

const _: () = assert!(size_of::<Launch>() <= l1::LAUNCH_STRIDE as usize);
const _: () = assert!(size_of::<StepTimes>() == l1::STEP_TIMES_BYTES as usize);

/// Steps that follow a launch. Their descriptors lie in DRAM, each [`OpDescriptor::BYTES`] after the one before and in one page; their
/// `seq` does not matter.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Stream {
    /// Linear address of the first one, a multiple of [`OpDescriptor::BYTES`]: low and high half.
    pub addr: [u32; 2],
    /// How many.
    pub steps: u32,
    /// Linear address, below 4 GiB, where the leader writes the [`StepTimes`] of the launch and of each step that follows, one behind the
    /// other; 0: nowhere.
    pub times: u32,
}

impl Stream {
    /// Steps whose descriptors begin at `addr`.
    pub const fn at(addr: u64, steps: u32) -> Self {
        Self { addr: [addr as u32, (addr >> 32) as u32], steps, times: 0 }
    }
}

/// When the leader has started a step, and when it has found that all workers have completed it, by the wall clock of its tile
/// (`RISCV_DEBUG_REG_WALL_CLOCK_L`, `_H`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct StepTimes {
    /// Low and high half.
    pub begin: [u32; 2],
    /// The same.
    pub end: [u32; 2],
    /// The launch's number, or the step's.
    pub seq: u32,
    /// Zero.
    pub reserved: [u32; 3],
}

/// The four words at [`PASS_ON`](crate::l1::PASS_ON): a word of another chip that the leader has written when it is told to stop, by a command to
/// the firmware of an Ethernet tile ([`tt_isa::eth::routing`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PassOn {
    /// The Ethernet tile, as the NIU's registers name it, NoC 0; zero if there is no other chip.
    pub node: u32,
    /// [`STOP`](crate::l1::STOP) of the other chip's leader, as a command's address has it: low and high half.
    pub addr: [u32; 2],
    /// The other chip's rack.
    pub rack: u32,
}

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
        /// The step before has not left the weights in L1 that this one multiplies with ([`crate::held`]): `detail` = number of this launch, `value` = of the one that has left what
        /// is there.
        NotHeld,
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
            Some(ErrorCode::NotHeld) => {
                write!(f, "launch {} multiplies with tiles in L1 of launch {}", self.detail, self.value)
            }
            None => write!(f, "unknown error code {} ({:#x}, {:#x})", self.code, self.detail, self.value),
        }
    }
}
