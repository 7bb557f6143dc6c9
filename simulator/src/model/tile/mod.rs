//! A Tensix tile: five RISC-V cores, the coprocessor, L1 and two NIUs.
//!
//! Cores and coprocessor access only the tile's own memory and registers; NoC requests wait in its outbox until the fabric
//! delivers them. A core that only polls, or waits for the coprocessor, sleeps until something in the tile
//! changes ([`Tile::changes`]).

use std::collections::VecDeque;

use tt_isa::chip::{Chip, Design};
use tt_isa::map::{self, ResetPc, RiscV, SOFT_RESET_ALL};
use tt_isa::noc::{MMIO_BASE, NocXy};
use tt_isa::overlay::TENSIX_STREAMS;

use crate::fault::Fault;
use crate::model::access::Accesses;
use crate::model::defect::Unit;
use crate::model::l1::L1;
use crate::model::noc::{Niu, Overlay, Port, Request};
use crate::model::rv32::{CodeCache, Hart};
use crate::model::tensix::{Tensix, TileRequest};

mod cores;
pub mod mmio;
mod mover;
mod tdma;

pub use mover::MoverWork;

/// RISC-V cores of a tile.
pub const HARTS: usize = tt_isa::map::CORES;

/// Whether a core may run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Activity {
    /// Held in reset.
    Reset,
    /// Has something to do.
    Awake,
    /// Nothing to do until the tile's change count differs from this.
    Asleep(u64),
}

/// A tile.
pub struct Tile {
    chip: &'static Chip,
    position: NocXy,
    /// NIUs, and requests on their way out.
    port: Port,
    overlay: Overlay,
    l1: L1,
    tensix: Tensix,
    harts: [Box<Hart>; HARTS],
    /// Takes the place of the core that executes.
    spare: Option<Box<Hart>>,
    activity: [Activity; HARTS],
    local: [Box<[u8]>; HARTS],
    iram: Box<[u8]>,
    /// Instruction RAM was written since the cores' decoded code was last looked after.
    iram_written: bool,
    code: CodeCache,
    soft_reset: u32,
    /// Registers that say where cores start, where they are not the coprocessor's: in the order of
    /// [`ResetPc::registers`].
    reset_pcs: [u32; 6],
    /// Counts what sleeping cores could have waited for.
    changes: u64,
    /// Clocks since the chip was powered on.
    clock: u64,
    /// Words on their way, by sender and receiver: B, T0, T1, T2.
    mailboxes: [[VecDeque<u32>; 4]; 4],
    tdma: tdma::TdmaRisc,
    mover: mover::Mover,
    /// Cores that have left reset since this was last queried, a bit each.
    released: u8,
}

impl Tile {
    /// A tile of a chip after power-on.
    pub fn new(chip: &'static Chip, position: NocXy, niu: [Niu; 2]) -> Self {
        let map = &chip.tile;
        let zeros = |size: u32| vec![0; size as usize].into_boxed_slice();
        Self {
            chip,
            position,
            port: Port::new(niu),
            overlay: Overlay::new(false, TENSIX_STREAMS),
            l1: L1::new(map.l1_size),
            tensix: Tensix::new(chip),
            harts: Default::default(),
            spare: None,
            activity: [Activity::Reset; HARTS],
            local: map.local_ram.map(zeros),
            iram: zeros(map.iram_size),
            iram_written: false,
            code: CodeCache::new(cores::code_pages(map.l1_size, map.iram_size)),
            soft_reset: SOFT_RESET_ALL,
            reset_pcs: [0; 6],
            changes: 0,
            clock: 0,
            mailboxes: Default::default(),
            tdma: Default::default(),
            mover: Default::default(),
            released: 0,
        }
    }

    /// From now on a unit of the coprocessor computes wrongly.
    pub fn kill(&mut self, unit: Unit) {
        self.tensix.dead.add(unit);
    }

    /// NoC 0 position.
    pub fn position(&self) -> NocXy {
        self.position
    }

    /// The coprocessor.
    #[inline(always)]
    pub fn tensix(&self) -> &Tensix {
        &self.tensix
    }

    /// The coprocessor, to be run.
    #[inline(always)]
    pub fn tensix_mut(&mut self) -> &mut Tensix {
        &mut self.tensix
    }

