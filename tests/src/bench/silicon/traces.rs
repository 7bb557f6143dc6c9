//! Two operators of the vendor's that silicon has recorded, request by request: interleaved pages of DRAM are read into the L1 of tiles.
//! Programs here make the same requests as far apart as the recording has them, which is what its profiler takes for each.
//!
//! Published: `tt_npe/workload/noc_trace_json/` of tt-npe, `DRAM_TO_1x1_BLOCK.json` and `DRAM_TO_8x8_HEIGHT.json`: clocks from the first
//! read to the end of the last wait.

use anyhow::Result;
use tt_isa::chip::WORMHOLE;
use tt_isa::map::{DEBUG_REGS_BASE, RiscV, WALL_CLOCK_L};
use tt_isa::noc::{Ctrl, NiuRegisters, NocXy, reg};
use tt_isa::rv32::i;

use super::Anchor;
use super::program::{DATA, NIU, Program, run};
use crate::bench::Machine;

const REG: NiuRegisters = WORMHOLE.noc.registers;

pub const ANCHORS: [Anchor; 2] = [
    Anchor::clocks("trace.dram.256k.to1", 16_597.0, 0.25, |m| replay(m, &[NocXy::new(1, 1)], 128, 128)),
    Anchor::clocks("trace.dram.2m.to64", 11_049.0, 0.25, |m| replay(m, &grid(), 16, 4)),
];

/// Bytes of a page.
const PAGE: u32 = 2048;
/// Clocks between two requests, and from the end of a wait to the next one.
const APART: u32 = 124;
const AFTER_WAIT: u32 = 94;
/// Clocks until all begin: their programs are loaded meanwhile.
const LOADING: u32 = 40_000;
/// Ports in the order of the pages, which is that of the banks.
const PORTS: [[u8; 2]; 12] =
    [[0, 11], [0, 1], [0, 5], [0, 7], [5, 1], [5, 11], [5, 2], [5, 9], [5, 8], [5, 3], [5, 5], [5, 7]];
/// Columns and rows of the 64 tiles.
const COLUMNS: [u8; 8] = [1, 2, 3, 4, 6, 7, 8, 9];
const ROWS: [u8; 8] = [1, 2, 3, 4, 5, 7, 8, 9];

/// In the order of their pages.
fn grid() -> Vec<NocXy> {
    ROWS.iter().flat_map(|&y| COLUMNS.iter().map(move |&x| NocXy::new(x, y))).collect()
}

/// Each tile reads its `pages` pages, so many at a time, and waits for them. Clocks until the last one has.
fn replay(machine: &mut dyn Machine, tiles: &[NocXy], pages: u32, at_a_time: u32) -> Result<f64> {
    let now = machine.read32(tiles[0], DEBUG_REGS_BASE + WALL_CLOCK_L)?;
    let begin = now.wrapping_add(LOADING);
    let reader = |(n, &tile): (u32, &NocXy)| {
        let pages: Vec<u32> = (n * pages..(n + 1) * pages).collect();
        (tile, RiscV::Brisc, reader(tile, begin, &pages, at_a_time))
    };
    let programs: Vec<_> = (0..).zip(tiles).map(reader).collect();
    let clocks = run(machine, &programs)?;
    let begin = clocks.iter().map(|clocks| clocks[0]).min().unwrap_or(0);
    let end = clocks.iter().map(|clocks| clocks[1]).max().unwrap_or(0);
    Ok(f64::from(end.wrapping_sub(begin)))
}

/// Registers: when the next request is due, and how many responses there are then.
const DUE: u32 = 20;
const WANTED: u32 = 28;

fn reader(tile: NocXy, begin: u32, pages: &[u32], at_a_time: u32) -> Vec<u32> {
    let mut program = Program::on_noc(0);
    program.set(26, 1);
    for (register, value) in [
        (REG.ctrl, (Ctrl::RESP_MARKED | Ctrl::VC_STATIC).bits()),
        (REG.ret_node, WORMHOLE.noc.node(tile)),
        (REG.packet_tag, 0),
        (REG.at_len_be, PAGE),
    ] {
        program.set(5, value);
        program.store_to_niu(register, 5);
    }
    program.add(&[i("Lw", WANTED, NIU, reg::MST_RD_RESP_RECEIVED as i32)]);
    program.begin_at(begin);
    program.set(DUE, begin);
    for (round, some) in pages.chunks(at_a_time as usize).enumerate() {
        for (n, &page) in (0..).zip(some) {
            let bank = page as usize % PORTS.len();
            let [x, y] = PORTS[bank];
            let from = WORMHOLE.dram[bank].base as u32 + page / PORTS.len() as u32 * PAGE;
            let to = DATA + (round as u32 * at_a_time + n) * PAGE;
            for (register, value) in
                [(REG.targ_lo, from), (REG.targ_node, WORMHOLE.noc.node(NocXy::new(x, y))), (REG.ret_lo, to)]
            {
                program.set(5, value);
                program.store_to_niu(register, 5);
            }
            program.wait_for_clock(DUE);
            program.store_to_niu(REG.cmd_ctrl, 26);
            program.add(&[i("Addi", DUE, DUE, APART as i32), i("Addi", WANTED, WANTED, 1)]);
        }
        program.wait(reg::MST_RD_RESP_RECEIVED, WANTED);
        program.clock_and(DUE, AFTER_WAIT);
    }
    program.end()
}
