//! Runs the cores of a tile one instruction at a time, each with pauses, and looks at what they load and store.

use tt_isa::map::{self, RiscV};
use tt_isa::noc::{TRANSACTION_IDS, reg};

use super::Async;
use super::clock::{CORES, Clock, Component, Response};
use super::code;
use super::core::Region;
use super::report::RequestInfo;
use super::shadow::Access as Touch;
use super::trace::ConfigAccess;
use crate::fault::Fault;
use crate::rv32::{Access, Bus, Kind, Op, Retired, Stop, decode};
use crate::tensix::THREADS;
use crate::tile::hart::CoreBus;
use crate::tile::mmio;
use crate::tile::{Activity, Tile};

/// A core pauses once in so many instructions.
const PAUSE_ONCE_IN: u64 = 24;

impl Tile {
    /// Runs for `budget` clocks in the asynchronous mode.
    pub(crate) fn run_async(&mut self, budget: u32) -> Result<(), Fault> {
        let Some(mut state) = self.asynchronous.take() else {
            return Err(Fault::internal("an asynchronous tile without its state"));
        };
        let end = state.now + u64::from(budget);
        if let Some(recorder) = &mut self.recorder {
            recorder.begin_asynchronous(state.now);
        }
        let result = self.run_until(&mut state, end);
        self.asynchronous = Some(state);
        result
    }

    fn run_until(&mut self, state: &mut Async, end: u64) -> Result<(), Fault> {
        let clock = state.so_far();
        self.start_released(state, &clock);
        while state.now < end {
            let mut moved = state.retire(self);
            for core in RiscV::ALL {
                moved |= self.core_step(state, core)?;
            }
            for thread in 0..THREADS {
                moved |= state.thread_step(self, thread)?;
            }
            state.now += 1;
            if !moved {
                // Nothing happens before the next pause or delay ends.
                state.now = self.next_event(state).clamp(state.now, end);
            }
        }
        Ok(())
    }

    /// When something may happen by itself.
    fn next_event(&self, state: &Async) -> u64 {
        let waits = |i: &usize| match self.activity[*i] {
            Activity::Reset => false,
            Activity::Awake => true,
            Activity::Asleep(seen) => seen != self.changes,
        };
        let cores = (0..CORES).filter(waits).map(|i| state.cores[i].pause);
        let threads = (0..THREADS).filter(|&t| state.may_move(self, t)).map(|t| state.threads[t].pause);
        let units = state.units.iter().filter_map(|unit| unit.flights.front().map(|flight| flight.done));
        cores.chain(threads).chain(units).filter(|&at| at >= state.now).min().unwrap_or(u64::MAX)
    }

    /// Cores that have left reset: whoever released them knew `clock`.
    fn start_released(&mut self, state: &mut Async, clock: &Clock) {
        let released = std::mem::take(&mut self.released);
        for core in RiscV::ALL {
            if released >> core as usize & 1 == 1 {
                state.start(core, clock);
            }
        }
    }

    /// Lets a core execute an instruction, if it is not asleep or paused; whether it did anything.
    fn core_step(&mut self, state: &mut Async, core: RiscV) -> Result<bool, Fault> {
        let i = core as usize;
        if state.cores[i].pause > state.now || !self.wake(i) {
            return Ok(false);
        }
        let pc = self.harts[i].pc;
        let result = self.core_instruction(state, core, pc);
        let stop = result.map_err(|fault| fault.on_core(core, pc))?;
        if self.activity[i] == Activity::Awake && matches!(stop, Stop::Blocked | Stop::Spinning) {
            self.activity[i] = Activity::Asleep(self.changes);
        }
        self.record_state(state.now, core);
        if state.random.once_in(PAUSE_ONCE_IN) {
            state.cores[i].pause = state.now + state.core_pace[i].delay(&mut state.random);
        }
        Ok(stop != Stop::Blocked)
    }

