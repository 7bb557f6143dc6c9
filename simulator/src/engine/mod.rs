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
//! | [`timed::Timed`] | each instruction when silicon would | what silicon takes | each step when its way is done ([`network`]) |

pub mod bus;
pub mod clocked;
pub mod cores;
pub mod ethernet;
pub mod fast;
pub mod jitter;
pub mod network;
pub mod packets;
pub mod pipeline;
pub mod pipes;
pub mod random;
pub mod timed;

use tt_isa::chip::Chip;
use tt_isa::insn::Opcode;
use tt_isa::map::RiscV;

use crate::fault::Fault;
use crate::model::noc::Request;
use crate::model::rv32::Op;
use crate::model::tensix::Tensix;
use crate::model::tensix::pipe::Pipe;
use crate::model::tile::Tile;
use crate::observe::counters::Counters;
use crate::observe::races::TileRaces;
use crate::observe::trace::Recorder;
use crate::observe::usage::TileUsage;
use crate::observe::{Both, Closely, Issued, Observer};

use clocked::Clocked;
use fast::{Fast, Memory, Reads};
use jitter::Jitter;
use timed::Timed;

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
    /// Everything takes the time that it takes on silicon, as far as that is known.
    Timed,
}

/// Decides when the coprocessor's instructions happen.
pub trait Policy {
    /// Whether the coprocessor goes on whenever a core has to wait for it, without time passing.
    const ON_DEMAND: bool;
    /// Whether units may keep instructions.
    const KEEPS: bool;

    /// Whether an instruction that the gate lets through may go to its unit now.
    fn admits(
        &mut self,
        tensix: &Tensix,
        thread: usize,
        opcode: Opcode,
        word: u32,
        pipe: Option<Pipe>,
    ) -> bool;

    /// An instruction has taken effect; whether its unit keeps it. Then its hand-overs are the policy's to make, later.
    fn keep(&mut self, tensix: &mut Tensix, issued: &Issued) -> bool;

    /// Whether cores ask before each instruction.
    const PACED: bool = false;

    /// What a core that polls compares: it differs whenever something has changed that concerns the core.
    #[inline(always)]
    fn changes(&self, tile: &Tile, _core: RiscV) -> u64 {
        tile.changes()
    }

    /// Whether there is time for a core's instruction at `pc`, whose register operands have these values; if not, its turn
    /// ends in front of it.
    #[inline(always)]
    fn may_execute(
        &mut self,
        _tile: &mut Tile,
        _core: RiscV,
        _pc: u32,
        _op: &Op,
        _operands: [u32; 2],
    ) -> bool {
        true
    }
}

/// What runs one tile.
pub enum Engine {
    /// Everything at once.
    Fast(Fast),
    /// Clock by clock, with random delays.
    Jitter(Box<Clocked<Jitter>>),
    /// From event to event, with the costs of silicon.
    Timed(Box<Timed>),
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
    /// The engine of the `index`-th tile of a chip. A chip whose costs are not known has no timed mode: its engine is the
    /// fast one.
    pub fn new(mode: Mode, index: usize, chip: &'static Chip) -> Self {
        match mode {
            Mode::Fast => Self::Fast(Fast::default()),
            Mode::Timed => match chip.timing {
                Some(timing) => Self::Timed(Box::new(Timed::new(timing))),
                None => Self::Fast(Fast::default()),
            },
            Mode::Async { seed } => Self::Jitter(Box::new(Clocked::new(Jitter::new(seed, index)))),
        }
    }

    /// Whether any core or the coprocessor could go on.
    pub fn is_awake(&self, tile: &Tile) -> bool {
        match self {
            Self::Fast(_) => tile.has_awake_core(),
            Self::Jitter(clocked) => clocked.pending(tile) || tile.has_awake_core(),
            Self::Timed(timed) => timed.next_event(tile) != u64::MAX,
        }
    }

    /// When a tile next does something, if nothing comes from outside; `clock` if that may be at once, [`u64::MAX`] if it will not.
    #[inline]
    pub fn next_event(&self, tile: &Tile, clock: u64) -> u64 {
        match self {
            Self::Timed(timed) => timed.next_event(tile),
            _ if self.is_awake(tile) => clock,
            _ => u64::MAX,
        }
    }

    /// No other tile does anything in the next turn: it ends when the tile asks for something. Whether the mode knows of that.
    pub fn run_alone(&mut self) -> bool {
        match self {
            Self::Timed(timed) => timed.run_alone(),
            Self::Fast(_) | Self::Jitter(_) => return false,
        }
        true
    }

    /// The clock at which the last turn has ended, where it ends by the clock.
    pub fn ended(&self) -> Option<u64> {
        match self {
            Self::Timed(timed) => Some(timed.now()),
            Self::Fast(_) | Self::Jitter(_) => None,
        }
    }

    /// What a tile has been busy with until `clock`, where time is kept.
    pub fn usage(&self, tile: &Tile, clock: u64) -> Option<TileUsage> {
        match self {
            Self::Timed(timed) => Some(timed.usage(tile, clock)),
            Self::Fast(_) | Self::Jitter(_) => None,
        }
    }

    /// Takes the clocks at which the requests that wait were made, where they are known.
    pub fn take_made(&mut self, tile: &Tile, clock: u64) -> Option<Vec<u64>> {
        match self {
            Self::Timed(timed) => Some(timed.take_made(tile, clock)),
            Self::Fast(_) | Self::Jitter(_) => None,
        }
    }

    /// Runs a tile for at most `budget` clocks.
    ///
    /// # Errors
    /// The first fault; the tile stays as it is then.
    pub fn run(&mut self, tile: &mut Tile, to: Observers, budget: u32, memory: Memory) -> Result<(), Fault> {
        let Observers { counters, races, recorder } = to;
        let result = match (races, recorder) {
            // Each store of a core has to be seen.
            (None, None) if tile.l1().has_stuck() => {
                self.run_with(tile, &mut Both(counters, &mut Closely), budget, memory)
            }
            (None, None) => self.run_with(tile, counters, budget, memory),
            (None, Some(recorder)) => self.run_with(tile, &mut Both(counters, recorder), budget, memory),
            (Some(races), None) => self.run_with(tile, &mut Both(counters, races), budget, memory),
            (Some(races), Some(recorder)) => {
                self.run_with(tile, &mut Both(&mut Both(counters, races), recorder), budget, memory)
            }
        };
        tile.l1_mut().settle();
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
            Self::Timed(timed) => timed.run(tile, observer, budget),
        }
    }

    /// Does a request of the tile's if it is a read of DRAM without faults, and the engine does those itself.
    pub fn do_read(&mut self, tile: &mut Tile, memory: Memory, request: &Request) -> bool {
        match self {
            Self::Fast(fast) => fast.do_read(tile, memory, request),
            Self::Jitter(_) | Self::Timed(_) => false,
        }
    }

    /// Reads that it has done, and that the chip has not counted.
    pub fn reads_mut(&mut self) -> Option<&mut Reads> {
        match self {
            Self::Fast(fast) => Some(&mut fast.reads),
            Self::Jitter(_) | Self::Timed(_) => None,
        }
    }
}
