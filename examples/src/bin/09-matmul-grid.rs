//! Multiplies two matrices on a rectangle of tiles that share what they read by multicast (`kernels/src/bin/matmul_grid.rs`).
//!
//! Each tile computes one block of the result, from a row of blocks of the left matrix and a column of blocks of the right one. If each tile read its own,
//! DRAM would be read once for each tile; by multicast every block is read once. So each row of tiles has a buffer and a semaphore for the left
//! matrix, and each column for the right one: [`Kernel::argument_for_each`] passes each tile those of its row or column.

use anyhow::Result;
use tt_examples::kernels;
use tt_examples::matrix::{self, BLOCK, SIDE};
use tt_runtime::grid::TileRange;
use tt_runtime::program::{CircularBuffer, Core, DramBuffer, Kernel, L1Buffer, Program, Semaphore};
use tt_runtime::{Device, Error as DeviceError};

/// Columns of tiles, and the length of the sums in blocks.
const COLUMNS: usize = 4;
const K: usize = 3;

/// What a row or a column of tiles shares.
struct Shared {
    blocks: L1Buffer<f32>,
    come: Semaphore,
}

impl Shared {
    fn new(device: &std::sync::Arc<Device>, tiles: TileRange) -> Result<Self, DeviceError> {
        Ok(Self { blocks: L1Buffer::new(device, tiles, K * BLOCK)?, come: Semaphore::new(device, tiles, 0)? })
    }
}

fn main() -> Result<()> {
    let device = tt_examples::device()?;
    let grid = device.grid()?;
    let rows = grid.rows().min(3) as usize;
    let (right, bottom) = (COLUMNS as u32 - 1, rows as u32 - 1);
    let tiles = grid.range((0, 0), (right, bottom))?;

    let (a, b) = (matrix::numbers(rows * K, 1), matrix::numbers(K * COLUMNS, 2));
    let in_a = DramBuffer::from_slice(&device, &matrix::left(&a, K * SIDE)?)?;
    let in_b = DramBuffer::from_slice(&device, &matrix::right(&b, COLUMNS * SIDE)?)?;
    let out = DramBuffer::<f32>::new(&device, rows * COLUMNS * BLOCK)?;

    let mut lefts = Vec::new();
    for y in 0..=bottom {
        lefts.push(Shared::new(&device, grid.range((0, y), (right, y))?)?);
    }
    let mut rights = Vec::new();
    for x in 0..=right {
        rights.push(Shared::new(&device, grid.range((x, 0), (x, bottom))?)?);
    }
    let left = |at: tt_runtime::grid::Logical| &lefts[at.y as usize];
    let right = |at: tt_runtime::grid::Logical| &rights[at.x as usize];
    let result = CircularBuffer::<f32>::new(&device, tiles, 1, BLOCK)?;

    let kernel = |core| {
        Kernel::new(&kernels::MATMUL_GRID, core, tiles)
            .argument(K as u32)
            .argument_for_each(|at| at.x)
            .argument_for_each(|at| at.y)
            .argument(COLUMNS as u32)
    };
    let brisc = kernel(Core::Brisc)
        .argument(&in_a)
        .argument_for_each(|at| &left(at).blocks)
        .argument_for_each(|at| left(at).blocks.on_tiles())
        .argument_for_each(|at| &left(at).come);
    let ncrisc = kernel(Core::Ncrisc)
        .argument(&in_b)
        .argument_for_each(|at| &right(at).blocks)
        .argument_for_each(|at| right(at).blocks.on_tiles())
        .argument_for_each(|at| &right(at).come)
        .argument(&out)
        .argument(result.consumer());
    let unpack = kernel(Core::Trisc0)
        .argument_for_each(|at| &left(at).blocks)
        .argument_for_each(|at| &right(at).blocks)
        .argument_for_each(|at| &left(at).come)
        .argument_for_each(|at| &right(at).come);
    Program::new(&device)
        .kernel(brisc)
        .kernel(ncrisc)
        .kernel(unpack)
        .kernel(kernel(Core::Trisc1))
        .kernel(kernel(Core::Trisc2).argument(result.producer()))
        .run()?;

    let c = matrix::result(&out.read()?, COLUMNS * SIDE)?;
    let error = matrix::largest_error(&a, &b, &c, COLUMNS * SIDE);
    println!(
        "{} x {} numbers on {} tiles, relative error at most {error:.1e}",
        rows * SIDE,
        COLUMNS * SIDE,
        tiles.len()
    );
    assert!(error < matrix::ACCURACY);
    Ok(())
}
