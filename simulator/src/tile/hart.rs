//! Runs a core on its tile: what its loads, stores and fetches reach.

use tt_isa::map::{self, RiscV};

use super::{Activity, Tile};
use crate::fault::Fault;
use crate::l1::L1;
use crate::rv32::{
    Access, Bus, CodeCache, Hart, PAGE_BYTES, Retired, Stop, check_register_store, lane, no_code,
};
use crate::trace::{Recorder, State};

const PAGE: &str = "TensixTile/BabyRISCV/README.md";
const L1_PAGES: usize = map::L1_SIZE.div_ceil(PAGE_BYTES) as usize;
const IRAM_PAGES: usize = map::IRAM_SIZE.div_ceil(PAGE_BYTES) as usize;
/// Pages of code in a tile: L1, then NCRISC's instruction RAM.
pub(super) const CODE_PAGES: usize = L1_PAGES + IRAM_PAGES;
/// Where instruction RAM starts, counted from the first page.
pub(super) const IRAM_CODE: u32 = L1_PAGES as u32 * PAGE_BYTES;

impl Activity {
    fn state(self) -> State {
        match self {
            Activity::Reset => State::Reset,
            Activity::Awake => State::Awake,
            Activity::Asleep(_) => State::Asleep,
        }
    }
}

impl Tile {
    /// Runs core `i` for at most `budget` instructions; how many it executed.
    pub(super) fn run_hart(&mut self, i: usize, budget: u32) -> Result<u32, Fault> {
        let core = RiscV::ALL[i];
        self.refresh_code();
        // The core works on its own copy; the tile's is for others to look at.
        let mut hart = std::mem::take(&mut self.harts[i]);
        let mut code = std::mem::take(&mut self.code);
        let before = hart.executed;
        let result = match self.recorder.take() {
            None => hart.run(&mut code, &mut CoreBus { tile: self, core }, budget),
            Some(recorder) => self.run_recorded(&mut hart, &mut code, core, budget, recorder),
        };
        let (pc, executed) = (hart.pc, hart.executed - before);
        self.code = code;
        self.harts[i] = hart;
        let stop = result.map_err(|fault| fault.on_core(core, pc))?;
        if self.activity[i] == Activity::Awake && matches!(stop, Stop::Blocked | Stop::Spinning) {
            // What the core itself changed does not wake it; what others change from now on does.
            self.activity[i] = Activity::Asleep(self.changes);
        }
        Ok(executed as u32)
    }

    /// The code word at `pc`.
    pub(crate) fn fetch(&self, core: RiscV, pc: u32) -> Result<u32, Fault> {
        let bytes = match iram_offset(core, pc) {
            Some(at) => self.iram.get(at as usize..at as usize + 4),
            None => self.l1.get(pc, 4),
        };
        let word = bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| no_code(pc, PAGE))?;
        Ok(u32::from_le_bytes(word))
    }

    /// A core's local RAM.
    #[inline(always)]
    pub(crate) fn local_ram(&mut self, core: RiscV) -> &mut [u8] {
        &mut self.local[core as usize]
    }

    /// Forgets decoded code that has been written behind its back.
    #[inline]
    pub(crate) fn refresh_code(&mut self) {
        if std::mem::take(&mut self.iram_written) {
            self.code.written(IRAM_CODE, map::IRAM_SIZE as usize);
        }
        forget_changed(&mut self.l1, &mut self.code);
    }

    /// Runs a core whose tile is traced.
    #[cold]
    fn run_recorded(
        &mut self,
        hart: &mut Hart,
        code: &mut CodeCache,
        core: RiscV,
        budget: u32,
        mut recorder: Box<Recorder>,
    ) -> Result<Stop, Fault> {
        recorder.state(recorder.clock(core, hart.executed), core, State::Awake);
        let mut bus = CoreBus { tile: self, core };
        let result = if recorder.wants(core) {
            hart.run_traced(code, &mut bus, budget, |bus, executed, retired| {
                recorder.retired(core, executed, retired, &mut bus.tile.tensix);
            })
        } else {
            hart.run(code, &mut bus, budget)
        };
        recorder.coprocessor(&mut self.tensix);
        let state = match result {
            Ok(Stop::Blocked | Stop::Spinning) => State::Asleep,
            Ok(Stop::Held) => State::Reset,
            Ok(Stop::Budget) | Err(_) => State::Awake,
        };
        recorder.state(recorder.clock(core, hart.executed), core, state);
        self.recorder = Some(recorder);
        result
    }

    /// Tells the recorder that a quantum begins: what every core is doing.
    pub(super) fn record_quantum(&mut self, budget: u32) {
        let Some(recorder) = &mut self.recorder else { return };
        let executed = RiscV::ALL.map(|core| self.harts[core as usize].executed);
        recorder.begin(self.clock, budget, executed, &mut self.tensix);
        for core in RiscV::ALL {
            recorder.state(self.clock, core, self.activity[core as usize].state());
        }
    }

    /// Notes an instruction of the asynchronous mode, which has been executed at `now` of its own time.
    #[inline]
    pub(crate) fn record_step(&mut self, now: u64, core: RiscV, retired: impl FnOnce() -> Retired) {
        if let Some(recorder) = &mut self.recorder
            && recorder.wants(core)
        {
            recorder.retired_at(recorder.asynchronous(now), core, retired(), &mut self.tensix);
        }
    }

    /// Notes what a core does after a step of the asynchronous mode.
    #[inline]
    pub(crate) fn record_state(&mut self, now: u64, core: RiscV) {
        let state = self.activity[core as usize].state();
        if let Some(recorder) = &mut self.recorder {
            recorder.state(recorder.asynchronous(now), core, state);
        }
    }

    /// Pushes an in-line instruction to the core's own thread.
    fn push_inline(&mut self, core: RiscV, word: u32) -> Result<Access<()>, Fault> {
        let Some(thread) = core.tensix_thread() else {
            return Err(Fault::program(format!("{} has no Tensix thread to push to", core.name()))
                .page("TensixTile/BabyRISCV/PushTensixInstruction.md"));
        };
        let thread = thread as usize;
        if !self.tensix.can_push(thread) {
            // The coprocessor runs beside the core: let it make room before the core gives up its turn.
            self.step_tensix()?;
            if !self.tensix.can_push(thread) {
                return Ok(Access::Retry);
            }
        }
        self.tensix.push(thread, word, false);
        Ok(Access::Done(()))
    }
}

