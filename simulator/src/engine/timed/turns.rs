//! A core's turn in the timed policy: when each of its instructions enters, and who has to look at what it does.
//!
//! ```text
//! turn -> instruction -> scoreboard: when does it enter?  not before the turn's end -> it comes again
//!                     -> memory: ports of L1, wakes       register: the core and others see the time
//! ```

use tt_isa::map::{self, RiscV};

use super::scoreboard::Place;
use super::{ALONE, TURN, Timed};
use crate::engine::cores::{self, Lane};
use crate::fault::Fault;
use crate::model::rv32::{Kind, Op, Stop};
use crate::model::tensix::THREADS;
use crate::model::tile::{Tile, mmio};
use crate::observe::Observer;
use crate::observe::usage::CoreUsage;

impl Timed {
    /// Whether there is time for a load from L1 or local RAM.
    #[inline(always)]
    pub(super) fn may_load(&mut self, core: RiscV, pc: u32, op: &Op, from: (Place, u32)) -> bool {
        let enters = {
            let port = self.units.ports.of_core(core);
            self.cores[core as usize].load(pc, op, from, self.limit, port).is_some()
        };
        if enters && from.0 == Place::L1 {
            self.wakes.loaded_word(core, from.1);
        }
        enters
    }

    /// The same of a store there: the turn ends soon if somebody waits for it.
    #[inline(always)]
    pub(super) fn may_store(&mut self, core: RiscV, pc: u32, op: &Op, to: (Place, u32)) -> bool {
        let port = self.units.ports.of_core(core);
        let Some(at) = self.cores[core as usize].store(pc, op, to, self.limit, port) else { return false };
        if to.0 == Place::L1 && self.wakes.stored(core, to.1, at) & self.asleep != 0 {
            self.limit = self.limit.min(at + TURN);
        }
        true
    }

    /// Whether there is time for an instruction, of any kind.
    pub(super) fn may_enter(
        &mut self,
        tile: &mut Tile,
        core: RiscV,
        pc: u32,
        op: &Op,
        operands: [u32; 2],
    ) -> bool {
        if op.kind == Kind::Unknown {
            return true;
        }
        if tile.has_mover_work() {
            self.start_mover(tile, self.accessed);
        }
        if tile.outbox().len() != self.made.len() {
            self.take_requests(tile);
            self.stamp(tile, self.accessed);
            if self.alone {
                self.limit = self.limit.min(self.accessed + ALONE);
            }
        }
        let (board, port) = (&mut self.cores[core as usize], self.units.ports.of_core(core));
        let Some((at, place, addr)) = board.enter(pc, op, operands, self.limit, port) else {
            return false;
        };
        match op.kind {
            Kind::Sb | Kind::Sh | Kind::Sw | Kind::TtInsn if place != Place::Local => {
                if self.concerns_others(core, op.kind, (place, addr), at) {
                    self.limit = self.limit.min(at + TURN);
                }
                self.reach(tile, at, place);
            }
            Kind::Lb | Kind::Lh | Kind::Lw | Kind::Lbu | Kind::Lhu => {
                self.wakes.loaded(core, place, addr);
                self.reach(tile, at, place);
            }
            _ => {}
        }
        true
    }

    /// A core stores at `at`, or pushes an instruction: whether somebody waits for it.
    #[inline]
    pub(super) fn concerns_others(
        &mut self,
        core: RiscV,
        kind: Kind,
        (place, addr): (Place, u32),
        at: u64,
    ) -> bool {
        match (place, core.tensix_thread()) {
            (Place::L1, _) => self.wakes.stored(core, addr, at) & self.asleep != 0,
            (Place::Noc, _) => {
                self.wakes.stored_to_niu();
                false
            }
            // The word has its time with it.
            (_, Some(thread)) if kind == Kind::TtInsn => {
                self.push(thread as usize, at);
                false
            }
            (Place::Sync, _) => {
                let buffer = mmio::banked(core, addr, map::INSTRN_BUF_BASE, map::INSTRN_BUF_STRIDE);
                buffer.into_iter().for_each(|(thread, _)| self.push(thread, at));
                true
            }
            _ => true,
        }
    }

