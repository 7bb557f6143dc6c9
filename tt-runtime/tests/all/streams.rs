//! Streams: steps that follow one another without the host, and what becomes of those that kernels refuse.

use std::sync::Arc;

use crate::common::{Rng, null, seeds, simulator, upload};
use tt_kernel_abi::dram::STREAM_STEPS;
use tt_runtime::ops::elementwise::Unary;
use tt_runtime::{
    Allocation, Device, DramAddr, ElementType, Error, OpDescriptor, TensorView, ops, parse_devices,
};

/// Elements of a row, and rows.
const NE: [u32; 4] = [70, 9, 1, 1];
const COUNT: usize = 630;

/// Memory for a tensor of random floats.
fn tensor(device: &Arc<Device>, rng: &mut Rng) -> (Allocation, TensorView, Vec<f32>) {
    let values: Vec<f32> = (0..COUNT).map(|_| rng.unit()).collect();
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let (memory, addr) = upload(device, &bytes, 4);
    (memory, TensorView::contiguous(ElementType::F32, addr, NE), values)
}

fn read(device: &Device, view: &TensorView) -> Vec<f32> {
    let mut bytes = vec![0; 4 * COUNT];
    device.read(DramAddr(view.addr), &mut bytes).expect("readable");
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().expect("four"))).collect()
}

/// Rows are taken by indices of which one is beyond the end if `outside`.
fn rows(
    device: &Arc<Device>,
    from: &TensorView,
    to: &TensorView,
    outside: bool,
) -> (Allocation, OpDescriptor) {
    let index: Vec<u8> =
        (0..NE[1]).rev().map(|i| if outside && i == 3 { 99 } else { i }).flat_map(u32::to_le_bytes).collect();
    let (memory, addr) = upload(device, &index, 0);
    let index = TensorView::contiguous(ElementType::I32, addr, [NE[1], 1, 1, 1]);
    let workers = device.info().expect("it boots").workers();
    (memory, ops::get_rows(from, &index, to, workers).expect("supported"))
}

/// Each step reads what the one before has written: `steps` copies from one to another of three tensors, by workers that have other parts of
/// it than before.
fn chain(device: &Arc<Device>, rng: &mut Rng, steps: usize) {
    let tensors = [0; 3].map(|_| tensor(device, rng));
    let workers = device.info().expect("it boots").workers();
    let before = device.counters();
    let mut stream = device.stream();
    for step in 0..steps {
        let [from, to] = [step, step + 1].map(|i| tensors[i % 3].1);
        let cores = [workers, 1, workers - 1][step % 3];
        stream.push(&ops::copy(&from, &to, cores).expect("supported")).expect("it boots");
    }
    stream.finish().expect("no finding");
    let after = device.counters();
    let most = STREAM_STEPS + 1;
    let streams = steps.div_ceil(most) as u64;
    assert_eq!((after.launches - before.launches, after.streams - before.streams), (steps as u64, streams));
    assert_eq!(read(device, &tensors[steps % 3].1), tensors[0].2);
}

#[test]
fn a_step_sees_what_the_one_before_has_written() {
    let (device, mut rng) = (simulator(), Rng::new(1));
    for steps in [1, 2, 3, 50] {
        chain(&device, &mut rng, steps);
    }
}

/// Elements of a square matrix's row.
const K: u32 = 96;

/// Products of one row and of several, and functions of the vector unit, in turn: all cores of a tile work together in each of them, and the next one
/// begins with what they have left in L1, in Dst and in the counters by which they pass work on. Gives the last result's bytes.
fn tensix_steps(device: &Arc<Device>, rng: &mut Rng, in_stream: bool) -> Vec<u8> {
    let mut float = |ne: [u32; 4]| {
        let values: Vec<u8> = (0..ne.iter().product()).flat_map(|_| rng.unit().to_le_bytes()).collect();
        let (memory, addr) = upload(device, &values, 0);
        (memory, TensorView::contiguous(ElementType::F32, addr, ne))
    };
    let (_w, weights) = float([K, K, 1, 1]);
    let rows = [1, 9];
    let tensors = rows.map(|rows| [(); 3].map(|()| float([K, rows, 1, 1])));
    let workers = device.info().expect("it boots").workers();
    let mut stream = device.stream();
    let mut push = |descriptor: OpDescriptor| {
        stream.push(&descriptor).expect("it boots");
        if !in_stream {
            stream.finish().expect("no finding");
        }
    };
    for _ in 0..2 {
        for [(_, x), (_, y), (_, z)] in &tensors {
            push(ops::matmul(&weights, x, y, workers).expect("supported"));
            push(ops::unary(Unary::Silu, &[], y, z, workers).expect("supported"));
            push(ops::matmul(&weights, z, x, workers).expect("supported"));
        }
    }
    stream.finish().expect("no finding");
    let results = tensors.iter().map(|[(_, x), ..]| {
        let mut bytes = vec![0; 4 * x.ne.iter().product::<u32>() as usize];
        device.read(DramAddr(x.addr), &mut bytes).expect("readable");
        bytes
    });
    results.flatten().collect()
}

