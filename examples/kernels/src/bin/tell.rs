//! One tile writes a block to another and tells it so by a semaphore; the other one adds it up. By its last argument the first one waits for its write
//! before it tells, or forgets that.
#![no_std]
#![no_main]

use tt_kernel::prelude::*;

tt_kernel::kernel!(main);

fn main(kernel: Kernel) {
    let (is_first, second): (u32, Tile) = (kernel.argument(0), kernel.argument(1));
    let mut block: Slice<u32> = kernel.argument(2);
    let everywhere: OnTiles<u32> = kernel.argument(3);
    let arrived: Semaphore = kernel.argument(4);
    let mut sum: Slice<u32> = kernel.argument(5);
    let waits: u32 = kernel.argument(6);
    let noc = kernel.noc();
    if is_first == 1 {
        block.fill_with(|n| n as u32 + 1);
        let writing = noc.write(&block, everywhere.on(second));
        if waits == 1 {
            writing.wait();
            noc.add(&arrived, second, 1).wait();
        } else {
            // The mistake: it tells, and waits afterwards. The word may overtake the block.
            noc.add(&arrived, second, 1).wait();
            writing.wait();
        }
    } else {
        arrived.wait(1);
        sum.set(0, block.iter().fold(0, u32::wrapping_add));
    }
}
