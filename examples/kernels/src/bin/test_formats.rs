//! For tests: the product of a tile of FP32 and one of another format, by the three TRISCs.
#![no_std]
#![no_main]

use tt_kernel::prelude::*;
use tt_kernel::program::compute::{Factors, Matrix, Packer, Right};

tt_kernel::kernel!(main);

fn main(kernel: Kernel) {
    let right = match kernel.argument(0) {
        0u32 => Right::F32,
        1 => Right::Bf16,
        2 => Right::Bfp8,
        _ => Right::Bfp4,
    };
    match kernel.core() {
        RiscV::Trisc0 => {
            let (left, bytes): (Slice<f32>, Slice<u8>) = (kernel.argument(1), kernel.argument(2));
            Factors::with(&kernel, right).tile(&left, &bytes);
        }
        RiscV::Trisc1 => {
            let mut matrix = Matrix::with(&kernel, right);
            matrix.begin();
            matrix.multiply();
            matrix.end();
            matrix.finish();
        }
        _ => {
            let mut out: Slice<f32> = kernel.argument(1);
            Packer::new(&kernel).block(&mut out);
        }
    }
}
