//! Programs of users: kernels on tiles of the grid, with buffers in L1.
//!
//! ```no_run
//! use tt_runtime::program::{Core, Kernel, KernelImage, L1Buffer, Program};
//! # fn show(device: &std::sync::Arc<tt_runtime::Device>, add: KernelImage) -> Result<(), tt_runtime::Error> {
//! let tile = device.grid()?.tile((0, 0))?;
//! let numbers = L1Buffer::<u32>::new(device, tile, 3)?;
//! numbers.write(&[2, 3, 0])?;
//! Program::new(device).kernel(Kernel::new(&add, Core::Brisc, tile).argument(&numbers)).run()?;
//! assert_eq!(numbers.read(tile)?, [2, 3, 5]);
//! # Ok(())
//! # }
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`image`] | a kernel as `tt-kernel-build` has compiled it |
//! | [`buffer`] | buffers in L1, DRAM and the host's memory, of elements of a type; semaphores, circular buffers |
//! | [`sharded`] | matrices in DRAM whose blocks are in chosen banks |
//! | [`argument`] | what is passed to a kernel |
//! | [`pinned`] | memory of the host that kernels write to |
//! | `start` | what is checked before a program starts, and its start |
//! | [`run`] | the wait for its end |
//! | [`crate::report`] | what a program says of itself when it does not come to its end |
//!
//! A program has its tiles for itself, all cores of them, from its start until it has been waited for; several programs run at once on different
//! tiles. The built-in operators need all tiles: they are refused meanwhile, and while somebody has a buffer in L1 ([`Error::Taken`]).
//! A kernel that panics, faults or hangs is an error that names tile, core, source file and line; the tiles are stopped, and the device goes on.

pub mod argument;
pub mod buffer;
pub mod image;
mod lines;
pub mod pinned;
pub mod run;
pub mod sharded;
mod start;

use std::sync::Arc;
use std::time::Duration;

use tt_kernel_abi::program::Argument;

pub use crate::report::{BufferError, CoreState, Place, ProgramError, QueueError, Trouble};
pub use argument::{ArgumentOf, HostArgument};
pub use buffer::{CircularBuffer, DramBuffer, Element, L1Buffer, OnTiles, Semaphore};
pub use image::KernelImage;
pub use pinned::HostBuffer;
pub use run::Run;
pub use sharded::{Blocks, Shard, ShardedBuffer};
/// The five cores of a tile.
pub use tt_isa::map::RiscV as Core;

use crate::device::Device;
use crate::error::Error;
use crate::grid::{Tile, TileRange};

/// Most arguments of a kernel.
pub const MOST_ARGUMENTS: usize = u64::BITS as usize;
/// Bytes of the ring of a core that its text goes through.
pub const PRINT_BYTES: u32 = 1024;

/// A kernel on a core of every tile of a range, with its arguments.
#[derive(Clone)]
pub struct Kernel {
    image: KernelImage,
    core: Core,
    range: TileRange,
    arguments: Vec<Each>,
    prints: bool,
    spans: u32,
}

/// An argument on each tile.
#[derive(Clone)]
enum Each {
    Same(HostArgument),
    /// By tile, row by row.
    Differs(Vec<HostArgument>),
}

impl Kernel {
    /// A kernel on a core of all tiles of a range (or of one tile).
    pub fn new(image: &KernelImage, core: Core, range: impl Into<TileRange>) -> Self {
        Self {
            image: image.clone(),
            core,
            range: range.into(),
            arguments: Vec::new(),
            prints: false,
            spans: 0,
        }
    }

    /// The next argument, the same on all tiles.
    pub fn argument(mut self, argument: impl ArgumentOf) -> Self {
        self.arguments.push(Each::Same(argument.argument()));
        self
    }

    /// The next argument, what `f` makes of the place of each tile.
    pub fn argument_for_each<A: ArgumentOf>(mut self, mut f: impl FnMut(crate::grid::Logical) -> A) -> Self {
        let each = self.range.places().map(|place| f(place).argument());
        self.arguments.push(Each::Differs(each.collect()));
        self
    }

