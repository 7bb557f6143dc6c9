//! The race detector's state of a tile.

use std::collections::{HashMap, VecDeque};

use tt_isa::chip::Chip;
use tt_isa::map::{CFG_BASE, RiscV, TileMap};

use super::announced::Announced;
use super::clock::{Component, NIUS, Response, VectorClock};
use super::code::Caches;
use super::core_clock::{self, CoreClock};
use super::dram::{Completed, Snapshot};
use super::findings::Findings;
use super::report::{self, Done, Place, RequestInfo};
use super::shadow::{Access, Cell, L1Shadow, Poison};
use crate::fault::Fault;
use crate::model::access::{ConfigAccess, ConfigWord, Rows};
use crate::model::tensix::pipe::{PIPES, Pipe};
use crate::model::tensix::scalar::GPRS;
use crate::model::tensix::sync::{MUTEXES, SEMAPHORES};
use crate::model::tensix::{THREADS, dst};
use crate::model::tile::HARTS;
use crate::observe::Handover;

/// Words that one core may have in its mailboxes, by sender and receiver.
type Mailboxes = [[VecDeque<VectorClock>; 4]; 4];

/// Who accesses a tile over the NoC.
#[derive(Clone, Copy, Debug)]
pub enum Requester<'a> {
    /// The host.
    Host,
    /// A tile, packed as x | y << 8, and what happened before its request.
    Tile(u32, &'a Snapshot),
    /// This tile's own request, at its own end: looked after when it was made.
    Own,
}

/// An instruction that was pushed and has not left the FIFO.
pub struct Pushed {
    /// What happened before.
    pub(super) clock: VectorClock,
    /// Number of the T core's last store to configuration or GPRs before it.
    pub(super) config: u32,
    /// Whether it goes through the MOP expander as a `MOP`.
    pub(super) mop: bool,
}

/// A Tensix thread.
pub struct Thread {
    /// What happened before the instruction at the wait gate.
    pub(super) clock: VectorClock,
    /// Instructions that took effect as they passed the gate.
    pub(super) n: u32,
    /// `WRCFG`s, and how many of them the last instruction but one had before it.
    pub(super) wrcfg: [u32; 2],
    /// What is in the FIFO.
    pub(super) pushed: VecDeque<Pushed>,
    /// `MOP`s that were pushed, and that have left the FIFO.
    pub(super) mops: [u32; 2],
    /// [`Pushed::config`] of the instruction at the gate.
    pub(super) config: u32,
    /// Packers that this thread has used since it last waited for all of them.
    pub(super) packers: u32,
}

impl Default for Thread {
    fn default() -> Self {
        Self {
            clock: VectorClock::ZERO,
            n: 0,
            wrcfg: [0; 2],
            pushed: VecDeque::new(),
            mops: [0; 2],
            config: 0,
            packers: 0,
        }
    }
}

/// An instruction in a pipe.
pub struct Kept {
    /// Its thread.
    pub(super) thread: usize,
    /// Banks that change hands when it is done.
    pub(super) handovers: Vec<Handover>,
    /// What has happened once it is done.
    pub(super) clock: VectorClock,
}

/// A pipe's instructions.
#[derive(Default)]
pub struct Queue {
    /// Oldest first.
    pub(super) kept: VecDeque<Kept>,
    /// Instructions so far, by thread.
    pub(super) n: [u32; THREADS],
    /// Those of them that are done.
    pub(super) done: [u32; THREADS],
}

/// A bank of SrcA or SrcB, and what happened before it last changed hands.
#[derive(Clone, Copy)]
pub struct Bank {
    /// To the matrix unit.
    pub(super) given: VectorClock,
    /// Back to the unpacker.
    pub(super) freed: VectorClock,
    /// Something was ever put into it.
    pub(super) written: bool,
    /// Accesses.
    pub(super) cell: Cell<4>,
}

const BANK: Bank =
    Bank { given: VectorClock::ZERO, freed: VectorClock::ZERO, written: false, cell: Cell::EMPTY };

