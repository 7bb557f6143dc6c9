//! Queues and events: order, what overlaps, data that is there when it is asked for, and what becomes of commands behind one that has failed.

mod common;

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use common::{devices, open};
use tt_examples::kernels;
use tt_runtime::grid::Tile;
use tt_runtime::program::{Core, DramBuffer, HostBuffer, Kernel, L1Buffer, Program, QueueError, Semaphore};
use tt_runtime::queue::Queue;
use tt_runtime::{Device, ElementType, Error, TensorView, ops};

/// A program that adds the first two of three numbers.
fn add(device: &Arc<Device>, tile: Tile, numbers: &L1Buffer<u32>) -> Program {
    Program::new(device).kernel(Kernel::new(&kernels::ADD_NUMBERS, Core::Brisc, tile).argument(numbers))
}

/// One that waits for a semaphore that nobody raises.
fn hang(device: &Arc<Device>, tile: Tile) -> Program {
    let semaphore = Semaphore::new(device, tile, 0).unwrap();
    let kernel = Kernel::new(&kernels::TEST_MISBEHAVE, Core::Brisc, tile);
    Program::new(device)
        .kernel(kernel.argument(3u32).argument(&semaphore))
        .patience(Duration::from_millis(200))
}

#[test]
fn transfers_and_programs_run_in_order() {
    for device in devices() {
        let tile = device.grid().unwrap().tile((2, 1)).unwrap();
        let queue = Queue::new(&device).unwrap();
        let numbers = L1Buffer::<u32>::new(&device, tile, 3).unwrap();
        let program = add(&device, tile, &numbers);
        let sums: Vec<_> = (0..5u32)
            .map(|n| {
                queue.write(&numbers, 0, [n, 100, 0]);
                queue.run(&program);
                queue.read_from(&numbers.on(tile), 2, 1)
            })
            .collect();
        // What the queue uses stays.
        drop((program, numbers));
        for (n, sum) in (0..5).zip(sums) {
            assert_eq!(sum.wait().unwrap(), [n + 100]);
        }
        queue.finish().unwrap();
    }
}

#[test]
fn an_event_puts_one_queue_behind_another() {
    for device in devices() {
        let grid = device.grid().unwrap();
        let (one, two) = (grid.tile((1, 0)).unwrap(), grid.tile((5, 1)).unwrap());
        let [first, second] = [(), ()].map(|()| Queue::new(&device).unwrap());
        let numbers = [one, two].map(|tile| L1Buffer::<u32>::new(&device, tile, 3).unwrap());
        first.write(&numbers[0], 0, [20, 22, 0]);
        let ran = first.run(&add(&device, one, &numbers[0]));
        // The second queue takes what the first one has computed.
        second.wait_for(&ran);
        second.copy(&numbers[0].on(one), &numbers[1]);
        second.write(&numbers[1], 0, [1]);
        second.copy(&numbers[0].on(one), &numbers[1].on(two));
        second.write(&numbers[1].on(two), 1, [1000]);
        let sum = {
            second.run(&add(&device, two, &numbers[1]));
            second.read(&numbers[1].on(two))
        };
        assert_eq!(sum.wait().unwrap(), [20, 1000, 1020]);
        assert_eq!(numbers[0].read(one).unwrap(), [20, 22, 42]);
        let all = first.record();
        assert!(all.wait_for(Duration::from_secs(60)).unwrap() && all.is_done());
    }
}

#[test]
fn every_kind_of_memory_is_copied_and_filled() {
    let device = open("sim:n150,rows=2,async=5");
    let range = device.grid().unwrap().range((0, 0), (2, 1)).unwrap();
    let queue = Queue::new(&device).unwrap();
    let data: Vec<u32> = (0..3000).map(|n| n * 7).collect();
    let [a, b] = [(), ()].map(|()| DramBuffer::<u32>::new(&device, 3000).unwrap());
    let l1 = L1Buffer::<u32>::new(&device, range, 3000).unwrap();
    let pinned = HostBuffer::<u32>::new(&device, 3000).unwrap();
    queue.write(&a, 0, data.clone());
    queue.copy(&a, &b);
    queue.copy(&b, &l1);
    queue.copy(&l1.on(range.last()), &pinned);
    queue.fill(&a, 0);
    queue.fill(&b, 5);
    queue.copy(&pinned, &a);
    let (back, filled, pinned_now) = (queue.read(&a), queue.read(&b), queue.read(&pinned));
    assert_eq!(back.wait().unwrap(), data);
    assert_eq!(filled.wait().unwrap(), [5; 3000]);
    assert_eq!(pinned_now.wait().unwrap(), data);
    assert_eq!(l1.read(range.first()).unwrap(), data);
    // Between devices, and one that is too small.
    let other = open("sim:n150,rows=1");
    let there = DramBuffer::<u32>::new(&other, 3000).unwrap();
    queue.copy(&a, &there);
    queue.finish().unwrap();
    assert_eq!(there.read().unwrap(), data);
    let small = DramBuffer::<u32>::new(&device, 10).unwrap();
    assert!(matches!(queue.copy(&a, &small).wait(), Err(Error::Buffer(_))));
    assert!(matches!(small.copy_from(&there).unwrap_err(), Error::Buffer(_)));
}

