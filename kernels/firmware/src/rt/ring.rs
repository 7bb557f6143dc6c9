//! The ring of weights that outlives steps ([`tt_kernel_abi::ahead`]), and what goes with it: the later step's descriptor.
#![allow(unsafe_code)]

use super::l1::L1;
use super::noc::Noc;
use tt_kernel_abi::ahead::{RING, SLOT_BYTES, SLOTS};
use tt_kernel_abi::{DramAddr, OpDescriptor, l1};

/// The slot at a position of the ring. It is for products that read their weights through the ring, one after the other: no other kernel uses these
/// bytes between two of them.
#[inline(always)]
pub fn slot(position: u32) -> L1<'static> {
    // SAFETY: a slot of the ring. Lanes have it as part of their heap only in launches that do not keep the ring, and then nothing is read
    // ahead: the runtime says so in descriptors.
    unsafe { L1::new(RING + position % SLOTS * SLOT_BYTES, SLOT_BYTES) }
}

/// The place of a later step's descriptor; there is one, BRISC's.
pub struct LaterStep(());

impl LaterStep {
    /// BRISC's.
    ///
    /// # Safety
    /// Once.
    pub(super) unsafe fn new() -> Self {
        Self(())
    }

    /// Starts to read the descriptor at `addr`.
    pub fn fetch(&mut self, noc: &mut Noc, addr: DramAddr) {
        // SAFETY: the place of the descriptor; whoever had a reference to it had borrowed `self`.
        noc.read_dram(addr, unsafe { L1::new(l1::LATER_STEP, l1::DESCRIPTOR_BYTES) });
    }

    /// The descriptor, which has come.
    pub fn get(&self) -> &OpDescriptor {
        // SAFETY: words of any pattern are a descriptor; they are written by `fetch` alone, which takes `self` mutably.
        unsafe { &*(l1::LATER_STEP as *const OpDescriptor) }
    }
}
