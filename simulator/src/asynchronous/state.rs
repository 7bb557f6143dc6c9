//! What the asynchronous mode keeps of a tile beside the tile itself.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tt_isa::map::RiscV;

use super::clock::{CORES, Clock, Component, NIUS, Response, THREADS, UNITS, Unit};
use super::core::{self, Core};
use super::dram::{Dones, Knowledge};
use super::random::{Pace, Random};
use super::report::{self, Done, Place, RequestInfo};
use super::shadow::{Access, Cell, L1Shadow, words};
use super::trace::{ConfigAccess, ConfigWord, Rows};
use crate::fault::Fault;
use crate::tensix::dst;
use crate::tensix::scalar::GPRS;
use crate::tensix::sync::{MUTEXES, SEMAPHORES};
use crate::tile::Tile;

/// Words that one core may have in its mailboxes, by sender and receiver.
type Mailboxes = [[VecDeque<Clock>; 4]; 4];

/// Who writes over the NoC at present.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Visitor {
    /// The host.
    Host,
    /// A tile, packed as x | y << 8.
    Noc(u32),
    /// This tile's own request, at its own end: looked after when it was made.
    Own,
}

/// An instruction that was pushed and has not left the FIFO.
pub struct Pushed {
    /// What its core handed over.
    pub clock: Clock,
    /// Number of the T core's last store to configuration or GPRs before it.
    pub config: u32,
    /// Whether it goes through the MOP expander as a `MOP`.
    pub mop: bool,
}

/// A Tensix thread.
pub struct Thread {
    /// What the instruction at the wait gate knows.
    pub clock: Clock,
    /// Instructions that took effect as they passed the gate.
    pub n: u32,
    /// `WRCFG`s, and how many of them the last instruction but one had before it.
    pub wrcfg: [u32; 2],
    /// What is in the FIFO.
    pub pushed: VecDeque<Pushed>,
    /// `MOP`s that were pushed, and that have left the FIFO.
    pub mops: [u32; 2],
    /// [`Pushed::config`] of the instruction at the gate.
    pub config: u32,
    /// The tile's changes when the instruction at the gate could not pass.
    pub blocked: Option<u64>,
    /// No instruction passes the gate before this clock.
    pub pause: u64,
    /// Packers that this thread has used since it last waited for all of them.
    pub packers: u32,
}

impl Default for Thread {
    fn default() -> Self {
        Self {
            clock: Clock::ZERO,
            n: 0,
            wrcfg: [0; 2],
            pushed: VecDeque::new(),
            mops: [0; 2],
            config: 0,
            blocked: None,
            pause: 0,
            packers: 0,
        }
    }
}

/// An instruction in a unit.
pub struct Flight {
    /// Its thread.
    pub thread: usize,
    /// When it leaves the unit.
    pub done: u64,
    /// Packers that it uses, as bits.
    pub packers: u32,
    /// Banks that change hands when it is done: SrcA (0) or SrcB (1), the bank, and whether to the matrix unit.
    pub banks: Vec<(usize, usize, bool)>,
    /// What is known once it is done.
    pub clock: Clock,
}

/// A unit's instructions.
pub struct Queue {
    /// Oldest first.
    pub flights: VecDeque<Flight>,
    /// Instructions so far, by thread.
    pub n: [u32; THREADS],
    /// Those of them that are done.
    pub done: [u32; THREADS],
    /// How slow the unit is.
    pub pace: Pace,
}

/// Owners of a bank of SrcA or SrcB, and what they know.
#[derive(Clone, Copy)]
pub struct Bank {
    /// Whoever gave it to the matrix unit.
    pub given: Clock,
    /// Whoever gave it back.
    pub freed: Clock,
    /// It is about to be given or freed by an instruction in a unit.
    pub late: bool,
    /// Something was ever put into it.
    pub written: bool,
    /// Accesses.
    pub cell: Cell<4>,
}

const BANK: Bank =
    Bank { given: Clock::ZERO, freed: Clock::ZERO, late: false, written: false, cell: Cell::EMPTY };

