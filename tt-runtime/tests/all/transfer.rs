//! Results on the host: read by it, or pushed by the chip where it reaches the host's memory.

use crate::common::{self, Rng, null, simulator, transfers};
use tt_runtime::{Device, DramAddr, Error, parse_devices};

#[test]
fn what_is_written_is_read() {
    let device = simulator();
    transfers::run(&device, &mut Rng::new(1), usize::MAX).unwrap();
    assert_eq!(device.is_pushed_to(), Some(true));
    // Launches that move bytes are none of the caller's.
    assert_eq!(device.counters().launches, 0);
}

/// Filled and copied by kernels where the ranges allow it.
#[test]
fn dram_is_filled_and_copied_on_the_chip() {
    let device = simulator();
    device.info().unwrap();
    let before = device.counters().moves;
    transfers::on_the_chip(&device, &mut Rng::new(3), u64::MAX).unwrap();
    // Of seven copies one is too small and one not congruent; the fills of all but the first are launches, and so are all reads.
    assert_eq!(device.counters().moves - before, 5 + 6 + 7);
    transfers::overlapping(&device, &mut Rng::new(4)).unwrap();
}

#[test]
fn a_device_that_computes_nothing_is_filled_and_copied_by_the_host() {
    let device = null();
    transfers::on_the_chip(&device, &mut Rng::new(3), u64::MAX).unwrap();
    transfers::overlapping(&device, &mut Rng::new(4)).unwrap();
    assert_eq!(device.counters().moves, 0);
}

#[test]
fn a_device_without_host_memory_is_read_by_the_host() {
    let device = null();
    transfers::run(&device, &mut Rng::new(2), usize::MAX).unwrap();
    assert_eq!(device.is_pushed_to(), Some(false));
}

#[test]
fn a_read_beyond_the_end_is_an_error_and_the_device_goes_on() {
    let device = simulator();
    let end = 12 << 30;
    let mut out = vec![0; 4096];
    assert!(matches!(device.read(DramAddr(end - 100), &mut out), Err(Error::OutOfRange { .. })));
    device.read(DramAddr(end - 4096), &mut out).unwrap();
}

/// A launch, the way over PCIe and the look at the host's own memory together: microseconds, where the host itself needs one for each
/// word.
#[test]
fn logits_are_on_the_host_in_microseconds() {
    const LOGITS: usize = 128_256 * 4;
    let spec = parse_devices(Some("sim:n150,timed")).unwrap();
    let device = Device::open(&spec[0]);
    let data = transfers::pattern(LOGITS, &mut Rng::new(5));
    let (memory, _) = common::upload(&device, &data, 0);
    let mut back = vec![0; LOGITS];
    // The first one waits for the data that has just been written.
    device.read(memory.addr(), &mut back).unwrap();
    back.fill(0);
    let before = device.counters().clocks.unwrap();
    device.read(memory.addr(), &mut back).unwrap();
    let us = (device.counters().clocks.unwrap() - before) as f64 / 1000.0;
    assert!(back == data);
    println!("{us:.1} us");
    // PCIe alone takes 19.4 us (26.4 bytes a ns).
    assert!((19.4..50.0).contains(&us), "{us} us");
}
