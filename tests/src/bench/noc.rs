//! How fast a simulator moves data: bytes per second of wall time that cores read from DRAM over the NoC.
//!
//! BRISC of each of 64 tiles makes four reads of 8 KiB, waits until they have arrived, counts, and repeats. All tiles run at
//! once and read from all banks. Kernels have as many reads in flight.

use std::time::Duration;

use anyhow::Result;
use tt_isa::chip::{DramBank, WORMHOLE};
use tt_isa::map::{NIU_BASE, RiscV};
use tt_isa::noc::{Ctrl, NiuRegisters, NocXy, reg};

use super::program::{COUNTERS, counter};
use super::rv32::{X, addi, back_unless_equal, jump_back, li, lui, lw, sw};
use super::{Load, Machine, Work};

/// Registers of the chip's NIUs.
const REG: NiuRegisters = WORMHOLE.noc.registers;

/// Where the data goes in L1.
const DATA: u32 = 0x4_0000;
/// Reads of a round.
const READS: u32 = 4;
/// Where it comes from in DRAM: every tile has its own space.
const SPACE: u32 = 0x8000;

/// Bytes per second, measured over at least `time`. `rows` are NoC 0 rows of Tensix tiles that the board has.
pub fn read_rate(machine: &mut impl Machine, rows: &[u8], time: Duration) -> Result<f64> {
    let tiles = Load::AllHarts.tiles(rows);
    let of = tiles.clone();
    for n in 0..tiles.len() as u32 {
        let (bank, address) = source(n);
        machine.write(bank.ports[0], address, &[0x5A; WORMHOLE.noc.max_packet as usize])?;
    }
    let work =
        Work { tiles, harts: &[RiscV::Brisc], program: &|n, _| reader(of[n], n as u32), clocks: 100_000 };
    Ok(work.rounds_per_second(machine, time)? * f64::from(READS * WORMHOLE.noc.max_packet))
}

/// Where the `n`-th tile's data is: bank and address.
fn source(n: u32) -> (&'static DramBank, u32) {
    let bank = &WORMHOLE.dram[n as usize % WORMHOLE.dram.len()];
    (bank, bank.base as u32 + n * SPACE)
}

/// The program of a tile's BRISC, as bytes.
fn reader(tile: NocXy, number: u32) -> Vec<u8> {
    const NIU: X = X(5);
    const COUNTER: X = X(6);
    const COUNT: X = X(7);
    const ONE: X = X(8);
    const EXPECTED: X = X(9);
    const ARRIVED: X = X(10);
    const VALUE: X = X(11);
    const ZERO: X = X(0);
    let (bank, address) = source(number);
    let request = [
        (REG.targ_lo, address),
        (REG.targ_node, WORMHOLE.noc.node(bank.ports[0])),
        (REG.ret_lo, DATA),
        (REG.ret_node, WORMHOLE.noc.node(tile)),
        (REG.packet_tag, 0),
        (REG.ctrl, Ctrl::RESP_MARKED.bits()),
        (REG.at_len_be, WORMHOLE.noc.max_packet),
    ];
    let mut words = vec![
        lui(NIU, NIU_BASE),
        lui(COUNTER, COUNTERS),
        addi(COUNT, ZERO, 0),
        addi(ONE, ZERO, 1),
        lw(EXPECTED, NIU, reg::MST_RD_RESP_RECEIVED),
    ];
    for (register, value) in request {
        words.extend(li(VALUE, value));
        words.push(sw(VALUE, NIU, register));
    }
    words.extend([sw(ONE, NIU, REG.cmd_ctrl); READS as usize]);
    words.extend([
        addi(EXPECTED, EXPECTED, READS),
        lw(ARRIVED, NIU, reg::MST_RD_RESP_RECEIVED),
        back_unless_equal(ARRIVED, EXPECTED, 4),
        addi(COUNT, COUNT, 1),
        sw(COUNT, COUNTER, counter(RiscV::Brisc) - COUNTERS),
        // To the first of the reads.
        jump_back(4 * (READS + 5)),
    ]);
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}
