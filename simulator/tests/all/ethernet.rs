//! Ethernet tiles and boards with several chips: cores, queues, links, the firmware that hosts need.

use crate::asm::{self, bytes, i, jal, s};
use crate::host::{copy, end, poke, wait_for};
use tt_isa::chip::{WORMHOLE, board};
use tt_isa::eth::firmware::{
    APP, CONNECTED, CONNECTION_INFO, HEARTBEAT, LAUNCH_APP, LOCAL_BOARD_ID, LOCAL_PLACE, REMOTE_BOARD_ID,
    REMOTE_CHANNEL, REMOTE_PLACE, TRAIN_NOT_CONNECTED, TRAIN_STATUS, TRAIN_SUCCESS, UNCONNECTED, VERSION,
};
use tt_isa::eth::routing::{self, Flags};
use tt_isa::eth::{
    CTRL_BASE, IRAM_LOAD, MAC_BASE, QUEUE_STRIDE, RXQ_BASE, SOFT_RESET_BIT, TEST_SUM, TXQ_BASE, rxq, txq,
};
use tt_isa::map::{DEBUG_REGS_BASE, IRAM_BASE, LOCAL_RAM_BASE, NIU_BASE, SOFT_RESET_0, WALL_CLOCK_L};
use tt_isa::noc::{Ctrl, NiuRegisters, NocXy, reg};
use tt_simulator::{Blame, Fault, System};

/// Registers of the chip's NIUs.
const REG: NiuRegisters = WORMHOLE.noc.registers;

const DATA: u32 = 0x2_0000;
/// Channels of the n300's first link.
const LEFT: usize = 8;
const RIGHT: usize = 0;

fn pattern(len: usize, seed: u32) -> Vec<u8> {
    (0..len as u32).map(|n| (n.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 13) as u8).collect()
}

/// A board and its host, which accesses every chip directly, not through windows.
struct Board {
    system: System,
}

impl Board {
    fn new(name: &str) -> Self {
        Self { system: System::new(board(name).expect("known"), 1).expect("a board") }
    }

    fn write(&mut self, chip: usize, tile: NocXy, addr: u32, data: &[u8]) {
        self.system.chips()[chip].tile_write(tile, addr.into(), data).expect("a write to a tile");
    }

    fn write32(&mut self, chip: usize, tile: NocXy, addr: u32, word: u32) {
        self.write(chip, tile, addr, &word.to_le_bytes());
    }

    fn read(&mut self, chip: usize, tile: NocXy, addr: u32, len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        self.system.chips()[chip].tile_read(tile, addr.into(), &mut out).expect("a read from a tile");
        out
    }

    fn read32(&mut self, chip: usize, tile: NocXy, addr: u32) -> u32 {
        u32::from_le_bytes(self.read(chip, tile, addr, 4).try_into().expect("four bytes"))
    }

    fn run(&mut self) -> Result<(), Fault> {
        let progress = self.system.advance(2_000_000)?;
        assert!(progress.asleep, "still running");
        Ok(())
    }

    /// Stores registers of a tile, one after the other.
    fn registers(&mut self, chip: usize, tile: NocXy, registers: &[(u32, u32)]) {
        for &(addr, value) in registers {
            self.write32(chip, tile, addr, value);
        }
    }

    /// Puts code where the core starts, and lets it start there.
    fn start(&mut self, chip: usize, tile: NocXy, program: &[u32]) {
        let reset = DEBUG_REGS_BASE + SOFT_RESET_0;
        self.write32(chip, tile, reset, SOFT_RESET_BIT);
        self.write(chip, tile, 0, &bytes(program));
        self.write32(chip, tile, reset, 0);
    }
}

fn tile(channel: usize) -> NocXy {
    WORMHOLE.ethernet[channel]
}

