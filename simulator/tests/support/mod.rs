//! Runs Tensix instruction streams on this simulator and on the vendor's, through the same BAR 0 accesses.
//!
//! A [`Program`] is a list of configuration writes, instruction words and register reads, what L1 holds before,
//! and the range of L1 that is its result. One core of one tile executes it: for each entry of a list in L1 it
//! copies a word from one address to another.
//!
//! ```text
//! Program -> list in L1 -> core: load, store, .. -> Config, instruction buffers -> coprocessor -> L1 -> result
//! ```
//!
//! [`run_here`] uses [`tt_simulator::Chip`]. [`run_vendor`] needs the vendor's library, whose path tests take from
//! `TTSIM_LIB`. It is one simulation per process and it ends the process on errors; so the test binary starts
//! itself again for each program, with [`CHILD`] naming a file; the test [`vendor_child`] runs there.
//!
//! # Safety
//! The vendor's library is called through its C interface, with buffers whose lengths are passed along.
#![allow(unsafe_code, dead_code)]

pub mod datapath;
pub mod matrix;
pub mod sfpu;
pub mod vectors;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use tt_isa::cfg::{CfgField, Space};
use tt_isa::chip::{BOARDS, WORMHOLE};
use tt_isa::insn::{NOP, SETC16, SETDMAREG, WRCFG};
use tt_isa::map::{
    CFG_BASE, DEBUG_REGS_BASE, INSTRN_BUF_BASE, INSTRN_BUF_STRIDE, PC_BUF_BASE, PC_BUF_STRIDE,
    PC_BUF_TENSIX_SYNC, RiscV, SOFT_RESET_0, SOFT_RESET_ALL,
};
use tt_isa::noc::NocXy;
use tt_isa::tlb::TlbTarget;
use tt_simulator::{Chip, ChipConfig};

/// Environment variable with the path of a file that tells a child process what to run.
pub const CHILD: &str = "TENSIX_VECTOR_CHILD";
/// Where the list is in L1: entries of (store address, load address, literal), ended by a zero store address.
const LIST: u32 = 0x4_0000;
/// Word that BRISC sets at the end of the list.
const DONE: u32 = 0x3_F000;
/// Clocks after that for the coprocessor to come to an end.
const SETTLE: u32 = 2_000;
const TILE: NocXy = NocXy::new(18, 18);

/// What an entry of the list stores.
#[derive(Clone, Copy)]
enum Source {
    Literal(u32),
    Register(u32),
}

/// An instruction stream with its surroundings.
#[derive(Clone, Default)]
pub struct Program {
    core: Option<RiscV>,
    entries: Vec<(u32, Source)>,
    config: std::collections::HashMap<u32, u32>,
    thread_config: std::collections::HashMap<(u32, u32), u32>,
    memory: Vec<(u32, Vec<u8>)>,
    result: Range<u32>,
}

impl Program {
    /// A program whose result is this range of L1.
    pub fn new(result: Range<u32>) -> Self {
        Self { result, ..Self::default() }
    }

    /// The same, executed by another core than BRISC. A T core pushes in front of its thread's MOP expander.
    pub fn on_core(core: RiscV, result: Range<u32>) -> Self {
        Self { core: Some(core), ..Self::new(result) }
    }

    fn store(&mut self, addr: u32, value: u32) {
        self.entries.push((addr, Source::Literal(value)));
    }

    /// Stores a word to any address.
    pub fn write(&mut self, addr: u32, value: u32) {
        self.store(addr, value);
    }

    /// Loads a word from an address, a register as a rule, and stores it to L1.
    pub fn copy(&mut self, from: u32, to: u32) {
        self.entries.push((to, Source::Register(from)));
    }

    /// Waits until the coprocessor has done all that `thread` was given (TTSync).
    pub fn sync(&mut self, thread: u32) {
        let stride = if self.core.is_none() { PC_BUF_STRIDE } else { 0 };
        self.copy(PC_BUF_BASE + thread * stride + PC_BUF_TENSIX_SYNC, DONE + 16);
    }

    /// Lets time pass: some hundred loads and stores of nothing.
    pub fn delay(&mut self) {
        (0..100).for_each(|_| self.copy(DONE + 16, DONE + 20));
    }

    /// Sets bytes of L1 before the program starts.
    pub fn memory(&mut self, addr: u32, bytes: impl Into<Vec<u8>>) {
        self.memory.push((addr, bytes.into()));
    }

