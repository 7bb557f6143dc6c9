//! Wait gate: holds a thread's instructions back until a latched condition is met (`STALLWAIT.md`,
//! `SEMWAIT.md`).
//!
//! `STALLWAIT` and `SEMWAIT` latch a condition and a mask of the kinds of instruction that must wait for it.
//! Instructions of other kinds pass. The engine says whether a unit is busy ([`Tensix::set_busy`]). Where units complete
//! at once, only conditions on the owners of SrcA and SrcB can be unmet.

use tt_isa::insn::{Opcode, SEMWAIT, STALLWAIT};
use tt_isa::stall::until;

use super::frontend::Wait;
use super::{Exec, Step, Tensix, sync};
use crate::fault::Fault;

/// Conditions on units.
const UNITS: u32 =
    until::THCON | until::UNPACK | until::PACK | until::MATH | until::XMOV | until::RISCV | until::SFPU;

const PAGE: &str = "TensixTile/TensixCoprocessor/STALLWAIT.md";

/// What the gate does with an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gate {
    /// Lets it through.
    Open,
    /// Holds it until the latched wait is over.
    Held,
    /// It is a wait itself, and the latched one, which does not hold it, would be forgotten before it is over.
    Replaces(Wait),
}

impl Tensix {
    /// Latches a wait. The gate has let the instruction through, so no earlier wait is unmet.
    pub(super) fn latch_wait(&mut self, thread: usize, opcode: Opcode, word: u32) -> Exec {
        let wait = if opcode == Opcode::STALLWAIT {
            let op = STALLWAIT::decode(word);
            let known = UNITS | until::SRCA_CLEAR | until::SRCB_CLEAR | until::SRCA_VALID | until::SRCB_VALID;
            if op.wait_res == 0 || op.stall_res == 0 || op.wait_res & !known != 0 {
                let what = format!("STALLWAIT of {:#x} until {:#x}", op.stall_res, op.wait_res);
                return Err(Fault::undocumented(what).page(PAGE));
            }
            Wait::Stall(op)
        } else {
            let op = SEMWAIT::decode(word);
            sync::one_semaphore(op.sem_sel)?;
            if op.wait_sem_cond == 0 {
                return Err(
                    Fault::program("SEMWAIT for nothing").page("TensixTile/TensixCoprocessor/SEMWAIT.md")
                );
            }
            Wait::Semaphore(op)
        };
        self.frontend[thread].wait = Some(wait);
        Ok(Step::Done)
    }

    /// The latched wait.
    #[inline]
    pub fn latched(&self, thread: usize) -> Option<Wait> {
        self.frontend[thread].wait
    }

    /// What a wait that is latched, and not over, means for an instruction.
    #[inline]
    pub fn gate(&self, thread: usize, opcode: Opcode) -> Gate {
        let Some(wait) = self.frontend[thread].wait else { return Gate::Open };
        if wait.block_mask() & opcode.effects().wait != 0 {
            Gate::Held
        } else if matches!(opcode, Opcode::STALLWAIT | Opcode::SEMWAIT) {
            Gate::Replaces(wait)
        } else {
            Gate::Open
        }
    }

    /// Forgets a latched wait whose condition is met; whether none is left.
    ///
    /// # Errors
    /// A wait for no semaphore.
    #[inline]
    pub fn release_wait(&mut self, thread: usize) -> Result<bool, Fault> {
        let met = match self.frontend[thread].wait {
            None => return Ok(true),
            Some(Wait::Stall(op)) => {
                op.wait_res & self.busy[thread].unmet == 0 && self.stall_is_over(op.wait_res)
            }
            Some(Wait::Semaphore(op)) => self.semaphore_allows(op)?,
        };
        if met {
            self.frontend[thread].wait = None;
        }
        Ok(met)
    }

    fn stall_is_over(&self, until: u32) -> bool {
        let unmet = [
            (until::SRCA_CLEAR, self.src_a.unpack_ready()),
            (until::SRCB_CLEAR, self.src_b.unpack_ready()),
            (until::SRCA_VALID, self.src_a.matrix_ready()),
            (until::SRCB_VALID, self.src_b.matrix_ready()),
        ];
        unmet.into_iter().all(|(bit, met)| until & bit == 0 || met)
    }

    fn semaphore_allows(&self, op: SEMWAIT) -> Result<bool, Fault> {
        let s = self.sync.semaphores[sync::one_semaphore(op.sem_sel)?];
        let while_zero = op.wait_sem_cond & 1 != 0 && s.value == 0;
        let while_max = op.wait_sem_cond & 2 != 0 && s.value >= s.max;
        Ok(!while_zero && !while_max)
    }
}