    fn core_instruction(&mut self, state: &mut Async, core: RiscV, pc: u32) -> Result<Stop, Fault> {
        let i = core as usize;
        self.refresh_code();
        let word = self.fetch(core, pc)?;
        if state.caches.fetch(i, pc) {
            let what = format!(
                "{} at pc {pc:#010x}: the code has changed since its instruction cache was invalidated, and it \
                 may execute what was there before (seed {})",
                core.name(),
                state.seed
            );
            return Err(Fault::program(what).page("TensixTile/BabyRISCV/InstructionCache.md"));
        }
        let op = decode(word);
        state.cores[i].instruction(&op);
        let mut hart = std::mem::take(&mut self.harts[i]);
        let mut cache = std::mem::take(&mut self.code);
        let before = (hart.x, hart.executed);
        let mut bus = AsyncBus { tile: self, state, core, pc, op, stored: None };
        let result = hart.run(&mut cache, &mut bus, 1);
        let stored = bus.stored;
        self.code = cache;
        if let Some(addr) = stored {
            self.code.stored(addr);
        }
        if matches!(op.kind, Kind::Sw | Kind::Sh | Kind::Sb | Kind::TtInsn) {
            state.cores[i].effects += 1;
        }
        if hart.executed > before.1 {
            self.record_step(state.now, core, || Retired::new(pc, word, &before.0, &hart.x));
        }
        let at = hart.pc;
        let changes = self.changes + state.cores[i].effects;
        let spins = at <= pc && state.cores[i].spin.backward(at, &hart.x, changes);
        self.harts[i] = hart;
        match result? {
            Stop::Budget if spins => Ok(Stop::Spinning),
            stop => Ok(stop),
        }
    }

    /// Numbers the NoC requests that an instruction has just made, and looks at their ends in this tile.
    pub(crate) fn note_requests(
        &mut self,
        state: &mut Async,
        before: usize,
        by: (Option<RiscV>, u32),
        clock: &Clock,
    ) -> Result<(), Fault> {
        for &request in &self.port.outbox[before..] {
            let id = state.requests.len() as u32;
            state.requests.push(RequestInfo::new(request, by.0, by.1));
            state.outgoing.push_back((id, *clock));
            if let Some((addr, len, write)) = super::noc::own_end(&request) {
                let access = Touch { component: Component::UNDER_WAY, n: id + 1, write, mask: 0, what: id };
                if !write {
                    state.l1_initialised(addr, len, &access)?;
                }
                state.l1_access(addr, len, access, clock)?;
            }
        }
        Ok(())
    }
}

/// A tile as one of its cores sees it, in the asynchronous mode.
struct AsyncBus<'a> {
    tile: &'a mut Tile,
    state: &'a mut Async,
    core: RiscV,
    pc: u32,
    op: Op,
    /// L1 address that was stored to.
    stored: Option<u32>,
}