/// A tile as one of its cores sees it.
pub(crate) struct CoreBus<'a> {
    /// The tile.
    pub tile: &'a mut Tile,
    /// The core.
    pub core: RiscV,
}

/// Offset of `pc` in instruction RAM, if this core has one and `pc` is there.
fn iram_offset(core: RiscV, pc: u32) -> Option<u32> {
    let offset = pc.wrapping_sub(map::IRAM_BASE);
    (core == RiscV::Ncrisc && offset < map::IRAM_SIZE).then_some(offset)
}

/// Number of the page of code that a core executes from at `pc`.
pub(crate) fn code_page(core: RiscV, pc: u32) -> Result<usize, Fault> {
    let at = if pc < map::L1_SIZE { Some(pc) } else { iram_offset(core, pc).map(|at| at + IRAM_CODE) };
    at.map(|at| (at / PAGE_BYTES) as usize).ok_or_else(|| no_code(pc, PAGE))
}

impl Bus for CoreBus<'_> {
    #[inline(always)]
    fn l1(&mut self) -> &mut [u8] {
        self.tile.l1.bytes_mut()
    }

    #[inline(always)]
    fn local(&mut self) -> &mut [u8] {
        self.tile.local_ram(self.core)
    }

    fn code_page(&self, pc: u32) -> Result<usize, Fault> {
        code_page(self.core, pc)
    }

    fn fetch(&self, pc: u32) -> Result<u32, Fault> {
        self.tile.fetch(self.core, pc)
    }

    fn load(&mut self, addr: u32, size: u32) -> Result<Access<u32>, Fault> {
        Ok(match self.tile.register_load(self.core, addr & !3)? {
            Access::Done(word) => Access::Done(lane(word, addr, size)),
            Access::Volatile(word) => Access::Volatile(lane(word, addr, size)),
            Access::Retry => Access::Retry,
        })
    }

    fn store(&mut self, addr: u32, size: u32, value: u32) -> Result<Access<()>, Fault> {
        check_register_store(addr, size, PAGE)?;
        self.tile.register_store(self.core, addr, value)
    }

    fn push(&mut self, word: u32) -> Result<Access<()>, Fault> {
        self.tile.push_inline(self.core, word)
    }

    #[inline(always)]
    fn forget_changed(&mut self, code: &mut CodeCache) {
        forget_changed(&mut self.tile.l1, code);
    }

    #[inline(always)]
    fn changed(&mut self) {
        self.tile.changes += 1;
    }

    #[inline(always)]
    fn changes(&self) -> u64 {
        self.tile.changes
    }

    fn held(&self) -> bool {
        self.tile.activity[self.core as usize] == Activity::Reset
    }
}

/// Forgets decoded code of what the coprocessor has written to L1.
#[inline(always)]
fn forget_changed(l1: &mut L1, code: &mut CodeCache) {
    for page in l1.take_changed() {
        code.written(page * PAGE_BYTES, PAGE_BYTES as usize);
    }
}
