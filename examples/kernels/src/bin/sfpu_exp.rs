//! `exp` of a vector on the vector unit, by all five cores of a tile: BRISC reads blocks, TRISC0 unpacks them to Dst, TRISC1 computes there, TRISC2 packs
//! the results, NCRISC writes them.
//!
//! Deadlock: as in `tt_kernel::program::compute`; the circular buffers at both ends pass blocks in the same direction.
#![no_std]
#![no_main]

use tt_kernel::abi::elementwise::Unary;
use tt_kernel::prelude::*;
use tt_kernel::program::compute::{Packer, Unpacker, Vector};
use tt_kernel::sfpu::{self, Program};

tt_kernel::kernel!(main);

/// Bytes of a block: 1024 numbers.
const BLOCK: u32 = 4096;
/// The function's instructions are made when the kernel is compiled.
const EXP: Program = match sfpu::unary(Unary::Exp) {
    Some(program) => program,
    None => panic!(),
};

fn main(kernel: Kernel) {
    let blocks: u32 = kernel.argument(0);
    match kernel.core() {
        RiscV::Brisc => {
            let from: Dram = kernel.argument(1);
            let mut input: Producer<f32> = kernel.argument(2);
            let noc = kernel.noc();
            for n in 0..blocks {
                let mut page = input.reserve();
                noc.read_dram(from.part(n * BLOCK, BLOCK), &mut page).wait();
                page.pass_on();
            }
        }
        RiscV::Trisc0 => {
            let mut input: Consumer<f32> = kernel.argument(1);
            let mut unpacker = Unpacker::new(&kernel);
            for _ in 0..blocks {
                let page = input.front();
                unpacker.block(&[&page]);
                page.pass_on();
            }
        }
        RiscV::Trisc1 => {
            let mut vector = Vector::new(&kernel);
            vector.constants(&EXP, &[0; 4]);
            for _ in 0..blocks {
                tt_kernel::apply!(vector, EXP);
            }
            vector.finish();
        }
        RiscV::Trisc2 => {
            let mut output: Producer<f32> = kernel.argument(1);
            let mut packer = Packer::new(&kernel);
            for _ in 0..blocks {
                let mut page = output.reserve();
                packer.block(&mut page);
                page.pass_on();
            }
        }
        RiscV::Ncrisc => {
            let to: Dram = kernel.argument(1);
            let mut output: Consumer<f32> = kernel.argument(2);
            let noc = kernel.noc();
            for n in 0..blocks {
                let page = output.front();
                noc.write_dram(&page, to.part(n * BLOCK, BLOCK)).wait();
                page.pass_on();
            }
        }
    }
}
