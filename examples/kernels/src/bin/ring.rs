//! Tiles in a ring: each has a block, and in the end all have all blocks. In every step a tile sends the block that came last on to the next one.
//!
//! Deadlock: in step s a tile waits for the block that its neighbour sends in step s, which waits for nothing later than step s - 1. Each block has a place of
//! its own, so nobody waits for room.
#![no_std]
#![no_main]

use tt_kernel::prelude::*;

tt_kernel::kernel!(main);

fn main(kernel: Kernel) {
    let (number, tiles, next): (u32, u32, Tile) =
        (kernel.argument(0), kernel.argument(1), kernel.argument(2));
    let mut blocks: Slice<u32> = kernel.argument(3);
    let everywhere: OnTiles<u32> = kernel.argument(4);
    let arrived: Semaphore = kernel.argument(5);
    let mut clocks: Slice<u32> = kernel.argument(6);
    let noc = kernel.noc();
    let len = blocks.len() / tiles as usize;

    let begin = kernel.clock();
    for step in 0..tiles - 1 {
        // Its own block first, then the one that has just come.
        if step > 0 {
            arrived.wait(step);
        }
        let at = ((number + tiles - step) % tiles) as usize * len;
        noc.write(&blocks.part(at, len), everywhere.on(next).part(at, len)).wait();
        noc.add(&arrived, next, 1).wait();
    }
    arrived.wait(tiles - 1);
    clocks.set(0, (kernel.clock() - begin) as u32);
}
