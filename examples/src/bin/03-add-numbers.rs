//! Adds two numbers on a RISC-V core: the smallest program with a kernel of its own (`kernels/src/bin/add_numbers.rs`).

use anyhow::Result;
use tt_examples::kernels;
use tt_runtime::program::{Core, Kernel, L1Buffer, Program};

fn main() -> Result<()> {
    let device = tt_examples::device()?;
    let tile = device.grid()?.tile((0, 0))?;

    let numbers = L1Buffer::<u32>::new(&device, tile, 3)?;
    numbers.write(&[14, 28, 0])?;

    Program::new(&device)
        .kernel(Kernel::new(&kernels::ADD_NUMBERS, Core::Brisc, tile).argument(&numbers))
        .run()?;

    let result = numbers.read(tile)?;
    println!("{} + {} = {}", result[0], result[1], result[2]);
    assert_eq!(result[2], 42);
    Ok(())
}