/// The race detector of one tile.
pub struct TileRaces {
    /// Address of the register that invalidates instruction caches.
    pub(super) icache_invalidate: u32,
    /// The seed, for messages.
    pub(super) seed: u64,
    /// What was found, if that is only noted.
    pub(super) findings: Findings,
    /// Cores.
    pub(super) cores: [CoreClock; HARTS],
    /// Threads.
    pub(super) threads: [Thread; THREADS],
    /// Pipes.
    pub(super) pipes: [Queue; PIPES],
    /// Shadow of L1.
    pub(super) l1: L1Shadow,
    /// Accesses to rows of Dst.
    pub(super) dst: Box<[Cell<6>]>,
    /// Rows of Dst that were written or cleared.
    pub(super) dst_written: Rows,
    /// `[SrcA or SrcB][bank]`
    pub(super) banks: [[Bank; 2]; 2],
    /// Accesses to configuration words.
    pub(super) config: HashMap<ConfigWord, Cell<8>>,
    /// Accesses to GPRs.
    pub(super) gprs: Box<[[Cell<4>; GPRS]; THREADS]>,
    /// What happened before they were posted and got.
    pub(super) semaphores: [VectorClock; SEMAPHORES],
    /// What happened before they were released.
    pub(super) mutexes: [VectorClock; MUTEXES],
    /// What happened before the stores to registers of streams, by offset.
    pub(super) streams: HashMap<u32, VectorClock>,
    /// What happened before mailbox words were sent.
    pub(super) mailboxes: Mailboxes,
    /// NoC requests that the tile made.
    pub(super) requests: Vec<RequestInfo>,
    /// Numbers of those that the chip has not collected, and what happened before they were made.
    pub(super) outgoing: VecDeque<(u32, VectorClock)>,
    /// Which requests of the tiles, by number of a tile, were completed before.
    pub(super) completed: Completed,
    /// What the tile has announced to others, and what came back.
    pub(super) announced: Announced,
    /// Index of this tile.
    index: usize,
    /// Requests done, by NIU and kind of response.
    pub(super) responses: [[u32; 4]; NIUS],
    /// NoC accesses from elsewhere so far.
    pub(super) arrivals: u32,
    /// The host has written to the tile since the chip last looked.
    pub(super) host_wrote: bool,
    /// What had been done when the host last wrote.
    pub(super) host: VectorClock,
    /// Code words that each core has fetched, and those of them that have changed since.
    pub(super) caches: Caches,
    /// Which loads are polls, by pc.
    pub(super) polls: HashMap<u32, bool>,
}

impl TileRaces {
    /// Of tile number `index` of a chip after power-on. `notes`: findings are noted, and no faults.
    pub fn new(chip: &Chip, seed: u64, index: usize, notes: bool) -> Self {
        let TileMap { l1_size, icache_invalidate, .. } = chip.tile;
        Self {
            icache_invalidate: CFG_BASE + 4 * icache_invalidate,
            seed,
            findings: Findings::new(notes),
            cores: core_clock::all(),
            threads: Default::default(),
            pipes: Default::default(),
            l1: L1Shadow::new(l1_size),
            dst: vec![Cell::default(); dst::ROWS].into(),
            dst_written: Rows::default(),
            banks: [[BANK; 2]; 2],
            config: HashMap::new(),
            gprs: Box::new([[Cell::default(); GPRS]; THREADS]),
            semaphores: [VectorClock::ZERO; SEMAPHORES],
            mutexes: [VectorClock::ZERO; MUTEXES],
            streams: HashMap::new(),
            mailboxes: Default::default(),
            requests: Vec::new(),
            outgoing: VecDeque::new(),
            completed: Completed::default(),
            announced: Announced::default(),
            index,
            responses: [[0; 4]; NIUS],
            arrivals: 0,
            host_wrote: false,
            host: VectorClock::ZERO,
            caches: Caches::new(l1_size),
            polls: HashMap::new(),
        }
    }