/// All of it.
pub struct Async {
    /// The seed, for messages.
    pub seed: u64,
    /// Delays.
    pub random: Random,
    /// The tile's clock.
    pub now: u64,
    /// Cores.
    pub cores: [Core; CORES],
    /// How slow each core is, and each thread's gate.
    pub core_pace: [Pace; CORES],
    /// See `core_pace`.
    pub gate_pace: [Pace; THREADS],
    /// Threads.
    pub threads: [Thread; THREADS],
    /// Units.
    pub units: [Queue; UNITS],
    /// The scalar unit does one instruction at a time: until when.
    pub scalar_busy: u64,
    /// Shadow of L1.
    pub l1: L1Shadow,
    /// Accesses to rows of Dst.
    pub dst: Box<[Cell<6>]>,
    /// Rows of Dst that were written or cleared.
    pub dst_written: Rows,
    /// `[SrcA or SrcB][bank]`
    pub banks: [[Bank; 2]; 2],
    /// Accesses to configuration words.
    pub config: HashMap<ConfigWord, Cell<8>>,
    /// Accesses to GPRs.
    pub gprs: Box<[[Cell<4>; GPRS]; THREADS]>,
    /// What posting and getting threads and cores knew.
    pub semaphores: [Clock; SEMAPHORES],
    /// What the last holder knew.
    pub mutexes: [Clock; MUTEXES],
    /// What came along with mailbox words.
    pub mailboxes: Mailboxes,
    /// NoC requests that the tile made.
    pub requests: Vec<RequestInfo>,
    /// Numbers of those that the chip has not collected, and what their makers knew.
    pub outgoing: VecDeque<(u32, Clock)>,
    /// Which requests of the tiles, by number of a tile, are known here to be done.
    pub dones: Dones,
    /// Index of this tile.
    index: usize,
    /// Requests done, by NIU and kind of response.
    pub responses: [[u32; 4]; NIUS],
    /// NoC accesses from elsewhere so far.
    pub arrivals: u32,
    /// Who accesses the tile over the NoC at present.
    pub visitor: Visitor,
    /// What that one knows.
    pub visitor_knows: Option<Arc<Knowledge>>,
    /// The host has written to the tile since the chip last looked.
    pub host_wrote: bool,
    /// What had been done when the host last wrote.
    pub host: Clock,
    /// Code words that each core has fetched, and those of them that have changed since.
    pub caches: super::code::Caches,
    /// Which loads are polls, by pc.
    pub polls: HashMap<u32, bool>,
}

impl Async {
    /// State of tile number `index` after power-on.
    pub fn new(seed: u64, index: usize) -> Self {
        let mut random = Random::new(seed, index as u64);
        let random_ref = &mut random;
        let core_pace = std::array::from_fn(|_| Pace::choose(random_ref, 4));
        let gate_pace = std::array::from_fn(|_| Pace::choose(random_ref, 2));
        let units = std::array::from_fn(|_| Queue {
            flights: VecDeque::new(),
            n: [0; THREADS],
            done: [0; THREADS],
            pace: Pace::choose(random_ref, 4),
        });
        Self {
            seed,
            random,
            now: 0,
            cores: core::all(),
            core_pace,
            gate_pace,
            threads: Default::default(),
            units,
            scalar_busy: 0,
            l1: L1Shadow::default(),
            dst: vec![Cell::default(); dst::ROWS].into(),
            dst_written: Rows::default(),
            banks: [[BANK; 2]; 2],
            config: HashMap::new(),
            gprs: Box::new([[Cell::default(); GPRS]; THREADS]),
            semaphores: [Clock::ZERO; SEMAPHORES],
            mutexes: [Clock::ZERO; MUTEXES],
            mailboxes: Default::default(),
            requests: Vec::new(),
            outgoing: VecDeque::new(),
            dones: Dones::default(),
            index,
            responses: [[0; 4]; NIUS],
            arrivals: 0,
            visitor: Visitor::Host,
            visitor_knows: None,
            host_wrote: false,
            host: Clock::ZERO,
            caches: Default::default(),
            polls: HashMap::new(),
        }
    }

