//! The tile's part of a trace: records the events of its cores and its coprocessor, in order.
//!
//! Tiles run a quantum on different host threads; the chip collects the records when all tiles are done.

use tt_isa::insn::Opcode;
use tt_isa::map::RiscV;

use super::TraceConfig;
use crate::model::rv32::Retired;
use crate::observe::{CoreState, Observer};

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

/// What a tile has noted in one quantum.
pub struct Recorder {
    config: TraceConfig,
    /// Clock of the instruction noted last.
    now: u64,
    /// Instructions of this quantum are wanted.
    wanted: bool,
    /// Instructions, with clocks.
    pub instructions: Vec<(u64, Instruction)>,
    /// Changes of cores' states, with clocks.
    pub states: Vec<(u64, RiscV, CoreState)>,
    state: [Option<CoreState>; CORES],
}

impl Recorder {
    /// A tile's recorder.
    pub fn new(config: &TraceConfig) -> Self {
        Self {
            config: config.clone(),
            now: 0,
            wanted: false,
            instructions: Vec::new(),
            states: Vec::new(),
            state: [None; CORES],
        }
    }
}

impl Observer for Recorder {
    fn quantum(&mut self, clock: u64, budget: u32, _released: u8) {
        self.now = clock;
        let overlaps = clock < self.config.to && clock + u64::from(budget) > self.config.from;
        self.wanted = self.config.instructions && overlaps;
    }

    fn wants_instructions(&self, core: RiscV) -> bool {
        self.wanted && self.config.has_core(core)
    }

    fn core_retired(&mut self, clock: u64, core: RiscV, retired: &Retired) {
        self.now = clock;
        if self.config.has_clock(clock) {
            self.instructions.push((clock, Instruction::RiscV { core, retired: *retired }));
        }
    }

    /// The coprocessor runs behind the cores: its instructions have the clock of the core that ran last.
    fn tensix_retired(&mut self, thread: usize, _opcode: Opcode, word: u32) {
        let core = RiscV::ALL[RiscV::Trisc0 as usize + thread];
        if self.wanted && self.config.has_clock(self.now) && self.config.has_core(core) {
            self.instructions.push((self.now, Instruction::Tensix { thread: thread as u8, word }));
        }
    }

    fn core_state(&mut self, clock: u64, core: RiscV, state: CoreState) {
        if !self.config.timeline || !self.config.has_core(core) {
            return;
        }
        if self.state[core as usize].replace(state) != Some(state) {
            self.states.push((clock, core, state));
        }
    }
}
