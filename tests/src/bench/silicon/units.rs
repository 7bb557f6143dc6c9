//! Products of tiles in the matrix unit, and the host's accesses over PCIe.

use anyhow::Result;
use tt_isa::insn::{MVMUL, SETDVALID, ttinsn};
use tt_isa::map::{DEBUG_REGS_BASE, PC_BUF_BASE, PC_BUF_TENSIX_SYNC, RiscV, WALL_CLOCK_L};
use tt_isa::noc::NocXy;
use tt_isa::rv32::{i, r, s};

use super::Anchor;
use super::program::{DATA, Program, clocks};
use crate::bench::Machine;

const TILE: NocXy = NocXy::new(1, 1);

pub const ANCHORS: [Anchor; 8] = [
    Anchor::clocks("product.lofi", 16.0, 0.1, |m| product(m, 1)),
    Anchor::clocks("product.hifi2", 32.0, 0.1, |m| product(m, 2)),
    Anchor::clocks("product.hifi3", 48.0, 0.1, |m| product(m, 3)),
    Anchor::clocks("product.hifi4", 64.0, 0.1, |m| product(m, 4)),
    Anchor::nanoseconds("pcie.write.4", 20.0, 0.1, |m| host_write(m, 4)),
    Anchor::nanoseconds("pcie.write.4k", 230.0, 0.1, |m| host_write(m, 4096)),
    Anchor::nanoseconds("pcie.read.4", 1150.0, 0.1, |m| host_read(m, 1)),
    Anchor::nanoseconds("pcie.read.4k", 1_120_000.0, 0.1, |m| host_read(m, 1024)),
];

/// Clocks of a product of two tiles with so many fidelity phases, in a row of many.
fn product(machine: &mut dyn Machine, phases: u32) -> Result<f64> {
    let products = |machine: &mut dyn Machine, count: u32| {
        let mut program = Program::on_noc(0);
        // Both banks of SrcA and SrcB belong to the matrix unit.
        program.add(&[ttinsn(SETDVALID { setvalid: 3 }.word())]);
        program.set(7, PC_BUF_BASE + PC_BUF_TENSIX_SYNC);
        program.begin();
        for n in 0..16 * phases * count {
            program.add(&[ttinsn(MVMUL { dst: n % 8 * 8, ..MVMUL::ZERO }.word())]);
        }
        program.add(&[s("Sw", 0, 7, 0), i("Lw", 5, 7, 0), r("And", 5, 5, 5)]);
        clocks(machine, TILE, RiscV::Trisc1, program)
    };
    Ok((products(machine, 9)? - products(machine, 1)?) / 8.0)
}

/// The chip's clock, and how long looking at it takes.
fn clock(machine: &mut dyn Machine) -> Result<f64> {
    Ok(machine.read32(TILE, DEBUG_REGS_BASE + WALL_CLOCK_L)?.into())
}

fn host_write(machine: &mut dyn Machine, len: usize) -> Result<f64> {
    let look = clock(machine)? - clock(machine)?;
    let before = clock(machine)?;
    machine.write(TILE, DATA, &vec![0; len])?;
    // Between the two looks, two windows are pointed and one word is read.
    let window = 20.0;
    Ok(clock(machine)? - before + look - window)
}

fn host_read(machine: &mut dyn Machine, words: u32) -> Result<f64> {
    let before = clock(machine)?;
    for n in 0..words {
        machine.read32(TILE, DATA + 4 * n)?;
    }
    let window = 20.0;
    // One of the looks counts.
    Ok((clock(machine)? - before) * f64::from(words) / f64::from(words + 1) - window * f64::from(words))
}
