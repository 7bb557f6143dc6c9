//! What is wrong with a buffer or a program of a user's. What a program says of itself when it cannot be started or does not come to its end: tile, core, source file and line, and what it waits for.

use std::fmt;

use tt_isa::map::RiscV;
use tt_kernel_abi::program::{State, Wait};

use crate::grid::{Tile, TileRange};

/// A buffer that cannot be made or used so.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum BufferError {
    /// L1 is full.
    #[error(
        "{wanted} bytes of L1 do not fit on {range}: the largest piece that is free on all of them has {largest}"
    )]
    OutOfL1 {
        /// Where.
        range: TileRange,
        /// Bytes asked for.
        wanted: u32,
        /// Bytes of the largest free piece.
        largest: u32,
    },
    /// The memory of the host that the chip reaches is full.
    #[error(
        "{wanted} bytes of this host's memory cannot be pinned: {free} are free, the largest piece has {largest}"
    )]
    OutOfPinned {
        /// Bytes asked for.
        wanted: u32,
        /// Bytes free in all.
        free: u64,
        /// Bytes of the largest free piece.
        largest: u64,
    },
    /// More elements than any memory has.
    #[error("{elements} elements of {size} bytes are more than a buffer can have")]
    TooLarge {
        /// Elements.
        elements: usize,
        /// Bytes of one.
        size: usize,
    },
    /// Tiles of another device, or of another chip.
    #[error("{range} is not in the grid of this device")]
    OtherGrid {
        /// The range.
        range: TileRange,
    },
    /// DRAM of another device.
    #[error("the buffer at {at:#x} of DRAM is another device's")]
    OtherMemory {
        /// Its address.
        at: u64,
    },
    /// Not whole blocks.
    #[error(
        "a matrix of {rows} x {columns} is not whole blocks of {block_rows} x {block_columns}: pad it, or choose others"
    )]
    Blocks {
        /// Rows of the matrix.
        rows: usize,
        /// Columns of the matrix.
        columns: usize,
        /// Rows of a block.
        block_rows: usize,
        /// Columns of a block.
        block_columns: usize,
    },
    /// Not the elements of a matrix.
    #[error("a matrix of {rows} x {columns} has {} elements, not {got}", rows * columns)]
    Matrix {
        /// Rows.
        rows: usize,
        /// Columns.
        columns: usize,
        /// Elements given.
        got: usize,
    },
    /// The buffer has no bytes there.
    #[error("the buffer at {at:#x} of L1 is on {range}, and not on {tile}")]
    NotThere {
        /// Its address.
        at: u32,
        /// Where it is.
        range: TileRange,
        /// Where it was to be used.
        tile: Tile,
    },
    /// Elements that the buffer does not have.
    #[error("elements {first} to {} are outside of a buffer of {len}", first + count)]
    Outside {
        /// The first one.
        first: usize,
        /// How many.
        count: usize,
        /// How many there are.
        len: usize,
    },
    /// The device has been opened again since.
    #[error(
        "the buffer at {at:#x} of L1 on {range} is gone: the device has been opened again since it was made"
    )]
    Stale {
        /// Its address.
        at: u32,
        /// Where it was.
        range: TileRange,
    },
    /// The same of pinned memory.
    #[error("the pinned buffer of {bytes} bytes is gone: the device has been opened again since it was made")]
    StalePinned {
        /// Its bytes.
        bytes: u32,
    },
    /// Pages of a circular buffer.
    #[error(
        "a circular buffer cannot have {pages} pages of {page_bytes} bytes: both are at most 65,535, and a page is a multiple of 16 bytes"
    )]
    Pages {
        /// Pages.
        pages: usize,
        /// Bytes of a page.
        page_bytes: usize,
    },
}

/// A program that cannot be started, or has not come to its end.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// A file that is no kernel for this chip.
    #[error("kernel {kernel}: {why}")]
    Image {
        /// Its name.
        kernel: String,
        /// What is wrong with it.
        why: String,
    },
    /// Nothing to run.
    #[error("the program has no kernels")]
    Empty,
    /// Two kernels for one core.
    #[error("kernels {one} and {other} are both for {} of tile {tile}", core.name())]
    TwoOnACore {
        /// One of them.
        one: String,
        /// The other one.
        other: String,
        /// The tile.
        tile: Tile,
        /// The core.
        core: RiscV,
    },
    /// More arguments than a kernel can have.
    #[error(
        "kernel {kernel} has {count} arguments, circular buffers and semaphores included; {most} are possible"
    )]
    TooManyArguments {
        /// Its name.
        kernel: String,
        /// How many it has.
        count: usize,
        /// How many it may have.
        most: usize,
    },
    /// An argument of another device.
    #[error(
        "argument {argument} of kernel {kernel} is another device's, or of this one before it was opened again"
    )]
    OtherDevice {
        /// The kernel.
        kernel: String,
        /// Number of the argument, from 0.
        argument: usize,
    },
    /// An argument that is not where the kernel runs.
    #[error(
        "argument {argument} of kernel {kernel} is on {has}, and not everywhere where the kernel runs: {range}"
    )]
    Elsewhere {
        /// The kernel.
        kernel: String,
        /// Number of the argument, from 0.
        argument: usize,
        /// Where the buffer is.
        has: TileRange,
        /// Where the kernel runs.
        range: TileRange,
    },
    /// A circular buffer with two of the same ends, or with one only.
    #[error(
        "the circular buffer at {at:#x} of L1 has {producers} producers and {consumers} consumers on tile {tile}: one of each is needed"
    )]
    Ends {
        /// Its address.
        at: u32,
        /// A tile where it is so.
        tile: Tile,
        /// Kernels that fill it.
        producers: usize,
        /// Kernels that empty it.
        consumers: usize,
    },
    /// A kernel has panicked.
    #[error("a kernel has panicked:{}", list(.0))]
    Panicked(Vec<CoreState>),
    /// The simulator has found something wrong that a kernel has done.
    #[error("a kernel has failed:{}\n  {fault}", list(at))]
    Fault {
        /// What.
        fault: String,
        /// The core, where it is known.
        at: Vec<CoreState>,
    },
    /// Kernels that have not come to their end.
    #[error("{waited}; these kernels have not ended:{}", list(cores))]
    Hung {
        /// For how long they were waited for, or why they never end.
        waited: String,
        /// The cores that have not ended.
        cores: Vec<CoreState>,
    },
}

