//! A lane: one of a tile's two data-movement cores, working on its own with its own NoC and half of the heap.
//!
//! Operators that only move data or do little arithmetic run as many independent lanes. Lane numbers go through the
//! tiles first, so that few units of work spread over many tiles.
#![allow(unsafe_code)]

use super::heap::Heap;
use super::l1::outside;
use super::launch::Launch;
use super::noc::Noc;
use core::ops::Deref;
use tt_isa::map::RiscV;
use tt_kernel_abi::ahead::KEEPS;
use tt_kernel_abi::launch::LANES;
use tt_kernel_abi::matmul::share;

/// The launch of a lane. It is for looking at only: who could take it out of its lane could have ranges of the whole heap
/// ([`TileLaunch`](super::launch::TileLaunch)) beside the lane's slices.
pub struct LaneLaunch<'a>(Launch<'a>);

impl<'a> Deref for LaneLaunch<'a> {
    type Target = Launch<'a>;

    #[inline(always)]
    fn deref(&self) -> &Launch<'a> {
        &self.0
    }
}

/// A core at work.
pub struct Lane<'a> {
    /// The launch.
    pub launch: LaneLaunch<'a>,
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
    /// The lane of this core for this launch: BRISC has NoC 0, NCRISC NoC 1.
    pub fn new(launch: Launch<'a>) -> Self {
        let noc = match launch.core {
            RiscV::Brisc => 0,
            RiscV::Ncrisc => 1,
            _ => outside(),
        };
        let cores = launch.op.cores;
        // SAFETY: the launch loop makes one `Launch` for a launch and core, which becomes this lane. The slices of the lane before went
        // with its operator.
        let heap = unsafe { Heap::of_noc(noc, launch.op.flags & KEEPS != 0) };
        Self {
            index: launch.index + noc * cores,
            count: LANES * cores,
            launch: LaneLaunch(launch),
            noc: Noc::new(noc),
            heap,
        }
    }

    /// This lane's part of `total` units: first and end.
    pub fn share(&self, total: u32) -> (u32, u32) {
        let (first, count) = share(total, self.index, self.count);
        (first, first + count)
    }
}