    /// Gives the kernel a ring for text (`tt_kernel::println!`), of [`PRINT_BYTES`] bytes of L1. The host prints it with the tile's
    /// place in front, or gives it to [`Program::on_text`].
    pub fn prints(mut self) -> Self {
        self.prints = true;
        self
    }

    /// Keeps the times of up to `most` spans of each core (`Kernel::span` on the device), for [`Program::on_span`].
    pub fn spans(mut self, most: u16) -> Self {
        self.spans = most.into();
        self
    }

    /// Its arguments on the `n`-th tile of its range.
    fn arguments(&self, n: usize) -> impl Iterator<Item = &HostArgument> {
        self.arguments.iter().map(move |each| match each {
            Each::Same(argument) => argument,
            Each::Differs(each) => &each[n],
        })
    }

    fn argument_words(&self, n: usize) -> Vec<Argument> {
        self.arguments(n).map(|argument| argument.words).collect()
    }
}

/// Receives text of a kernel: which tile and core, and the line.
pub type OnText = Arc<dyn Fn(Tile, Core, &str) + Send + Sync>;

/// A stretch of time that a kernel has measured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Span {
    /// The tile.
    pub tile: Tile,
    /// The core.
    pub core: Core,
    /// What the kernel calls it.
    pub name: String,
    /// The tile's wall clock at its beginning, in clocks of the chip.
    pub begin: u64,
    /// At its end.
    pub end: u64,
}

/// Receives spans.
pub type OnSpan = Arc<dyn Fn(&Span) + Send + Sync>;

/// Kernels that run at the same time. It can be started any number of times.
#[derive(Clone)]
pub struct Program {
    device: Arc<Device>,
    kernels: Vec<Kernel>,
    on_text: Option<OnText>,
    on_span: Option<OnSpan>,
    patience: Option<Duration>,
}

impl Program {
    /// A program of a device, without kernels.
    pub fn new(device: &Arc<Device>) -> Self {
        Self { device: Arc::clone(device), kernels: Vec::new(), on_text: None, on_span: None, patience: None }
    }

    /// The device that it is for.
    pub fn device(&self) -> &Arc<Device> {
        &self.device
    }

    /// Adds a kernel. Ranges of kernels may overlap as long as each core has one.
    pub fn kernel(mut self, kernel: Kernel) -> Self {
        self.kernels.push(kernel);
        self
    }

    /// Adds a kernel on a core of each tile of a list, which need not be a rectangle; `with` gives the one on the `n`-th tile its arguments.
    pub fn kernel_on_each(
        mut self,
        image: &KernelImage,
        core: Core,
        tiles: impl IntoIterator<Item = Tile>,
        mut with: impl FnMut(usize, Kernel) -> Kernel,
    ) -> Self {
        let kernels = tiles.into_iter().enumerate().map(|(n, tile)| with(n, Kernel::new(image, core, tile)));
        self.kernels.extend(kernels);
        self
    }

    /// Gives it so long to come to its end, instead of what [`Device::set_patience`] says.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// Gives lines of text that kernels print to `f`, instead of standard output.
    pub fn on_text(mut self, f: impl Fn(Tile, Core, &str) + Send + Sync + 'static) -> Self {
        self.on_text = Some(Arc::new(f));
        self
    }

    /// Gives spans of kernels that keep some to `f` when the program has come to its end; otherwise `tracing` gets them, as events of level debug.
    pub fn on_span(mut self, f: impl Fn(&Span) + Send + Sync + 'static) -> Self {
        self.on_span = Some(Arc::new(f));
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// [`ProgramError`] with the reason why it cannot be started; another program has one of its tiles; L1 has no room.
    pub fn launch(&self) -> Result<Run, Error> {
        start::launch(self)
    }

    /// Starts it and waits for its end.
    ///
    /// # Errors
    /// As [`launch`](Self::launch) and [`Run::wait`].
    pub fn run(&self) -> Result<(), Error> {
        self.launch()?.wait()
    }
}
