//! Streams two vectors from DRAM through L1 and adds them (`kernels/src/bin/stream_add.rs`).
//!
//! L1 has 1.5 MB a tile, so data of any size goes through it page by page. On each tile three cores work at the same time: one reads, one adds,
//! one writes. A circular buffer of two pages between two of them lets both work: one page is filled while the other one is used. The program
//! says which kernel has which end of it; a buffer without exactly one producer and one consumer on every tile is an error before anything starts.
//! Four tiles share the pages.

use anyhow::Result;
use tt_examples::kernels;
use tt_runtime::program::{CircularBuffer, Core, DramBuffer, Kernel, Program};

/// Numbers of a page, and pages of each tile.
const PAGE: usize = 256;
const PAGES: u32 = 4;

fn main() -> Result<()> {
    let device = tt_examples::device()?;
    let tiles = device.grid()?.range((0, 0), (3, 0))?;
    let len = PAGE * PAGES as usize * tiles.len();

    let a: Vec<f32> = (0..len).map(|n| n as f32 * 0.25).collect();
    let b: Vec<f32> = (0..len).map(|n| 1000.0 - n as f32).collect();
    let (in_a, in_b) = (DramBuffer::from_slice(&device, &a)?, DramBuffer::from_slice(&device, &b)?);
    let out = DramBuffer::<f32>::new(&device, len)?;

    let pages = || CircularBuffer::<f32>::new(&device, tiles, 2, PAGE);
    let (pages_a, pages_b, sums) = (pages()?, pages()?, pages()?);
    // Every kernel begins with the first page of its tile, and how many there are.
    let kernel = |core| {
        Kernel::new(&kernels::STREAM_ADD, core, tiles).argument_for_each(|at| at.x * PAGES).argument(PAGES)
    };
    Program::new(&device)
        .kernel(
            kernel(Core::Ncrisc)
                .argument(&in_a)
                .argument(&in_b)
                .argument(pages_a.producer())
                .argument(pages_b.producer()),
        )
        .kernel(
            kernel(Core::Trisc1)
                .argument(pages_a.consumer())
                .argument(pages_b.consumer())
                .argument(sums.producer()),
        )
        .kernel(kernel(Core::Brisc).argument(&out).argument(sums.consumer()))
        .run()?;

    let result = out.read()?;
    for (n, &sum) in result.iter().enumerate() {
        assert_eq!(sum, a[n] + b[n], "element {n}");
    }
    println!("{len} sums on {} tiles, the last one {}", tiles.len(), result[len - 1]);
    Ok(())
}
