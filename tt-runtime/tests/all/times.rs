//! Times of steps by the wall clock of the leader's tile, on a simulated chip that keeps time and on a card.

use std::sync::Arc;

use crate::common::{Rng, upload};
use tt_runtime::{Device, ElementType, OpDescriptor, StepTime, TensorView, ops, parse_devices};

fn device(spec: &str) -> Arc<Device> {
    Device::open(&parse_devices(Some(spec)).expect("a device")[0])
}

/// A copy of so many rows of 1024 floats.
fn copy(device: &Arc<Device>, rows: u32) -> (OpDescriptor, Vec<tt_runtime::Allocation>) {
    let mut rng = Rng::new(7);
    let bytes: Vec<u8> = (0..1024 * rows).flat_map(|_| rng.unit().to_le_bytes()).collect();
    let both = [0, 1].map(|_| upload(device, &bytes, 0));
    let [from, to] = [0, 1].map(|n| TensorView::contiguous(ElementType::F32, both[n].1, [1024, rows, 1, 1]));
    let workers = device.info().expect("it boots").workers();
    let op = ops::copy(&from, &to, workers).expect("supported");
    (op, both.into_iter().map(|(memory, _)| memory).collect())
}

fn check(times: &[StepTime], steps: usize) {
    assert_eq!(times.len(), steps);
    assert!(times.iter().all(|step| step.begin < step.end && !step.operator.is_empty()), "{times:?}");
    assert!(times.windows(2).all(|two| two[0].end <= two[1].begin), "{times:?}");
}

#[test]
fn the_chips_own_clock_and_the_simulators_agree() {
    let device = device("sim:n150,rows=1,timed");
    let (op, _memory) = copy(&device, 64);
    device.execute(&op).expect("it runs");
    device.keep_times(true).expect("it is open");
    let clock = || device.counters().clocks.expect("time is kept");
    // One launch: the host's way there, and the push that tells it, are not the step's.
    let before = clock();
    device.execute(&op).expect("it runs");
    let after = clock();
    let times = device.take_times();
    check(&times, 1);
    let [begin, end] = [times[0].begin - before, after - times[0].end];
    assert!(times[0].begin >= before && begin < 400, "{begin} clocks until it begins");
    // The times themselves: a write to DRAM, and a read of eight words over PCIe.
    let read = 8 * 1150;
    assert!((read..read + 2500).contains(&end), "{end} clocks from its end");
    // Steps of a stream take what the whole takes.
    let before = (clock(), device.counters().step_clocks.expect("kept"));
    let mut stream = device.stream();
    (0..8).for_each(|_| stream.push(&op).expect("it is open"));
    stream.finish().expect("it runs");
    let times = device.take_times();
    check(&times, 8);
    let sum: u64 = times.iter().map(|step| step.end - step.begin).sum();
    assert_eq!(device.counters().step_clocks.expect("kept") - before.1, sum);
    let gaps: u64 = times.windows(2).map(|two| two[1].begin - two[0].end).sum();
    assert!(gaps < 7 * 400, "{gaps} clocks between the steps");
    assert!(times[0].begin - before.0 < 2000 && times[7].end < clock());
    // No longer.
    device.keep_times(false).expect("it is open");
    device.execute(&op).expect("it runs");
    assert!(device.take_times().is_empty() && device.counters().step_clocks.is_none());
}

#[test]
fn a_card_has_them_too() {
    let device = device("kmd-mock:2.10.0");
    let (op, _memory) = copy(&device, 8);
    assert_eq!(device.counters().step_clocks, None);
    device.keep_times(true).expect("it boots");
    let mut stream = device.stream();
    (0..3).for_each(|_| stream.push(&op).expect("it is open"));
    stream.finish().expect("it runs");
    check(&device.take_times(), 3);
    assert!(device.counters().step_clocks.expect("kept") > 0 && device.counters().clocks.is_none());
}

#[test]
fn the_second_chip_has_them() {
    let devices = parse_devices(Some("sim:n300,rows=1")).expect("two devices");
    let second = Device::open(&devices[1]);
    second.keep_times(true).expect("it boots");
    let (op, _memory) = copy(&second, 4);
    second.take_times();
    second.execute(&op).expect("it runs");
    let times = second.take_times();
    check(&times, 1);
    assert_eq!(times[0].operator, op.name().to_string());
}
