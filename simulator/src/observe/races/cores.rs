//! The cores of a tile: their loads and stores to L1 and registers, and the order they create.

use tt_isa::insn::Opcode;
use tt_isa::map::{self, RiscV};
use tt_isa::noc::{TRANSACTION_IDS, reg};

use super::TileRaces;
use super::clock::{Component, Response, VectorClock};
use super::code;
use super::core_clock::Region;
use super::report::RequestInfo;
use super::shadow::Access;
use super::state::Pushed;
use crate::fault::Fault;
use crate::model::access::ConfigAccess;
use crate::model::noc::Request;
use crate::model::tile::{Tile, mmio};
use crate::observe::{Executing, Stored};

impl TileRaces {
    /// Cores that have left reset; `clock` happened before.
    pub(super) fn start_released(&mut self, released: u8, clock: &VectorClock) {
        for core in RiscV::ALL.into_iter().filter(|&core| released >> core as usize & 1 == 1) {
            self.start(core, clock);
        }
    }

    /// A core is about to execute an instruction.
    pub(super) fn instruction(&mut self, now: &Executing) -> Result<(), Fault> {
        let &Executing { core, pc, op } = now;
        if self.caches.fetch(core as usize, pc) {
            self.found(("code", [None, Some((core as u8, pc))]), |it| {
                let what = format!(
                    "{} at pc {pc:#010x}: the code has changed since its instruction cache was invalidated, and it \
                     may execute what was there before (seed {})",
                    core.name(),
                    it.seed
                );
                Fault::program(what).page("TensixTile/BabyRISCV/InstructionCache.md")
            })?;
        }
        self.cores[core as usize].instruction(&op);
        Ok(())
    }

    /// Numbers NoC requests that have just been made, by a core at a pc or by the coprocessor, and looks at their ends in this
    /// tile.
    pub(super) fn note_requests(
        &mut self,
        requests: &[Request],
        by: (Option<RiscV>, u32),
        clock: &VectorClock,
    ) -> Result<(), Fault> {
        for &request in requests {
            let id = self.requests.len() as u32;
            self.requests.push(RequestInfo::new(request, by.0, by.1));
            self.outgoing.push_back((id, *clock));
            if let Some((addr, len, write)) = super::packets::own_end(&request, self.l1.size()) {
                let access = Access { component: Component::UNDER_WAY, n: id + 1, write, mask: 0, what: id };
                if !write {
                    self.l1_initialised(addr, len, &access)?;
                }
                self.l1_access(addr, len, access, clock)?;
            }
        }
        Ok(())
    }

    /// The access of a load of a core.
    fn load_access(&self, now: &Executing) -> Access {
        let i = now.core as usize;
        let n = self.cores[i].load_number();
        Access { component: Component::loads(i), n, write: false, mask: u32::MAX, what: now.pc }
    }

    /// `clock` happened before, once the load that is executed has returned.
    fn join_later(&mut self, now: &Executing, clock: VectorClock) {
        self.cores[now.core as usize].join_later(now.op.rd, clock, false);
    }

    /// A core is about to load from L1.
    pub(super) fn core_loads(
        &mut self,
        now: &Executing,
        tile: &Tile,
        addr: u32,
        size: u32,
    ) -> Result<(), Fault> {
        let i = now.core as usize;
        let access = self.load_access(now);
        self.l1_initialised(addr, size, &access)?;
        let before = self.cores[i].in_order();
        let mut news = self.cores[i].arrived(Region::L1, addr);
        if self.polls(now, tile) {
            let stores = self.l1.cell(addr & !3).iter().filter(|old| old.write);
            let unordered: Vec<Access> =
                stores.filter(|old| !before.covers(old.component, old.n)).copied().collect();
            news.join(&self.host);
            for old in &unordered {
                news.join(&self.snapshot_of(old));
            }
        } else {
            self.l1_access(addr, size, access, &before)?;
        }
        self.join_later(now, news);
        Ok(())
    }

    /// Whether the load that is executed is a poll.
    fn polls(&mut self, now: &Executing, tile: &Tile) -> bool {
        let &Executing { core, pc, op } = now;
        *self.polls.entry(pc).or_insert_with(|| code::is_poll(pc, &op, |pc| tile.fetch(core, pc).ok()))
    }