/// Registers that send `len` bytes from L1 to the other end's L1 by queue `queue`.
fn send(queue: u32, command: u32, from: u32, len: u32, to: u32) -> [(u32, u32); 4] {
    let base = TXQ_BASE + queue * QUEUE_STRIDE;
    [
        (base + txq::TRANSFER_START_ADDR, from),
        (base + txq::TRANSFER_SIZE_BYTES, len),
        (base + txq::DEST_ADDR, to),
        (base + txq::CMD, command),
    ]
}

#[test]
fn a_core_runs_customers_code() {
    let mut board = Board::new("n150");
    let at = tile(3);
    // Local RAM keeps a word, instruction RAM executes, time is the chip's.
    board.write(0, at, DATA, &bytes(&[poke(DATA + 0x8000, 5), end()].concat()));
    let program = [
        poke(LOCAL_RAM_BASE, 77),
        copy(LOCAL_RAM_BASE, DATA + 0x9000),
        poke(CTRL_BASE + IRAM_LOAD, DATA >> 4),
        wait_for(CTRL_BASE + IRAM_LOAD, 0),
        asm::li(5, IRAM_BASE).to_vec(),
        vec![i("Jalr", 0, 5, 0)],
    ];
    board.start(0, at, &program.concat());
    assert_eq!(board.system.chips()[0].ethernet_pc(3), Some(0));
    board.run().expect("no fault");
    assert_eq!([0x8000, 0x9000].map(|offset| board.read32(0, at, DATA + offset)), [5, 77]);
    let clock = |board: &mut Board, at| board.read32(0, at, DEBUG_REGS_BASE + WALL_CLOCK_L);
    assert_eq!(clock(&mut board, at), clock(&mut board, NocXy::new(18, 18)));
    assert!(board.system.chips()[0].counters().riscv_instructions > 20);
    // Held again, it is at rest.
    board.write32(0, at, DEBUG_REGS_BASE + SOFT_RESET_0, SOFT_RESET_BIT);
    assert_eq!(board.read32(0, at, DEBUG_REGS_BASE + SOFT_RESET_0), SOFT_RESET_BIT);
    assert_eq!(board.system.chips()[0].ethernet_pc(3), None);
}

#[test]
fn faults_of_a_core_name_its_tile() {
    let mut board = Board::new("n150");
    let cases = [
        (vec![0xFFFF_FFFF], "0xffffffff"),
        (vec![tt_isa::insn::ttinsn(0x0200_0000)], "no coprocessor"),
        (poke(0xFFE4_0000, 1), "0xffe40000"),
        (vec![i("Lw", 1, 0, 2)], "misaligned"),
        ([&asm::li(5, 0x4_0000)[..], &[i("Jalr", 0, 5, 0)]].concat(), "no code"),
    ];
    for (program, what) in cases {
        board.start(0, tile(2), &program);
        let fault = board.run().expect_err(what);
        assert!(fault.what.contains(what), "{fault}");
        assert_eq!((fault.blame, fault.at.tile), (Blame::Program, Some(tile(2))));
        assert!(fault.at.pc.is_some(), "{fault}");
        board.write32(0, tile(2), DEBUG_REGS_BASE + SOFT_RESET_0, SOFT_RESET_BIT);
    }
}

#[test]
fn a_core_uses_the_noc() {
    let mut board = Board::new("n150");
    let (own, other) = (tile(4), NocXy::new(20, 20));
    board.write(0, own, DATA, &pattern(4096, 1));
    let mut program = Vec::new();
    for (register, value) in [
        (REG.targ_lo, DATA),
        (REG.targ_node, WORMHOLE.noc.node(own)),
        (REG.ret_lo, DATA),
        (REG.ret_node, WORMHOLE.noc.node(other)),
        (REG.ctrl, (Ctrl::WR | Ctrl::RESP_MARKED).bits()),
        (REG.at_len_be, 4096),
        (REG.cmd_ctrl, 1),
    ] {
        program.extend(poke(NIU_BASE + register, value));
    }
    program.extend([wait_for(NIU_BASE + reg::MST_WR_ACK_RECEIVED, 1), poke(DATA, 1), end()].concat());
    board.start(0, own, &program);
    board.run().expect("no fault");
    assert_eq!(board.read(0, other, DATA, 4096), pattern(4096, 1));
    assert_eq!(board.read32(0, own, DATA), 1);
}

