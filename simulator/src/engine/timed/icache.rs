//! A core's instruction cache (`BabyRISCV/InstructionCache.md`): what a jump to code costs that is not in it.
//!
//! The pages give its size, and that a prefetcher brings what comes next. How lines are placed they do not say: here each
//! line has one place, so that a loop that fits is kept, and one that does not loses what lies too far apart.

use tt_isa::map;
use tt_isa::timing::CoreTiming;

/// No line: code is not up there.
const EMPTY: u32 = u32::MAX;
/// Room for the lines of the largest cache.
const LINES: usize = 128;

/// Which lines are in the cache.
pub struct ICache {
    lines: [u32; LINES],
    /// Lines that the core's cache has, less one: a power of two.
    mask: u32,
    line_bits: u32,
    miss: u64,
}

impl ICache {
    /// A core's cache of so many bytes, empty.
    pub fn new(timing: &CoreTiming, bytes: u16) -> Self {
        let lines = u32::from(bytes / u16::from(timing.icache_line));
        assert!(lines.is_power_of_two() && lines as usize <= LINES, "{lines} lines of code");
        Self {
            lines: [EMPTY; LINES],
            mask: lines - 1,
            line_bits: timing.icache_line.trailing_zeros(),
            miss: timing.icache_miss.into(),
        }
    }

    /// The core goes on to the instruction at `pc`: the prefetcher has brought it.
    #[inline(always)]
    pub fn goes_on(&mut self, pc: u32) {
        if pc & ((1 << self.line_bits) - 1) == 0 && pc < map::IRAM_BASE {
            *self.place(pc) = pc >> self.line_bits;
        }
    }

    /// Clocks that the instruction at `pc` is late, to which the one before it has led.
    #[inline]
    pub fn jump(&mut self, pc: u32) -> u64 {
        let line = pc >> self.line_bits;
        if pc >= map::IRAM_BASE {
            // NCRISC's own RAM.
            return 0;
        }
        let place = self.place(pc);
        if *place == line {
            return 0;
        }
        *place = line;
        self.miss
    }

    #[inline(always)]
    fn place(&mut self, pc: u32) -> &mut u32 {
        &mut self.lines[(pc >> self.line_bits & self.mask) as usize % LINES]
    }
}