    /// A core is about to store to L1.
    pub(super) fn core_stores(&mut self, now: &Executing, addr: u32, size: u32) -> Result<(), Fault> {
        let i = now.core as usize;
        let clock = self.cores[i].in_order();
        let n = self.cores[i].store(Region::L1, addr);
        let access = Access { component: Component::stores(i), n, write: true, mask: 0, what: now.pc };
        self.l1_access(addr, size, access, &clock)
    }

    /// What a load from a register tells, after it.
    pub(super) fn register_loaded(
        &mut self,
        now: &Executing,
        addr: u32,
        config: &[ConfigAccess],
    ) -> Result<(), Fault> {
        let i = now.core as usize;
        if now.core != RiscV::Ncrisc {
            if let Some((thread, offset)) = mmio::banked(now.core, addr, map::PC_BUF_BASE, map::PC_BUF_STRIDE)
            {
                return self.pc_buf_loaded(now, thread, offset);
            }
            if mmio::config(addr).is_some() || mmio::gpr(now.core, addr).is_some() {
                return self.config_loaded(now, addr, config);
            }
            if let Some((other, offset)) = mmio::mailbox(addr) {
                if offset & 4 == 0
                    && let Some(clock) = self.mailboxes[other][i].pop_front()
                {
                    self.join_later(now, clock);
                }
                return Ok(());
            }
        }
        if let Some((noc, offset)) = mmio::niu(addr) {
            let clock = self.responses_snapshot(noc, counted_by(offset));
            self.join_later(now, clock);
        }
        if let Some(before) = mmio::overlay(addr).and_then(|offset| self.streams.get(&offset)) {
            self.join_later(now, *before);
        }
        Ok(())
    }

    fn pc_buf_loaded(&mut self, now: &Executing, thread: usize, offset: u32) -> Result<(), Fault> {
        let i = now.core as usize;
        let clock = match offset {
            map::PC_BUF_TENSIX_SYNC if self.cores[i].sync_is_ordered(thread) => self.thread_done(thread),
            map::PC_BUF_MOP_SYNC if self.cores[i].sync_is_ordered(thread) => {
                let mut clock = VectorClock::ZERO;
                clock.advance(Component::mop(thread), self.threads[thread].mops[0]);
                clock
            }
            map::PC_BUF_TENSIX_SYNC | map::PC_BUF_MOP_SYNC => VectorClock::ZERO,
            _ => self.semaphores[mmio::semaphore(offset)?],
        };
        let sync = offset < map::PC_BUF_SEMAPHORE;
        self.cores[i].join_later(now.op.rd, clock, sync);
        Ok(())
    }

    /// A load of configuration or a GPR: a read, and earlier stores have arrived.
    fn config_loaded(&mut self, now: &Executing, addr: u32, config: &[ConfigAccess]) -> Result<(), Fault> {
        let i = now.core as usize;
        let (access, clock) = (self.load_access(now), self.cores[i].in_order());
        if let Some((thread, gpr)) = mmio::gpr(now.core, addr) {
            self.gpr_access(thread, gpr, access, &clock)?;
        } else {
            self.config_access(config, access, &clock)?;
        }
        let news = self.cores[i].arrived(Region::Config, addr);
        self.join_later(now, news);
        Ok(())
    }

    /// What has to be right before a store to a register.
    pub(super) fn check_mop_config(&mut self, now: &Executing, addr: u32) -> Result<(), Fault> {
        let i = now.core as usize;
        if now.core == RiscV::Ncrisc || mmio::block(addr, map::MOP_CFG_BASE).is_none() {
            return Ok(());
        }
        let Some(thread) = now.core.tensix_thread() else { return Ok(()) };
        let thread = thread as usize;
        let mops = self.threads[thread].mops[0];
        if self.cores[i].clock().covers(Component::mop(thread), mops) {
            return Ok(());
        }
        self.found(("MOP expander", [None, Some((i as u8, now.pc))]), |it| {
            let what = format!(
                "{} at pc {:#010x} writes the MOP expander's configuration while the expander may read it for one of \
                 the {mops} MOPs so far: load MOPExpanderDoneCheck first and use the value (seed {})",
                now.core.name(),
                now.pc,
                it.seed
            );
            Fault::program(what).page("TensixTile/TensixCoprocessor/MOPExpander.md")
        })
    }

