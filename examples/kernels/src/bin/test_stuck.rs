//! For tests: leaves the Tensix units waiting for what never comes.
#![no_std]
#![no_main]

use tt_kernel::prelude::*;
use tt_kernel::program::compute::{Packer, Vector};

tt_kernel::kernel!(main);

fn main(kernel: Kernel) {
    match kernel.core() {
        RiscV::Trisc1 => Vector::new(&kernel).finish(),
        // Nobody computes the block: the packers wait for a semaphore.
        _ => {
            let mut block: Slice<f32> = kernel.argument(0);
            Packer::new(&kernel).block(&mut block);
        }
    }
}
