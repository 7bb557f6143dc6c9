//! The engine: runs a tile's cores and coprocessor for a quantum, and says when packets move.
//!
//! ```text
//! Engine::run -> schedule of a policy -> cores::turn      core -> bus -> the tile's registers
//!                                     -> pipeline::step   thread -> wait gate -> unit -> effects -> observer
//! Packets      -> when a packet takes its next step (fabric says what the step does)
//! ```
//!
//! What happens is in [`crate::model`], and there is one pipeline from a thread's FIFO to the effects of an instruction
//! ([`pipeline`]) and one bus ([`bus`]). A [`Policy`] decides when:
//!
//! | policy | cores | instructions in units | packets |
//! |---|---|---|---|
//! | [`fast::Fast`] | 1024 instructions a turn | done at once | delivered at the end of a quantum; reads of DRAM at once |
//! | [`clocked::Clocked`] with [`jitter::Jitter`] | one instruction a clock, with pauses | a random time | each step after a random time |
//!
//! A mode that keeps time is one more policy. It needs what is there: [`Policy::admits`] (is the unit free, are the
//! operands ready), [`Policy::keep`] (how long the unit is busy: opcode, word and accesses are known), a schedule of
//! cores with a cost for each instruction, and delays of packets that depend on their way ([`packets::Packets`]).

pub mod bus;
pub mod clocked;
pub mod cores;
pub mod ethernet;
pub mod fast;
pub mod jitter;
pub mod packets;
pub mod pipeline;
pub mod random;

use tt_isa::insn::Opcode;

use crate::fault::Fault;
use crate::model::noc::Request;
use crate::model::tensix::Tensix;
use crate::model::tensix::pipe::Pipe;
use crate::model::tile::Tile;
use crate::observe::counters::Counters;
use crate::observe::races::TileRaces;
use crate::observe::trace::Recorder;
use crate::observe::{Both, Issued, Observer};

use clocked::Clocked;
use fast::{Fast, Memory, Reads};
use jitter::Jitter;

/// How time passes inside of a chip.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Mode {
    /// Units finish at once; as many instructions a second as the host can give.
    #[default]
    Fast,
    /// Everything finishes after a random but legal delay, and accesses that nothing orders are reported as races.
    Async {
        /// All delays follow from it.
        seed: u64,
    },
}

/// Decides when the coprocessor's instructions happen.
pub trait Policy {
    /// Whether the coprocessor goes on whenever a core has to wait for it, without time passing.
    const ON_DEMAND: bool;
    /// Whether units may keep instructions.
    const KEEPS: bool;

    /// Whether an instruction that the gate lets through may go to its unit now.
    fn admits(&mut self, tensix: &Tensix, thread: usize, opcode: Opcode, pipe: Option<Pipe>) -> bool;

    /// An instruction has taken effect; whether its unit keeps it. Then its hand-overs are the policy's to make, later.
    fn keep(&mut self, tensix: &mut Tensix, issued: &Issued) -> bool;
}

/// What runs one tile.
pub enum Engine {
    /// Everything at once.
    Fast(Fast),
    /// Clock by clock, with random delays.
    Jitter(Box<Clocked<Jitter>>),
}

/// Who looks at a tile.
pub struct Observers<'a> {
    /// Always there.
    pub counters: &'a mut Counters,
    /// In the asynchronous mode.
    pub races: Option<&'a mut TileRaces>,
    /// While the tile is traced.
    pub recorder: Option<&'a mut Recorder>,
}

impl Engine {
    /// The engine of the `index`-th tile of a chip.
    pub fn new(mode: Mode, index: usize) -> Self {
        match mode {
            Mode::Fast => Self::Fast(Fast::default()),
            Mode::Async { seed } => Self::Jitter(Box::new(Clocked::new(Jitter::new(seed, index)))),
        }
    }

    /// Whether any core or the coprocessor could go on.
    pub fn is_awake(&self, tile: &Tile) -> bool {
        let pending = match self {
            Self::Fast(_) => false,
            Self::Jitter(clocked) => clocked.pending(tile),
        };
        pending || tile.has_awake_core()
    }

    /// Runs a tile for at most `budget` clocks.
    ///
    /// # Errors
    /// The first fault; the tile stays as it is then.
    pub fn run(&mut self, tile: &mut Tile, to: Observers, budget: u32, memory: Memory) -> Result<(), Fault> {
        let Observers { counters, races, recorder } = to;
        let result = match (races, recorder) {
            (None, None) => self.run_with(tile, counters, budget, memory),
            (None, Some(recorder)) => self.run_with(tile, &mut Both(counters, recorder), budget, memory),
            (Some(races), None) => self.run_with(tile, &mut Both(counters, races), budget, memory),
            (Some(races), Some(recorder)) => {
                self.run_with(tile, &mut Both(&mut Both(counters, races), recorder), budget, memory)
            }
        };
        result.map_err(|fault| fault.in_tile(tile.position()))
    }

    fn run_with<O: Observer>(
        &mut self,
        tile: &mut Tile,
        observer: &mut O,
        budget: u32,
        memory: Memory,
    ) -> Result<(), Fault> {
        match self {
            Self::Fast(fast) => fast.run(tile, observer, budget, memory),
            Self::Jitter(clocked) => clocked.run(tile, observer, budget),
        }
    }

    /// Does a request of the tile's if it is a read of DRAM without faults, and the engine does those itself.
    pub fn do_read(&mut self, tile: &mut Tile, memory: Memory, request: &Request) -> bool {
        match self {
            Self::Fast(fast) => fast.do_read(tile, memory, request),
            Self::Jitter(_) => false,
        }
    }

    /// Reads that it has done, and that the chip has not counted.
    pub fn reads_mut(&mut self) -> Option<&mut Reads> {
        match self {
            Self::Fast(fast) => Some(&mut fast.reads),
            Self::Jitter(_) => None,
        }
    }
}
