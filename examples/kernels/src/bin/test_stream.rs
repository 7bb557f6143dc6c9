//! For tests: one end of a circular buffer between NCRISC, which brings pages from DRAM, and BRISC, which adds them up and writes the sums.
#![no_std]
#![no_main]

use tt_kernel::prelude::*;

tt_kernel::kernel!(main);

const BYTES: u32 = 256;

fn main(kernel: Kernel) {
    let dram: Dram = kernel.argument(0);
    let pages = dram.len() / BYTES;
    let noc = kernel.noc();
    if kernel.core() == RiscV::Ncrisc {
        let mut full: Producer<u32> = kernel.argument(1);
        for n in 0..pages {
            let mut page = full.reserve();
            noc.read_dram(dram.part(n * BYTES, BYTES), &mut page).wait();
            page.pass_on();
        }
    } else {
        let mut full: Consumer<u32> = kernel.argument(1);
        let mut sums: Slice<u32> = kernel.argument(2);
        let out: Dram = kernel.argument(3);
        for n in 0..pages {
            let page = full.front();
            sums.set(n as usize, page.iter().fold(0, u32::wrapping_add));
            page.pass_on();
        }
        noc.write_dram(&sums, out).wait();
    }
}
