//! A Tensix tile: five RISC-V cores, the coprocessor, L1 and two NIUs.
//!
//! A tile runs on its own for a quantum: what its cores do reaches only its own memory and registers. NoC requests
//! wait in its outbox until the chip delivers them between quanta, in a fixed order; reads of DRAM, which does not change
//! in a quantum, only until no core can go on. So tiles can run on any number of host threads with the same results.
//!
//! A core that only polls, or that waits for the coprocessor, sleeps until something in the tile changes.

use std::collections::VecDeque;

use tt_isa::map::{self, RiscV};
use tt_isa::noc::{MMIO_BASE, NocXy};
use tt_isa::overlay::TENSIX_STREAMS;

use crate::asynchronous::Async;
use crate::fault::Fault;
use crate::l1::L1;
use crate::noc::reads::{Memory, Reads};
use crate::noc::{Niu, Overlay, Port};
use crate::rv32::{CodeCache, Hart};
use crate::tensix::{Tensix, TileRequest};
use crate::trace::Recorder;

pub(crate) mod hart;
pub(crate) mod mmio;
mod mover;
mod tdma;

const HARTS: usize = 5;
/// Instructions of a core before its siblings' turn.
const SLICE: u32 = 1024;

/// Whether a core may run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Activity {
    /// Held in reset.
    Reset,
    /// Has something to do.
    Awake,
    /// Nothing to do until the tile's change count differs from this.
    Asleep(u64),
}

/// A tile.
pub struct Tile {
    /// NoC 0 position.
    pub position: NocXy,
    /// NIUs, and requests on their way out.
    pub port: Port,
    /// Reads that are done and that the chip has not counted.
    pub(crate) reads: Reads,
    /// Overlay streams.
    overlay: Overlay,
    /// L1.
    pub l1: L1,
    /// The coprocessor.
    pub tensix: Tensix,
    pub(crate) harts: [Hart; HARTS],
    pub(crate) activity: [Activity; HARTS],
    local: [Box<[u8]>; HARTS],
    iram: Box<[u8]>,
    /// Instruction RAM was written since the cores' decoded code was last looked after.
    iram_written: bool,
    pub(crate) code: CodeCache,
    soft_reset: u32,
    /// Counts what sleeping cores could have waited for.
    pub(crate) changes: u64,
    /// Clocks since the chip was powered on.
    clock: u64,
    /// Words on their way, by sender and receiver: B, T0, T1, T2.
    pub(crate) mailboxes: [[VecDeque<u32>; 4]; 4],
    tdma: tdma::TdmaRisc,
    /// Cores that have left reset since the asynchronous mode last looked, a bit each.
    pub(crate) released: u8,
    /// What the asynchronous mode keeps beside the tile; not here while the tile runs.
    pub(crate) asynchronous: Option<Box<Async>>,
    /// Whether the tile runs in the asynchronous mode.
    pub(crate) is_asynchronous: bool,
    /// Notes what happens, while it is traced.
    pub recorder: Option<Box<Recorder>>,
}

impl Tile {
    /// A tile after power-on.
    pub fn new(position: NocXy, niu: [Niu; 2]) -> Self {
        let local = RiscV::ALL.map(|core| vec![0; core.local_ram_size() as usize].into_boxed_slice());
        Self {
            position,
            port: Port::new(niu),
            reads: Reads::default(),
            overlay: Overlay::new(false, TENSIX_STREAMS),
            l1: L1::default(),
            tensix: Tensix::default(),
            harts: Default::default(),
            activity: [Activity::Reset; HARTS],
            local,
            iram: vec![0; map::IRAM_SIZE as usize].into_boxed_slice(),
            iram_written: false,
            code: CodeCache::new(hart::CODE_PAGES),
            soft_reset: map::SOFT_RESET_ALL,
            changes: 0,
            clock: 0,
            mailboxes: Default::default(),
            tdma: Default::default(),
            released: 0,
            asynchronous: None,
            is_asynchronous: false,
            recorder: None,
        }
    }

    /// Runs asynchronously from now on, with delays of the `index`-th tile of a seed.
    pub fn run_asynchronously(&mut self, seed: u64, index: usize) {
        self.l1.enable_trace();
        self.tensix.enable_trace();
        self.asynchronous = Some(Box::new(Async::new(seed, index)));
        self.is_asynchronous = true;
    }

    /// A core's registers.
    pub fn hart(&self, core: RiscV) -> &Hart {
        &self.harts[core as usize]
    }

    /// Whether a core is out of reset.
    pub fn is_running(&self, core: RiscV) -> bool {
        self.activity[core as usize] != Activity::Reset
    }

    /// Whether any core or the coprocessor could go on.
    pub fn is_awake(&self) -> bool {
        let pending = self.asynchronous.as_ref().is_some_and(|state| state.pending(self));
        pending
            || self.activity.iter().any(|a| match a {
                Activity::Reset => false,
                Activity::Awake => true,
                Activity::Asleep(seen) => *seen != self.changes,
            })
    }

