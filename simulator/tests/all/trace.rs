//! Traces of a chip: what is in them, what filters leave out, and that the chip does the same with them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::asm::{b, i, li, s};
use crate::host::{Host, Request, end, niu, poke, tensix, wait_for};
use serde_json::Value;
use tt_isa::chip::board;
use tt_isa::insn::{NOP, SFPLOADI, ttinsn};
use tt_isa::map::RiscV;
use tt_isa::noc::{Ctrl, NocXy, reg};
use tt_simulator::{Chip, ChipConfig, Mark, Mode, TraceConfig, Track};

/// Where the loop of [`work`] counts.
const COUNT: u32 = 0x3000;
const READ_FROM: u32 = 0x8000;
const READ_TO: u32 = 0x4000;
const BYTES: u32 = 4096;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn chip(trace: Option<TraceConfig>) -> Host {
    let config = ChipConfig { threads: 2, trace, ..ChipConfig::of_board(board("n150").expect("known"), 0) };
    Host::with(config)
}

/// BRISC's program: counts to 1000 in L1, reads from its neighbour, waits for the data, ends.
fn work(neighbour: NocXy) -> Vec<u32> {
    let read = Request {
        noc: 0,
        ctrl: Ctrl::RESP_MARKED,
        target: (neighbour, READ_FROM),
        ret: (tensix(0, 0), READ_TO),
        len: BYTES,
        data: 0,
    };
    [
        &li(5, COUNT)[..],
        &li(6, 1000),
        &[i("Addi", 7, 7, 1), s("Sw", 7, 5, 0), b("Bne", 7, 6, -8)],
        &read.program(),
        &wait_for(niu(0, reg::MST_RD_RESP_RECEIVED), 1),
        &poke(COUNT + 4, 77),
        &end(),
    ]
    .concat()
}

/// TRISC1's program: ten Tensix instructions.
fn coprocessor() -> Vec<u32> {
    [&[ttinsn(NOP::ZERO.word()); 10][..], &end()].concat()
}

/// Runs both programs to their ends.
fn run(host: &mut Host) {
    let tile = tensix(0, 0);
    host.load(tile, RiscV::Brisc, &work(tensix(1, 0)));
    host.load(tile, RiscV::Trisc1, &coprocessor());
    let data: Vec<u8> = (0..BYTES).map(|n| (n * 7) as u8).collect();
    host.write(tensix(1, 0), READ_FROM, &data);
    host.release(tile, &[RiscV::Brisc, RiscV::Trisc1]);
    host.settle();
    assert_eq!(host.read32(tile, COUNT + 4), 77);
}

fn traced(name: &str, settings: &str) -> String {
    let path = file(name);
    let config: TraceConfig = format!("{}{settings}", path.display()).parse().expect("settings");
    run(&mut chip(Some(config)));
    std::fs::read_to_string(&path).expect("the trace")
}

#[test]
fn a_traced_chip_does_the_same() {
    let (mut plain, mut text) = (chip(None), chip(Some(TraceConfig::new(file("same.txt")))));
    let mut timeline = chip(Some(TraceConfig::new(file("same.json"))));
    for host in [&mut plain, &mut text, &mut timeline] {
        run(host);
    }
    for host in [&mut text, &mut timeline] {
        assert_eq!(host.chip.counters(), plain.chip.counters());
        assert_eq!(host.read(tensix(0, 0), 0, 0x1_0000), plain.read(tensix(0, 0), 0, 0x1_0000));
        let pc = |host: &Host| RiscV::ALL.map(|core| host.chip.pc(tensix(0, 0), core));
        assert_eq!(pc(host), pc(&plain));
    }
}

#[test]
fn every_instruction_is_a_line() {
    let text = traced("all.txt", ",kind=insn");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.iter().all(|line| line.contains("(1,1)")), "another tile");
    assert_eq!(lines.iter().filter(|line| line.ends_with("  NOP ; misc")).count(), 10);
    let stores = lines.iter().filter(|line| line.contains("sw t2, 0(t0)")).count();
    assert_eq!(stores, 1000);
    let second =
        "         8 (1,1)   BRISC  00000014 0072a023  sw t2, 0(t0)                    [00003000]=00000002";
    assert!(lines.contains(&second), "{}", lines[..12].join("\n"));
    assert!(lines[0].contains("0 (1,1)   BRISC  00000000 000032b7  lui t0, 0x3"), "{}", lines[0]);
    assert!(lines[0].ends_with("t0=00003000"), "{}", lines[0]);
}