#[test]
fn links_carry_data_and_register_writes_both_ways() {
    let mut board = Board::new("n300");
    for (from, to, channels) in [(0, 1, (LEFT, RIGHT)), (1, 0, (RIGHT + 1, LEFT + 1))] {
        let (here, there) = (tile(channels.0), tile(channels.1));
        board.write(from, here, DATA, &pattern(512, from as u32));
        board.registers(from, here, &send(0, txq::cmd::L1_WRITE, DATA, 512, DATA + 0x1000));
        let value = [(TXQ_BASE + txq::REMOTE_REG_DATA, 41)];
        let register = send(0, txq::cmd::MMIO_WRITE, 0, 0, CTRL_BASE + TEST_SUM);
        board.registers(from, here, &[&value[..], &register].concat());
        assert_eq!(board.read32(from, here, TXQ_BASE + txq::CMD), 0);
        board.run().expect("no fault");
        assert_eq!(board.read(to, there, DATA + 0x1000, 512), pattern(512, from as u32));
        assert_eq!(board.read32(to, there, CTRL_BASE + TEST_SUM), 41);
        let counters = [TXQ_BASE + txq::TRANSFER_CNT, TXQ_BASE + txq::PKT_END_CNT];
        assert_eq!(counters.map(|at| board.read32(from, here, at)), [2, 2]);
        let counters = [RXQ_BASE + rxq::PKT_END_CNT, RXQ_BASE + rxq::LOCAL_RX_SEQ_NUM];
        assert_eq!(counters.map(|at| board.read32(to, there, at)), [2, 2]);
    }
}

#[test]
fn two_cores_on_two_chips_play_ball() {
    const ROUNDS: u32 = 20;
    let mut board = Board::new("n300");
    // Waits for a number in L1, adds one and sends it on. The ball is the word at DATA in a line of 16 bytes.
    let player = |first: u32| -> Vec<u32> {
        let mut program = Vec::new();
        for round in 0..ROUNDS {
            let number = 2 * round + first;
            if number != 0 {
                program.extend(wait_for(DATA, number));
            }
            program.extend(poke(DATA + 16, number + 1));
            for (addr, value) in send(0, txq::cmd::L1_WRITE, DATA + 16, 16, DATA) {
                program.extend(poke(addr, value));
            }
            program.extend(wait_for(TXQ_BASE + txq::CMD, 0));
        }
        [program, end()].concat()
    };
    board.start(0, tile(LEFT), &player(0));
    board.start(1, tile(RIGHT), &player(1));
    board.run().expect("no fault");
    assert_eq!(board.read32(0, tile(LEFT), DATA), 2 * ROUNDS);
}

#[test]
fn raw_packets_fill_a_ring() {
    let mut board = Board::new("n300");
    let (here, there) = (tile(LEFT), tile(RIGHT));
    let receive = RXQ_BASE + QUEUE_STRIDE;
    let ring = |ctrl| {
        [
            (receive + rxq::CTRL, ctrl),
            (receive + rxq::BUF_PTR, 0),
            (receive + rxq::BUF_START_WORD_ADDR, DATA >> 4),
            (receive + rxq::BUF_SIZE_WORDS, 4),
        ]
    };
    board.registers(1, there, &ring(rxq::CTRL_BUF_WRAP));
    board.write(0, here, DATA, &pattern(100, 7));
    board.registers(0, here, &send(1, txq::cmd::RAW, DATA, 50, 0));
    board.registers(0, here, &send(1, txq::cmd::RAW, DATA + 50, 50, 0));
    board.run().expect("no fault");
    assert_eq!(board.read32(1, there, receive + rxq::BUF_PTR), 100 - 64);
    let expected = [&pattern(100, 7)[64..], &pattern(100, 7)[36..64]].concat();
    assert_eq!(board.read(1, there, DATA, 64), expected);
    // Without the ring what does not fit is thrown away.
    board.registers(1, there, &ring(0));
    board.registers(0, here, &send(1, txq::cmd::RAW, DATA, 64, 0));
    board.registers(0, here, &send(1, txq::cmd::RAW, DATA, 1, 0));
    board.run().expect("no fault");
    let counters = [rxq::BUF_PTR, rxq::PACKET_DROP_CNT].map(|at| board.read32(1, there, receive + at));
    assert_eq!(counters, [64, 1]);
}

