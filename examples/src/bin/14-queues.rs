//! Computes batch by batch while the next batch is on its way (`kernels/src/bin/stream_add.rs`).
//!
//! A [`Queue`] does its commands one after the other on a thread of its own; the caller goes on at once. With two of them, transfers and programs go on side by side: while the tiles add
//! the numbers of one batch, the next one is written to the other pair of buffers. What must not overlap is said by events: a program waits until its batch is there, a write until
//! the program that reads the same buffers has ended. A result is asked for when the program is submitted, and looked at when it is needed.

use std::sync::Arc;

use anyhow::Result;
use tt_examples::kernels;
use tt_runtime::grid::TileRange;
use tt_runtime::program::{CircularBuffer, Core, DramBuffer, Kernel, Program};
use tt_runtime::queue::{Event, Queue};
use tt_runtime::{Device, Error as DeviceError};

/// Numbers of a page, and pages of each tile.
const PAGE: usize = 256;
const PAGES: u32 = 4;
/// Batches, and sets of buffers that take turns.
const BATCHES: usize = 5;
const SETS: usize = 2;

/// Two vectors in DRAM, their sum, and the program that adds them.
struct Set {
    a: DramBuffer<f32>,
    b: DramBuffer<f32>,
    sum: DramBuffer<f32>,
    program: Program,
    /// The last program that used the set has ended.
    free: Option<Event>,
}

fn set(device: &Arc<Device>, tiles: TileRange, len: usize) -> Result<Set, DeviceError> {
    let vector = || DramBuffer::<f32>::new(device, len);
    let (a, b, sum) = (vector()?, vector()?, vector()?);
    let pages = || CircularBuffer::<f32>::new(device, tiles, 2, PAGE);
    let (pages_a, pages_b, sums) = (pages()?, pages()?, pages()?);
    let kernel = |core| {
        Kernel::new(&kernels::STREAM_ADD, core, tiles).argument_for_each(|at| at.x * PAGES).argument(PAGES)
    };
    let reader = kernel(Core::Ncrisc).argument(&a).argument(&b);
    let program = Program::new(device)
        .kernel(reader.argument(pages_a.producer()).argument(pages_b.producer()))
        .kernel(
            kernel(Core::Trisc1)
                .argument(pages_a.consumer())
                .argument(pages_b.consumer())
                .argument(sums.producer()),
        )
        .kernel(kernel(Core::Brisc).argument(&sum).argument(sums.consumer()));
    Ok(Set { a, b, sum, program, free: None })
}

fn main() -> Result<()> {
    let device = tt_examples::device()?;
    let tiles = device.grid()?.range((0, 0), (3, 0))?;
    let len = PAGE * PAGES as usize * tiles.len();
    let mut sets: Vec<Set> = (0..SETS).map(|_| set(&device, tiles, len)).collect::<Result<_, _>>()?;
    let (transfers, programs) = (Queue::new(&device)?, Queue::new(&device)?);

    let mut results = Vec::new();
    for batch in 0..BATCHES {
        let set = &mut sets[batch % SETS];
        if let Some(free) = &set.free {
            transfers.wait_for(free);
        }
        transfers.write(&set.a, 0, vec![batch as f32; len]);
        let there = transfers.write(&set.b, 0, (0..len).map(|n| n as f32).collect::<Vec<f32>>());
        programs.wait_for(&there);
        programs.run(&set.program);
        // In the queue of programs: the next one must not overwrite the sums before they are read.
        let result = programs.read(&set.sum);
        set.free = Some(result.event().clone());
        results.push(result);
    }
    println!("{BATCHES} batches are submitted");

    for (batch, result) in results.into_iter().enumerate() {
        let sums = result.wait()?;
        assert!(sums.iter().enumerate().all(|(n, &sum)| sum == (batch + n) as f32), "batch {batch}");
        println!("batch {batch}: {} sums, the last one {}", sums.len(), sums[len - 1]);
    }
    transfers.finish()?;
    programs.finish()?;
    Ok(())
}
