//! Opens a device, says what it is and what its grid looks like.

use anyhow::Result;

fn main() -> Result<()> {
    let device = tt_examples::device()?;
    let info = device.info()?;
    println!(
        "{}, {} of {} MiB of DRAM free",
        info.description,
        device.memory().free >> 20,
        info.dram_total >> 20
    );

    let grid = device.grid()?;
    println!(
        "{} columns, {} rows of Tensix tiles; {} harvested",
        grid.columns(),
        grid.rows(),
        grid.harvested()
    );
    let corner = grid.tile((grid.columns() - 1, grid.rows() - 1))?;
    println!(
        "the last tile is {}, for the NoC {}, and lies at {}",
        corner.logical(),
        corner.translated(),
        corner.physical()
    );

    // A place that is not there is an error that says what is.
    println!("{}", grid.tile((grid.columns(), 0)).unwrap_err());

    for bank in grid.banks() {
        let near = grid.near(bank.number)?;
        println!("DRAM bank {:2}: {} MiB, nearest tile {}", bank.number, bank.bytes >> 20, near[0].logical());
    }
    Ok(())
}
