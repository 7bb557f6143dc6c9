//! For tests: sums of products of tiles on the matrix unit, from L1 to L1, by the three TRISCs.
#![no_std]
#![no_main]

use tt_kernel::prelude::*;
use tt_kernel::program::compute::{Factors, Matrix, Packer};

tt_kernel::kernel!(main);

const BLOCK: usize = 1024;

fn main(kernel: Kernel) {
    let (results, products): (u32, u32) = (kernel.argument(0), kernel.argument(1));
    match kernel.core() {
        RiscV::Trisc0 => {
            let mut left: Slice<f32> = kernel.argument(2);
            let mut right: Slice<f32> = kernel.argument(3);
            let mut factors = Factors::new(&kernel);
            for n in 0..(results * products) as usize {
                factors.tile(&left.part(n * BLOCK, BLOCK), &right.part(n * BLOCK, BLOCK));
            }
        }
        RiscV::Trisc1 => {
            let mut matrix = Matrix::new(&kernel);
            for _ in 0..results {
                matrix.begin();
                for _ in 0..products {
                    matrix.multiply();
                }
                matrix.end();
            }
            matrix.finish();
        }
        _ => {
            let mut out: Slice<f32> = kernel.argument(2);
            let mut packer = Packer::new(&kernel);
            for n in 0..results as usize {
                packer.block(&mut out.part(n * BLOCK, BLOCK));
            }
        }
    }
}