    /// Pushes an instruction to a thread.
    pub fn push(&mut self, thread: u32, word: u32) {
        // A T core has one buffer, its own thread's.
        let stride = if self.core.is_none() { INSTRN_BUF_STRIDE } else { 0 };
        self.store(INSTRN_BUF_BASE + thread * stride, word);
    }

    /// Writes a `Config` register of bank 0.
    pub fn config_word(&mut self, index: u32, value: u32) {
        self.config.insert(index, value);
        self.store(CFG_BASE + 4 * index, value);
    }

    /// Sets a configuration field, before instructions that depend on it are pushed: of bank 0, or (with `SETC16`) of thread 0.
    pub fn set(&mut self, field: CfgField, value: u32) {
        match field.space {
            Space::Config => {
                let old = self.config.get(&field.index).copied().unwrap_or(0);
                self.config_word(field.index, field.with(old, value));
            }
            Space::Thread => {
                let word = self.thread_config.entry((0, field.index)).or_insert(0);
                *word = field.with(*word, value);
                let word = SETC16 { setc16_reg: field.index, setc16_value: *word }.word();
                self.push(0, word);
            }
        }
    }

    /// Writes a `Config` register in the instruction stream (through GPR 0), so that instructions in front of it
    /// have been executed. [`set`](Self::set) and [`config_word`](Self::config_word) do not wait for them.
    pub fn config_word_in_order(&mut self, thread: u32, index: u32, value: u32) {
        for half in 0..2 {
            let value = value >> (16 * half) & 0xFFFF;
            let set = SETDMAREG {
                payload_sig_sel: value & 0x3FFF,
                payload_sig_sel_size: value >> 14,
                reg_index_16b: half,
                ..SETDMAREG::ZERO
            };
            self.push(thread, set.word());
        }
        self.push(thread, WRCFG { gpr_address: 0, wr128b: 0, cfg_reg: index }.word());
        self.push(thread, NOP {}.word());
    }

    /// What the program stores, in its order; register reads are left out.
    pub fn stores(&self) -> impl Iterator<Item = (u32, u32)> {
        self.entries.iter().filter_map(|&(addr, source)| match source {
            Source::Literal(value) => Some((addr, value)),
            Source::Register(_) => None,
        })
    }

    /// All that L1 holds before the core starts.
    fn image(&self) -> Vec<(u32, Vec<u8>)> {
        let mut list = Vec::new();
        for (i, &(to, source)) in self.entries.iter().enumerate() {
            list.extend(match source {
                Source::Literal(value) => [to, LIST + 12 * i as u32 + 8, value],
                Source::Register(from) => [to, from, 0],
            });
        }
        list.push(0);
        let bytes = |words: &[u32]| words.iter().flat_map(|w| w.to_le_bytes()).collect();
        let mut image = self.memory.clone();
        image.extend([
            (self.running_core().default_reset_pc(), bytes(&copy_loop())),
            (LIST, bytes(&list)),
            (DONE, vec![0; 4]),
        ]);
        image
    }

    /// Soft reset register with only the program's core running.
    fn reset(&self) -> u32 {
        SOFT_RESET_ALL & !self.running_core().soft_reset_bit()
    }

    fn running_core(&self) -> RiscV {
        self.core.unwrap_or(RiscV::Brisc)
    }
}

/// The core's program: copies as the list says, then sets the done word and stays.
fn copy_loop() -> [u32; 12] {
    const S0: u32 = 8;
    const A0: u32 = 10;
    const A1: u32 = 11;
    const A2: u32 = 12;
    const A3: u32 = 13;
    let lui = |rd: u32, value: u32| (value & 0xFFFF_F000) | rd << 7 | 0x37;
    let addi = |rd: u32, rs: u32, value: u32| value << 20 | rs << 15 | rd << 7 | 0x13;
    let lw = |rd: u32, rs: u32, at: u32| at << 20 | rs << 15 | 2 << 12 | rd << 7 | 0x03;
    let sw = |value: u32, rs: u32| value << 20 | rs << 15 | 2 << 12 | 0x23;
    [
        lui(S0, LIST),
        lw(A0, S0, 0),
        (12 << 8) | (A0 << 15) | 0x63, // beq a0, zero, +24
        lw(A1, S0, 4),
        lw(A1, A1, 0),
        addi(S0, S0, 12),
        sw(A1, A0),
        0xFE9F_F06F, // j -24
        lui(A2, DONE),
        addi(A3, 0, 1),
        sw(A3, A2),
        0x0000_006F, // j .
    ]
}

