//! Ethernet in the timed mode: cores of Ethernet tiles, messages on a link, the firmware's commands, and one clock for both chips.

use crate::asm::{self, b, bytes, i, li, nop, s};
use crate::host::{copy, end, poke, wait_for};
use tt_isa::chip::{WORMHOLE, board};
use tt_isa::eth::routing::{self, Address, Flags};
use tt_isa::eth::{SOFT_RESET_BIT, TXQ_BASE, txq};
use tt_isa::map::{DEBUG_REGS_BASE, NIU_BASE, SOFT_RESET_0, WALL_CLOCK_L};
use tt_isa::noc::{Ctrl, NiuRegisters, NocXy, reg};
use tt_isa::timing::{EthernetTiming, WORMHOLE as TIMING};
use tt_simulator::{ChipConfig, Mode, System};

const REG: NiuRegisters = WORMHOLE.noc.registers;
const ETHERNET: EthernetTiming = TIMING.ethernet;
const DATA: u32 = 0x2_0000;
const RESULT: u32 = 0x3_0000;
const CLOCK: u32 = DEBUG_REGS_BASE + WALL_CLOCK_L;
/// Channels of the n300's first link, and a tile of the second chip.
const LEFT: usize = 8;
const RIGHT: usize = 0;
const THERE: NocXy = NocXy::new(18, 18);

struct Board(System);

impl Board {
    fn new(threads: usize) -> Self {
        let n300 = board("n300").expect("known");
        let config = |index| ChipConfig { mode: Mode::Timed, threads, ..ChipConfig::of_board(n300, index) };
        Self(System::of([0, 1].map(config)).expect("a board"))
    }

    fn write(&mut self, chip: usize, tile: NocXy, addr: u32, data: &[u8]) {
        self.0.chips()[chip].tile_write(tile, addr.into(), data).expect("a write to a tile");
    }

    fn write32(&mut self, chip: usize, tile: NocXy, addr: u32, word: u32) {
        self.write(chip, tile, addr, &word.to_le_bytes());
    }

    fn read32(&mut self, chip: usize, tile: NocXy, addr: u32) -> u32 {
        let mut out = [0; 4];
        self.0.chips()[chip].tile_read(tile, addr.into(), &mut out).expect("a read from a tile");
        u32::from_le_bytes(out)
    }

    fn start(&mut self, chip: usize, channel: usize, program: &[u32]) {
        let (tile, reset) = (WORMHOLE.ethernet[channel], DEBUG_REGS_BASE + SOFT_RESET_0);
        self.write32(chip, tile, reset, SOFT_RESET_BIT);
        self.write(chip, tile, 0, &bytes(program));
        self.write32(chip, tile, reset, 0);
    }

    fn settle(&mut self) {
        assert!(self.0.advance(4_000_000).expect("no fault").asleep, "still running");
    }

    fn clock(&mut self) -> u64 {
        let clocks = [0, 1].map(|chip| self.0.chips()[chip].clock());
        assert_eq!(clocks[0], clocks[1], "the chips have one clock");
        clocks[0]
    }

    /// Puts a command into the queue of the first chip's link.
    fn command(&mut self, slot: u32, addr: u64, data: u32, flags: Flags) {
        let queue = routing::REQUEST_QUEUE;
        let at = queue + routing::COMMANDS + slot % routing::COMMAND_COUNT * routing::COMMAND_SIZE;
        let chip = board("n300").expect("known").places[1];
        let to = Address { chip, tile: THERE, addr }.encode();
        let tile = WORMHOLE.ethernet[LEFT];
        for (field, word) in [
            (routing::ADDRESS, to as u32),
            (routing::ADDRESS + 4, (to >> 32) as u32),
            (routing::DATA, data),
            (routing::FLAGS, flags.bits()),
        ] {
            self.write32(0, tile, at + field, word);
        }
        self.write32(0, tile, queue + routing::WRITE_POINTER, (slot + 1) % routing::POINTERS);
    }

    fn word(&mut self, offset: u32) -> u32 {
        self.read32(0, WORMHOLE.ethernet[LEFT], routing::REQUEST_QUEUE + offset)
    }

    /// The clock at which a condition holds, looked at every few clocks.
    fn when(&mut self, mut holds: impl FnMut(&mut Self) -> bool) -> u64 {
        for _ in 0..2000 {
            if holds(self) {
                return self.clock();
            }
            self.0.advance(8).expect("no fault");
        }
        panic!("it never does");
    }
}

