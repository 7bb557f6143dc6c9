//! For tests: writes L1 to memory of the host, and keeps the times that it takes.
#![no_std]
#![no_main]

use tt_kernel::prelude::*;

tt_kernel::kernel!(main);

fn main(kernel: Kernel) {
    let data: Slice<u32> = kernel.argument(0);
    let to: Host = kernel.argument(1);
    let noc = kernel.noc();
    let push = kernel.span("push");
    noc.write_host(&data, to).wait();
    drop(push);
    for _ in 0..3 {
        // The third one finds no room.
        drop(kernel.span("rest"));
    }
}
