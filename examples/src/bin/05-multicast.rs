//! Shares a vector with all tiles by one multicast, and collects what they make of it (`kernels/src/bin/share.rs`).
//!
//! Tiles have no common memory: they write to each other's L1 over the NoC, and tell each other by semaphores that something is there. A multicast
//! is one request for a rectangle of tiles. Two kinds of semaphores are here: `ready` is set on all tiles at once, `done` is counted up on the first
//! tile by all others. The rule of both: wait for the data, then tell. (Example 12 shows what happens otherwise.)

use anyhow::Result;
use tt_examples::kernels;
use tt_runtime::program::{Core, DramBuffer, Kernel, L1Buffer, Program, Semaphore};

/// Elements of the vector.
const LEN: usize = 64;

fn main() -> Result<()> {
    let device = tt_examples::device()?;
    let grid = device.grid()?;
    // A card may have fewer rows than others, a simulator only one.
    let all = grid.range((0, 0), (3, grid.rows().min(2) - 1))?;
    let (tiles, first) = (all.len() as u32, all.first());
    let number = move |at: tt_runtime::grid::Logical| at.y * all.columns() + at.x;

    let x: Vec<i32> = (0..LEN as i32).map(|n| n - 20).collect();
    let row = |n: u32| -> Vec<i32> { (0..LEN as i32).map(|k| k * n as i32 + 1).collect() };
    let in_dram = DramBuffer::from_slice(&device, &x)?;
    let vector = L1Buffer::<i32>::new(&device, all, LEN)?;
    let rows = L1Buffer::<i32>::new(&device, all, LEN)?;
    for tile in grid.tiles_of(all) {
        rows.write_to(tile, 0, &row(number(tile.logical())))?;
    }
    // Four words for each tile, and one more for the sum.
    let products = L1Buffer::<i32>::new(&device, all, 4 * (tiles as usize + 1))?;
    products.fill(0)?;

    let kernel = Kernel::new(&kernels::SHARE, Core::Brisc, all)
        .argument_for_each(number)
        .argument(tiles)
        .argument(first)
        .argument(&vector)
        .argument(&rows)
        .argument(&products)
        .argument(products.on_tiles())
        .argument(Semaphore::new(&device, all, 0)?)
        .argument(Semaphore::new(&device, all, 0)?)
        .argument(&in_dram)
        .argument(vector.on_tiles());
    Program::new(&device).kernel(kernel).run()?;

    let result = products.read(first)?;
    let mut sum = 0;
    for n in 0..tiles {
        let product: i32 = x.iter().zip(row(n)).map(|(a, b)| a * b).sum();
        assert_eq!(result[4 * n as usize], product, "row {n}");
        sum += product;
    }
    assert_eq!(result[4 * tiles as usize], sum);
    println!("{tiles} products, their sum {sum}");
    Ok(())
}
