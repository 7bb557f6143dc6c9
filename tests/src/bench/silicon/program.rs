//! Programs that measure themselves: clocks before and after, left in L1.

use anyhow::{Result, bail};
use tt_isa::chip::WORMHOLE;
use tt_isa::map::{
    DEBUG_REGS_BASE, LOCAL_RAM_BASE, NIU_BASE, NIU_STRIDE, RiscV, SOFT_RESET_0, SOFT_RESET_ALL, WALL_CLOCK_L,
};
use tt_isa::noc::NocXy;
use tt_isa::rv32::{b, i, jal, li, r, s};

use crate::bench::Machine;

/// Where a program leaves its clocks.
pub const RESULT: u32 = 0x1_0000;
/// Data of transfers.
pub const DATA: u32 = 0x2_0000;
/// Clocks that a program gets.
const LIMIT: u32 = 4_000_000;

/// Registers of the programs: NIU, wall clock, and the local RAM.
pub const NIU: u32 = 8;
const CLOCK: u32 = 9;
pub const LOCAL: u32 = 18;
const BEGIN: u32 = 19;

/// A program under construction.
#[derive(Default)]
pub struct Program(pub Vec<u32>);

impl Program {
    /// Sets the registers up that every program has.
    pub fn on_noc(noc: u32) -> Self {
        let mut program = Self::default();
        program.set(NIU, NIU_BASE + noc * NIU_STRIDE);
        program.set(CLOCK, DEBUG_REGS_BASE + WALL_CLOCK_L);
        program.set(LOCAL, LOCAL_RAM_BASE);
        program
    }

    pub fn add(&mut self, words: &[u32]) {
        self.0.extend_from_slice(words);
    }

    /// Sets a register to a value.
    pub fn set(&mut self, register: u32, value: u32) {
        self.0.extend(li(register, value));
    }

    /// The measurement begins.
    pub fn begin(&mut self) {
        self.add(&[i("Lw", BEGIN, CLOCK, 0)]);
    }

    /// The measurement begins, not before the wall clock shows `clock`.
    pub fn begin_at(&mut self, clock: u32) {
        self.set(6, clock);
        self.wait_for_clock(6);
        self.begin();
    }

    /// Waits until the wall clock shows what is in register `due`.
    pub fn wait_for_clock(&mut self, due: u32) {
        self.add(&[i("Lw", 5, CLOCK, 0), r("Sub", 5, 5, due), b("Blt", 5, 0, -8)]);
    }

    /// The wall clock and so many clocks, to `rd`.
    pub fn clock_and(&mut self, rd: u32, clocks: u32) {
        self.add(&[i("Lw", 5, CLOCK, 0), i("Addi", rd, 5, clocks as i32)]);
    }

    /// It ends: both clocks are stored, and the program is over.
    pub fn end(mut self) -> Vec<u32> {
        self.add(&[i("Lw", 5, CLOCK, 0)]);
        self.set(6, RESULT);
        self.add(&[s("Sw", BEGIN, 6, 0), s("Sw", 5, 6, 4), jal(0, 0)]);
        self.0
    }

    /// Repeats `words` as often as register `count` says.
    pub fn repeat(&mut self, count: u32, words: &[u32]) {
        self.add(words);
        self.add(&[i("Addi", count, count, -1), b("Bne", count, 0, -4 * (words.len() as i32 + 1))]);
    }

    /// Waits until a counter of the NIU has the value of register `wanted`.
    pub fn wait(&mut self, counter: u32, wanted: u32) {
        self.add(&[i("Lw", 5, NIU, counter as i32), b("Bne", 5, wanted, -4)]);
    }

    /// Stores a register to one of the NIU's.
    pub fn store_to_niu(&mut self, register: u32, from: u32) {
        self.add(&[s("Sw", from, NIU, register as i32)]);
    }

    /// `a + b` to `rd`.
    pub fn sum(&mut self, rd: u32, a: u32, b: u32) {
        self.add(&[r("Add", rd, a, b)]);
    }
}

/// Waits until an initiator can take a request, as the driver does.
pub fn ready() -> [u32; 2] {
    [i("Lw", 5, NIU, WORMHOLE.noc.registers.cmd_ctrl as i32), b("Bne", 5, 0, -4)]
}

/// Runs programs, each on a core, all from about the same time; for each when it began and ended.
///
/// # Errors
/// A program does not come to its end.
pub fn run(machine: &mut dyn Machine, programs: &[(NocXy, RiscV, Vec<u32>)]) -> Result<Vec<[u32; 2]>> {
    for (tile, core, words) in programs {
        machine.write(*tile, DEBUG_REGS_BASE + SOFT_RESET_0, &SOFT_RESET_ALL.to_le_bytes())?;
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        machine.write(*tile, core.default_reset_pc(), &bytes)?;
        machine.write(*tile, RESULT, &[0; 8])?;
    }
    for (tile, core, _) in programs {
        let reset = SOFT_RESET_ALL & !core.soft_reset_bit();
        machine.write(*tile, DEBUG_REGS_BASE + SOFT_RESET_0, &reset.to_le_bytes())?;
    }
    machine.advance(LIMIT)?;
    programs
        .iter()
        .map(|(tile, ..)| {
            let clocks = [machine.read32(*tile, RESULT)?, machine.read32(*tile, RESULT + 4)?];
            if clocks[1] == 0 {
                bail!("the program of tile {tile} has not ended");
            }
            Ok(clocks)
        })
        .collect()
}

/// Runs one program on a core; the clocks that it has measured.
///
/// # Errors
/// It does not come to its end.
pub fn clocks(machine: &mut dyn Machine, tile: NocXy, core: RiscV, program: Program) -> Result<f64> {
    let all = run(machine, &[(tile, core, program.end())])?;
    Ok(f64::from(all[0][1].wrapping_sub(all[0][0])))
}
