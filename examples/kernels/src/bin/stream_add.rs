//! Adds two vectors from DRAM: NCRISC reads pages, TRISC1 adds them, BRISC writes the sums. A core for each step, as in most kernels of these chips,
//! and a circular buffer wherever data passes from one to the next.
//!
//! Deadlock: each core waits for the one before it to fill a page, or for the one behind it to empty one. Pages pass in one direction, and
//! all three count the same number of them; so the last one in the row can always go on.
#![no_std]
#![no_main]

use tt_kernel::prelude::*;

tt_kernel::kernel!(main);

/// Bytes of a page: 256 numbers.
const PAGE: u32 = 1024;

fn main(kernel: Kernel) {
    // The share of this tile.
    let (first, pages): (u32, u32) = (kernel.argument(0), kernel.argument(1));
    match kernel.core() {
        RiscV::Ncrisc => read(&kernel, first, pages),
        RiscV::Trisc1 => add(&kernel, pages),
        _ => write(&kernel, first, pages),
    }
}

fn read(kernel: &Kernel, first: u32, pages: u32) {
    let (a, b): (Dram, Dram) = (kernel.argument(2), kernel.argument(3));
    let (mut to_a, mut to_b): (Producer<f32>, Producer<f32>) = (kernel.argument(4), kernel.argument(5));
    let noc = kernel.noc();
    for n in first..first + pages {
        let (mut page_a, mut page_b) = (to_a.reserve(), to_b.reserve());
        // Both are under way at once. Neither page can be passed on before its read has been waited for: the guard borrows it.
        let reading_a = noc.read_dram(a.part(n * PAGE, PAGE), &mut page_a);
        let reading_b = noc.read_dram(b.part(n * PAGE, PAGE), &mut page_b);
        reading_a.wait();
        reading_b.wait();
        page_a.pass_on();
        page_b.pass_on();
    }
}

fn add(kernel: &Kernel, pages: u32) {
    let (mut from_a, mut from_b): (Consumer<f32>, Consumer<f32>) = (kernel.argument(2), kernel.argument(3));
    let mut sums: Producer<f32> = kernel.argument(4);
    for _ in 0..pages {
        let (a, b, mut sum) = (from_a.front(), from_b.front(), sums.reserve());
        sum.fill_with(|n| a.get(n) + b.get(n));
        a.pass_on();
        b.pass_on();
        sum.pass_on();
    }
}

fn write(kernel: &Kernel, first: u32, pages: u32) {
    let to: Dram = kernel.argument(2);
    let mut sums: Consumer<f32> = kernel.argument(3);
    let noc = kernel.noc();
    for n in first..first + pages {
        let page = sums.front();
        noc.write_dram(&page, to.part(n * PAGE, PAGE)).wait();
        page.pass_on();
    }
}
