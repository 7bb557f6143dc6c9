//! Frontend of a thread: expands what a RISC-V core pushed into single instructions, which wait for their turn.
//!
//! ```text
//! stores, .ttinsn -> FIFO -> MOP expander -> replay expander -> wait gate -> units
//! BRISC's stores ----------------------------^
//! ```
//!
//! (`TensixCoprocessor/README.md`, `MOPExpander.md`, `REPLAY.md`, `STALLWAIT.md`.) Only the FIFO
//! buffers words: the expanders make one instruction at a time, when the units can accept it.

use std::collections::VecDeque;

use tt_isa::insn::{MOP, MOP_CFG, NOP, Opcode, REPLAY, SEMWAIT, STALLWAIT};

use crate::fault::Fault;

/// Words that a thread's FIFO holds before the pushing core has to wait (`PushTensixInstruction.md`).
pub const FIFO_DEPTH: usize = 29;
/// Instructions in the replay buffer.
const REPLAY_SLOTS: usize = 32;
/// Words of the MOP expander's configuration.
pub const MOP_CFG_WORDS: usize = 9;

const NOP_WORD: u32 = NOP {}.word();

#[derive(Clone, Copy)]
struct Pushed {
    word: u32,
    behind_mop: bool,
}

/// What later instructions of the thread have to wait for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wait {
    /// `STALLWAIT`: bits of the block mask, bits of the condition mask.
    Stall(STALLWAIT),
    /// `SEMWAIT`.
    Semaphore(SEMWAIT),
}

impl Wait {
    /// Which kinds of instruction are held back.
    pub fn block_mask(&self) -> u32 {
        match self {
            Wait::Stall(op) => op.stall_res,
            Wait::Semaphore(op) => op.stall_res,
        }
    }
}

/// A MOP being expanded: the template's program, and how far it got.
struct MopRun {
    kind: MopKind,
    step: usize,
}

enum MopKind {
    /// Template 0: `count` rounds, each governed by one bit of the mask.
    Mask { count: u32, mask: u32, round: u32 },
    /// Template 1: two nested loops.
    Loops { outer: u32, inner: u32, i: u32, j: u32, flip: bool },
}

/// One thread's frontend.
#[derive(Default)]
pub struct Frontend {
    fifo: VecDeque<Pushed>,
    mop_cfg: [u32; MOP_CFG_WORDS],
    mop_mask_high: u32,
    mop: Option<MopRun>,
    replay: Replay,
    /// An instruction that came out of the expanders and has to wait.
    pending: Option<u32>,
    /// The latched wait.
    pub wait: Option<Wait>,
}

#[derive(Default)]
struct Replay {
    slots: [u32; REPLAY_SLOTS],
    index: usize,
    recording: usize,
    execute_while_recording: bool,
    playing: usize,
}

impl Frontend {
    /// Whether there is room in the FIFO.
    #[inline]
    pub fn can_push(&self) -> bool {
        self.fifo.len() < FIFO_DEPTH
    }

    /// Appends a word to the FIFO; `behind_mop` for BRISC's pushes, which do not go through the MOP expander.
    pub fn push(&mut self, word: u32, behind_mop: bool) {
        self.fifo.push_back(Pushed { word, behind_mop });
    }

    /// Nothing is in the FIFO, in an expander or waiting.
    #[inline]
    pub fn idle(&self) -> bool {
        self.mop_idle() && self.pending.is_none() && self.replay.playing == 0 && self.wait.is_none()
    }

    /// Nothing is in front of or in the MOP expander.
    #[inline]
    pub fn mop_idle(&self) -> bool {
        self.fifo.is_empty() && self.mop.is_none()
    }

    /// The instruction that waits behind the expanders.
    pub fn at_gate(&self) -> Option<u32> {
        self.pending
    }

    /// Whether the next instruction comes from the FIFO, and not out of an expander.
    #[inline]
    pub fn needs_word(&self) -> bool {
        self.pending.is_none() && self.mop.is_none() && self.replay.playing == 0
    }

    /// Words in the FIFO.
    pub fn waiting(&self) -> usize {
        self.fifo.len()
    }

    /// Writes a word of the MOP expander's configuration.
    pub fn set_mop_cfg(&mut self, index: usize, value: u32) -> Result<(), Fault> {
        let Some(word) = self.mop_cfg.get_mut(index) else {
            return Err(
                Fault::program(format!("MOP configuration word {index} does not exist")).page(MOP_PAGE)
            );
        };
        *word = value;
        Ok(())
    }

