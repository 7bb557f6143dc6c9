//! Bytes to the L1 memory of one tile and of a row of tiles, and back.

use anyhow::{Context, Result};
use tt_runtime::program::L1Buffer;

fn main() -> Result<()> {
    let device = tt_examples::device()?;
    let grid = device.grid()?;

    // 1,024 words on one tile; freed when the buffer is dropped.
    let tile = grid.tile((2, 3))?;
    let words = L1Buffer::<u32>::new(&device, tile, 1024)?;
    let data: Vec<u32> = (0..1024).collect();
    words.write(&data)?;
    assert_eq!(words.read(tile)?, data);
    println!("1,024 words at {:#x} of tile {tile}", words.address());

    // The same address on all tiles of a row: one multicast writes them all, and each can differ afterwards.
    let row = grid.row(1)?;
    let floats = L1Buffer::<f32>::new(&device, row, 16)?;
    floats.fill(1.5)?;
    floats.write_to(row.last(), 15, &[-2.0])?;
    for tile in grid.tiles_of(row) {
        let sum: f32 = floats.read(tile)?.iter().sum();
        println!("tile {}: sum {sum}", tile.logical());
    }

    // What does not fit, or is not there, is an error.
    println!("{}", L1Buffer::<f32>::new(&device, row, 1 << 20).err().context("it fits")?);
    println!("{}", floats.read(tile).err().context("it is there")?);
    Ok(())
}
