//! Bytes in and out of a device's memory, at any place and of any length.

use std::sync::Arc;

use tt_runtime::{Device, Error};

use super::{Rng, upload};

/// Offset and length: within a page, over its end, odd ones, many pages, and more than the memory of the host that a chip writes to.
pub const RANGES: [(u64, usize); 9] = [
    (0, 1),
    (0, 256),
    (3, 300),
    (8190, 700),
    (32, 8192),
    (5, 100_001),
    (16, 64 << 10),
    (31, 1 << 20),
    (7, 3 << 20),
];

/// Bytes that tell their place.
pub fn pattern(len: usize, rng: &mut Rng) -> Vec<u8> {
    let seed = rng.next();
    (0..len as u32).map(|i| ((i ^ seed).wrapping_mul(0x9E37_79B1) >> 24) as u8).collect()
}

/// Writes and reads back every range whose length is at most `most`.
pub fn run(device: &Arc<Device>, rng: &mut Rng, most: usize) -> Result<(), Error> {
    for (offset, len) in RANGES.into_iter().filter(|&(_, len)| len <= most) {
        let data = pattern(len, rng);
        let (memory, _) = upload(device, &data, offset);
        // Two reads, so that what the first has left in the host's memory does not help the second.
        for skip in [0, len / 3] {
            let mut back = vec![0xEE; len - skip];
            device.read(memory.addr().offset(offset + skip as u64), &mut back)?;
            assert!(back == data[skip..], "{len} bytes from {offset} on, without {skip}");
        }
    }
    Ok(())
}