    /// What is done by now.
    pub fn done(&self) -> VectorClock {
        let mut clock = VectorClock::ALL;
        for pipe in Pipe::ALL {
            for thread in 0..THREADS {
                clock.set(Component::pipe(pipe, thread), self.pipes[pipe as usize].done[thread]);
            }
        }
        clock
    }

    /// Everything that is done by now and will be ordered before what comes.
    pub fn snapshot(&mut self) -> VectorClock {
        let mut clock = VectorClock::ZERO;
        for core in &mut self.cores {
            clock.join(&core.snapshot());
        }
        for thread in 0..THREADS {
            let state = &self.threads[thread];
            clock.advance(Component::thread(thread), state.n);
            clock.advance(Component::wrcfg(thread), state.wrcfg[0]);
            clock.advance(Component::mop(thread), state.mops[1]);
            for pipe in Pipe::ALL {
                clock.advance(Component::pipe(pipe, thread), self.pipes[pipe as usize].done[thread]);
            }
        }
        for noc in 0..NIUS {
            clock.join(&self.responses_snapshot(
                noc,
                &[Response::Read, Response::Write, Response::Atomic, Response::Sent],
            ));
        }
        clock.advance(Component::ARRIVALS, self.arrivals);
        clock
    }

    /// All that a thread's instructions so far have done, when they are done.
    pub fn thread_done(&self, thread: usize) -> VectorClock {
        let state = &self.threads[thread];
        let mut clock = state.clock;
        clock.advance(Component::thread(thread), state.n);
        clock.advance(Component::wrcfg(thread), state.wrcfg[0]);
        clock.advance(Component::mop(thread), state.mops[0]);
        for pipe in Pipe::ALL {
            clock.advance(Component::pipe(pipe, thread), self.pipes[pipe as usize].n[thread]);
        }
        clock
    }

    /// Checks an access to bytes of L1, and remembers it.
    pub fn l1_access(
        &mut self,
        addr: u32,
        len: u32,
        access: Access,
        clock: &VectorClock,
    ) -> Result<(), Fault> {
        for (word, mask) in self.l1.words(addr, len) {
            let access = Access { mask, ..access };
            let cell = self.l1.cell(word);
            let first = cell.conflict(&access, clock);
            cell.record(access, clock);
            if let Some(first) = first {
                self.found_race(Place::L1(word), &first, &access)?;
            }
        }
        if access.write {
            self.wrote(addr, len);
        }
        Ok(())
    }

    /// Checks that bytes of L1 that `access` uses were ever written.
    pub fn l1_initialised(&mut self, addr: u32, len: u32, access: &Access) -> Result<(), Fault> {
        if let Some(at) = self.l1.first_unwritten(addr, len) {
            self.without_value(at, access)?;
        }
        self.note_use(addr, len);
        Ok(())
    }

    /// Bytes of L1 were used: it matters from now on what whoever brought them from DRAM found there.
    pub fn note_use(&mut self, addr: u32, len: u32) {
        for (word, _) in self.l1.words(addr, len) {
            if let Some(read) = self.l1.brought_by(word) {
                self.requests[read as usize].note_use(word);
            }
        }
    }

    /// A byte of L1 is read that has no definite value.
    pub fn without_value(&mut self, addr: u32, access: &Access) -> Result<(), Fault> {
        let Some(by) = self.l1.poisoned_by(addr).cloned() else {
            return self.found_unwritten(Place::L1(addr), access);
        };
        let kind = match by {
            Poison::Written(_) => "L1 from DRAM that is written",
            Poison::Unwritten(..) => "L1 from DRAM that was not written",
        };
        let same = (kind, [None, Some(self.source(access))]);
        self.found(same, |it| report::poisoned(addr, access, &by, &it.requests, it.seed))
    }

