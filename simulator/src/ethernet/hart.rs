//! Runs the core of an Ethernet tile: what its loads, stores and fetches reach.

use tt_isa::eth;
use tt_isa::map;

use super::{Activity, EthernetTile, PAGE};
use crate::fault::Fault;
use crate::rv32::{Access, Bus, PAGE_BYTES, Stop, check_register_store, lane, no_code};

const L1_PAGES: usize = eth::L1_SIZE.div_ceil(PAGE_BYTES) as usize;
/// Pages of code in a tile: L1, then instruction RAM.
pub(super) const CODE_PAGES: usize = L1_PAGES + eth::IRAM_SIZE.div_ceil(PAGE_BYTES) as usize;
/// Where instruction RAM starts, counted from the first page.
pub(super) const IRAM_CODE: u32 = L1_PAGES as u32 * PAGE_BYTES;

impl EthernetTile {
    /// Runs the core for at most `budget` instructions.
    ///
    /// # Errors
    /// The core's fault; the tile stays as it is then.
    pub fn run(&mut self, budget: u32) -> Result<(), Fault> {
        let mut left = budget;
        while left > 0 && self.wake() {
            let executed = self.run_hart(left).map_err(|fault| fault.in_tile(self.position))?;
            left -= executed.clamp(1, left);
        }
        Ok(())
    }

    fn wake(&mut self) -> bool {
        let awake = self.is_awake();
        if awake {
            self.activity = Activity::Awake;
        }
        awake
    }

    fn run_hart(&mut self, budget: u32) -> Result<u32, Fault> {
        // The core works on its own copy; the tile's is for others to look at.
        let mut hart = std::mem::take(&mut self.hart);
        let mut code = std::mem::take(&mut self.code);
        let before = hart.executed;
        let result = hart.run(&mut code, &mut CoreBus { tile: self }, budget);
        let (pc, executed) = (hart.pc, hart.executed - before);
        self.code = code;
        self.hart = hart;
        let stop = result.map_err(|fault| fault.at_pc(pc))?;
        if self.activity == Activity::Awake && matches!(stop, Stop::Blocked | Stop::Spinning) {
            self.activity = Activity::Asleep(self.changes);
        }
        Ok(executed as u32)
    }
}

/// A tile as its core sees it.
struct CoreBus<'a> {
    tile: &'a mut EthernetTile,
}

fn iram_offset(pc: u32) -> Option<u32> {
    let offset = pc.wrapping_sub(map::IRAM_BASE);
    (offset < eth::IRAM_SIZE).then_some(offset)
}

impl Bus for CoreBus<'_> {
    #[inline(always)]
    fn l1(&mut self) -> &mut [u8] {
        self.tile.l1.bytes_mut()
    }

    #[inline(always)]
    fn local(&mut self) -> &mut [u8] {
        &mut self.tile.local
    }

    fn code_page(&self, pc: u32) -> Result<usize, Fault> {
        let at = if pc < eth::L1_SIZE { Some(pc) } else { iram_offset(pc).map(|at| at + IRAM_CODE) };
        at.map(|at| (at / PAGE_BYTES) as usize).ok_or_else(|| no_code(pc, PAGE))
    }

    fn fetch(&self, pc: u32) -> Result<u32, Fault> {
        let bytes = match iram_offset(pc) {
            Some(at) => self.tile.iram.get(at as usize..at as usize + 4),
            None => self.tile.l1.get(pc, 4),
        };
        let word = bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| no_code(pc, PAGE))?;
        Ok(u32::from_le_bytes(word))
    }

    fn load(&mut self, addr: u32, size: u32) -> Result<Access<u32>, Fault> {
        let word = self.tile.register_read(addr & !3)?;
        let value = lane(word, addr, size);
        Ok(if self.tile.is_volatile(addr & !3) { Access::Volatile(value) } else { Access::Done(value) })
    }

    fn store(&mut self, addr: u32, size: u32, value: u32) -> Result<Access<()>, Fault> {
        check_register_store(addr, size, PAGE)?;
        self.tile.register_write(addr, value).map(Access::Done)
    }

    fn push(&mut self, word: u32) -> Result<Access<()>, Fault> {
        Err(Fault::program(format!(
            "Tensix instruction {word:#010x} in line: Ethernet tiles have no coprocessor"
        ))
        .page(PAGE))
    }

    #[inline(always)]
    fn changed(&mut self) {
        self.tile.changes += 1;
    }

    #[inline(always)]
    fn changes(&self) -> u64 {
        self.tile.changes
    }

    fn held(&self) -> bool {
        self.tile.activity == Activity::Reset
    }
}
