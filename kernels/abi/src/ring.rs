//! Where the ring of weights that are read ahead ([`crate::ahead`]) is: at the end of the heap. What leaves it alone is in front.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::dram::{DramAddr, STREAM};
use crate::l1::{DESCRIPTOR_BYTES, HEAP, HEAP_END};
use crate::target::CONGRUENCE;

/// Slots of the ring.
pub const SLOTS: u32 = 60;
/// Bytes of a slot, which takes a block of weights: a packet of tiles, 8 KiB at most, or a group of weights that are not rounded a second time
/// ([`crate::exact`]), a packet and the beginning of another one. All tiles have a block on its way most of the time, and every other read and write waits
/// behind those at its channel of DRAM: six packets are 2.2 us.
pub const SLOT_BYTES: u32 = 9 * 1024;
/// First byte of the ring, at the end of the heap.
pub const RING: u32 = HEAP_END - SLOTS * SLOT_BYTES;
/// Where lanes divide what is left of the heap in a launch that keeps the ring: BRISC has the lower part.
pub const MIDDLE: u32 = (HEAP + (RING - HEAP) / 2) & !63;

/// The place in its stream of a step whose weights come through the ring, in its parameters. Set by the runtime at launch; builders leave [`Link::NONE`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Link {
    /// Which step of its stream it is, counted from 1.
    pub number: u32,
    /// Number of the next such step, which BRISC begins to read the weights of when it has asked for all of this one's; 0: there is none, or what lies between needs the
    /// ring's room.
    pub later: u32,
}

impl Link {
    /// Of a step that is in no stream yet.
    pub const NONE: Self = Self { number: 0, later: 0 };

    /// Where the next one's descriptor is, if there is one. (The host launches the first step of a stream; the descriptors of the others lie in DRAM.)
    pub const fn later(&self) -> Option<DramAddr> {
        match self.later {
            0 | 1 => None,
            number => Some(STREAM.offset((number - 2) as u64 * DESCRIPTOR_BYTES as u64)),
        }
    }
}

const _: () = assert!(RING.is_multiple_of(CONGRUENCE) && MIDDLE < RING);