/// A program that stores the clocks that `words` take, the second time that they are executed.
fn measured(words: &[u32]) -> Vec<u32> {
    let mut program = [&li(10, DATA)[..], &li(20, CLOCK), &li(23, RESULT), &li(25, 2)].concat();
    let round = [&[nop(); 12][..], &[i("Lw", 21, 20, 0), i("Addi", 21, 21, 0)], words, &[i("Lw", 22, 20, 0)]]
        .concat();
    program.extend(&round);
    program.extend([asm::r("Sub", 24, 22, 21), s("Sw", 24, 23, 0), i("Addi", 25, 25, -1)]);
    program.push(b("Bne", 25, 0, -4 * (round.len() as i32 + 3)));
    program.extend(end());
    program
}

fn clocks(words: &[u32]) -> u32 {
    let run = |words: &[u32]| {
        let mut board = Board::new(1);
        board.start(0, 3, &measured(words));
        board.settle();
        board.read32(0, WORMHOLE.ethernet[3], RESULT)
    };
    run(words) - run(&[])
}

#[test]
fn a_core_takes_the_clocks_of_its_own_documents() {
    assert_eq!(clocks(&[nop(); 12]), 12);
    assert_eq!(clocks(&[i("Lw", 5, 10, 0), i("Addi", 6, 5, 1)]), 8, "L1 takes seven, not eight");
    assert_eq!(clocks(&[asm::r("Mul", 5, 6, 7); 4]), 8);
    let stores = |n: usize| clocks(&vec![s("Sw", 5, 10, 0); n]);
    assert_eq!(stores(44) - stores(24), 20 * 5);
}

#[test]
fn a_core_waits_for_the_noc() {
    let mut board = Board::new(1);
    let (own, other) = (WORMHOLE.ethernet[4], THERE);
    let mut program = vec![i("Lw", 21, 20, 0)];
    program.splice(..0, [&li(20, CLOCK)[..], &li(23, RESULT)].concat());
    for (register, value) in [
        (REG.targ_lo, DATA),
        (REG.targ_node, WORMHOLE.noc.node(other)),
        (REG.ret_lo, DATA),
        (REG.ret_node, WORMHOLE.noc.node(own)),
        (REG.ctrl, Ctrl::RESP_MARKED.bits()),
        (REG.at_len_be, 4096),
        (REG.cmd_ctrl, 1),
    ] {
        program.extend(poke(NIU_BASE + register, value));
    }
    program.extend(wait_for(NIU_BASE + reg::MST_RD_RESP_RECEIVED, 1));
    program
        .extend([&[i("Lw", 22, 20, 0), asm::r("Sub", 24, 22, 21), s("Sw", 24, 23, 0)][..], &end()].concat());
    board.start(0, 4, &program);
    board.settle();
    let took = board.read32(0, own, RESULT);
    // 4 KiB are 129 flits, and the way there and back some hundred clocks.
    assert!((250..600).contains(&took), "{took} clocks");
}

/// Sends so many bytes from the first chip to the second one, which notes when the last of them are there.
fn message(threads: usize, len: u32) -> (u32, u32, u64) {
    let mut board = Board::new(threads);
    let (here, there) = (WORMHOLE.ethernet[LEFT], WORMHOLE.ethernet[RIGHT]);
    board.write32(0, here, DATA + len - 16, 1);
    let receiver = [wait_for(DATA + len - 16, 1), copy(CLOCK, RESULT), end()].concat();
    let mut sender = Vec::new();
    let registers =
        [(txq::TRANSFER_START_ADDR, DATA), (txq::DEST_ADDR, DATA), (txq::TRANSFER_SIZE_BYTES, len)];
    registers.iter().for_each(|&(register, value)| sender.extend(poke(TXQ_BASE + register, value)));
    sender.extend(copy(CLOCK, RESULT));
    sender.extend([poke(TXQ_BASE + txq::CMD, txq::cmd::L1_WRITE), end()].concat());
    board.start(1, RIGHT, &receiver);
    board.start(0, LEFT, &sender);
    board.settle();
    let clock = board.clock();
    (board.read32(0, here, RESULT), board.read32(1, there, RESULT), clock)
}

