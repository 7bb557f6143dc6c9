//! A core's instruction cache (`BabyRISCV/InstructionCache.md`): what a jump to code costs that is not in it.
//!
//! The pages give its size, and that a prefetcher brings what comes next. How lines are placed they do not say: here each
//! line has one place, so that a loop that fits is kept, and one that does not loses what lies too far apart.

use tt_isa::map::{self, RiscV};
use tt_isa::timing::CoreTiming;

/// No line: code is not up there.
const EMPTY: u32 = u32::MAX;

/// Which lines are in the cache.
pub struct ICache {
    lines: Vec<u32>,
    line_bits: u32,
    last: u32,
    miss: u64,
}

impl ICache {
    /// A core's cache, empty.
    pub fn new(timing: &CoreTiming, core: RiscV) -> Self {
        let lines = timing.icache_bytes[core as usize] / u16::from(timing.icache_line);
        let line_bits = timing.icache_line.trailing_zeros();
        Self { lines: vec![EMPTY; lines.into()], line_bits, last: EMPTY, miss: timing.icache_miss.into() }
    }

    /// Whether the instruction at `pc` is in the same line as the last one.
    #[inline(always)]
    pub fn is_last(&self, pc: u32) -> bool {
        pc >> self.line_bits == self.last
    }

    /// Clocks that the instruction at `pc` is late; `jumped`: the one before has led there.
    #[inline]
    pub fn fetch(&mut self, pc: u32, jumped: bool) -> u64 {
        let line = pc >> self.line_bits;
        if line == self.last {
            return 0;
        }
        self.fetch_line(pc, line, jumped)
    }

    fn fetch_line(&mut self, pc: u32, line: u32, jumped: bool) -> u64 {
        self.last = line;
        if pc >= map::IRAM_BASE {
            // NCRISC's own RAM.
            return 0;
        }
        let place = line as usize % self.lines.len();
        if self.lines[place] == line {
            return 0;
        }
        self.lines[place] = line;
        if jumped { self.miss } else { 0 }
    }
}
