//! A product of matrices on a rectangle of tiles, one block of the result on each. A row of tiles needs the same rows of the left matrix, so only its
//! first tile reads them, and multicasts each block to the others of the row; likewise the first tile of a column with the right matrix. BRISC does
//! that for the left matrix on NoC 0, NCRISC for the right one on NoC 1; TRISC0 hears by two semaphores how many blocks have come. NCRISC also
//! writes the result.
//!
//! Deadlock: the tiles that read wait for nobody. TRISC0 waits for them, the other threads for it (`tt_kernel::program::compute`), and NCRISC's write for the
//! last one of those, after everything that others need from it. Every block has a place of its own, so nobody waits for room.
#![no_std]
#![no_main]

use tt_kernel::prelude::*;
use tt_kernel::program::compute::{Factors, Matrix, Packer};

tt_kernel::kernel!(main);

/// Numbers and bytes of a block.
const BLOCK: usize = 1024;
const BYTES: u32 = 4096;

fn main(kernel: Kernel) {
    // Blocks of the sum; column and row of this tile; columns in all.
    let [k, x, y, columns]: [u32; 4] = core::array::from_fn(|n| kernel.argument(n as u32));
    match kernel.core() {
        RiscV::Brisc => {
            if x == 0 {
                share(&kernel, k, |i| y * k + i);
            }
        }
        RiscV::Trisc0 => {
            let (mut left, mut right): (Slice<f32>, Slice<f32>) = (kernel.argument(4), kernel.argument(5));
            let (lefts, rights): (Semaphore, Semaphore) = (kernel.argument(6), kernel.argument(7));
            let mut factors = Factors::new(&kernel);
            for i in 0..k {
                lefts.wait(i + 1);
                rights.wait(i + 1);
                let at = i as usize * BLOCK;
                factors.tile(&left.part(at, BLOCK), &right.part(at, BLOCK));
            }
        }
        RiscV::Trisc1 => {
            let mut matrix = Matrix::new(&kernel);
            matrix.begin();
            for _ in 0..k {
                matrix.multiply();
            }
            matrix.end();
            matrix.finish();
        }
        RiscV::Trisc2 => {
            let mut result: Producer<f32> = kernel.argument(4);
            let mut page = result.reserve();
            Packer::new(&kernel).block(&mut page);
            page.pass_on();
        }
        RiscV::Ncrisc => {
            let noc = if y == 0 { share(&kernel, k, |i| i * columns + x) } else { kernel.noc() };
            let to: Dram = kernel.argument(8);
            let mut result: Consumer<f32> = kernel.argument(9);
            let page = result.front();
            noc.write_dram(&page, to.part((y * columns + x) * BYTES, BYTES)).wait();
            page.pass_on();
        }
    }
}

/// Reads `k` blocks, of which the `i`-th is block `place(i)` of the matrix, and multicasts each to the other tiles. Gives the NoC back.
fn share(kernel: &Kernel, k: u32, place: impl Fn(u32) -> u32) -> Port {
    let from: Dram = kernel.argument(4);
    let mut blocks: Slice<f32> = kernel.argument(5);
    let everywhere: OnTiles<f32> = kernel.argument(6);
    let come: Semaphore = kernel.argument(7);
    let noc = kernel.noc();
    for i in 0..k {
        let at = i as usize * BLOCK;
        let mut block = blocks.part(at, BLOCK);
        noc.read_dram(from.part(place(i) * BYTES, BYTES), &mut block).wait();
        noc.multicast(&block, &everywhere.part(at, BLOCK)).wait();
        // Here and there.
        come.set(i + 1);
        noc.set_others(&come, i + 1).wait();
    }
    noc
}
