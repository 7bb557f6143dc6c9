//! Links between chips: messages there and back, and as many as go one way, by programs on the cores of an n300's Ethernet tiles.
//!
//! What was published are the vendor's tests of one link, `tests/tt_metal/microbenchmarks/ethernet/` of tt-metal: `.._with_transaction_id_latency.py` and
//! `.._with_transaction_id_bandwidth.py`, Ethernet tiles alone. A message has 16 bytes of flags behind its data, by which each side tells the other one; sixteen
//! messages fit into the receiver's memory. Messages of less than 1 KiB are left out of the bandwidths: there the vendor's program is what takes the time, 57
//! ns for each.

use anyhow::{Context as _, Result, ensure};
use tt_isa::chip::{WORMHOLE, board};
use tt_isa::eth::{SOFT_RESET_BIT, TXQ_BASE, txq};
use tt_isa::map::{DEBUG_REGS_BASE, SOFT_RESET_0};
use tt_isa::rv32::{b, i, jal, r, s};
use tt_simulator::{ChipConfig, Mode, System};

use super::program::{Program, RESULT};
use super::{Anchor, Measure};

pub const ANCHORS: [Anchor; 13] = [
    latency("eth.round_trip.16", 894.0, || round_trip(16)),
    latency("eth.round_trip.128", 911.0, || round_trip(128)),
    latency("eth.round_trip.256", 966.0, || round_trip(256)),
    latency("eth.round_trip.512", 984.0, || round_trip(512)),
    latency("eth.round_trip.1k", 1245.0, || round_trip(1024)),
    latency("eth.round_trip.2k", 1479.0, || round_trip(2048)),
    latency("eth.round_trip.4k", 1803.0, || round_trip(4096)),
    latency("eth.round_trip.8k", 2451.0, || round_trip(8192)),
    rate("eth.rate.1k", 11.74, || one_way(1024, 1)),
    rate("eth.rate.2k", 11.84, || one_way(2048, 1)),
    rate("eth.rate.4k", 12.04, || one_way(4096, 1)),
    rate("eth.rate.8k", 12.07, || one_way(8192, 1)),
    // Nobody has published both: twice the one.
    rate("eth.rate.8k.both", 2.0 * 12.07, || one_way(8192, 2)),
];

const fn latency(name: &'static str, published: f64, measure: fn() -> Result<f64>) -> Anchor {
    Anchor { measure: Measure::Runtime(measure), ..Anchor::nanoseconds(name, published, 0.1, |_| Ok(0.0)) }
}

const fn rate(name: &'static str, published: f64, measure: fn() -> Result<f64>) -> Anchor {
    Anchor { measure: Measure::Runtime(measure), ..Anchor::gigabytes(name, published, 0.05, |_| Ok(0.0)) }
}

/// Channels of the n300's links: of the first chip and of the second.
const LINKS: [[usize; 2]; 2] = [[8, 0], [9, 1]];
/// Where messages are, on both sides.
const BUFFERS: u32 = 0x1_8000;
/// Bytes of flags behind a message.
const FLAGS: u32 = 16;
/// Messages that the receiver has room for.
const SLOTS: u32 = 16;
/// How often all of them are used.
const USES: u32 = 256;
const LIMIT: u64 = 8_000_000;

/// Registers of the programs.
const TXQ: u32 = 20;
const SLOT: u32 = 21;
const FLAG: u32 = 22;
const LEN: u32 = 23;
const WRITE: u32 = 24;
const ONE: u32 = 25;
const STEP: u32 = 26;
const LEFT: u32 = 27;
const ROUNDS: u32 = 28;

/// A program with its registers set up for messages of so many bytes.
fn program(bytes: u32) -> Program {
    let mut program = Program::on_noc(0);
    for (register, value) in [
        (TXQ, TXQ_BASE),
        (SLOT, BUFFERS),
        (FLAG, BUFFERS + bytes),
        (LEN, bytes + FLAGS),
        (WRITE, txq::cmd::L1_WRITE),
        (ONE, 1),
        (STEP, bytes + FLAGS),
    ] {
        program.set(register, value);
    }
    program
}

/// Sends what is at register `from`, as many bytes as register `len` has, to the same place.
fn send(program: &mut Program, from: u32, len: u32) {
    program.add(&[
        i("Lw", 5, TXQ, txq::CMD as i32),
        b("Bne", 5, 0, -4),
        s("Sw", from, TXQ, txq::TRANSFER_START_ADDR as i32),
        s("Sw", from, TXQ, txq::DEST_ADDR as i32),
        s("Sw", len, TXQ, txq::TRANSFER_SIZE_BYTES as i32),
        s("Sw", WRITE, TXQ, txq::CMD as i32),
    ]);
}

/// Waits until the flag of the slot is no zero, or is one.
fn wait_for_flag(program: &mut Program, zero: bool) {
    program.add(&[i("Lw", 5, FLAG, 0), if zero { b("Bne", 5, 0, -4) } else { b("Beq", 5, 0, -4) }]);
}

