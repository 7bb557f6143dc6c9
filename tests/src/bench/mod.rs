//! How fast a simulator is: RISC-V instructions, products or bytes moved per second of wall time.
//!
//! Every simulator runs the same program, which counts its own work: each hart runs a loop of known length and keeps the
//! number of rounds in a word of its tile's L1. So the figure is what was really executed, whatever a clock means to
//! the simulator, and no simulator's own counters are used.

pub mod load;
pub mod machine;
pub mod mvmul;
pub mod noc;
pub mod picture;
pub mod predict;
mod program;
mod rv32;
pub mod silicon;
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
    let work = Work {
        tiles: load.tiles(rows),
        harts: load.harts(),
        program: &|_, hart| program::busy(hart),
        clocks: 1_000_000,
    };
    Ok(work.rounds_per_second(machine, time)? * f64::from(program::INSTRUCTIONS_PER_ROUND))
}

/// Programs that harts of tiles run, each counting its rounds.
struct Work<'a> {
    tiles: Vec<NocXy>,
    harts: &'static [RiscV],
    /// The program of a hart of the `n`-th tile.
    program: &'a dyn Fn(usize, RiscV) -> Vec<u8>,
    /// Clocks that pass at most before the time is checked.
    clocks: u32,
}

impl Work<'_> {
    /// Rounds of all harts together, measured over at least `time`.
    fn rounds_per_second(&self, machine: &mut impl Machine, time: Duration) -> Result<f64> {
        for (n, tile) in self.tiles.iter().enumerate() {
            self.start(machine, n, *tile)?;
        }
        machine.advance(1000)?;
        let before = self.rounds(machine)?;
        let begin = Instant::now();
        let mut clocks = 1000;
        while begin.elapsed() < time {
            machine.advance(clocks)?;
            clocks = (clocks * 2).min(self.clocks);
        }
        let seconds = begin.elapsed().as_secs_f64();
        let after = self.rounds(machine)?;
        for tile in &self.tiles {
            machine.write(*tile, DEBUG_REGS_BASE + SOFT_RESET_0, &SOFT_RESET_ALL.to_le_bytes())?;
        }
        let mut total = 0_u64;
        for (before, after) in before.iter().zip(&after) {
            let count = after.wrapping_sub(*before);
            if count == 0 {
                bail!("a hart did not run");
            }
            total += u64::from(count);
        }
        Ok(total as f64 / seconds)
    }

    /// Loads the program for each hart where its pc is after reset, and lets it go.
    fn start(&self, machine: &mut impl Machine, n: usize, tile: NocXy) -> Result<()> {
        let mut reset = SOFT_RESET_ALL;
        machine.write(tile, DEBUG_REGS_BASE + SOFT_RESET_0, &reset.to_le_bytes())?;
        for hart in self.harts {
            machine.write(tile, hart.default_reset_pc(), &(self.program)(n, *hart))?;
            machine.write(tile, program::counter(*hart), &[0; 4])?;
            reset &= !hart.soft_reset_bit();
        }
        machine.write(tile, DEBUG_REGS_BASE + SOFT_RESET_0, &reset.to_le_bytes())
    }

    fn rounds(&self, machine: &mut impl Machine) -> Result<Vec<u32>> {
        let counters = self.tiles.iter().flat_map(|tile| self.harts.iter().map(move |hart| (*tile, *hart)));
        counters.map(|(tile, hart)| machine.read32(tile, program::counter(hart))).collect()
    }
}
