//! Many readers or writers of DRAM at once: how much comes together, by which tile reads which channel (`DRAMTile/README.md`).

use anyhow::Result;
use tt_isa::chip::WORMHOLE;
use tt_isa::map::{DEBUG_REGS_BASE, RiscV, WALL_CLOCK_L};
use tt_isa::noc::{Ctrl, NiuRegisters, NocXy, reg};
use tt_isa::rv32::s;

use super::Anchor;
use super::program::{DATA, NIU, Program, ready, run};
use crate::bench::Machine;

/// Registers of the chip's NIUs, and their longest packet.
const REG: NiuRegisters = WORMHOLE.noc.registers;
const PACKET: u32 = WORMHOLE.noc.max_packet;

/// Bytes that each tile moves, as in the page's table.
const BYTES: u32 = 1 << 20;
/// Clocks from the first look at the wall clock until all begin: their programs are loaded meanwhile.
const LOADING: u32 = 40_000;

pub const ANCHORS: [Anchor; 17] = [
    Anchor::gigabytes("dram.one_channel.1", 22.2, 0.05, |m| rate(m, READ, 0, &chosen(1)[..1])),
    Anchor::gigabytes("dram.one_channel.12", 22.3, 0.05, |m| rate(m, READ, 0, &one_channel(12))),
    Anchor::gigabytes("dram.chosen.12", 265.5, 0.05, |m| rate(m, READ, 0, &chosen(1))),
    Anchor::gigabytes("dram.chosen.48", 267.5, 0.05, |m| rate(m, READ, 0, &chosen(4))),
    Anchor::gigabytes("dram.random.12.noc0", 189.8, 0.15, |m| rate_of_random(m, READ, 0, 1)),
    Anchor::gigabytes("dram.random.48.noc0", 200.3, 0.15, |m| rate_of_random(m, READ, 0, 4)),
    Anchor::gigabytes("dram.random.12.noc1", 82.1, 0.15, |m| rate_of_random(m, READ, 1, 1)),
    Anchor::gigabytes("dram.random.48.noc1", 78.2, 0.15, |m| rate_of_random(m, READ, 1, 4)),
    Anchor::gigabytes("dram.write.chosen.12.static", 261.3, 0.1, |m| rate(m, STATIC, 0, &chosen_writers(1))),
    Anchor::gigabytes("dram.write.chosen.48.static", 263.7, 0.1, |m| rate(m, STATIC, 0, &chosen_writers(4))),
    Anchor::gigabytes("dram.write.chosen.12.dynamic", 255.1, 0.1, |m| {
        rate(m, DYNAMIC, 0, &chosen_writers(1))
    }),
    Anchor::gigabytes("dram.write.chosen.48.dynamic", 81.7, 0.1, |m| rate(m, DYNAMIC, 0, &chosen_writers(4))),
    Anchor::gigabytes("dram.write.one_channel.12.dynamic", 7.6, 0.1, |m| {
        rate(m, DYNAMIC, 0, &one_channel(12))
    }),
    Anchor::gigabytes("dram.write.random.48.static.noc0", 52.3, 0.15, |m| rate_of_random(m, STATIC, 0, 4)),
    Anchor::gigabytes("dram.write.random.48.static.noc1", 133.7, 0.15, |m| rate_of_random(m, STATIC, 1, 4)),
    Anchor::gigabytes("dram.write.random.48.dynamic.noc0", 18.2, 0.15, |m| rate_of_random(m, DYNAMIC, 0, 4)),
    Anchor::gigabytes("dram.write.random.48.dynamic.noc1", 54.5, 0.15, |m| rate_of_random(m, DYNAMIC, 1, 4)),
];

/// What each tile does: the flags of its requests. Responses to reads take dynamic virtual channels whatever the request
/// says.
const READ: Ctrl = Ctrl::RESP_MARKED.union(Ctrl::VC_STATIC);
/// Writes in a static virtual channel, and in dynamic ones.
const STATIC: Ctrl = READ.union(Ctrl::WR);
const DYNAMIC: Ctrl = Ctrl::RESP_MARKED.union(Ctrl::WR);

/// A tile that reads or writes: where it is, and the bank and the port that it reads or writes through.
type Client = (NocXy, usize, NocXy);

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
fn chosen(each: u8) -> Vec<Client> {
    let of = |&(bank, [x, y], row): &(usize, [u8; 2], u8)| {
        (1..=each).map(move |n| (NocXy::new(x + n, row), bank, NocXy::new(x, y)))
    };
    HALVES.iter().flat_map(of).collect()
}

/// Bank, port, and the row whose half the writers are in: in front of the port in the direction of NoC 0.
const WRITERS: [(usize, [u8; 2], u8); 12] = [
    (0, [0, 1], 1),
    (1, [0, 11], 10),
    (2, [0, 5], 5),
    (3, [0, 7], 7),
    (4, [5, 1], 1),
    (5, [5, 11], 10),
    (6, [5, 2], 2),
    (7, [5, 9], 9),
    (8, [5, 3], 3),
    (9, [5, 8], 8),
    (10, [5, 5], 5),
    (11, [5, 7], 7),
];

