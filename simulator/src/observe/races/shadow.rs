//! Shadow of memory and registers: the latest accesses to each word or row, and which were ever written.

use std::collections::HashMap;

use tt_isa::noc::NocXy;

use super::clock::{Component, VectorClock};

/// An access as the shadow remembers it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    /// The component, and the number of its access.
    pub component: Component,
    /// See `component`.
    pub n: u32,
    /// Writes; otherwise reads.
    pub write: bool,
    /// Which parts (bytes of a word of L1, bits of a configuration word).
    pub mask: u32,
    /// What did it: a pc, an instruction word, the number of a NoC request; as the component says.
    pub what: u32,
}

/// The latest accesses to one word or row: at most `N`, the oldest is forgotten first.
#[derive(Clone, Copy)]
pub struct Cell<const N: usize> {
    accesses: [Option<Access>; N],
}

impl<const N: usize> Default for Cell<N> {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// Whether `new` comes after `old` because their component has an order. Requests under way have none.
fn follows(new: &Access, old: &Access) -> bool {
    old.component == new.component && old.n <= new.n && new.component != Component::UNDER_WAY
}

impl<const N: usize> Cell<N> {
    /// Nothing remembered.
    pub const EMPTY: Self = Self { accesses: [None; N] };

    /// The remembered accesses.
    pub fn iter(&self) -> impl Iterator<Item = &Access> {
        self.accesses.iter().flatten()
    }

    /// An access that `new` races with: one of them writes, they share parts, and `clock` does not know it done.
    pub fn conflict(&self, new: &Access, clock: &VectorClock) -> Option<Access> {
        let races = |old: &&Access| {
            (old.write || new.write)
                && old.mask & new.mask != 0
                && !follows(new, old)
                && !clock.covers(old.component, old.n)
        };
        self.iter().find(races).copied()
    }

    /// Remembers `new`, and forgets accesses that say nothing more than it does.
    pub fn record(&mut self, new: Access, clock: &VectorClock) {
        let implied = |old: &Access| {
            (new.write || !old.write)
                && old.mask & !new.mask == 0
                && (follows(&new, old) || clock.covers(old.component, old.n))
        };
        let mut kept = 0;
        for i in 0..N {
            if let Some(old) = self.accesses[i].take()
                && !implied(&old)
            {
                self.accesses[kept] = Some(old);
                kept += 1;
            }
        }
        if kept == N {
            self.accesses.rotate_left(1);
            kept -= 1;
        }
        self.accesses[kept] = Some(new);
    }

    /// Changes accesses of `from` into accesses of `to`.
    pub fn rename(&mut self, from: (Component, u32), to: (Component, u32)) {
        for access in self.accesses.iter_mut().flatten() {
            if (access.component, access.n) == from {
                (access.component, access.n) = to;
            }
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.accesses = [None; N];
    }
}

const WORDS: usize = 1024;
const PAGE: u32 = 4 * WORDS as u32;

/// Accesses to a word of L1 that are remembered: a write and two readers as a rule.
pub type WordCell = Cell<4>;

struct Page {
    cells: Box<[WordCell; WORDS]>,
    /// A bit a byte.
    written: Box<[u64; PAGE as usize / 64]>,
    /// The NoC read that brought each word from DRAM, by its number + 1, if nothing has overwritten it since.
    brought: Box<[u32; WORDS]>,
}

impl Default for Page {
    fn default() -> Self {
        let cells = vec![WordCell::default(); WORDS].into_boxed_slice();
        let cells = cells.try_into().unwrap_or_else(|_| unreachable!("WORDS cells"));
        Self { cells, written: Box::new([0; PAGE as usize / 64]), brought: Box::new([0; WORDS]) }
    }
}

/// Shadow of L1: accesses by words, what was written by bytes. Pages appear as they are touched.
pub struct L1Shadow {
    /// Bytes of L1.
    size: u32,
    pages: Vec<Option<Page>>,
    /// Words whose bytes came out of DRAM without a definite value, and why.
    poisoned: HashMap<u32, Poison>,
}

/// Why bytes that a NoC read brought out of DRAM have no definite value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Poison {
    /// This writes them there, not ordered with the read.
    Written(String),
    /// Nothing has written them there: address of the first one, and the tile.
    Unwritten(u64, NocXy),
}

/// The words that bytes `addr..addr + len` are in, each with a mask of its bytes. Nothing beyond `size`.
fn words(addr: u32, len: u32, size: u32) -> impl Iterator<Item = (u32, u32)> {
    let end = addr.saturating_add(len).min(size);
    (addr / 4..end.div_ceil(4)).map(move |word| {
        let first = addr.max(4 * word) - 4 * word;
        let last = end.min(4 * word + 4) - 4 * word;
        (4 * word, (0xF << first) & (0xF >> (4 - last)))
    })
}

impl L1Shadow {
    /// Of an L1 of `size` bytes.
    pub fn new(size: u32) -> Self {
        let pages = (0..size.div_ceil(PAGE)).map(|_| None).collect();
        Self { size, pages, poisoned: HashMap::new() }
    }

    /// Bytes of L1.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// The words that bytes `addr..addr + len` are in, each with a mask of its bytes. Nothing beyond L1.
    pub fn words(&self, addr: u32, len: u32) -> impl Iterator<Item = (u32, u32)> + use<> {
        words(addr, len, self.size)
    }

