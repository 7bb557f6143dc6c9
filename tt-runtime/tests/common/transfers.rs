//! Bytes in and out of a device's memory, at any place and of any length.

use std::sync::Arc;

use tt_runtime::{Device, DramAddr, Error};

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

/// Offsets of source and result, and bytes: alike and not with regard to 16 and 32 bytes, within a page and over many.
const COPIES: [([u64; 2], u64); 7] = [
    ([0, 0], 100),
    ([0, 0], 8192),
    ([5, 8197], 1000),
    ([16, 0], 20_000),
    ([3, 19], 70_000),
    ([3, 4], 70_000),
    ([1, 33], 300_000),
];

/// Copies and fills of at most `most` bytes, with what is around them.
pub fn on_the_chip(device: &Arc<Device>, rng: &mut Rng, most: u64) -> Result<(), Error> {
    for ([from, to], len) in COPIES.into_iter().filter(|&(_, len)| len <= most) {
        // The source is in front, then the copy, then what is filled.
        let second = (from + len).next_multiple_of(4096);
        let before = pattern((second + to + 2 * len + 100) as usize, rng);
        let (memory, at) = upload(device, &before, 0);
        device.copy(DramAddr(at + second + to), DramAddr(at + from), len)?;
        device.fill(DramAddr(at + second + to + len + 7), len, 0xA5)?;
        let mut want = before;
        let (from, to, len) = (from as usize, (second + to) as usize, len as usize);
        want.copy_within(from..from + len, to);
        want[to + len + 7..to + 2 * len + 7].fill(0xA5);
        let mut back = vec![0; want.len()];
        device.read(memory.addr(), &mut back)?;
        let wrong = back.iter().zip(&want).position(|(a, b)| a != b);
        assert_eq!(wrong, None, "{len} bytes from {from} to {to}");
    }
    Ok(())
}

/// Copies whose ranges overlap, both ways, by little and by much.
pub fn overlapping(device: &Arc<Device>, rng: &mut Rng) -> Result<(), Error> {
    for (from, to) in [(0, 32), (32, 0), (0, 1 << 20), (1 << 20, 0), (7, 2_000_000)] {
        let mut want = pattern(5 << 20, rng);
        let (memory, at) = upload(device, &want, 0);
        let len = 5 << 19;
        device.copy(DramAddr(at + to), DramAddr(at + from), len)?;
        want.copy_within(from as usize..(from + len) as usize, to as usize);
        let mut back = vec![0; want.len()];
        device.read(memory.addr(), &mut back)?;
        assert!(back == want, "from {from} to {to}");
    }
    Ok(())
}
