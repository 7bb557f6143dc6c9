//! What a chip does depends on no number of host threads, in any mode: memory, counters and traces are equal.
//!
//! Every tile runs the kernel of all five cores (`support/pipeline.rs`) on data of its own, over both NoCs. In the end all add
//! to the same word of one tile, each one a different number, and keep what was there before: that tells the order in which
//! their requests came.

use std::path::Path;

use crate::host::{COLUMNS, Host, Request, niu, tensix, wait_for};
use crate::pipeline::Pipeline;
use tt_isa::chip::board;
use tt_isa::map::RiscV;
use tt_isa::noc::{Ctrl, NocXy, atomic_increment, reg};
use tt_simulator::{ChipConfig, Counters, Mode};

/// The word that all add to, in the first tile, and where each keeps the old value.
const SUM: u32 = 0x4_0000;
const OLD: u32 = 0x4_0100;
/// All of L1 that the kernel uses.
const USED: usize = 0x4_0200;

/// All that a host can see of a run.
#[derive(PartialEq)]
struct Outcome {
    memory: Vec<Vec<u8>>,
    noc: Vec<u32>,
    pcs: Vec<Option<u32>>,
    counters: Counters,
    opcodes: [u64; 256],
    trace: String,
}

fn tiles(rows: u8) -> Vec<NocXy> {
    (0..rows).flat_map(|row| (0..COLUMNS).map(move |column| tensix(column, row))).collect()
}

/// Adds to the common word, and waits for its old value.
fn add(own: NocXy, number: u32) -> Vec<u32> {
    let request = Request {
        noc: 0,
        ctrl: Ctrl::AT | Ctrl::RESP_MARKED,
        target: (tensix(0, 0), SUM),
        ret: (own, OLD),
        len: atomic_increment(0),
        data: number,
    };
    [request.program(), wait_for(niu(0, reg::MST_ATOMIC_RESP_RECEIVED), 1)].concat()
}

/// Runs the kernel on the first rows of tiles, traced with the settings.
fn run(rows: u8, mode: Mode, threads: usize, settings: &str) -> Outcome {
    let file = format!("threads-{rows}-{}-{threads}{settings}", mode == Mode::Fast);
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file.replace(['=', ',', '+'], "-"));
    let trace = format!("{}{settings}", file.display()).parse().expect("settings");
    let n150 = ChipConfig::of_board(board("n150").expect("known"), 0);
    let config = ChipConfig { threads, mode, trace: Some(trace), harvested: 0x3FF & !0 << rows, ..n150 };
    let mut host = Host::with(config);
    let tiles = tiles(rows);
    // An atomic reads sixteen bytes.
    host.write(tiles[0], SUM, &[0; 16]);
    let kernels: Vec<Pipeline> = (0..)
        .zip(&tiles)
        .map(|(number, &tile)| Pipeline::of_tile(tile, number, add(tile, 1 + number as u32)))
        .collect();
    kernels.iter().for_each(|kernel| kernel.start(&mut host));
    host.settle();
    kernels.iter().for_each(|kernel| kernel.check(&mut host));
    let sum = tiles.len() as u32;
    assert_eq!(host.read32(tiles[0], SUM), sum * (sum + 1) / 2);
    let counter = |n: u32| reg::MST_ATOMIC_RESP_RECEIVED + 4 * n;
    let noc = tiles.iter().flat_map(|&tile| (0..128).map(move |n| (tile, niu(n / 64, counter(n % 64)))));
    let mut outcome = Outcome {
        noc: noc.map(|(tile, at)| host.read32(tile, at)).collect(),
        memory: tiles.iter().map(|&tile| host.read(tile, 0, USED)).collect(),
        pcs: tiles
            .iter()
            .flat_map(|&tile| RiscV::ALL.map(|core| (tile, core)))
            .map(|(tile, core)| host.chip.pc(tile, core))
            .collect(),
        counters: host.chip.counters(),
        opcodes: host.chip.tensix_instructions_by_opcode(),
        trace: String::new(),
    };
    drop(host);
    outcome.trace = std::fs::read_to_string(&file).expect("a trace");
    outcome
}

/// Runs on one, two and five threads.
fn compare(rows: u8, mode: Mode, settings: &str) {
    let alone = run(rows, mode, 1, settings);
    assert!(alone.counters.noc_requests >= 13 * 8 * u64::from(rows) && alone.trace.lines().count() > 100);
    for threads in [2, 5] {
        let other = run(rows, mode, threads, settings);
        let parts = [
            ("memory", alone.memory == other.memory),
            ("NoC counters", alone.noc == other.noc),
            ("pcs", alone.pcs == other.pcs),
            ("instructions and traffic", alone.counters == other.counters && alone.opcodes == other.opcodes),
            ("trace", alone.trace == other.trace),
        ];
        let differ: Vec<&str> = parts.iter().filter(|part| !part.1).map(|part| part.0).collect();
        assert!(differ.is_empty(), "{threads} threads, {mode:?}{settings}: other {differ:?}");
    }
}

#[test]
fn the_fast_mode_does_not_depend_on_threads() {
    compare(9, Mode::Fast, ",kind=insn+noc,core=trisc1");
    compare(9, Mode::Fast, ",kind=timeline");
}

#[test]
fn the_timed_mode_does_not_depend_on_threads() {
    compare(9, Mode::Timed, ",kind=insn+noc,core=trisc1");
    compare(2, Mode::Timed, ",kind=timeline");
}

#[test]
fn the_asynchronous_mode_does_not_depend_on_threads() {
    for seed in 0..2 {
        compare(2, Mode::Async { seed }, ",kind=insn+noc,core=trisc1");
    }
    compare(1, Mode::Async { seed: 2 }, ",kind=timeline");
}
