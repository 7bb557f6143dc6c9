//! The core's place in its tile: where its code comes from, its local RAM, and whether it runs.

use tt_isa::eth;
use tt_isa::map;

use super::{Activity, EthernetTile, PAGE};
use crate::fault::Fault;
use crate::model::noc::Request;
use crate::model::rv32::{CodeCache, Hart, PAGE_BYTES, no_code};

const L1_PAGES: usize = eth::L1_SIZE.div_ceil(PAGE_BYTES) as usize;
/// Pages of code in a tile: L1, then instruction RAM.
pub(super) const CODE_PAGES: usize = L1_PAGES + eth::IRAM_SIZE.div_ceil(PAGE_BYTES) as usize;
/// Where instruction RAM starts, counted from the first page.
pub(super) const IRAM_CODE: u32 = L1_PAGES as u32 * PAGE_BYTES;

impl EthernetTile {
    /// Whether the core could go on.
    pub fn is_awake(&self) -> bool {
        match self.activity {
            Activity::Firmware | Activity::Reset => false,
            Activity::Awake => true,
            Activity::Asleep(seen) => seen != self.changes,
        }
    }

    /// Wakes the core if it could go on; whether it could.
    pub fn wake(&mut self) -> bool {
        let awake = self.is_awake();
        if awake {
            self.activity = Activity::Awake;
        }
        awake
    }

    /// The core has nothing to do until something changes.
    pub fn sleep(&mut self) {
        if self.activity == Activity::Awake {
            self.activity = Activity::Asleep(self.changes);
        }
    }

    /// Whether the core sleeps, or did when something last woke it.
    pub fn is_asleep(&self) -> bool {
        matches!(self.activity, Activity::Asleep(_))
    }

    /// Whether the core has begun anew since this was asked last.
    pub fn take_started(&mut self) -> bool {
        std::mem::take(&mut self.started)
    }

    /// Requests that have been made and that no one has taken.
    pub fn requests(&self) -> &[Request] {
        &self.port.outbox
    }

    /// A NIU takes the request that was made last only at a clock.
    pub fn keep_niu_busy(&mut self, noc: u8, until: u64) {
        self.port.niu[usize::from(noc)].keep_busy(until);
    }

    /// Whether the core is held in reset.
    pub fn is_held(&self) -> bool {
        self.activity == Activity::Reset
    }

    /// Takes the core and the tile's decoded code out of the tile, to execute: the core works on its own copy.
    pub fn take_hart(&mut self) -> (Hart, CodeCache) {
        (std::mem::take(&mut self.hart), std::mem::take(&mut self.code))
    }

    /// Puts both back.
    pub fn put_hart(&mut self, hart: Hart, code: CodeCache) {
        self.code = code;
        self.hart = hart;
    }

    /// Its core.
    pub fn hart(&self) -> &Hart {
        &self.hart
    }

    /// RISC-V instructions executed so far.
    pub fn instructions(&self) -> u64 {
        self.hart.executed
    }

    /// The core's next pc, if it executes code.
    pub fn pc(&self) -> Option<u32> {
        matches!(self.activity, Activity::Awake | Activity::Asleep(_)).then_some(self.hart.pc)
    }

    /// Number of the page of code at `pc`.
    ///
    /// # Errors
    /// The core cannot execute code from there.
    pub fn code_page(pc: u32) -> Result<usize, Fault> {
        let at = if pc < eth::L1_SIZE { Some(pc) } else { iram_offset(pc).map(|at| at + IRAM_CODE) };
        at.map(|at| (at / PAGE_BYTES) as usize).ok_or_else(|| no_code(pc, PAGE))
    }

    /// The code word at `pc`.
    ///
    /// # Errors
    /// The core cannot execute code from there.
    pub fn fetch(&self, pc: u32) -> Result<u32, Fault> {
        let bytes = match iram_offset(pc) {
            Some(at) => self.iram.get(at as usize..at as usize + 4),
            None => self.l1.get(pc, 4),
        };
        let word = bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| no_code(pc, PAGE))?;
        Ok(u32::from_le_bytes(word))
    }

    /// The core's local RAM.
    #[inline(always)]
    pub fn local_ram(&mut self) -> &mut [u8] {
        &mut self.local
    }

    /// Counts what a sleeping core could have waited for.
    #[inline(always)]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Something has changed that a sleeping core could wait for.
    #[inline(always)]
    pub fn changed(&mut self) {
        self.changes += 1;
    }
}

fn iram_offset(pc: u32) -> Option<u32> {
    let offset = pc.wrapping_sub(map::IRAM_BASE);
    (offset < eth::IRAM_SIZE).then_some(offset)
}