#[test]
fn packets_that_go_nowhere_are_refused() {
    type Registers = Vec<(u32, u32)>;
    let cases: [(&str, usize, Registers); 6] = [
        ("ends in nothing", 3, send(0, txq::cmd::L1_WRITE, DATA, 16, DATA).into()),
        ("multiples of 16", LEFT, send(0, txq::cmd::L1_WRITE, DATA, 8, DATA).into()),
        ("beyond L1", LEFT, send(0, txq::cmd::L1_WRITE, DATA, 32, 0x4_0000 - 16).into()),
        ("of L1", LEFT, send(0, txq::cmd::L1_WRITE, 0x4_0000 - 16, 32, 0).into()),
        ("queue 1 writes", LEFT, send(1, txq::cmd::MMIO_WRITE, 0, 0, CTRL_BASE + TEST_SUM).into()),
        ("TT-link mode", LEFT, send(0, txq::cmd::RAW, DATA, 16, 0).into()),
    ];
    for (what, channel, registers) in cases {
        let mut board = Board::new("n300");
        let sent = registers.iter().try_for_each(|&(addr, value)| {
            let chip = &mut board.system.chips()[0];
            chip.tile_write(tile(channel), addr.into(), &value.to_le_bytes())
        });
        let fault = sent.and_then(|()| board.run()).expect_err(what);
        assert!(fault.what.contains(what), "{fault}");
        assert_eq!((fault.blame, fault.page), (Blame::Program, Some("EthernetTile/EthernetTxRx.md")));
    }
    let mut board = Board::new("n300");
    board.write32(0, tile(LEFT), MAC_BASE, 0x3000_0000);
    board.registers(0, tile(LEFT), &send(0, txq::cmd::L1_WRITE, DATA, 16, DATA)[..3]);
    let chip = &mut board.system.chips()[0];
    let at = u64::from(TXQ_BASE + txq::CMD);
    chip.tile_write(tile(LEFT), at, &2_u32.to_le_bytes()).expect_err("the MAC is off");
}

#[test]
fn firmware_tells_who_is_at_the_other_end() {
    for name in ["n150", "n300", "t3000"] {
        let description = board(name).expect("known");
        let mut boards = Board::new(name);
        for chip in 0..description.harvested.len() {
            for channel in 0..16 {
                let at = tile(channel);
                let mut word = |addr| boards.read32(chip, at, addr);
                assert_eq!((word(VERSION), word(LOCAL_BOARD_ID + 4)), (0x6_E000, chip as u32));
                let place = description.places[chip];
                assert_eq!(word(LOCAL_PLACE), u32::from(place.x) << 16 | u32::from(place.y) << 24);
                let state = (word(TRAIN_STATUS), word(CONNECTION_INFO + 4 * channel as u32));
                let Some(peer) = description.peer(chip, channel) else {
                    assert_eq!(state, (TRAIN_NOT_CONNECTED, UNCONNECTED));
                    continue;
                };
                assert_eq!(state, (TRAIN_SUCCESS, CONNECTED));
                let place = description.places[usize::from(peer.chip)];
                let remote = word(REMOTE_PLACE);
                let seen = (remote >> 16 & 63, remote >> 22 & 63, WORMHOLE.noc.tile(remote));
                assert_eq!(seen, (place.x.into(), place.y.into(), tile(peer.channel.into())));
                let ends = (word(REMOTE_CHANNEL), word(REMOTE_BOARD_ID + 4));
                assert_eq!(ends, (peer.channel.into(), peer.chip.into()));
            }
        }
        let beats = [0; 2].map(|_| boards.read32(0, tile(0), HEARTBEAT));
        assert_ne!(beats[0], beats[1], "the firmware lives");
    }
}