#[test]
fn the_asynchronous_mode_is_traced_too() {
    let trace = Some(TraceConfig::new(file("async.txt")));
    let config = ChipConfig { trace, ..ChipConfig::of_board(board("n150").expect("known"), 0) };
    let mut host = Host::with(ChipConfig { mode: Mode::Async { seed: 3 }, ..config });
    host.load(tensix(0, 0), RiscV::Trisc1, &coprocessor());
    host.release(tensix(0, 0), &[RiscV::Trisc1]);
    host.settle();
    let text = std::fs::read_to_string(file("async.txt")).expect("the trace");
    for what in [" T1 ", " TRISC1 "] {
        let lines: Vec<&str> = text.lines().filter(|line| line.contains(what)).collect();
        let nops = lines.iter().filter(|line| line.contains(" NOP")).count();
        assert_eq!(nops, 10, "{text}");
        let clocks: Vec<u64> =
            lines.iter().map(|line| line.split_whitespace().next().unwrap().parse().unwrap()).collect();
        assert!(clocks.is_sorted(), "{clocks:?}");
    }
}

#[test]
fn filters_leave_out_the_rest() {
    assert_eq!(traced("tile.txt", ",tile=18-19,kind=insn"), "", "nothing runs in that tile");
    let brisc = traced("core.txt", ",core=brisc,kind=insn");
    assert!(!brisc.is_empty() && brisc.lines().all(|line| line.contains(" BRISC ")), "{brisc}");
    let trisc = traced("thread.txt", ",core=trisc1,kind=insn");
    assert_eq!(trisc.lines().filter(|line| line.contains(" T1 ")).count(), 10, "{trisc}");
    assert!(trisc.lines().all(|line| line.contains(" T1 ") || line.contains(" TRISC1 ")), "{trisc}");
    let clocks = traced("clock.txt", ",core=brisc,clock=100..110,kind=insn");
    let seen: Vec<u32> =
        clocks.lines().map(|line| line.split_whitespace().next().unwrap().parse().unwrap()).collect();
    assert_eq!(seen, (100..110).collect::<Vec<_>>());
}

#[test]
fn packets_name_both_ends() {
    let text = traced("noc.txt", ",kind=noc");
    let want = "(1,1) -> (2,1) NoC 0 read 4096 bytes, 0x4000 <- 0x8000, id 0";
    assert!(text.lines().count() == 1 && text.trim_end().ends_with(want), "{text}");
    assert_eq!(traced("noc_to.txt", ",kind=noc,tile=2-1").lines().count(), 1, "the target's tile");
    assert_eq!(traced("noc_other.txt", ",kind=noc,tile=3-1"), "");
    assert_eq!(traced("noc_late.txt", ",kind=noc,clock=..10"), "");
}

fn events(name: &str, settings: &str) -> Vec<Value> {
    let text = traced(name, settings);
    serde_json::from_str::<Value>(&text).expect("valid JSON").as_array().expect("an array").clone()
}

/// Start, end and name.
type Span = (u64, u64, String);

/// Spans by process and thread.
fn spans(events: &[Value]) -> BTreeMap<(u64, u64), Vec<Span>> {
    let mut lines: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for event in events.iter().filter(|event| event["ph"] == "X") {
        let number = |key: &str| event[key].as_u64().expect("a number");
        let start = number("ts");
        let span = (start, start + number("dur"), event["name"].as_str().expect("a name").to_owned());
        lines.entry((number("pid"), number("tid"))).or_default().push(span);
    }
    lines
}

#[test]
fn the_timeline_has_spans_and_counters() {
    let events = events("timeline.json", "");
    let lines = spans(&events);
    for (line, spans) in &lines {
        for pair in spans.windows(2) {
            assert!(pair[0].1 <= pair[1].0, "{line:?}: {pair:?} overlap");
            assert_ne!(pair[0].2, pair[1].2, "{line:?}: {pair:?} are one");
        }
    }
    let tile = 1 + 64 + 1;
    let names = |core: RiscV| -> Vec<&str> {
        lines[&(tile, core as u64)].iter().map(|span| span.2.as_str()).collect()
    };
    assert_eq!(names(RiscV::Brisc), ["awake", "asleep", "awake", "asleep"], "runs, waits for the NoC, ends");
    assert_eq!(names(RiscV::Trisc1)[..2], ["awake", "asleep"]);
    assert_eq!(names(RiscV::Ncrisc), ["reset"]);
    let sum = |name: &str, arg: &str| -> u64 {
        let counters = events.iter().filter(|event| event["ph"] == "C" && event["name"] == name);
        counters.filter_map(|event| event["args"][arg].as_u64()).sum()
    };
    assert_eq!(sum("Tensix instructions", "sync"), 10);
    assert_eq!(sum("NoC bytes", "as initiator"), u64::from(BYTES));
    assert_eq!(sum("NoC bytes", "as target"), u64::from(BYTES));
    let named = |kind: &str, name: &str| {
        events.iter().any(|event| event["name"] == kind && event["args"]["name"] == name)
    };
    assert!(named("process_name", "tile (1,1)") && named("thread_name", "NCRISC"));
}

