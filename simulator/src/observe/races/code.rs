//! Instruction caches, and which loads are polls.
//!
//! A core may keep a fetched code word in its cache until the cache is invalidated
//! (`BabyRISCV/InstructionCache.md`), so executing a word that has changed since then is reported.

use crate::model::rv32::{Kind, NO_REGISTER, Op, decode};
use crate::model::tile::HARTS as CORES;

/// A set of words of L1.
#[derive(Default)]
struct Set {
    bits: Vec<u64>,
}

impl Set {
    fn has(&self, word: usize) -> bool {
        self.bits.get(word / 64).is_some_and(|bits| bits >> (word % 64) & 1 == 1)
    }

    /// Adds one of `words` words.
    fn add(&mut self, word: usize, words: usize) {
        if self.bits.is_empty() {
            self.bits = vec![0; words.div_ceil(64)];
        }
        if let Some(bits) = self.bits.get_mut(word / 64) {
            *bits |= 1 << (word % 64);
        }
    }
}

/// The instruction caches of a tile's cores: no capacity, the worst case.
pub struct Caches {
    /// Words of L1.
    words: usize,
    fetched: [Set; CORES],
    stale: [Set; CORES],
}

impl Caches {
    /// Of a tile with `l1_size` bytes of L1, all empty.
    pub fn new(l1_size: u32) -> Self {
        Self { words: l1_size as usize / 4, fetched: Default::default(), stale: Default::default() }
    }

    /// A core fetches the word at `pc`; whether it may get an old one.
    pub fn fetch(&mut self, core: usize, pc: u32) -> bool {
        let word = (pc / 4) as usize;
        if word >= self.words {
            return false;
        }
        self.fetched[core].add(word, self.words);
        self.stale[core].has(word)
    }

    /// Bytes were written; whether any core has fetched them.
    pub fn written(&mut self, addr: u32, len: u32) -> bool {
        let mut any = false;
        let size = self.words;
        let words = (addr / 4) as usize..(addr.saturating_add(len).div_ceil(4) as usize).min(size);
        for (fetched, stale) in self.fetched.iter().zip(&mut self.stale) {
            if fetched.bits.is_empty() {
                continue;
            }
            for word in words.clone().filter(|&word| fetched.has(word)) {
                stale.add(word, size);
                any = true;
            }
        }
        any
    }

    /// A core's cache is invalidated.
    pub fn invalidate(&mut self, core: usize) {
        self.fetched[core] = Set::default();
        self.stale[core] = Set::default();
    }
}

/// Instructions behind a load in which the branch back has to be, for the load to be a poll. (The vendor's firmware has loops of ten.)
const LOOP: u32 = 16;
/// Instructions in front of it in which the loop has to begin.
const BEFORE: u32 = 8;

/// Whether the load `op` at `pc` polls: it is in a short loop without stores, calls or pushes, and the address
/// that it loads from does not change in the loop. What such a load sees of another core's stores orders the two
/// cores; any other load of a word that another core may be writing is a race.
///
/// Compilers test once in front of a loop: a load is also a poll if the next load, of the same address, is one.
pub fn is_poll(pc: u32, op: &Op, fetch: impl Fn(u32) -> Option<u32>) -> bool {
    is_in_loop(pc, op, &fetch) || is_in_front_of_loop(pc, op, &fetch)
}

/// Whether the next load, with nothing in between that stores, calls or leaves, is of the same address and in a loop.
fn is_in_front_of_loop(pc: u32, op: &Op, fetch: &impl Fn(u32) -> Option<u32>) -> bool {
    let (mut at, end, mut beyond) = (pc.wrapping_add(4), pc.wrapping_add(4 * LOOP), pc);
    while at <= end && op.rd != op.rs1 {
        let Some(next) = fetch(at).map(decode) else { return false };
        match next.kind {
            kind if kind == op.kind && (next.rs1, next.imm) == (op.rs1, op.imm) => {
                return is_in_loop(at, &next, fetch);
            }
            Kind::Beq | Kind::Bne | Kind::Blt | Kind::Bge | Kind::Bltu | Kind::Bgeu => {
                beyond = beyond.max(at.wrapping_add(next.imm as u32));
            }
            // What the branch of the test leads to goes on behind it.
            Kind::Jalr | Kind::Jal if beyond > at => {
                at = beyond;
                continue;
            }
            Kind::Jalr | Kind::Jal | Kind::TtInsn | Kind::Sw | Kind::Sh | Kind::Sb | Kind::Illegal => {
                return false;
            }
            _ if next.rd == op.rs1 => return false,
            _ => {}
        }
        at = at.wrapping_add(4);
    }
    false
}

