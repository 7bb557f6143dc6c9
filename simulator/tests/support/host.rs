//! A host program's view of a simulated chip: memory of tiles through the windows of BAR 0, and programs on cores.

#![allow(dead_code, reason = "each test takes what it needs")]

use tt_isa::chip::{Chip as ChipData, WORMHOLE, board};
use tt_isa::map::{DEBUG_REGS_BASE, NIU_BASE, NIU_STRIDE, RiscV, SOFT_RESET_0, SOFT_RESET_ALL};
use tt_isa::noc::{Ctrl, NiuRegisters, NocXy};
use tt_isa::tlb::TlbTarget;
use tt_simulator::{Chip, ChipConfig, Fault, Mode, Progress};

use super::asm::{b, bytes, i, jal, li, s};

/// Registers of the chip's NIUs.
const REG: NiuRegisters = WORMHOLE.noc.registers;

/// A chip, and the first of the largest windows of its BAR 0.
pub struct Host {
    pub chip: Chip,
    kind: &'static ChipData,
}

impl Host {
    /// The chip of an n150.
    pub fn new() -> Self {
        Self::with_threads(1)
    }

    /// The first row of tiles of an n150 in a mode.
    pub fn with_mode(mode: Mode) -> Self {
        let n150 = ChipConfig::of_board(board("n150").expect("known"), 0);
        Self::with(ChipConfig { threads: 1, mode, harvested: !1, ..n150 })
    }

    /// The same in the asynchronous mode, whose findings are noted.
    pub fn with_notes(seed: u64) -> Self {
        let n150 = ChipConfig::of_board(board("n150").expect("known"), 0);
        let mode = Mode::Async { seed };
        Self::with(ChipConfig { threads: 1, mode, notes: true, harvested: !1, ..n150 })
    }

    /// The chip of an n150 on so many threads.
    pub fn with_threads(threads: usize) -> Self {
        Self::with(ChipConfig { threads, ..ChipConfig::of_board(board("n150").expect("known"), 0) })
    }

    /// Any chip.
    pub fn with(config: ChipConfig) -> Self {
        let kind = config.board.chip;
        Self { chip: Chip::new(config).expect("a chip"), kind }
    }

    /// Points the window at an address; where in BAR 0 it is then.
    fn window(&mut self, target: TlbTarget) -> u64 {
        let host = &self.kind.host;
        let group = host.groups.iter().rfind(|group| group.bar == 0).expect("BAR 0 has windows");
        let mask = (1 << group.log2_size) - 1;
        let entry = group.encode(&TlbTarget { addr: target.addr & !mask, ..target }).to_le_bytes();
        let entry = &entry[..host.entry_bytes as usize];
        self.chip.bar0_write(host.entry(group.first), entry).expect("window configuration");
        group.offset + (target.addr & mask)
    }

    pub fn try_write(&mut self, tile: NocXy, addr: u64, data: &[u8]) -> Result<(), Fault> {
        let at = self.window(TlbTarget::unicast(tile, addr));
        self.chip.bar0_write(at, data)
    }

    pub fn try_read(&mut self, tile: NocXy, addr: u64, out: &mut [u8]) -> Result<(), Fault> {
        let at = self.window(TlbTarget::unicast(tile, addr));
        self.chip.bar0_read(at, out)
    }

    pub fn multicast(&mut self, start: NocXy, end: NocXy, addr: u64, data: &[u8]) -> Result<(), Fault> {
        let at = self.window(TlbTarget::rect(start, end, addr));
        self.chip.bar0_write(at, data)
    }

    pub fn write(&mut self, tile: NocXy, addr: u32, data: &[u8]) {
        self.try_write(tile, addr.into(), data).expect("a write to a tile");
    }

    pub fn write32(&mut self, tile: NocXy, addr: u32, word: u32) {
        self.write(tile, addr, &word.to_le_bytes());
    }

    pub fn read(&mut self, tile: NocXy, addr: u32, len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        self.try_read(tile, addr.into(), &mut out).expect("a read from a tile");
        out
    }