    /// The next instruction, without taking it.
    pub fn peek(&mut self) -> Result<Option<u32>, Fault> {
        while self.pending.is_none() {
            if self.replay.playing > 0 {
                self.pending = Some(self.replay.next());
                break;
            }
            let Some(word) = self.next_unexpanded()? else { return Ok(None) };
            self.pending = self.through_replay(word)?;
        }
        Ok(self.pending)
    }

    /// Takes the instruction that [`peek`](Self::peek) showed.
    pub fn take(&mut self) {
        self.pending = None;
    }

    fn next_unexpanded(&mut self) -> Result<Option<u32>, Fault> {
        loop {
            if let Some(mut run) = self.mop.take()
                && let Some(word) = run.next(&self.mop_cfg)
            {
                self.mop = Some(run);
                return Ok(Some(word));
            }
            let Some(pushed) = self.fifo.pop_front() else { return Ok(None) };
            match Opcode::of(pushed.word) {
                Some(Opcode::MOP) if !pushed.behind_mop => self.start_mop(MOP::decode(pushed.word))?,
                Some(Opcode::MOP_CFG) if !pushed.behind_mop => {
                    self.mop_mask_high = (MOP_CFG::decode(pushed.word).zmask_hi16 & 0xFFFF) << 16;
                }
                _ => return Ok(Some(pushed.word)),
            }
        }
    }

    fn start_mop(&mut self, op: MOP) -> Result<(), Fault> {
        let kind = if op.mop_type == 0 {
            if op.loop_count > 31 || self.mop_cfg[1] > 3 {
                let what =
                    format!("MOP template 0 with count {} and flags {:#x}", op.loop_count, self.mop_cfg[1]);
                return Err(Fault::undocumented(what).page(MOP_PAGE));
            }
            MopKind::Mask { count: op.loop_count + 1, mask: op.zmask_lo16 | self.mop_mask_high, round: 0 }
        } else {
            let (outer, inner) = (self.mop_cfg[0], self.mop_cfg[1]);
            if op.zmask_lo16 != 0
                || op.loop_count != 0
                || !(1..=127).contains(&outer)
                || !(1..=127).contains(&inner)
            {
                let what = format!("MOP template 1 with {outer} outer and {inner} inner rounds");
                return Err(Fault::undocumented(what).page(MOP_PAGE));
            }
            let flip = self.mop_cfg[6] != NOP_WORD;
            MopKind::Loops { outer, inner: if flip { 2 * inner } else { inner }, i: 0, j: 0, flip }
        };
        self.mop = Some(MopRun { kind, step: 0 });
        Ok(())
    }

    fn through_replay(&mut self, word: u32) -> Result<Option<u32>, Fault> {
        if self.replay.recording > 0 {
            return Ok(self.replay.record(word));
        }
        if Opcode::of(word) != Some(Opcode::REPLAY) {
            return Ok(Some(word));
        }
        self.replay.start(REPLAY::decode(word))?;
        Ok(None)
    }
}

const MOP_PAGE: &str = "TensixTile/TensixCoprocessor/MOPExpander.md";

impl MopRun {
    fn next(&mut self, cfg: &[u32; MOP_CFG_WORDS]) -> Option<u32> {
        match &mut self.kind {
            MopKind::Mask { count, mask, round } => loop {
                if round == count {
                    return None;
                }
                let skip = *mask >> *round & 1 == 1;
                let (with_b, with_more) = (cfg[1] & 1 != 0, cfg[1] & 2 != 0);
                let program: &[usize] = match (skip, with_b, with_more) {
                    (true, false, _) => &[7],
                    (true, true, _) => &[7, 8],
                    (false, false, false) => &[3],
                    (false, true, false) => &[3, 2],
                    (false, false, true) => &[3, 4, 5, 6],
                    (false, true, true) => &[3, 4, 5, 6, 2],
                };
                if let Some(&slot) = program.get(self.step) {
                    self.step += 1;
                    return Some(cfg[slot]);
                }
                self.step = 0;
                *round += 1;
            },
            MopKind::Loops { outer, inner, i, j, flip } => loop {
                if i == outer {
                    return None;
                }
                let [_, _, start, end0, end1, op0, op1, last_outer, last_inner] = *cfg;
                // Steps of a round: start, the inner loop, the two end instructions.
                match self.step {
                    0 => {
                        self.step = 1;
                        *j = 0;
                        if start != NOP_WORD {
                            return Some(start);
                        }
                    }
                    1 => {
                        let last = *j + 1 == *inner;
                        // An odd number of rounds would make the next outer round start with the other
                        // instruction; with alternation the number is always even.
                        let word = match (last, *i + 1 == *outer) {
                            (false, _) if *flip && *j % 2 == 1 => op1,
                            (false, _) => op0,
                            (true, true) => last_outer,
                            (true, false) => last_inner,
                        };
                        *j += 1;
                        if last {
                            self.step = 2;
                        }
                        return Some(word);
                    }
                    2 => {
                        self.step = 3;
                        if end0 != NOP_WORD {
                            return Some(end0);
                        }
                    }
                    _ => {
                        self.step = 0;
                        *i += 1;
                        if end0 != NOP_WORD && end1 != NOP_WORD {
                            return Some(end1);
                        }
                    }
                }
            },
        }
    }
}