/// Whether the load is in a loop.
fn is_in_loop(pc: u32, op: &Op, fetch: &impl Fn(u32) -> Option<u32>) -> bool {
    let behind = (1..=LOOP).map_while(|i| {
        let at = pc.wrapping_add(4 * i);
        fetch(at).map(|word| (at, decode(word)))
    });
    let mut beyond = pc;
    for (at, branch) in behind {
        match branch.kind {
            // The way out, with a branch around it.
            _ if is_return(&branch) && beyond > at => {}
            Kind::Beq | Kind::Bne | Kind::Blt | Kind::Bge | Kind::Bltu | Kind::Bgeu | Kind::Jal => {
                let target = at.wrapping_add(branch.imm as u32);
                if target > at {
                    beyond = beyond.max(target);
                    continue;
                }
                // Compilers also place code behind a loop in front of it: a conditional branch that goes far back leaves the loop.
                if branch.kind != Kind::Jal && pc.saturating_sub(target) > 4 * BEFORE {
                    continue;
                }
                let plain = branch.kind != Kind::Jal || branch.rd == NO_REGISTER;
                return plain
                    && target <= pc
                    && pc - target <= 4 * BEFORE
                    && is_idle(target, at, op.rs1, fetch);
            }
            Kind::Jalr | Kind::TtInsn | Kind::Sw | Kind::Sh | Kind::Sb | Kind::Illegal => return false,
            _ => {}
        }
    }
    false
}

/// `ret`.
fn is_return(op: &Op) -> bool {
    op.kind == Kind::Jalr && (op.rd, op.rs1) == (NO_REGISTER, 1)
}

/// Whether the code from `first` to `last` stores nothing and leaves `base` as it is.
fn is_idle(first: u32, last: u32, base: u8, fetch: &impl Fn(u32) -> Option<u32>) -> bool {
    (first..=last).step_by(4).all(|at| {
        let Some(op) = fetch(at).map(decode) else { return false };
        match op.kind {
            _ if is_return(&op) => true,
            Kind::Jalr | Kind::TtInsn | Kind::Sw | Kind::Sh | Kind::Sb | Kind::Illegal => false,
            Kind::Lui
            | Kind::Auipc
            | Kind::Beq
            | Kind::Bne
            | Kind::Blt
            | Kind::Bge
            | Kind::Bltu
            | Kind::Bgeu => true,
            _ => op.rd != base,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `lw x7, 0(x5)`, `bne x7, x6, -4`, `addi x5, x5, 4`, `sw x7, 0(x5)`.
    const LOAD: u32 = 0x0002_A383;
    const BACK: u32 = 0xFE63_9EE3;
    const NEXT: u32 = 0x0042_8293;
    const STORE: u32 = 0x0072_A023;
    const LEAVE: u32 = 0xFC63_F0E3;

    fn poll(code: &[u32], at: u32) -> bool {
        let fetch = |pc: u32| code.get((pc / 4) as usize).copied();
        is_poll(4 * at, &decode(code[at as usize]), fetch)
    }

    #[test]
    fn a_load_that_waits_for_one_word_is_a_poll() {
        assert!(poll(&[LOAD, BACK], 0));
        assert!(!poll(&[LOAD, NEXT], 0));
        // The branch goes back over the step to the next word: a loop over data.
        assert!(!poll(&[NEXT, LOAD, 0xFE63_9CE3], 1));
        assert!(poll(&[0x13, LOAD, 0xFE63_9CE3], 1));
        assert!(!poll(&[STORE, LOAD, 0xFE63_9CE3], 1));
        assert!(!poll(&[LOAD, STORE, BACK], 0));
        // `bgeu x7, x6, -64` leaves the loop, whose end is `bne x10, x0, -8`.
        let far = |back: &[u32]| [&[0x13; 16][..], &[LOAD, LEAVE], back].concat();
        assert!(poll(&far(&[0xFE05_1CE3]), 16));
        assert!(!poll(&far(&[]), 16));
        assert!(!poll(&far(&[STORE, 0xFE05_1AE3]), 16));
    }

    #[test]
    fn a_test_in_front_of_the_loop_is_part_of_it() {
        let nop = 0x13;
        // `bne x7, x0, 8`, `ret`, some instructions, and the loop.
        let (test, ret) = (0x0003_9463, 0x0000_8067);
        assert!(poll(&[LOAD, test, ret, nop, LOAD, BACK], 0));
        assert!(!poll(&[LOAD, nop, ret, nop, LOAD, BACK], 0));
        assert!(!poll(&[LOAD, test, ret, STORE, LOAD, BACK], 0));
        assert!(!poll(&[LOAD, test, ret, NEXT, LOAD, BACK], 0));
        // No loop, and a loop over another word.
        assert!(!poll(&[LOAD, test, ret, nop, LOAD, nop], 0));
        assert!(!poll(&[LOAD, test, ret, nop, LOAD + (4 << 20), BACK], 0));
        // The test leaves in the middle of the loop: `j` goes back to it.
        assert!(poll(&[LOAD, test, ret, nop, 0xFF1F_F06F], 0));
        assert!(!poll(&[LOAD, nop, ret, nop, 0xFF1F_F06F], 0));
        // Ten instructions.
        assert!(poll(&[&[LOAD][..], &[nop; 8], &[0xFC63_9EE3]].concat(), 0));
    }

    #[test]
    fn code_that_changed_is_stale_until_the_cache_is_invalidated() {
        let mut caches = Caches::new(4096);
        assert!(!caches.fetch(1, 0x100));
        assert!(caches.written(0xFE, 3) && !caches.written(0x104, 4));
        assert!(caches.fetch(1, 0x100) && !caches.fetch(2, 0x100));
        caches.invalidate(1);
        assert!(!caches.fetch(1, 0x100));
    }
}