#[test]
fn the_timeline_is_filtered() {
    let events = events("part.json", ",tile=1-1,core=brisc,clock=10..500");
    let lines = spans(&events);
    assert_eq!(lines.keys().collect::<Vec<_>>(), [&(66, RiscV::Brisc as u64)]);
    assert_eq!(lines.values().next().expect("a line")[..], [(10, 500, "awake".to_owned())]);
}

/// Where time is kept, spans have the chip's microseconds: transfers from request to response, units, what cores wait for, the host.
#[test]
fn the_timed_mode_has_a_timeline_of_everything() {
    let path = file("timed.json");
    let trace = Some(TraceConfig::new(&path));
    let config = ChipConfig { threads: 2, trace, ..ChipConfig::of_board(board("n150").expect("known"), 0) };
    let mut host = Host::with(ChipConfig { mode: Mode::Timed, ..config });
    host.chip.mark(&Mark::Begin(Track::Operators, "an \"operator\"".into())).expect("written");
    run(&mut host);
    let vector = [&[ttinsn(SFPLOADI::ZERO.word()); 40][..], &end()].concat();
    host.load(tensix(0, 0), RiscV::Trisc2, &vector);
    host.release(tensix(0, 0), &[RiscV::Trisc2]);
    host.settle();
    host.chip.mark(&Mark::End(Track::Operators)).expect("written");
    drop(host);
    let text = std::fs::read_to_string(&path).expect("the trace");
    let events: Vec<Value> = serde_json::from_str(&text).expect("valid JSON");
    let spans = |name: &str, tile: bool| -> Vec<&Value> {
        let of_tile = |event: &Value| event["pid"] == 1 + 64 + 1;
        let wanted = |event: &&Value| event["ph"] == "X" && event["name"] == name && of_tile(event) == tile;
        events.iter().filter(wanted).collect()
    };
    let us = |event: &Value, key: &str| event[key].as_f64().expect("a time");
    let read = spans("read", true);
    assert_eq!(read.len(), 1, "{read:?}");
    assert_eq!((&read[0]["args"]["bytes"], &read[0]["args"]["with"]), (&Value::from(BYTES), &"(2,1)".into()));
    // `l1.read.same_axis`: 64 bytes take 205 clocks, and 8 KiB 501.
    let took = us(read[0], "dur");
    assert!((0.205..0.501).contains(&took), "{took}");
    let waits = spans("waits for the NoC", true);
    // It waits when the response comes.
    let arrived = us(read[0], "ts") + took;
    let waited = |event: &&Value| us(event, "ts") < arrived && us(event, "ts") + us(event, "dur") >= arrived;
    assert!(waits.iter().any(waited), "{waits:?}, {read:?}");
    let busy: f64 = spans("busy", true).iter().map(|event| us(event, "dur")).sum();
    assert!((0.04..0.2).contains(&busy), "40 instructions of the vector unit: {busy}");
    let operator = spans("an 'operator'", false);
    assert!(operator.len() == 1 && us(operator[0], "dur") > took);
    assert!(!spans("write", false).is_empty(), "the host's accesses");
}

#[test]
fn what_cannot_be_traced_is_an_error() {
    let new = |trace: &str| {
        let trace = Some(trace.parse().expect("settings"));
        Chip::new(ChipConfig { trace, ..ChipConfig::of_board(board("n150").expect("known"), 0) }).map(drop)
    };
    let fault = new("/no/such/folder/trace.txt").unwrap_err();
    assert!(fault.what.contains("/no/such/folder/trace.txt"), "{fault}");
    let name = file("none.txt");
    let fault = new(&format!("{},tile=0-0", name.display())).unwrap_err();
    assert!(fault.what.contains("(0,0) is no Tensix tile"), "{fault}");
}

#[test]
fn a_full_disk_ends_the_trace_and_not_the_chip() {
    let mut host = chip(Some(TraceConfig::new("/dev/full")));
    host.load(tensix(0, 0), RiscV::Brisc, &[&poke(COUNT, 5)[..], &end()].concat());
    host.release(tensix(0, 0), &[RiscV::Brisc]);
    let fault = host.run().unwrap_err();
    assert!(fault.what.contains("/dev/full"), "{fault}");
    host.settle();
    assert_eq!(host.read32(tensix(0, 0), COUNT), 5);
}
