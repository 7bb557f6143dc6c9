//! A lane: one of a tile's two data-movement cores, working on its own with its own NoC and half of the heap.
//!
//! Operators that only move data or do little arithmetic run as many independent lanes. Lane numbers go through the
//! tiles first, so that few units of work spread over many tiles.

use super::heap::Heap;
use super::launch::Launch;
use super::noc::Noc;
use tt_kernel_abi::launch::LANES;
use tt_kernel_abi::matmul::share;

/// A core at work.
pub struct Lane<'a> {
    /// The launch.
    pub launch: Launch<'a>,
    /// The core's NIU.
    pub noc: Noc,
    /// The core's memory.
    pub heap: Heap,
    /// Number of this lane.
    pub index: u32,
    /// Lanes that take part.
    pub count: u32,
}

impl<'a> Lane<'a> {
    /// The lane of the core that has NoC `noc`, for this launch.
    pub fn new(launch: Launch<'a>, noc: u32) -> Self {
        let cores = launch.op.cores;
        Self {
            index: launch.index + noc * cores,
            count: LANES * cores,
            launch,
            noc: Noc::new(noc),
            heap: Heap::of_noc(noc),
        }
    }

    /// This lane's part of `total` units: first and end.
    pub fn share(&self, total: u32) -> (u32, u32) {
        let (first, count) = share(total, self.index, self.count);
        (first, first + count)
    }
}
