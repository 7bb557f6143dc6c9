//! For tests: does what its first argument says, much of which is wrong.
#![no_std]
#![no_main]

use tt_kernel::prelude::*;

tt_kernel::kernel!(main);

fn main(kernel: Kernel) {
    let what: u32 = kernel.argument(0);
    match what {
        0 => panic!("told to panic"),
        1 => {
            // Beyond the end.
            let mut words: Slice<u32> = kernel.argument(1);
            let len = words.len();
            words.set(len + what as usize - 1, 0);
        }
        // Never ends.
        2 => loop {
            core::hint::black_box(what);
        },
        3 => {
            // Nobody ever raises it.
            let semaphore: Semaphore = kernel.argument(1);
            semaphore.wait(5);
        }
        // Taken as what it is not.
        4 => {
            let _: Dram = kernel.argument(1);
        }
        // There is no such argument.
        5 => {
            let _: u32 = kernel.argument(9);
        }
        6 => {
            tt_kernel::println!(kernel, "core {} of tile {:?}", kernel.core().name(), kernel.tile());
            tt_kernel::println!(kernel, "{}", Long);
        }
        // Nothing answers at this address of a tile.
        7 => fault(),
        _ => {}
    }
}

/// Text that is longer than the ring.
struct Long;

impl core::fmt::Display for Long {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        (0..300).try_for_each(|_| f.write_str("0123456789 "))
    }
}

#[inline(never)]
fn fault() {
    // SAFETY: none: that is the test. There is nothing at this address.
    unsafe { core::ptr::write_volatile(0xFFB0_F000 as *mut u32, 1) };
}
