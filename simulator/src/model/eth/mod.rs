//! An Ethernet tile: one RISC-V core, 256 KiB of L1, two NIUs, and one end of a link to another chip
//! (`EthernetTile/BabyRISCV/README.md`, `EthernetTile/EthernetTxRx.md`).
//!
//! ```text
//! core -> transmit queue -> line -> outbox -> (between quanta) -> receive queue of the other tile -> L1, registers
//! ```
//!
//! Silicon runs the vendor's firmware on the core, and hosts of boards with several chips need it; its code is closed
//! source. [`firmware`] imitates what host software sees of it, without executing instructions: a core without code of
//! its own is not stepped at all. Customers' code is executed as on Tensix tiles.

use tt_isa::eth;
use tt_isa::eth::firmware::HEARTBEAT;
use tt_isa::map;
use tt_isa::noc::{MMIO_BASE, NocXy};
use tt_isa::timing::Timing;

use crate::fault::Fault;
use crate::model::l1::L1;
use crate::model::noc::{Niu, Overlay, Port};
use crate::model::rv32::{CodeCache, Hart};

mod core;
pub mod firmware;
pub mod line;
mod mmio;
pub mod queues;

use line::{Line, LineUsage, Passage};
use queues::{Frame, Queues};

/// Page of the documents.
pub const PAGE: &str = "EthernetTile/BabyRISCV/README.md";

/// What the core does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Activity {
    /// The firmware has it, and executes nothing.
    Firmware,
    /// Held in reset.
    Reset,
    /// Has something to do.
    Awake,
    /// Nothing to do until the tile's change count differs from this.
    Asleep(u64),
}

/// A tile.
pub struct EthernetTile {
    position: NocXy,
    /// NIUs, and requests on their way out.
    port: Port,
    l1: L1,
    /// Packets on their way to the other end of the link.
    outbox: Vec<Frame>,
    hart: Hart,
    activity: Activity,
    /// The core has begun anew since that was asked last.
    started: bool,
    local: Box<[u8]>,
    iram: Box<[u8]>,
    code: CodeCache,
    queues: Queues,
    line: Line,
    overlay: Overlay,
    /// MAC words, by the order of [`eth::MAC_ON`].
    mac: [u32; 2],
    test_sum: u32,
    /// Clock at which the watchdog comes to zero if it runs, otherwise what it holds; its control word.
    watchdog: (u64, u32),
    /// Counts what a sleeping core could have waited for.
    changes: u64,
    clock: u64,
    /// High half of the clock when its low half was last read.
    clock_high: u32,
    firmware: firmware::State,
}

impl EthernetTile {
    /// A tile whose firmware has booted and found nothing at the other end of the link.
    pub fn new(position: NocXy, niu: [Niu; 2], identity: &firmware::Identity) -> Self {
        let mut tile = Self {
            position,
            port: Port::new(niu),
            l1: L1::new(eth::L1_SIZE),
            outbox: Vec::new(),
            hart: Hart::default(),
            activity: Activity::Firmware,
            local: vec![0; eth::LOCAL_RAM_SIZE as usize].into_boxed_slice(),
            iram: vec![0; eth::IRAM_SIZE as usize].into_boxed_slice(),
            code: CodeCache::new(self::core::CODE_PAGES),
            queues: Queues::default(),
            line: Line::default(),
            started: false,
            overlay: Overlay::new(true, eth::STREAMS),
            mac: eth::MAC_ON.map(|(_, on)| on),
            test_sum: 0,
            watchdog: (u32::MAX.into(), 0),
            changes: 0,
            clock: 0,
            clock_high: 0,
            firmware: firmware::State::default(),
        };
        tile.boot(identity);
        tile
    }

    /// NoC 0 position.
    pub fn position(&self) -> NocXy {
        self.position
    }

    /// L1.
    pub fn l1(&self) -> &L1 {
        &self.l1
    }

    /// L1, to be written by the core.
    #[inline(always)]
    pub fn l1_mut(&mut self) -> &mut L1 {
        &mut self.l1
    }

    /// Whether NoC requests wait.
    pub fn has_requests(&self) -> bool {
        !self.port.outbox.is_empty()
    }

