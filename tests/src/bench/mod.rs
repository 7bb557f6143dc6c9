//! How fast a simulator is: RISC-V instructions per second of wall time.
//!
//! The work is the same program on every simulator and it counts itself: each hart runs a loop of known length and keeps the
//! number of rounds in a word of its tile's L1. What is measured is thus what was executed, whatever a clock means to
//! the simulator, and no simulator is asked for its own counters.

pub mod mvmul;
mod program;
mod rv32;
pub mod transport;
pub mod weights;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tt_isa::chip::WORMHOLE;
use tt_isa::map::{DEBUG_REGS_BASE, RiscV, SOFT_RESET_0, SOFT_RESET_ALL};
use tt_isa::noc::NocXy;

/// A simulated chip, as far as a measurement needs it.
pub trait Machine {
    /// Writes to a tile, at an address as the NoC sees it.
    fn write(&mut self, tile: NocXy, address: u32, bytes: &[u8]) -> Result<()>;
    /// Reads a word of a tile.
    fn read32(&mut self, tile: NocXy, address: u32) -> Result<u32>;
    /// Lets the chip run for so many clocks.
    fn advance(&mut self, clocks: u32) -> Result<()>;
}

/// Which harts are busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// BRISC of one tile.
    OneHart,
    /// All five harts of 64 tiles.
    AllHarts,
}

impl Load {
    /// The tiles, by NoC 0 coordinate. Eight rows are there on every board, whichever are harvested, so the rows come from `rows`.
    fn tiles(self, rows: &[u8]) -> Vec<NocXy> {
        let all = rows.iter().flat_map(|y| WORMHOLE.tensix_x.iter().map(|x| NocXy::new(*x, *y)));
        all.take(if self == Self::OneHart { 1 } else { 64 }).collect()
    }

    fn harts(self) -> &'static [RiscV] {
        if self == Self::OneHart { &[RiscV::Brisc] } else { &RiscV::ALL }
    }
}

/// RISC-V instructions per second, measured over at least `time`. `rows` are NoC 0 rows of Tensix tiles that the board has.
pub fn riscv_rate(machine: &mut impl Machine, load: Load, rows: &[u8], time: Duration) -> Result<f64> {
    let tiles = load.tiles(rows);
    for tile in &tiles {
        start(machine, *tile, load.harts())?;
    }
    machine.advance(1000)?;
    let before = rounds(machine, &tiles, load.harts())?;
    let begin = Instant::now();
    let mut clocks = 1000;
    while begin.elapsed() < time {
        machine.advance(clocks)?;
        clocks = (clocks * 2).min(1_000_000);
    }
    let seconds = begin.elapsed().as_secs_f64();
    let after = rounds(machine, &tiles, load.harts())?;
    for tile in &tiles {
        machine.write(*tile, DEBUG_REGS_BASE + SOFT_RESET_0, &SOFT_RESET_ALL.to_le_bytes())?;
    }
    let mut total = 0_u64;
    for (before, after) in before.iter().zip(&after) {
        let count = after.wrapping_sub(*before);
        if count == 0 {
            bail!("a hart did not run");
        }
        total += u64::from(count) * u64::from(program::INSTRUCTIONS_PER_ROUND);
    }
    Ok(total as f64 / seconds)
}

/// Loads the program for each hart where its pc is after reset, and lets it go.
fn start(machine: &mut impl Machine, tile: NocXy, harts: &[RiscV]) -> Result<()> {
    let mut reset = SOFT_RESET_ALL;
    machine.write(tile, DEBUG_REGS_BASE + SOFT_RESET_0, &reset.to_le_bytes())?;
    for hart in harts {
        machine.write(tile, hart.default_reset_pc(), &program::busy(*hart))?;
        machine.write(tile, program::counter(*hart), &[0; 4])?;
        reset &= !hart.soft_reset_bit();
    }
    machine.write(tile, DEBUG_REGS_BASE + SOFT_RESET_0, &reset.to_le_bytes())
}

fn rounds(machine: &mut impl Machine, tiles: &[NocXy], harts: &[RiscV]) -> Result<Vec<u32>> {
    let pairs = tiles.iter().flat_map(|tile| harts.iter().map(move |hart| (*tile, program::counter(*hart))));
    pairs.map(|(tile, address)| machine.read32(tile, address)).collect()
}
