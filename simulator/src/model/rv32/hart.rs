//! A core's registers, and its turns.

use super::page::Leave;
use super::spin::Spin;
use super::{Bus, CodeCache, Kind, PAGE_BYTES, decode};
use crate::fault::Fault;

pub(super) const PAGE: &str = "TensixTile/BabyRISCV/README.md";
/// Registers while the loop runs: writes to `x0` go to the slot after `x31`, so `x0` stays zero. As many as the
/// mask of an index needs, so that no access has to be checked.
pub(super) const SLOTS: usize = 64;

/// Why a core's turn ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// It has executed as many instructions as it may.
    Budget,
    /// The instruction at its pc has to wait ([`Access::Retry`]).
    Blocked,
    /// It repeats itself until something that it loads changes.
    Spinning,
    /// It has put itself into reset.
    Held,
}

/// An instruction that a core has executed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retired {
    /// Where it is.
    pub pc: u32,
    /// Code word.
    pub word: u32,
    /// Of loads and stores: the address.
    pub addr: u32,
    /// What its destination register has now; of a store, what was stored.
    pub value: u32,
}

impl Retired {
    /// An instruction, and the registers before and after it.
    pub fn new(pc: u32, word: u32, before: &[u32; 32], after: &[u32; 32]) -> Self {
        let op = decode(word);
        let addr = before[op.rs1 as usize % 32].wrapping_add(op.imm as u32);
        let is_store = matches!(op.kind, Kind::Sb | Kind::Sh | Kind::Sw);
        let value = if is_store { before[op.rs2 as usize % 32] } else { after[op.rd as usize % 32] };
        Self { pc, word, addr, value }
    }
}

/// A core's architectural state, and what is needed to notice that it only polls.
#[derive(Clone, Default)]
pub struct Hart {
    /// Next instruction; after a fault the one that failed.
    pub pc: u32,
    /// Registers; `x[0]` is zero.
    pub x: [u32; 32],
    /// Instructions executed since the simulator started.
    pub executed: u64,
    /// The core's own effects that [`Bus::changes`] does not count.
    pub(super) effects: u64,
    pub(super) spin: Spin,
}

impl Hart {
    /// State after reset.
    pub fn reset(&mut self, pc: u32) {
        *self = Self { pc, executed: self.executed, ..Self::default() };
    }

    /// Executes at most `budget` instructions.
    ///
    /// # Errors
    /// The program does what the core cannot do, or the bus refuses an access. `pc` is at the instruction.
    pub fn run<B: Bus>(&mut self, code: &mut CodeCache, bus: &mut B, budget: u32) -> Result<Stop, Fault> {
        let mut x = self.begin_turn();
        let mut left = budget;
        let result = self.go_on(code, bus, &mut x, &mut left);
        self.x.copy_from_slice(&x[..32]);
        self.executed += u64::from(budget - left);
        result
    }

    /// As [`Self::run`], and shows every instruction that has been executed. The core does the same.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn run_traced<B: Bus>(
        &mut self,
        code: &mut CodeCache,
        bus: &mut B,
        budget: u32,
        mut show: impl FnMut(&mut B, u64, Retired),
    ) -> Result<Stop, Fault> {
        let mut x = self.begin_turn();
        for _ in 0..budget {
            let (pc, word, before) = (self.pc, bus.fetch(self.pc), self.x);
            let mut left = 1;
            let result = self.go_on(code, bus, &mut x, &mut left);
            self.x.copy_from_slice(&x[..32]);
            if let (0, Ok(word)) = (left, word) {
                show(bus, self.executed, Retired::new(pc, word, &before, &self.x));
                self.executed += 1;
            }
            if result != Ok(Stop::Budget) {
                return result;
            }
        }
        Ok(Stop::Budget)
    }

    fn begin_turn(&mut self) -> [u32; SLOTS] {
        let mut x = [0; SLOTS];
        x[..32].copy_from_slice(&self.x);
        // What it has read before its last turn ended may have changed since: it has to look again.
        self.effects += 1;
        x
    }

    /// Executes until there is a reason to end the turn.
    #[inline(always)]
    fn go_on<B: Bus>(
        &mut self,
        code: &mut CodeCache,
        bus: &mut B,
        x: &mut [u32; SLOTS],
        left: &mut u32,
    ) -> Result<Stop, Fault> {
        loop {
            match self.run_page(code, bus, x, left) {
                // What is there now may be what another unit has written: a core that waits for it and goes there
                // sees it.
                Leave::Page => bus.forget_changed(code),
                Leave::Unknown => {
                    self.decode_at_pc(code, bus)?;
                }
                Leave::Stored(addr) => code.stored(addr),
                Leave::Stop(stop) => return Ok(stop),
                Leave::Fault(fault) => return Err(fault),
            }
        }
    }

    fn decode_at_pc<B: Bus>(&self, code: &mut CodeCache, bus: &B) -> Result<(), Fault> {
        let op = decode(bus.fetch(self.pc)?);
        code.page(bus.code_page(self.pc)?)[(self.pc % PAGE_BYTES / 4) as usize] = op;
        Ok(())
    }
}