    /// Takes the packets that wait to go over the link.
    pub fn take_frames(&mut self) -> Vec<Frame> {
        std::mem::take(&mut self.outbox)
    }

    /// Whether packets wait to go over the link.
    pub fn has_frames(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// From now on what goes over the link takes its time.
    pub fn keep_time(&mut self, timing: &'static Timing) {
        self.line.keep_time(timing);
    }

    /// The firmware sends so many bytes over the link.
    pub fn send(&mut self, clock: u64, bytes: u32) -> Passage {
        self.line.send(clock, None, bytes)
    }

    /// What the link has carried from here.
    pub fn line_usage(&self) -> LineUsage {
        self.line.usage()
    }

    /// The tile's clock.
    pub fn clock(&self) -> u64 {
        self.clock
    }

    /// Tells the time.
    pub fn set_clock(&mut self, clock: u64) {
        self.clock = clock;
    }

    /// The tile's NIUs; the caller changes counters, so a sleeper wakes.
    pub fn port_mut(&mut self) -> &mut Port {
        self.changes += 1;
        &mut self.port
    }

    /// Writes `SOFT_RESET_0`. Only the core's bit is there.
    fn set_soft_reset(&mut self, value: u32) {
        let held = value & eth::SOFT_RESET_BIT != 0;
        if held {
            self.activity = Activity::Reset;
        } else if self.activity == Activity::Reset {
            self.leave_reset();
        }
        self.changes += 1;
    }

    fn soft_reset(&self) -> u32 {
        if self.activity == Activity::Reset { eth::SOFT_RESET_BIT } else { 0 }
    }

    /// Lets the core execute from `pc` on.
    fn start(&mut self, pc: u32) {
        self.hart.reset(pc);
        self.activity = Activity::Awake;
        self.started = true;
    }

    /// Reads memory or registers over the NoC. Registers are read one word, or a part of one, at a time.
    ///
    /// # Errors
    /// Nothing is there.
    pub fn noc_read(&mut self, addr: u64, out: &mut [u8]) -> Result<(), Fault> {
        let position = self.position;
        let addr = self.noc_address(addr)?;
        if addr == HEARTBEAT {
            self.beat();
        }
        if let Some(bytes) = self.l1.get(addr, out.len()) {
            out.copy_from_slice(bytes);
            return Ok(());
        }
        let at = addr as usize % 4;
        if u64::from(addr) < MMIO_BASE || at + out.len() > 4 {
            return Err(unmapped(addr).in_tile(position));
        }
        let word = self.register_read(addr & !3).map_err(|fault| fault.in_tile(position))?;
        out.copy_from_slice(&word.to_le_bytes()[at..at + out.len()]);
        Ok(())
    }

    /// Writes memory or registers over the NoC.
    ///
    /// # Errors
    /// Nothing is there.
    pub fn noc_write(&mut self, addr: u64, data: &[u8]) -> Result<(), Fault> {
        let position = self.position;
        let addr = self.noc_address(addr)?;
        if self.write_l1(addr, data) {
            return Ok(());
        }
        match data.try_into() {
            Ok(word) if addr.is_multiple_of(4) => self.register_write(addr, u32::from_le_bytes(word)),
            _ => Err(unmapped(addr)),
        }
        .map_err(|fault| fault.in_tile(position))
    }

    /// Writes L1; `false` if that is not where the bytes go.
    fn write_l1(&mut self, addr: u32, data: &[u8]) -> bool {
        let Some(bytes) = self.l1.get_mut(addr, data.len()) else { return false };
        bytes.copy_from_slice(data);
        self.code.written(addr, data.len());
        self.changes += 1;
        true
    }

    fn noc_address(&self, addr: u64) -> Result<u32, Fault> {
        let low = addr as u32;
        let is_niu = (map::NIU_BASE..map::NIU_BASE + 2 * map::NIU_STRIDE).contains(&low);
        if addr >> 32 != 0 && !is_niu {
            let what = format!("NoC address {addr:#x} of an Ethernet tile");
            return Err(Fault::program(what).page("NoC/MemoryMap.md").in_tile(self.position));
        }
        Ok(low)
    }
}

fn unmapped(addr: u32) -> Fault {
    Fault::program(format!("nothing is mapped at {addr:#010x} of an Ethernet tile, or not for this access"))
        .page(PAGE)
}