impl AsyncBus<'_> {
    fn start_trace(&self) {
        if let Some(trace) = self.tile.tensix.cfg.trace() {
            trace.start();
        }
    }

    /// Configuration words that were accessed since then.
    fn take_trace(&self) -> Vec<ConfigAccess> {
        self.tile.tensix.cfg.trace().map(|trace| trace.take()).unwrap_or_default()
    }

    fn index(&self) -> usize {
        self.core as usize
    }

    fn plain(&mut self) -> CoreBus<'_> {
        CoreBus { tile: self.tile, core: self.core }
    }

    /// A load of this core.
    fn load_touch(&self) -> Touch {
        let n = self.state.cores[self.index()].load_number();
        Touch { component: Component::loads(self.index()), n, write: false, mask: u32::MAX, what: self.pc }
    }

    /// Learns `clock` once the load has returned.
    fn learn_later(&mut self, clock: Clock) {
        let i = self.index();
        self.state.cores[i].learn_later(self.op.rd, clock, false);
    }

    fn load_l1(&mut self, addr: u32, size: u32) -> Result<u32, Fault> {
        let i = self.index();
        let touch = self.load_touch();
        self.state.l1_initialised(addr, size, &touch)?;
        let word = addr & !3;
        let mut news = self.state.cores[i].confirmed(Region::L1, addr);
        if self.polls() {
            let known = self.state.cores[i].knowledge();
            let unknown: Vec<Touch> =
                self.state.l1.cell(word).iter().filter(|old| old.write).copied().collect();
            news.join(&self.state.host);
            for old in unknown.iter().filter(|old| !known.covers(old.component, old.n)) {
                news.join(&self.state.known_by(old));
            }
        } else {
            let clock = self.state.cores[i].knowledge();
            self.state.l1_access(addr, size, touch, &clock)?;
        }
        self.learn_later(news);
        let bytes = self.tile.l1.get(addr, size as usize).ok_or_else(|| beyond_l1(addr))?;
        let mut value = [0; 4];
        value[..size as usize].copy_from_slice(bytes);
        Ok(u32::from_le_bytes(value))
    }

    /// Whether the load that is executed is a poll.
    fn polls(&mut self) -> bool {
        let (pc, op) = (self.pc, self.op);
        if let Some(&polls) = self.state.polls.get(&pc) {
            return polls;
        }
        let polls = code::is_poll(pc, &op, |pc| self.tile.fetch(self.core, pc).ok());
        self.state.polls.insert(pc, polls);
        polls
    }

    fn store_l1(&mut self, addr: u32, size: u32, value: u32) -> Result<(), Fault> {
        let i = self.index();
        let clock = self.state.cores[i].knowledge();
        let n = self.state.cores[i].store(Region::L1, addr);
        let touch = Touch { component: Component::stores(i), n, write: true, mask: 0, what: self.pc };
        self.state.l1_access(addr, size, touch, &clock)?;
        let bytes = self.tile.l1.get_mut(addr, size as usize).ok_or_else(|| beyond_l1(addr))?;
        bytes.copy_from_slice(&value.to_le_bytes()[..size as usize]);
        self.tile.changes += 1;
        self.stored = Some(addr);
        Ok(())
    }

    /// What a load from a register tells, after it.
    fn loaded(&mut self, addr: u32, touched: &[ConfigAccess]) -> Result<(), Fault> {
        let i = self.index();
        if self.core != RiscV::Ncrisc {
            if let Some((thread, offset)) =
                mmio::banked(self.core, addr, map::PC_BUF_BASE, map::PC_BUF_STRIDE)
            {
                return self.pc_buf_loaded(thread, offset);
            }
            if mmio::config(addr).is_some() || mmio::gpr(self.core, addr).is_some() {
                return self.config_loaded(addr, touched);
            }
            if let Some((other, offset)) = mmio::mailbox(addr) {
                if offset & 4 == 0
                    && let Some(clock) = self.state.mailboxes[other][i].pop_front()
                {
                    self.learn_later(clock);
                }
                return Ok(());
            }
        }
        for noc in 0..2 {
            if let Some(offset) = mmio::niu(addr, noc) {
                let clock = self.state.responses_so_far(noc, counted_by(offset));
                self.learn_later(clock);
            }
        }
        Ok(())
    }

    fn pc_buf_loaded(&mut self, thread: usize, offset: u32) -> Result<(), Fault> {
        let i = self.index();
        let clock = match offset {
            map::PC_BUF_TENSIX_SYNC if self.state.cores[i].sync_is_ordered(thread) => {
                self.state.thread_done(thread)
            }
            map::PC_BUF_MOP_SYNC if self.state.cores[i].sync_is_ordered(thread) => {
                let mut clock = Clock::ZERO;
                clock.learn(Component::mop(thread), self.state.threads[thread].mops[0]);
                clock
            }
            map::PC_BUF_TENSIX_SYNC | map::PC_BUF_MOP_SYNC => Clock::ZERO,
            _ => self.state.semaphores[mmio::semaphore(offset)?],
        };
        let sync = offset < map::PC_BUF_SEMAPHORE;
        self.state.cores[i].learn_later(self.op.rd, clock, sync);
        Ok(())
    }

    /// A load of configuration or a GPR: a read, and earlier stores have arrived.
    fn config_loaded(&mut self, addr: u32, touched: &[ConfigAccess]) -> Result<(), Fault> {
        let i = self.index();
        let (touch, clock) = (self.load_touch(), self.state.cores[i].knowledge());
        if let Some((thread, gpr)) = mmio::gpr(self.core, addr) {
            self.state.gpr_access(thread, gpr, touch, &clock)?;
        } else {
            self.state.config_access(touched, touch, &clock)?;
        }
        let news = self.state.cores[i].confirmed(Region::Config, addr);
        self.learn_later(news);
        Ok(())
    }

    /// What has to be right before a store to a register.
    fn before_store(&mut self, addr: u32) -> Result<(), Fault> {
        let i = self.index();
        if self.core == RiscV::Ncrisc || mmio::block(addr, map::MOP_CFG_BASE).is_none() {
            return Ok(());
        }
        let Some(thread) = self.core.tensix_thread() else { return Ok(()) };
        let thread = thread as usize;
        let mops = self.state.threads[thread].mops[0];
        if self.state.cores[i].clock().covers(Component::mop(thread), mops) {
            return Ok(());
        }
        let what = format!(
            "{} at pc {:#010x} writes the MOP expander's configuration while the expander may read it for one of \
             the {mops} MOPs so far: load MOPExpanderDoneCheck first and use the value (seed {})",
            self.core.name(),
            self.pc,
            self.state.seed
        );
        Err(Fault::program(what).page("TensixTile/TensixCoprocessor/MOPExpander.md"))
    }

    /// Bookkeeping after a store to a register.
    fn stored(
        &mut self,
        addr: u32,
        value: u32,
        requests: usize,
        touched: &[ConfigAccess],
    ) -> Result<(), Fault> {
        let i = self.index();
        if self.core != RiscV::Ncrisc {
            if let Some((thread, 0)) =
                mmio::banked(self.core, addr, map::INSTRN_BUF_BASE, map::INSTRN_BUF_STRIDE)
            {
                self.pushed(thread, value);
                return Ok(());
            }
            if mmio::config(addr).is_some() || mmio::gpr(self.core, addr).is_some() {
                return self.config_stored(addr, value, touched);
            }
            if let Some((thread, offset)) =
                mmio::banked(self.core, addr, map::PC_BUF_BASE, map::PC_BUF_STRIDE)
            {
                self.state.cores[i].store(Region::Other, addr);
                if offset < map::PC_BUF_SEMAPHORE {
                    self.state.cores[i].sync_stored(thread);
                } else {
                    let clock = self.state.cores[i].hand_over(Region::Other);
                    self.state.semaphores[mmio::semaphore(offset)?].join(&clock);
                }
                return Ok(());
            }
            if let Some((other, _)) = mmio::mailbox(addr) {
                self.state.cores[i].store(Region::Other, addr);
                let clock = self.state.cores[i].hand_over(Region::Other);
                self.state.mailboxes[i][other].push_back(clock);
                return Ok(());
            }
        }
        self.state.cores[i].store(Region::Other, addr);
        let clock = self.state.cores[i].hand_over(Region::Other);
        self.tile.note_requests(self.state, requests, (Some(self.core), self.pc), &clock)?;
        // Cores that leave reset read their first pc.
        self.state.config_access(touched, self.load_touch(), &clock)?;
        self.tile.start_released(self.state, &clock);
        Ok(())
    }

    fn pushed(&mut self, thread: usize, word: u32) {
        let i = self.index();
        let core = &mut self.state.cores[i];
        core.store(Region::Other, map::INSTRN_BUF_BASE);
        core.pushed(thread);
        let clock = core.hand_over(Region::Other);
        let own = self.core.tensix_thread().is_some();
        let config = if own { core.hand_over(Region::Config).get(Component::config(i)) } else { 0 };
        let mop = own && tt_isa::insn::Opcode::of(word) == Some(tt_isa::insn::Opcode::MOP);
        let state = &mut self.state.threads[thread];
        state.mops[0] += u32::from(mop);
        state.pushed.push_back(super::state::Pushed { clock, config, mop });
    }

    fn config_stored(&mut self, addr: u32, value: u32, touched: &[ConfigAccess]) -> Result<(), Fault> {
        let i = self.index();
        let clock = self.state.cores[i].knowledge();
        let n = self.state.cores[i].store(Region::Config, addr);
        let touch = Touch { component: Component::config(i), n, write: true, mask: u32::MAX, what: self.pc };
        if let Some((thread, gpr)) = mmio::gpr(self.core, addr) {
            return self.state.gpr_access(thread, gpr, touch, &clock);
        }
        if addr == map::CFG_BASE + 4 * map::RISCV_IC_INVALIDATE_CFG {
            for core in RiscV::ALL.into_iter().filter(|core| value & core.icache_bit() != 0) {
                self.state.caches.invalidate(core as usize);
            }
        }
        let written: Vec<_> = touched.iter().filter(|access| access.write).copied().collect();
        self.state.config_access(&written, touch, &clock)
    }

    /// TTSync's loads must have returned before another load from its region starts: a hardware bug.
    fn check_sync_bug(&self, addr: u32) -> Result<(), Fault> {
        let same = addr & !0x2_FFFF == map::PC_BUF_BASE || mmio::mailbox(addr).is_some();
        if !same || self.core == RiscV::Ncrisc || !self.state.cores[self.index()].sync_under_way() {
            return Ok(());
        }
        let what = format!(
            "{} at pc {:#010x} loads from {addr:#010x} before a load from TTSync has returned: use its result first \
             (seed {})",
            self.core.name(),
            self.pc,
            self.state.seed
        );
        Err(Fault::program(what).page("TensixTile/BabyRISCV/TTSync.md"))
    }
}