    /// The coprocessor and what its instructions reach.
    #[inline(always)]
    pub fn tensix_and_l1(&mut self) -> (&mut Tensix, &mut L1) {
        (&mut self.tensix, &mut self.l1)
    }

    /// L1.
    #[inline(always)]
    pub fn l1(&self) -> &L1 {
        &self.l1
    }

    /// L1, to be written. The writer looks after decoded code.
    #[inline(always)]
    pub fn l1_mut(&mut self) -> &mut L1 {
        &mut self.l1
    }

    /// Counts what sleeping cores could have waited for.
    #[inline(always)]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Something has changed that a sleeping core could wait for.
    #[inline(always)]
    pub fn changed(&mut self) {
        self.changes += 1;
    }

    /// Clocks since the chip was powered on, when the quantum began.
    pub fn clock(&self) -> u64 {
        self.clock
    }

    /// From now on [access logs](Self::start_log) can be kept.
    pub fn enable_log(&mut self) {
        self.l1.enable_log();
        self.tensix.enable_log();
    }

    /// Starts to log what is accessed.
    pub fn start_log(&self) {
        if let Some(log) = self.l1.log() {
            log.start();
        }
        self.tensix.start_log();
    }

    /// Stops, and takes what was logged.
    pub fn take_log(&self) -> Accesses {
        let l1 = self.l1.log().map(|log| log.take()).unwrap_or_default();
        Accesses { l1, ..self.tensix.take_log() }
    }

    /// Tells the time.
    pub fn set_clock(&mut self, clock: u64) {
        self.clock = clock;
    }

    /// Does what the coprocessor asks for.
    ///
    /// # Errors
    /// There is no such register, or it cannot do that.
    pub fn serve_tensix(&mut self, request: TileRequest) -> Result<(), Fault> {
        match request {
            TileRequest::Write { addr, value } => self.external_register_write(addr, value),
            TileRequest::Move(order) => self.run_mover(order),
            TileRequest::Read { addr, thread, gpr } => {
                self.tensix.gpr[thread][gpr] = self.external_register_read(addr)?;
                Ok(())
            }
        }
    }

    /// Writes `SOFT_RESET_0`: cores whose bit goes from one to zero start.
    fn set_soft_reset(&mut self, value: u32) -> Result<(), Fault> {
        if value & !SOFT_RESET_ALL != 0 {
            let what = format!("soft reset of units other than the RISC-V cores ({value:#x})");
            return Err(Fault::not_implemented(what).page("TensixTile/SoftReset.md"));
        }
        for core in RiscV::ALL {
            let held = value & core.soft_reset_bit() != 0;
            let i = core as usize;
            if held {
                self.activity[i] = Activity::Reset;
            } else if self.activity[i] == Activity::Reset {
                let pc = self.reset_pc(core);
                self.harts[i].reset(pc);
                self.activity[i] = Activity::Awake;
                self.released |= 1 << i;
            }
        }
        self.soft_reset = value;
        self.changes += 1;
        Ok(())
    }

    fn reset_pc(&self, core: RiscV) -> u32 {
        let set = self.chip.tile.reset_pc.of(core);
        let set = set.filter(|&(_, enable, bit)| self.reset_register(enable) >> bit & 1 != 0);
        set.map_or(core.default_reset_pc(), |(pc, ..)| self.reset_register(pc))
    }

    /// A register that says where cores start.
    fn reset_register(&self, addr: u32) -> u32 {
        match map::config_register(addr) {
            Some(index) => self.tensix.cfg.word(0, index),
            None => self.reset_index(addr).map_or(0, |i| self.reset_pcs[i]),
        }
    }

    /// Number of the register at `addr` that says where cores start, if it is one that the NoC reaches.
    fn reset_index(&self, addr: u32) -> Option<usize> {
        let ResetPc { on_noc, .. } = self.chip.tile.reset_pc;
        let index = || self.chip.tile.reset_pc.registers().iter().position(|&register| register == addr);
        on_noc.then(index).flatten()
    }