    /// A core has started an initiator, which is busy until the NIU takes the request.
    pub(super) fn take_requests(&mut self, tile: &mut Tile) {
        for n in self.made.len()..tile.outbox().len() {
            let request = tile.outbox()[n];
            let taken = self.initiators.take(&request, self.accessed);
            if taken > self.accessed {
                tile.niu_mut(request.noc).keep_busy(taken);
            }
        }
    }

    /// A core reaches for what is not its own at `at`: it sees the time, and others see it.
    pub(super) fn reach(&mut self, tile: &mut Tile, at: u64, place: Place) {
        match place {
            Place::L1 | Place::Local | Place::Sync => {}
            Place::Coprocessor | Place::Noc | Place::Register => {
                self.accessed = at;
                tile.set_clock(at);
            }
        }
    }

    /// Cores that have left reset begin anew.
    pub(super) fn release(&mut self, released: u8) {
        for core in RiscV::ALL.into_iter().filter(|&core| released >> core as u8 & 1 != 0) {
            self.cores[core as usize].reset(self.now);
            self.lanes[core as usize] = Lane::default();
        }
    }

    /// Lets a core execute until `limit`, or until it sleeps.
    pub(super) fn core_turn<O: Observer>(
        &mut self,
        tile: &mut Tile,
        observer: &mut O,
        core: RiscV,
        limit: u64,
    ) -> Result<(), Fault> {
        let i = core as usize;
        let slept = !tile.is_awake(core);
        if slept {
            self.cores[i].wake(self.now);
        }
        let before = slept.then(|| *self.cores[i].usage());
        tile.wake(core);
        self.wakes.turn(core, self.now, slept);
        self.asleep = RiscV::ALL.map(|other| u8::from(!tile.is_awake(other)) << other as u8).iter().sum();
        self.limit = limit;
        let done = self.execute(tile, observer, core);
        self.blocked = matches!(done, Err(_) | Ok(Stop::Blocked));
        if self.blocked {
            self.cores[i].cancel();
        } else {
            self.cores[i].commit();
        }
        if !tile.is_awake(core) {
            self.fell_asleep(tile, core, before.as_ref());
            let scoreboard = &self.cores[i];
            observer.core_waits(scoreboard.next().max(self.now), core, scoreboard.asleep_for());
        }
        self.stamp(tile, self.accessed);
        if tile.has_mover_work() {
            self.start_mover(tile, self.accessed);
        }
        let released = tile.released();
        if released != 0 {
            tile.take_released();
            self.release(released);
        }
        // What did not find room comes again.
        for thread in if self.coprocessor { 0..THREADS } else { 0..0 } {
            self.pushed[thread].truncate(tile.tensix().queued(thread));
        }
        done.map(|_| ())
    }

    /// A core has fallen asleep in its turn; `before`: what it had done when something woke it.
    pub(super) fn fell_asleep(&mut self, tile: &Tile, core: RiscV, before: Option<&CoreUsage>) {
        self.wakes.sleep(core, self.blocked, tile.changes());
        let scoreboard = &mut self.cores[core as usize];
        scoreboard.sleep(!self.blocked);
        if let Some(before) = before {
            scoreboard.has_only_polled(before);
        }
    }

    /// Lets a core execute; why it has stopped.
    pub(super) fn execute<O: Observer>(
        &mut self,
        tile: &mut Tile,
        observer: &mut O,
        core: RiscV,
    ) -> Result<Stop, Fault> {
        let (begin, now) = (tile.hart(core).executed, self.now);
        if !O::ACCESSES {
            // No instruction takes less than a clock.
            let most = (self.limit - self.cores[core as usize].next().min(self.limit)).max(1);
            let most = u32::try_from(most).unwrap_or(u32::MAX);
            self.turns[core as usize] += 1;
            let turn = cores::turn(tile, self, observer, core, most, |executed| now + (executed - begin))?;
            return Ok(turn.stop);
        }
        let mut lane = std::mem::take(&mut self.lanes[core as usize]);
        // It has been chosen, and is shown to the observer once.
        self.limit = u64::MAX;
        let result = cores::single(tile, self, observer, core, &mut lane, now);
        self.lanes[core as usize] = lane;
        let (stop, released) = result?;
        self.release(released);
        if matches!(stop, Stop::Blocked | Stop::Spinning) {
            tile.sleep(core);
        }
        Ok(stop)
    }
}
