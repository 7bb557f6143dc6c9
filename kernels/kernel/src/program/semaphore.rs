//! Counters by which cores and tiles tell each other that something is done.

use tt_isa::noc::NocXy;
use tt_kernel_abi::program::Wait;

use super::argument::Tile;
use super::port::{corners, inside};
use super::wait::until;
use crate::mmio::{Register, order};

/// A counter at the same address of all tiles of a rectangle; this is a look at the one here.
///
/// Who has waited for a value also sees what its writer has stored to L1 of this tile before. What a writer has sent over the NoC before it has
/// waited for first.
pub struct Semaphore {
    at: u32,
    first: NocXy,
    last: NocXy,
}

impl Semaphore {
    pub(super) fn new(at: u32, tiles: u32) -> Self {
        let [first, last] = corners(tiles);
        Self { at, first, last }
    }

    fn word(&self) -> Register {
        // SAFETY: the word that the host has set aside for the semaphore, to which there are no references.
        unsafe { Register::at(self.at) }
    }

    pub(super) fn place(&self) -> (u32, NocXy, NocXy) {
        (self.at, self.first, self.last)
    }

    /// Its address, if it is on a tile.
    #[track_caller]
    pub(super) fn on(&self, tile: Tile) -> u32 {
        inside(tile, self.first, self.last);
        self.at
    }

    /// Its value here, for a look: only [`wait`](Self::wait) orders what comes after it behind what was done before the value was set.
    pub fn value(&self) -> u32 {
        let value = self.word().load_and_wait();
        order();
        value
    }

    /// Sets it here. Cores of other tiles must not add to it at the same time.
    pub fn set(&self, value: u32) {
        order();
        self.word().store(value);
    }

    /// Waits until it has at least this value here.
    #[track_caller]
    pub fn wait(&self, value: u32) {
        // Every value is at least 0: a load here would decide nothing, and so would be no wait.
        if value == 0 {
            return order();
        }
        until(Wait::Semaphore, value, || self.word().load() >= value);
    }
}
