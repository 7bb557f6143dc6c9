//! The baby RISC-V cores: RV32IM, one instruction at a time, no traps (`TensixTile/BabyRISCV/README.md`).
//!
//! [`decode`] turns a code word into a compact [`Op`]; [`Hart`] holds a core's registers. The loop that executes
//! them is the tile's (`crate::tile`), since that is what loads and stores reach.
//!
//! A code word whose low two bits are not `11` is a Tensix instruction in line (`.ttinsn`).

mod decode;
pub use decode::{Kind, Op, decode};

/// A core's architectural state, and what is needed to notice that it only polls.
#[derive(Clone)]
pub struct Hart {
    /// Next instruction.
    pub pc: u32,
    /// Registers; `x[0]` is zero.
    pub x: [u32; 32],
    /// Instructions executed since the simulator started.
    pub executed: u64,
    /// The latest backward jump.
    pub(crate) spin: Spin,
}

impl Default for Hart {
    fn default() -> Self {
        Self { pc: 0, x: [0; 32], executed: 0, spin: Spin::default() }
    }
}

impl Hart {
    /// State after reset.
    pub fn reset(&mut self, pc: u32) {
        *self = Self { pc, executed: self.executed, ..Self::default() };
    }
}

/// Notices loops that cannot end by themselves.
///
/// If a backward jump goes to the same place twice with the same registers and nothing in between has changed
/// anything or read anything that changes by itself, the core will do the same for ever, until memory changes.
#[derive(Clone)]
pub(crate) struct Spin {
    target: u32,
    x: [u32; 32],
    /// Jumps to `target` in a row without side effects.
    rounds: u32,
}

impl Default for Spin {
    fn default() -> Self {
        Self { target: u32::MAX, x: [0; 32], rounds: 0 }
    }
}

impl Spin {
    /// A side effect: the loop is not idle.
    #[inline(always)]
    pub(crate) fn disturb(&mut self) {
        self.rounds = 0;
    }

    /// Notes a backward jump; whether the core is spinning.
    #[inline(always)]
    pub(crate) fn backward(&mut self, target: u32, x: &[u32; 32]) -> bool {
        if target != self.target {
            self.target = target;
            self.rounds = 0;
            return false;
        }
        self.rounds += 1;
        // Registers are compared from the second quiet round on: most loops store something.
        if self.rounds < 2 {
            return false;
        }
        let same = self.rounds > 2 && *x == self.x;
        self.x = *x;
        same
    }
}