#[test]
fn commands_behind_a_failed_one_are_not_begun() {
    let device = open("sim:n150,rows=2");
    let grid = device.grid().unwrap();
    let (tile, other) = (grid.tile((1, 1)).unwrap(), grid.tile((2, 1)).unwrap());
    let [first, second] = [(), ()].map(|()| Queue::new(&device).unwrap());
    let numbers = L1Buffer::<u32>::new(&device, other, 3).unwrap();
    numbers.write(&[1, 2, 0]).unwrap();
    let failed = first.run(&hang(&device, tile));
    let skipped = first.write(&numbers, 0, [7, 7, 7]);
    let waited = second.wait_for(&failed);
    let read = second.read(&numbers.on(other));
    assert!(matches!(failed.wait(), Err(Error::Program(_))));
    let skipped = skipped.wait().unwrap_err();
    assert!(matches!(skipped, Error::Queue(QueueError::Skipped { .. })), "{skipped}");
    assert!(
        skipped.to_string().contains("a write was not begun, since a program in front of it"),
        "{skipped}"
    );
    assert!(waited.wait().is_err() && read.wait().is_err());
    // The first error, once; then both go on.
    assert!(matches!(first.finish(), Err(Error::Program(_))));
    assert!(first.finish().is_ok() && second.finish().is_err());
    assert_eq!(numbers.read(other).unwrap(), [1, 2, 0]);
    first.run(&add(&device, other, &numbers));
    assert_eq!(second.read(&numbers.on(other)).wait().map(|now| now.len()).unwrap(), 3);
    first.finish().unwrap();
    assert_eq!(numbers.read(other).unwrap(), [1, 2, 3]);
}

#[test]
fn the_host_waits_as_long_as_it_wants_to() {
    let device = open("sim:n150,rows=2");
    let queue = Queue::new(&device).unwrap();
    let (go, wait) = channel::<u32>();
    let value = queue.call(move || wait.recv().map_err(|error| Error::Unsupported(error.to_string())));
    let behind = queue.record();
    assert!(!behind.wait_for(Duration::from_millis(20)).unwrap() && !value.is_done());
    go.send(5).unwrap();
    assert_eq!(value.wait().unwrap(), 5);
    behind.wait().unwrap();
    // A function that panics takes the queue with it, and nobody waits for ever.
    let lost = queue.call::<()>(|| panic!("told to panic"));
    let behind = queue.record();
    for error in [lost.wait().unwrap_err(), behind.wait().unwrap_err(), queue.finish().unwrap_err()] {
        assert!(matches!(error, Error::Queue(QueueError::Lost { .. })), "{error}");
    }
}

#[test]
fn built_in_operators_take_their_turn() {
    let device = open("sim:n150,rows=2,async=1");
    let tile = device.grid().unwrap().tile((0, 0)).unwrap();
    let workers = device.info().unwrap().workers();
    let queue = Queue::new(&device).unwrap();
    let data: Vec<f32> = (0..256).map(|n| n as f32).collect();
    let [from, middle, to] = [(), (), ()].map(|()| DramBuffer::<f32>::new(&device, 256).unwrap());
    let view = |buffer: &DramBuffer<f32>| {
        TensorView::contiguous(ElementType::F32, buffer.address().0, [256, 1, 1, 1])
    };
    let copies = [(&from, &middle), (&middle, &to)];
    let copies = copies.map(|(from, to)| ops::copy(&view(from), &view(to), workers).unwrap());
    queue.write(&from, 0, data.clone());
    queue.execute(copies, (from.clone(), middle.clone()));
    let result = queue.read(&to);
    drop((from, middle));
    assert_eq!(result.wait().unwrap(), data);
    // While somebody has L1 it is refused; the operator takes all of it.
    let numbers = L1Buffer::<u32>::new(&device, tile, 3).unwrap();
    let refused = queue.execute(copies, ());
    assert!(matches!(refused.wait(), Err(Error::Taken { .. })));
    assert!(queue.finish().is_err());
    drop(numbers);
    queue.execute(copies, ());
    queue.finish().unwrap();
}

#[test]
fn a_queue_that_is_dropped_has_done_everything() {
    let device = open("sim:n150,rows=2");
    let buffer = DramBuffer::<u32>::new(&device, 5000).unwrap();
    let queue = Queue::new(&device).unwrap();
    (0..20).for_each(|n| drop(queue.fill(&buffer, n)));
    drop(queue);
    assert_eq!(buffer.read().unwrap(), [19; 5000]);
}
