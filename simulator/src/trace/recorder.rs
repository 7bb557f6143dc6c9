//! The tile's end of a trace: notes what its cores and its coprocessor do, in the order in which they do it.
//!
//! A tile runs a quantum on a thread of its own; the chip collects what was noted when all tiles have had their turn.

use tt_isa::map::RiscV;

use crate::rv32::Retired;
use crate::tensix::Tensix;

use super::TraceConfig;

const CORES: usize = RiscV::ALL.len();

/// An instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Instruction {
    /// Of a RISC-V core.
    RiscV {
        /// The core.
        core: RiscV,
        /// What it did.
        retired: Retired,
    },
    /// Of the coprocessor.
    Tensix {
        /// Thread.
        thread: u8,
        /// Instruction word.
        word: u32,
    },
}

/// What a core is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Held in reset.
    Reset,
    /// Executing.
    Awake,
    /// Waiting for something to change.
    Asleep,
}

/// What a tile has noted in one quantum.
pub struct Recorder {
    config: TraceConfig,
    /// Clock at which the quantum began.
    start: u64,
    /// Instructions of each core by then.
    executed: [u64; CORES],
    /// The asynchronous mode's own time by then.
    origin: u64,
    /// Clock of the instruction noted last.
    now: u64,
    /// Instructions of this quantum are wanted.
    wanted: bool,
    /// Instructions, with clocks.
    pub instructions: Vec<(u64, Instruction)>,
    /// Changes of cores' states, with clocks.
    pub states: Vec<(u64, RiscV, State)>,
    state: [Option<State>; CORES],
}

impl Recorder {
    /// A tile's recorder.
    pub fn new(config: &TraceConfig) -> Self {
        Self {
            config: config.clone(),
            start: 0,
            origin: 0,
            executed: [0; CORES],
            now: 0,
            wanted: false,
            instructions: Vec::new(),
            states: Vec::new(),
            state: [None; CORES],
        }
    }

    /// A quantum begins; how many instructions each core has executed so far.
    pub fn begin(&mut self, clock: u64, budget: u32, executed: [u64; CORES], tensix: &mut Tensix) {
        (self.start, self.now, self.executed) = (clock, clock, executed);
        let overlaps = clock < self.config.to && clock + u64::from(budget) > self.config.from;
        self.wanted = self.config.instructions && overlaps;
        tensix.trace = self.wanted.then(Vec::new);
    }

    /// Whether a core's instructions are to be shown one by one.
    pub fn wants(&self, core: RiscV) -> bool {
        self.wanted && self.config.has_core(core)
    }

    /// Clock of a core that has executed so many instructions.
    pub fn clock(&self, core: RiscV, executed: u64) -> u64 {
        self.start + (executed - self.executed[core as usize])
    }

    /// A quantum of the asynchronous mode begins, which has a time of its own.
    pub fn begin_asynchronous(&mut self, now: u64) {
        self.origin = now;
    }

    /// Clock at a time of the asynchronous mode.
    pub fn asynchronous(&self, now: u64) -> u64 {
        self.start + (now - self.origin)
    }

    /// Notes an instruction of a core, after those that the coprocessor has executed since.
    pub fn retired(&mut self, core: RiscV, executed: u64, retired: Retired, tensix: &mut Tensix) {
        self.retired_at(self.clock(core, executed), core, retired, tensix);
    }

    /// The same, at a clock.
    pub fn retired_at(&mut self, clock: u64, core: RiscV, retired: Retired, tensix: &mut Tensix) {
        self.coprocessor(tensix);
        self.now = clock;
        if self.config.has_clock(self.now) {
            self.instructions.push((self.now, Instruction::RiscV { core, retired }));
        }
    }

    /// Notes what the coprocessor has executed since.
    pub fn coprocessor(&mut self, tensix: &mut Tensix) {
        let Some(words) = &mut tensix.trace else { return };
        let (now, config) = (self.now, &self.config);
        let wanted = words.drain(..).filter(|&(thread, _)| {
            config.has_clock(now) && config.has_core(RiscV::ALL[RiscV::Trisc0 as usize + usize::from(thread)])
        });
        self.instructions.extend(wanted.map(|(thread, word)| (now, Instruction::Tensix { thread, word })));
    }

    /// Notes what a core is doing.
    pub fn state(&mut self, clock: u64, core: RiscV, state: State) {
        if !self.config.timeline || !self.config.has_core(core) {
            return;
        }
        if self.state[core as usize].replace(state) != Some(state) {
            self.states.push((clock, core, state));
        }
    }
}
