//! The coprocessor's instructions: their accesses to L1, Dst, SrcA, SrcB, configuration and GPRs, and the order they create.

use tt_isa::insn::{Opcode, Operand, STOREREG, Unit};
use tt_isa::map::LOCAL_RAM_BASE;
use tt_isa::stall::until;

use super::TileRaces;
use super::clock::{Component, Origin, VectorClock};
use super::report::Place;
use super::shadow::Access;
use super::state::Kept;
use crate::fault::Fault;
use crate::model::access::{Accesses, ConfigWord, rows_of};
use crate::model::tensix::Tensix;
use crate::model::tensix::frontend::Wait;
use crate::model::tensix::pipe::{Pipe, packers};
use crate::model::tensix::sync::SEMAPHORES;
use crate::model::tile::mmio;
use crate::observe::{Handover, Issued};

impl TileRaces {
    /// Words have left a FIFO: what follows knows what their cores handed over.
    pub(super) fn words_left_fifo(&mut self, thread: usize, count: usize) {
        let state = &mut self.threads[thread];
        for _ in 0..count {
            let Some(pushed) = state.pushed.pop_front() else { return };
            // What was a MOP before has been expanded.
            state.clock.advance(Component::mop(thread), state.mops[1]);
            state.mops[1] += u32::from(pushed.mop);
            state.clock.join(&pushed.clock);
            state.config = state.config.max(pushed.config);
        }
    }

    /// A wait is over: what it waited for happened before.
    pub(super) fn join_after_wait(&mut self, tensix: &Tensix, thread: usize, wait: Wait) {
        match wait {
            Wait::Semaphore(op) => {
                for index in (0..SEMAPHORES).filter(|index| op.sem_sel >> index & 1 == 1) {
                    self.threads[thread].clock.join(&self.semaphores[index]);
                }
            }
            Wait::Stall(op) => self.units_waited_for(tensix, thread, op.wait_res),
        }
    }

    fn units_waited_for(&mut self, tensix: &Tensix, thread: usize, conditions: u32) {
        for pipe in Pipe::ALL {
            let used = if pipe == Pipe::Packers { self.threads[thread].packers } else { 0 };
            let all = pipe.condition(used);
            if all != 0 && conditions & all == all {
                let n = self.pipes[pipe as usize].n[thread];
                self.threads[thread].clock.advance(Component::pipe(pipe, thread), n);
                if pipe == Pipe::Packers {
                    self.threads[thread].packers = 0;
                }
            }
        }
        let state = &mut self.threads[thread];
        if conditions & until::RISCV != 0 {
            state.clock.advance(Component::config(thread + 1), state.config);
        }
        let owners = [
            (until::SRCA_CLEAR, 0, tensix.banks(0).unpack_bank, false),
            (until::SRCB_CLEAR, 1, tensix.banks(1).unpack_bank, false),
            (until::SRCA_VALID, 0, tensix.banks(0).matrix_bank, true),
            (until::SRCB_VALID, 1, tensix.banks(1).matrix_bank, true),
        ];
        for (_, which, bank, given) in owners.into_iter().filter(|owner| conditions & owner.0 != 0) {
            let bank = &self.banks[which][bank];
            state.clock.join(if given { &bank.given } else { &bank.freed });
        }
    }

    /// An instruction has taken effect.
    pub(super) fn instruction_issued(&mut self, issued: &Issued) -> Result<(), Fault> {
        let &Issued { thread, opcode, word, pipe, valid, accesses, .. } = issued;
        self.join_banks(valid, thread, accesses, pipe);
        let (component, n) = self.number(thread, opcode, pipe);
        let access = Access { component, n, write: false, mask: u32::MAX, what: word };
        let clock = self.threads[thread].clock;
        self.sync_instruction(thread, opcode, word, n);
        // What is read when an instruction starts is read in the order of the thread: ThreadConfig, which only the thread's own SETC16
        // writes, and WRCFG's GPRs (of its two cycles only the configuration comes in the second one).
        let at_start = Access { component: Component::thread(thread), n: self.threads[thread].n, ..access };
        self.check_memory(opcode, [&access, &at_start], accesses, &clock)?;
        let gprs = if opcode == Opcode::WRCFG { &at_start } else { &access };
        self.check_gprs(thread, opcode, gprs, &clock)?;
        self.check_banks(&access, accesses, &clock)?;
        self.keep(issued, &access);
        Ok(())
    }

    /// A `SETRWC` is to hand back a bank that is not there yet: no document promises that it waits.
    pub(super) fn bank_is_late(&mut self, tensix: &Tensix, thread: usize, word: u32) -> Result<(), Fault> {
        let Err(fault) = tensix.check_setrwc(thread, word) else { return Ok(()) };
        self.found(("bank", [None, Some((thread as u8, word))]), |it| Fault {
            what: format!(
                "SETRWC of Tensix thread {thread} hands back a bank that no thread has given yet, and does not wait for it: {} (seed {})",
                fault.what, it.seed
            ),
            ..fault
        })
    }