#[test]
fn a_message_takes_its_way_and_the_links_speed() {
    let took = |len| {
        let (left, arrived, _) = message(1, len);
        i64::from(arrived) - i64::from(left)
    };
    // A packet of 66 bytes is on the wire for six clocks, twice.
    let short = took(16);
    assert!((0..80).contains(&(short - i64::from(ETHERNET.latency) - 12)), "{short} clocks");
    // Sixteen KiB are eleven packets: 16,934 bytes at 12.5 a clock, and the first one once more.
    let long = took(0x4000) - short;
    assert!((long - (1355 + 124 - 12)).abs() <= 8, "{long} clocks");
    // So does everything on any number of host threads.
    assert_eq!(message(1, 4096), message(4, 4096));
}

#[test]
fn a_queue_takes_a_command_while_it_sends_another_one() {
    let mut board = Board::new(1);
    let here = WORMHOLE.ethernet[LEFT];
    let queue = |register| TXQ_BASE + register;
    for (register, value) in [
        (txq::TRANSFER_START_ADDR, DATA),
        (txq::DEST_ADDR, DATA),
        (txq::TRANSFER_SIZE_BYTES, 4096),
        (txq::CMD, txq::cmd::L1_WRITE),
    ] {
        board.write32(0, here, queue(register), value);
    }
    assert_eq!(board.read32(0, here, queue(txq::CMD)), 0, "it is being sent");
    board.write32(0, here, queue(txq::CMD), txq::cmd::L1_WRITE);
    let counts = |board: &mut Board| {
        [txq::CMD, txq::TRANSFER_CNT, txq::PKT_START_CNT, txq::PKT_END_CNT]
            .map(|register| board.read32(0, here, queue(register)))
    };
    assert_eq!(counts(&mut board), [1, 1, 1, 0], "the second one waits");
    let refused = board.0.chips()[0].tile_write(here, queue(txq::CMD).into(), &[2, 0, 0, 0]).unwrap_err();
    assert!(refused.what.contains("has not taken the one before"), "{refused}");
    board.settle();
    assert_eq!(counts(&mut board), [0, 2, 6, 6]);
    let usage = board.0.chips()[0].usage().expect("time is kept");
    assert_eq!(usage.ethernet[LEFT].bytes, 2 * (4096 + 3 * 50));
}

#[test]
fn the_firmware_takes_its_time_and_keeps_the_order() {
    let mut board = Board::new(1);
    let begin = board.clock();
    board.command(0, u64::from(DATA), 7, Flags::WRITE);
    board.command(1, u64::from(DATA), 8, Flags::WRITE | Flags::ORDERED);
    let taken = board.when(|board| board.word(routing::READ_POINTER) == 1);
    let done = board.when(|board| board.read32(1, THERE, DATA) == 7);
    let next = board.when(|board| board.read32(1, THERE, DATA) == 8);
    let acknowledged = board.when(|board| board.word(routing::WRITES_ACKNOWLEDGED) == 2);
    let command = u64::from(ETHERNET.command);
    assert!(taken >= begin + command, "the firmware has to look at it");
    assert!(done >= taken + u64::from(ETHERNET.latency) + command, "it goes over the link");
    assert!(next >= done && acknowledged >= next + u64::from(ETHERNET.latency), "and back");
    assert!(acknowledged < begin + 4000, "{} clocks", acknowledged - begin);
    // A read brings what the writes have left.
    let asked = board.clock();
    board.command(2, u64::from(DATA), 0, Flags::READ);
    let response = routing::RESPONSE_QUEUE + routing::WRITE_POINTER;
    let answered = board.when(|board| board.read32(0, WORMHOLE.ethernet[LEFT], response) == 1);
    let word = routing::RESPONSE_QUEUE + routing::COMMANDS + routing::DATA;
    assert_eq!(board.read32(0, WORMHOLE.ethernet[LEFT], word), 8);
    assert!(answered >= asked + 2 * u64::from(ETHERNET.latency) + 3 * command);
    board.settle();
}

#[test]
fn a_run_that_goes_on_no_more_says_who_waits() {
    let mut board = Board::new(1);
    // Each waits for a word from the other one.
    let program = [wait_for(DATA, 1), end()].concat();
    board.start(0, LEFT, &program);
    board.start(1, RIGHT, &program);
    board.settle();
    for (chip, channel) in [(0, LEFT), (1, RIGHT)] {
        let waits = board.0.chips()[chip].waits(WORMHOLE.ethernet[channel]);
        assert_eq!(waits.len(), 1, "{waits:?}");
        assert!(waits[0].contains("ERISC at") && waits[0].contains("0x00020000"), "{waits:?}");
    }
    let nobody = board.0.chips()[0].waits(WORMHOLE.ethernet[3]);
    assert!(nobody.is_empty(), "{nobody:?}");
}
