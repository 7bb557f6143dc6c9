//! Finds a race with the simulator's detector (`kernels/src/bin/tell.rs`).
//!
//! A tile writes a block to another tile, and tells it so by a semaphore before the block is there: the two requests may overtake each other. Types cannot
//! see this mistake, since the memory is another tile's. In the fast mode it does not show: everything arrives at once. On a card it would work
//! most of the time. The asynchronous mode delays each request by a time that follows from a seed, and looks at every access to memory: two of which one
//! writes have to be in an order. It names both, and what is missing ([docs/simulator.md](../../docs/simulator.md#asynchronous-mode)).
//! The same kernel that waits before it tells is clean with every seed.

use anyhow::{Context, Result};
use tt_examples::kernels;
use tt_runtime::program::{Core, Kernel, L1Buffer, Program, Semaphore};
use tt_runtime::{Device, parse_devices};

/// Words of the block.
const LEN: usize = 256;

/// Seeds that are tried. Whether a race shows depends on which requests are under way at the same time.
const SEEDS: std::ops::RangeInclusive<u32> = 1..=12;

/// Runs the kernel on a device; the sum that the second tile has found.
fn run(device: &str, waits: bool) -> Result<u32> {
    let spec = parse_devices(Some(device))?.into_iter().next().context("there is no device")?;
    let device = Device::open(&spec);
    let grid = device.grid()?;
    let both = grid.range((0, 0), (1, 0))?;
    let block = L1Buffer::<u32>::new(&device, both, LEN)?;
    block.fill(0)?;
    let sum = L1Buffer::<u32>::new(&device, both, 1)?;
    let kernel = Kernel::new(&kernels::TELL, Core::Brisc, both)
        .argument_for_each(|at| u32::from(at.x == 0))
        .argument(both.last())
        .argument(&block)
        .argument(block.on_tiles())
        .argument(Semaphore::new(&device, both, 0)?)
        .argument(&sum)
        .argument(u32::from(waits));
    Program::new(&device).kernel(kernel).run()?;
    Ok(sum.read(both.last())?[0])
}

fn main() -> Result<()> {
    let expected: u32 = (1..=LEN as u32).sum();
    println!("fast mode, without the wait: {} of {expected}", run("sim:n150,rows=1", false)?);

    let with_seed = |seed: u32| format!("sim:n150,rows=1,async={seed}");
    let found =
        SEEDS.clone().find_map(|seed| run(&with_seed(seed), false).err().map(|report| (seed, report)));
    let (seed, report) = found.context("the detector has found nothing")?;
    println!("asynchronous mode, seed {seed}, without the wait:\n{report}");

    for seed in SEEDS.clone() {
        assert_eq!(run(&with_seed(seed), true)?, expected);
    }
    println!("asynchronous mode, with the wait: clean with {} seeds", SEEDS.count());
    Ok(())
}