    /// What happened before a bank was handed over happened before an instruction that uses it.
    fn join_banks(&mut self, valid: [[bool; 2]; 2], thread: usize, accesses: &Accesses, pipe: Option<Pipe>) {
        for which in 0..2 {
            for bank in 0..2 {
                let matrix = accesses.banks[which] & 0b0101 << bank != 0;
                let unpacker = accesses.banks[which] & 0b01_0000 << bank != 0;
                let state = &self.banks[which][bank];
                if matrix && pipe == Some(Pipe::Matrix) && valid[which][bank] {
                    self.threads[thread].clock.join(&state.given);
                }
                if unpacker {
                    self.threads[thread].clock.join(&state.freed);
                }
            }
        }
    }

    /// Component and number of an instruction.
    fn number(&mut self, thread: usize, opcode: Opcode, pipe: Option<Pipe>) -> (Component, u32) {
        let state = &mut self.threads[thread];
        // The WRCFG before the last instruction has taken effect by now.
        state.clock.advance(Component::wrcfg(thread), state.wrcfg[1]);
        state.wrcfg[1] = state.wrcfg[0];
        match pipe {
            Some(pipe) => {
                let n = &mut self.pipes[pipe as usize].n[thread];
                *n += 1;
                (Component::pipe(pipe, thread), *n)
            }
            None if opcode == Opcode::WRCFG => {
                state.n += 1;
                state.clock.advance(Component::thread(thread), state.n);
                state.wrcfg[0] += 1;
                (Component::wrcfg(thread), state.wrcfg[0])
            }
            None => {
                state.n += 1;
                state.clock.advance(Component::thread(thread), state.n);
                (Component::thread(thread), state.n)
            }
        }
    }

    /// Semaphores and mutexes order threads, and what a thread stores to a register of a stream orders it before cores.
    fn sync_instruction(&mut self, thread: usize, opcode: Opcode, word: u32, n: u32) {
        if opcode == Opcode::STOREREG
            && let Some(offset) = mmio::overlay(LOCAL_RAM_BASE + 4 * STOREREG::decode(word).reg_addr)
        {
            let stream = self.streams.entry(offset).or_insert(VectorClock::ZERO);
            stream.join(&self.threads[thread].clock);
        }
        for operand in opcode.effects().writes {
            match *operand {
                Operand::Semaphores(field) => {
                    for index in (0..SEMAPHORES).filter(|index| field.get(word) >> index & 1 == 1) {
                        self.semaphores[index].join(&self.threads[thread].clock);
                        self.semaphores[index].advance(Component::thread(thread), n);
                    }
                }
                Operand::Mutex(field) => {
                    let (mutex, clock) =
                        (&mut self.mutexes[field.get(word) as usize], &mut self.threads[thread].clock);
                    if opcode == Opcode::ATGETM {
                        clock.join(mutex);
                    } else {
                        *mutex = *clock;
                    }
                }
                _ => {}
            }
        }
    }

    /// L1, Dst and configuration; `at_start`: what the instruction reads when it starts.
    fn check_memory(
        &mut self,
        opcode: Opcode,
        [access, at_start]: [&Access; 2],
        accesses: &Accesses,
        clock: &VectorClock,
    ) -> Result<(), Fault> {
        for range in &accesses.l1 {
            self.l1_access(range.addr, range.len, Access { write: range.write, ..*access }, clock)?;
        }
        self.check_input(access, accesses)?;
        let config: Vec<_> = match opcode.effects() {
            // `RMWCIB`: reading and writing are one.
            both if both.unit == Unit::Config
                && both.may_read(Operand::Config)
                && both.may_write(Operand::Config) =>
            {
                accesses.config.iter().filter(|access| access.write).copied().collect()
            }
            _ => accesses.config.clone(),
        };
        let (own, shared): (Vec<_>, Vec<_>) =
            config.into_iter().partition(|access| matches!(access.word, ConfigWord::Thread(..)));
        self.config_access(&own, *at_start, clock)?;
        self.config_access(&shared, *access, clock)?;
        let dst = &accesses.dst;
        // Whether an instruction that changes rows of Dst adds to what is there.
        let adds = opcode.effects().reads_dst(access.what);
        let read = rows_of(&dst.read).chain(rows_of(&dst.updated).filter(|_| adds));
        for row in read {
            if self.dst_written[row / 64] >> (row % 64) & 1 == 0 {
                self.found_unwritten(Place::Dst(row), access)?;
            }
            self.dst_access(row, *access, clock)?;
        }
        for row in rows_of(&dst.written).chain(rows_of(&dst.updated)) {
            self.dst_written[row / 64] |= 1 << (row % 64);
            self.dst_access(row, Access { write: true, ..*access }, clock)?;
        }
        Ok(())
    }