    pub fn read32(&mut self, tile: NocXy, addr: u32) -> u32 {
        u32::from_le_bytes(self.read(tile, addr, 4).try_into().expect("four bytes"))
    }

    /// Lets the cores of a tile run, and holds the others in reset.
    pub fn release(&mut self, tile: NocXy, cores: &[RiscV]) {
        let word = cores.iter().fold(SOFT_RESET_ALL, |word, core| word & !core.soft_reset_bit());
        self.write32(tile, DEBUG_REGS_BASE + SOFT_RESET_0, word);
    }

    /// Loads a program where a core starts.
    pub fn load(&mut self, tile: NocXy, core: RiscV, program: &[u32]) {
        self.write(tile, core.default_reset_pc(), &bytes(program));
    }

    /// Runs until nothing moves.
    ///
    /// # Panics
    /// A fault, or it goes on and on.
    pub fn settle(&mut self) {
        let progress = self.chip.advance(20_000_000).expect("no fault");
        assert!(progress.asleep, "still running");
    }

    /// Runs until nothing moves or a fault.
    pub fn run(&mut self) -> Result<Progress, Fault> {
        self.chip.advance(20_000_000)
    }
}

/// The Tensix tile in a column and row, counted from 0.
pub fn tensix(column: u8, row: u8) -> NocXy {
    NocXy::new(18 + column, 18 + row)
}

/// Columns of Tensix tiles.
pub const COLUMNS: u8 = 8;
/// Rows of them on an n150.
pub const ROWS: u8 = 9;

/// Every Tensix tile of an n150.
pub fn all_tiles() -> impl Iterator<Item = NocXy> {
    (0..ROWS).flat_map(|row| (0..COLUMNS).map(move |column| tensix(column, row)))
}

/// Bytes that no other seed gives.
pub fn pattern(len: usize, seed: u32) -> Vec<u8> {
    (0..len as u32).map(|n| (n.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 13) as u8).collect()
}

/// Stores `value` at `addr`. Changes x5 and x6.
pub fn poke(addr: u32, value: u32) -> Vec<u32> {
    [&li(5, addr)[..], &li(6, value), &[s("Sw", 6, 5, 0)]].concat()
}

/// Copies the word at `from` to `to`. Changes x5 and x6.
pub fn copy(from: u32, to: u32) -> Vec<u32> {
    [&li(5, from)[..], &[i("Lw", 6, 5, 0)], &li(5, to), &[s("Sw", 6, 5, 0)]].concat()
}

/// Polls the word at `addr` until it is `value`. Changes x5 to x7.
pub fn wait_for(addr: u32, value: u32) -> Vec<u32> {
    [&li(5, addr)[..], &li(6, value), &[i("Lw", 7, 5, 0), b("Bne", 7, 6, -4)]].concat()
}

/// Ends a program.
pub fn end() -> Vec<u32> {
    vec![jal(0, 0)]
}

/// A NoC request by initiator 0.
#[derive(Clone, Copy)]
pub struct Request {
    pub noc: u32,
    /// `CTRL`.
    pub ctrl: Ctrl,
    pub target: (NocXy, u32),
    pub ret: (NocXy, u32),
    /// `AT_LEN_BE`.
    pub len: u32,
    /// `AT_DATA`.
    pub data: u32,
}

impl Request {
    /// Instructions that make it.
    pub fn program(&self) -> Vec<u32> {
        let registers = [
            (REG.targ_lo, self.target.1),
            (REG.targ_node, WORMHOLE.noc.node(self.target.0)),
            (REG.ret_lo, self.ret.1),
            (REG.ret_node, WORMHOLE.noc.node(self.ret.0)),
            (REG.ctrl, self.ctrl.bits()),
            (REG.at_len_be, self.len),
            (REG.at_data, self.data),
            (REG.cmd_ctrl, 1),
        ];
        registers.iter().flat_map(|&(register, value)| poke(niu(self.noc, register), value)).collect()
    }
}

/// A register of an NIU.
pub fn niu(noc: u32, register: u32) -> u32 {
    NIU_BASE + noc * NIU_STRIDE + register
}