    /// The cell of the word at `addr`, a multiple of 4 inside L1.
    pub fn cell(&mut self, addr: u32) -> &mut WordCell {
        &mut self.page(addr).cells[(addr % PAGE / 4) as usize]
    }

    fn page(&mut self, addr: u32) -> &mut Page {
        self.pages[(addr / PAGE) as usize].get_or_insert_default()
    }

    /// Notes that bytes were written.
    pub fn written(&mut self, addr: u32, len: u32) {
        if !self.poisoned.is_empty() {
            self.words(addr, len).for_each(|(word, _)| drop(self.poisoned.remove(&word)));
        }
        for at in addr..addr.saturating_add(len).min(self.size) {
            let byte = (at % PAGE) as usize;
            self.page(at).written[byte / 64] |= 1 << (byte % 64);
        }
        self.set_brought(addr, len, 0);
    }

    /// Notes that NoC read number `id` has just brought bytes from DRAM.
    pub fn brought(&mut self, addr: u32, len: u32, id: u32) {
        self.set_brought(addr, len, id + 1);
    }

    fn set_brought(&mut self, addr: u32, len: u32, by: u32) {
        for (word, _) in self.words(addr, len) {
            self.page(word).brought[(word % PAGE / 4) as usize] = by;
        }
    }

    /// The NoC read that brought the word at `addr` from DRAM.
    pub fn brought_by(&self, addr: u32) -> Option<u32> {
        let page = self.pages.get((addr / PAGE) as usize)?.as_ref()?;
        page.brought[(addr % PAGE / 4) as usize].checked_sub(1)
    }

    /// Notes that bytes have no definite value.
    pub fn poison(&mut self, addr: u32, len: u32, why: &Poison) {
        for at in addr..addr.saturating_add(len).min(self.size) {
            let byte = (at % PAGE) as usize;
            self.page(at).written[byte / 64] &= !(1 << (byte % 64));
            self.poisoned.insert(at & !3, why.clone());
        }
    }

    /// Why a byte has no definite value, if it came like that out of DRAM.
    pub fn poisoned_by(&self, addr: u32) -> Option<&Poison> {
        if self.is_written(addr) { None } else { self.poisoned.get(&(addr & !3)) }
    }

    /// The first byte of a range that nothing ever wrote.
    pub fn first_unwritten(&self, addr: u32, len: u32) -> Option<u32> {
        (addr..addr.saturating_add(len).min(self.size)).find(|&at| !self.is_written(at))
    }

    /// Whether a byte was ever written.
    pub fn is_written(&self, addr: u32) -> bool {
        let byte = (addr % PAGE) as usize;
        let page = self.pages[(addr / PAGE) as usize].as_ref();
        page.is_some_and(|page| page.written[byte / 64] >> (byte % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(component: Component, n: u32, write: bool) -> Access {
        Access { component, n, write, mask: 0xF, what: 0 }
    }

    #[test]
    fn words_of_a_range() {
        assert!(words(6, 5, 4096).eq([(4, 0b1100), (8, 0b0111)]));
        assert!(words(9, 1, 4096).eq([(8, 0b0010)]));
        assert!(words(8, 8, 4096).eq([(8, 0xF), (12, 0xF)]));
        assert_eq!(words(4092, 100, 4096).count(), 1);
    }

    #[test]
    fn unordered_writes_conflict_and_ordered_ones_do_not() {
        let (a, b) = (Component::stores(0), Component::stores(1));
        let mut cell = Cell::<4>::default();
        let mut clock = VectorClock::ZERO;
        cell.record(access(a, 3, true), &clock);
        assert_eq!(cell.conflict(&access(b, 1, false), &clock), Some(access(a, 3, true)));
        assert_eq!(cell.conflict(&access(a, 4, true), &clock), None);
        clock.advance(a, 3);
        assert_eq!(cell.conflict(&access(b, 1, true), &clock), None);
        cell.record(access(b, 1, true), &clock);
        assert_eq!(cell.iter().count(), 1, "the second write implies the first");
    }

    #[test]
    fn readers_do_not_conflict_but_are_remembered() {
        let mut cell = Cell::<4>::default();
        for core in 0..3 {
            let read = access(Component::loads(core), 1, false);
            assert_eq!(cell.conflict(&read, &VectorClock::ZERO), None);
            cell.record(read, &VectorClock::ZERO);
        }
        assert_eq!(cell.iter().count(), 3);
        let mut clock = VectorClock::ZERO;
        clock.advance(Component::loads(0), 1);
        clock.advance(Component::loads(1), 1);
        let found = cell.conflict(&access(Component::stores(4), 1, true), &clock);
        assert_eq!(found, Some(access(Component::loads(2), 1, false)));
    }

    #[test]
    fn other_bytes_do_not_conflict() {
        let mut cell = Cell::<4>::default();
        cell.record(Access { mask: 0b0011, ..access(Component::stores(0), 1, true) }, &VectorClock::ZERO);
        let upper = Access { mask: 0b1100, ..access(Component::stores(1), 1, true) };
        assert_eq!(cell.conflict(&upper, &VectorClock::ZERO), None);
    }

    #[test]
    fn written_bytes() {
        let mut l1 = L1Shadow::new(2 * PAGE);
        l1.written(PAGE - 2, 4);
        assert_eq!(l1.first_unwritten(PAGE - 2, 4), None);
        assert_eq!(l1.first_unwritten(PAGE - 2, 6), Some(PAGE + 2));
        assert!(!l1.is_written(PAGE - 3));
    }
}
