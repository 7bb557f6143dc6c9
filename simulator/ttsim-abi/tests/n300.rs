//! The same host program, through the same C ABI, sees the same n300 here and in the vendor's simulator.
//!
//! `TTSIM_N300_LIB` names the vendor's library of that board; without it, `release_wh_x2/libttsim.so` beside the folder
//! of `TTSIM_LIB` is used, where the vendor's build puts it. The host reaches the second chip as the vendor's
//! driver does: by commands in the L1 of an Ethernet tile of the first one. Each simulator runs in its own process, which
//! writes what it sees as text: the board is a setting of the process, and the vendor's library ends it at an error.

#[path = "../../tests/support/asm.rs"]
mod asm;
mod support;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use asm::{b, bytes, i, jal, li, s};
use tt_isa::chip::WORMHOLE;
use tt_isa::eth::firmware::{APP, LAUNCH_APP, LOCAL_PLACE, REMOTE_CHANNEL, REMOTE_PLACE, TRAIN_STATUS};
use tt_isa::eth::routing::{self, Flags};
use tt_isa::eth::{TXQ_BASE, txq};
use tt_isa::map::{DEBUG_REGS_BASE, RiscV, SOFT_RESET_0, SOFT_RESET_ALL};
use tt_isa::noc::NocXy;
use tt_isa::tlb::TlbTarget;
use tt_runtime::transport::ttsim::TtSim;
use tt_runtime::transport::{Simulated, Transport};

/// Names the library for the child process, and the file for what it saw.
const CHILD: [&str; 2] = ["N300_LIBRARY", "N300_TRANSCRIPT"];
/// Channels of the first chip that end in the second one: commands go by the first, data by the second.
const GATEWAY: usize = 8;
const LINK: usize = 9;
/// Where [`LINK`] ends.
const LINK_END: usize = 1;
const DATA: u32 = 0x2_0000;
/// Looks at a pointer before a command counts as lost.
const PATIENCE: usize = 2000;
/// Bits of a place that both simulators fill: x and y of the remote chip (`tt_isa::eth::firmware`).
const REMOTE_PLACE_XY: u32 = 0x0FFF_0000;

fn vendor() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    let beside = || Some(set("TTSIM_LIB")?.parent()?.parent()?.join("release_wh_x2/libttsim.so"));
    set("TTSIM_N300_LIB").or_else(beside).filter(|path| path.exists())
}

/// The host's side of a board.
struct Host {
    card: TtSim,
    /// What it has seen.
    seen: String,
}

impl Host {
    fn write(&mut self, tile: NocXy, addr: u32, data: &[u8]) {
        self.card.configure_window(0, &TlbTarget::unicast(tile, addr.into())).expect("a window");
        self.card.write(0, u64::from(addr) % (16 << 20), data).expect("a write");
    }

    fn write32(&mut self, tile: NocXy, addr: u32, word: u32) {
        self.write(tile, addr, &word.to_le_bytes());
    }

    fn read(&mut self, tile: NocXy, addr: u32, len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        self.card.configure_window(0, &TlbTarget::unicast(tile, addr.into())).expect("a window");
        self.card.read(0, u64::from(addr) % (16 << 20), &mut out).expect("a read");
        out
    }

    fn read32(&mut self, tile: NocXy, addr: u32) -> u32 {
        u32::from_le_bytes(self.read(tile, addr, 4).try_into().expect("four bytes"))
    }

