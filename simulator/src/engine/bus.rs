//! A Tensix tile as one of its cores sees it, while the core executes.
//!
//! Some loads and stores must wait for the coprocessor: a push into a full FIFO, a load from TTSync. If the policy runs the
//! coprocessor on demand ([`Policy::ON_DEMAND`]), it catches up at that point; otherwise the core retries later.

use tt_isa::map::RiscV;

use super::Policy;
use super::pipeline;
use crate::fault::Fault;
use crate::model::rv32::{Access, Bus, CodeCache, Op, check_register_store, lane};
use crate::model::tile::{Activity, Tile, mmio};
use crate::observe::{Executing, Observer, Stored};

const PAGE: &str = "TensixTile/BabyRISCV/README.md";

/// A tile as one of its cores sees it.
pub struct CoreBus<'a, P, O> {
    /// The tile.
    pub tile: &'a mut Tile,
    /// When the coprocessor's instructions happen.
    pub policy: &'a mut P,
    /// The observer.
    pub observer: &'a mut O,
    /// The core, and for observers of accesses the instruction.
    pub now: Executing,
    /// L1 address that was stored to, by observed accesses.
    pub stored: Option<u32>,
    /// What was loaded may change by itself.
    pub volatile: bool,
    /// Cores that have left reset by observed stores, a bit each.
    pub released: u8,
}

impl<'a, P, O> CoreBus<'a, P, O> {
    /// The bus of a core whose instructions are not observed one by one.
    #[inline(always)]
    pub fn new(tile: &'a mut Tile, policy: &'a mut P, observer: &'a mut O, core: RiscV) -> Self {
        Self::executing(tile, policy, observer, Executing { core, pc: 0, op: Op::UNKNOWN })
    }

    /// The bus of a core that executes one instruction.
    #[inline(always)]
    pub fn executing(tile: &'a mut Tile, policy: &'a mut P, observer: &'a mut O, now: Executing) -> Self {
        Self { tile, policy, observer, now, stored: None, volatile: false, released: 0 }
    }
}

impl<P: Policy, O: Observer> CoreBus<'_, P, O> {
    /// Lets the coprocessor go on before the core gives up its turn; whether it may have.
    fn catch_up(&mut self) -> Result<bool, Fault> {
        if P::ON_DEMAND {
            pipeline::run_all(self.tile, self.policy, self.observer)?;
        }
        Ok(P::ON_DEMAND)
    }

    fn load_register(&mut self, addr: u32) -> Result<Access<u32>, Fault> {
        let core = self.now.core;
        if mmio::is_sync(core, addr) {
            self.catch_up()?;
        }
        match self.tile.register_load(core, addr)? {
            Access::Retry if self.catch_up()? => self.tile.register_load(core, addr),
            access => Ok(access),
        }
    }

    fn store_register(&mut self, addr: u32, value: u32) -> Result<Access<()>, Fault> {
        let core = self.now.core;
        match self.tile.register_store(core, addr, value)? {
            Access::Retry if self.catch_up()? => self.tile.register_store(core, addr, value),
            access => Ok(access),
        }
    }

    fn observed_load(&mut self, addr: u32) -> Result<Access<u32>, Fault> {
        self.observer.before_load(&self.now, addr)?;
        let register = addr & !3;
        self.tile.start_log();
        let access = self.load_register(register)?;
        let log = self.tile.take_log();
        if access != Access::Retry {
            self.observer.loaded(&self.now, register, &log.config)?;
        }
        self.volatile |= matches!(access, Access::Volatile(_));
        Ok(access)
    }

    fn observed_store(&mut self, addr: u32, value: u32) -> Result<Access<()>, Fault> {
        self.observer.before_store(&self.now, addr)?;
        let requests = self.tile.outbox().len();
        self.tile.start_log();
        let access = self.store_register(addr, value)?;
        let log = self.tile.take_log();
        if access != Access::Retry {
            let released = self.tile.take_released();
            self.released |= released;
            let requests = &self.tile.outbox()[requests..];
            let store = Stored { addr, value, config: &log.config, requests, released };
            self.observer.stored(&self.now, &store)?;
        }
        Ok(access)
    }

    fn load_l1(&mut self, addr: u32, size: u32) -> Result<u32, Fault> {
        self.observer.load_l1(&self.now, self.tile, addr, size)?;
        let bytes = self.tile.l1().get(addr, size as usize).ok_or_else(|| beyond_l1(addr))?;
        let mut value = [0; 4];
        value[..size as usize].copy_from_slice(bytes);
        Ok(u32::from_le_bytes(value))
    }

    fn store_l1(&mut self, addr: u32, size: u32, value: u32) -> Result<(), Fault> {
        self.observer.store_l1(&self.now, addr, size)?;
        let bytes = self.tile.l1_mut().get_mut(addr, size as usize).ok_or_else(|| beyond_l1(addr))?;
        bytes.copy_from_slice(&value.to_le_bytes()[..size as usize]);
        self.tile.l1_mut().settle();
        self.tile.changed();
        self.stored = Some(addr);
        Ok(())
    }
}

