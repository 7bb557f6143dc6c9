//! Pushes pages to the host's memory, and after each one how many have been pushed.
//!
//! It waits for nobody: the host takes what comes.
#![no_std]
#![no_main]

use tt_kernel::prelude::*;

tt_kernel::kernel!(main);

fn main(kernel: Kernel) {
    let (number, pages): (u32, u32) = (kernel.argument(0), kernel.argument(1));
    let mut page: Slice<u32> = kernel.argument(2);
    let mut count: Slice<u32> = kernel.argument(3);
    let (pages_there, counts_there): (Host, Host) = (kernel.argument(4), kernel.argument(5));
    let noc = kernel.noc();
    let (page_bytes, count_bytes) = (page.len() as u32 * 4, count.len() as u32 * 4);

    for n in 0..pages {
        let first = number * pages + n;
        page.fill_with(|word| first * 10_000 + word as u32);
        let push = kernel.span("push");
        noc.write_host(&page, pages_there.part(first * page_bytes, page_bytes)).wait();
        drop(push);
        // The page is there: now the host may hear of it.
        count.set(0, n + 1);
        noc.write_host(&count, counts_there.part(number * count_bytes, count_bytes)).wait();
    }
}
