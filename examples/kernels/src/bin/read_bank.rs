//! Reads pages of DRAM that are so far apart that all are in one bank, and measures itself. All tiles begin at the same time: each tells the first
//! one that it is ready, which then tells all.
//!
//! Deadlock: the first tile waits for each of the others once, before they wait for it.
#![no_std]
#![no_main]

use tt_kernel::prelude::*;

tt_kernel::kernel!(main);

/// Bytes of a page, which is the largest packet and what a bank has in one piece.
const PAGE: u32 = 8192;
/// Pages that are read at the same time: the more, the shorter is the time in which nothing is under way.
const MANY: usize = 32;

fn main(kernel: Kernel) {
    let (dram, page, apart, rounds): (Dram, u32, u32, u32) =
        (kernel.argument(0), kernel.argument(1), kernel.argument(2), kernel.argument(3));
    let room: Slice<u32> = kernel.argument(4);
    // Begin and end of the reads, and the sum of the first words of all pages.
    let mut report: Slice<u32> = kernel.argument(5);
    let (first, others): (Tile, u32) = (kernel.argument(6), kernel.argument(7));
    let (ready, go): (Semaphore, Semaphore) = (kernel.argument(8), kernel.argument(9));
    let is_first: u32 = kernel.argument(10);
    let noc = kernel.noc();

    let mut pages: [Slice<u32>; MANY] = room.chunks();

    if is_first == 1 {
        ready.wait(others);
        noc.set_others(&go, 1).wait();
    } else {
        noc.add(&ready, first, 1).wait();
        go.wait(1);
    }
    let begin = kernel.clock();
    let mut sum = 0u32;
    for round in 0..rounds {
        let first = page + round * MANY as u32 * apart;
        let mut at = first;
        // A guard for each: all are under way before the first one is waited for.
        let reads = pages.each_mut().map(|to| {
            let read = noc.read_dram(dram.part(at * PAGE, PAGE), to);
            at += apart;
            read
        });
        reads.into_iter().for_each(|read| read.wait());
        sum = pages.iter().fold(sum, |sum, page| sum.wrapping_add(page.get(0)));
    }
    report.set(0, begin as u32);
    report.set(1, kernel.clock() as u32);
    report.set(2, sum);
}
