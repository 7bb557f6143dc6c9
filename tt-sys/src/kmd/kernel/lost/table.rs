//! The table of mappings, without locks: the signal handler reads it, and may have interrupted whoever holds one.
//!
//! A slot is filled and emptied by a mapping's owner while handlers on other threads read it. The handler's own mapping does not change
//! meanwhile, since its owner is the interrupted code. So a slot that changes while it is read is another's: a reader believes beginning and length
//! only if the beginning is the same before and after.
//!
//! Atomics come from the module above, so that the same text is the model that `loom` checks.

use super::{AtomicBool, AtomicUsize, Ordering};

/// A mapping: first address (0: the slot is free, 1: it is being filled), bytes, and whether something of it is gone.
pub struct Slot {
    pub start: AtomicUsize,
    pub len: AtomicUsize,
    pub lost: AtomicBool,
}

pub const FREE: usize = 0;
const TAKEN: usize = 1;

impl Slot {
    /// Takes the slot for a mapping, if it is free.
    pub fn take(&self, start: usize, len: usize) -> bool {
        if self.start.compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return false;
        }
        self.lost.store(false, Ordering::Relaxed);
        // Who sees this length sees from then on that the slot was taken.
        self.len.store(len, Ordering::Release);
        self.start.store(start, Ordering::Release);
        true
    }

    /// Gives it back.
    pub fn give_back(&self) {
        self.start.store(FREE, Ordering::Release);
    }

    /// Whether its mapping has an address.
    fn has(&self, address: usize) -> bool {
        let start = self.start.load(Ordering::Acquire);
        if start <= TAKEN {
            return false;
        }
        let len = self.len.load(Ordering::Acquire);
        (start..start + len).contains(&address) && self.start.load(Ordering::Acquire) == start
    }
}

/// The slot of the mapping that an address is in.
pub fn find(table: &[Slot], address: usize) -> Option<&Slot> {
    table.iter().find(|slot| slot.has(address))
}
