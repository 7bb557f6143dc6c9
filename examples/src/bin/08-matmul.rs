//! Multiplies two matrices on the matrix unit of one tile (`kernels/src/bin/matmul_one.rs`).
//!
//! The unit multiplies blocks of 32 x 32 numbers and adds their products up in Dst, in FP32. Its operands are TF32: FP32 with 10 bits of mantissa. So
//! matrices are cut into blocks on the host. The numbers of a block are in the order in which the unit takes them, which is another one for the left
//! factor than for the right one; [`tt_examples::matrix`] has both.

use anyhow::Result;
use tt_examples::kernels;
use tt_examples::matrix::{self, BLOCK, SIDE};
use tt_runtime::program::{CircularBuffer, Core, DramBuffer, Kernel, Program};

/// Rows, columns, and the length of the sums, in blocks.
const M: usize = 2;
const N: usize = 3;
const K: usize = 2;

fn main() -> Result<()> {
    let device = tt_examples::device()?;
    let tile = device.grid()?.tile((0, 0))?;

    let (a, b) = (matrix::numbers(M * K, 1), matrix::numbers(K * N, 2));
    let in_a = DramBuffer::from_slice(&device, &matrix::left(&a, K * SIDE)?)?;
    let in_b = DramBuffer::from_slice(&device, &matrix::right(&b, N * SIDE)?)?;
    let out = DramBuffer::<f32>::new(&device, M * N * BLOCK)?;

    let pages = || CircularBuffer::<f32>::new(&device, tile, 2, BLOCK);
    let (left, right, results) = (pages()?, pages()?, pages()?);
    let kernel = |core| {
        let kernel = Kernel::new(&kernels::MATMUL_ONE, core, tile);
        [M, N, K].iter().fold(kernel, |kernel, &blocks| kernel.argument(blocks as u32))
    };
    Program::new(&device)
        .kernel(
            kernel(Core::Brisc)
                .argument(&in_a)
                .argument(&in_b)
                .argument(left.producer())
                .argument(right.producer()),
        )
        .kernel(kernel(Core::Trisc0).argument(left.consumer()).argument(right.consumer()))
        .kernel(kernel(Core::Trisc1))
        .kernel(kernel(Core::Trisc2).argument(results.producer()))
        .kernel(kernel(Core::Ncrisc).argument(&out).argument(results.consumer()))
        .run()?;

    let c = matrix::result(&out.read()?, N * SIDE)?;
    let error = matrix::largest_error(&a, &b, &c, N * SIDE);
    println!("{} x {} numbers, relative error at most {error:.1e}", M * SIDE, N * SIDE);
    assert!(error < matrix::ACCURACY);
    Ok(())
}