    /// An instruction whose whole input in L1 was never written has the wrong address, or its producer is missing.
    /// Some of it may be padding that nobody looks at.
    fn check_input(&mut self, access: &Access, accesses: &Accesses) -> Result<(), Fault> {
        let read = || accesses.l1.iter().filter(|range| !range.write && range.len > 0);
        let bytes = || read().flat_map(|range| range.addr..range.addr + range.len);
        let Some(first) = bytes().next() else { return Ok(()) };
        if let Some(at) = bytes().find(|&at| self.l1.poisoned_by(at).is_some()) {
            self.without_value(at, access)?;
        } else if bytes().all(|at| !self.l1.is_written(at)) {
            self.without_value(first, access)?;
        }
        read().for_each(|range| self.note_use(range.addr, range.len));
        Ok(())
    }

    fn dst_access(&mut self, row: usize, access: Access, clock: &VectorClock) -> Result<(), Fault> {
        let first = self.dst[row].conflict(&access, clock);
        self.dst[row].record(access, clock);
        first.map_or(Ok(()), |first| self.found_race(Place::Dst(row), &first, &access))
    }

    fn check_gprs(
        &mut self,
        thread: usize,
        opcode: Opcode,
        access: &Access,
        clock: &VectorClock,
    ) -> Result<(), Fault> {
        let effects = opcode.effects();
        for gpr in effects.gprs_read(access.what) {
            self.gpr_access(thread, gpr as usize, *access, clock)?;
        }
        for gpr in effects.gprs_written(access.what) {
            self.gpr_access(thread, gpr as usize, Access { write: true, ..*access }, clock)?;
        }
        Ok(())
    }

    fn check_banks(
        &mut self,
        access: &Access,
        accesses: &Accesses,
        clock: &VectorClock,
    ) -> Result<(), Fault> {
        for which in 0..2 {
            for bank in 0..2 {
                let bits = accesses.banks[which];
                let (read, write) = (bits & 1 << bank != 0, bits & 0b01_0100 << bank != 0);
                if !read && !write {
                    continue;
                }
                let access = Access { write, ..*access };
                let state = &mut self.banks[which][bank];
                let unwritten = !state.written && !write;
                state.written |= write;
                let first = state.cell.conflict(&access, clock);
                state.cell.record(access, clock);
                if unwritten {
                    self.found_unwritten(Place::Src(which, bank), &access)?;
                }
                if let Some(first) = first {
                    self.found_race(Place::Src(which, bank), &first, &access)?;
                }
            }
        }
        Ok(())
    }

    /// Remembers what has happened once an instruction is done: banks change hands then.
    fn keep(&mut self, issued: &Issued, access: &Access) {
        let thread = issued.thread;
        let mut clock = self.threads[thread].clock;
        clock.advance(access.component, access.n);
        let Some(pipe) = issued.pipe else {
            self.handed_over(issued.handovers, &clock);
            return;
        };
        if pipe == Pipe::Packers {
            self.threads[thread].packers |= packers(issued.opcode, issued.word);
        }
        let handovers = issued.handovers.to_vec();
        self.pipes[pipe as usize].kept.push_back(Kept { thread, handovers, clock });
    }

    /// The oldest instruction in a pipe is done.
    pub(super) fn instruction_done(&mut self, pipe: Pipe) {
        let queue = &mut self.pipes[pipe as usize];
        let Some(kept) = queue.kept.pop_front() else { return };
        queue.done[kept.thread] += 1;
        self.handed_over(&kept.handovers, &kept.clock);
    }

    /// Banks have changed hands.
    fn handed_over(&mut self, handovers: &[Handover], clock: &VectorClock) {
        for &Handover { which, bank, given } in handovers {
            let bank = &mut self.banks[which][bank];
            if given { bank.given = *clock } else { bank.freed = *clock }
        }
    }

    /// What happened before an access that a poll sees.
    pub(super) fn snapshot_of(&self, access: &Access) -> VectorClock {
        match access.component.origin() {
            Origin::Stores(core) => self.cores[core].snapshot_at(access.n),
            Origin::UnderWay => VectorClock::ZERO,
            Origin::Arrival => {
                let mut clock = self.announced.before_arrival(access.n).unwrap_or(VectorClock::ZERO);
                clock.advance(access.component, access.n);
                clock
            }
            _ => {
                let mut clock = VectorClock::ZERO;
                clock.advance(access.component, access.n);
                clock
            }
        }
    }
}