/// A host that uses the firmware's queues as the vendor's user-mode driver does.
struct Remote<'a> {
    board: &'a mut Board,
    gateway: NocXy,
    place: NocXy,
}

impl Remote<'_> {
    /// Sends a command for `tile` of the chip and lets it be answered; the slot of the answer.
    fn command(&mut self, tile: NocXy, addr: u64, data: u32, flags: Flags) -> u32 {
        let (queue, at) = (routing::REQUEST_QUEUE, self.gateway);
        let pointer = self.board.read32(0, at, queue + routing::WRITE_POINTER);
        let slot = queue + routing::COMMANDS + pointer % 4 * routing::COMMAND_SIZE;
        let high = (addr >> 32) as u32
            | u32::from(tile.x) << 4
            | u32::from(tile.y) << 10
            | u32::from(self.place.x) << 16
            | u32::from(self.place.y) << 22;
        self.board.registers(
            0,
            at,
            &[
                (slot + routing::ADDRESS, addr as u32),
                (slot + routing::ADDRESS + 4, high),
                (slot + routing::DATA, data),
                (slot + routing::FLAGS, flags.bits()),
                (slot + routing::RACK, 0),
                (queue + routing::WRITE_POINTER, (pointer + 1) % 8),
            ],
        );
        self.board.run().expect("no fault");
        assert_eq!(self.board.read32(0, at, queue + routing::READ_POINTER), (pointer + 1) % 8);
        pointer % 4
    }

    /// The next response: slot and flags; its data is in the slot.
    fn response(&mut self) -> (u32, Flags) {
        let (queue, at) = (routing::RESPONSE_QUEUE, self.gateway);
        let pointer = self.board.read32(0, at, queue + routing::READ_POINTER);
        assert_ne!(self.board.read32(0, at, queue + routing::WRITE_POINTER), pointer, "an answer");
        let slot = queue + routing::COMMANDS + pointer % 4 * routing::COMMAND_SIZE;
        self.board.write32(0, at, queue + routing::READ_POINTER, (pointer + 1) % 8);
        (slot, Flags::from_bits_retain(self.board.read32(0, at, slot + routing::FLAGS)))
    }

    fn read32(&mut self, tile: NocXy, addr: u64) -> u32 {
        self.command(tile, addr, 4, Flags::READ);
        let (slot, flags) = self.response();
        assert_eq!(flags, Flags::READ_DATA);
        self.board.read32(0, self.gateway, slot + routing::DATA)
    }
}