/// So many writers to each bank, placed where writers to different ones share no link.
fn chosen_writers(each: u8) -> Vec<Client> {
    let of = |&(bank, [x, y], row): &(usize, [u8; 2], u8)| {
        let width = WORMHOLE.grid.x;
        (1..=each).map(move |n| (NocXy::new((x + width - n) % width, row), bank, NocXy::new(x, y)))
    };
    WRITERS.iter().flat_map(of).collect()
}

/// So many tiles at one bank, through one port.
fn one_channel(count: usize) -> Vec<Client> {
    random(count.div_ceil(12), 1)
        .into_iter()
        .take(count)
        .map(|(tile, ..)| (tile, 0, NocXy::new(0, 1)))
        .collect()
}

/// The rows that an n150 has.
const ROWS: [u8; 9] = [1, 2, 3, 4, 5, 7, 8, 9, 10];
/// Pairings whose mean is taken, of 12 tiles; fewer of more.
const PAIRINGS: usize = 12;

/// The mean rate of some random pairings.
fn rate_of_random(machine: &mut dyn Machine, what: Ctrl, noc: u8, each: usize) -> Result<f64> {
    let mut sum = 0.0;
    let pairings = PAIRINGS / each;
    for seed in 0..pairings {
        sum += rate(machine, what, noc, &random(each, seed as u64))?;
    }
    Ok(sum / pairings as f64)
}

/// So many tiles at each bank, anywhere, each through one of the bank's ports.
fn random(each: usize, seed: u64) -> Vec<Client> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x1234_5678_9ABC_DEF1;
    let mut next = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    let mut tiles: Vec<NocXy> =
        ROWS.iter().flat_map(|&y| WORMHOLE.tensix_x.iter().map(move |&x| NocXy::new(x, y))).collect();
    let mut clients = Vec::new();
    for n in 0..12 * each {
        let bank = n % 12;
        let ports = WORMHOLE.dram[bank].ports;
        let tile = tiles.swap_remove(next(tiles.len()));
        clients.push((tile, bank, ports[next(ports.len())]));
    }
    clients
}

/// Bytes a clock of all together, from when they begin to the last one's end.
fn rate(machine: &mut dyn Machine, what: Ctrl, noc: u8, clients: &[Client]) -> Result<f64> {
    let now = machine.read32(clients[0].0, DEBUG_REGS_BASE + WALL_CLOCK_L)?;
    let program = |(n, client): (u32, &Client)| {
        (client.0, RiscV::Brisc, client_program(what, noc, n, client, now.wrapping_add(LOADING)))
    };
    let programs: Vec<_> = (0..).zip(clients).map(program).collect();
    let clocks = run(machine, &programs)?;
    let begin = clocks.iter().map(|clocks| clocks[0]).min().unwrap_or(0);
    let end = clocks.iter().map(|clocks| clocks[1]).max().unwrap_or(0);
    Ok(f64::from(BYTES) * clients.len() as f64 / f64::from(end.wrapping_sub(begin)))
}

fn client_program(what: Ctrl, noc: u8, number: u32, &(tile, bank, port): &Client, begin: u32) -> Vec<u32> {
    let on = |at: NocXy| if noc == 0 { at } else { at.mirrored(WORMHOLE.grid) };
    let packets = BYTES / PACKET;
    let memory = (WORMHOLE.dram[bank].base as u32 + number * BYTES, WORMHOLE.noc.node(on(port)));
    let own = (DATA, WORMHOLE.noc.node(on(tile)));
    let writes = what.contains(Ctrl::WR);
    let (from, to) = if writes { (own, memory) } else { (memory, own) };
    let counter = if writes { reg::MST_WR_ACK_RECEIVED } else { reg::MST_RD_RESP_RECEIVED };
    let mut program = Program::on_noc(noc.into());
    let registers = [
        (REG.targ_lo, from.0),
        (REG.targ_node, from.1),
        (REG.ret_lo, to.0),
        (REG.ret_node, to.1),
        (REG.packet_tag, 0),
        (REG.ctrl, what.bits()),
        (REG.at_len_be, PACKET),
    ];
    for (register, value) in registers {
        program.set(5, value);
        program.store_to_niu(register, 5);
    }
    // What earlier programs have counted.
    program.add(&[tt_isa::rv32::i("Lw", 28, NIU, counter as i32)]);
    program.set(6, packets);
    program.sum(28, 28, 6);
    program.set(26, 1);
    program.set(27, packets);
    program.begin_at(begin);
    let request = [&ready()[..], &[s("Sw", 26, NIU, REG.cmd_ctrl as i32)]].concat();
    program.repeat(27, &request);
    program.wait(counter, 28);
    program.end()
}
