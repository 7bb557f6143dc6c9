//! For tests: doubles the words of a block in DRAM, half by half, both on their way at the same time.
#![no_std]
#![no_main]

use tt_kernel::prelude::*;

tt_kernel::kernel!(main);

fn main(kernel: Kernel) {
    let block: Dram = kernel.argument(0);
    let room: Slice<u32> = kernel.argument(1);
    // A wait for nothing.
    let unused: Semaphore = kernel.argument(2);
    unused.wait(0);
    let noc = kernel.noc();
    let half = block.len() / 2;
    let mut halves: [Slice<u32>; 2] = room.chunks();
    let mut at = 0;
    let reads = halves.each_mut().map(|to| {
        let read = noc.read_dram(block.part(at, half), to);
        at += half;
        read
    });
    reads.into_iter().for_each(|read| read.wait());
    for half in &mut halves {
        for n in 0..half.len() {
            half.set(n, half.get(n) * 2);
        }
    }
    noc.write_dram(&halves[0], block.part(0, half)).wait();
    noc.write_dram(&halves[1], block.part(half, half)).wait();
}