#[test]
fn the_host_reaches_the_second_chip_through_the_first() {
    let mut board = Board::new("n300");
    let tensix = NocXy::new(19, 22);
    let mut remote = Remote { board: &mut board, gateway: tile(LEFT), place: NocXy::new(1, 0) };
    for n in 0..20 {
        remote.command(tensix, u64::from(DATA) + 4 * n, n as u32 + 100, Flags::WRITE);
    }
    for n in 0..20 {
        assert_eq!(remote.read32(tensix, u64::from(DATA) + 4 * n), n as u32 + 100);
    }
    // Blocks, to DRAM.
    let port = WORMHOLE.dram[3].ports[0];
    let slot = routing::REQUEST_QUEUE + routing::WRITE_POINTER;
    let next = remote.board.read32(0, tile(LEFT), slot) % 4;
    let block = routing::BLOCKS + next * routing::BLOCK_SIZE;
    remote.board.write(0, tile(LEFT), block, &pattern(1024, 6));
    remote.command(port, 0x4000_0040, 1024, Flags::WRITE | Flags::BLOCK);
    remote.command(port, 0x4000_0040, 1024, Flags::READ | Flags::BLOCK);
    let (slot, flags) = remote.response();
    assert_eq!(flags, Flags::READ_DATA | Flags::BLOCK);
    let n = (slot - routing::RESPONSE_QUEUE - routing::COMMANDS) / routing::COMMAND_SIZE;
    let block = routing::BLOCKS + n * routing::BLOCK_SIZE;
    assert_eq!(remote.board.read(0, tile(LEFT), block, 1024), pattern(1024, 6));
    // A core of the other chip runs.
    let reset = u64::from(DEBUG_REGS_BASE + SOFT_RESET_0);
    let program = bytes(&[poke(DATA, 1234), end()].concat());
    for (at, word) in (0..).step_by(4).zip(program.as_chunks::<4>().0) {
        remote.command(tensix, at, u32::from_le_bytes(*word), Flags::WRITE);
    }
    remote.command(tensix, reset, tt_isa::map::SOFT_RESET_ALL & !0x800, Flags::WRITE);
    assert_eq!(remote.read32(tensix, DATA.into()), 1234);
    assert_eq!(board.read32(1, tensix, DATA), 1234);
    assert_eq!(board.read32(0, tensix, DATA), 0, "the first chip is another one");
}

#[test]
fn commands_for_chips_that_are_not_there_say_so() {
    let mut board = Board::new("n300");
    let mut remote = Remote { board: &mut board, gateway: tile(3), place: NocXy::new(2, 0) };
    remote.command(NocXy::new(18, 18), 0, 4, Flags::READ);
    assert_eq!(remote.response().1, Flags::UNREACHABLE);
    // Its own chip is one of those that it reaches.
    remote.place = NocXy::new(0, 0);
    remote.command(NocXy::new(18, 18), DATA.into(), 9, Flags::WRITE);
    assert_eq!(board.read32(0, NocXy::new(18, 18), DATA), 9);
}

#[test]
fn firmware_starts_and_stops_applications() {
    let mut board = Board::new("n150");
    let at = tile(6);
    // Counts its starts, calls the firmware once, and returns to it.
    let table = tt_isa::eth::firmware::FUNCTION_TABLE;
    let mut program = asm::li(5, DATA).to_vec();
    program.extend([
        i("Addi", 9, 1, 0),
        i("Lw", 6, 5, 0),
        i("Addi", 6, 6, 1),
        s("Sw", 6, 5, 0),
        s("Sw", 2, 5, 4),
    ]);
    program.extend(
        [&asm::li(7, table)[..], &[i("Lw", 7, 7, 0), i("Jalr", 1, 7, 0), i("Jalr", 0, 9, 0)]].concat(),
    );
    board.write(0, at, APP, &bytes(&program));
    for n in 1..=2 {
        board.write32(0, at, LAUNCH_APP, 1);
        board.run().expect("no fault");
        assert_eq!(board.read32(0, at, DATA), n);
        assert_eq!(board.read32(0, at, DATA + 4), LOCAL_RAM_BASE + 4096);
        board.write32(0, at, LAUNCH_APP, 0);
        board.run().expect("no fault");
        assert_eq!(board.system.chips()[0].ethernet_pc(6), None);
    }
    // Out of reset with its first instruction gone, the firmware is gone as well.
    board.start(0, at, &[jal(0, 0)]);
    board.write32(0, at, LAUNCH_APP, 1);
    board.run().expect("no fault");
    assert_eq!(board.read32(0, at, DATA), 2);
}

/// Bytes of this process that are in memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a Linux host");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line");
    let kilobytes: u64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number");
    kilobytes << 10
}

#[test]
fn an_n300_costs_little_memory() {
    let before = resident();
    let mut board = Board::new("n300");
    board.run().expect("no fault");
    let cost = resident() - before;
    println!("an n300 costs {} KiB", cost >> 10);
    assert!(cost < 50 << 20, "{cost} bytes");
    drop(board);
}