impl<P: Policy, O: Observer> Bus for CoreBus<'_, P, O> {
    const PACED: bool = P::PACED;

    #[inline(always)]
    fn may_execute(&mut self, pc: u32, op: &Op, operands: [u32; 2]) -> bool {
        self.policy.may_execute(self.tile, self.now.core, pc, op, operands)
    }

    /// Empty if accesses are observed: then they go through [`Bus::load`] and [`Bus::store`].
    #[inline(always)]
    fn l1(&mut self) -> &mut [u8] {
        if O::ACCESSES { &mut [] } else { self.tile.l1_mut().bytes_mut() }
    }

    #[inline(always)]
    fn local(&mut self) -> &mut [u8] {
        self.tile.local_ram(self.now.core)
    }

    #[inline]
    fn code_page(&self, pc: u32) -> Result<usize, Fault> {
        self.tile.code_page(self.now.core, pc)
    }

    fn fetch(&self, pc: u32) -> Result<u32, Fault> {
        self.tile.fetch(self.now.core, pc)
    }

    fn load(&mut self, addr: u32, size: u32) -> Result<Access<u32>, Fault> {
        if O::ACCESSES && addr < self.tile.l1().size() {
            return self.load_l1(addr, size).map(Access::Done);
        }
        let access = if O::ACCESSES { self.observed_load(addr)? } else { self.load_register(addr & !3)? };
        Ok(match access {
            Access::Done(word) => Access::Done(lane(word, addr, size)),
            Access::Volatile(word) => Access::Volatile(lane(word, addr, size)),
            Access::Retry => Access::Retry,
        })
    }

    fn store(&mut self, addr: u32, size: u32, value: u32) -> Result<Access<()>, Fault> {
        if O::ACCESSES && addr < self.tile.l1().size() {
            return self.store_l1(addr, size, value).map(Access::Done);
        }
        check_register_store(addr, size, PAGE)?;
        if O::ACCESSES { self.observed_store(addr, value) } else { self.store_register(addr, value) }
    }

    fn push(&mut self, word: u32) -> Result<Access<()>, Fault> {
        let core = self.now.core;
        let access = match self.tile.push_inline(core, word)? {
            Access::Retry if self.catch_up()? => self.tile.push_inline(core, word)?,
            access => access,
        };
        if access != Access::Retry
            && let Some(thread) = core.tensix_thread()
        {
            self.observer.pushed(core, thread as usize, word);
        }
        Ok(access)
    }

    #[inline(always)]
    fn forget_changed(&mut self, code: &mut CodeCache) {
        self.tile.forget_changed(code);
    }

    #[inline(always)]
    fn changed(&mut self) {
        self.tile.changed();
    }

    #[inline(always)]
    fn changes(&self) -> u64 {
        self.policy.changes(self.tile, self.now.core)
    }

    fn held(&self) -> bool {
        self.tile.activity(self.now.core) == Activity::Reset
    }
}

fn beyond_l1(addr: u32) -> Fault {
    Fault::program(format!("access across the end of L1 at {addr:#010x}")).page("TensixTile/L1.md")
}