/// Nanoseconds until a message has gone there and come back whole: the second one, for which code is in the cache.
fn round_trip(bytes: u32) -> Result<f64> {
    let (mut sender, mut receiver) = (program(bytes), program(bytes));
    sender.set(LEFT, 2);
    let begin = sender.0.len();
    sender.begin();
    sender.add(&[s("Sw", ONE, FLAG, 0)]);
    send(&mut sender, SLOT, LEN);
    wait_for_flag(&mut sender, true);
    sender.add(&[i("Lw", 29, 9, 0), i("Addi", LEFT, LEFT, -1)]);
    let back = 4 * (begin as i32 - sender.0.len() as i32);
    sender.add(&[b("Bne", LEFT, 0, back)]);
    receiver.set(LEFT, 2);
    let begin = receiver.0.len();
    wait_for_flag(&mut receiver, false);
    receiver.add(&[s("Sw", 0, FLAG, 0)]);
    send(&mut receiver, SLOT, LEN);
    receiver.add(&[i("Addi", LEFT, LEFT, -1)]);
    let back = 4 * (begin as i32 - receiver.0.len() as i32);
    receiver.add(&[b("Bne", LEFT, 0, back), jal(0, 0)]);
    let mut link = Link::new()?;
    link.start(LINKS[0], &sender.end(), &receiver.0)?;
    link.run(1, bytes)
}

/// Goes on to the next slot, the first one behind the last: `ROUNDS` counts down to that, and `LEFT` how often all of them have been used.
fn next_slot(program: &mut Program) {
    program.add(&[
        r("Add", SLOT, SLOT, STEP),
        r("Add", FLAG, FLAG, STEP),
        i("Addi", ROUNDS, ROUNDS, -1),
        b("Bne", ROUNDS, 0, 4 * 5),
        i("Addi", ROUNDS, 0, SLOTS as i32),
        i("Addi", SLOT, 30, 0),
        i("Addi", FLAG, 31, 0),
        i("Addi", LEFT, LEFT, -1),
    ]);
}

/// Gigabytes a second of messages that go over so many links at once.
fn one_way(bytes: u32, links: usize) -> Result<f64> {
    let begun = || {
        let mut program = program(bytes);
        for (register, value) in [(LEFT, USES), (ROUNDS, SLOTS), (30, BUFFERS), (31, BUFFERS + bytes)] {
            program.set(register, value);
        }
        program
    };
    let mut sender = begun();
    sender.begin();
    let begin = sender.0.len();
    wait_for_flag(&mut sender, true);
    sender.add(&[s("Sw", ONE, FLAG, 0)]);
    send(&mut sender, SLOT, LEN);
    next_slot(&mut sender);
    let back = 4 * (begin as i32 - sender.0.len() as i32);
    sender.add(&[b("Bne", LEFT, 0, back)]);
    // All slots are free again when all messages have been taken.
    sender.set(LEFT, 1);
    let begin = sender.0.len();
    wait_for_flag(&mut sender, true);
    next_slot(&mut sender);
    let back = 4 * (begin as i32 - sender.0.len() as i32);
    sender.add(&[b("Bne", LEFT, 0, back)]);
    let mut receiver = begun();
    receiver.set(LEN, FLAGS);
    let begin = receiver.0.len();
    wait_for_flag(&mut receiver, false);
    receiver.add(&[s("Sw", 0, FLAG, 0)]);
    send(&mut receiver, FLAG, LEN);
    next_slot(&mut receiver);
    let back = 4 * (begin as i32 - receiver.0.len() as i32);
    receiver.add(&[b("Bne", LEFT, 0, back), jal(0, 0)]);
    let mut link = Link::new()?;
    let sender = sender.end();
    LINKS[..links].iter().try_for_each(|&channels| link.start(channels, &sender, &receiver.0))?;
    let clocks = link.run(links, bytes)?;
    Ok(f64::from(USES * SLOTS) * f64::from(bytes) * links as f64 / clocks)
}

/// Both chips of an n300.
struct Link(System);

impl Link {
    fn new() -> Result<Self> {
        let board = board("n300").context("n300 is a board")?;
        let config = |index| ChipConfig { mode: Mode::Timed, ..ChipConfig::of_board(board, index) };
        Ok(Self(System::of([0, 1].map(config))?))
    }

    /// Starts programs on both ends of a link.
    fn start(&mut self, channels: [usize; 2], sender: &[u32], receiver: &[u32]) -> Result<()> {
        // Who receives is there first.
        for (chip, program) in [(1, receiver), (0, sender)] {
            let tile = WORMHOLE.ethernet[channels[chip]];
            let chip = &mut self.0.chips()[chip];
            let reset = u64::from(DEBUG_REGS_BASE + SOFT_RESET_0);
            let bytes: Vec<u8> = program.iter().flat_map(|word| word.to_le_bytes()).collect();
            chip.tile_write(tile, reset, &SOFT_RESET_BIT.to_le_bytes())?;
            chip.tile_write(tile, 0, &bytes)?;
            chip.tile_write(tile, BUFFERS.into(), &[0; 0x2_4000])?;
            chip.tile_write(tile, RESULT.into(), &[0; 8])?;
            chip.tile_write(tile, reset, &0_u32.to_le_bytes())?;
        }
        Ok(())
    }

    /// Runs until all is quiet: the clocks from the first sender's begin to the last one's end.
    fn run(&mut self, links: usize, bytes: u32) -> Result<f64> {
        let progress = self.0.advance(LIMIT)?;
        ensure!(progress.asleep, "messages of {bytes} bytes do not come to an end");
        let ends = LINKS[..links].iter().map(|channels| {
            let mut clocks = [0; 8];
            self.0.chips()[0].tile_read(WORMHOLE.ethernet[channels[0]], RESULT.into(), &mut clocks)?;
            Ok(clocks.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect())
        });
        let ends: Vec<Vec<u32>> = ends.collect::<Result<_>>()?;
        let (begin, end) =
            (ends.iter().map(|clocks| clocks[0]).min(), ends.iter().map(|clocks| clocks[1]).max());
        let clocks = end.zip(begin).and_then(|(end, begin)| end.checked_sub(begin)).context("no clocks")?;
        ensure!(clocks > 0, "a program has not come to its end");
        Ok(f64::from(clocks))
    }
}
