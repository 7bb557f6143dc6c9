//! For tests: a word goes round tiles; each adds one and passes it on to the next one over the NoC, and tells it by a semaphore. The first tile
//! multicasts the sum to all, and sets their second semaphore.
#![no_std]
#![no_main]

use tt_kernel::prelude::*;

tt_kernel::kernel!(main);

fn main(kernel: Kernel) {
    let number: u32 = kernel.argument(0);
    let next: Tile = kernel.argument(1);
    let mut word: Slice<u32> = kernel.argument(2);
    let words: OnTiles<u32> = kernel.argument(3);
    let arrived: Semaphore = kernel.argument(4);
    let told: Semaphore = kernel.argument(5);
    let noc = kernel.noc();
    if number == 0 {
        word.set(0, 1);
    } else {
        arrived.wait(1);
        let value = word.get(0);
        word.set(0, value + 1);
    }
    noc.write(&word, words.on(next)).wait();
    noc.add(&arrived, next, 1).wait();
    if number == 0 {
        arrived.wait(1);
        noc.multicast(&word, &words).wait();
        noc.set_others(&told, 7).wait();
    } else {
        told.wait(7);
    }
}
