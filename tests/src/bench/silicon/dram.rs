//! Many readers of DRAM at once: how much comes together, by which tile reads which channel (`DRAMTile/README.md`).

use anyhow::Result;
use tt_isa::chip::WORMHOLE;
use tt_isa::map::RiscV;
use tt_isa::noc::{Ctrl, NiuRegisters, NocXy, reg};
use tt_isa::rv32::s;

use super::Anchor;
use super::program::{DATA, NIU, Program, ready, run};
use crate::bench::Machine;

/// Registers of the chip's NIUs, and their longest packet.
const REG: NiuRegisters = WORMHOLE.noc.registers;
const PACKET: u32 = WORMHOLE.noc.max_packet;

/// Bytes that each tile reads.
const BYTES: u32 = 512 << 10;

pub const ANCHORS: [Anchor; 7] = [
    Anchor::gigabytes("dram.one_channel.1", 22.2, 0.05, |m| rate(m, 0, &chosen(1)[..1])),
    Anchor::gigabytes("dram.chosen.12", 265.5, 0.05, |m| rate(m, 0, &chosen(1))),
    Anchor::gigabytes("dram.chosen.48", 267.5, 0.05, |m| rate(m, 0, &chosen(4))),
    Anchor::gigabytes("dram.random.12.noc0", 189.8, 0.15, |m| rate_of_random(m, 0, 1)),
    Anchor::gigabytes("dram.random.48.noc0", 200.3, 0.15, |m| rate_of_random(m, 0, 4)),
    Anchor::gigabytes("dram.random.12.noc1", 82.1, 0.15, |m| rate_of_random(m, 1, 1)),
    Anchor::gigabytes("dram.random.48.noc1", 78.2, 0.15, |m| rate_of_random(m, 1, 4)),
];

/// A reader: its tile, and the bank and the port that it reads through.
type Reader = (NocXy, usize, NocXy);

/// Bank, port, and the row whose half the readers are in: behind the port in the direction of NoC 0. Two ports are in rows
/// without Tensix tiles; what they send goes down to the next free half.
const HALVES: [(usize, [u8; 2], u8); 12] = [
    (0, [0, 1], 1),
    (1, [0, 0], 2),
    (2, [0, 5], 5),
    (3, [0, 7], 7),
    (4, [5, 1], 1),
    (5, [5, 0], 3),
    (6, [5, 2], 2),
    (7, [5, 10], 10),
    (8, [5, 8], 8),
    (9, [5, 4], 4),
    (10, [5, 5], 5),
    (11, [5, 7], 7),
];

/// So many readers of each bank, placed where no two share a link.
fn chosen(each: u8) -> Vec<Reader> {
    let of = |&(bank, [x, y], row): &(usize, [u8; 2], u8)| {
        (1..=each).map(move |n| (NocXy::new(x + n, row), bank, NocXy::new(x, y)))
    };
    HALVES.iter().flat_map(of).collect()
}

/// The rows that an n150 has.
const ROWS: [u8; 9] = [1, 2, 3, 4, 5, 7, 8, 9, 10];
/// Pairings whose mean is taken.
const PAIRINGS: u64 = 3;

/// The mean rate of some random pairings.
fn rate_of_random(machine: &mut dyn Machine, noc: u8, each: usize) -> Result<f64> {
    let mut sum = 0.0;
    for seed in 0..PAIRINGS {
        sum += rate(machine, noc, &random(each, seed))?;
    }
    Ok(sum / PAIRINGS as f64)
}

/// So many readers of each bank, anywhere, each through one of the bank's ports.
fn random(each: usize, seed: u64) -> Vec<Reader> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x1234_5678_9ABC_DEF1;
    let mut next = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    let mut tiles: Vec<NocXy> =
        ROWS.iter().flat_map(|&y| WORMHOLE.tensix_x.iter().map(move |&x| NocXy::new(x, y))).collect();
    let mut readers = Vec::new();
    for n in 0..12 * each {
        let bank = n % 12;
        let ports = WORMHOLE.dram[bank].ports;
        let tile = tiles.swap_remove(next(tiles.len()));
        readers.push((tile, bank, ports[next(ports.len())]));
    }
    readers
}

/// Bytes a clock of all readers together, from the first one's begin to the last one's end.
fn rate(machine: &mut dyn Machine, noc: u8, readers: &[Reader]) -> Result<f64> {
    let programs: Vec<_> = (0..)
        .zip(readers)
        .map(|(n, reader)| (reader.0, RiscV::Brisc, reader_program(noc, n, reader)))
        .collect();
    let clocks = run(machine, &programs)?;
    let begin = clocks.iter().map(|clocks| clocks[0]).min().unwrap_or(0);
    let end = clocks.iter().map(|clocks| clocks[1]).max().unwrap_or(0);
    Ok(f64::from(BYTES) * readers.len() as f64 / f64::from(end.wrapping_sub(begin)))
}

fn reader_program(noc: u8, number: u32, &(tile, bank, port): &Reader) -> Vec<u32> {
    let on = |at: NocXy| if noc == 0 { at } else { at.mirrored(WORMHOLE.grid) };
    let packets = BYTES / PACKET;
    let mut program = Program::on_noc(noc.into());
    let registers = [
        (REG.targ_lo, WORMHOLE.dram[bank].base as u32 + number * BYTES),
        (REG.targ_node, WORMHOLE.noc.node(on(port))),
        (REG.ret_lo, DATA),
        (REG.ret_node, WORMHOLE.noc.node(on(tile))),
        (REG.packet_tag, 0),
        (REG.ctrl, (Ctrl::RESP_MARKED | Ctrl::VC_STATIC).bits()),
        (REG.at_len_be, PACKET),
    ];
    for (register, value) in registers {
        program.set(5, value);
        program.store_to_niu(register, 5);
    }
    // What earlier programs have counted.
    program.add(&[tt_isa::rv32::i("Lw", 28, NIU, reg::MST_RD_RESP_RECEIVED as i32)]);
    program.set(6, packets);
    program.sum(28, 28, 6);
    program.set(26, 1);
    program.set(27, packets);
    program.begin();
    let request = [&ready()[..], &[s("Sw", 26, NIU, REG.cmd_ctrl as i32)]].concat();
    program.repeat(27, &request);
    program.wait(reg::MST_RD_RESP_RECEIVED, 28);
    program.end()
}
