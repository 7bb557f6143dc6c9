//! Adds two numbers: the sum of the first two elements of a buffer goes to the third one.
#![no_std]
#![no_main]

use tt_kernel::prelude::*;

tt_kernel::kernel!(main);

fn main(kernel: Kernel) {
    let mut numbers: Slice<u32> = kernel.argument(0);
    let sum = numbers.get(0) + numbers.get(1);
    numbers.set(2, sum);
}
