//! Where the ring of weights that are read ahead ([`crate::ahead`]) is: at the end of the heap. What leaves it alone is in front.

use crate::l1::{HEAP, HEAP_END};
use crate::target::CONGRUENCE;

/// Slots of the ring.
pub const SLOTS: u32 = 62;
/// Bytes of a slot, which takes a block of weights: a packet of tiles, 8 KiB at most, or a group of weights that are not rounded a second time
/// ([`crate::exact`]), a packet and the beginning of another one. All tiles have a block on its way most of the time, and every other read and write waits
/// behind those at its channel of DRAM: six packets are 2.2 us.
pub const SLOT_BYTES: u32 = 9 * 1024;
/// First byte of the ring, at the end of the heap.
pub const RING: u32 = HEAP_END - SLOTS * SLOT_BYTES;
/// Where lanes divide what is left of the heap in a launch that keeps the ring: BRISC has the lower part.
pub const MIDDLE: u32 = (HEAP + (RING - HEAP) / 2) & !63;

const _: () = assert!(RING.is_multiple_of(CONGRUENCE) && MIDDLE < RING);
