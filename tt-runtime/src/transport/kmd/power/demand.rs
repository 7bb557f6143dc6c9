//! Whether a card is to run at full clock, without locks: who works says so with every call, and must not wait for the thread that asks the driver.
//!
//! Work is never overlooked: either the thread sees it before it lowers the clock, or who works sees that it is lowered, and wakes the thread.
//! Both write first, then look at what the other has written, with a fence between, so that not both can miss it.
//!
//! Atomics come from the module above, so that the same text is the model that `loom` checks.

use super::{AtomicBool, AtomicU64, Ordering, fence};

/// What is wanted.
pub struct Demand {
    /// When there was work last.
    pub last: AtomicU64,
    /// The clock is full, or the thread is about to ask for that.
    pub full: AtomicBool,
}

impl Demand {
    /// There is work; whether the thread has to be woken for it.
    pub fn work(&self, now: u64) -> bool {
        self.last.store(now, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        !self.full.load(Ordering::Relaxed)
    }

    /// For the thread: whether full clock is to be asked for now, or a lower one; `None`: it is as it should be. `is_idle` says whether there has
    /// been no work for long if the last was at a given time.
    pub fn change(&self, is_idle: impl Fn(u64) -> bool) -> Option<bool> {
        let full = self.full.load(Ordering::Relaxed);
        let idle = is_idle(self.last.load(Ordering::Relaxed));
        match (full, idle) {
            (true, true) => {
                self.full.store(false, Ordering::Relaxed);
                fence(Ordering::SeqCst);
                if is_idle(self.last.load(Ordering::Relaxed)) {
                    return Some(false);
                }
                self.full.store(true, Ordering::Relaxed);
                None
            }
            (false, false) => {
                self.full.store(true, Ordering::Relaxed);
                Some(true)
            }
            _ => None,
        }
    }
}
