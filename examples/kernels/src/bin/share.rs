//! A matrix times a vector, a row of the matrix on each tile. The first tile reads the vector from DRAM and multicasts it; each tile makes its product and
//! writes it to the first one, which adds them all up.
//!
//! Deadlock: the first tile waits for nobody until it has told all others; they wait for that alone. Then it waits for each of them once.
#![no_std]
#![no_main]

use tt_kernel::prelude::*;

tt_kernel::kernel!(main);

/// Words from one tile's product to the next one's: NoC requests go from 16 bytes to 16 bytes.
const STEP: usize = 4;

fn main(kernel: Kernel) {
    let (number, tiles, first): (u32, u32, Tile) =
        (kernel.argument(0), kernel.argument(1), kernel.argument(2));
    let mut vector: Slice<i32> = kernel.argument(3);
    let row: Slice<i32> = kernel.argument(4);
    let mut products: Slice<i32> = kernel.argument(5);
    let on_first: OnTiles<i32> = kernel.argument(6);
    let (ready, done): (Semaphore, Semaphore) = (kernel.argument(7), kernel.argument(8));
    let noc = kernel.noc();

    if number == 0 {
        let (from, all): (Dram, OnTiles<i32>) = (kernel.argument(9), kernel.argument(10));
        noc.read_dram(from, &mut vector).wait();
        // One request for all tiles. It has arrived everywhere when it has been waited for, and only then they hear of it.
        noc.multicast(&vector, &all).wait();
        noc.set_others(&ready, 1).wait();
    } else {
        ready.wait(1);
    }

    let product =
        vector.iter().zip(row.iter()).fold(0, |sum: i32, (a, b)| sum.wrapping_add(a.wrapping_mul(b)));

    let at = number as usize * STEP;
    products.set(at, product);
    if number == 0 {
        done.wait(tiles - 1);
        let sum = (0..tiles as usize).fold(0, |sum: i32, n| sum.wrapping_add(products.get(n * STEP)));
        products.set(tiles as usize * STEP, sum);
    } else {
        noc.write(&products.part(at, STEP), on_first.on(first).part(at, STEP)).wait();
        noc.add(&done, first, 1).wait();
    }
}
