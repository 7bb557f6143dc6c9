//! Words in L1 by which the cores of a tile hand work to each other.
//!
//! All are counters that start at 0 in every launch (BRISC clears them after the join, when nobody uses them)
//! and only grow, each written by one core.
#![allow(unsafe_code)]

use super::mmio::{self, Register};
use tt_kernel_abi::l1::{SYNC, SYNC_BYTES};

/// A counter in L1: one writer, any readers.
#[derive(Clone, Copy)]
pub struct Counter(u32);

impl Counter {
    const fn at(index: u32) -> Self {
        assert!(index < COUNTERS && ATOMIC_RETURN < SYNC + SYNC_BYTES);
        Self(SYNC + index * 16)
    }

    #[inline(always)]
    fn word(self) -> Register {
        // SAFETY: `at` makes addresses of synchronisation words only; nobody has references to them.
        unsafe { Register::at(self.0) }
    }

    /// Where it is, for another tile to write to.
    pub(super) fn address(self) -> u32 {
        self.0
    }

    /// Says that `count` items are done. Whoever reads this also sees the writer's earlier stores to L1.
    #[inline(always)]
    pub fn publish(self, count: u32) {
        mmio::order();
        self.word().store(count);
    }

    /// How many items are done, for whom another counter has told so.
    #[inline(always)]
    pub fn get(self) -> u32 {
        self.word().load()
    }

    /// Whether at least `count` items are done.
    #[inline(always)]
    pub fn has_reached(self, count: u32) -> bool {
        self.word().look(|done| done >= count).is_some()
    }

    /// Waits until at least `count` items are done.
    #[inline(always)]
    pub fn wait(self, count: u32) {
        self.word().wait_count(count);
    }
}

/// BRISC: blocks of weights in the ring.
pub const WEIGHTS_READY: Counter = Counter::at(0);
/// TRISC0: blocks of weights unpacked.
pub const WEIGHTS_FREE: Counter = Counter::at(1);
/// NCRISC: chunks of activations in L1.
pub const ACTS_READY: Counter = Counter::at(2);
/// TRISC0: chunks of activations unpacked for the last time.
pub const ACTS_FREE: Counter = Counter::at(3);
/// TRISC2: results packed.
pub const OUT_READY: Counter = Counter::at(4);
/// NCRISC: results copied out of their slot.
pub const OUT_FREE: Counter = Counter::at(5);
/// BRISC: blocks of operands in L1.
pub const BLOCKS_READY: Counter = Counter::at(6);
/// TRISC0: blocks of operands unpacked.
pub const BLOCKS_FREE: Counter = Counter::at(7);
/// NCRISC: the rows of `MUL_MAT_ID` are sorted by matrix.
pub const GROUPS_READY: Counter = Counter::at(8);
/// TRISC2: the row of activations is rounded.
pub const ROW_READY: Counter = Counter::at(9);
/// BRISC: position in the ring of this product's first block of weights ([`super::ring`]); valid once a block is ready.
pub const WEIGHTS_FROM: Counter = Counter::at(10);
/// BRISC: one more than the groups of weights that this tile makes tiles of.
pub const GROUPS_COUNTED: Counter = Counter::at(11);
/// BRISC: the number of the first of them in its column; valid once they are counted.
pub const FIRST_GROUP: Counter = Counter::at(12);
/// NCRISC: blocks of addends in the slots of results.
pub const ADDENDS_READY: Counter = Counter::at(13);
/// How many there are.
const COUNTERS: u32 = 14;
/// Where NoC atomics of BRISC put the old value that nobody wants.
pub const ATOMIC_RETURN: u32 = SYNC + COUNTERS * 16;

/// Zeroes all counters; only when no other core runs an operator. They are zero, and BRISC's earlier stores to L1 are there, when this returns: what
/// follows tells the leader by the NoC, which does not wait for them, and the leader may start the next step at once.
pub fn clear() {
    for index in 0..COUNTERS {
        Counter::at(index).word().store(0);
    }
    Counter::at(COUNTERS - 1).word().load_and_wait();
}