    fn see(&mut self, what: &str, bytes: &[u8]) {
        let hash = bytes.iter().fold(0xCBF2_9CE4_8422_2325_u64, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        });
        let first: Vec<String> = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        writeln!(self.seen, "{what}: {} bytes, {} .., {hash:016x}", bytes.len(), first.concat())
            .expect("text");
    }

    fn see32(&mut self, what: &str, word: u32) {
        writeln!(self.seen, "{what}: {word:#x}").expect("text");
    }

    /// Lets clocks pass until a word is what it should be.
    fn until(&mut self, tile: NocXy, addr: u32, value: u32) {
        for _ in 0..PATIENCE {
            if self.read32(tile, addr) == value {
                return;
            }
            self.card.advance(64).expect("time passes");
        }
        panic!("{tile}: {addr:#x} is {:#x}, not {value:#x}\n{}", self.read32(tile, addr), self.seen);
    }

    /// Has the gateway carry out a command for a tile of chip `chip`; its slot.
    fn command(&mut self, chip: u8, tile: NocXy, addr: u64, data: u32, flags: Flags) -> u32 {
        let (queue, at) = (routing::REQUEST_QUEUE, ethernet(GATEWAY));
        let pointer = self.read32(at, queue + routing::WRITE_POINTER);
        let slot = queue + routing::COMMANDS + pointer % 4 * routing::COMMAND_SIZE;
        let place =
            u64::from(tile.x) << 36 | u64::from(tile.y) << 42 | u64::from(PLACES[usize::from(chip)]) << 48;
        self.write(at, slot + routing::ADDRESS, &(addr | place).to_le_bytes());
        self.write32(at, slot + routing::DATA, data);
        self.write32(at, slot + routing::FLAGS, flags.bits());
        self.write32(at, slot + routing::RACK, 0);
        let next = (pointer + 1) % (2 * routing::COMMAND_COUNT);
        self.write32(at, queue + routing::WRITE_POINTER, next);
        self.until(at, queue + routing::READ_POINTER, next);
        pointer % 4
    }

    fn remote_write32(&mut self, tile: NocXy, addr: u64, word: u32) {
        self.command(1, tile, addr, word, Flags::WRITE);
    }

    fn remote_write(&mut self, tile: NocXy, addr: u64, data: &[u8]) {
        let pointer = self.read32(ethernet(GATEWAY), routing::REQUEST_QUEUE + routing::WRITE_POINTER);
        let block = routing::BLOCKS + pointer % routing::COMMAND_COUNT * routing::BLOCK_SIZE;
        self.write(ethernet(GATEWAY), block, data);
        self.command(1, tile, addr, data.len() as u32, Flags::WRITE | Flags::BLOCK);
    }

    /// Waits for the next response; its slot.
    fn response(&mut self) -> u32 {
        let (queue, at) = (routing::RESPONSE_QUEUE, ethernet(GATEWAY));
        let pointer = self.read32(at, queue + routing::READ_POINTER);
        let next = (pointer + 1) % (2 * routing::COMMAND_COUNT);
        self.until(at, queue + routing::WRITE_POINTER, next);
        self.write32(at, queue + routing::READ_POINTER, next);
        pointer % routing::COMMAND_COUNT
    }

    fn remote_read32(&mut self, tile: NocXy, addr: u64) -> u32 {
        self.command(1, tile, addr, 4, Flags::READ);
        let command = self.response() * routing::COMMAND_SIZE + routing::RESPONSE_QUEUE + routing::COMMANDS;
        let flags = Flags::from_bits_retain(self.read32(ethernet(GATEWAY), command + routing::FLAGS));
        assert!(flags.contains(Flags::READ_DATA), "{flags:?}");
        self.read32(ethernet(GATEWAY), command + routing::DATA)
    }

    fn remote_read(&mut self, tile: NocXy, addr: u64, len: usize) -> Vec<u8> {
        self.command(1, tile, addr, len as u32, Flags::READ | Flags::BLOCK);
        let slot = self.response();
        self.read(ethernet(GATEWAY), routing::BLOCKS + slot * routing::BLOCK_SIZE, len)
    }
}

/// Places of the board's chips as commands have them: the second one is right of the first.
const PLACES: [u32; 2] = [0, 1];

fn ethernet(channel: usize) -> NocXy {
    WORMHOLE.ethernet[channel]
}

fn tensix(column: u8, row: u8) -> NocXy {
    NocXy::new(18 + column, 18 + row)
}

/// Reproducible bytes.
fn pattern(len: usize, seed: u32) -> Vec<u8> {
    (0..len as u32).map(|n| (n.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 13) as u8).collect()
}

/// What the firmware says about the links.
fn links(host: &mut Host) {
    for channel in [GATEWAY, LINK] {
        let tile = ethernet(channel);
        let words = [TRAIN_STATUS, REMOTE_CHANNEL, LOCAL_PLACE].map(|addr| host.read32(tile, addr));
        let place = host.read32(tile, REMOTE_PLACE) & REMOTE_PLACE_XY;
        for (what, word) in ["training", "remote channel", "place"].into_iter().zip(words) {
            host.see32(&format!("channel {channel}, {what}"), word);
        }
        host.see32(&format!("channel {channel}, remote place"), place);
    }
}

/// Words and blocks in L1 and DRAM of the second chip, and that the first one's are others.
fn remote_memory(host: &mut Host) {
    let dram = WORMHOLE.dram[3].ports[0];
    for (n, tile) in [tensix(0, 0), tensix(7, 3), dram].into_iter().enumerate() {
        for word in 0..6 {
            host.remote_write32(tile, u64::from(DATA) + 4 * word, 0x1111 * word as u32 + n as u32);
        }
        for word in 0..6 {
            let got = host.remote_read32(tile, u64::from(DATA) + 4 * word);
            host.see32(&format!("{tile} word {word}"), got);
        }
        for len in [4, 32, 64, 300, 1024] {
            let at = u64::from(DATA) + 0x1000;
            host.remote_write(tile, at, &pattern(len, len as u32));
            let got = host.remote_read(tile, at, len);
            assert_eq!(got, pattern(len, len as u32), "{tile}: what was written is read");
            host.see(&format!("{tile} block"), &got);
        }
        host.write32(tile, DATA, 0xF1F1);
        let [near, far] = [host.read32(tile, DATA), host.remote_read32(tile, DATA.into())];
        host.see32(&format!("{tile} of the first chip"), near);
        host.see32(&format!("{tile} of the second chip"), far);
    }
}