/// Which responses a counter of an NIU counts. A write whose acknowledgement has come has been sent.
fn counted_by(offset: u32) -> &'static [Response] {
    use Response::{Atomic, Read, Sent, Write};
    let is_id = |table: u32| offset.wrapping_sub(table) / 4 < TRANSACTION_IDS;
    match offset {
        reg::MST_RD_RESP_RECEIVED | reg::MST_RD_DATA_WORD_RECEIVED => &[Read],
        reg::MST_WR_ACK_RECEIVED => &[Write, Sent],
        reg::MST_ATOMIC_RESP_RECEIVED => &[Atomic],
        reg::MST_POSTED_WR_REQ_SENT | reg::MST_NONPOSTED_WR_REQ_SENT => &[Sent],
        _ if is_id(reg::MST_WRITE_REQS_OUTGOING_ID) => &[Sent],
        _ if is_id(reg::MST_REQS_OUTSTANDING_ID) => &[Read, Write, Atomic, Sent],
        _ => &[],
    }
}

fn beyond_l1(addr: u32) -> Fault {
    Fault::program(format!("access across the end of L1 at {addr:#010x}")).page("TensixTile/L1.md")
}

impl Bus for AsyncBus<'_> {
    /// Empty: all accesses to L1 go through [`Bus::load`] and [`Bus::store`].
    fn l1(&mut self) -> &mut [u8] {
        &mut []
    }

    fn local(&mut self) -> &mut [u8] {
        self.tile.local_ram(self.core)
    }

    fn code_page(&self, pc: u32) -> Result<usize, Fault> {
        crate::tile::hart::code_page(self.core, pc)
    }

    fn fetch(&self, pc: u32) -> Result<u32, Fault> {
        self.tile.fetch(self.core, pc)
    }

    fn load(&mut self, addr: u32, size: u32) -> Result<Access<u32>, Fault> {
        if addr < map::L1_SIZE {
            return self.load_l1(addr, size).map(Access::Done);
        }
        self.check_sync_bug(addr)?;
        self.start_trace();
        let access = self.plain().load(addr, size)?;
        let touched = self.take_trace();
        if access != Access::Retry {
            self.loaded(addr & !3, &touched)?;
        }
        let i = self.index();
        if matches!(access, Access::Volatile(_)) {
            self.state.cores[i].effects += 1;
        }
        Ok(access)
    }

    fn store(&mut self, addr: u32, size: u32, value: u32) -> Result<Access<()>, Fault> {
        if addr < map::L1_SIZE {
            return self.store_l1(addr, size, value).map(Access::Done);
        }
        self.before_store(addr)?;
        let requests = self.tile.port.outbox.len();
        self.start_trace();
        let access = self.plain().store(addr, size, value)?;
        let touched = self.take_trace();
        if access != Access::Retry {
            self.stored(addr, value, requests, &touched)?;
        }
        Ok(access)
    }

    fn push(&mut self, word: u32) -> Result<Access<()>, Fault> {
        let access = self.plain().push(word)?;
        if access != Access::Retry
            && let Some(thread) = self.core.tensix_thread()
        {
            self.pushed(thread as usize, word);
        }
        Ok(access)
    }

    fn changed(&mut self) {
        self.tile.changes += 1;
    }

    fn changes(&self) -> u64 {
        self.tile.changes
    }

    fn held(&self) -> bool {
        self.tile.activity[self.core as usize] == Activity::Reset
    }
}