/// With random delays, and the race detector.
#[test]
fn steps_do_not_race() {
    for seed in 0..seeds(6) {
        let spec = parse_devices(Some(&format!("sim,rows=1,async={seed}"))).expect("a device");
        let device = Device::open(&spec[0]);
        chain(&device, &mut Rng::new(seed + 1), 7);
        let [alone, in_stream] = [false, true].map(|way| tensix_steps(&device, &mut Rng::new(seed + 2), way));
        assert!(alone == in_stream, "seed {seed}: other bytes");
    }
}

/// The vendor's simulator runs streams too.
#[test]
fn the_vendors_simulator_runs_streams() {
    let Some(library) = std::env::var_os("TTSIM_LIB") else {
        println!("SKIPPED: TTSIM_LIB is not set");
        return;
    };
    let spec = parse_devices(Some(&format!("ttsim:{}", library.to_string_lossy()))).expect("a device");
    chain(&Device::open(&spec[0]), &mut Rng::new(3), 5);
}

/// More steps than there is room for.
#[test]
fn long_streams_are_started_in_pieces() {
    let device = null();
    let mut stream = device.stream();
    for _ in 0..3 * STREAM_STEPS {
        stream.push(&OpDescriptor::NOP).expect("it boots");
    }
    stream.finish().expect("it computes nothing");
    let counters = device.counters();
    assert_eq!((counters.launches, counters.streams), (3 * STREAM_STEPS as u64, 3));
}

/// A refused step is an error of whom it belongs to, and everything else runs.
#[test]
fn a_refused_step_is_its_owners() {
    let (device, mut rng) = (simulator(), Rng::new(5));
    let [(_a, a, values), (_b, b, _), (_c, c, _), (_d, d, before)] =
        [0; 4].map(|_| tensor(&device, &mut rng));
    let workers = device.info().expect("it boots").workers();
    let copy = |from: &TensorView, to: &TensorView| ops::copy(from, to, workers).expect("supported");
    let (_index, refused) = rows(&device, &a, &c, true);
    let (_other, reversed) = rows(&device, &b, &d, false);
    let (mut first, mut second, mut dropped) = (device.stream(), device.stream(), device.stream());
    first.push(&copy(&a, &b)).expect("it boots");
    second.push(&copy(&a, &c)).expect("it boots");
    first.push(&refused).expect("it boots");
    dropped.push(&copy(&b, &a)).expect("it boots");
    drop(dropped);
    first.push(&reversed).expect("it boots");
    second.push(&copy(&b, &c)).expect("it boots");
    second.finish().expect("nothing of it was refused");
    let error = first.finish().expect_err("an index is out of range");
    assert!(matches!((error.step, &error.error), (Some(1), Error::Kernel { .. })), "{error:?}");
    // Everything else has run, but for what was dropped.
    let reversed: Vec<f32> = values.chunks(70).rev().flatten().copied().collect();
    assert_ne!(read(&device, &d), before);
    assert_eq!(
        [&a, &b, &c, &d].map(|view| read(&device, view)),
        [&values, &values, &values, &reversed].map(Vec::clone)
    );
    // It was told once.
    first.push(&copy(&a, &b)).expect("the device goes on");
    first.finish().expect("nothing new was refused");
    assert_eq!(device.counters().streams, 3);
}

/// Memory is read and written after what was pushed.
#[test]
fn the_host_comes_after_what_was_pushed() {
    let (device, mut rng) = (simulator(), Rng::new(7));
    let [(_a, a, values), (_b, b, _), (_c, c, _)] = [0; 3].map(|_| tensor(&device, &mut rng));
    let workers = device.info().expect("it boots").workers();
    let mut stream = device.stream();
    stream.push(&ops::copy(&a, &b, workers).expect("supported")).expect("it boots");
    device.write(DramAddr(a.addr), &vec![0; 4 * COUNT]).expect("writable");
    stream.push(&ops::copy(&a, &c, workers).expect("supported")).expect("it boots");
    assert_eq!([&b, &c].map(|view| read(&device, view)), [values, vec![0.0; COUNT]]);
    stream.finish().expect("it has run");
    assert_eq!((device.counters().streams, device.counters().launches), (2, 2));
}