/// A core of the second chip adds up numbers that the host has put there.
fn remote_cores(host: &mut Host) {
    let tile = tensix(2, 5);
    host.remote_write(tile, DATA.into(), &pattern(256, 77));
    let mut program = [&li(5, DATA)[..], &li(6, DATA + 256), &[i("Addi", 7, 0, 0)]].concat();
    program.extend([i("Lw", 8, 5, 0), asm::r("Add", 7, 7, 8), i("Addi", 5, 5, 4), b("Bne", 5, 6, -12)]);
    program.extend([s("Sw", 7, 5, 0), jal(0, 0)]);
    host.remote_write(tile, 0, &bytes(&program));
    let reset = u64::from(DEBUG_REGS_BASE + SOFT_RESET_0);
    host.remote_write32(tile, reset, SOFT_RESET_ALL & !RiscV::Brisc.soft_reset_bit());
    for _ in 0..20 {
        host.card.advance(64).expect("time passes");
    }
    let sum = host.remote_read32(tile, u64::from(DATA) + 256);
    host.see32("sum by a core of the second chip", sum);
    host.remote_write32(tile, reset, SOFT_RESET_ALL);
}

/// A program on an Ethernet core sends L1 and a word over its link.
fn link_traffic(host: &mut Host) {
    let here = ethernet(LINK);
    host.write(here, DATA, &pattern(2048, 5));
    let mut program = Vec::new();
    let mut store = |addr: u32, value: u32| {
        program.extend(li(5, addr));
        program.extend(li(6, value));
        program.push(s("Sw", 6, 5, 0));
    };
    for (n, len) in [16, 496, 1024].into_iter().enumerate() {
        let n = n as u32;
        store(TXQ_BASE + txq::TRANSFER_START_ADDR, DATA + 16 * n);
        store(TXQ_BASE + txq::TRANSFER_SIZE_BYTES, len);
        store(TXQ_BASE + txq::DEST_ADDR, DATA + 0x1000 * n);
        store(TXQ_BASE + txq::CMD, txq::cmd::L1_WRITE);
        // Until the queue has taken it: the packet itself is on its way for a while.
        (0..400).for_each(|_| store(DATA + 0x8000, n));
    }
    store(DATA + 0x8000, 77);
    program.push(jal(0, 0));
    host.write(here, APP, &bytes(&program));
    host.write32(here, LAUNCH_APP, 1);
    host.until(here, DATA + 0x8000, 77);
    let there = ethernet(LINK_END);
    for n in 0..3 {
        let got = host.remote_read(there, u64::from(DATA) + 0x1000 * n, 1024);
        host.see(&format!("packet {n} over the link"), &got);
    }
    let command = host.read32(here, TXQ_BASE + txq::CMD);
    host.see32("the queue is empty", command);
}

/// The body of a child process; does nothing unless [`transcript`] started it.
#[test]
fn child() {
    let [Some(library), Some(file)] = CHILD.map(std::env::var_os) else { return };
    let card = TtSim::new(Path::new(&library)).expect("the library");
    let mut host = Host { card, seen: String::new() };
    links(&mut host);
    remote_memory(&mut host);
    remote_cores(&mut host);
    link_traffic(&mut host);
    std::fs::write(file, host.seen).expect("a file");
}

/// What a host sees of the n300 of a library.
fn transcript(library: &Path, name: &str) -> String {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_file(&file);
    let output = Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", "child", "--nocapture"])
        .envs([(CHILD[0], library), (CHILD[1], &*file)])
        .env("TT_SIM_BOARD", "n300")
        .output()
        .expect("a process");
    std::fs::read_to_string(&file).unwrap_or_else(|_| {
        let [out, error] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
        panic!("{} gave up:\n{out}\n{error}", library.display())
    })
}

#[test]
fn both_boards_show_the_same() {
    let ours = transcript(&support::library(), "n300_ours.txt");
    assert!(ours.lines().count() > 40, "{ours}");
    let Some(vendor) = vendor() else {
        println!("SKIPPED: TTSIM_N300_LIB is not set, and TTSIM_LIB has no release_wh_x2 beside it");
        return;
    };
    let theirs = transcript(&vendor, "n300_vendor.txt");
    for (ours, theirs) in ours.lines().zip(theirs.lines()) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.lines().count(), theirs.lines().count());
}