impl Replay {
    fn start(&mut self, op: REPLAY) -> Result<(), Fault> {
        const PAGE: &str = "TensixTile/TensixCoprocessor/REPLAY.md";
        let (len, start) = (op.len as usize, op.start_idx as usize);
        if !(1..=REPLAY_SLOTS).contains(&len) || (op.load_mode == 0 && op.execute_while_loading != 0) {
            return Err(Fault::undocumented(format!("REPLAY of {len} instructions")).page(PAGE));
        }
        self.index = start;
        if op.load_mode != 0 {
            self.recording = len;
            self.execute_while_recording = op.execute_while_loading != 0;
        } else {
            self.playing = len;
        }
        Ok(())
    }

    fn record(&mut self, word: u32) -> Option<u32> {
        self.slots[self.index] = word;
        self.index = (self.index + 1) % REPLAY_SLOTS;
        self.recording -= 1;
        self.execute_while_recording.then_some(word)
    }

    fn next(&mut self) -> u32 {
        let word = self.slots[self.index];
        self.index = (self.index + 1) % REPLAY_SLOTS;
        self.playing -= 1;
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(f: &mut Frontend) -> Vec<u32> {
        let mut out = Vec::new();
        while let Some(word) = f.peek().unwrap() {
            f.take();
            out.push(word);
        }
        out
    }

    const fn word(n: u32) -> u32 {
        // Any instruction without side effects on the frontend will do.
        tt_isa::insn::SETC16 { setc16_reg: 1, setc16_value: n }.word()
    }

    #[test]
    fn replay_records_then_plays() {
        let mut f = Frontend::default();
        f.push(REPLAY { start_idx: 30, len: 3, execute_while_loading: 1, load_mode: 1 }.word(), false);
        for n in 0..3 {
            f.push(word(n), false);
        }
        f.push(REPLAY { start_idx: 31, len: 2, ..REPLAY::ZERO }.word(), false);
        assert_eq!(drain(&mut f), [word(0), word(1), word(2), word(1), word(2)]);
        assert!(f.idle());
    }

    #[test]
    fn mop_loops_alternate_and_end() {
        let mut f = Frontend::default();
        for (i, w) in
            [2, 1, NOP_WORD, word(3), NOP_WORD, word(5), word(6), word(7), word(8)].iter().enumerate()
        {
            f.set_mop_cfg(i, *w).unwrap();
        }
        f.push(MOP { mop_type: 1, ..MOP::ZERO }.word(), false);
        assert_eq!(drain(&mut f), [word(5), word(8), word(3), word(5), word(7), word(3)]);
    }

    #[test]
    fn mop_mask_skips() {
        let mut f = Frontend::default();
        for (i, w) in [0, 1, word(2), word(3), word(4), word(5), word(6), word(7), word(8)].iter().enumerate()
        {
            f.set_mop_cfg(i, *w).unwrap();
        }
        f.push(MOP { mop_type: 0, loop_count: 1, zmask_lo16: 0b10 }.word(), false);
        assert_eq!(drain(&mut f), [word(3), word(2), word(7), word(8)]);
    }

    #[test]
    fn the_fifo_fills_up() {
        let mut f = Frontend::default();
        while f.can_push() {
            f.push(word(0), false);
        }
        f.peek().unwrap();
        assert!(f.can_push());
    }
}
