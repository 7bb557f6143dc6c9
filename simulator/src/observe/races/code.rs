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

/// Instructions behind a load in which the branch back has to be, for the load to be a poll.
const LOOP: u32 = 8;

/// Whether the load `op` at `pc` polls: it is in a short loop without stores, calls or pushes, and the address
/// that it loads from does not change in the loop. What such a load sees of another core's stores orders the two
/// cores; any other load of a word that another core may be writing is a race.
pub fn is_poll(pc: u32, op: &Op, fetch: impl Fn(u32) -> Option<u32>) -> bool {
    let behind = (1..=LOOP).map_while(|i| {
        let at = pc.wrapping_add(4 * i);
        fetch(at).map(|word| (at, decode(word)))
    });
    for (at, branch) in behind {
        match branch.kind {
            Kind::Beq | Kind::Bne | Kind::Blt | Kind::Bge | Kind::Bltu | Kind::Bgeu | Kind::Jal => {
                let target = at.wrapping_add(branch.imm as u32);
                if target > at {
                    continue;
                }
                let plain = branch.kind != Kind::Jal || branch.rd == NO_REGISTER;
                return plain
                    && target <= pc
                    && pc - target <= 4 * LOOP
                    && is_idle(target, at, op.rs1, &fetch);
            }
            Kind::Jalr | Kind::TtInsn | Kind::Sw | Kind::Sh | Kind::Sb | Kind::Illegal => return false,
            _ => {}
        }
    }
    false
}

/// Whether the code from `first` to `last` stores nothing and leaves `base` as it is.
fn is_idle(first: u32, last: u32, base: u8, fetch: &impl Fn(u32) -> Option<u32>) -> bool {
    (first..=last).step_by(4).all(|at| {
        let Some(op) = fetch(at).map(decode) else { return false };
        match op.kind {
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
