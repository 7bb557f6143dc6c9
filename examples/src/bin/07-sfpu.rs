//! Computes `exp` of a vector on the vector unit (SFPU) of one tile (`kernels/src/bin/sfpu_exp.rs`).
//!
//! A tile has five cores. Three of them, the TRISCs, push instructions to the Tensix units: TRISC0 to the unpackers, which bring numbers from L1 to Dst, TRISC1
//! to the vector unit, which works on 32 numbers of Dst at a time, TRISC2 to the packers, which bring results back. Blocks have 1024 numbers.
//! The function is one of those that the built-in operators use ([docs/sfpu-functions.md](../../docs/sfpu-functions.md) says how exact each is).

use anyhow::Result;
use tt_examples::kernels;
use tt_runtime::program::{CircularBuffer, Core, DramBuffer, Kernel, Program};

/// Numbers of a block, and how many blocks.
const BLOCK: usize = 1024;
const BLOCKS: usize = 4;

fn main() -> Result<()> {
    let device = tt_examples::device()?;
    let tile = device.grid()?.tile((0, 0))?;

    let x: Vec<f32> = (0..BLOCK * BLOCKS).map(|n| n as f32 / 128.0 - 16.0).collect();
    let from = DramBuffer::from_slice(&device, &x)?;
    let to = DramBuffer::<f32>::new(&device, x.len())?;
    let input = CircularBuffer::<f32>::new(&device, tile, 2, BLOCK)?;
    let output = CircularBuffer::<f32>::new(&device, tile, 2, BLOCK)?;

    // The same image for all five cores: it asks on which one it runs.
    let kernel = |core| Kernel::new(&kernels::SFPU_EXP, core, tile).argument(BLOCKS as u32);
    Program::new(&device)
        .kernel(kernel(Core::Brisc).argument(&from).argument(input.producer()))
        .kernel(kernel(Core::Trisc0).argument(input.consumer()))
        .kernel(kernel(Core::Trisc1))
        .kernel(kernel(Core::Trisc2).argument(output.producer()))
        .kernel(kernel(Core::Ncrisc).argument(&to).argument(output.consumer()))
        .run()?;

    let mut worst = 0.0f64;
    for (&x, &y) in x.iter().zip(&to.read()?) {
        let exact = f64::from(x).exp();
        worst = worst.max((f64::from(y) - exact).abs() / exact);
    }
    println!("exp of {} numbers, relative error at most {worst:.1e}", x.len());
    assert!(worst < 1e-6);
    Ok(())
}
