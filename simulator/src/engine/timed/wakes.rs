//! What wakes a core that is asleep, or a thread that waits at the gate.
//!
//! A tile counts everything that somebody could wait for ([`Tile::changes`](crate::model::tile::Tile::changes)). Most of it is
//! none of a waiting core's business: its neighbour's stores to L1 elsewhere, the coprocessor's next instruction. So each core's loads
//! are remembered, words of L1 as bits of a hash, and of these changes only those count for a core that concern what
//! it has loaded. A core may be woken for nothing, but never is not woken.

use tt_isa::map::RiscV;

use super::scoreboard::Place;
use crate::model::tile::HARTS;

/// Loads are forgotten after so many clocks: a loop that polls loads its words again.
const MEMORY: u64 = 256;

/// What a core has loaded lately, and what concerned it.
#[derive(Clone, Copy, Default)]
struct Watch {
    /// Words of L1, a bit for several.
    words: u64,
    /// Registers of NIUs or others; of the coprocessor.
    registers: bool,
    coprocessor: bool,
    /// Since when they are remembered.
    since: u64,
    /// Grows with every change that concerns it, apart from those that are counted elsewhere.
    count: u64,
    /// When something was last stored to its words.
    stored_at: u64,
    /// [`Wakes::seen_by`] when it fell asleep.
    seen: u64,
}

/// Changes of a tile, by whom they concern.
pub struct Wakes {
    /// Stores of cores to L1, and to registers of NIUs.
    stores: u64,
    registers: u64,
    /// Steps of the coprocessor that have written nothing to L1.
    steps: u64,
    cores: [Watch; HARTS],
    /// Words that others have loaded than the core whose turn it is.
    others: u64,
}

fn bit(addr: u32) -> u64 {
    1 << (addr >> 2 & 63)
}

impl Wakes {
    /// Nothing has happened. Counts begin far from zero: some are subtracted.
    pub fn new() -> Self {
        let watch = Watch { count: 1 << 40, ..Watch::default() };
        Self { stores: 0, registers: 0, steps: 0, cores: [watch; HARTS], others: 0 }
    }

    /// Changes that concern a core, of so many in all.
    #[inline(always)]
    pub fn seen_by(&self, core: RiscV, changes: u64) -> u64 {
        let watch = &self.cores[core as usize];
        let others = changes - self.stores - self.registers - self.steps;
        let registers = if watch.registers { self.registers } else { 0 };
        let steps = if watch.coprocessor { self.steps } else { 0 };
        watch.count.wrapping_add(others + registers + steps)
    }

    /// The same of a thread; `words`: the instruction at the gate may wait for a word of L1.
    #[inline]
    pub fn seen_by_thread(&self, words: bool, changes: u64) -> u64 {
        changes - self.registers - if words { 0 } else { self.stores }
    }

    /// A core loads.
    #[inline]
    pub fn loaded(&mut self, core: RiscV, place: Place, addr: u32) {
        match place {
            Place::L1 => self.loaded_word(core, addr),
            Place::Local => {}
            Place::Noc => self.watch(core, true, false),
            Place::Sync | Place::Coprocessor | Place::Register => self.watch(core, true, true),
        }
    }

    /// A core loads from L1.
    #[inline(always)]
    pub fn loaded_word(&mut self, core: RiscV, addr: u32) {
        self.cores[core as usize].words |= bit(addr);
    }

    /// From now on more changes concern a core; the count differs from what it was.
    fn watch(&mut self, core: RiscV, registers: bool, coprocessor: bool) {
        let watch = &mut self.cores[core as usize];
        if registers && !watch.registers {
            watch.registers = true;
            watch.count = watch.count.wrapping_add(1).wrapping_sub(self.registers);
        }
        if coprocessor && !watch.coprocessor {
            watch.coprocessor = true;
            watch.count = watch.count.wrapping_add(1).wrapping_sub(self.steps);
        }
    }

    /// A core's turn begins at `now`: what it has loaded long ago is forgotten.
    #[inline]
    pub fn turn(&mut self, core: RiscV, now: u64, woken: bool) {
        let watch = &mut self.cores[core as usize];
        if woken || now - watch.since.min(now) > MEMORY {
            let registers = if watch.registers { self.registers } else { 0 };
            let steps = if watch.coprocessor { self.steps } else { 0 };
            let count = watch.count.wrapping_add(1 + registers + steps);
            *watch = Watch { since: now, count, stored_at: watch.stored_at, ..Watch::default() };
        }
        let others = self.cores.iter().enumerate().filter(|&(other, _)| other != core as usize);
        self.others = others.fold(0, |words, (_, watch)| words | watch.words);
    }

    /// A core whose turn it is stores to a word of L1 at clock `at`; the cores that it concerns, a bit each.
    #[inline(always)]
    pub fn stored(&mut self, core: RiscV, addr: u32, at: u64) -> u8 {
        self.stores += 1;
        self.cores[core as usize].count += 1;
        if self.others & bit(addr) == 0 { 0 } else { self.concerned(core, addr, at) }
    }

    fn concerned(&mut self, core: RiscV, addr: u32, at: u64) -> u8 {
        let mut concerned = 0;
        for (i, watch) in self.cores.iter_mut().enumerate() {
            if i != core as usize && watch.words & bit(addr) != 0 {
                watch.count += 1;
                watch.stored_at = at;
                concerned |= 1 << i;
            }
        }
        concerned
    }

    /// A core stores to a register of a NIU.
    #[inline]
    pub fn stored_to_niu(&mut self) {
        self.registers += 1;
    }

    /// The coprocessor has gone on, and has written nothing to L1.
    #[inline]
    pub fn stepped(&mut self) {
        self.steps += 1;
    }

    /// A core falls asleep; `blocked`: it waits for the coprocessor to take something.
    pub fn sleep(&mut self, core: RiscV, blocked: bool, changes: u64) {
        if blocked {
            self.watch(core, true, true);
        }
        self.cores[core as usize].seen = self.seen_by(core, changes);
    }

    /// Whether a core that is asleep has to look again.
    #[inline(always)]
    pub fn wakes(&self, core: RiscV, changes: u64) -> bool {
        self.seen_by(core, changes) != self.cores[core as usize].seen
    }

    /// When something was last stored to what a core has loaded.
    #[inline]
    pub fn stored_at(&self, core: RiscV) -> u64 {
        self.cores[core as usize].stored_at
    }
}