    /// A core has stored to a register.
    pub(super) fn register_stored(&mut self, now: &Executing, store: &Stored) -> Result<(), Fault> {
        let &Stored { addr, value, config, .. } = store;
        let i = now.core as usize;
        if now.core != RiscV::Ncrisc {
            if let Some((thread, 0)) =
                mmio::banked(now.core, addr, map::INSTRN_BUF_BASE, map::INSTRN_BUF_STRIDE)
            {
                self.word_pushed(now.core, thread, value);
                return Ok(());
            }
            if mmio::config(addr).is_some() || mmio::gpr(now.core, addr).is_some() {
                return self.config_stored(now, addr, value, config);
            }
            if let Some((thread, offset)) = mmio::banked(now.core, addr, map::PC_BUF_BASE, map::PC_BUF_STRIDE)
            {
                self.cores[i].store(Region::Other, addr);
                if offset < map::PC_BUF_SEMAPHORE {
                    self.cores[i].sync_stored(thread);
                } else {
                    let clock = self.cores[i].release(Region::Other);
                    self.semaphores[mmio::semaphore(offset)?].join(&clock);
                }
                return Ok(());
            }
            if let Some((other, _)) = mmio::mailbox(addr) {
                self.cores[i].store(Region::Other, addr);
                let clock = self.cores[i].release(Region::Other);
                self.mailboxes[i][other].push_back(clock);
                return Ok(());
            }
        }
        self.cores[i].store(Region::Other, addr);
        let clock = self.cores[i].release(Region::Other);
        if let Some(offset) = mmio::overlay(addr) {
            self.streams.entry(offset).or_insert(VectorClock::ZERO).join(&clock);
        }
        self.note_requests(store.requests, (Some(now.core), now.pc), &clock)?;
        // Cores that leave reset read their first pc.
        self.config_access(config, self.load_access(now), &clock)?;
        self.start_released(store.released, &clock);
        Ok(())
    }

    /// A core has pushed an instruction to a thread.
    pub(super) fn word_pushed(&mut self, core: RiscV, thread: usize, word: u32) {
        let (i, own) = (core as usize, core.tensix_thread().is_some());
        let core = &mut self.cores[i];
        core.store(Region::Other, map::INSTRN_BUF_BASE);
        core.pushed(thread);
        let clock = core.release(Region::Other);
        let config = if own { core.release(Region::Config).get(Component::config(i)) } else { 0 };
        let mop = own && Opcode::of(word) == Some(Opcode::MOP);
        let state = &mut self.threads[thread];
        state.mops[0] += u32::from(mop);
        state.pushed.push_back(Pushed { clock, config, mop });
    }

    fn config_stored(
        &mut self,
        now: &Executing,
        addr: u32,
        value: u32,
        config: &[ConfigAccess],
    ) -> Result<(), Fault> {
        let i = now.core as usize;
        let clock = self.cores[i].in_order();
        let n = self.cores[i].store(Region::Config, addr);
        let access = Access { component: Component::config(i), n, write: true, mask: u32::MAX, what: now.pc };
        if let Some((thread, gpr)) = mmio::gpr(now.core, addr) {
            return self.gpr_access(thread, gpr, access, &clock);
        }
        if addr == self.icache_invalidate {
            for core in RiscV::ALL.into_iter().filter(|core| value & core.icache_bit() != 0) {
                self.caches.invalidate(core as usize);
            }
        }
        let written: Vec<_> = config.iter().filter(|access| access.write).copied().collect();
        self.config_access(&written, access, &clock)
    }

    /// TTSync's loads must have returned before another load from its region starts: a hardware bug.
    pub(super) fn check_sync_bug(&mut self, now: &Executing, addr: u32) -> Result<(), Fault> {
        let same = addr & !0x2_FFFF == map::PC_BUF_BASE || mmio::mailbox(addr).is_some();
        if !same || now.core == RiscV::Ncrisc || !self.cores[now.core as usize].sync_under_way() {
            return Ok(());
        }
        self.found(("TTSync", [None, Some((now.core as u8, now.pc))]), |it| {
            let what = format!(
                "{} at pc {:#010x} loads from {addr:#010x} before a load from TTSync has returned: use its result first \
                 (seed {})",
                now.core.name(),
                now.pc,
                it.seed
            );
            Fault::program(what).page("TensixTile/BabyRISCV/TTSync.md")
        })
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
