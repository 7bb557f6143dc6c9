//! Measures how fast tiles read DRAM, by which tile reads which bank (`kernels/src/bin/read_bank.rs`). In the timed mode, which is this example's own device,
//! the clocks are those that the chip would take; the last column is what was measured on silicon ([docs/timing.md](../../docs/timing.md)).
//!
//! Linear DRAM goes round the banks page by page, so a tile that reads every twelfth page reads one bank. All data go over the same links of the NoC: what
//! decides is how far it is from the bank to the tile, and who else is on the way. `Grid::near` sorts the tiles by their distance from a bank on NoC 0. On NoC 1
//! (NCRISC) packets go the other way round, so the same tiles are far away there.

use std::sync::Arc;

use anyhow::{Context, Result};
use tt_examples::kernels;
use tt_runtime::Device;
use tt_runtime::grid::Tile;
use tt_runtime::program::{Core, DramBuffer, Kernel, L1Buffer, Program, Semaphore};

/// Bytes of a page, pages that are read at once, and how often.
const PAGE: usize = 8192;
const MANY: usize = 32;
const ROUNDS: usize = 4;

/// A tile, and the bank that it reads.
type Pair = (Tile, usize);
/// A line of the table: its name, who reads what on which core, and what was measured on silicon.
type Case<'a> = (&'a str, &'a [Pair], Core, &'a str);

fn main() -> Result<()> {
    let device = tt_examples::device_or("sim:n150,timed")?;
    let grid = device.grid()?;
    let banks = grid.banks().count();

    let mut near: Vec<Pair> = Vec::new();
    for bank in 0..banks {
        let mut tiles = grid.near(bank)?.into_iter();
        let free = tiles.find(|tile| near.iter().all(|(other, _)| other != tile));
        near.push((free.context("there are fewer tiles than banks")?, bank));
    }
    let in_order: Vec<Pair> = grid.tiles().iter().zip(0..).map(|(&tile, n)| (tile, n % banks)).collect();
    let same: Vec<Pair> = near.iter().map(|&(tile, _)| (tile, 0)).collect();

    println!("{:44} bytes a clock   GB/s on silicon at 1 GHz", "tiles and banks");
    let bench = Bench::new(&device, banks)?;
    let one = bench.rate(&near[..1], Core::Brisc)?;
    let cases: [Case; 4] = [
        ("as many tiles as banks, all at one bank", &same, Core::Brisc, "22.3"),
        (
            "each bank to a tile near it, NoC 0",
            &near,
            Core::Brisc,
            "265.5 (tiles chosen so that none share a link)",
        ),
        ("all tiles, banks in order, NoC 0", &in_order, Core::Brisc, "200.3 (48 tiles, random banks)"),
        ("all tiles, banks in order, NoC 1", &in_order, Core::Ncrisc, "78.2 (48 tiles, random banks)"),
    ];
    println!("{:44} {one:13.1}   22.2", "one tile, a bank near it");
    for (name, pairs, core, published) in cases {
        println!("{name:44} {:13.1}   {published}", bench.rate(pairs, core)?);
    }
    Ok(())
}

/// What all measurements use.
struct Bench {
    device: Arc<Device>,
    banks: usize,
    dram: DramBuffer<u32>,
    /// The first page of bank 0, counted from the beginning of the buffer.
    start: usize,
}

impl Bench {
    fn new(device: &Arc<Device>, banks: usize) -> Result<Self> {
        // One round more, since the buffer begins in any bank.
        let pages = banks * (MANY * ROUNDS + 1);
        let data: Vec<u32> = (0..pages * PAGE / 4).map(|word| (word * 4 / PAGE) as u32).collect();
        let dram = DramBuffer::from_slice(device, &data)?;
        let bank = dram.address().0 as usize / PAGE % banks;
        Ok(Self { device: Arc::clone(device), banks, dram, start: (banks - bank) % banks })
    }

    /// Bytes a clock that all tiles together read, from when the first one begins to when the last one ends.
    fn rate(&self, pairs: &[Pair], core: Core) -> Result<f64> {
        let (device, all) = (&self.device, self.device.grid()?.all());
        let room = L1Buffer::<u32>::new(device, all, MANY * PAGE / 4)?;
        let report = L1Buffer::<u32>::new(device, all, 4)?;
        let (ready, go) = (Semaphore::new(device, all, 0)?, Semaphore::new(device, all, 0)?);
        let first = pairs[0].0;
        let mut program = Program::new(device);
        for &(tile, bank) in pairs {
            let kernel = Kernel::new(&kernels::READ_BANK, core, tile)
                .argument(&self.dram)
                .argument((self.start + bank) as u32)
                .argument(self.banks as u32)
                .argument(ROUNDS as u32)
                .argument(&room)
                .argument(&report)
                .argument(first)
                .argument(pairs.len() as u32 - 1)
                .argument(&ready)
                .argument(&go)
                .argument(u32::from(tile == first));
            program = program.kernel(kernel);
        }
        program.run()?;

        let (mut begin, mut end) = (u32::MAX, 0);
        for &(tile, bank) in pairs {
            let words = report.read(tile)?;
            (begin, end) = (begin.min(words[0]), end.max(words[1]));
            // Each page has its number in all words.
            let numbers = (0..MANY * ROUNDS).map(|n| self.start + bank + n * self.banks);
            assert_eq!(words[2] as usize, numbers.sum::<usize>(), "what tile {tile} has read");
        }
        Ok((pairs.len() * PAGE * MANY * ROUNDS) as f64 / f64::from(end - begin))
    }
}