    /// Whether something will happen in a tile without its cores.
    pub fn pending(&self, tile: &Tile) -> bool {
        let moves = |thread| self.may_move(tile, thread);
        (0..THREADS).any(moves) || self.units.iter().any(|unit| !unit.flights.is_empty())
    }

    /// Whether a thread has an instruction that was not tried since something changed.
    pub fn may_move(&self, tile: &Tile, thread: usize) -> bool {
        !tile.tensix.frontend[thread].idle() && self.threads[thread].blocked != Some(tile.changes)
    }

    /// What is done by now.
    pub fn done(&self) -> Clock {
        let mut clock = Clock::ALL;
        for unit in Unit::ALL {
            for thread in 0..THREADS {
                clock.set(Component::unit(unit, thread), self.units[unit as usize].done[thread]);
            }
        }
        clock
    }

    /// Everything that is done by now and will be ordered before what comes: what the host knows.
    pub fn so_far(&mut self) -> Clock {
        let mut clock = Clock::ZERO;
        for core in &mut self.cores {
            clock.join(&core.so_far());
        }
        for thread in 0..THREADS {
            let state = &self.threads[thread];
            clock.learn(Component::thread(thread), state.n);
            clock.learn(Component::wrcfg(thread), state.wrcfg[0]);
            clock.learn(Component::mop(thread), state.mops[1]);
            for unit in Unit::ALL {
                clock.learn(Component::unit(unit, thread), self.units[unit as usize].done[thread]);
            }
        }
        for noc in 0..NIUS {
            clock.join(
                &self.responses_so_far(
                    noc,
                    &[Response::Read, Response::Write, Response::Atomic, Response::Sent],
                ),
            );
        }
        clock.learn(Component::ARRIVALS, self.arrivals);
        clock
    }

    /// All that a thread's instructions so far have done, when they are done.
    pub fn thread_done(&self, thread: usize) -> Clock {
        let state = &self.threads[thread];
        let mut clock = state.clock;
        clock.learn(Component::thread(thread), state.n);
        clock.learn(Component::wrcfg(thread), state.wrcfg[0]);
        clock.learn(Component::mop(thread), state.mops[0]);
        for unit in Unit::ALL {
            clock.learn(Component::unit(unit, thread), self.units[unit as usize].n[thread]);
        }
        clock
    }

    /// A finding.
    pub fn race(&self, place: Place, first: &Access, second: &Access) -> Fault {
        report::race(place, first, second, &self.requests, self.seed)
    }

    /// Checks an access to bytes of L1, and remembers it.
    pub fn l1_access(&mut self, addr: u32, len: u32, access: Access, clock: &Clock) -> Result<(), Fault> {
        for (word, mask) in words(addr, len) {
            let access = Access { mask, ..access };
            let cell = self.l1.cell(word);
            if let Some(first) = cell.conflict(&access, clock) {
                return Err(self.race(Place::L1(word), &first, &access));
            }
            cell.record(access, clock);
        }
        if access.write {
            self.wrote(addr, len);
        }
        Ok(())
    }

    /// Checks that bytes of L1 that `access` uses were ever written.
    pub fn l1_initialised(&mut self, addr: u32, len: u32, access: &Access) -> Result<(), Fault> {
        match self.l1.first_unwritten(addr, len) {
            Some(at) => Err(self.without_value(at, access)),
            None => {
                self.note_use(addr, len);
                Ok(())
            }
        }
    }

    /// Bytes of L1 were used: it matters from now on what whoever brought them from DRAM found there.
    pub fn note_use(&mut self, addr: u32, len: u32) {
        for (word, _) in words(addr, len) {
            if let Some(read) = self.l1.brought_by(word) {
                self.requests[read as usize].note_use(word);
            }
        }
    }

    /// The finding for a read of a byte of L1 that has no definite value.
    pub fn without_value(&self, addr: u32, access: &Access) -> Fault {
        match self.l1.spoilt_by(addr) {
            Some(by) => report::spoilt(addr, access, by, &self.requests, self.seed),
            None => report::uninitialised(Place::L1(addr), access, &self.requests, self.seed),
        }
    }