    /// Instructions of a coprocessor of another design than the models' cannot be executed.
    ///
    /// # Errors
    /// This chip has such a one.
    #[inline(always)]
    fn check_coprocessor(&self, word: u32) -> Result<(), Fault> {
        match self.chip.designs.coprocessor {
            Design::Wormhole => Ok(()),
            Design::Blackhole => Err(self.no_coprocessor(word)),
        }
    }

    #[cold]
    fn no_coprocessor(&self, word: u32) -> Fault {
        let Chip { name, insn, .. } = self.chip;
        Fault::not_implemented(format!("Tensix instructions of a {name}: {}", insn.disassemble(word)))
    }

    /// Whether NoC requests wait.
    pub fn has_requests(&self) -> bool {
        !self.port.outbox.is_empty()
    }

    /// Requests that wait.
    #[inline]
    pub fn outbox(&self) -> &[Request] {
        &self.port.outbox
    }

    /// Requests that wait, to be taken out.
    #[inline]
    pub fn outbox_mut(&mut self) -> &mut Vec<Request> {
        &mut self.port.outbox
    }

    /// The NIUs' registers.
    #[inline]
    pub fn niu_mut(&mut self, noc: u8) -> &mut Niu {
        &mut self.port.niu[usize::from(noc)]
    }

    /// The NIUs.
    pub fn port(&self) -> &Port {
        &self.port
    }

    /// The tile's NIUs; the caller changes counters, so sleepers wake.
    pub fn port_mut(&mut self) -> &mut Port {
        self.changes += 1;
        &mut self.port
    }

    /// Reads the tile's memory or registers over the NoC. Registers are read one word, or a part of one, at a time.
    pub fn noc_read(&mut self, addr: u64, out: &mut [u8]) -> Result<(), Fault> {
        let position = self.position;
        let addr = tile_address(addr).map_err(|fault| fault.in_tile(position))?;
        if let Some(bytes) = self.l1.get(addr, out.len()) {
            out.copy_from_slice(bytes);
            return Ok(());
        }
        let at = addr as usize % 4;
        if addr < MMIO_BASE as u32 || at + out.len() > 4 {
            return Err(unmapped(addr).in_tile(position));
        }
        let word = self.external_register_read(addr & !3).map_err(|fault| fault.in_tile(position))?;
        out.copy_from_slice(&word.to_le_bytes()[at..at + out.len()]);
        Ok(())
    }

    /// Bytes of L1 that a request of the NoC is about to write; `None` if not all of them are L1.
    pub fn noc_l1(&mut self, addr: u64, len: usize) -> Option<&mut [u8]> {
        let addr = u32::try_from(addr).ok()?;
        let bytes = self.l1.get_mut(addr, len)?;
        self.changes += 1;
        self.code.written(addr, len);
        Some(bytes)
    }

    /// Writes the tile's memory or registers over the NoC.
    pub fn noc_write(&mut self, addr: u64, data: &[u8]) -> Result<(), Fault> {
        let position = self.position;
        let addr = tile_address(addr).map_err(|fault| fault.in_tile(position))?;
        self.changes += 1;
        if let Some(bytes) = self.l1.get_mut(addr, data.len()) {
            bytes.copy_from_slice(data);
            self.code.written(addr, data.len());
            self.l1.settle();
            return Ok(());
        }
        match data.try_into() {
            Ok(word) if addr % 4 == 0 => self.external_register_write(addr, u32::from_le_bytes(word)),
            _ => Err(unmapped(addr)),
        }
        .map_err(|fault| fault.in_tile(position))
    }
}

/// A tile's NoC address space has 32 significant bits; NIU registers ignore the bits above.
fn tile_address(addr: u64) -> Result<u32, Fault> {
    let low = addr as u32;
    let is_niu = (map::NIU_BASE..map::NIU_BASE + 2 * map::NIU_STRIDE).contains(&low);
    if addr >> 32 != 0 && !is_niu {
        return Err(Fault::program(format!("NoC address {addr:#x} of a Tensix tile")).page(NOC_PAGE));
    }
    Ok(low)
}

fn unmapped(addr: u32) -> Fault {
    Fault::program(format!("nothing is mapped at {addr:#010x}, or not for accesses of this size"))
        .page(NOC_PAGE)
}

const NOC_PAGE: &str = "NoC/MemoryMap.md";
