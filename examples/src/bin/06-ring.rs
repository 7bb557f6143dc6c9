//! Passes blocks round a ring of tiles until every tile has all of them (`kernels/src/bin/ring.rs`): an all-gather.
//!
//! NoC 0 carries packets to the right and down, and the ends of a row are joined, so on a row of tiles each one is as near to the next as it can be, the last
//! one to the first as well. BRISC uses NoC 0. A kernel gets what differs between tiles as arguments: its number, and which tile is the next.
//! With `sim:n150,timed` the clocks are those that the chip would take ([docs/timing.md](../../docs/timing.md)).

use anyhow::Result;
use tt_examples::kernels;
use tt_runtime::program::{Core, Kernel, L1Buffer, Program, Semaphore};

/// Words of a block: 2 KiB.
const LEN: usize = 512;

fn main() -> Result<()> {
    let device = tt_examples::device()?;
    let grid = device.grid()?;
    let row = grid.row(0)?;
    let tiles: Vec<_> = grid.tiles_of(row).collect();
    let block = |n: usize| -> Vec<u32> { (0..LEN).map(|word| (n * 1_000_000 + word) as u32).collect() };

    // Room for all blocks on each tile; at first it has its own one.
    let blocks = L1Buffer::<u32>::new(&device, row, tiles.len() * LEN)?;
    blocks.fill(0)?;
    for (n, &tile) in tiles.iter().enumerate() {
        blocks.write_to(tile, n * LEN, &block(n))?;
    }
    let clocks = L1Buffer::<u32>::new(&device, row, 1)?;

    let kernel = Kernel::new(&kernels::RING, Core::Brisc, row)
        .argument_for_each(|at| at.x)
        .argument(tiles.len() as u32)
        .argument_for_each(|at| tiles[(at.x as usize + 1) % tiles.len()])
        .argument(&blocks)
        .argument(blocks.on_tiles())
        .argument(Semaphore::new(&device, row, 0)?)
        .argument(&clocks);
    Program::new(&device).kernel(kernel).run()?;

    let all: Vec<u32> = (0..tiles.len()).flat_map(block).collect();
    let mut slowest = 0;
    for &tile in &tiles {
        assert_eq!(blocks.read(tile)?, all, "tile {tile}");
        slowest = slowest.max(clocks.read(tile)?[0]);
    }
    println!("all {} tiles have all blocks of {} bytes, after {slowest} clocks", tiles.len(), 4 * LEN);
    Ok(())
}