    /// Checks an access to configuration words, and remembers it.
    pub fn config_access(
        &mut self,
        accesses: &[ConfigAccess],
        access: Access,
        clock: &Clock,
    ) -> Result<(), Fault> {
        for one in accesses {
            let access = Access { mask: one.mask, write: one.write, ..access };
            let cell = self.config.entry(one.word).or_default();
            if let Some(first) = cell.conflict(&access, clock) {
                return Err(self.race(Place::Config(one.word), &first, &access));
            }
            cell.record(access, clock);
        }
        Ok(())
    }

    /// Checks an access to a GPR, and remembers it.
    pub fn gpr_access(
        &mut self,
        thread: usize,
        gpr: usize,
        access: Access,
        clock: &Clock,
    ) -> Result<(), Fault> {
        let cell = &mut self.gprs[thread][gpr];
        if let Some(first) = cell.conflict(&access, clock) {
            return Err(self.race(Place::Gpr(thread, gpr), &first, &access));
        }
        cell.record(access, clock);
        Ok(())
    }

    /// What a request of this tile had to do here is done and counted: its accesses are the next of its NIU's.
    pub fn request_done(&mut self, id: u32, response: Response) {
        let request = self.requests[id as usize].request;
        let n = &mut self.responses[usize::from(request.noc)][response as usize];
        *n += 1;
        let done = (Component::noc(usize::from(request.noc), response), *n);
        if response != Response::Sent {
            let of_tile = self.dones.next(self.index);
            self.requests[id as usize].done = Some(Done { component: done.0, n: done.1, of_tile });
        }
        let Some((addr, len, write)) = super::noc::own_end(&request) else { return };
        for (word, _) in words(addr, len) {
            self.l1.cell(word).rename((Component::UNDER_WAY, id + 1), done);
        }
        if write {
            self.wrote(addr, len);
        }
        if self.requests[id as usize].from_dram {
            self.l1.brought(addr, len, id);
            for (first, len, why) in std::mem::take(&mut self.requests[id as usize].spoilt) {
                self.l1.spoil(addr + first, len, &why);
            }
        }
    }

    /// Bytes of L1 have a new value.
    fn wrote(&mut self, addr: u32, len: u32) {
        self.l1.written(addr, len);
        if self.caches.written(addr, len) {
            self.polls.clear();
        }
    }

    /// Someone else accesses this tile's L1 over the NoC, now.
    pub fn visited(&mut self, addr: u32, len: u32, write: bool) -> Result<(), Fault> {
        let clock = self.done();
        match self.visitor {
            Visitor::Own => Ok(()),
            Visitor::Host if write => {
                self.host = self.so_far();
                self.host_wrote = true;
                for (word, _) in words(addr, len) {
                    self.l1.cell(word).clear();
                }
                self.wrote(addr, len);
                Ok(())
            }
            Visitor::Host => Ok(()),
            Visitor::Noc(what) => {
                self.arrivals += 1;
                let access =
                    Access { component: Component::ARRIVALS, n: self.arrivals, write, mask: 0, what };
                if write {
                    if let Some(knows) = &self.visitor_knows {
                        self.dones.join(&knows.dones);
                    }
                    return self.l1_access(addr, len, access, &clock);
                }
                for (word, mask) in words(addr, len) {
                    let access = Access { mask, ..access };
                    if let Some(first) = self.l1.cell(word).conflict(&access, &clock) {
                        return Err(self.race(Place::L1(word), &first, &access));
                    }
                }
                self.l1_initialised(addr, len, &access)
            }
        }
    }

    /// A core was released from reset by whoever knew `clock`.
    pub fn start(&mut self, core: RiscV, clock: &Clock) {
        self.cores[core as usize].start(clock);
        self.caches.invalidate(core as usize);
    }

    /// What a load of an NIU's counter tells.
    pub fn responses_so_far(&self, noc: usize, which: &[Response]) -> Clock {
        let mut clock = Clock::ZERO;
        for &response in which {
            clock.learn(Component::noc(noc, response), self.responses[noc][response as usize]);
        }
        clock
    }
}
