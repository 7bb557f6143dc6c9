//! A product of matrices on one tile: BRISC reads pairs of blocks, the TRISCs multiply and add, NCRISC writes the results.
//!
//! Deadlock: as in `tt_kernel::program::compute`. BRISC brings `k` pairs for each result in the order in which TRISC0 takes them, and each thread counts the
//! same results.
#![no_std]
#![no_main]

use tt_kernel::prelude::*;
use tt_kernel::program::compute::{Factors, Matrix, Packer};

tt_kernel::kernel!(main);

/// Bytes of a block: 32 x 32 numbers.
const BLOCK: u32 = 4096;

fn main(kernel: Kernel) {
    // In blocks: rows, columns, and the length of the sums.
    let (m, n, k): (u32, u32, u32) = (kernel.argument(0), kernel.argument(1), kernel.argument(2));
    match kernel.core() {
        RiscV::Brisc => {
            let (a, b): (Dram, Dram) = (kernel.argument(3), kernel.argument(4));
            let (mut left, mut right): (Producer<f32>, Producer<f32>) =
                (kernel.argument(5), kernel.argument(6));
            let noc = kernel.noc();
            for result in 0..m * n {
                for i in 0..k {
                    let (at_a, at_b) = (result / n * k + i, i * n + result % n);
                    let (mut page_a, mut page_b) = (left.reserve(), right.reserve());
                    let reading = noc.read_dram(a.part(at_a * BLOCK, BLOCK), &mut page_a);
                    noc.read_dram(b.part(at_b * BLOCK, BLOCK), &mut page_b).wait();
                    reading.wait();
                    page_a.pass_on();
                    page_b.pass_on();
                }
            }
        }
        RiscV::Trisc0 => {
            let (mut left, mut right): (Consumer<f32>, Consumer<f32>) =
                (kernel.argument(3), kernel.argument(4));
            let mut factors = Factors::new(&kernel);
            for _ in 0..m * n * k {
                let (a, b) = (left.front(), right.front());
                factors.tile(&a, &b);
                a.pass_on();
                b.pass_on();
            }
        }
        RiscV::Trisc1 => {
            let mut matrix = Matrix::new(&kernel);
            for _ in 0..m * n {
                matrix.begin();
                for _ in 0..k {
                    matrix.multiply();
                }
                matrix.end();
            }
            matrix.finish();
        }
        RiscV::Trisc2 => {
            let mut results: Producer<f32> = kernel.argument(3);
            let mut packer = Packer::new(&kernel);
            for _ in 0..m * n {
                let mut page = results.reserve();
                packer.block(&mut page);
                page.pass_on();
            }
        }
        RiscV::Ncrisc => {
            let to: Dram = kernel.argument(3);
            let mut results: Consumer<f32> = kernel.argument(4);
            let noc = kernel.noc();
            for result in 0..m * n {
                let page = results.front();
                noc.write_dram(&page, to.part(result * BLOCK, BLOCK)).wait();
                page.pass_on();
            }
        }
    }
}