/// A simulated card, seen through BAR 0.
trait Card {
    fn read(&mut self, at: u64, out: &mut [u8]) -> Result<(), String>;
    fn write(&mut self, at: u64, data: &[u8]) -> Result<(), String>;
    fn advance(&mut self, clocks: u32) -> Result<(), String>;

    /// Runs a prepared image, with `reset` in the soft reset register, and returns the result range.
    fn run(&mut self, reset: u32, image: &[(u32, Vec<u8>)], result: Range<u32>) -> Result<Vec<u8>, String> {
        let window = WORMHOLE.host.groups[2];
        let window_of = |card: &mut Self, addr: u32| -> Result<u64, String> {
            let base = u64::from(addr) & !0xFF_FFFF;
            let target = window.encode(&TlbTarget::unicast(TILE, base)) as u64;
            card.write(WORMHOLE.host.config + 8 * u64::from(window.first), &target.to_le_bytes())?;
            Ok(window.offset + u64::from(addr) - base)
        };
        let soft_reset = DEBUG_REGS_BASE + SOFT_RESET_0;
        let at = window_of(self, soft_reset)?;
        self.write(at, &SOFT_RESET_ALL.to_le_bytes())?;
        let l1 = window_of(self, 0)?;
        for (addr, bytes) in image {
            self.write(l1 + u64::from(*addr), bytes)?;
        }
        let at = window_of(self, soft_reset)?;
        self.write(at, &reset.to_le_bytes())?;
        let l1 = window_of(self, 0)?;
        let mut done = [0; 4];
        for _ in 0..1_000 {
            self.advance(1_000)?;
            self.read(l1 + u64::from(DONE), &mut done)?;
            if done[0] != 0 {
                self.advance(SETTLE)?;
                let mut bytes = vec![0; result.len()];
                self.read(l1 + u64::from(result.start), &mut bytes)?;
                return Ok(bytes);
            }
        }
        Err("the program does not end".into())
    }
}

impl Card for Chip {
    fn read(&mut self, at: u64, out: &mut [u8]) -> Result<(), String> {
        self.bar0_read(at, out).map_err(|fault| fault.to_string())
    }

    fn write(&mut self, at: u64, data: &[u8]) -> Result<(), String> {
        self.bar0_write(at, data).map_err(|fault| fault.to_string())
    }

    fn advance(&mut self, clocks: u32) -> Result<(), String> {
        Chip::advance(self, u64::from(clocks)).map(|_| ()).map_err(|fault| fault.to_string())
    }
}

/// The result of a program on this simulator, or what went wrong.
pub fn run_here(program: &Program) -> Result<Vec<u8>, String> {
    let config = ChipConfig { threads: 1, ..ChipConfig::of_board(&BOARDS[0], 0) };
    let mut chip = Chip::new(config).map_err(|fault| fault.to_string())?;
    chip.run(program.reset(), &program.image(), program.result.clone())
}

/// The vendor's library.
struct Vendor {
    library: libloading::Library,
    bar0: u64,
}

impl Vendor {
    fn open(path: &Path) -> Result<Self, libloading::Error> {
        // SAFETY: the functions have these C signatures in the library's documented interface; init comes first.
        unsafe {
            let library = libloading::Library::new(path)?;
            library.get::<unsafe extern "C" fn()>(b"libttsim_init")?();
            let config = library.get::<unsafe extern "C" fn(u32, u32) -> u32>(b"libttsim_pci_config_rd32")?;
            let bar0 = u64::from(config(0, 0x14)) << 32 | u64::from(config(0, 0x10) & !0xF);
            Ok(Self { library, bar0 })
        }
    }
}

impl Card for Vendor {
    fn read(&mut self, at: u64, out: &mut [u8]) -> Result<(), String> {
        type Read = unsafe extern "C" fn(u64, *mut u8, u32);
        // SAFETY: `out` is writable for the length that is passed.
        unsafe {
            let read = self.library.get::<Read>(b"libttsim_pci_mem_rd_bytes").map_err(|e| e.to_string())?;
            read(self.bar0 + at, out.as_mut_ptr(), out.len() as u32);
        }
        Ok(())
    }