/// Why a command of a queue has not come to its end.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// One before it has failed.
    #[error("{what} was not begun, since {failed} in front of it has failed: {because}")]
    Skipped {
        /// What the command is.
        what: &'static str,
        /// What has failed.
        failed: &'static str,
        /// Why.
        because: String,
    },
    /// The queue's thread has gone.
    #[error("{what} did not come to its end: a function in the queue has panicked")]
    Lost {
        /// What the command is.
        what: &'static str,
    },
    /// No thread for a queue.
    #[error("a queue needs a thread, and this host starts none: {why}")]
    NoThread {
        /// Why.
        why: String,
    },
}

/// A line of a source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as the compiler was given it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

/// Where the compiler finds sources of `core`: by the commit that it is of, or by the copy beside it.
const OF_CORE: [&str; 2] = ["/rustc/", "/rustlib/src/rust/library/"];
/// Folders of the crates that kernels are written with: in this repository, and as packages.
const OF_KERNELS: [&str; 8] = [
    "/kernels/kernel/src/",
    "/kernels/abi/src/",
    "/kernels/numerics/src/",
    "/kernels/sfpu/src/",
    "/tt-kernel-",
    "/tt-isa/src/",
    "/tt-isa-",
    "/compiler-builtins",
];

impl Place {
    /// Whether it is in `core`, or in a crate that all kernels are written with: of such a line the writer of a kernel wants to know who has
    /// called it.
    pub fn is_of_library(&self) -> bool {
        OF_CORE.iter().chain(&OF_KERNELS).any(|part| self.file.contains(part))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What a core is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It waits for something, which is to have a value.
    Waits(Wait, u32),
    /// It has panicked, with a message if that needs no formatting.
    Panicked(String),
    /// Something else.
    Other(State),
}

/// A core of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoreState {
    /// The tile.
    pub tile: Tile,
    /// The core.
    pub core: RiscV,
    /// The kernel's name.
    pub kernel: String,
    /// What it is at.
    pub trouble: Trouble,
    /// The line where it says that it is.
    pub place: Option<Place>,
    /// Its pc and the lines that belong to that, where a simulator tells: first those of the kernel, then those of libraries
    /// ([`Place::is_of_library`]), of each the innermost inlined function first.
    pub pc: Option<(u32, Vec<Place>)>,
    /// What cores and Tensix threads of the tile wait for, where a simulator tells.
    pub waits: Vec<String>,
}

impl fmt::Display for CoreState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile {}, {}, kernel {}", self.tile, self.core.name(), self.kernel)?;
        match &self.trouble {
            Trouble::Panicked(message) if message.is_empty() => f.write_str(" panicked")?,
            Trouble::Panicked(message) => write!(f, " panicked: {message}")?,
            Trouble::Waits(what, value) => write!(f, " waits for {}", name(*what, *value))?,
            Trouble::Other(State::Waiting) => f.write_str(" has not started")?,
            Trouble::Other(_) => f.write_str(" runs")?,
        }
        if let Some(place) = &self.place {
            write!(f, ", at {place}")?;
        }
        if let Some((pc, lines)) = &self.pc {
            write!(f, ", pc {pc:#010x}")?;
            // Lines of libraries only where there are no others.
            let own = lines.iter().take_while(|line| !line.is_of_library()).count();
            let shown = if own == 0 { lines.len() } else { own };
            lines[..shown.min(LINES)].iter().try_for_each(|line| write!(f, "\n      in {line}"))?;
        }
        self.waits.iter().try_for_each(|wait| write!(f, "\n      {wait}"))
    }
}

/// Lines of inlined functions that are named.
const LINES: usize = 6;
/// Cores named in a message; more would drown it.
const LISTED: usize = 5;

fn name(what: Wait, value: u32) -> String {
    match what {
        Wait::Nothing => "nothing".into(),
        Wait::Reads => "NoC reads".into(),
        Wait::Writes => "acknowledgements of NoC writes".into(),
        Wait::Atomic => "the answer to an atomic".into(),
        Wait::Semaphore => format!("a semaphore to become {value}"),
        Wait::Data => format!("page {} of a circular buffer", value.wrapping_sub(1)),
        Wait::Room => format!("room for page {value} of a circular buffer"),
        Wait::Tensix => "its Tensix instructions".into(),
        Wait::Host => "the host to take its text".into(),
    }
}

fn list(cores: &[CoreState]) -> String {
    let mut text: String = cores.iter().take(LISTED).map(|core| format!("\n  {core}")).collect();
    if cores.len() > LISTED {
        text += &format!("\n  and {} more", cores.len() - LISTED);
    }
    text
}