    /// Checks an access to configuration words, and remembers it.
    pub fn config_access(
        &mut self,
        accesses: &[ConfigAccess],
        access: Access,
        clock: &VectorClock,
    ) -> Result<(), Fault> {
        for one in accesses {
            let access = Access { mask: one.mask, write: one.write, ..access };
            let cell = self.config.entry(one.word).or_default();
            let first = cell.conflict(&access, clock);
            cell.record(access, clock);
            if let Some(first) = first {
                self.found_race(Place::Config(one.word), &first, &access)?;
            }
        }
        Ok(())
    }

    /// Checks an access to a GPR, and remembers it.
    pub fn gpr_access(
        &mut self,
        thread: usize,
        gpr: usize,
        access: Access,
        clock: &VectorClock,
    ) -> Result<(), Fault> {
        let cell = &mut self.gprs[thread][gpr];
        let first = cell.conflict(&access, clock);
        cell.record(access, clock);
        first.map_or(Ok(()), |first| self.found_race(Place::Gpr(thread, gpr), &first, &access))
    }

    /// What a request of this tile had to do here is done and counted: its accesses are the next of its NIU's.
    pub fn request_done(&mut self, id: u32, response: Response) {
        let request = self.requests[id as usize].request;
        let n = &mut self.responses[usize::from(request.noc)][response as usize];
        *n += 1;
        let done = (Component::noc(usize::from(request.noc), response), *n);
        if response != Response::Sent {
            let of_tile = self.completed.next(self.index);
            self.requests[id as usize].done = Some(Done { component: done.0, n: done.1, of_tile });
        }
        let Some((addr, len, write)) = super::packets::own_end(&request, self.l1.size()) else { return };
        for (word, _) in self.l1.words(addr, len) {
            self.l1.cell(word).rename((Component::UNDER_WAY, id + 1), done);
        }
        if write {
            self.wrote(addr, len);
        }
        if self.requests[id as usize].from_dram {
            self.l1.brought(addr, len, id);
            for (first, len, why) in std::mem::take(&mut self.requests[id as usize].poisoned) {
                self.l1.poison(addr + first, len, &why);
            }
        }
    }

    /// Bytes of L1 have a new value.
    fn wrote(&mut self, addr: u32, len: u32) {
        self.l1.written(addr, len);
        if self.caches.written(addr, len) {
            self.polls.clear();
            self.findings.code_changed();
        }
    }

    /// Someone accesses this tile's L1 over the NoC, now.
    pub fn accessed_from_noc(
        &mut self,
        addr: u32,
        len: u32,
        write: bool,
        by: Requester,
    ) -> Result<(), Fault> {
        match by {
            Requester::Own => Ok(()),
            Requester::Host if write => {
                self.host = self.snapshot();
                self.host_wrote = true;
                for (word, _) in self.l1.words(addr, len) {
                    self.l1.cell(word).clear();
                }
                self.wrote(addr, len);
                Ok(())
            }
            Requester::Host => Ok(()),
            Requester::Tile(what, snapshot) => {
                let clock = self.done();
                self.arrivals += 1;
                let access =
                    Access { component: Component::ARRIVALS, n: self.arrivals, write, mask: 0, what };
                if write {
                    self.completed.join(&snapshot.completed);
                    self.announced.arrives(self.index, &snapshot.announced, self.arrivals);
                    return self.l1_access(addr, len, access, &clock);
                }
                for (word, mask) in self.l1.words(addr, len) {
                    let access = Access { mask, ..access };
                    if let Some(first) = self.l1.cell(word).conflict(&access, &clock) {
                        self.found_race(Place::L1(word), &first, &access)?;
                    }
                }
                self.l1_initialised(addr, len, &access)
            }
        }
    }

    /// A core was released from reset; `clock` happened before.
    pub fn start(&mut self, core: RiscV, clock: &VectorClock) {
        self.cores[core as usize].start(clock);
        self.caches.invalidate(core as usize);
    }

    /// What happened before a load of an NIU's counter.
    pub fn responses_snapshot(&self, noc: usize, which: &[Response]) -> VectorClock {
        let mut clock = VectorClock::ZERO;
        for &response in which {
            clock.advance(Component::noc(noc, response), self.responses[noc][response as usize]);
        }
        clock
    }
}