    fn write(&mut self, at: u64, data: &[u8]) -> Result<(), String> {
        type Write = unsafe extern "C" fn(u64, *const u8, u32);
        // SAFETY: `data` is readable for the length that is passed.
        unsafe {
            let write = self.library.get::<Write>(b"libttsim_pci_mem_wr_bytes").map_err(|e| e.to_string())?;
            write(self.bar0 + at, data.as_ptr(), data.len() as u32);
        }
        Ok(())
    }

    fn advance(&mut self, clocks: u32) -> Result<(), String> {
        // SAFETY: the function takes a number of clocks.
        unsafe {
            let clock = self.library.get::<unsafe extern "C" fn(u32)>(b"libttsim_clock");
            clock.map_err(|e| e.to_string())?(clocks);
        }
        Ok(())
    }
}

/// A chip here and one at the vendor's, which run one program after another. Errors of the vendor's end the
/// process: this is for child processes.
pub struct Pair {
    chip: Chip,
    vendor: Vendor,
}

impl Pair {
    /// Both as after reset.
    pub fn open(library: &Path) -> Self {
        let config = ChipConfig { threads: 1, ..ChipConfig::of_board(&BOARDS[0], 0) };
        let vendor = Vendor::open(library).expect("TTSIM_LIB is the vendor's library");
        Self { chip: Chip::new(config).expect("a chip"), vendor }
    }

    /// Results of a program here and at the vendor's.
    pub fn run(&mut self, program: &Program) -> [Result<Vec<u8>, String>; 2] {
        let (reset, image) = (program.reset(), program.image());
        [
            self.chip.run(reset, &image, program.result.clone()),
            self.vendor.run(reset, &image, program.result.clone()),
        ]
    }
}

/// Where the vendor's library is; without it, says that nothing is compared with it.
pub fn vendor_library() -> Option<PathBuf> {
    let library = std::env::var_os("TTSIM_LIB").filter(|path| !path.is_empty()).map(PathBuf::from);
    if library.is_none() {
        println!("SKIPPED: TTSIM_LIB is not set, so nothing is compared with the vendor's simulator");
    }
    library
}

/// The result of a program on the vendor's simulator at `library`, or what that printed.
pub fn run_vendor(library: &Path, program: &Program, name: &str) -> Result<Vec<u8>, String> {
    let io = |e: std::io::Error| e.to_string();
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (order, answer) = (dir.join(format!("{name}.in")), dir.join(format!("{name}.out")));
    let mut text = format!("{}\n{}\n", library.display(), answer.display());
    text += &format!("{} {} {}\n", program.reset(), program.result.start, program.result.end);
    for (addr, bytes) in program.image() {
        text += &format!("{addr} {}\n", hex(&bytes));
    }
    std::fs::write(&order, text).map_err(io)?;
    let _ = std::fs::remove_file(&answer);
    let output = Command::new(std::env::current_exe().map_err(io)?)
        .args(["--exact", VENDOR_CHILD, "--nocapture"])
        .env(CHILD, &order)
        .output()
        .map_err(io)?;
    std::fs::read(&answer).map_err(|_| {
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    })
}

/// Name of the test [`vendor_child`] in the binary that this module is part of.
const VENDOR_CHILD: &str = "support::vendor_child";

/// Does nothing unless [`run_vendor`] started this process.
#[test]
fn vendor_child() {
    let Some(order) = std::env::var_os(CHILD) else { return };
    let text = std::fs::read_to_string(order).expect("the parent wrote the order");
    let mut lines = text.lines();
    let (library, answer, range) = (lines.next().unwrap(), lines.next().unwrap(), lines.next().unwrap());
    let numbers: Vec<u32> = range.split(' ').map(|n| n.parse().unwrap()).collect();
    let image: Vec<_> = lines
        .map(|line| line.split_once(' ').unwrap())
        .map(|(addr, bytes)| (addr.parse().unwrap(), unhex(bytes)))
        .collect();
    let mut vendor = Vendor::open(Path::new(library)).expect("TTSIM_LIB is the vendor's library");
    let result = vendor.run(numbers[0], &image, numbers[1]..numbers[2]).unwrap();
    std::fs::write(answer, result).unwrap();
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Reverse of [`hex`].
pub fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).expect("hex digits"))
        .collect()
}

/// Reproducible numbers (xorshift, 64 bits). Recorded results (`vectors`) are those of programs that are made from these, so
/// they may never change: that is why no library makes them.
pub struct Random(pub u64);

impl Random {
    /// The next one.
    pub fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as u32
    }

    /// That many bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}
