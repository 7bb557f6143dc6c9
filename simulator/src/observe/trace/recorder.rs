//! The tile's part of a trace: records the events of its cores and its coprocessor, in order.
//!
//! Tiles run a quantum on different host threads; the chip collects the records when all tiles are done.

use tt_isa::insn::Opcode;
use tt_isa::map::RiscV;

use super::TraceConfig;
use super::timeline::AWAKE;
use crate::fault::Fault;
use crate::model::rv32::Retired;
use crate::model::tensix::pipe::{PIPES, Pipe};
use crate::observe::usage::CoreWait;
use crate::observe::{CoreState, Issued, Observer};

const CORES: usize = RiscV::ALL.len();
/// A unit that pauses for no longer than this is shown as busy all the time: else there would be a span for every instruction.
const PAUSE: u64 = 16;

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
    /// What cores do from a clock on, as the timeline calls it.
    pub states: Vec<(u64, RiscV, &'static str)>,
    state: [Option<&'static str>; CORES],
    /// Where time is kept.
    timed: bool,
    /// Units that were busy, with clocks.
    pub busy: Vec<(Pipe, u64, u64)>,
    units: [Busy; PIPES],
}

/// What a unit is busy with.
#[derive(Clone, Copy, Default)]
struct Busy {
    instructions: u32,
    /// From when to when, if that has not been noted yet.
    span: Option<(u64, u64)>,
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
            timed: false,
            busy: Vec::new(),
            units: Default::default(),
        }
    }

    /// Spans of units that may still go on: time is over.
    pub fn close(&mut self) {
        for pipe in Pipe::ALL {
            let span = self.units[pipe as usize].span.take();
            self.busy.extend(span.map(|(begin, end)| (pipe, begin, end)));
        }
    }

    /// A core does something else.
    fn does(&mut self, clock: u64, core: RiscV, what: &'static str) {
        if self.config.timeline
            && self.config.has_core(core)
            && self.state[core as usize].replace(what) != Some(what)
        {
            self.states.push((clock, core, what));
        }
    }
}

/// What a core does, as the timeline calls it.
const fn name(state: CoreState) -> &'static str {
    match state {
        CoreState::Reset => "reset",
        CoreState::Awake => AWAKE,
        CoreState::Asleep => "asleep",
    }
}

/// What a core waits for, as the timeline calls it.
const fn waits(wait: CoreWait) -> &'static str {
    match wait {
        CoreWait::Word => "waits for a word in L1",
        CoreWait::Noc => "waits for the NoC",
        CoreWait::Coprocessor => "waits for the coprocessor",
        CoreWait::Register => "waits for a register",
        CoreWait::Operand | CoreWait::Memory | CoreWait::Code => AWAKE,
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
        // Where time is kept, what it waits for comes next.
        if !self.timed || state != CoreState::Asleep {
            self.does(clock, core, name(state));
        }
    }

    fn core_waits(&mut self, clock: u64, core: RiscV, wait: CoreWait) {
        self.does(clock, core, waits(wait));
    }

    fn time(&mut self, clock: u64) {
        (self.now, self.timed) = (clock, true);
    }

    fn issued(&mut self, issued: &Issued) -> Result<(), Fault> {
        let Some(pipe) = issued.pipe.filter(|_| self.timed && self.config.timeline) else { return Ok(()) };
        let now = self.now;
        let unit = &mut self.units[pipe as usize];
        unit.instructions += 1;
        if unit.instructions == 1 && unit.span.is_none_or(|(_, end)| end + PAUSE < now) {
            let before = unit.span.replace((now, now));
            self.busy.extend(before.map(|(begin, end)| (pipe, begin, end)));
        }
        Ok(())
    }

    fn left_pipe(&mut self, pipe: Pipe) {
        let now = self.now;
        let unit = &mut self.units[pipe as usize];
        unit.instructions = unit.instructions.saturating_sub(1);
        if let Some((_, end)) = &mut unit.span {
            *end = now.max(*end);
        }
    }
}
