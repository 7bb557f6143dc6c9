//! For tests: counts in memory of the host, behind data that is there first; and begins with what the host has written to L1.
#![no_std]
#![no_main]

use tt_kernel::prelude::*;

tt_kernel::kernel!(main);

fn main(kernel: Kernel) {
    let mut data: Slice<u32> = kernel.argument(0);
    let mut count: Slice<u32> = kernel.argument(1);
    let (data_there, count_there): (Host, Host) = (kernel.argument(2), kernel.argument(3));
    let rounds: u32 = kernel.argument(4);
    let noc = kernel.noc();
    let bytes = data.len() as u32 * 4;
    for round in 0..rounds {
        data.fill(round + 1);
        noc.write_host(&data, data_there.part(round * bytes, bytes)).wait();
        count.set(0, round + 1);
        noc.write_host(&count, count_there).wait();
    }
}