    /// RISC-V instructions executed so far.
    pub fn instructions(&self) -> u64 {
        self.harts.iter().map(|hart| hart.executed).sum()
    }

    /// Runs for at most `budget` instructions a core.
    ///
    /// # Errors
    /// The first fault; the tile stays as it is then.
    pub(crate) fn run(&mut self, budget: u32, memory: Memory) -> Result<(), Fault> {
        let position = self.position;
        self.record_quantum(budget);
        let result = self.run_unlocated(budget, memory);
        if let Some(recorder) = &mut self.recorder {
            recorder.coprocessor(&mut self.tensix);
        }
        result.map_err(|fault| fault.in_tile(position))
    }

    fn run_unlocated(&mut self, budget: u32, memory: Memory) -> Result<(), Fault> {
        if self.is_asynchronous {
            return self.run_async(budget);
        }
        let mut left = [budget; HARTS];
        loop {
            let mut ran = false;
            for i in 0..HARTS {
                if left[i] == 0 || !self.wake(i) {
                    continue;
                }
                let executed = self.run_hart(i, left[i].min(SLICE))?;
                left[i] -= executed.min(left[i]);
                ran = true;
                self.step_tensix()?;
            }
            if !ran && !self.do_reads(memory) {
                break;
            }
        }
        Ok(())
    }

    /// Tells the time.
    pub fn set_clock(&mut self, clock: u64) {
        self.clock = clock;
    }

    /// Lets the coprocessor go on as far as it can.
    fn step_tensix(&mut self) -> Result<(), Fault> {
        if self.tensix.idle() || self.is_asynchronous {
            return Ok(());
        }
        let idle = |t: &Tensix| [0, 1, 2].map(|thread| t.thread_idle(thread));
        let before = idle(&self.tensix);
        loop {
            if self.tensix.step(&mut self.l1)? || idle(&self.tensix) != before {
                self.changes += 1;
            }
            let requests = std::mem::take(&mut self.tensix.requests);
            if requests.is_empty() {
                return Ok(());
            }
            for request in requests {
                self.serve_tensix(request)?;
            }
        }
    }

    /// Does what the coprocessor asks for.
    pub(crate) fn serve_tensix(&mut self, request: TileRequest) -> Result<(), Fault> {
        match request {
            TileRequest::Write { addr, value } => self.external_register_write(addr, value),
            TileRequest::Move(order) => self.run_mover(order),
            TileRequest::Read { addr, thread, gpr } => {
                self.tensix.gpr[thread][gpr] = self.external_register_read(addr)?;
                Ok(())
            }
        }
    }

    /// Whether core `i` may run; wakes it if something has changed since it fell asleep.
    pub(crate) fn wake(&mut self, i: usize) -> bool {
        match self.activity[i] {
            Activity::Reset => false,
            Activity::Awake => true,
            Activity::Asleep(seen) => {
                let wake = seen != self.changes;
                if wake {
                    self.activity[i] = Activity::Awake;
                }
                wake
            }
        }
    }

    /// Writes `SOFT_RESET_0`: cores whose bit goes from one to zero start.
    fn set_soft_reset(&mut self, value: u32) -> Result<(), Fault> {
        if value & !map::SOFT_RESET_ALL != 0 {
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
        let word = |index| self.tensix.cfg.word(0, index);
        let (enabled, pc) = match core {
            RiscV::Brisc => (false, 0),
            RiscV::Ncrisc => {
                (word(map::NCRISC_RESET_PC_OVERRIDE_CFG) & 1 != 0, word(map::NCRISC_RESET_PC_CFG))
            }
            _ => {
                let n = core as u32 - RiscV::Trisc0 as u32;
                let enabled = word(map::TRISC_RESET_PC_OVERRIDE_CFG) >> n & 1 != 0;
                (enabled, word(map::TRISC_RESET_PC_CFG[n as usize]))
            }
        };
        if enabled { pc } else { core.default_reset_pc() }
    }

    /// Whether NoC requests wait.
    pub fn has_requests(&self) -> bool {
        !self.port.outbox.is_empty()
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
            if let Some(state) = &mut self.asynchronous {
                state.visited(addr, out.len() as u32, false).map_err(|fault| fault.in_tile(position))?;
            }
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
            if let Some(state) = &mut self.asynchronous {
                state.visited(addr, data.len() as u32, true).map_err(|fault| fault.in_tile(position))?;
            }
            return Ok(());
        }
        match data.try_into() {
            Ok(word) if addr % 4 == 0 => self.external_register_write(addr, u32::from_le_bytes(word)),
            _ => Err(unmapped(addr)),
        }
        .map_err(|fault| fault.in_tile(position))
    }
}

/// A tile's NoC address space has 32 bits that mean anything; NIU registers show whatever the bits above are.
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
