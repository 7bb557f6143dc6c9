//! What can go wrong on a device.

use std::fmt;

use tt_isa::map::RiscV;
use tt_isa::noc::NocXy;
use tt_kernel_abi::launch::{ErrorReport, Progress};

use crate::DramAddr;
use crate::chip::ChipError;
use crate::grid::{GridError, Tile};
use crate::report::{BufferError, ProgramError, QueueError};
use crate::transport::TransportError;

/// Errors of the runtime.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The card or simulator failed.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// Not enough DRAM.
    #[error("out of device memory: {wanted} bytes wanted, {free} free, the largest free piece has {largest}")]
    OutOfMemory {
        /// Bytes asked for.
        wanted: u64,
        /// Bytes free in all.
        free: u64,
        /// Bytes of the largest free piece.
        largest: u64,
    },
    /// An access beyond the DRAM of the device.
    #[error("{len} bytes at {addr} are beyond the device's memory of {size:#x} bytes")]
    OutOfRange {
        /// First byte.
        addr: DramAddr,
        /// Bytes.
        len: u64,
        /// Bytes of DRAM.
        size: u64,
    },
    /// The chip is not one that the runtime drives.
    #[error(transparent)]
    Chip(#[from] ChipError),
    /// Kernel images could not be loaded.
    #[error("kernel images: {0}")]
    Kernels(String),
    /// Cores did not finish.
    #[error("{what} did not finish on {} of {workers} cores:{}", cores.len(), list(cores))]
    Hung {
        /// What was running.
        what: String,
        /// Workers in all.
        workers: usize,
        /// Those that did not finish.
        cores: Vec<CoreReport>,
    },
    /// Nothing answers on the NoC.
    #[error(
        "tile {tile} does not answer: everything there reads as ones. The chip has to be reset (`tt-smi -r`)"
    )]
    Silent {
        /// Translated coordinate.
        tile: NocXy,
    },
    /// Somebody else has stopped the cores.
    #[error(
        "the cores of tile {tile} are in reset: another program has taken the card, or reset it, while it was in use here"
    )]
    Stopped {
        /// Translated coordinate.
        tile: NocXy,
    },
    /// Of another process.
    #[error("the device was opened by the process that this one was forked from, and cannot be used here")]
    Forked,
    /// The kernels cannot do it.
    #[error("{0}")]
    Unsupported(String),
    /// A kernel refused its work.
    #[error("kernel error on tile {tile}: {report}")]
    Kernel {
        /// Where.
        tile: NocXy,
        /// What.
        report: ErrorReport,
    },
    /// A tile that somebody else has.
    #[error("{what} cannot have tile {tile}: {by}")]
    Taken {
        /// The tile.
        tile: Tile,
        /// What was to be started.
        what: &'static str,
        /// Who has it.
        by: &'static str,
    },
    /// A place that is not in the grid.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// A buffer that cannot be made or used so.
    #[error(transparent)]
    Buffer(#[from] BufferError),
    /// A program that cannot be started, or has not come to its end.
    #[error(transparent)]
    Program(#[from] Box<ProgramError>),
    /// A command of a queue that has not come to its end.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The device failed before; it does nothing until it is opened again.
    #[error("the device has failed and must be opened again: {0}")]
    Failed(String),
}

/// What a tile's cores were doing when a launch timed out.
#[derive(Debug, Clone)]
pub struct CoreReport {
    /// Translated coordinate.
    pub tile: NocXy,
    /// What each core said last, and its pc where that is known.
    pub cores: Vec<(RiscV, Progress, Option<u32>)>,
    /// What cores and threads wait for, where that is known.
    pub waits: Vec<String>,
}

impl fmt::Display for CoreReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile {}", self.tile)?;
        for (core, progress, pc) in &self.cores {
            write!(f, ", {} {progress}", core.name())?;
            if let Some(pc) = pc {
                write!(f, " pc {pc:#010x}")?;
            }
        }
        self.waits.iter().try_for_each(|wait| write!(f, "\n    {wait}"))
    }
}

/// Tiles named in a message; more would drown it.
const LISTED: usize = 4;

fn list(cores: &[CoreReport]) -> String {
    let mut text: String = cores.iter().take(LISTED).map(|core| format!("\n  {core}")).collect();
    if cores.len() > LISTED {
        text += &format!("\n  and {} more", cores.len() - LISTED);
    }
    text
}
