//! For tests: `sigmoid(a * b)` of blocks on the vector unit, by all five cores of a tile: BRISC reads, the TRISCs compute, NCRISC writes.
#![no_std]
#![no_main]

use tt_kernel::abi::elementwise::{Binary, Unary};
use tt_kernel::prelude::*;
use tt_kernel::program::compute::{Packer, Unpacker, Vector};
use tt_kernel::sfpu::{self, Program};

tt_kernel::kernel!(main);

const BLOCK: u32 = 4096;
const MULTIPLY: Program = match sfpu::binary(Binary::Mul) {
    Some(program) => program,
    None => panic!(),
};
const SIGMOID: Program = match sfpu::unary(Unary::Sigmoid) {
    Some(program) => program,
    None => panic!(),
};

fn main(kernel: Kernel) {
    let blocks: u32 = kernel.argument(0);
    match kernel.core() {
        RiscV::Brisc => {
            let (a, b): (Dram, Dram) = (kernel.argument(1), kernel.argument(2));
            let (mut left, mut right): (Producer<f32>, Producer<f32>) =
                (kernel.argument(3), kernel.argument(4));
            let noc = kernel.noc();
            for n in 0..blocks {
                for (from, to) in [(a, &mut left), (b, &mut right)] {
                    let mut page = to.reserve();
                    noc.read_dram(from.part(n * BLOCK, BLOCK), &mut page).wait();
                    page.pass_on();
                }
            }
        }
        RiscV::Trisc0 => {
            let (mut left, mut right): (Consumer<f32>, Consumer<f32>) =
                (kernel.argument(1), kernel.argument(2));
            let mut unpacker = Unpacker::new(&kernel);
            for _ in 0..blocks {
                let (a, b) = (left.front(), right.front());
                unpacker.block(&[&a, &b]);
                a.pass_on();
                b.pass_on();
            }
        }
        RiscV::Trisc1 => {
            let mut vector = Vector::new(&kernel);
            vector.constants(&SIGMOID, &[0; 4]);
            for _ in 0..blocks {
                vector.begin();
                for _ in 0..tt_kernel::program::compute::TIMES {
                    tt_kernel::ttinsn!(tt_kernel::vector::load(0, 0));
                    tt_kernel::ttinsn!(tt_kernel::vector::load(1, tt_kernel::abi::sfpu::BLOCK_ROWS));
                    tt_kernel::ttprogram!(MULTIPLY);
                    tt_kernel::ttprogram!(SIGMOID);
                    tt_kernel::ttinsn!(tt_kernel::vector::store(tt_kernel::vector::step::ON));
                }
                vector.end();
            }
            vector.finish();
        }
        RiscV::Trisc2 => {
            let mut results: Producer<f32> = kernel.argument(1);
            let mut packer = Packer::new(&kernel);
            for _ in 0..blocks {
                let mut page = results.reserve();
                packer.block(&mut page);
                page.pass_on();
            }
        }
        RiscV::Ncrisc => {
            let out: Dram = kernel.argument(1);
            let mut results: Consumer<f32> = kernel.argument(2);
            let noc = kernel.noc();
            for n in 0..blocks {
                let page = results.front();
                noc.write_dram(&page, out.part(n * BLOCK, BLOCK)).wait();
                page.pass_on();
            }
        }
    }
}
